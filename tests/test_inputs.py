"""The input types of the resource."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from datetime import date
from pathlib import PurePosixPath
from typing import Any, cast

import pulumi
import pytest
from pulumi import Output
from pulumi.runtime import rpc

from ocean_migration_pulumi import NodeSelectorArgs, NodeSelectorArgsDict, OceanMigrationGate, OceanWorkloadMigration
from ocean_migration_pulumi.inputs import resource_properties
from ocean_migration_pulumi.migration.gate.spec import GateSpec
from ocean_migration_pulumi.migration.health.baseline import HealthBaseline
from ocean_migration_pulumi.migration.spec.node_selector import NodeSelector
from ocean_migration_pulumi.migration.spec.options import declared_inputs
from ocean_migration_pulumi.migration.spec.spec import HIDDEN, MigrationSpec, read_spec
from ocean_migration_pulumi.migration.state.resource_state import MigrationRecord, ResourceState, UnansweredStart
from tests.support.coroutines import finish

GIVEN: dict[str, Any] = {
    "instance_ids": ["i-1"],
    "node_names": ["node-1"],
    "asg_names": ["web*"],
    "eks_node_groups": ["blue"],
    "virtual_node_groups": ["Default"],
    "label_selector": "a=b",
    "exclude": NodeSelectorArgs(instance_ids=["i-2"]),
    "all_nodes": True,
    "limit": "50%",
}


def print_nothing() -> None:
    """Stand for a function that a program passes by mistake."""


async def sent(value: Any) -> Any:
    """Return a value as the engine gets it."""
    return rpc.deserialize_properties(await rpc.serialize_properties({"nodes": value}, {}))["nodes"]


def run(value: Any) -> Any:
    """Return a value as the engine gets it."""
    return finish(sent(value))


def test_every_field_of_the_selector_arrives_as_it_was_given() -> None:
    """Under the names that the provider reads; fields that were not given are absent."""
    assert run(NodeSelectorArgs(**GIVEN)) == {**GIVEN, "exclude": {"instance_ids": ["i-2"]}}
    assert run(NodeSelectorArgs(all_nodes=True)) == {"all_nodes": True}
    assert NodeSelector.parse(run(NodeSelectorArgs(**GIVEN))).exclude == NodeSelector(instance_ids=("i-2",))


@pytest.mark.parametrize("kind", [NodeSelectorArgs, dict])
def test_output_without_a_value_selects_no_more_nodes(kind: Callable[..., Any]) -> None:
    """Such as one that another stack does not have: the field is refused, not left out."""

    async def arrive() -> Any:
        missing = Output.from_input(cast("Any", None))
        nodes = kind(asg_names=missing, label_selector="a=b", limit=Output.from_input("5"))
        arguments = {"resource_name": "web", "opts": None, "nodes": nodes}
        return await sent(resource_properties(OceanWorkloadMigration, MigrationSpec, arguments)["nodes"])

    arrived = finish(arrive())
    assert arrived == {"asg_names": "", "label_selector": "a=b", "limit": "5"}
    (problem,) = read_spec({"ocean_id": "o-1", "nodes": arrived})[1]
    assert str(problem) == "nodes.asg_names must be a list of strings, not empty"


def test_class_and_dictionary_have_the_fields_that_are_read() -> None:
    """By the same names, in the same order, and of the declared types."""
    declared = {name: f"Input[{each.type.annotation}] | None" for name, each in declared_inputs(NodeSelector).items()}
    parameters = inspect.signature(NodeSelectorArgs).parameters.values()
    assert {parameter.name: parameter.annotation for parameter in parameters} == declared
    assert all(parameter.kind is parameter.KEYWORD_ONLY and parameter.default is None for parameter in parameters)
    assert list(NodeSelectorArgsDict.__annotations__) == list(declared) == list(GIVEN)
    selector = NodeSelectorArgs(**GIVEN)
    assert {name: getattr(selector, name) for name in declared} == GIVEN


@pytest.mark.parametrize(
    ("resource", "spec", "positional"),
    [
        (OceanWorkloadMigration, MigrationSpec, ["resource_name", "ocean_id", "nodes"]),
        (OceanMigrationGate, GateSpec, ["resource_name", "ocean_id"]),
    ],
)
def test_constructor_has_the_declared_inputs(resource: type[Any], spec: type[Any], positional: list[str]) -> None:
    """By name, order, kind, default and type; what the provider sets itself is no parameter."""
    parameters = inspect.signature(resource).parameters
    declared = {name: each for name, each in declared_inputs(spec).items() if not each.internal}
    assert list(parameters) == ["resource_name", *declared, "opts"]
    assert [name for name, each in parameters.items() if each.kind is not each.KEYWORD_ONLY] == positional
    for name, each in declared.items():
        annotation = f"Input[{each.type.annotation}]"
        assert parameters[name].annotation == (annotation if name in positional else f"{annotation} | None"), name
        assert parameters[name].default is (inspect.Parameter.empty if name in positional else None), name
        assert each.required is (name in positional), name


def test_defaults_are_those_that_are_declared() -> None:
    """What a program would write as the default is read as what an absent input is."""
    for kind in (MigrationSpec, GateSpec, NodeSelector):
        for name, each in declared_inputs(kind).items():
            assert each.doc.endswith("."), name
            if each.default is not None and (kind, name) != (GateSpec, "timeout"):
                assert getattr(kind(), name) == each.type.read(name, each.default), name
    assert GateSpec().limit(None) == declared_inputs(GateSpec)["timeout"].type.read("timeout", "15m")


def test_secrets_are_marked_and_hidden() -> None:
    """The constructor marks them, and no repr shows them."""
    given = {
        **{"resource_name": "web", "opts": None},
        **{"ocean_id": "o-1", "kubeconfig": "canary", "notifications": "https://canary.example", "kube_context": None},
    }

    async def collect() -> dict[str, Any]:
        return resource_properties(OceanWorkloadMigration, MigrationSpec, given)

    properties = finish(collect())
    assert {name for name, value in properties.items() if isinstance(value, pulumi.Output)} == set(HIDDEN)
    assert "kube_context" not in properties
    assert set(OceanWorkloadMigration.__annotations__) < set(properties)
    assert "canary" not in repr(read_spec({"nodes": {"all_nodes": True}, **given})[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"nodes": NodeSelectorArgs}, "nodes must be a value, not the class NodeSelectorArgs"),
        ({"triggers": print_nothing}, "triggers must be a value, not the function print_nothing"),
        ({"triggers": [1, date(2026, 1, 2)]}, "triggers[1] has the type date; use a string, number, boolean, list or"),
        ({"triggers": [{"image": {1, 2}}]}, "triggers[0].image has the type set; use a string, "),
        ({"triggers": [{5: "a"}]}, "triggers[0] must have strings as keys"),
        ({"nodes": NodeSelectorArgs(asg_names={"web"})}, "nodes.asg_names has the type set; use a string, "),
        ({"nodes": {"exclude": {"instance_ids": range(2)}}}, "nodes.exclude.instance_ids has the type range; use a"),
        ({"kubeconfig": PurePosixPath("canary")}, "kubeconfig has the type PurePosixPath; use a string, number, "),
        ({"kubeconfig": b"canary"}, "kubeconfig has the type bytes; use a string, number, boolean, list or map ["),
        ({"resource_name": ""}, "resource_name must not be empty"),
        ({"opts": {"protect": True}}, "opts must be pulumi.ResourceOptions, not {'protect': True}"),
        ({"resource_name": 5}, "resource_name must be a string, not 5"),
    ],
)
def test_what_pulumi_cannot_serialize_is_one_line(arguments: dict[str, Any], message: str) -> None:
    """Not a traceback of Pulumi's serializer."""
    given: dict[str, Any] = {"resource_name": "web", "ocean_id": "o-1", "nodes": {"all_nodes": True}}
    with pytest.raises(pulumi.RunError, match=f"^{re.escape(message)}") as raised:
        OceanWorkloadMigration(**{**given, **arguments})
    assert "canary" not in str(raised.value)


def test_resource_names_every_output_that_is_written() -> None:
    """What a program may read; the rest is for the next run alone."""
    record = ResourceState(unscheduled=["p"], failure={"message": "m"}, soaked_until="t", effective_account_id="act-1")
    spec = read_spec({"ocean_id": "o-1", "nodes": {"all_nodes": True}})[0]
    record.drained, record.drained_usd_per_hour, record.asg_started = {"i-1"}, 0.1, ["i-2"]
    record.asg_other_nodes = {"web": ["i-3"]}
    record.unanswered = UnansweredStart(listed=[], instance_ids=[])
    record.baseline, record.workload_health = HealthBaseline(), {"state": "ready"}
    record.migrations.append(
        MigrationRecord(
            id="owm-1", created_at="a", completed_at="b", stopped_at="c", errored_at="d", instance_ids=["i-1"]
        )
    )
    written = set(record.to_outputs(spec, {}, "digest"))
    internal = {"nodes", "triggers", "terminated_nodes", "target_reached", "unanswered_start", "asg_other_nodes"}
    assert written - internal == set(OceanWorkloadMigration.__annotations__)
    assert all("Output" in str(hint) for hint in OceanWorkloadMigration.__annotations__.values())
    assert issubclass(OceanWorkloadMigration, pulumi.dynamic.Resource)
