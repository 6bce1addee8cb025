"""One `up` after another, as long as nothing interrupts them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.errors import (
    InterruptedWaitError,
    MigrationFailedError,
    MissingAccountError,
    PlanError,
    PrerequisiteError,
)
from ocean_migration_pulumi.migration.diagnosis import failure_reasons
from ocean_migration_pulumi.migration.reconcile import reconcile
from ocean_migration_pulumi.migration.reconcile.adoption import find_left_by_killed_run
from ocean_migration_pulumi.migration.snapshot.protocols import AwsApi
from ocean_migration_pulumi.migration.spec.approval import plan_digest
from ocean_migration_pulumi.migration.spec.diagnostic import Code
from ocean_migration_pulumi.migration.state.migration_record import MigrationRecord
from ocean_migration_pulumi.migration.state.resource_state import ResourceState
from ocean_migration_pulumi.migration.state.unfinished import find_unfinished
from tests.migration.builders import spec
from tests.migration.stage import Stage, outputs

WEB = {"asg_names": ["web"]}


def test_first_up_migrates_what_was_planned_and_says_all_of_it(stage: Stage) -> None:
    """One POST with the flags, and outputs that tell nodes, times and states."""
    planned = stage.planned(stage.spec(nodes=WEB, batch_size_percentage=50, should_evict_stand_alone_pods=True))
    context = stage.up(planned)
    web = stage.ids("web")
    (post,) = stage.requests("POST")
    assert post["body"]["migration"] == {
        "instanceIds": web,
        "shouldTerminateDrainedNodes": False,
        "shouldEvictStandAlonePods": True,
        "forcePodEvictionOnPdbFailure": False,
        "batchSizePercentage": 50,
    }
    found = outputs(context.state, planned)
    assert found["planned_nodes"] == planned.planned_nodes
    assert (found["migrated_nodes"], found["drained_nodes"], found["remaining_nodes"]) == (web, web, [])
    assert (found["progress"], found["succeeded"], found["status"]) == (100.0, True, "FINISHED")
    assert len(found["ocean_nodes"]) == len(web)
    assert found["created_at"] < found["completed_at"]
    assert [entry["state"] for entry in found["timeline"]][-1] == "FINISHED"
    assert {"STARTING", "DRAIN_NODES"} <= {entry["state"] for entry in found["timeline"]}
    (run,) = found["migrations"]
    assert (run["id"], run["origin"], run["instance_ids"]) == (found["migration_id"], "started", web)
    assert any(
        "3 of 3 nodes migrated, 3 drained nodes stay, cordoned and billed" in line for line in context.reporter.infos
    )
    assert any(", DRAIN_NODES " in line for line in context.reporter.statuses)


def test_up_again_writes_nothing(stage: Stage) -> None:
    """Neither when nothing changed nor when only options did."""
    first = stage.planned(stage.spec(nodes=WEB))
    context = stage.up(first)
    stage.restart()
    assert find_unfinished(context.state, first) is None
    assert find_left_by_killed_run(stage.context(first, context.state)) is None
    changed = stage.planned(replace(first, planned_nodes=None, batch_size_percentage=50), first)
    assert changed.planned_nodes == first.planned_nodes
    again = stage.up(changed, context.state)
    assert stage.writes() == 1
    assert again.state.succeeded


def test_terminated_nodes_are_not_billed(stage: Stage) -> None:
    """With termination nothing stays cordoned."""
    context = stage.up(stage.planned(stage.spec(nodes=WEB, should_terminate_drained_nodes=True)))
    assert (len(context.state.terminated), context.state.drained) == (3, set())
    assert context.reporter.infos[-1] == "3 of 3 nodes migrated"
    assert stage.ids("web") == []


def test_joined_node_is_told_of_or_followed_alone(stage: Stage) -> None:
    """A second migration holds the new node and nothing else."""
    first = stage.planned(stage.spec(nodes=WEB))
    context = stage.up(first)
    stage.restart()
    new = stage.control.add_node(stage.ocean_id, "web")["instance_id"]
    reported = stage.planned(replace(first, planned_nodes=None), first)
    assert reported.planned_nodes == first.planned_nodes
    reporting = stage.context(reported, context.state)
    assert reconcile.refresh(reporting)
    assert reporting.state.joined == reporting.state.asg_started == [new]
    followed = stage.planned(replace(first, planned_nodes=None, new_nodes="migrate"), first)
    after = stage.up(followed, context.state)
    assert stage.asked_for()[1] == [new]
    assert after.state.migrated == {*(followed.planned_nodes or {})}
    assert len(after.state.migrations) == 2
    assert after.state.asg_started == []


@pytest.mark.parametrize("selector", ["instance_ids", "node_names"])
def test_node_that_a_group_starts_is_an_output_though_it_does_not_match(stage: Stage, selector: str) -> None:
    """Across runs; nodes that the group had before, and those of other groups, are none of them."""
    planned, *before = stage.ids("web")
    names = {node["instance_id"]: node["node_name"] for node in stage.control.nodes(stage.ocean_id)}
    spec = stage.spec(nodes={selector: [planned if selector == "instance_ids" else names[planned]]})
    context = stage.up(stage.planned(replace(spec, should_terminate_drained_nodes=True)))
    assert (context.state.asg_started, context.state.asg_other_nodes) == ([], {"web": before})
    stage.restart()
    new = stage.control.add_node(stage.ocean_id, "web")["instance_id"]
    stage.control.add_node(stage.ocean_id, "api")
    later = stage.context(context.spec, context.state)
    assert reconcile.refresh(later)
    assert (later.state.joined, later.state.asg_started) == ([], [new])
    again = stage.up(context.spec, later.state)
    assert again.state.asg_started == [new]


def test_instance_that_never_joins_is_an_output_with_aws(stage: Stage) -> None:
    """By the time of its launch; the group's older instances, and those of later waves, are none of them."""

    class Ec2:
        def read_launch_times(self, scope: object, region: str, asg_names: list[str]) -> dict[str, datetime]:
            assert asg_names == ["web"]
            now = stage.client.server_now()
            ages = {"i-new": 0, "i-elsewhere": 0, "i-old": 7200, stage.ids("web")[0]: 0}
            return {name: now - timedelta(seconds=age) for name, age in ages.items()}

        def read_instance_states(self, scope: object, region: str, instance_ids: list[str]) -> dict[str, str]:
            return {}

    stage.sources = replace(stage.sources, aws=cast(AwsApi, Ec2()))
    context = stage.up(stage.planned(stage.spec(nodes=WEB, planned_elsewhere=["i-elsewhere"])))
    assert context.state.asg_started == ["i-new"]
    assert "1 node started by the Auto Scaling Groups of planned nodes: i-new" in context.reporter.warnings


def test_planned_node_that_vanished_is_dropped_with_a_warning_but_stays_in_the_record(stage: Stage) -> None:
    """The outputs echo the plan exactly."""
    planned = stage.planned(stage.spec(nodes=WEB))
    gone, *rest = stage.ids("web")
    stage.control.remove_node(stage.ocean_id, gone)
    context = stage.up(planned)
    assert stage.asked_for() == [rest]
    assert any(f"1 planned node gone, nothing to migrate: {gone}" in line for line in context.reporter.warnings)
    assert context.state.planned == planned.planned_nodes
    assert context.state.remaining == set()
    assert gone not in context.state.migrated
    assert context.state.succeeded


def test_no_node_at_all_is_a_success_with_a_warning(stage: Stage) -> None:
    """And nothing is written."""
    context = stage.up(stage.planned(stage.spec(nodes={"asg_names": ["none"]}, when_no_nodes="succeed")))
    assert context.reporter.warnings == ["no node matched; nothing was migrated"]
    assert context.state.succeeded
    assert context.state.progress == 100.0
    assert stage.writes() == 0


def test_nodes_with_pods_left_over_are_a_success_that_names_them(stages: Callable[..., Stage]) -> None:
    """They are retried only when stand-alone pods may be evicted, and then alone."""
    stage = stages("stand-alone-pods")
    first = stage.planned(stage.spec())
    context = stage.up(first)
    assert len(context.state.manual) == 3
    assert not context.state.manual & context.state.migrated
    assert context.state.succeeded
    (warning,) = [line for line in context.reporter.warnings if "pods that Ocean does not move" in line]
    assert all(f"debug-{number} on ip-10" in warning for number in (1, 2, 3))
    assert {pod["kind"] for pod in context.state.manual_pods} == {"STAND_ALONE_POD"}
    assert find_unfinished(context.state, first) is None
    again = stage.up(replace(first, soak_time=0.0, batch_size_percentage=30), context.state)
    assert len(stage.asked_for()) == 1
    evicting = stage.up(replace(first, should_evict_stand_alone_pods=True), again.state)
    assert stage.asked_for()[1:] == [sorted(context.state.manual)]
    assert (evicting.state.manual, evicting.state.manual_pods) == (set(), [])
    assert evicting.state.migrated == {*(first.planned_nodes or {})}


def test_changed_triggers_take_nodes_with_pods_once_more(stages: Callable[..., Stage]) -> None:
    """Those that the service still offers; once, not with every `up` from then on."""
    stage = stages("stand-alone-pods")
    first = stage.planned(stage.spec())
    context = stage.up(first)
    changed = replace(first, triggers=("again",))
    second = stage.up(changed, context.state)
    assert stage.asked_for()[1:] == [sorted(context.state.manual)]
    stage.up(changed, second.state)
    assert len(stage.asked_for()) == 2


@pytest.mark.parametrize("length", [16, 32])
def test_approved_plan_is_run_and_any_other_is_refused_before_the_post(stage: Stage, length: int) -> None:
    """A node fewer than approved is another plan; its first 16 digits are enough."""
    planned = stage.planned(stage.spec(nodes=WEB))
    whole = dict(planned.planned_nodes or {})
    digest = plan_digest(whole, planned)[:length]
    fewer = dict(list(whole.items())[1:])
    context, message = stage.fails(PlanError, replace(planned, approved_plan=digest, planned_nodes=fewer))
    assert digest in message
    assert plan_digest(fewer, planned) in message
    assert stage.writes() == 0
    assert context.state.migrations == []
    assert stage.up(replace(planned, approved_plan=digest)).state.succeeded


@pytest.mark.parametrize("required", [False, True])
def test_approval_covers_no_virtual_node_group_that_nodes_match_since(stage: Stage, required: bool) -> None:
    """Nothing starts that moves nodes where no reviewer has seen them go; the next preview has the plan to approve."""
    planned = stage.planned(stage.spec(nodes=WEB, require_approval=required))
    outdated = {name: entry.replace("ols-", "ols-0") for name, entry in (planned.planned_nodes or {}).items()}
    approved = replace(planned, planned_nodes=outdated, approved_plan=plan_digest(outdated, planned))
    _, message = stage.fails(PlanError, approved)
    assert "Changed since the approval: planned nodes" in message
    assert stage.writes() == 0
    stage.restart()
    renewed = stage.preview(replace(approved, planned_nodes=None), approved)
    assert renewed.planned == planned.planned_nodes
    assert Code.PLAN_NOT_APPROVED in {each.code for each in renewed.diagnostics}
    digest = plan_digest(renewed.planned or {}, planned)
    assert digest in message
    assert stage.up(replace(approved, planned_nodes=renewed.planned, approved_plan=digest)).state.succeeded


def test_failed_prerequisite_starts_nothing_unless_it_is_only_to_warn(stages: Callable[..., Stage]) -> None:
    """And "off" asks for nothing."""
    stage = stages("dead-controller")
    planned = stage.planned(stage.spec(nodes=WEB))
    _, message = stage.fails(PrerequisiteError, planned)
    # The simulated time goes on while the test runs: a busy machine is at the next minute already.
    said = r"nothing was started: Ocean Controller is INACTIVE \(last heartbeat (1h\d\dm|59m\d\ds) ago\)"
    assert re.match(said, message)
    assert stage.writes() == 0
    warned, failure = stage.fails(MigrationFailedError, replace(planned, prerequisites="warn"))
    assert any("Ocean Controller is INACTIVE" in line for line in warned.reporter.warnings)
    assert "Ocean lost the connection to the cluster" in failure
    quiet, _ = stage.fails(MigrationFailedError, replace(planned, prerequisites="off"))
    assert not any("Controller is INACTIVE" in line for line in quiet.reporter.warnings)


def test_unmatched_nodes_fail_are_skipped_or_allowed(stages: Callable[..., Stage]) -> None:
    """An error before the POST, a migration of the others, or a migration that the service may refuse."""
    stage = stages("unmatched-nodes")
    planned = stage.planned(stage.spec(nodes=WEB))
    _, message = stage.fails(PrerequisiteError, planned)
    assert "2 planned nodes match no Virtual Node Group" in message
    assert stage.writes() == 0
    skipping = stage.planned(stage.spec(nodes=WEB, unmatched_nodes="skip"))
    assert len(skipping.planned_nodes or {}) == 1
    assert stage.up(skipping).state.succeeded
    allowing = replace(planned, unmatched_nodes="allow")
    _, failure = stage.fails(MigrationFailedError, allowing, owner="other")
    assert "(no Virtual Node Group matches" in failure


def test_node_that_lost_its_group_since_the_plan_is_skipped_and_not_unfinished(stage: Stage) -> None:
    """A spec that skips such nodes is done without them, now and later."""
    planned = stage.planned(stage.spec(nodes=WEB, unmatched_nodes="skip"))
    lost = stage.ids("web")[0]
    stage.control.set_node(stage.ocean_id, lost, labels={"gpu": "true"})
    context = stage.up(planned)
    assert lost not in stage.asked_for()[0]
    assert any(f"skipped, no Virtual Node Group matches: {lost}" in line for line in context.reporter.warnings)
    assert (context.state.remaining, context.state.succeeded) == (set(), True)
    assert find_unfinished(context.state, planned) is None
    refreshed = stage.context(planned, context.state)
    assert reconcile.refresh(refreshed)
    assert find_unfinished(refreshed.state, planned) is None


def test_group_that_was_made_anew_since_the_plan_does_not_block(stage: Stage) -> None:
    """What the nodes match today decides; the entry of the plan stays as it was reviewed."""
    planned = stage.planned(stage.spec(nodes=WEB))
    outdated = {name: entry.replace("ols-", "ols-0") for name, entry in (planned.planned_nodes or {}).items()}
    context = stage.up(replace(planned, planned_nodes=outdated))
    assert context.state.succeeded
    assert context.state.planned == outdated
    assert any("3 nodes match another Virtual Node Group than planned" in line for line in context.reporter.warnings)


def test_no_write_without_an_account(stage: Stage) -> None:
    """The error names every place where one can be set."""
    planned = stage.planned(stage.spec(nodes=WEB))
    stage.client = OceanClient(replace(stage.settings, account_id=None))
    with stage.client:
        _, message = stage.fails(MissingAccountError, planned)
    assert all(name in message for name in ("account_id", "ocean-migration:account", "SPOTINST_ACCOUNT"))
    assert stage.writes() == 0


def test_create_plans_by_itself_when_the_preview_could_not(stage: Stage) -> None:
    """The plan is in the outputs, and is told before it starts."""
    context = stage.up(stage.spec(nodes=WEB))
    assert sorted(context.state.planned) == stage.ids("web")
    assert context.reporter.infos[0].startswith(f"Plan {plan_digest(context.state.planned, context.spec)[:8]}: 3 nodes")
    assert context.state.succeeded


def test_create_waits_for_a_new_cluster_s_controller_and_a_steady_discovery(stages: Callable[..., Stage]) -> None:
    """Nodes join while it waits: the plan is made when looks over half a minute agree."""
    stage = stages("never-heartbeat", nodes=2)
    stage.clock.after(120, lambda: stage.control.heartbeat(stage.ocean_id))
    stage.clock.after(140, lambda: stage.control.add_node(stage.ocean_id, "web"))
    context = stage.context(stage.spec())
    said: list[tuple[float, str]] = []
    context.reporter.status = lambda message: said.append((stage.clock.now, message))  # type: ignore[method-assign]  # notes the time
    context.reporter.info = lambda message: said.append((stage.clock.now, message))  # type: ignore[method-assign]  # as above
    reconcile.reconcile(context)
    assert sorted(context.state.planned) == stage.ids()
    assert len(context.state.planned) == 3
    assert "waiting for the Ocean Controller" in said[0][1]
    joined_at = next(at for at, line in said if "3 nodes seen, waiting for all" in line)
    planned_at = next(at for at, line in said if line.startswith("Plan "))
    assert 0.9 * 30 <= planned_at - joined_at <= 45


def test_controller_that_never_reports_ends_create_after_fifteen_minutes(stages: Callable[..., Stage]) -> None:
    """With what to do; nothing was started."""
    stage = stages("never-heartbeat")
    _, message = stage.fails(PlanError, stage.spec(), seconds=3000)
    assert "has not reported for 15m00s" in message
    assert stage.writes() == 0
    assert "1m40s" in stage.fails(PlanError, stage.spec(), seconds=100)[1]


def test_create_that_plans_by_itself_still_refuses_bad_input(stage: Stage) -> None:
    """An id that is nowhere, and labels that nobody can tell."""
    _, message = stage.fails(PlanError, stage.spec(nodes={"instance_ids": ["i-none"]}))
    assert "'i-none' cannot be migrated: it is not a node of this cluster" in message
    assert "label_selector" in stage.fails(PlanError, stage.spec(nodes={"label_selector": "a=b"}))[1]
    assert stage.writes() == 0


def test_change_that_could_not_be_planned_stays_pending(stage: Stage) -> None:
    """The update fails, does nothing, and leaves the record as it was."""
    first = stage.planned(stage.spec(nodes=WEB))
    context = stage.up(first)
    with pytest.raises(PlanError, match="could not be planned: no answer; nothing was done"):
        stage.up(replace(first, triggers=(1,)), context.state, unplanned="no answer")
    assert stage.writes() == 1


@pytest.mark.parametrize(
    ("state", "options", "why"),
    [
        (ResourceState(), {}, None),
        (ResourceState(remaining={"i-1"}), {}, "nodes-remain"),
        (ResourceState(migrations=[MigrationRecord(id="owm-1", status="DRAIN_NODES")]), {}, "still-running"),
        (ResourceState(migrations=[MigrationRecord(id="owm-1", status="DRAIN_NODES")], target_reached=True), {}, None),
        (
            ResourceState(
                migrations=[
                    MigrationRecord(id="owm-1", status="DRAIN_NODES"),
                    MigrationRecord(id="owm-2", status="FINISHED"),
                ]
            ),
            {},
            "still-running",
        ),
        (
            ResourceState(migrations=[MigrationRecord(id="owm-1", status="FINISHED_ERROR")], remaining={"i-1"}),
            {},
            "nodes-remain",
        ),
        (ResourceState(migrations=[MigrationRecord(id="owm-1", status="FINISHED_ERROR")]), {}, None),
        (
            ResourceState(
                migrations=[MigrationRecord(id="owm-1", status="STOPPED", stopped_by="us")], remaining={"i-1"}
            ),
            {},
            "nodes-remain",
        ),
        (
            ResourceState(
                migrations=[MigrationRecord(id="owm-1", status="STOPPED", stopped_by="others")], remaining={"i-1"}
            ),
            {},
            None,
        ),
        (
            ResourceState(migrations=[MigrationRecord(id="owm-1", status="FINISHED")], remaining={"i-1"}),
            {},
            "nodes-remain",
        ),
        (
            ResourceState(
                migrations=[MigrationRecord(id="owm-1", status="FINISHED")], remaining={"i-1"}, failure={"message": "m"}
            ),
            {},
            "nodes-remain",
        ),
        (
            ResourceState(migrations=[MigrationRecord(id="owm-1", status="DRAIN_NODES", lost=True)], remaining={"i-1"}),
            {},
            "nodes-remain",
        ),
        (
            ResourceState(migrations=[MigrationRecord(id="owm-1", status="FINISHED")]),
            {"soak_time": 60.0},
            "not-soaked",
        ),
        (
            ResourceState(migrations=[MigrationRecord(id="owm-1", status="FINISHED")], soaked_until="t"),
            {"soak_time": 60.0},
            None,
        ),
        (ResourceState(migrations=[MigrationRecord(id="owm-1", status="STOPPED")]), {"soak_time": 60.0}, None),
    ],
    ids=repr,
)
def test_unfinished_work_is_found_in_the_outputs_alone(
    state: ResourceState, options: dict[str, Any], why: str | None
) -> None:
    """A refresh clears the engine's own mark of a failure."""
    found = find_unfinished(state, spec(**options))
    assert (found.code if found else None) == why


def test_error_of_the_run_is_one_line(stage: Stage) -> None:
    """One that nobody foresaw says what it is."""
    assert failure_reasons.describe_failure(InterruptedWaitError("a\n  b")) == "a b"
    assert failure_reasons.describe_failure(KeyError("x")) == "unexpected KeyError: 'x'"
    assert failure_reasons.make_failure_output(PlanError("no")) == {"message": "no", "reason": "Plan", "remedy": ""}
