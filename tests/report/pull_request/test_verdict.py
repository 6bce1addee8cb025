"""The verdict on a preview, and what of it was approved."""

from __future__ import annotations

from typing import Any

import pytest

from ocean_migration_pulumi.migration.spec.approval import plan_digest, shorten_digest
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode, hash_nodes
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.report.pull_request.preview import HIDDEN, UNKNOWN, ParsedPreview
from ocean_migration_pulumi.report.pull_request.verdict import Approval, Assessment, Level, is_judged, is_refused
from tests.report.documents import (
    Case,
    blocked,
    case,
    document,
    error,
    info,
    message,
    migration,
    planned,
    ready,
    record,
    step,
    stored,
    summary,
    unmatched,
    urn,
    verdict,
    warning,
)

SIXTEEN = "16 nodes with 96 pods will migrate"


def update(nodes: dict[str, str], *diagnostics: Diagnostic, **inputs: Any) -> Case:
    """Return the preview of an update that changes no planned node."""
    made = step("web", {"planned_nodes": nodes, **inputs}, op="update", before={"planned_nodes": nodes})
    return case((made, record("web", nodes, *diagnostics)))


def test_no_issue_is_ready() -> None:
    """With the amounts of the plan."""
    assessment = case(ready()).assess()
    assert (assessment.level, assessment.issues) == (Level.READY, {})
    assert (assessment.waiting, assessment.active, assessment.pods) == (16, 0, 96)
    assert verdict(case(ready())) == f"Ready: {SIXTEEN}."


def test_issues_are_counted_by_kind() -> None:
    """Blockers, checks by status, what could not be checked, and warnings: of diagnostics and of the engine."""
    issues = "2 blockers, 1 downtime warning, 1 check warning, 1 unknown check"
    assert verdict(case(blocked())) == f"Needs attention: {SIXTEEN}; {issues}."
    more = [warning(code) for code in (Code.CHECK_FAILED, Code.NOT_EVALUATED, Code.ASG_MAY_REPLACE)]
    made = case(blocked("web", *more), messages=[message("web", "x", "warning")])
    assert made.assess().issues == {
        "blocker": 2,
        "downtime warning": 1,
        "failed check": 1,
        "check warning": 1,
        "unknown check": 2,
        "warning": 2,
    }
    issues = "2 blockers, 1 downtime warning, 1 failed check, 1 check warning, 2 unknown checks, 2 warnings"
    assert verdict(made) == f"Needs attention: {SIXTEEN}; {issues}."


def test_a_blocker_that_is_forced_is_a_warning() -> None:
    """Nothing stops the pods then."""
    assert case(ready("web", warning(Code.PDB_BLOCKS, forced=True))).assess().issues == {"warning": 1}


def test_an_error_is_a_refusal() -> None:
    """A failed check by its name, anything else by its text; one with severity warning is none."""
    assert case(ready("web", warning(Code.CHECK_FAILED, subject="scaling"))).assess().level is Level.ATTENTION
    made = case(ready("web", error(Code.CHECK_FAILED, subject="scaling")))
    assert made.assess().refusals == ("check <code>scaling</code> failed",)
    assert verdict(made) == "Will fail: <code>web</code>: check <code>scaling</code> failed."
    future = Diagnostic(code="of-the-future", severity=Severity.ERROR, text="no way")
    assert case(ready("web", future)).assess().refusals == ("no way",)


def test_unmatched_nodes_are_refused_although_no_check_runs() -> None:
    """Unless they may be migrated all the same."""
    nodes = planned(2) | planned(2, "gpu", None, first=3)
    made = case(migration("web", nodes, prerequisites="off"))
    assert made.assess().refusals == ("2 nodes match no Virtual Node Group",)
    assert case(ready(prerequisites="off")).assess().level is Level.READY
    assert case(migration("web", nodes, prerequisites="off", unmatched_nodes="allow")).assess().level is Level.READY


def test_the_refusals_of_several_are_named() -> None:
    """At most three of them."""
    text = verdict(case(*(unmatched(f"web-{number}") for number in range(5))))
    assert text.startswith("Will fail: <code>web-0</code>: check <code>Virtual Node Groups</code> failed, <code>web-1")
    assert text.endswith(" and 2 more.")


def test_a_failed_preview() -> None:
    """Whatever else it says."""
    assert verdict(stored("program-failure")) == "Preview failed with 1 error."
    assert verdict(case(ready()), status=1) == "Preview failed with 1 error."


def test_without_a_change_there_is_nothing_to_say() -> None:
    """Also where there is a blocker of a migration that is over, or no migration at all."""
    assert verdict(stored("no-change")) == "No migration changes."
    assert verdict(Case(document([]))) == "No migration changes."
    found = record("web", None, warning(Code.PDB_BLOCKS))
    over = Case(document([], [message("web", "x", "warning")]), {urn("web"): found})
    assert (over.assess().level, verdict(over)) == (Level.NONE, "No migration changes.")


def test_a_plan_that_is_not_known() -> None:
    """Of one resource, or of one beside another."""
    unknown = step("api", {"planned_nodes": UNKNOWN})
    api = "<code>api</code> (nodes not planned yet)"
    assert verdict(Case(document([unknown]))) == f"Unknown: {api}."
    assert verdict(case(ready(), more=[unknown])) == f"Unknown: {SIXTEEN}; {api}."
    made = case(blocked(), more=[unknown])
    assert verdict(made).startswith(f"Needs attention: {SIXTEEN}; unknown: {api}; 2 blockers")


def test_without_a_record_nothing_is_known() -> None:
    """However harmless the messages are."""
    assert verdict(stored("joined")) == "Unknown: <code>web</code> (no details)."
    assert stored("create").assess().level is Level.UNKNOWN


def test_an_update_whose_service_could_not_be_asked() -> None:
    """How much of an older plan is still to be migrated, nobody knows then."""
    made = update(planned(2), warning(Code.UNPLANNED))
    assert verdict(made) == "Unknown: <code>web</code> (remaining nodes not known)."


def test_a_running_migration_that_is_stopped() -> None:
    """By a delete or a replacement, unless it is retained."""
    assert verdict(stored("delete")) == "Needs attention: no nodes to migrate; 1 stopped migration."
    assert "1 stopped migration" in verdict(stored("replace"))
    assert verdict(stored("retained")) == "Ready: no nodes to migrate."
    over = {"migration_id": "owm-1", "status": "FINISHED"}
    made = Case(document([step("web", None, op="delete", before={}, outputs=over)]))
    assert verdict(made) == "Ready: no nodes to migrate."


def test_several_migrations_are_added_up() -> None:
    """Pods only where they are known of all."""
    assert verdict(case(ready("api"), ready("web"))) == "Ready: 32 nodes with 192 pods will migrate."
    made = step("api", {"planned_nodes": planned(2)}), record("api", planned(2), summary(planned(2)))
    assert verdict(case(made, ready("web"))) == "Ready: 18 nodes will migrate."


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({"waiting": 3, "active": 2, "pods": 9}, "3 nodes with 9 pods will migrate; 2 nodes already migrating"),
        ({"waiting": 1, "active": 1}, "1 node will migrate; 1 node already migrating"),
        ({"waiting": 0, "active": 5}, "5 nodes already migrating"),
        ({"waiting": 0}, "no nodes to migrate"),
    ],
)
def test_the_amounts_are_those_of_the_summary(counts: dict[str, int], text: str) -> None:
    """A migration that goes on moves the rest of its plan."""
    assert verdict(update(planned(5), summary(planned(5), **counts))) == f"Ready: {text}."


def test_without_a_summary_the_planned_nodes_are_counted() -> None:
    """Those that an earlier migration took away are not."""
    gone = PlannedNode(instance_id="i-9", virtual_node_group_id="ols-1", migration_id="owm-1").entry
    made = Case(document([step("web", {"planned_nodes": planned(5) | {"i-9": gone}})]))
    assert made.assess().waiting == 5


DIGEST = plan_digest(planned(16), MigrationSpec())


def is_fully_approved(preview: ParsedPreview, assessment: Assessment) -> bool:
    """Return whether everything that `pulumi up` would start is known and approved."""
    return is_judged(preview, [assessment]) and not is_refused([assessment])


@pytest.mark.parametrize(
    ("approved", "approval"),
    [
        (None, Approval.MISSING),
        (DIGEST, Approval.GIVEN),
        (DIGEST[:16], Approval.GIVEN),
        (shorten_digest(DIGEST), Approval.OTHER),
        (hash_nodes(planned(16))[:16], Approval.OTHER),
        ("0123456789abcdef", Approval.OTHER),
        (UNKNOWN, Approval.OTHER),
        (HIDDEN, Approval.OTHER),
        (1, Approval.OTHER),
    ],
)
def test_the_approval_is_computed_from_the_inputs(approved: Any, approval: Approval) -> None:
    """With a record and without: only 16 digits or more of the digest itself approve."""
    made = case(ready(approved_plan=approved))
    for each in (made, Case(made.text)):
        assert each.assess().approval is approval
        assert is_fully_approved(each.parse(), each.assess()) is (approval is Approval.GIVEN)
        assert (each.assess().level is Level.FAIL) is (approval is Approval.OTHER)


def test_the_diagnostic_on_the_approval_counts() -> None:
    """It sees more than the inputs; it is no warning besides."""
    assessment = case(ready("web", error(Code.PLAN_NOT_APPROVED), approved_plan=DIGEST)).assess()
    assert (assessment.approval, assessment.issues) == (Approval.OTHER, {})
    assert assessment.refusals == ("a different plan is approved",)


def test_a_required_approval_that_is_missing_is_a_refusal() -> None:
    """`pulumi up` starts nothing."""
    assessment = case(ready("web", error(Code.PLAN_NOT_APPROVED))).assess()
    assert (assessment.approval, assessment.level) == (Approval.MISSING, Level.FAIL)
    assert assessment.refusals == ("the plan is not approved",)


def test_a_plan_that_is_being_carried_out_is_compared_as_it_was_reviewed() -> None:
    """What is being migrated has no match today, and none that anybody approved."""
    nodes = planned(2)
    today = {
        name: PlannedNode(instance_id=name, virtual_node_group_id="unknown").entry if name.endswith("1") else entry
        for name, entry in nodes.items()
    }
    inputs = {"planned_nodes": today, "approved_plan": plan_digest(nodes, MigrationSpec())}
    made = step("web", inputs, op="update", before={"planned_nodes": nodes})
    assessment = case((made, record("web", today, summary(today), approved=False))).assess()
    assert (assessment.approval, assessment.digest) == (Approval.GIVEN, plan_digest(nodes, MigrationSpec()))


def test_what_starts_nothing_needs_no_approval() -> None:
    """An end, nothing at all, and an update of options after the last node has moved."""
    done = update(planned(2), summary(planned(2), waiting=0))
    for made in (stored("delete"), stored("no-change"), done, case(migration("web", {}))):
        assert made.assess().approval is Approval.NOT_NEEDED
        assert is_fully_approved(made.parse(), made.assess())


def test_an_update_without_a_record_may_start_something() -> None:
    """Nobody knows what of its plan is still to be migrated."""
    made = Case(update(planned(2)).text)
    assert made.assess().approval is Approval.MISSING
    assert not is_fully_approved(made.parse(), made.assess())


def test_what_is_unknown_is_not_approved() -> None:
    """A plan that is not known, and a preview that failed."""
    made = Case(document([step("web", {"planned_nodes": UNKNOWN, "approved_plan": DIGEST})]))
    assert made.assess().approval is Approval.UNKNOWN
    assert not is_fully_approved(made.parse(), made.assess())
    made = case(ready(approved_plan=DIGEST))
    assert not is_fully_approved(made.parse(status=1), made.assess())


@pytest.mark.parametrize("value", [None, "x", [1], {"a": 1}, 1.5, False])
def test_a_summary_of_another_form_is_no_summary(value: Any) -> None:
    """The file may be of another version: what is still to be migrated is unknown then, and not nothing."""
    assessment = update(planned(5), info(Code.PLAN_SUMMARY, waiting=value, active=value, pods=value)).assess()
    assert (assessment.level, assessment.approval) == (Level.UNKNOWN, Approval.MISSING)
    assessment = update(planned(5), info(Code.PLAN_SUMMARY, waiting=5, active=value, pods=value)).assess()
    assert (assessment.waiting, assessment.active, assessment.pods) == (5, 0, None)
