"""The component on an engine: waves with gates between them, on a cluster that is there already."""

from __future__ import annotations

from itertools import pairwise

from tests.scenarios.driver import Driver
from tests.scenarios.scene import Scene, failed, plan_of

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
