"""Access to the Kubernetes API: tokens, identities, kubeconfigs, and the request log."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from ocean_migration_pulumi.simulator import ControlError, Simulator
from ocean_migration_pulumi.testing.simulator.control.kubernetes import KubernetesControls
from ocean_migration_pulumi.testing.simulator.kubernetes_api.access import IDENTITIES
from ocean_migration_pulumi.testing.simulator.server.command import command
from tests.testing.simulator.conftest import Api, Kubernetes
from tests.testing.simulator.process import running

DOCUMENT = Path(__file__).parents[3] / "docs" / "reference" / "simulator.md"
EVICTION = "/api/v1/namespaces/shop/pods/none/eviction"


def test_a_missing_or_unknown_token_is_unauthorized(api: Api) -> None:
    """Spot's token is unknown to Kubernetes, and so is that of another cluster."""
    kubernetes = Kubernetes(api.sim)
    other = Kubernetes(api.sim, ocean_id=api.sim.control.add_cluster(1)["id"])
    for token in (None, "", "wrong", api.sim.token, other.token):
        reply = kubernetes.send("GET", "/api/v1/nodes", token=token)
        assert (reply.status, reply.body["reason"], reply.body["message"]) == (401, "Unauthorized", "Unauthorized")
    assert api.send("GET", api.base, token=kubernetes.token).status == 401
    assert len(other.items("/api/v1/nodes")) == 1


def test_only_the_run_identity_may_evict(api: Api) -> None:
    """The identity ``preview`` may only read."""
    preview, run = Kubernetes(api.sim), Kubernetes(api.sim, "run")
    refused = preview.send("POST", EVICTION, {}, dryRun="All")
    assert (refused.status, refused.body["reason"]) == (403, "Forbidden")
    assert refused.body["message"] == (
        'pods "none" is forbidden: User "system:serviceaccount:ocean-migration:preview" cannot create resource '
        '"pods/eviction" in API group "" in the namespace "shop"'
    )
    assert refused.body["details"] == {"name": "none", "kind": "pods"}
    assert run.send("POST", EVICTION, {}, dryRun="All").status == 404
    assert run.items("/api/v1/nodes") == preview.items("/api/v1/nodes")


def test_an_identity_without_rights_is_forbidden_everything(api: Api) -> None:
    """It is known, but may not even read the version."""
    kubernetes = Kubernetes(api.sim, "none")
    user = 'User "system:serviceaccount:ocean-migration:none" cannot'
    messages = {
        "/api/v1/pods": f'pods is forbidden: {user} list resource "pods" in API group "" at the cluster scope',
        "/apis/apps/v1/namespaces/shop/deployments": f"deployments.apps is forbidden: {user} list "
        'resource "deployments" in API group "apps" in the namespace "shop"',
        "/api/v1/namespaces/kube-system/configmaps/aws-auth": f'configmaps "aws-auth" is forbidden: {user} get '
        'resource "configmaps" in API group "" in the namespace "kube-system"',
        "/version": f'forbidden: {user} get path "/version"',
        "/api/v1/secrets": f'forbidden: {user} get path "/api/v1/secrets"',
    }
    for path, message in messages.items():
        reply = kubernetes.send("GET", path)
        assert (reply.status, reply.body["message"]) == (403, message)


def test_a_resource_can_be_forbidden(api: Api) -> None:
    """Other resources stay available; an unknown resource cannot be forbidden."""
    control, run = api.sim.control, Kubernetes(api.sim, "run")
    control.forbid_kubernetes(api.ocean_id, "poddisruptionbudgets")
    assert run.send("GET", "/apis/policy/v1/poddisruptionbudgets").status == 403
    assert run.send("GET", "/api/v1/pods").status == 200
    control.forbid_kubernetes(api.ocean_id, "poddisruptionbudgets", forbidden=False)
    assert run.send("GET", "/apis/policy/v1/poddisruptionbudgets").status == 200
    control.forbid_kubernetes(api.ocean_id, "pods/eviction")
    assert run.send("POST", EVICTION, {}, dryRun="All").status == 403
    assert run.send("GET", "/api/v1/pods").status == 200
    with pytest.raises(ControlError, match="unknown resource 'secrets': one of nodes, csinodes, pods, "):
        control.forbid_kubernetes(api.ocean_id, "secrets")


def test_simulator_and_control_return_the_same_kubeconfig(api: Api) -> None:
    """The tokens follow from the seed; unknown identities and clusters are refused."""
    texts = {identity: api.sim.kubeconfig(identity=identity) for identity in ("preview", "run", "none")}
    assert len(set(texts.values())) == 3
    for identity, text in texts.items():
        assert api.sim.control.kubeconfig(identity=identity) == text
        assert api.sim.kubeconfig(api.ocean_id, identity) == text
    with Simulator() as again:
        tokens = [re.findall(r"token: (\w+)", text) for text in (again.kubeconfig(), texts["preview"])]
        assert tokens[0] == tokens[1]
    with pytest.raises(ControlError, match="unknown identity 'root': one of preview, run, none"):
        api.sim.control.kubeconfig(identity="root")
    with pytest.raises(KeyError, match="o-nowhere"):
        api.sim.kubeconfig("o-nowhere")


def test_the_request_log_separates_the_apis(api: Api) -> None:
    """By default it returns Spot's requests only; the numbers count both."""
    kubernetes, control = Kubernetes(api.sim), api.sim.control
    api.offered()
    kubernetes.get("/api/v1/pods", limit=1, labelSelector="app")
    kubernetes.send("GET", "/nowhere")
    kubernetes.send("GET", "/api/v1/nodes", token="wrong")
    api.offered()
    assert [entry["n"] for entry in control.requests()] == [1, 5]
    assert {entry["api"] for entry in control.requests()} == {"spot"}
    found, lost, refused = control.requests(api="kubernetes")
    assert (found["api"], found["method"], found["status"], found["code"]) == ("kubernetes", "GET", 200, None)
    assert found["path"] == f"/kubernetes/{api.ocean_id}/api/v1/pods"
    assert found["route"] == "/kubernetes/{ocean_id}/api/v1/pods"
    assert found["query"] == {"limit": "1", "labelSelector": "app"}
    assert (lost["route"], lost["status"], lost["code"]) == (None, 404, "NotFound")
    assert (refused["status"], refused["code"]) == (401, "Unauthorized")
    assert [entry["n"] for entry in control.requests(api="all")] == [1, 2, 3, 4, 5]
    with pytest.raises(ControlError, match="unknown api 'x': one of spot, kubernetes, all"):
        control.requests(api="x")


def test_no_token_is_in_the_request_log(api: Api) -> None:
    """Neither Spot's nor one of Kubernetes', wherever a client puts it."""
    preview, run = Kubernetes(api.sim), Kubernetes(api.sim, "run")
    preview.send("GET", f"/api/v1/nodes/{run.token}", labelSelector=preview.token)
    run.send("POST", EVICTION, {"metadata": {"name": api.sim.token}})
    api.send("GET", f"{api.base}/{run.token}", token=run.token)
    text = str(api.sim.control.requests(api="all"))
    assert "[redacted]" in text
    for token in (preview.token, run.token, api.sim.token):
        assert token not in text


def test_rate_limits_do_not_apply_to_kubernetes(api: Api) -> None:
    """Neither the headers nor a limit of all routes."""
    kubernetes = Kubernetes(api.sim)
    api.sim.control.rate_limit("*", "*", 0)
    reply = kubernetes.send("GET", "/api/v1/nodes")
    assert reply.status == 200
    assert not any(name.startswith("x-ratelimit") for name in reply.headers)
    assert {"date", "audit-id"} <= reply.headers.keys()


def test_the_command_writes_a_kubeconfig(tmp_path: Path) -> None:
    """It is private, may evict, and the last line of output names it; a second start replaces it."""
    path = tmp_path / "kubeconfig"
    for _ in range(2):
        with running("--nodes", "2", "--kubeconfig", str(path)) as remote:
            assert remote.process.stdout is not None
            assert remote.process.stdout.readline() == f"export KUBECONFIG={path}\n"
            assert path.read_text() == remote.control.kubeconfig(identity="run")
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["kubeconfig"]


def test_the_command_does_not_replace_another_kubeconfig(tmp_path: Path) -> None:
    """It may be that of a real cluster: a one-line error, and no other output."""
    path = tmp_path / "config"
    path.write_text("apiVersion: v1\nkind: Config\n")
    result = CliRunner().invoke(command, ["--nodes", "2", "--kubeconfig", str(path)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"Error: {path} was not written by this simulator and is not replaced\n"
    assert path.read_text() == "apiVersion: v1\nkind: Config\n"
    unwritable = CliRunner().invoke(command, ["--nodes", "2", "--kubeconfig", str(tmp_path / "no" / "file")])
    assert unwritable.exit_code == 1
    assert unwritable.stderr.startswith(f"Error: cannot write {tmp_path}/no/file: ")


def test_the_command_needs_a_cluster_for_a_kubeconfig(tmp_path: Path) -> None:
    """A state file may have no cluster."""
    state, path = tmp_path / "state.json", tmp_path / "kubeconfig"
    with Simulator(nodes=1, state_file=state) as sim:
        sim.control.delete_cluster(sim.ocean_id)
    result = CliRunner().invoke(command, ["--state", str(state), "--kubeconfig", str(path)])
    assert (result.exit_code, result.stderr) == (1, "Error: there is no cluster to write a kubeconfig for\n")
    assert not path.exists()


def test_verbs_and_identities_are_documented() -> None:
    """The page of the simulator has all of them in its section on Kubernetes."""
    section = DOCUMENT.read_text(encoding="utf-8").split("## Kubernetes\n", 1)[1].split("\n## ", 1)[0]
    verbs = {name for name in vars(KubernetesControls) if not name.startswith("_")}
    assert {*verbs, *IDENTITIES} <= set(re.findall(r"`([a-z_]+)`", section))
