"""The inputs of the resource, validated."""

from __future__ import annotations

from typing import Any

import pytest

from ocean_migration_pulumi.migration.spec.spec import INPUTS, MigrationSpec, changed_options, digest_value, read_spec
from tests.migration.builders import spec

REQUIRED = {"ocean_id": "o-1", "nodes": {"all_nodes": True}}


def problems(**inputs: Any) -> dict[str, str]:
    """Return what is said of inputs, by property."""
    return {problem.property_name: problem.message for problem in read_spec({**REQUIRED, **inputs})[1]}


def test_defaults_destroy_nothing() -> None:
    """What is not asked for does not happen."""
    found, errors = read_spec(REQUIRED)
    assert errors == []
    assert found.flags == (False, False, False)
    assert (found.new_nodes, found.unmatched_nodes, found.on_timeout) == ("report", "fail", "leave")
    assert (found.batch_size_percentage, found.prerequisites, found.when_busy) == (20, "enforce", "wait")
    assert (found.wait_for, found.stall_timeout, found.soak_time) == ("finished", 1800.0, 0.0)
    assert found.terminate_drained_nodes_on_stop is False
    assert found.planned_nodes is None


def test_absent_and_none_are_the_default() -> None:
    """A field that is None is not there."""
    assert read_spec({**REQUIRED, "soak_time": None, "triggers": None})[0] == read_spec(REQUIRED)[0]


@pytest.mark.parametrize(
    ("inputs", "name", "shown", "allowed"),
    [
        ({"batch_size_percentage": 0.0}, "batch_size_percentage", "0", "1 to 50"),
        ({"batch_size_percentage": 51.0}, "batch_size_percentage", "51", "1 to 50"),
        ({"batch_size_percentage": 12.5}, "batch_size_percentage", "12.5", "1 to 50"),
        ({"batch_size_percentage": "ten"}, "batch_size_percentage", "'ten'", "1 to 50"),
        ({"nodes": {}}, "nodes", "selects nothing", "all_nodes"),
        ({"new_nodes": "follow"}, "new_nodes", "'follow'", '"migrate"'),
        ({"unmatched_nodes": "ignore"}, "unmatched_nodes", "'ignore'", '"skip"'),
        ({"prerequisites": True}, "prerequisites", "True", '"enforce"'),
        ({"when_busy": ""}, "when_busy", "''", '"wait"'),
        ({"wait_for": "done"}, "wait_for", "'done'", '"started"'),
        ({"on_timeout": "kill"}, "on_timeout", "'kill'", '"leave"'),
        ({"stall_timeout": "soon"}, "stall_timeout", "'soon'", '"never"'),
        ({"soak_time": "5"}, "soak_time", "'5'", '"20m"'),
        ({"nodes": {"all_nodes": True, "limit": "0"}}, "nodes.limit", "'0'", "at least 1"),
        ({"nodes": {"all_nodes": True, "limit": "150%"}}, "nodes.limit", "'150%'", "1% to 100%"),
        ({"should_terminate_drained_nodes": "true"}, "should_terminate_drained_nodes", "'true'", "true or false"),
        ({"triggers": "deploy"}, "triggers", "'deploy'", "a list"),
        ({"planned_nodes": ["i-1"]}, "planned_nodes", "['i-1']", "what the preview planned"),
        ({"virtual_node_group_ids": "ols-1"}, "virtual_node_group_ids", "'ols-1'", "a list of texts"),
        ({"wait_for_percentage": 50}, "wait_for_percentage", "goes only", 'wait_for="progress"'),
        ({"wait_for": "progress"}, "wait_for_percentage", "is required", "1 to 100"),
        ({"wait_for": "progress", "wait_for_percentage": 101}, "wait_for_percentage", "101", "1 to 100"),
        ({"ocean_id": ""}, "ocean_id", "''", "a text that is not empty"),
    ],
    ids=repr,
)
def test_bad_input_names_property_value_and_what_is_allowed(
    inputs: dict[str, Any], name: str, shown: str, allowed: str
) -> None:
    """One problem for one mistake, with all that is needed to mend it."""
    found = problems(**inputs)
    assert list(found) == [name]
    assert shown in found[name]
    assert allowed in found[name]


def test_every_mistake_is_reported_at_once() -> None:
    """Nobody has to run a preview for each of them; defaults stand in for them."""
    found, errors = read_spec({"batch_size_percentage": 0, "soak_time": "x"})
    assert {error.property_name for error in errors} == {"ocean_id", "nodes", "batch_size_percentage", "soak_time"}
    assert found == MigrationSpec()


def test_unknown_inputs_are_not_judged() -> None:
    """What is known only later is judged later."""
    unknown = frozenset({"ocean_id", "nodes", "wait_for_percentage"})
    assert read_spec({"ocean_id": object(), "nodes": object(), "wait_for": "progress"}, unknown=unknown)[1] == []


def test_later_versions_inputs_are_passed_over() -> None:
    """A state of a later version still reads."""
    assert read_spec({**REQUIRED, "colour": "red", "__provider": "x"}) == read_spec(REQUIRED)


def test_numbers_of_the_wire_make_no_change() -> None:
    """3 and 3.0 are one number, an absent option is its default, and a duration is its length."""
    old = read_spec({**REQUIRED, "batch_size_percentage": 20.0, "triggers": [1.0, {"a": (2.0,)}], "soak_time": "60s"})[
        0
    ]
    new = read_spec({**REQUIRED, "triggers": [1, {"a": [2]}], "soak_time": "1m", "stall_timeout": "30m"})[0]
    assert changed_options(old, new) == []
    assert old.triggers_digest == new.triggers_digest


@pytest.mark.parametrize("value", [[1], [True], ["1"], [[1]], [None], [], [{"a": 1}]], ids=repr)
def test_each_trigger_has_its_own_digest(value: list[Any]) -> None:
    """Values that look alike are told apart."""
    others = [[1], [True], ["1"], [[1]], [None], [], [{"a": 1}], [1, 2]]
    assert [digest_value(other) for other in others].count(digest_value(value)) == 1


NOT_COMPARED = {
    "ocean_id",
    "nodes",
    "virtual_node_group_ids",
    "planned_elsewhere",
    "account_id",
    "kube_context",
    "planned_nodes",
}
OTHER = {
    "new_nodes": "migrate",
    "batch_size_percentage": 30,
    "should_terminate_drained_nodes": True,
    "should_evict_stand_alone_pods": True,
    "force_pod_eviction_on_pdb_failure": True,
    "unmatched_nodes": "allow",
    "prerequisites": "off",
    "approved_plan": "feedbeef",
    "when_busy": "fail",
    "wait_for": "started",
    "wait_for_percentage": 5,
    "stall_timeout": None,
    "soak_time": 60.0,
    "on_timeout": "stop",
    "terminate_drained_nodes_on_stop": True,
    "triggers": (1,),
}


def test_every_option_is_compared_but_what_selects() -> None:
    """A field that is added to the inputs has to be put on one side or the other."""
    assert set(OTHER) == set(INPUTS) - NOT_COMPARED
    for name, value in OTHER.items():
        assert changed_options(spec(), spec(**{name: value})) == [name]


def test_virtual_node_groups_to_wait_for_are_not_compared() -> None:
    """They are there for the order alone."""
    assert changed_options(spec(), spec(virtual_node_group_ids=("ols-1",))) == []
