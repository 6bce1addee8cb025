"""The inputs of the resource, validated."""

from __future__ import annotations

import inspect
from dataclasses import asdict
from typing import Any

import pytest

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.migration.spec.conditions import HttpCheck, KubernetesCondition
from ocean_migration_pulumi.migration.spec.options import MigrationOptions
from ocean_migration_pulumi.migration.spec.spec import INPUTS, MigrationSpec, changed_options, digest_value, read_spec
from ocean_migration_pulumi.migration.spec.stop_conditions import StopCheck, StopConditions
from tests.migration.builders import spec

REQUIRED = {"ocean_id": "o-1", "nodes": {"all_nodes": True}}


def test_defaults_destroy_nothing() -> None:
    """Nothing is terminated, deleted or forced unless an input says so."""
    found, errors = read_spec(REQUIRED)
    assert errors == []
    assert set(found.options.flags.values()) == {False}
    assert (found.new_nodes, found.unmatched_nodes, found.on_timeout) == ("report", "fail", "leave")
    assert (found.batch_size_percentage, found.prerequisites, found.when_busy) == (20, "enforce", "wait")
    assert (found.wait_for, found.stall_timeout, found.soak_time) == ("finished", 1800.0, 0.0)
    assert found.terminate_drained_nodes_on_stop is False
    assert found.planned_nodes is None


def test_absent_and_none_are_the_default() -> None:
    """A field that is None is not there."""
    assert read_spec({**REQUIRED, "soak_time": None, "triggers": None})[0] == read_spec(REQUIRED)[0]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"ocean_id": None}, "ocean_id is required"),
        ({"ocean_id": ""}, "ocean_id must not be empty"),
        ({"ocean_id": 7}, "ocean_id must be a string, not 7"),
        ({"batch_size_percentage": 75.0}, "batch_size_percentage must be a whole percentage from 1 to 50, not 75"),
        ({"batch_size_percentage": 12.5}, "batch_size_percentage must be a whole percentage from 1 to 50, not 12.5"),
        ({"batch_size_percentage": "ten"}, "batch_size_percentage must be a whole percentage from 1 to 50, not 'ten'"),
        ({"new_nodes": "follow"}, 'new_nodes must be "report" or "migrate", not \'follow\''),
        ({"unmatched_nodes": "ignore"}, 'unmatched_nodes must be "fail", "skip" or "allow", not \'ignore\''),
        ({"prerequisites": True}, 'prerequisites must be "enforce", "warn" or "off", not True'),
        ({"when_busy": ""}, 'when_busy must be "wait" or "fail", not empty'),
        ({"wait_for": "done"}, 'wait_for must be "finished", "started" or "progress", not \'done\''),
        ({"on_timeout": "kill"}, 'on_timeout must be "leave" or "stop", not \'kill\''),
        (
            {"stall_timeout": "soon"},
            'stall_timeout must be a duration such as "90s", "20m", "1h30m" or "never", not \'soon\'',
        ),
        ({"soak_time": "5"}, 'soak_time must be a duration such as "90s", "20m" or "1h30m", not \'5\''),
        (
            {"should_terminate_drained_nodes": "true"},
            "should_terminate_drained_nodes must be true or false, not 'true'",
        ),
        ({"triggers": "deploy"}, "triggers must be a list, not 'deploy'"),
        ({"virtual_node_group_ids": "ols-1"}, "virtual_node_group_ids must be a list of strings, not 'ols-1'"),
        ({"virtual_node_group_ids": ["ols-1", ""]}, "virtual_node_group_ids[1] must not be empty"),
        ({"planned_nodes": ["i-1"]}, "planned_nodes must be a map of the planned nodes, by instance id, not ['i-1']"),
        ({"wait_for_percentage": 50}, 'wait_for_percentage requires wait_for="progress"'),
        ({"wait_for": "progress"}, 'wait_for_percentage is required with wait_for="progress"'),
        (
            {"wait_for": "progress", "wait_for_percentage": 101},
            "wait_for_percentage must be a whole percentage from 1 to 100, not 101",
        ),
        ({"kubeconfig": 7}, "kubeconfig must be the content of a kubeconfig (text or mapping) or the path of one"),
        (
            {"kubeconfig": {"a": b"x"}},
            "kubeconfig must be the content of a kubeconfig (text or mapping) or the path of one",
        ),
        ({"kubeconfig": {}}, "kubeconfig must be the content of a kubeconfig (text or mapping) or the path of one"),
        (
            {"account_id": "123456789012"},
            "account_id must be a Spot account id such as act-123abcd, not '123456789012'",
        ),
        ({"notifications": 7}, "notifications must be a URL or a list of URLs"),
        ({"notifications": ["https://u:p@x.example"]}, "notifications[0] must be an https URL without credentials"),
        (
            {"notifications": "http://x.example/token"},
            "notifications must be an https URL (http only for this machine); the host is 'x.example'",
        ),
        (
            {"nodes": "web"},
            "nodes must be a selector (NodeSelectorArgs, or a map of its fields), not 'web'",
        ),
        ({"nodes": {"asg_name": ["web"]}}, "nodes.asg_name: unknown field; did you mean `asg_names`?"),
        (
            {"nodes": {"colour": "red"}},
            "nodes.colour: unknown field; valid fields: instance_ids, node_names, asg_names, eks_node_groups, "
            "virtual_node_groups, label_selector, exclude, all_nodes, limit",
        ),
        (
            {"nodes": {}},
            "nodes: no nodes selected; give one of instance_ids, node_names, asg_names, eks_node_groups, "
            "virtual_node_groups, label_selector, all_nodes",
        ),
        ({"nodes": {"all_nodes": True, "node_names": []}}, "nodes.node_names must not be empty; leave it out instead"),
        (
            {"nodes": {"all_nodes": True, "limit": "150%"}},
            'nodes.limit must be a number of nodes such as "5", or "1%" to "100%" of them, not \'150%\'',
        ),
        (
            {"nodes": {"all_nodes": True, "exclude": {"asg_names": ["web"], "limit": "1"}}},
            "nodes.exclude.limit is not allowed: an exclude has no limit",
        ),
    ],
    ids=repr,
)
def test_every_kind_of_bad_input_has_one_clear_line(inputs: dict[str, Any], message: str) -> None:
    """It names the input, what is allowed, and the value unless that may be a secret."""
    (problem,) = read_spec({**REQUIRED, **inputs})[1]
    assert str(problem) == message
    assert message.removeprefix(problem.property_name).lstrip(": ") == problem.message


@pytest.mark.parametrize(
    ("ours", "theirs", "differs"),
    [
        ({}, {"batch_size_percentage": 20}, False),
        ({"batch_size_percentage": 20}, {"batch_size_percentage": 30}, True),
        ({"should_evict_stand_alone_pods": False}, {"should_evict_stand_alone_pods": True}, True),
        ({"should_evict_stand_alone_pods": False}, {"should_terminate_drained_nodes": True}, False),
    ],
)
def test_options_differ_only_where_both_are_known(ours: dict[str, Any], theirs: dict[str, Any], differs: bool) -> None:
    """Ocean does not report every option of a migration."""
    assert MigrationOptions(**ours).differs_from(MigrationOptions(**theirs)) is differs
    assert MigrationOptions(**theirs).differs_from(MigrationOptions(**ours)) is differs


def test_options_of_a_spec_are_what_ocean_takes() -> None:
    """By the names of the arguments of the client."""
    options = spec(batch_size_percentage=30, should_terminate_drained_nodes=True).options
    parameters = inspect.signature(OceanClient.create_migration).parameters
    assert set(asdict(options)) <= set(parameters)
    assert options.batch_size_percentage == 30
    assert options.flags == {
        "should_terminate_drained_nodes": True,
        "should_evict_stand_alone_pods": False,
        "force_pod_eviction_on_pdb_failure": False,
    }


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
    "freeze",
    "ocean_id",
    "nodes",
    "virtual_node_group_ids",
    "planned_elsewhere",
    "later_migrations",
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
    "when_no_nodes": "succeed",
    "wait_for": "started",
    "wait_for_percentage": 5,
    "stall_timeout": None,
    "soak_time": 60.0,
    "health": "off",
    "settle_timeout": 60.0,
    "stop_when": StopConditions(broken_workloads=True),
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


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"broken_workloads": True}, StopConditions(broken_workloads=True)),
        ({"below_required_for": "20m"}, StopConditions(below_required_for=1200.0)),
        (
            {"broken_workloads": True, "unscheduled_for": "15m"},
            StopConditions(broken_workloads=True, unscheduled_for=900),
        ),
        ({"broken_workloads": None, "http_checks": None}, None),
        ({"http_checks": [], "kubernetes_conditions": []}, None),
        (
            {"http_checks": [{"url": "https://shop.example/?key=1", "for": "2m", "no_answer": "fail"}]},
            StopConditions(
                http_checks=(
                    StopCheck(
                        check=HttpCheck(url="https://shop.example/?key=1"), seconds=120.0, fails_without_answer=True
                    ),
                )
            ),
        ),
        (
            {"kubernetes_conditions": [{"kind": "Node", "name": "n"}, {"kind": "Node", "name": "n"}]},
            StopConditions(kubernetes_conditions=(StopCheck(check=KubernetesCondition(kind="Node", name="n")),)),
        ),
        ({}, None),
    ],
)
def test_stop_conditions(value: dict[str, Any], found: StopConditions | None) -> None:
    """What watches nothing is off."""
    assert read_spec({**REQUIRED, "stop_when": value})[0].stop_when == found


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("https://u:canary@shop.example", "must be a map with broken_workloads, below_required_for, unscheduled_for,"),
        ({"broken_workload": True}, "unknown field; did you mean `broken_workloads`?"),
        ({"broken_workloads": 1}, "must be true or false, not 1"),
        ({"below_required_for": "5m"}, "must be at least \"15m\", not '5m'"),
        ({"unscheduled_for": "14m59s"}, "must be at least \"15m\", not '14m59s'"),
        (
            {"http_checks": [{"url": "https://u:canary@shop.example"}]},
            "must be an http or https URL without credentials",
        ),
        ({"http_checks": [{"url": "https://a.example", "for": "soon"}]}, 'must be a duration such as "90s"'),
        ({"http_checks": [{"url": "https://a.example", "no_answer": True}]}, 'must be "ignore" or "fail", not True'),
        ({"kubernetes_conditions": [{"kind": "Node", "name": "n", "fro": "1m"}]}, "unknown field; did you mean `for`?"),
    ],
)
def test_bad_stop_conditions(value: Any, message: str) -> None:
    """The error names the field."""
    (problem,) = read_spec({**REQUIRED, "stop_when": value})[1]
    assert message in str(problem)
    assert "canary" not in str(problem)
    assert len(str(problem).splitlines()) == 1
    assert problem.property_name.startswith("stop_when")
