"""Everything that holds a secret: nothing that shows it, be it a log, a debugger or an error, shows the secret."""

from __future__ import annotations

from pathlib import Path

from ocean_migration_pulumi.api.credentials import read_credentials
from ocean_migration_pulumi.api.settings import Settings
from ocean_migration_pulumi.cli.context import CliContext
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.kubernetes import KubernetesReader, find_access
from ocean_migration_pulumi.kubernetes.connection.connection import Connection, KubernetesResponse, _Request
from ocean_migration_pulumi.kubernetes.connection.kubeconfig import parse_kubeconfig
from ocean_migration_pulumi.kubernetes.connection.sign_in import Credential
from ocean_migration_pulumi.migration.reconcile.context import ReconcileContext
from ocean_migration_pulumi.migration.snapshot.claims import ClaimsRegistry
from ocean_migration_pulumi.migration.snapshot.sources import DataSources
from ocean_migration_pulumi.migration.spec.spec import read_spec
from ocean_migration_pulumi.migration.state.resource_state import ResourceState
from ocean_migration_pulumi.resource.notifier import Notifier, _Delivery, _Notification
from ocean_migration_pulumi.resource.session import Session
from tests.kubernetes.support import kubeconfig
from tests.migration.tellers import RecordingTeller
from tests.secrets.finder import Finder

TOKEN = "canary-7f3a-of-the-service"
KUBERNETES_TOKEN = "canary-51bc-of-kubernetes"
PASSWORD = "canary-90de-of-a-person"
URL = "https://chat.example/services/T0/B0/canary-of-the-channel"
FINDER = Finder(TOKEN, KUBERNETES_TOKEN, PASSWORD, URL.removeprefix("https://chat.example"))
KUBECONFIG = kubeconfig("https://web.example", {"token": KUBERNETES_TOKEN, "username": "me", "password": PASSWORD})
PLUGIN = {
    "apiVersion": "client.authentication.k8s.io/v1",
    "command": "aws",
    "args": ["--secret", PASSWORD],
    "env": [{"name": "AWS_SECRET_ACCESS_KEY", "value": KUBERNETES_TOKEN}],
}


def test_kubernetes() -> None:
    """From the text of the kubeconfig to the request."""
    for text in (KUBECONFIG, kubeconfig("https://web.example", {"exec": PLUGIN})):
        access = find_access(text, None, {})
        assert access is not None
        reader, connection = KubernetesReader(access), Connection(access.target)
        credential = Credential(header=f"Bearer {KUBERNETES_TOKEN}", certificate=(PASSWORD, PASSWORD))
        request = _Request("GET", "/api", {}, None, credential, lambda _: False)
        answer = KubernetesResponse(status=200, body=KUBERNETES_TOKEN.encode(), credential=KUBERNETES_TOKEN)
        FINDER.refute(
            parsed=parse_kubeconfig(text, None),
            access=access,
            target=access.target,
            reader=reader,
            connection=connection,
        )
        FINDER.refute(request=request, answer=answer, sources=DataSources(kubernetes=reader))
        reader.close()


def test_a_run() -> None:
    """The spec, the context, those who are notified."""
    given = {"ocean_id": "o-1", "nodes": {"all_nodes": True}, "kubeconfig": KUBECONFIG, "notifications": [URL]}
    spec, problems = read_spec(given)
    assert problems == []
    assert (spec.kubeconfig, spec.notifications) == (KUBECONFIG, (URL,))
    client = Session().client(None)
    context = ReconcileContext(
        api=client,
        claims=ClaimsRegistry().claims(None, "o-1"),
        scope=CancelScope(),
        reporter=RecordingTeller(),
        owner="urn:web",
        spec=spec,
        state=ResourceState(),
    )
    notifier = Notifier(spec.notifications)
    FINDER.refute(spec=spec, context=context, notifier=notifier, delivery=_Delivery(URL))
    FINDER.refute(
        notification=_Notification(body={}, notifier=notifier),
        record=context.state,
        outputs=context.state.to_outputs(spec, {}, ""),
    )


def test_settings_of_a_process(tmp_path: Path) -> None:
    """The credentials file, the session of the plugin, and what a command works with."""
    (tmp_path / ".spotinst").mkdir()
    (tmp_path / ".spotinst" / "credentials").write_text(f"[default]\ntoken = {TOKEN}\naccount = act-1234abcd\n")
    credentials = read_credentials({}, tmp_path)
    settings = Settings.load(None, {}, home=tmp_path)
    assert (credentials and credentials.token, settings.token) == (TOKEN, TOKEN)
    session = Session()
    session.configure({"ocean-migration:token": TOKEN}.get)
    context = CliContext(environ={"SPOTINST_TOKEN": TOKEN}, kubeconfig=KUBECONFIG)
    FINDER.refute(credentials=credentials, settings=settings, session=session, client=session.client(None))
    FINDER.refute(context=context, reached=context.settings, sources=context.sources())
    context.close()
