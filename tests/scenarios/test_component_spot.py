"""The component's Spot resources: on OfflineStack with mocks, and on the real engine with the real plugin of Spot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.scenarios.driver import Driver
from tests.scenarios.scene import Expression, Scene, failed

HEAD = "import pulumi\nimport pulumi_spotinst\nfrom ocean_migration_pulumi import OceanMigration\n"
SOURCE = {"eks_cluster": "shop", "auto_scaling_group": "web", "region": "us-west-2"}
GROUP = {"name": "web", "labels": {"workload": "web"}, "spot_percentage": 50}
NEW_CLUSTER = {"import_from": SOURCE, "virtual_node_groups": [GROUP], "protect": False}


@pytest.fixture
def scene(spot_driver: Driver) -> Iterator[Scene]:
    """Return a simulator whose API the real plugin reaches, too."""
    with Scene(spot_driver, nodes=4) as playing:
        spot_driver.environment |= playing.simulator.proxy_environment
        yield playing


def declare(scene: Scene, *, before: str = "", options: str = "None", **arguments: object) -> None:
    """Let the program consist of one component."""
    scene.driver.write_program(f"{HEAD}{before}\nshop = OceanMigration('shop', {arguments!r}, {options})\n")


def made_in(scene: Scene) -> list[str]:
    """Return the accounts of the clusters that a program made."""
    return [each["account_id"] for each in scene.control.overview()["clusters"] if each["id"] != scene.ocean_id]


def provider_of(scene: Scene) -> Mapping[str, Any]:
    """Return the inputs of the explicit provider in the state."""
    resources = scene.driver.state()["deployment"]["resources"]
    (found,) = [each for each in resources if each["urn"].endswith("pulumi:providers:spotinst::shop")]
    return dict(found["inputs"])


def written(scene: Scene, since: int) -> list[str]:
    """Return the writes after a request, without the imports, which change nothing."""
    return [f"{each['method']} {each['route']}" for each in scene.writes(since) if not each["path"].endswith("/import")]


def test_cluster_is_made_in_the_account_of_the_migrations(scene: Scene) -> None:
    """The environment names another one. A refresh and a second update change nothing, the token is in no state."""
    account = scene.control.add_account()
    declare(scene, **NEW_CLUSTER, account_id=account)
    scene.up()
    assert made_in(scene) == [account]
    assert provider_of(scene)["account"] == account
    assert "token" not in provider_of(scene)
    mark = scene.mark()
    scene.driver.refresh()
    again = scene.up()
    assert set(again.ops.values()) == {"same"}, again.output
    assert written(scene, mark) == []
    scene.destroy()
    assert made_in(scene) == []


def test_one_setting_of_the_token_is_enough(scene: Scene) -> None:
    """Token and account of the stack's config reach the plugin, encrypted in the state."""
    environment = scene.driver.environment
    token = environment.pop("SPOTINST_TOKEN")
    scene.driver.configure(secret=True, **{"ocean-migration:token": token})
    scene.driver.configure(**{"ocean-migration:account": environment.pop("SPOTINST_ACCOUNT")})
    declare(scene, **NEW_CLUSTER)
    scene.up()
    assert made_in(scene) == [scene.simulator.account_id]
    assert "ciphertext" in provider_of(scene)["token"]
    assert token not in str(scene.driver.state())
    assert set(scene.up().ops.values()) == {"same"}
    scene.destroy()


def test_passed_provider_of_another_account_is_refused(scene: Scene) -> None:
    """Before anything of the component is registered, in one line."""
    account = scene.control.add_account()
    before = f"passed = pulumi_spotinst.Provider('passed', account={account!r}, token={scene.simulator.token!r})"
    declare(scene, before=before, options="pulumi.ResourceOptions(providers=[passed])", **NEW_CLUSTER)
    run = scene.up_fails()
    ours = scene.simulator.account_id
    assert failed(run, f"account_id is {ours}, but the spotinst provider of the component has account {account}")
    assert scene.driver.resources() == []
    declare(
        scene,
        before=before,
        options="pulumi.ResourceOptions(providers=[passed])",
        **NEW_CLUSTER,
        account_id=Expression("passed.account"),
    )
    scene.up()
    assert made_in(scene) == [account]


OLDER = """
import pulumi
from pulumi_spotinst import aws

options = pulumi.ResourceOptions(parent=pulumi.ComponentResource("ocean-migration:index:OceanMigration", "shop"))
ocean = aws.Ocean(
    "shop",
    name="shop",
    controller_id="shop",
    region="us-west-2",
    subnet_ids=["subnet-1"],
    image_id="ami-1",
    security_groups=["sg-1"],
    opts=options,
)
aws.OceanLaunchSpec(
    "shop-web",
    name="web",
    ocean_id=ocean.id,
    labels=[{"key": "workload", "value": "web"}],
    strategies=[{"spot_percentage": 50}],
    opts=options,
)
"""
"""What the component declared before it had a provider of its own: everything came from the default provider."""


def test_stack_of_the_default_provider_moves_to_the_explicit_one(scene: Scene) -> None:
    """The cluster and its Virtual Node Group are neither replaced nor written."""
    environment = scene.driver.environment
    scene.driver.configure(
        secret=True,
        **{"spotinst:token": environment["SPOTINST_TOKEN"], "spotinst:account": environment["SPOTINST_ACCOUNT"]},
    )
    scene.driver.write_program(OLDER)
    scene.up()
    declare(scene, **NEW_CLUSTER)
    mark = scene.mark()
    assert set(scene.driver.preview().ops.values()) == {"same"}
    run = scene.up()
    assert set(run.ops.values()) == {"same"}, run.output
    assert written(scene, mark) == []
    urn = "pulumi:providers:spotinst::shop"
    for name in ("shop", "shop-web"):
        (found,) = [each for each in scene.driver.resources() if each["urn"].endswith(f"::{name}") and each["custom"]]
        assert urn in found["provider"]
    mark = scene.mark()
    scene.driver.refresh()
    assert set(scene.up().ops.values()) == {"same"}
    assert written(scene, mark) == []


def test_component_that_is_renamed_and_moved_with_an_alias_stays_as_it_is(scene: Scene) -> None:
    """Its provider, cluster and Virtual Node Group are the same resources; Spot is sent nothing."""
    outer = "outer = pulumi.ComponentResource('shop:index:Outer', 'outer')"
    declare(scene, **NEW_CLUSTER)
    scene.up()
    alias = "pulumi.Alias(name='shop', parent=pulumi.ROOT_STACK_RESOURCE)"
    options = f"pulumi.ResourceOptions(parent=outer, aliases=[{alias}])"
    renamed = f"{HEAD}{outer}\nOceanMigration('store', {NEW_CLUSTER!r}, {options})\n"
    scene.driver.write_program(renamed)
    mark = scene.mark()
    for run in (scene.driver.preview(), scene.up()):
        assert run.exit_code == 0, run.output
        assert {name: op for name, op in run.ops.items() if op != "same"} == {"outer": "create"}, run.output
    assert set(scene.up().ops.values()) == {"same"}
    assert written(scene, mark) == []
    assert scene.driver.resource("store-web") is not None
