"""The component on an engine: waves with gates between them, on a cluster that is there already."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from tests.scenarios.driver import Driver
from tests.scenarios.scene import Expression, Scene, digest_of, failed, plan_of

_HEAD = "import pulumi\nfrom ocean_migration_pulumi import OceanMigration\n"
_GATE = {"hold_for": "0s"}
_WAVES = [
    {"name": "canary", "nodes": {"asg_names": ["web"], "limit": "1"}, "gate": _GATE},
    {"name": "half", "nodes": {"asg_names": ["web"], "limit": "50%"}, "gate": _GATE},
    {"name": "rest", "nodes": {"asg_names": ["web"]}},
]
_NAMES = ["shop-canary", "shop-half", "shop-rest"]


def declare(scene: Scene, **arguments: object) -> None:
    """Let the program consist of one component on the cluster of the scene."""
    given = {"ocean_id": scene.ocean_id, "waves": _WAVES, **arguments}
    source = f"shop = OceanMigration('shop', {given!r})\npulumi.export('totals', shop.totals)\n"
    scene.driver.write_program(_HEAD + source)


def test_canary_half_rest_run_in_order_and_share_no_node(driver: Driver) -> None:
    """All plans are in the preview; each wave waits for the one before and its gate; then nothing is left to do."""
    with Scene(driver, nodes=10) as scene:
        declare(scene)
        preview = scene.preview()
        plans = [sorted(plan_of(preview, name)) for name in _NAMES]
        assert sorted(node for plan in plans for node in plan) == scene.asg()
        assert [len(plan) for plan in plans] == [1, 2, 2]
        scene.up()
        assert [start["instanceIds"] for start in scene.starts()] == plans
        ran = scene.migrations()
        assert all(older["completed_at"] <= younger["created_at"] for older, younger in pairwise(ran))
        assert scene.driver.outputs()["totals"]["migrated"] == 5
        mark = scene.mark()
        again = scene.up()
        assert set(again.ops.values()) == {"same"}, again.output
        assert not scene.writes(mark)
        scene.destroy()
        assert not scene.writes(mark)


def test_failed_wave_stops_the_later_ones_until_the_next_up(driver: Driver) -> None:
    """It goes on from there, and the nodes of later waves are still in nobody else's plan."""
    with Scene(driver, nodes=10) as scene:
        declare(scene)
        scene.control.arm_failure(scene.ocean_id, "instances")
        run = scene.up_fails()
        assert failed(run, "could not start enough new instances")
        assert len(scene.starts()) == 1
        assert scene.driver.resource("shop-half") is None
        scene.up()
        assert scene.driver.outputs()["totals"]["migrated"] == 5


def destroy_waves(scene: Scene) -> None:
    """Delete the waves and their gates alone."""
    if scene.driver.name == "pulumi":
        scene.destroy(target="**:OceanWorkloadMigration::**", target_dependents=True)
        return
    declare(scene, waves=[])
    scene.up()
    declare(scene)


def test_waves_destroyed_alone_and_made_again_have_plans_of_their_own(driver: Driver) -> None:
    """Each plan with nodes has a digest of its own, and one without nodes has none."""
    with Scene(driver, nodes=10) as scene:
        declare(scene)
        scene.control.arm_failure(scene.ocean_id, "instances")
        scene.up_fails()
        destroy_waves(scene)
        preview = scene.preview()
        plans = [plan_of(preview, name) for name in _NAMES]
        assert all(plans)
        digests = {digest_of(preview, name) for name in _NAMES}
        assert len(digests) == 3
        shown = [text for _, text in preview.diagnostics if text.startswith("Plan ")]
        assert sorted(text.split()[1].rstrip(":") for text in shown) == sorted(digest[:8] for digest in digests)
        scene.up()
        assert {scene.outputs(name)["plan_digest"] for name in _NAMES} == digests

        # Now nothing is left to approve: no line shows a digest, and none is stored.
        destroy_waves(scene)
        declare(scene, waves=[{**wave, "when_no_nodes": "succeed"} for wave in _WAVES])
        run = scene.preview()
        assert {digest_of(run, name) for name in _NAMES} == {""}
        assert not [text for _, text in run.diagnostics if re.match(r"Plan [0-9a-f]{8}|.*\(plan [0-9a-f]{8}\)", text)]
        scene.up()
        assert {scene.outputs(name)["plan_digest"] for name in _NAMES} == {""}
        assert len(scene.starts()) == 4


@pytest.mark.parametrize(
    ("waves", "message"),
    [
        ([{"name": "a", "nodes": {"asg_name": ["web"]}}], "waves[0].nodes.asg_name: unknown field"),
        (
            [{"name": "a", "nodes": {"asg_names": ["web"]}, "gate": {"hold_for": "1h"}}],
            "waves[0].gate.hold_for must be shorter than timeout (15m)",
        ),
        (
            [
                {"name": "a", "nodes": Expression("pulumi.Output.from_input({'asg_names': ['web']})")},
                {"name": "b", "nodes": {"limit": "1 %"}},
            ],
            "waves[1].nodes.limit must be a number of nodes",
        ),
    ],
    ids=["typo", "gate", "beside an Output"],
)
def test_wrong_argument_is_one_line_before_anything_is_registered(driver: Driver, waves: object, message: str) -> None:
    """Also in a program that imports all names of the package."""
    with Scene(driver) as scene:
        head = _HEAD.replace("import OceanMigration", "import *")
        driver.write_program(f"{head}OceanMigration('shop', {{'ocean_id': {scene.ocean_id!r}, 'waves': {waves!r}}})\n")
        assert failed(scene.up_fails(), message)
        assert driver.resources() == []
        assert not scene.writes()
