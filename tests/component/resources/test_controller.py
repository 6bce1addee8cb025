"""The Ocean Controller: what is installed, in which order, and where the token is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi import Output

from ocean_migration_pulumi.component.kubernetes_args import ControllerArgs
from ocean_migration_pulumi.component.resources.controller import install_controller
from ocean_migration_pulumi.errors import InputError, OceanMigrationError, SettingsError
from tests.component.kubernetes_stage import TOKEN, Cluster, Stage, said

INSTALL = """
install_controller(
    "web",
    ControllerArgs({arguments}),
    cluster_identifier="shop-eks",
    account="act-1",
    parent=parent,
    depends_on=[cluster],
    {more}
)
"""


def install(arguments: str = "existing_secret='spot'", more: str = "") -> str:
    """Return a program that installs the controller."""
    return INSTALL.format(arguments=arguments, more=more)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Return a stack without a token in its config."""
    return Stage(tmp_path)


def test_chart_is_installed_with_a_secret_that_exists(stage: Stage) -> None:
    """The version is pinned, nothing else is made, and the release is protected."""
    stage.up(install())
    assert stage.cluster.sent == [("create", "cluster"), ("create", "web-controller")]
    release = stage.state["web-controller"]
    assert release["type"] == "kubernetes:helm.sh/v3:Release"
    inputs = {key: value for key, value in release["inputs"].items() if key != "compat"}
    assert inputs == {
        "chart": "ocean-kubernetes-controller",
        "version": "0.1.74",
        "repositoryOpts": {"repo": "https://charts.spot.io"},
        "name": "ocean-controller",
        "namespace": "spot-system",
        "createNamespace": True,
        "values": {
            "spotinst": {"clusterIdentifier": "shop-eks", "disableAutoUpdate": True, "account": "act-1"},
            "secret": {"create": False, "name": "spot"},
            "metrics-server": {"deployChart": False},
        },
    }
    assert release["protect"] is True
    assert release["parent"].endswith("::parent")
    assert stage.needs("web-controller") == {"cluster"}


def test_protected_release_outlives_a_destroy(stage: Stage) -> None:
    """Unless protect is False."""
    stage.up(install())
    result = stage.stack.destroy()
    assert not result.succeeded
    assert any("it is protected" in each.message for each in result.diagnostics)
    assert ("delete", "web-controller") not in stage.cluster.sent
    stage.up(install(more="protect=False"))
    assert stage.stack.destroy().succeeded
    assert [name for what, name in stage.cluster.sent if what == "delete"] == ["web-controller", "cluster"]


def test_everything_can_be_said_otherwise(stage: Stage) -> None:
    """Values are laid over those of the component, dictionary by dictionary, and their keys stay as they are."""
    arguments = """
        existing_secret=pulumi.Output.from_input("other"), version="0.1.70", repository="https://charts.shop.test",
        release_name="oc", namespace="ocean", auto_update=True, metrics_server=True,
        values={
            "spotinst": {"proxyUrl": cluster.metadata.apply(lambda _: "http://proxy"), "account": None},
            "metrics-server": {"args": ["--kubelet-insecure-tls"]},
            "commonLabels": {"snake_case": "1"},
            "replicas": 3,
        },
    """
    stage.up(install(arguments))
    inputs = stage.state["web-controller"]["inputs"]
    assert (inputs["version"], inputs["name"], inputs["namespace"]) == ("0.1.70", "oc", "ocean")
    assert inputs["repositoryOpts"] == {"repo": "https://charts.shop.test"}
    values = inputs["values"]
    assert values["spotinst"]["proxyUrl"] == "http://proxy"
    assert values["spotinst"]["clusterIdentifier"] == "shop-eks"
    assert values["spotinst"]["disableAutoUpdate"] is False
    assert values["spotinst"].get("account") is None
    assert values["secret"] == {"create": False, "name": "other"}
    assert values["metrics-server"] == {"deployChart": True, "args": ["--kubelet-insecure-tls"]}
    assert (values["commonLabels"], values["replicas"]) == ({"snake_case": "1"}, 3)


def test_token_in_the_state_is_encrypted_and_in_no_value_of_the_release(tmp_path: Path) -> None:
    """The namespace is there first, then the Secret under a name of its own, then the release; a warning says it."""
    stage = Stage(tmp_path, secrets={"ocean-migration:token": TOKEN})
    result = stage.up(install("token_in_state=True", "protect=False"))
    made = [name for _, name in stage.cluster.sent if name != "cluster"]
    assert made == ["web-controller-namespace", "web-controller-token", "web-controller"]
    secret, release = stage.state["web-controller-token"], stage.state["web-controller"]
    assert secret["inputs"]["metadata"] == {"namespace": "spot-system"}
    assert "ciphertext" in secret["inputs"]["stringData"]
    assert release["inputs"]["values"]["secret"] == {"create": False, "name": "web-controller-token-1a2b"}
    assert TOKEN not in stage.stored
    assert TOKEN not in str(result.diagnostics)
    ((name, warning),) = said(result, "warning")
    assert name == "web-controller-token"
    assert "in the state of this stack, encrypted" in warning
    assert "existing_secret" in warning
    assert stage.needs("web-controller") == {"cluster", "web-controller-namespace", "web-controller-token"}
    assert stage.needs("web-controller-token") == {"cluster", "web-controller-namespace"}
    del stage.cluster.sent[:]
    assert stage.stack.destroy().succeeded
    assert stage.cluster.sent == [
        ("delete", "web-controller"),
        ("delete", "web-controller-token"),
        ("delete", "cluster"),
    ]


@pytest.mark.parametrize(
    "token",
    ["pulumi.Output.secret('canary-31c7')", "pulumi.Output.secret('canary').apply(lambda text: text + '-31c7')"],
)
def test_given_token_that_is_a_secret_is_taken(stage: Stage, token: str) -> None:
    """Also one that shows to be a secret only while the program runs."""
    stage.up(install(f"token_in_state=True, token={token}"))
    assert ("create", "web-controller-token") in stage.cluster.sent
    assert stage.needs("web-controller") == {"cluster", "web-controller-namespace", "web-controller-token"}
    assert TOKEN not in stage.stored


def test_given_token_that_is_an_output_in_clear_makes_nothing(stage: Stage) -> None:
    """None of the resources, and the error says what to give, not what was given."""
    token = "cluster.metadata.apply(lambda _: 'canary-31c7')"
    stage.write(install(f"token_in_state=True, token={token}, replace_v1=True"))
    result = stage.stack.up()
    assert not result.succeeded
    assert [name for _, name in stage.cluster.sent] == ["cluster"]
    told = " ".join(each.message for each in result.diagnostics)
    assert "controller.token must be a secret" in told
    assert TOKEN not in told


def test_account_of_the_config_goes_with_the_token(tmp_path: Path) -> None:
    """When the component has none: the controller needs both."""
    secrets, config = {"spotinst:token": TOKEN}, {"spotinst:account": "act-7"}
    stage = Stage(tmp_path, secrets=secrets, config=config)
    stage.up(install("token_in_state=True").replace('account="act-1",', ""))
    assert stage.state["web-controller"]["inputs"]["values"]["spotinst"]["account"] == "act-7"


def attempt(make: Callable[[], ControllerArgs], config: Mapping[str, str], **more: Any) -> tuple[Cluster, str]:
    """Install in a program that is refused; return what was made, and the refusal."""
    cluster = Cluster()
    pulumi.runtime.set_mocks(cluster, preview=False)
    pulumi.runtime.set_all_config(dict(config), [])
    refusal: list[OceanMigrationError] = []

    @pulumi.runtime.test  # type: ignore[untyped-decorator]  # it has no types of its own
    def program() -> None:
        with pytest.raises((InputError, SettingsError)) as caught:
            install_controller("web", make(), cluster_identifier="shop-eks", parent=None, **more)  # type: ignore[arg-type]  # never used
        refusal.append(caught.value)

    try:
        program()
    finally:
        pulumi.runtime.set_all_config({}, [])
    return cluster, str(refusal[0])


PLAIN = {"ocean-migration:token": TOKEN}


@pytest.mark.parametrize(
    ("make", "config", "named"),
    [
        (lambda: ControllerArgs(), {}, "controller.existing_secret is required without token_in_state"),
        (lambda: ControllerArgs(existing_secret=" "), {}, "controller.existing_secret must not be empty"),
        (lambda: ControllerArgs(existing_secret="s", token_in_state=True), {}, "controller.token_in_state: mutually"),
        (lambda: ControllerArgs(existing_secret="s", token=Output.secret(TOKEN)), {}, "controller.token requires"),
        (lambda: ControllerArgs(token_in_state=True, token=TOKEN), {}, "controller.token must be a secret"),
        (lambda: ControllerArgs(token_in_state=True), {}, "controller.token is required"),
        (lambda: ControllerArgs(token_in_state=True), PLAIN, "ocean-migration:token is in plain text"),
        (lambda: ControllerArgs(token_in_state="yes"), {}, "controller.token_in_state must be true"),  # type: ignore[arg-type]  # wrong
        (lambda: ControllerArgs(existing_secret="s", auto_update="no"), {}, "controller.auto_update must be true"),  # type: ignore[arg-type]  # wrong
        (lambda: ControllerArgs(existing_secret="s", replace_v1="no"), {}, "controller.replace_v1 must be true"),  # type: ignore[arg-type]  # wrong
        (lambda: values([]), {}, "controller.values must be a dictionary"),
        (lambda: values({"secret": {"name": "x"}}), {}, "controller.values.secret is not allowed"),
        (lambda: values({"spotinst": {"token": TOKEN}}), {}, "controller.values.spotinst.token is not allowed"),
        (lambda: values({"spotinst": {"clusterIdentifier": "x"}}), {}, "controller.values.spotinst.clusterIdentifier"),
        (
            lambda: values({"spotinst": Output.secret({"token": TOKEN})}),
            {},
            "controller.values.spotinst must be a",
        ),
        (lambda: values({"spotinst": None}), {}, "controller.values.spotinst must be a"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    make: Callable[[], ControllerArgs], config: Mapping[str, str], named: str
) -> None:
    """The refusal names the input, and never the token."""
    cluster, refusal = attempt(make, config, account="act-1")
    assert named in refusal
    assert TOKEN not in refusal
    assert cluster.sent == []


def values(given: Any) -> ControllerArgs:
    """Return arguments with these values."""
    return ControllerArgs(existing_secret="s", values=given)


def test_token_needs_an_account() -> None:
    """Else the Secret would lack a key, and the controller would not start."""
    cluster, refusal = attempt(lambda: ControllerArgs(token_in_state=True, token=Output.secret(TOKEN)), {})
    assert refusal.startswith("account_id is required with controller.token_in_state")
    assert cluster.sent == []


def test_arguments_do_not_show_the_token() -> None:
    """Whoever prints them."""
    assert TOKEN not in repr(ControllerArgs(token_in_state=True, token=TOKEN))


@pytest.mark.parametrize(
    ("arguments", "more", "patched"),
    [
        ("replace_v1=True", "", ("kube-system", "spotinst-kubernetes-cluster-controller")),
        (
            "replace_v1=True",
            "found=Deployments(found=(V1,))",
            ("kube-system", "spotinst-kubernetes-cluster-controller"),
        ),
        ("", "found=Deployments(found=(V1,))", ("kube-system", "spotinst-kubernetes-cluster-controller")),
        (
            "",
            "found=Deployments(found=(Deployment(namespace='spot', name='old', replicas=0, "
            "labels={'k8s-app': V1.name}),))",
            ("spot", "old"),
        ),
        ("replace_v1=False", "found=Deployments(found=(V1,))", None),
        ("", "found=Deployments()", None),
        ("", "", None),
    ],
)
def test_version_1_is_scaled_to_zero_first(
    stage: Stage, arguments: str, more: str, patched: tuple[str, str] | None
) -> None:
    """Where it is there, also when it is at zero already: the patch has to stay in the program."""
    result = stage.up(install(f"existing_secret='spot', {arguments}", more))
    made = [name for _, name in stage.cluster.sent if name != "cluster"]
    if patched is None:
        assert made == ["web-controller"]
    else:
        assert made == ["web-controller-v1", "web-controller"]
        patch = stage.state["web-controller-v1"]
        assert patch["type"] == "kubernetes:apps/v1:DeploymentPatch"
        metadata = patch["inputs"]["metadata"]
        assert (metadata["namespace"], metadata["name"]) == patched
        assert patch["inputs"]["spec"] == {"replicas": 0}
        assert patch["retainOnDelete"] is True
        assert not patch.get("protect")
        assert stage.needs("web-controller") == {"cluster", "web-controller-v1"}
    unsure = [message for _, message in said(result, "info") if "version 1 of the controller" in message]
    assert len(unsure) == (arguments == "" and more == "")


def test_version_1_that_a_tool_applies_is_warned_of(stage: Stage) -> None:
    """It would be scaled up again, and version 2 would wait for it once more."""
    marked = "Deployment(namespace='x', name=V1.name, labels={'argocd.argoproj.io/instance': 'spot'})"
    result = stage.up(install("existing_secret='spot'", f"found=Deployments(found=({marked},))"))
    ((name, warning),) = said(result, "warning")
    assert name == "web-controller-v1"
    assert "the Argo CD application spot" in warning
    assert "remove version 1" in warning


def test_read_only_controller_is_warned_of(stage: Stage) -> None:
    """It cannot drain a node."""
    result = stage.up(install("existing_secret='spot', values={'spotinst': {'readonly': True}}"))
    ((name, warning),) = said(result, "warning")
    assert name == "web-controller"
    assert "no migration can work" in warning


def test_given_provider_is_used_for_everything(tmp_path: Path) -> None:
    """Not the default one, which may be of another cluster."""
    stage = Stage(tmp_path, secrets={"ocean-migration:token": TOKEN})
    provider = "provider=pulumi_kubernetes.Provider('eks')"
    stage.up(install("token_in_state=True, replace_v1=True", provider))
    for name in ("web-controller", "web-controller-token", "web-controller-namespace", "web-controller-v1"):
        assert "pulumi:providers:kubernetes::eks::" in stage.state[name]["provider"]
