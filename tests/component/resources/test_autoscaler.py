"""The Cluster Autoscaler: which one is switched off, and what becomes of it when the stack is destroyed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pulumi
import pytest

from ocean_migration_pulumi.component.kubernetes_args import ClusterAutoscalerArgs
from ocean_migration_pulumi.component.resources.autoscaler import switch_off_autoscaler
from ocean_migration_pulumi.errors import InputError
from tests.component.kubernetes_stage import Cluster, Stage, said

SWITCH = """
IMAGE = "registry.k8s.io/autoscaling/cluster-autoscaler:v1.30.2"
switch_off_autoscaler(
    "web", ClusterAutoscalerArgs({arguments}), parent=parent, depends_on=[cluster], found={found}
)
"""


def switch(arguments: str = "", *deployments: str, found: str = "") -> str:
    """Return a program that switches off, where these Deployments were found."""
    return SWITCH.format(arguments=arguments, found=found or f"Deployments(found=[{', '.join(deployments)}])")


def deployment(name: str = "cluster-autoscaler", more: str = "") -> str:
    """Return the source of a Cluster Autoscaler."""
    return f"Deployment(namespace='kube-system', name='{name}', images=(IMAGE,), {more})"


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Return a stack that is empty."""
    return Stage(tmp_path)


def test_named_deployment_is_scaled_to_zero_and_stays_there(stage: Stage) -> None:
    """By a forced server-side apply of nothing but the replicas; destroying the stack sends nothing for it."""
    stage.up(switch("name='ca'", found="None"))
    patch = stage.state["web-autoscaler"]
    assert patch["type"] == "kubernetes:apps/v1:DeploymentPatch"
    assert patch["parent"].endswith("::parent")
    assert stage.needs("web-autoscaler") == {"cluster"}
    assert patch["inputs"] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "ca",
            "namespace": "kube-system",
            "annotations": {"pulumi.com/patchForce": "true", "pulumi.com/skipAwait": "true"},
        },
        "spec": {"replicas": 0},
    }
    assert not patch.get("protect")
    del stage.cluster.sent[:]
    assert stage.stack.destroy().succeeded
    assert stage.cluster.sent == [("delete", "cluster")]
    assert stage.state == {}


def test_taken_out_of_the_program_it_stays_off(stage: Stage) -> None:
    """As it does when the cluster cannot be asked this time."""
    stage.up(switch("", deployment()))
    result = stage.up(switch("", found="None"))
    assert ("delete", "web-autoscaler") not in stage.cluster.sent
    ((name, warning),) = said(result, "warning")
    assert name == "parent"
    assert "is not scaled to zero" in warning
    assert "KUBECONFIG, or set its name in cluster_autoscaler" in warning


def test_replicas_are_given_back_on_destroy_when_asked(stage: Stage) -> None:
    """To delete the patch does that; more than one replica cannot come back, which is said beforehand."""
    arguments = "name='cluster-autoscaler', restore_on_destroy=True"
    assert said(stage.up(switch(arguments, deployment(more="replicas=1"))), "warning") == []
    ((name, warning),) = said(stage.up(switch(arguments, deployment(more="replicas=2"))), "warning")
    assert name == "web-autoscaler"
    assert "kube-system/cluster-autoscaler has 2 replicas. Destroying this stack scales it to 1" in warning
    del stage.cluster.sent[:]
    assert stage.stack.destroy().succeeded
    assert stage.cluster.sent == [("delete", "web-autoscaler"), ("delete", "cluster")]


def test_number_of_replicas_is_noted_once(stage: Stage) -> None:
    """Later runs see the zero, or nothing: the note of the first one stays, and nothing changes."""
    stage.up(switch("", deployment(more="replicas=2")))
    note = stage.state["web-autoscaler"]["inputs"]["metadata"]["annotations"]["ocean-migration/replicas"]
    assert note == "2"
    for later in (switch("", deployment(more="replicas=0")), switch("name='cluster-autoscaler'", found="None")):
        assert "update" not in stage.up(later).summary
        assert stage.state["web-autoscaler"]["inputs"]["metadata"]["annotations"]["ocean-migration/replicas"] == note


def test_output_may_name_it(stage: Stage) -> None:
    """Such as that of a chart in the same stack."""
    output = "cluster.metadata.apply(lambda _: 'ca')"
    stage.up(switch(f"name={output}, namespace={output}", deployment()))
    metadata = stage.state["web-autoscaler"]["inputs"]["metadata"]
    assert (metadata["namespace"], metadata["name"]) == ("ca", "ca")


def test_every_one_that_is_found_is_switched_off(stage: Stage) -> None:
    """One has the same name in the stack as a named one, several have names of their own."""
    stage.up(switch("", deployment()))
    assert stage.state["web-autoscaler"]["inputs"]["metadata"]["name"] == "cluster-autoscaler"
    stage.up(switch("", deployment("b"), deployment("a")))
    patches = {name: each["inputs"]["metadata"]["name"] for name, each in stage.state.items() if "autosc" in name}
    assert patches == {"web-autoscaler-kube-system-a": "a", "web-autoscaler-kube-system-b": "b"}


def test_what_only_resembles_one_is_left_alone(stage: Stage) -> None:
    """By name or label, but not by image; a warning asks for its name when it runs."""
    resembling = "Deployment(namespace='x', name='cluster-autoscaler-pages', images=('shop/pages:1',), replicas={})"
    result = stage.up(switch("", resembling.format(1)))
    assert "web-autoscaler" not in stage.state
    ((name, warning),) = said(result, "warning")
    assert name == "parent"
    assert "x/cluster-autoscaler-pages" in warning
    assert "set its name" in warning
    idle = stage.up(switch("", resembling.format(0)))
    assert said(idle, "warning") == []
    assert any("no Cluster Autoscaler found" in message for _, message in said(idle, "info"))


@pytest.mark.parametrize(
    ("marks", "told"),
    [
        ("labels={'argocd.argoproj.io/instance': 'addons'}", "the Argo CD application addons"),
        (
            "annotations={'argocd.argoproj.io/tracking-id': 'addons:apps/Deployment:kube-system/x'}",
            "the Argo CD application addons, which scales it up again at its next sync",
        ),
        (
            "labels={'kustomize.toolkit.fluxcd.io/name': 'apps', 'kustomize.toolkit.fluxcd.io/namespace': 'flux'}",
            "the Kustomization flux/apps of Flux",
        ),
        ("labels={'helm.toolkit.fluxcd.io/name': 'ca'}", "the HelmRelease ca of Flux"),
        (
            "labels={'app.kubernetes.io/managed-by': 'Helm'}, annotations={'meta.helm.sh/release-name': 'ca'}",
            "the Helm release ca, whose next upgrade scales it up again",
        ),
        ("labels={'app.kubernetes.io/managed-by': 'Helm'}", "a Helm release"),
        ("labels={'argocd.argoproj.io/instance': 'a\\n\\x1b[31mb'}", "the Argo CD application a [31mb"),
    ],
)
def test_tool_that_applies_it_is_warned_of(stage: Stage, marks: str, told: str) -> None:
    """It scales the Deployment up again; one at zero already is that tool's own doing, as far as can be told."""
    ((name, warning),) = said(stage.up(switch("", deployment(more=marks))), "warning")
    assert name == "web-autoscaler"
    assert warning.startswith("kube-system/cluster-autoscaler is applied by")
    assert told in " ".join(warning.split())
    assert "set its number of replicas to 0 where it is declared" in warning
    assert said(stage.up(switch("", deployment(more=f"{marks}, replicas=0"))), "warning") == []


def test_nobody_applies_it(stage: Stage) -> None:
    """Labels of other tools are no reason to warn."""
    labels = "labels={'app.kubernetes.io/managed-by': 'me'}"
    assert said(stage.up(switch("name='cluster-autoscaler'", deployment(more=labels))), "warning") == []


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: ClusterAutoscalerArgs(namespace="x"), "cluster_autoscaler.namespace requires name"),
        (lambda: ClusterAutoscalerArgs(restore_on_destroy=True), "cluster_autoscaler.name is required"),
        (
            lambda: ClusterAutoscalerArgs(name="x", restore_on_destroy=1),
            "cluster_autoscaler.restore_on_destroy must",
        ),  # type: ignore[arg-type]  # wrong
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    make: Callable[[], ClusterAutoscalerArgs], named: str
) -> None:
    """The refusal names the input."""
    cluster = Cluster()
    pulumi.runtime.set_mocks(cluster, preview=False)

    @pulumi.runtime.test  # type: ignore[untyped-decorator]  # it has no types of its own
    def program() -> None:
        with pytest.raises(InputError, match=named):
            switch_off_autoscaler("web", make(), parent=None)  # type: ignore[arg-type]  # never used

    program()
    assert cluster.sent == []
