"""What is asked of the cluster about its Deployments, and what becomes of it when there is no answer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ocean_migration_pulumi.common.installation import install_command
from ocean_migration_pulumi.component.resources.deployments import Deployments, find_deployments
from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import Deployment
from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode
from tests.kubernetes import fake_api as fake
from tests.kubernetes.fake_api import FakeApi
from tests.kubernetes.support import TOKEN, kubeconfig
from tests.support.gaps import failed_gap


def message_of(found: Deployments) -> str:
    """Return the message of the error for which nothing was read."""
    assert found.absent is not None
    message: str = found.absent.fields["message"]
    return message


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run without the access, the proxies and the certificates of whoever runs the tests."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith(("SSL_CERT", "KUBE")):
            monkeypatch.delenv(name)


def one(name: str, image: str, **metadata: Any) -> fake.Object:
    """Return a Deployment with one container."""
    spec = {"replicas": 2, "template": {"spec": {"containers": [{"image": image}]}}}
    found = fake.named(name, "kube-system", spec=spec)
    found["metadata"] |= metadata
    return found


def api() -> FakeApi:
    """Return a cluster with both controllers' predecessors."""
    api = FakeApi(TOKEN)
    api.lists[fake.DEPLOYMENTS] = [
        one("ca", "mirror.shop:5000/k8s/cluster-autoscaler-amd64:v1", annotations={"meta.helm.sh/release-name": "ca"}),
        one("old", "gcr.io/spotinst-artifacts/kubernetes-cluster-controller:1.0.101", annotations={"note": "long"}),
        one("cluster-autoscaler-pages", "shop/pages@sha256:00"),
        one("web", "shop/web:1"),
    ]
    return api


def test_deployments_are_asked_for_alone_and_told_apart() -> None:
    """One GET, whatever else the cluster has; of the annotations only those of tools are kept."""
    with api().serve() as server:
        found = find_deployments(kubeconfig(server.url))
        asked = [(request.method, request.path) for request in server.requests]
    assert asked == [("GET", fake.DEPLOYMENTS)]
    assert found.absent is None
    assert [each.name for each in found.controllers_v1] == ["old"]
    assert [each.name for each in found.cluster_autoscalers] == ["ca"]
    assert [each.name for each in found.resembling] == ["cluster-autoscaler-pages"]
    old, autoscaler = found.controllers_v1[0], found.cluster_autoscalers[0]
    assert (old.annotations, autoscaler.annotations) == ({}, {"meta.helm.sh/release-name": "ca"})
    assert autoscaler.replicas == 2


def test_access_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As for everything else that is asked of Kubernetes."""
    assert find_deployments().absent == Gap(GapCode.NO_ACCESS)
    with api().serve() as server:
        (tmp_path / "config").write_text(kubeconfig(server.url), encoding="utf-8")
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
        assert len(find_deployments().found) == 4
    (tmp_path / "config").write_text("{", encoding="utf-8")
    assert message_of(find_deployments()).startswith("KUBECONFIG: ")


def test_refused_question_says_which_right_is_missing() -> None:
    """Nothing is found then, and nothing counts as absent."""
    forbidding = api()
    forbidding.faults[fake.DEPLOYMENTS] = [fake.forbidden("list", "deployments")]
    with forbidding.serve() as server:
        found = find_deployments(kubeconfig(server.url))
    assert found.found == ()
    assert (found.absent.code, found.absent.fields["user"]) == (GapCode.FORBIDDEN, "ci")


def test_cluster_that_is_not_there_is_told() -> None:
    """And the token is in no message."""
    with api().serve() as server:
        gone = server.url
    found = find_deployments(kubeconfig(gone))
    assert found.absent == failed_gap("Kubernetes cannot be reached: connection refused")
    assert TOKEN not in repr(found)


def test_given_kubeconfig_that_cannot_be_used_is_refused() -> None:
    """It is an input, unlike KUBECONFIG."""
    with pytest.raises(InputError, match=r"^kubeconfig: "):
        find_deployments("{")
    with pytest.raises(InputError, match=r"^kube_context: "):
        find_deployments(kubeconfig("https://127.0.0.1:1"), "other")


def test_without_the_extra_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says which one it is."""
    monkeypatch.setattr("ocean_migration_pulumi.kubernetes.connection.access.find_spec", lambda _: None)
    assert install_command("kubernetes") in message_of(find_deployments("{"))


def test_deployment_is_found_by_its_full_name() -> None:
    """The same name in another namespace is another one."""
    web = Deployment(namespace="shop", name="web")
    assert Deployments(found=(web,)).named("shop", "web") is web
    assert Deployments(found=(web,)).named("other", "web") is None
