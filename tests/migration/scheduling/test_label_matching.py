"""Conditions on labels, and tolerations of taints."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.migration.scheduling import label_matching
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import Requirement, Taint, Toleration
from ocean_migration_pulumi.migration.scheduling.label_matching import Unsure

OPERATORS = ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
words = st.sampled_from(["", "a", "b", "3", "10"])
requirements = st.builds(
    Requirement,
    key=st.sampled_from(["team", "disk"]),
    operator=st.sampled_from(OPERATORS),
    values=st.lists(words, max_size=3).map(tuple),
)
taints = st.builds(
    Taint, key=st.sampled_from(["team", "gpu"]), value=words, effect=st.sampled_from(["NoSchedule", "NoExecute"])
)
tolerations = st.builds(
    Toleration,
    key=st.sampled_from(["", "team", "gpu"]),
    operator=st.sampled_from(["Equal", "Exists", ""]),
    value=words,
    effect=st.sampled_from(["", "NoSchedule", "NoExecute"]),
)


def naive_holds(part: Requirement, given_labels: dict[str, str]) -> bool:
    """Judge a condition word for word as Kubernetes' reference tells it."""
    has = part.key in given_labels
    value = given_labels.get(part.key, "")
    if part.operator == "In":
        return has and any(value == wanted for wanted in part.values)
    if part.operator == "NotIn":
        return not (has and any(value == wanted for wanted in part.values))
    if part.operator == "Exists":
        return has
    if part.operator == "DoesNotExist":
        return not has
    if not has or len(part.values) != 1 or not value.isdigit() or not part.values[0].isdigit():
        return False
    return int(value) > int(part.values[0]) if part.operator == "Gt" else int(value) < int(part.values[0])


def naive_tolerates(toleration: Toleration, taint: Taint) -> bool:
    """Judge a toleration by listing everything that it is for."""
    keys = [toleration.key] if toleration.key else ["team", "gpu"]
    effects = [toleration.effect] if toleration.effect else ["NoSchedule", "NoExecute"]
    if toleration.operator == "Exists":
        values = ["", "a", "b", "3", "10"]
    else:
        values = [toleration.value] if toleration.key else []
    return (taint.key, taint.value, taint.effect) in set(product(keys, values, effects))


@pytest.mark.parametrize(
    ("operator", "values", "value", "expected"),
    [
        ("In", ("a", "b"), "b", True),
        ("In", ("a",), "b", False),
        ("In", ("a",), None, False),
        ("In", (), "a", False),
        ("NotIn", ("a",), "b", True),
        ("NotIn", ("a",), "a", False),
        ("NotIn", ("a",), None, True),
        ("Exists", (), "", True),
        ("Exists", (), None, False),
        ("DoesNotExist", (), "", False),
        ("DoesNotExist", (), None, True),
        ("Gt", ("9",), "10", True),
        ("Gt", ("10",), "10", False),
        ("Lt", ("10",), "-9", True),
        ("Lt", ("10",), "ten", False),
        ("Lt", ("10",), None, False),
        ("Lt", ("1_0",), "5", False),
        ("Gt", ("1", "2"), "5", False),
        ("Like", ("a",), "a", False),
    ],
)
def test_condition_on_a_label(operator: str, values: tuple[str, ...], value: str | None, expected: bool) -> None:
    """A missing label satisfies only what asks for its absence, or not for a value."""
    assert label_matching.holds(Requirement(key="team", operator=operator, values=values), value) is expected


@given(st.lists(requirements, max_size=3), st.dictionaries(st.sampled_from(["team", "disk"]), words))
def test_selector_is_judged_as_the_reference_tells_it(
    selector: list[Requirement], given_labels: dict[str, str]
) -> None:
    """Whatever the conditions are."""
    expected = all(naive_holds(part, given_labels) for part in selector)
    assert label_matching.selects(tuple(selector), given_labels) is expected


def test_no_selector_takes_nothing_and_an_empty_one_everything() -> None:
    """As for PodDisruptionBudgets of policy/v1."""
    assert not label_matching.selects(None, {"team": "a"})
    assert label_matching.selects((), {})


@given(requirements)
def test_what_is_not_known_of_a_label_decides_nothing_that_its_value_could_change(part: Requirement) -> None:
    """A verdict without the value is that for every value."""
    possible = [*["", "a", "b", "3", "10", "other", "-1", "1000"]]
    verdict = label_matching.may_hold(part, Unsure.VALUE)
    if verdict is not None:
        assert {label_matching.holds(part, value) for value in possible} == {verdict}
    assert label_matching.may_hold(part, Unsure.PRESENCE) is None
    assert label_matching.may_hold(part, "a") is label_matching.holds(part, "a")
    assert label_matching.may_hold(part, None) is label_matching.holds(part, None)


@pytest.mark.parametrize(
    ("toleration", "expected"),
    [
        (Toleration(key="gpu", value="yes", effect="NoSchedule"), True),
        (Toleration(key="gpu", value="yes"), True),
        (Toleration(key="gpu", value="no"), False),
        (Toleration(key="gpu", value="yes", effect="NoExecute"), False),
        (Toleration(key="gpu", operator="Exists"), True),
        (Toleration(key="gpu", operator="", value="yes"), True),
        (Toleration(key="team", operator="Exists"), False),
        (Toleration(operator="Exists"), True),
        (Toleration(operator="Exists", effect="NoExecute"), False),
        (Toleration(), False),
        (Toleration(value="yes"), False),
        (Toleration(key="gpu", operator="Like", value="yes"), False),
    ],
)
def test_toleration_of_a_taint(toleration: Toleration, expected: bool) -> None:
    """No key with Exists is every taint, no effect is every effect."""
    taint = Taint(key="gpu", value="yes", effect="NoSchedule")
    assert label_matching.tolerates([toleration], taint) is expected


@given(st.lists(tolerations, max_size=3), taints)
def test_tolerations_are_judged_as_the_reference_tells_it(given_ones: list[Toleration], taint: Taint) -> None:
    """One that matches is enough."""
    assert label_matching.tolerates(given_ones, taint) is any(naive_tolerates(one, taint) for one in given_ones)


verdicts = st.lists(st.sampled_from([True, False, None]), max_size=4)


@given(verdicts)
def test_verdicts_together_are_those_of_every_way_they_could_turn_out(given_ones: list[bool | None]) -> None:
    """None is what both True and False would be possible for."""
    worlds = list(product(*([one] if one is not None else [True, False] for one in given_ones)))
    for combine, plain in ((label_matching.all_of, all), (label_matching.any_of, any)):
        possible = {plain(world) for world in worlds}
        assert combine(given_ones) is (possible.pop() if len(possible) == 1 else None)
