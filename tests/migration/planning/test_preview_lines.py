"""What a preview says of what it planned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ocean_migration_pulumi.cli.options import OPTIONS
from ocean_migration_pulumi.migration.checks.check_result import Finding
from ocean_migration_pulumi.migration.planning.text.findings_text import render
from ocean_migration_pulumi.migration.spec.approval import plan_digest
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Severity
from ocean_migration_pulumi.migration.spec.planned_nodes import hash_nodes
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.migration.spec.vocabulary import Vocabulary
from tests.migration.diagnostics import codes_of, fields_of, findings_of, with_code
from tests.migration.stage import Stage

WEB = {"asg_names": ["web"]}


def test_no_node_is_a_warning(stage: Stage) -> None:
    """Where it is allowed; else it is an error, for it may be a slip in the selector."""
    spec = stage.spec(nodes={"asg_names": ["none"]})
    (problem,) = stage.preview(spec).problems
    assert (problem.property_name, "no node matches" in problem.message) == ("nodes.asg_names", True)
    assert stage.preview(spec, replace(spec, planned_nodes={})).problems == ()
    found = stage.preview(replace(spec, when_no_nodes="succeed"))
    assert found.planned == {}
    assert codes_of(found) == {Code.PLAN_SUMMARY, Code.PLAN_EMPTY}


def test_other_plan_than_the_approved_one_is_a_warning_with_both_digests(stage: Stage) -> None:
    """The run will refuse it."""
    found = stage.preview(stage.spec(nodes=WEB, approved_plan="feedbeef" * 2))
    (difference,) = with_code(found, Code.PLAN_NOT_APPROVED)
    assert difference.severity is Severity.ERROR
    digest = plan_digest(found.planned or {}, MigrationSpec())
    fields = {"digest": digest, "approved": "feedbeef" * 2, "nodes": stage.ids("web"), "changes": []}
    assert difference.fields == fields
    approved = stage.preview(stage.spec(nodes=WEB, approved_plan=digest[:16]))
    assert Code.PLAN_NOT_APPROVED not in codes_of(approved)


def test_a_short_approval_is_an_error_only_while_something_would_start(stage: Stage) -> None:
    """Version 0.1 took 8 digits; what has been migrated with such an approval stays as it is."""
    planned = stage.planned(stage.spec(nodes=WEB))
    short = replace(planned, approved_plan=plan_digest(planned.planned_nodes or {}, planned)[:8])
    (problem,) = stage.preview(short).problems
    assert (problem.property_name, "at least 16 digits" in problem.message) == ("approved_plan", True)
    stage.up(planned)
    stage.restart()
    found = stage.preview(short, planned)
    assert found.problems == ()
    (outdated,) = with_code(found, Code.APPROVAL_OUTDATED)
    assert outdated.severity is Severity.WARNING


def test_an_approval_of_version_0_1_is_told(stage: Stage) -> None:
    """It covers the nodes alone: a warning, and no comparison."""
    planned = stage.planned(stage.spec(nodes=WEB))
    found = stage.preview(replace(planned, approved_plan=hash_nodes(planned.planned_nodes or {})[:16]))
    assert {Code.APPROVAL_OUTDATED} == codes_of(found) & {Code.APPROVAL_OUTDATED, Code.PLAN_NOT_APPROVED}


def test_the_digest_is_not_known_while_a_reviewed_input_is_not(stage: Stage) -> None:
    """No approval can be compared then: the run compares."""
    spec = replace(stage.spec(nodes=WEB, approved_plan="feedbeef" * 2), unknown=frozenset({"batch_size_percentage"}))
    found = stage.preview(spec)
    (summary,) = with_code(found, Code.PLAN_SUMMARY)
    assert summary.fields["digest"] == ""
    assert render(summary).startswith("Plan with values not known yet: 3 nodes")
    assert Code.PLAN_NOT_APPROVED not in codes_of(found)


def test_nodes_that_a_finished_migration_emptied_have_been_migrated(stage: Stage) -> None:
    """Of nodes that keep pods, or moved more than a day ago, the preview says only that none is a candidate."""
    spec = stage.planned(stage.spec(nodes=WEB))
    stage.up(spec)
    stage.restart()
    found = stage.preview(spec, spec)
    assert render(found.diagnostics[0]).startswith("Nothing to do: all 3 planned nodes have been migrated (plan ")
    stage.control.advance(2 * 86_400)
    stage.control.heartbeat(stage.ocean_id)
    stage.restart()
    found = stage.preview(spec, spec)
    assert render(found.diagnostics[0]).startswith("Nothing to do: 3 planned nodes, no longer candidates (plan ")


@pytest.mark.parametrize(
    ("vocabulary", "remedy"),
    [
        (
            Vocabulary(resource="api"),
            "run `pulumi config set --path 'ocean-migration:approvedPlan.api' {}`{or_program}",
        ),
        (
            Vocabulary(resource="a.b"),
            "run `pulumi config set --path 'ocean-migration:approvedPlan[\"a.b\"]' {}`{or_program}",
        ),
        (Vocabulary(resource="a'b"), "set approved_plan to `{}`"),
        (OPTIONS, "pass `--approved-plan {}`"),
    ],
)
@pytest.mark.parametrize("approved", [None, "feedbeef" * 4])
def test_the_warning_has_the_command_that_approves(
    stage: Stage, vocabulary: Vocabulary, remedy: str, approved: str | None
) -> None:
    """With the whole digest, whatever is approved so far; an approval in the program would override the config."""
    found = stage.preview(stage.spec(nodes=WEB, require_approval=True, approved_plan=approved))
    digest = found.diagnostics[0].fields["digest"]
    (refusal,) = with_code(found, Code.PLAN_NOT_APPROVED)
    assert len(digest) == 32
    or_program = ", or change approved_plan if the program sets it," if approved else ""
    expected = remedy.format(digest, or_program=or_program)
    assert f"Review the plan, then {expected} to approve it" in render(refusal, vocabulary)


def test_unmatched_nodes_are_a_warning_or_left_out(stages: Callable[..., Stage]) -> None:
    """The same nodes that would fail the run."""
    stage = stages("unmatched-nodes")
    failing = stage.preview(stage.spec(nodes=WEB))
    assert findings_of(failing)[Finding.NODES_UNMATCHED] is Code.CHECK_FAILED
    skipping = stage.preview(stage.spec(nodes=WEB, unmatched_nodes="skip"))
    assert len(skipping.planned or {}) == 1
    (skipped,) = fields_of(skipping, Code.NODES_SKIPPED)
    assert set(skipped["nodes"]) == set(failing.planned or {}) - set(skipping.planned or {})
    allowing = stage.preview(stage.spec(nodes=WEB, unmatched_nodes="allow"))
    assert findings_of(allowing)[Finding.NODES_UNMATCHED] is Code.CHECK_WARNING


def test_failed_prerequisites_are_warnings_unless_they_are_off(stages: Callable[..., Stage]) -> None:
    """One diagnostic for each; an error where `up` will refuse."""
    stage = stages("dead-controller")
    for prerequisites, severity in (("enforce", Severity.ERROR), ("warn", Severity.WARNING)):
        (failed,) = with_code(stage.preview(stage.spec(nodes=WEB, prerequisites=prerequisites)), Code.CHECK_FAILED)
        assert (failed.fields["finding"], failed.severity) == (Finding.CONTROLLER_SILENT, severity)
    found = stage.preview(stage.spec(nodes={"all_nodes": True}, prerequisites="off", unmatched_nodes="allow"))
    assert found.check_results == ()
    assert {each.severity for each in found.diagnostics} == {Severity.INFO}


def test_group_that_was_made_anew_is_judged_by_todays_match(stage: Stage) -> None:
    """An entry of the old plan does not stand in the way for ever."""
    old = stage.planned(stage.spec(nodes=WEB))
    outdated = {name: entry.replace("ols-", "ols-0") for name, entry in (old.planned_nodes or {}).items()}
    found = stage.preview(old, replace(old, planned_nodes=outdated))
    assert found.planned == outdated
    assert Finding.GROUPS_GONE not in findings_of(found)


def test_foreign_migration_is_a_warning_and_our_own_is_none(stages: Callable[..., Stage]) -> None:
    """Ours is resumed, theirs is waited for."""
    stage = stages("busy-cluster")
    foreign = stage.preview(stage.spec(nodes=WEB))
    assert findings_of(foreign)[Finding.OTHER_MIGRATION_RUNS] is Code.CHECK_WARNING
    failing = stage.preview(stage.spec(nodes=WEB, when_busy="fail", prerequisites="warn"))
    (refused,) = with_code(failing, Code.CHECK_FAILED)
    assert (refused.fields["finding"], refused.severity) == (Finding.OTHER_MIGRATION_RUNS, Severity.ERROR)
    own = stages()
    stage_ids = own.ids("web")
    own.control.start_foreign_migration(own.ocean_id, stage_ids[:1], evict=False)
    found = own.preview(own.spec(nodes=WEB))
    assert sorted(found.planned or {}) == stage_ids
    assert Finding.OTHER_MIGRATION_RUNS not in findings_of(found)
    (summary,) = fields_of(found, Code.PLAN_SUMMARY)
    assert (summary["nodes"], summary["waiting"], summary["active"]) == (3, 2, 1)


def test_migration_that_another_resource_of_this_process_plans_is_foreign(stage: Stage) -> None:
    """Whose it is decides, not its flags."""
    stage.preview(stage.spec(nodes=WEB), owner="one")
    stage.control.start_foreign_migration(stage.ocean_id, stage.ids("web"), evict=False)
    stage.registry.claims(stage.client.account_id, stage.ocean_id).cache.changed()
    found = stage.preview(stage.spec(), owner="two")
    assert set(stage.ids("web")) <= set(found.planned or {})
    assert fields_of(found, Code.NODES_HELD) == [{"nodes": stage.ids("web"), "waits": True}]
    assert Finding.OTHER_MIGRATION_RUNS in findings_of(found)


def test_each_virtual_node_group_has_a_line_with_its_market(stage: Stage) -> None:
    """How many nodes and pods, and whether they will run on spot."""
    found = stage.preview(stage.spec(nodes={"all_nodes": True}))
    destinations = with_code(found, Code.DESTINATION)
    matched = {entry.rpartition("(")[2].removesuffix(")") for entry in (found.planned or {}).values()}
    assert {each.subject for each in destinations} == matched
    assert {each.fields["known"] for each in destinations if each.subject != "Default"} == {True}
    assert sum(each.fields["nodes"] for each in destinations) == len(found.planned or {})


def test_what_termination_means_is_said_before_it_happens(stage: Stage) -> None:
    """The ASG replaces nodes, or drained nodes stay billed."""
    leaving = stage.preview(stage.spec(nodes=WEB))
    assert fields_of(leaving, Code.NODES_STAY) == [{"nodes": 3}]
    ending = stage.preview(stage.spec(nodes=WEB, should_terminate_drained_nodes=True))
    assert fields_of(ending, Code.ASG_MAY_REPLACE) == [{"asg_names": ["web"]}]
    assert Code.NODES_STAY not in codes_of(ending)
    later = stage.spec(nodes=WEB, should_terminate_drained_nodes=True)
    kept = stage.preview(later, replace(later, planned_nodes=leaving.planned))
    assert Code.ASG_MAY_REPLACE not in codes_of(kept)


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
    assert [each.subject for each in with_code(followed, Code.ASG_REPLACES)] == ["web"]
    asked = stage.preview(replace(spec, triggers=(1,)), old)
    assert new < set(asked.planned or {})
    assert [each.subject for each in with_code(asked, Code.ASG_REPLACES)] == ["web"]
    kept = stage.preview(replace(spec, should_terminate_drained_nodes=False), old)
    assert new < set(kept.planned or {})


def test_nothing_is_said_of_what_is_done(stage: Stage) -> None:
    """No prerequisite stands in the way of nothing."""
    spec = stage.planned(stage.spec(nodes=WEB))
    stage.up(spec)
    stage.restart()
    stage.control.heartbeat(stage.ocean_id, status="INACTIVE", age_seconds=3600)
    found = stage.preview(spec, spec)
    (summary,) = found.diagnostics
    assert (summary.fields["nodes"], summary.fields["waiting"], summary.fields["active"]) == (3, 0, 0)
