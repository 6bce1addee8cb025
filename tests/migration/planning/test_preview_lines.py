"""What a preview says of what it planned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ocean_migration_pulumi.migration.spec.planned_nodes import plan_digest
from tests.migration.stage import Stage

WEB = {"asg_names": ["web"]}


def test_no_node_is_a_warning(stage: Stage) -> None:
    """It may be a slip in the selector."""
    found = stage.preview(stage.spec(nodes={"asg_names": ["none"]}))
    assert found.planned == {}
    assert found.warnings == ["no node matches; nothing will be migrated"]


def test_other_plan_than_the_approved_one_is_a_warning_with_both_digests(stage: Stage) -> None:
    """The run will refuse it."""
    found = stage.preview(stage.spec(nodes=WEB, approved_plan="feedbeef"))
    (warning,) = [line for line in found.warnings if "approved" in line]
    assert plan_digest(found.planned or {}) in warning
    assert "feedbeef" in warning
    assert stage.ids("web")[0] in warning
    assert warning.endswith("`up` will refuse it")
    approved = stage.preview(stage.spec(nodes=WEB, approved_plan=plan_digest(found.planned or {})[:8]))
    assert not any("approved" in line for line in approved.warnings)


def test_unmatched_nodes_are_a_warning_or_left_out(stages: Callable[..., Stage]) -> None:
    """The same nodes that would fail the run."""
    stage = stages("unmatched-nodes")
    failing = stage.preview(stage.spec(nodes=WEB))
    assert any("2 planned nodes match no Virtual Node Group" in line for line in failing.warnings)
    skipping = stage.preview(stage.spec(nodes=WEB, unmatched_nodes="skip"))
    assert len(skipping.planned or {}) == 1
    assert any("2 nodes match no Virtual Node Group, skipped: i-" in line for line in skipping.warnings)
    allowing = stage.preview(stage.spec(nodes=WEB, unmatched_nodes="allow"))
    assert any("their pods may find no new node" in line for line in allowing.warnings)


def test_failed_prerequisites_are_warnings_unless_they_are_off(stages: Callable[..., Stage]) -> None:
    """One line for each."""
    stage = stages("dead-controller")
    assert any("Ocean Controller is INACTIVE" in line for line in stage.preview(stage.spec(nodes=WEB)).warnings)
    found = stage.preview(stage.spec(nodes={"all_nodes": True}, prerequisites="off", unmatched_nodes="allow"))
    assert found.warnings == []


def test_group_that_was_made_anew_is_judged_by_todays_match(stage: Stage) -> None:
    """An entry of the old plan does not stand in the way for ever."""
    old = stage.planned(stage.spec(nodes=WEB))
    outdated = {name: entry.replace("ols-", "ols-0") for name, entry in (old.planned_nodes or {}).items()}
    found = stage.preview(old, replace(old, planned_nodes=outdated))
    assert found.planned == outdated
    assert not any("Virtual Node Groups are gone" in line for line in found.warnings)


def test_foreign_migration_is_a_warning_and_our_own_is_none(stages: Callable[..., Stage]) -> None:
    """Ours is resumed, theirs is waited for."""
    stage = stages("busy-cluster")
    foreign = stage.preview(stage.spec(nodes=WEB))
    assert any("runs already" in line and "this one waits for its end" in line for line in foreign.warnings)
    failing = stage.preview(stage.spec(nodes=WEB, when_busy="fail"))
    assert any("runs already" in line and line.endswith("wait for its end") for line in failing.warnings)
    own = stages()
    stage_ids = own.ids("web")
    own.control.start_foreign_migration(own.ocean_id, stage_ids[:1], evict=False)
    found = own.preview(own.spec(nodes=WEB))
    assert sorted(found.planned or {}) == stage_ids
    assert not any("runs already" in line for line in found.warnings)
    assert "1 being migrated now" in found.info[0]


def test_migration_that_another_resource_of_this_process_plans_is_foreign(stage: Stage) -> None:
    """Whose it is decides, not its flags."""
    stage.preview(stage.spec(nodes=WEB), owner="one")
    stage.control.start_foreign_migration(stage.ocean_id, stage.ids("web"), evict=False)
    stage.registry.claims(stage.client.account_id, stage.ocean_id).view.changed()
    found = stage.preview(stage.spec(), owner="two")
    assert not set(stage.ids("web")) & set(found.planned or {})
    assert any("runs already" in line for line in found.warnings)


def test_each_virtual_node_group_has_a_line_with_its_market(stage: Stage) -> None:
    """How many nodes and pods, and whether they will run on spot."""
    found = stage.preview(stage.spec(nodes={"all_nodes": True}))
    lines = [line for line in found.info if line.startswith("to ")]
    assert len(lines) == len({entry.rpartition("(")[2] for entry in (found.planned or {}).values()})
    assert all("spot" in line or "on demand" in line for line in lines if "(Default)" not in line)
    assert any("(ols-" in line for line in lines)
    assert sum(int(line.split(": ")[1].split(" ")[0]) for line in lines) == len(found.planned or {})


def test_what_termination_means_is_said_before_it_happens(stage: Stage) -> None:
    """The ASG replaces nodes, or drained nodes stay billed."""
    leaving = stage.preview(stage.spec(nodes=WEB))
    assert "3 drained nodes will stay, cordoned, and be billed" in leaving.info
    ending = stage.preview(stage.spec(nodes=WEB, should_terminate_drained_nodes=True))
    assert any("unless the desired capacity of web is lowered" in line for line in ending.warnings)
    later = stage.spec(nodes=WEB, should_terminate_drained_nodes=True)
    kept = stage.preview(later, replace(later, planned_nodes=leaving.planned))
    assert not any("desired capacity" in line for line in kept.warnings)


def test_node_that_refills_a_group_is_not_followed_by_itself(stages: Callable[..., Stage]) -> None:
    """It would be drained for ever; who asks again gets it, with the warning."""
    stage = stages("refilling-asg")
    spec = stage.spec(nodes=WEB, should_terminate_drained_nodes=True, new_nodes="migrate")
    old = stage.planned(spec)
    stage.up(old)
    stage.control.advance(300)
    stage.restart()
    new = set(stage.ids("web"))
    assert len(new) == 3
    followed = stage.preview(spec, old)
    assert followed.planned == old.planned_nodes
    warning = "ASG web replaces terminated nodes: lower its desired capacity"
    assert followed.warnings.count(warning) == 1
    asked = stage.preview(replace(spec, triggers=(1,)), old)
    assert new < set(asked.planned or {})
    assert warning in asked.warnings
    kept = stage.preview(replace(spec, should_terminate_drained_nodes=False), old)
    assert new < set(kept.planned or {})


def test_nothing_is_said_of_what_is_done(stage: Stage) -> None:
    """No prerequisite stands in the way of nothing."""
    spec = stage.planned(stage.spec(nodes=WEB))
    stage.up(spec)
    stage.restart()
    stage.control.heartbeat(stage.ocean_id, status="INACTIVE", age_seconds=3600)
    found = stage.preview(spec, spec)
    assert found.warnings == []
    assert found.info[0].endswith("3 nodes, Ocean offers none of them any more")
