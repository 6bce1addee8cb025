"""Approval: what the digest covers, what approves it, and what is told of a change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.spec import input_readers
from ocean_migration_pulumi.migration.spec.approval import (
    REVIEWED,
    PlanChange,
    find_changes,
    is_approved,
    is_outdated,
    plan_digest,
    shorten_digest,
)
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode, hash_nodes
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.migration.spec.stop_conditions import StopConditions, read_stop_conditions
from tests.migration.builders import candidate

SPEC = MigrationSpec()
CHANGED: dict[str, Any] = {
    "batch_size_percentage": 50,
    "should_terminate_drained_nodes": True,
    "should_evict_stand_alone_pods": True,
    "force_pod_eviction_on_pdb_failure": True,
    "unmatched_nodes": "allow",
    "prerequisites": "off",
    "on_timeout": "stop",
    "terminate_drained_nodes_on_stop": True,
    "health": "warn",
    "stop_when": StopConditions(broken_workloads=True),
    "triggers": ("again",),
}


def entries(*names: str, vng: str = "ols-1") -> dict[str, str]:
    """Return a plan of nodes."""
    return {name: PlannedNode.from_candidate(candidate(name, vng=vng), {}).entry for name in names}


PLAN = entries("a", "b")
DIGEST = plan_digest(PLAN, SPEC)


def approved(**now: Any) -> MigrationSpec:
    """Return the inputs of today with the digest of the plan as it was before."""
    return replace(SPEC, approved_plan=DIGEST, **now)


def test_the_digest_covers_what_a_reviewer_approves() -> None:
    """Each input of the list, and the nodes; nothing else."""
    assert set(CHANGED) == set(REVIEWED)
    assert len(DIGEST) == 32
    others = [plan_digest(PLAN, replace(SPEC, **{name: value})) for name, value in CHANGED.items()]
    others += [plan_digest(entries("a"), SPEC), plan_digest(entries("a", "b", vng="ols-2"), SPEC)]
    assert len({DIGEST, *others}) == len(others) + 1
    unreviewed = {"new_nodes": "migrate", "when_busy": "fail", "stall_timeout": 1.0, "approved_plan": "feedbeef" * 2}
    assert plan_digest(PLAN, replace(SPEC, **unreviewed)) == DIGEST
    assert shorten_digest(DIGEST) == DIGEST[:8]


def test_numbers_of_the_wire_are_the_same_triggers() -> None:
    """Pulumi's numbers are floats."""
    assert plan_digest(PLAN, replace(SPEC, triggers=(3,))) == plan_digest(PLAN, replace(SPEC, triggers=(3.0,)))


@pytest.mark.parametrize("name", REVIEWED)
def test_an_unknown_input_makes_the_digest_unknown(name: str) -> None:
    """Nothing approves an unknown digest."""
    unknown = replace(approved(), unknown=frozenset({name}))
    assert plan_digest(PLAN, unknown) == ""
    assert not is_approved(PLAN, unknown)
    assert find_changes(PLAN, unknown) == ()
    assert plan_digest(PLAN, replace(SPEC, unknown=frozenset({"kubeconfig"}))) == DIGEST


@pytest.mark.parametrize(
    ("given", "is_enough"), [(DIGEST, True), (DIGEST[:16], True), (DIGEST[:8], False), (DIGEST + "0", False)]
)
def test_sixteen_digits_approve(given: str, is_enough: bool) -> None:
    """Fewer do not, and neither do more than there are."""
    assert is_approved(PLAN, replace(SPEC, approved_plan=given)) is is_enough


def test_an_approval_of_version_0_1_is_outdated() -> None:
    """It covers the nodes alone; one of 8 digits is too short besides."""
    old = hash_nodes(PLAN)[:16]
    assert not is_approved(PLAN, replace(SPEC, approved_plan=old))
    for given in (old, old[:8], DIGEST[:8]):
        assert is_outdated(PLAN, replace(SPEC, approved_plan=given))
    for given in (DIGEST, DIGEST[:16], "feedbeef" * 2, None):
        assert not is_outdated(PLAN, replace(SPEC, approved_plan=given))


@pytest.mark.parametrize("value", ["xyz", "", "feedbee", "feedbeef1", "g" * 16, "a" * 65, 12345678, None, ["a" * 16]])
def test_what_is_no_digest_is_bad_input(value: Any) -> None:
    """The error says what is expected."""
    with pytest.raises(InputError, match="must be a plan digest, 16 hexadecimal digits or more"):
        input_readers.read_digest("approved_plan", value)


def test_digests_are_read_in_any_case() -> None:
    """Blanks around them do not matter either."""
    assert input_readers.read_digest("approved_plan", f" {DIGEST.upper()}\n") == DIGEST


@pytest.mark.parametrize("name", [name for name in REVIEWED if name != "triggers"])
def test_the_change_of_one_option_is_found(name: str) -> None:
    """With the value that was approved."""
    before, now = getattr(SPEC, name), CHANGED[name]
    if name == "stop_when":
        before, now = "off", "broken_workloads"
    change = PlanChange(name=name, approved=before, now=now)
    assert find_changes(PLAN, approved(**{name: CHANGED[name]})) == (change,)


def test_checks_that_stop_are_part_of_the_digest() -> None:
    """All of them, but no message shows the query of a URL or what its answer has to contain."""

    def digest(**check: Any) -> tuple[str, StopConditions]:
        found = read_stop_conditions("stop_when", {"http_checks": [{"url": "https://shop.example/", **check}]})
        assert found is not None
        return plan_digest(PLAN, replace(SPEC, stop_when=found)), found

    secret = {"url": "https://shop.example/?key=canary", "contains": "canary"}
    variants = [{}, {"for": "1m"}, {"no_answer": "fail"}, {"status": 204}, {"contains": "ok"}, secret]
    digests = {digest(**variant)[0] for variant in variants}
    assert len({DIGEST, *digests}) == 1 + len(variants)
    hidden, conditions = digest(**secret)
    assert "canary" not in f"{conditions}{conditions!r}"
    (change,) = find_changes(PLAN, replace(SPEC, stop_when=conditions, approved_plan=DIGEST))
    assert change == PlanChange(name="stop_when", approved="off", now="https://shop.example/ for 10m00s")
    assert hidden == digest(**secret)[0]


def test_defaults_of_later_inputs_keep_older_digests() -> None:
    """Whoever approved a plan before there were health and stop_when approved it as it is by default."""
    assert plan_digest(PLAN, replace(SPEC, health="enforce", stop_when=None)) == DIGEST


def test_changes_of_many_options_are_found() -> None:
    """All of them at once, with triggers that were set since."""
    found = find_changes(PLAN, approved(**CHANGED))
    assert [change.name for change in found] == list(REVIEWED)


def test_what_the_state_knows_is_found() -> None:
    """Other triggers and other nodes than today's."""
    before = replace(SPEC, triggers=("before",))
    spec = replace(SPEC, approved_plan=plan_digest(PLAN, before), triggers=("now",))
    assert find_changes(PLAN, spec) == ()
    assert find_changes(PLAN, spec, old_triggers=["before"]) == (PlanChange(name="triggers"),)
    more = entries("a", "b", "c")
    changes = (PlanChange(name="planned_nodes"), PlanChange(name="prerequisites", approved="enforce", now="off"))
    assert find_changes(more, approved(prerequisites="off"), old_planned=PLAN) == changes
    assert find_changes(more, approved()) == ()
    brake = StopConditions(below_required_for=900.0)
    fewer = replace(SPEC, approved_plan=plan_digest(PLAN, replace(SPEC, stop_when=brake)))
    (change,) = find_changes(PLAN, fewer, old_stop_when=brake)
    assert (change.name, change.now) == ("stop_when", "off")
    assert find_changes(PLAN, fewer) == ()


def test_an_approved_plan_has_no_changes() -> None:
    """Neither has one without an approval."""
    assert find_changes(PLAN, approved()) == find_changes(PLAN, SPEC) == ()
