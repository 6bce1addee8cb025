"""What a preview plans and says, and what `up` refuses before anything is started."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scenarios.driver import Driver
from tests.scenarios.scene import Scene, failed, inputs_of, plan_of, said, warned
from tests.support.sampling import first_is_fast


def test_a_preview_shows_the_plan_and_only_reads(driver: Driver) -> None:
    """One line a node, digest and batches, at most six calls of the API, all of them reads; the state stays empty."""
    with Scene(driver, nodes=6) as scene:
        scene.declare(batch_size_percentage=20)
        preview = scene.preview()
        assert preview.ops["web"] == "create"
        planned = plan_of(preview)
        nodes = {node["instance_id"]: node for node in scene.control.nodes(scene.ocean_id)}
        assert sorted(planned) == scene.asg()
        for instance_id, line in planned.items():
            assert line.startswith(f"{nodes[instance_id]['node_name']} web -> web (ols-")
        assert said(preview, "Plan ", "3 nodes")
        assert said(preview, "3 batches of 1 node")
        calls = scene.control.requests()
        assert 1 <= len(calls) <= 6
        assert {call["method"] for call in calls} == {"GET"}
        assert scene.driver.resource("web") is None


OFFLINE = {"OCEAN_MIGRATION_OFFLINE_PREVIEW": "true"}


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ({"SPOTINST_TOKEN": "", **OFFLINE}, "no Spot token"),
        ({"SPOTINST_ACCOUNT": "", **OFFLINE}, "No Spot account"),
        ({"SPOTINST_BASE_URL": "http://127.0.0.1:9"}, "Cannot read the cluster from Spot"),
    ],
)
def test_a_preview_goes_on_when_the_service_cannot_be_asked(
    driver: Driver, missing: dict[str, str], message: str
) -> None:
    """A new resource is shown without a plan and an existing one with its old plan, both with a warning."""
    with Scene(driver) as scene:
        complete = dict(scene.driver.environment)
        scene.declare()
        scene.driver.environment |= missing
        preview = scene.preview()
        assert preview.ops["web"] == "create"
        assert "planned_nodes" not in inputs_of(preview)
        assert warned(preview, message)
        assert not scene.writes()

        scene.driver.environment |= complete
        scene.up()
        planned = scene.outputs()["planned_nodes"]
        scene.control.add_node(scene.ocean_id, "web")
        scene.driver.environment |= missing
        preview = scene.preview()
        assert plan_of(preview) == planned
        assert warned(preview, message)


def test_a_service_that_hangs_costs_a_preview_its_few_seconds_once(driver: Driver) -> None:
    """Ten resources do not wait ten times for answers that do not come."""
    with Scene(driver) as scene:
        scene.control.fault("GET", "*", "slow", times=1_000, seconds=30)
        scene.program(*(scene.resource(f"wave{number}") for number in range(10)))
        preview = scene.preview()
        assert len([text for text in preview.warnings if "Cannot read the cluster from Spot" in text]) == 10
        assert len(scene.control.requests()) <= 6


def test_no_account_ends_up_before_anything_is_written(driver: Driver) -> None:
    """Without an account nothing is started, and the message names what to set."""
    with Scene(driver) as scene:
        scene.declare()
        scene.driver.environment |= {"SPOTINST_ACCOUNT": ""}
        run = scene.up_fails()
        assert failed(run, "account", "SPOTINST_ACCOUNT")
        assert not scene.writes()
        assert scene.driver.resource("web") is None


@pytest.mark.parametrize("missing", ["TOKEN", "ACCOUNT"])
def test_a_preview_without_token_or_account_fails_in_one_line(driver: Driver, missing: str) -> None:
    """No traceback, neither of ours nor of the interrupted program."""
    with Scene(driver) as scene:
        scene.declare()
        scene.driver.environment |= {f"SPOTINST_{missing}": ""}
        run = scene.driver.preview()
        assert run.exit_code != 0
        assert failed(run, f"no Spot {missing.lower()}: set ", f"SPOTINST_{missing}", f"[missing-{missing.lower()}]")
        assert "Traceback" not in run.output
        assert not scene.control.requests()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"ocean-migration:requireAproval": "true"}, "did you mean `ocean-migration:requireApproval`?"),
        ({"ocean-migration:deadline": "2026-01-31T14:00:00Z"}, "would be stale: set OCEAN_MIGRATION_DEADLINE in"),
        ({"ocean-migration:colour": "blue"}, "known keys: account, approvedPlan, "),
        ({"ocean-migration:approvedPlan": "d92f6f13"}, "must be an object of digests by resource name"),
    ],
)
def test_a_bad_key_of_the_config_fails_the_preview_in_one_line(
    driver: Driver, config: dict[str, str], message: str
) -> None:
    """A safety that is misspelled must not be off."""
    with Scene(driver) as scene:
        scene.driver.configure(**config)
        scene.declare()
        run = scene.driver.preview()
        assert run.exit_code != 0
        assert message in run.output
        assert "[invalid-setting]" in run.output
        assert "Traceback" not in run.output
        assert not scene.control.requests()


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (
            'OceanWorkloadMigration("web", "o-1", {"all_nodes": True}, batch_size=20)',
            'batch_size is not an argument of OceanWorkloadMigration "web"; did you mean `batch_size_percentage`?',
        ),
        (
            'OceanWorkloadMigration("web", "o-1", NodeSelectorArgs(asg_name=["web"]))',
            "asg_name is not an argument of NodeSelectorArgs; did you mean `asg_names`?",
        ),
        (
            'OceanMigrationGate("gate", "o-1", conditions=[])',
            'conditions is not an argument of OceanMigrationGate "gate"; did you mean `kubernetes_conditions`?',
        ),
        (
            'OceanMigration("shop", ocean_id="o-1", wave=[{"name": "canary"}])',
            'ocean_id is not an argument of OceanMigration "shop"; did you mean `args.ocean_id`?',
        ),
        ('OceanMigration("shop", {"ocean_id": "o-1", "wave": []})', "args.wave: unknown field; did you mean `waves`?"),
        ("get_migrations(ocean=None)", "ocean is not an argument of get_migrations; did you mean `ocean_id`?"),
    ],
)
def test_a_wrong_argument_fails_the_preview_in_one_line(driver: Driver, program: str, message: str) -> None:
    """With the nearest name and a code; nothing is requested."""
    with Scene(driver) as scene:
        scene.driver.write_program(f"from ocean_migration_pulumi import *\n\n{program}\n")
        run = scene.driver.preview()
        assert run.exit_code != 0
        assert f"{message} [invalid-input]" in run.output
        assert "Traceback" not in run.output
        assert not scene.control.requests()


def test_a_refused_token_fails_the_preview(driver: Driver) -> None:
    """A token that the service refuses is a mistake, not an outage."""
    with Scene(driver) as scene:
        scene.declare()
        scene.driver.environment |= {"SPOTINST_TOKEN": "not-a-token-of-this-service"}
        run = scene.driver.preview()
        assert run.exit_code != 0
        assert failed(run, "Spot refuses the token")
        assert "Traceback" not in run.output
        assert "not-a-token-of-this-service" not in run.output


def test_bad_input_fails_the_preview_with_the_property_named(driver: Driver) -> None:
    """Every property that is wrong is named, and nothing is started."""
    with Scene(driver) as scene:
        scene.declare(batch_size_percentage=51, nodes={}, when_busy="panic", stall_timeout="soon")
        run = scene.driver.preview()
        assert run.exit_code != 0
        for name in ("batch_size_percentage", "nodes", "when_busy", "stall_timeout"):
            assert failed(run, f"has a problem: {name}"), run.output
        scene.declare(nodes={"instance_ids": ["i-0123"]})
        assert failed(scene.driver.preview(), "nodes.instance_ids", "i-0123", "not a node of this cluster")
        scene.program(scene.resource(ocean_id="o-00000000"))
        assert failed(scene.driver.up(), "ocean_id", "o-00000000")
        assert not scene.writes()


def test_a_selector_that_matches_nothing_is_an_error(driver: Driver) -> None:
    """In preview and `up`, with what exists and the nearest match; an `up` that has migrated all nodes is none."""
    with Scene(driver) as scene:
        scene.declare(nodes={"asg_names": ["wbe*"]})
        for run in (scene.driver.preview(), scene.driver.up()):
            assert run.exit_code != 0
            assert failed(run, "no node matches", "did you mean `web*` instead of `wbe*`", "api, batch, web"), (
                run.output
            )
        assert not scene.writes()
        scene.declare(nodes={"asg_names": ["web", "wbe*"]})
        assert warned(scene.preview(), "No node matches `wbe*` of asg_names. Did you mean `web*`?")
        scene.up()
        scene.up_unchanged()


def test_a_lost_state_is_excused_by_the_finished_migrations(driver: Driver) -> None:
    """Whatever their age: nothing is left to migrate, and nothing starts."""
    with Scene(driver) as scene:
        scene.declare()
        scene.up()
        scene.driver.state_delete("web")
        scene.control.advance(40 * 86_400)
        scene.control.heartbeat(scene.ocean_id)
        mark = scene.mark()
        scene.up()
        assert not scene.writes(mark)


def test_no_node_at_all_is_a_success_when_it_is_allowed(driver: Driver) -> None:
    """A selector that matches nothing starts nothing, says so, and is finished."""
    with Scene(driver) as scene:
        scene.declare(nodes={"asg_names": ["nothing-*"]}, when_no_nodes="succeed")
        assert warned(scene.preview(), "No node matches")
        assert warned(scene.up(), "no node match")
        assert scene.outputs()["planned_nodes"] == {}
        assert scene.outputs()["succeeded"] is True
        assert scene.outputs()["progress"] == 100
        scene.up_unchanged()
        assert not scene.writes()


def test_nodes_that_match_no_group_decide_by_unmatched_nodes(driver: Driver) -> None:
    """`fail` warns in the preview and refuses to start; `skip` plans the others; `allow` tries them all."""
    with Scene(driver, nodes=6, scenario="unmatched-nodes") as scene:
        unmatched, matched = scene_split(scene)
        scene.declare()
        preview = scene.preview()
        assert warned(preview, "no Virtual Node Group", *unmatched)
        assert failed(scene.up_fails(), "nothing was started", *unmatched)
        assert not scene.writes()
        assert scene.driver.resource("web") is None

        scene.declare(unmatched_nodes="skip")
        run = scene.up()
        assert [start["instanceIds"] for start in scene.starts()] == [matched]
        assert sorted(scene.outputs()["planned_nodes"]) == matched
        assert warned(run, "skipped", *unmatched)

        scene.declare(unmatched_nodes="allow", triggers=["all"])
        scene.up_fails()
        assert scene.starts()[-1]["instanceIds"] == unmatched
        assert scene.outputs()["failure"]["reason"] == "instances"


def scene_split(scene: Scene) -> tuple[list[str], list[str]]:
    """Return the nodes of `web` that match no Virtual Node Group, and the others."""
    nodes = [node for node in scene.control.nodes(scene.ocean_id) if node["asg_name"] == "web"]
    unmatched = sorted(node["instance_id"] for node in nodes if node["labels"].get("gpu"))
    return unmatched, sorted({node["instance_id"] for node in nodes} - set(unmatched))


@pytest.mark.parametrize("prerequisites", first_is_fast(["enforce", "warn", "off"]))
def test_a_failed_prerequisite_decides_by_prerequisites(driver: Driver, prerequisites: str) -> None:
    """A controller that is silent: refused, started all the same with a warning, or not looked at."""
    with Scene(driver, scenario="dead-controller") as scene:
        scene.declare(prerequisites=prerequisites)
        preview = scene.preview()
        assert warned(preview, "Ocean Controller", "heartbeat") is (prerequisites != "off")
        run = scene.up_fails()
        if prerequisites == "enforce":
            assert failed(run, "nothing was started", "Ocean Controller")
            assert not scene.writes()
        else:
            # It was started, and failed for that very reason.
            assert len(scene.starts()) == 1
            assert warned(run, "Ocean Controller") is (prerequisites == "warn")
            assert scene.outputs()["failure"]["reason"] == "connectivity"


@pytest.mark.parametrize("way", ["input", "config"])
def test_another_plan_than_the_approved_one_is_refused(driver: Driver, way: str) -> None:
    """The approved plan runs; with a node more, `up` refuses before the POST and names both digests."""

    def approve(scene: Scene, digest: str) -> None:
        scene.declare(**({"approved_plan": digest} if way == "input" else {}))
        if way == "config":
            config: dict[str, Any] = {"ocean-migration:approvedPlan": f'{{"web": "{digest}"}}'}
            scene.driver.configure(**config)

    with Scene(driver) as scene:
        approve(scene, "0123456789abcdef")
        preview = scene.preview()
        (warning,) = [text for text in preview.warnings if "not the approved plan" in text]
        digest = warning.partition("Plan ")[2].partition(" ")[0]
        assert "0123456789abcdef" in warning
        joined = scene.control.add_node(scene.ocean_id, "web")["instance_id"]
        approve(scene, digest)
        run = scene.up_fails()
        assert failed(run, "not the approved plan", digest, joined)
        assert not scene.writes()
        scene.control.remove_node(scene.ocean_id, joined)
        assert not warned(scene.preview(), "approved plan")
        scene.up()
        assert scene.outputs()["plan_digest"] == digest
        assert len(scene.starts()) == 1


def test_a_follow_up_needs_its_own_approval(driver: Driver) -> None:
    """A plan that grew is refused as a partial failure that keeps all outputs, until the new digest is approved."""
    with Scene(driver) as scene:
        scene.declare()
        scene.up()
        before = scene.outputs()
        joined = scene.control.add_node(scene.ocean_id, "web")["instance_id"]
        scene.declare(new_nodes="migrate", approved_plan=before["plan_digest"])
        preview = scene.preview()
        (warning,) = [text for text in preview.warnings if "not the approved plan" in text]
        assert failed(scene.up_fails(), "not the approved plan", before["plan_digest"])
        assert len(scene.writes()) == 1
        assert scene.outputs()["migrated_nodes"] == before["migrated_nodes"]
        scene.declare(new_nodes="migrate", approved_plan=warning.partition("Plan ")[2].partition(" ")[0])
        scene.up()
        assert scene.starts()[-1]["instanceIds"] == [joined]
        assert scene.outputs()["migrated_nodes"] == scene.asg()
        scene.up_unchanged()


def test_a_limit_takes_kept_nodes_first(driver: Driver) -> None:
    """Half of the nodes are taken; the next half only when the selector says so, beside those that are kept."""
    with Scene(driver, nodes=8) as scene:
        nodes = scene.asg()
        scene.declare(nodes={"asg_names": ["web"], "limit": "2"})
        scene.up()
        assert sorted(scene.outputs()["planned_nodes"]) == nodes[:2]
        scene.up_unchanged()
        scene.declare(nodes={"asg_names": ["web"], "limit": "100%"})
        scene.up()
        assert [start["instanceIds"] for start in scene.starts()] == [nodes[:2], nodes[2:]]
        assert scene.outputs()["migrated_nodes"] == nodes


def test_a_new_cluster_is_waited_for(driver: Driver) -> None:
    """Without any heartbeat the preview leaves the plan out; `up` waits for the controller and plans then."""
    with Scene(driver, scenario="never-heartbeat") as scene:
        scene.declare()
        preview = scene.preview()
        assert "planned_nodes" not in inputs_of(preview)
        assert warned(preview, "never reported")
        running = scene.driver.start("up")
        running.wait_until(lambda run: any("waiting for the Ocean Controller" in text for text in run.statuses))
        assert not scene.writes()
        scene.install_controller()
        running.wait_for_success()
        assert scene.outputs()["migrated_nodes"] == scene.asg()
        assert sorted(scene.outputs()["planned_nodes"]) == scene.asg()
        scene.up_unchanged()


def test_ignore_changes_keeps_the_plan(driver: Driver) -> None:
    """With `ignore_changes` the old plan stays, whatever the selector says now."""
    with Scene(driver) as scene:
        scene.declare()
        scene.up()
        planned = scene.outputs()["planned_nodes"]
        scene.control.add_node(scene.ocean_id, "web")
        ignoring: dict[str, Any] = {"opts": 'pulumi.ResourceOptions(ignore_changes=["planned_nodes", "nodes"])'}
        scene.declare(new_nodes="migrate", nodes={"all_nodes": True}, **ignoring)
        assert plan_of(scene.preview()) == planned
        mark = scene.mark()
        scene.up()
        assert not scene.writes(mark)
        assert scene.outputs()["planned_nodes"] == planned
