"""The input types of the resource."""

from __future__ import annotations

import asyncio
import inspect
from contextlib import closing
from typing import Any

import pulumi
from pulumi.runtime import rpc

from ocean_migration_pulumi import NodeSelectorArgs, NodeSelectorArgsDict, OceanWorkloadMigration
from ocean_migration_pulumi.migration.spec.node_selector import NodeSelector
from ocean_migration_pulumi.migration.spec.spec import ACCEPTED, MigrationSpec, read_spec
from ocean_migration_pulumi.migration.state.resource_state import MigrationRecord, ResourceState, UnansweredStart

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


async def sent(value: Any) -> Any:
    """Return a value as the engine gets it."""
    return rpc.deserialize_properties(await rpc.serialize_properties({"nodes": value}, {}))["nodes"]


def run(value: Any) -> Any:
    """Return a value as the engine gets it; pulumi's mocks still find their event loop afterwards."""
    with closing(asyncio.new_event_loop()) as loop:
        return loop.run_until_complete(sent(value))


def test_every_field_of_the_selector_arrives_as_it_was_given() -> None:
    """Under the names that the provider reads; fields that were not given are absent."""
    assert run(NodeSelectorArgs(**GIVEN)) == {**GIVEN, "exclude": {"instance_ids": ["i-2"]}}
    assert run(NodeSelectorArgs(all_nodes=True)) == {"all_nodes": True}
    assert NodeSelector.parse(run(NodeSelectorArgs(**GIVEN))).exclude == NodeSelector(instance_ids=("i-2",))


def test_class_and_dictionary_have_the_fields_that_are_read() -> None:
    """One list of fields in three places."""
    fields = set(NodeSelector.__dataclass_fields__)
    assert set(NodeSelectorArgsDict.__annotations__) == fields == set(GIVEN)
    assert set(inspect.signature(NodeSelectorArgs).parameters) == fields
    selector = NodeSelectorArgs(**GIVEN)
    assert {name: getattr(selector, name) for name in fields} == GIVEN


def test_resource_takes_every_input_that_is_read() -> None:
    """But what `check` itself adds."""
    parameters = set(inspect.signature(OceanWorkloadMigration).parameters) - {"resource_name", "opts"}
    assert (
        parameters == set(ACCEPTED) - {"planned_nodes"} == set(MigrationSpec.__dataclass_fields__) - {"planned_nodes"}
    )


def test_resource_names_every_output_that_is_written() -> None:
    """What a program may read; the rest is for the next run alone."""
    record = ResourceState(unscheduled=["p"], failure={"message": "m"}, soaked_until="t", effective_account_id="act-1")
    spec = read_spec({"ocean_id": "o-1", "nodes": {"all_nodes": True}})[0]
    record.unanswered = UnansweredStart(listed=[], instance_ids=[])
    record.runs.append(MigrationRecord(id="owm-1", created_at="a", completed_at="b", stopped_at="c", errored_at="d"))
    written = set(record.to_outputs(spec, {}, "digest"))
    internal = {"nodes", "triggers", "terminated_nodes", "target_reached", "unanswered_start"}
    assert written - internal == set(OceanWorkloadMigration.__annotations__)
    assert all("Output" in str(hint) for hint in OceanWorkloadMigration.__annotations__.values())
    assert issubclass(OceanWorkloadMigration, pulumi.dynamic.Resource)
