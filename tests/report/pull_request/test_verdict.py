"""The verdict on a preview, and what of it was approved."""

from __future__ import annotations

from typing import Any

import pytest

from ocean_migration_pulumi.api.models.migration import Candidate
from ocean_migration_pulumi.migration.checks.service import GROUPS, IDLE
from ocean_migration_pulumi.migration.spec import diagnostic
from ocean_migration_pulumi.migration.spec.diagnostic import Kind
from ocean_migration_pulumi.migration.spec.planned_nodes import (
    PlannedNode,
    describe_difference,
    plan_digest,
    shorten_digest,
    summarize_plan,
)
from ocean_migration_pulumi.report.pull_request.preview import UNKNOWN, parse_preview
from ocean_migration_pulumi.report.pull_request.verdict import (
    Amounts,
    Approval,
    Judgement,
    is_approved_whole,
    judge_migration,
)
from tests.report.documents import blocked, document, line, plan_line, planned, ready, step, stored, unmatched, verdict

SIXTEEN = "16 nodes with 96 pods move into Ocean in 4 batches"


def judged(text: str) -> Judgement:
    """Judge the one migration of a preview."""
    (migration,) = parse_preview(text).migrations
    return judge_migration(migration)


def of(made: tuple[dict[str, Any], list[dict[str, Any]]], *more: dict[str, Any]) -> str:
    """Return the preview of one migration, with more lines."""
    return document([made[0]], [*made[1], *more])


def test_nothing_in_the_way_is_ready() -> None:
    """With the amounts of the plan."""
    assert verdict(of(ready())) == f"Ready: {SIXTEEN}."


def test_what_stands_in_the_way_is_counted() -> None:
    """Blockers, and prerequisites that are not met, or in doubt; those that nobody could look at are apart."""
    way = "3 things stand in the way, 1 thing could not be checked"
    assert verdict(of(blocked())) == f"Look first: {SIXTEEN}; {way}."
    more = [line("web", diagnostic.prerequisite(Kind.FAILED, "scaling", "off"), "warning"), line("web", "x", "warning")]
    way = "4 things stand in the way, 1 thing could not be checked, 1 warning"
    assert verdict(of(blocked(prerequisites="warn"), *more)) == f"Look first: {SIXTEEN}; {way}."


@pytest.mark.parametrize(
    ("name", "inputs", "refused"),
    [
        ("scaling", {}, True),
        ("scaling", {"prerequisites": "enforce"}, True),
        ("scaling", {"prerequisites": "warn"}, False),
        (GROUPS, {"prerequisites": "warn"}, True),
        (IDLE, {"prerequisites": "warn"}, True),
    ],
)
def test_a_prerequisite_that_is_not_met(name: str, inputs: dict[str, Any], refused: bool) -> None:
    """Is refused where the run refuses it: `unmatched_nodes` and `when_busy` are no matter of `prerequisites`."""
    told = verdict(of(ready(**inputs), line("web", diagnostic.prerequisite(Kind.FAILED, name, "no; do"), "warning")))
    if refused:
        assert told == f"Will be refused: the prerequisite <code>{name}</code> is not met."
    else:
        assert told == f"Look first: {SIXTEEN}; 1 thing stands in the way."


def test_unmatched_nodes_are_refused_although_nobody_looks_for_prerequisites() -> None:
    """Unless they may be migrated all the same."""
    made, lines = unmatched(prerequisites="off")
    lines = [each for each in lines if each["severity"] == "info"]
    assert verdict(document([made], lines)) == "Will be refused: 2 nodes match no Virtual Node Group."
    matched, more = ready(prerequisites="off")
    assert verdict(document([matched], more)) == f"Ready: {SIXTEEN}."
    made, _ = unmatched(prerequisites="off", unmatched_nodes="allow")
    assert verdict(document([made], lines)) == "Ready: 4 nodes with 9 pods move into Ocean in 1 batch."


def test_the_refusals_of_several_are_named() -> None:
    """At most three of them."""
    made = [unmatched(f"web-{number}") for number in range(5)]
    told = verdict(document([each for each, _ in made], [each for _, lines in made for each in lines]))
    assert told.startswith("Will be refused: <code>web-0</code>: the prerequisite")
    assert told.endswith("; and 2 more.")


def test_a_failed_preview_is_refused() -> None:
    """Whatever else it says."""
    assert verdict(stored("program-failure")) == "Will be refused: the preview failed with 1 error."
    assert verdict(of(ready()), status=1) == "Will be refused: the preview failed with 1 error."


def test_without_a_change_there_is_nothing_to_say() -> None:
    """Also where a blocker is told of a migration that is over, or there is no migration at all."""
    assert verdict(stored("no-change")) == "No migration changes."
    assert verdict(document([])) == "No migration changes."
    assert verdict(document([], [line("web", diagnostic.blocker("x"), "warning")])) == "No migration changes."


def test_a_plan_that_is_not_known() -> None:
    """Of one resource, or of one beside another."""
    unknown = step("api", {"planned_nodes": UNKNOWN})
    assert verdict(document([unknown])) == "Not known yet: which nodes <code>api</code> moves."
    made, lines = ready()
    told = f"Not known yet: which nodes <code>api</code> moves; {SIXTEEN}."
    assert verdict(document([unknown, made], lines)) == told
    made, lines = blocked()
    told = f"Look first: {SIXTEEN}; which nodes <code>api</code> moves is not known yet; 3 things stand in the way"
    assert verdict(document([unknown, made], lines)).startswith(told)


def test_an_update_whose_service_could_not_be_asked() -> None:
    """How much of an older plan is still to be done, nobody knows then."""
    nodes = {"planned_nodes": planned(2)}
    text = document([step("web", nodes, op="update", before=nodes)], [line("web", "cannot ask Spot", "warning")])
    assert verdict(text) == "Not known yet: which nodes <code>web</code> moves."


def test_a_running_migration_that_is_stopped() -> None:
    """By a delete or a replacement, unless it is retained."""
    assert verdict(stored("delete")) == "Look first: no node moves; 1 running migration is stopped."
    assert "1 running migration is stopped" in verdict(stored("replace"))
    assert verdict(stored("retained")) == "Ready: no node moves."
    over = {"migration_id": "owm-1", "status": "FINISHED"}
    assert verdict(document([step("web", None, op="delete", before={}, outputs=over)])) == "Ready: no node moves."


def test_several_migrations_are_added_up() -> None:
    """Batches are of one alone."""
    (first, lines), (second, more) = ready("api"), ready("web")
    told = "Ready: 32 nodes with 192 pods move into Ocean in 2 migrations."
    assert verdict(document([first, second], [*lines, *more])) == told


CANDIDATES = {f"i-{number}": Candidate(instance_id=f"i-{number}", running_pods=3) for number in range(5)}
PLANNED = {name: PlannedNode(instance_id=name, virtual_node_group_id="ols-1").entry for name in CANDIDATES}


@pytest.mark.parametrize(
    ("offered", "active", "amounts"),
    [
        (5, 0, Amounts(moving=5, pods=15, batches=5)),
        (3, 2, Amounts(moving=3, active=2, pods=9, batches=3)),
        (1, 0, Amounts(moving=1, pods=3, batches=1)),
        (0, 5, Amounts(moving=0, active=5)),
        (0, 0, Amounts()),
    ],
)
def test_the_amounts_are_those_of_the_plan(offered: int, active: int, amounts: Amounts) -> None:
    """As the line on the plan has them."""
    names = list(CANDIDATES)
    told = summarize_plan(
        PLANNED, {name: CANDIDATES[name] for name in names[:offered]}, names[offered : offered + active], 20
    )
    assert judged(document([step("web", {"planned_nodes": PLANNED})], [line("web", told)])).amounts == amounts


def test_what_is_being_migrated_already_is_told_apart() -> None:
    """A run that goes on moves the rest of its plan."""
    for active, told in [(1, "1 node is being migrated already"), (2, "2 nodes are being migrated already")]:
        names = list(CANDIDATES)
        offered = {name: CANDIDATES[name] for name in names[active:]}
        line_on_plan = summarize_plan(PLANNED, offered, names[:active], 50)
        text = document([step("web", {"planned_nodes": PLANNED})], [line("web", line_on_plan)])
        rest = f"{5 - active} nodes with {15 - 3 * active} pods move into Ocean in 2 batches"
        assert verdict(text) == f"Ready: {rest}; {told}."


def test_without_a_line_on_the_plan_its_nodes_are_counted() -> None:
    """Those that an earlier migration took away are not."""
    gone = PlannedNode(instance_id="i-9", virtual_node_group_id="ols-1", migration_id="owm-1").entry
    assert judged(document([step("web", {"planned_nodes": PLANNED | {"i-9": gone}})])).amounts == Amounts(moving=5)


DIGEST = plan_digest(planned(16))


@pytest.mark.parametrize(
    ("approved", "approval"),
    [
        (None, Approval.MISSING),
        (DIGEST, Approval.GIVEN),
        (shorten_digest(DIGEST), Approval.GIVEN),
        (DIGEST[:7], Approval.OTHER),
        ("0123456789abcdef", Approval.OTHER),
        (UNKNOWN, Approval.OTHER),
        ("[secret]", Approval.OTHER),
        (1, Approval.OTHER),
    ],
)
def test_what_was_approved(approved: Any, approval: Approval) -> None:
    """Only the digest itself, whole or as messages show it."""
    text = of(ready(approved_plan=approved))
    assert judged(text).approval is approval
    assert is_approved_whole(parse_preview(text), [judged(text)]) is (approval is Approval.GIVEN)
    refused = "Will be refused: the plan is not the approved one."
    assert verdict(text) == (refused if approval is Approval.OTHER else f"Ready: {SIXTEEN}.")


def test_what_the_check_says_of_the_approval_counts() -> None:
    """It sees more than the inputs; its line is no warning besides."""
    told = line("web", f"{describe_difference(planned(16), 'other')}; `up` will refuse it", "warning")
    judgement = judged(of(ready(approved_plan=DIGEST), told))
    assert (judgement.approval, judgement.warnings) == (Approval.OTHER, 0)


def test_a_plan_that_is_being_carried_out_is_compared_as_it_was_reviewed() -> None:
    """What is being migrated has no match today, and none that anybody approved."""
    nodes = planned(2)
    today = {
        name: PlannedNode(instance_id=name, virtual_node_group_id="unknown").entry if name.endswith("1") else entry
        for name, entry in nodes.items()
    }
    inputs = {"planned_nodes": today, "approved_plan": plan_digest(nodes)}
    text = document([step("web", inputs, op="update", before={"planned_nodes": nodes})])
    assert judged(text).approval is Approval.GIVEN
    assert judged(text).digest == plan_digest(nodes)


def test_what_starts_nothing_needs_no_approval() -> None:
    """An end, nothing at all, and an update of options after the last node has moved."""
    gone = [line("web", plan_line(planned(2), "Ocean offers none of them any more"))]
    nodes = {"planned_nodes": planned(2)}
    texts = [
        stored("delete"),
        stored("no-change"),
        document([step("web", nodes, op="update", before=nodes)], gone),
        document([step("web", {"planned_nodes": {}})]),
    ]
    for text in texts:
        assert judged(text).approval is Approval.NEEDLESS
        assert is_approved_whole(parse_preview(text), [judged(text)])


def test_what_cannot_be_told_is_not_approved() -> None:
    """A plan that is not known, and a preview that failed."""
    text = document([step("web", {"planned_nodes": UNKNOWN, "approved_plan": DIGEST})])
    assert judged(text).approval is Approval.UNKNOWN
    assert not is_approved_whole(parse_preview(text), [judged(text)])
    text = of(ready(approved_plan=DIGEST))
    assert not is_approved_whole(parse_preview(text, status=1), [judged(text)])
