"""What stands in users' states: it must read in every later version."""

from __future__ import annotations

import base64
import json
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dill
import pytest
from pulumi.dynamic.dynamic import serialize_provider

from ocean_migration_pulumi.migration.spec.approval import names_nodes_alone, plan_digest
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode, parse_planned
from ocean_migration_pulumi.migration.spec.spec import read_spec
from ocean_migration_pulumi.migration.state.migration_record import MigrationRecord
from ocean_migration_pulumi.migration.state.progress import Progress
from ocean_migration_pulumi.migration.state.resource_state import ResourceState
from ocean_migration_pulumi.migration.state.unfinished import find_unfinished, report_last_run
from ocean_migration_pulumi.provider import OceanWorkloadMigration, OceanWorkloadMigrationProvider
from ocean_migration_pulumi.simulator import Simulator
from tests.support.plugin import PluginProcess
from tests.support.resource_plugin import TYPE, Resource, config_of

STORED = Path(__file__).parent / "data" / "state-0.1.json"
UNPROVEN = Path(__file__).parent / "data" / "state-0.1-unproven.json"

# The provider as Python 3.11 to 3.13 pickle it (protocol 4), and as 3.14 does (protocol 5).
PROTOCOL_4 = (
    b"\x80\x04\x95\x49\x00\x00\x00\x00\x00\x00\x00\x8c\x1focean_migration_pulumi.provider\x94"
    b"\x8c\x1eOceanWorkloadMigrationProvider\x94\x93\x94)\x81\x94."
)
PROTOCOL_5 = PROTOCOL_4.replace(b"\x80\x04", b"\x80\x05")


@pytest.mark.parametrize(("protocol", "golden"), [(4, PROTOCOL_4), (5, PROTOCOL_5)])
def test_pickled_provider_is_a_module_and_a_class(protocol: int, golden: bytes) -> None:
    """At most 100 bytes, and none of them state of an instance."""
    assert pickle.dumps(OceanWorkloadMigrationProvider(), protocol=protocol) == golden
    assert dill.dumps(OceanWorkloadMigrationProvider(), protocol=protocol) == golden
    assert len(golden) <= 100
    assert vars(OceanWorkloadMigrationProvider()) == {}


@pytest.mark.parametrize("golden", [PROTOCOL_4, PROTOCOL_5])
def test_provider_of_any_stored_state_loads(golden: bytes) -> None:
    """It is this class, wherever the state was written."""
    assert type(dill.loads(golden)) is OceanWorkloadMigrationProvider  # noqa: S301 - our own bytes


def test_pulumi_stores_the_provider_in_clear() -> None:
    """A blob that is always secret would be encrypted anew with every run."""
    stored = serialize_provider(OceanWorkloadMigrationProvider())
    assert base64.b64decode(stored) in {PROTOCOL_4, PROTOCOL_5}
    assert OceanWorkloadMigrationProvider.serialize_as_secret_always is False


def test_type_is_frozen() -> None:
    """It is part of every URN."""
    assert TYPE == "pulumi-python:dynamic/ocean-migration:OceanWorkloadMigration"
    assert all(resource["type"] == TYPE for resource in stored().values())
    assert OceanWorkloadMigration.__name__ == "OceanWorkloadMigration"


def stored(path: Path = STORED) -> dict[str, dict[str, Any]]:
    """Return the resources of ours in a state that version 0.1 has written, by name."""
    resources = json.loads(path.read_text())["deployment"]["resources"]
    return {
        resource["urn"].rpartition("::")[2]: resource for resource in resources if "OceanWorkload" in resource["urn"]
    }


def test_stored_state_is_of_a_finished_and_a_failed_resource() -> None:
    """So that both are read below."""
    found = stored()
    assert set(found) == {"web", "api"}
    assert "initErrors" not in found["web"]
    assert found["api"]["initErrors"]
    assert STORED.stat().st_size < 16_384


def test_finished_resource_of_a_stored_state_is_read_whole() -> None:
    """Nothing is left to do, and writing it again says the same."""
    resource = stored()["web"]
    state, (spec, problems) = ResourceState.from_outputs(resource["outputs"]), read_spec(resource["inputs"])
    assert problems == []
    assert find_unfinished(state, spec) is None
    assert state.succeeded
    assert state.planned == spec.planned_nodes
    assert state.migrated == {*state.planned}
    assert [node.asg_name for node in parse_planned(state.planned).values()] == ["web"] * 3
    again = state.to_outputs(spec, resource["inputs"], plan_digest(state.planned, spec))
    before = {name: value for name, value in resource["outputs"].items() if name != "__provider"}
    # The digest of version 0.1 covers the nodes alone.
    assert names_nodes_alone(state.planned, replace(spec, approved_plan=before.pop("plan_digest")))
    assert again.pop("plan_digest") == plan_digest(state.planned, spec)
    new = {"gone_nodes": [], "unverified_nodes": [], "remaining_reasons": {}, "missing_since": {}}
    assert json.loads(json.dumps(again)) == before | new | {"drained_since": before["completed_at"]}


def test_failed_resource_of_a_stored_state_goes_on() -> None:
    """Why it failed is known; of the nodes that it seemed to have migrated nothing is proven yet."""
    resource = stored()["api"]
    state, (spec, problems) = ResourceState.from_outputs(resource["outputs"]), read_spec(resource["inputs"])
    assert problems == []
    assert state.latest is not None
    assert state.latest.status == "FINISHED_ERROR"
    assert state.failure is not None
    assert state.failure["reason"] == "timeout"
    assert len(resource["outputs"]["remaining_nodes"]) == 1
    assert state.remaining == {*state.planned}
    assert state.doubted
    assert find_unfinished(state, spec) is not None
    reminder = report_last_run(state)
    assert reminder is not None
    assert reminder.fields["message"].endswith("took longer than Ocean allows")
    assert reminder.fields["nodes"] == 3


@pytest.mark.parametrize("name", ["failed", "stopped", "lost"])
def test_a_stored_state_whose_success_is_not_proven_is_judged_again(name: str) -> None:
    """Version 0.1 said that all was migrated because discovery no longer returned the nodes."""
    resource = stored(UNPROVEN)[name]
    assert resource["outputs"]["succeeded"] is True
    state, (spec, problems) = ResourceState.from_outputs(resource["outputs"]), read_spec(resource["inputs"])
    assert problems == []
    assert state.remaining == {*state.planned}
    assert state.migrated == set()
    assert not state.succeeded
    unfinished = find_unfinished(state, spec)
    assert unfinished is not None
    assert (unfinished.code, unfinished.fields["nodes"]) == ("nodes-remain", 3)
    assert bool(state.lost_migrations) is (name == "lost")


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[PluginProcess]:
    """Run a plugin that is pointed at a simulator that knows nothing of the stored state."""
    monkeypatch.setenv("HOME", str(tmp_path))
    with Simulator(nodes=6) as sim, PluginProcess() as process:
        account = stored()["web"]["outputs"]["effective_account_id"]
        process.configure(config_of(sim, **{"ocean-migration:account": account}))
        yield process


@pytest.mark.parametrize(("name", "changes"), [("web", False), ("api", True)])
def test_diff_of_a_stored_state_is_what_it_was(plugin: PluginProcess, name: str, changes: bool) -> None:
    """A new version makes no update of its own, and finds the work that was left."""
    resource = stored()[name]
    old = Resource(plugin, name, resource["inputs"], resource["outputs"], resource["id"])
    answer = old.diff(resource["inputs"])
    assert (answer.changes == 2) is changes
    assert list(answer.replaces) == []


NODE = "ip-192-168-{high}-{low}.ap-southeast-2.compute.internal"
ASG = "eks-workers-blue-7cc6a7a2-1e5c-4b5e-9d6b-4a1f4fd3c1f2"


def large(nodes: int = 1000) -> tuple[ResourceState, dict[str, Any]]:
    """Return record and inputs of a migration of so many nodes, with names as long as EKS gives them."""
    ids = [f"i-{number:017x}" for number in range(nodes)]
    planned = {
        instance_id: PlannedNode(
            instance_id=instance_id,
            node_name=NODE.format(high=100 + number // 250, low=number % 250),
            asg_name=ASG,
            virtual_node_group_id="ols-12345abc",
            virtual_node_group_name="workers-blue",
        ).entry
        for number, instance_id in enumerate(ids)
    }
    selector = {"asg_names": ["eks-workers-*"]}
    inputs = {"ocean_id": "o-1234abcd", "nodes": selector, "planned_nodes": planned}
    state = ResourceState(
        planned=planned,
        migrated=set(ids),
        drained=set(ids),
        ocean_nodes=[f"i-f{number:016x}" for number in range(nodes)],
        nodes=dict(selector),
        progress=100.0,
        effective_account_id="act-1234abcd",
    )
    state.add(
        MigrationRecord(
            id="owm-1234abcd",
            status="FINISHED",
            instance_ids=ids,
            batch_size_percentage=20,
            should_terminate_drained_nodes=False,
            should_evict_stand_alone_pods=False,
            force_pod_eviction_on_pdb_failure=False,
            created_at="2026-01-02T03:04:05.000Z",
            completed_at="2026-01-02T09:04:05.000Z",
        )
    )
    for number in range(100):
        progress = Progress(
            state="AWAIT_REPLACEMENTS", done=number, total=nodes, pods=10_000, unscheduled=100, manual=0
        )
        state.add_to_timeline("2026-01-02T03:04:05.000Z", progress)
    return state, inputs


def size(properties: dict[str, Any]) -> int:
    """Return the bytes of properties as JSON."""
    return len(json.dumps(properties, separators=(",", ":")).encode())


def outputs(state: ResourceState, inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the outputs of a record."""
    return state.to_outputs(read_spec(inputs)[0], inputs, plan_digest(state.planned, read_spec(inputs)[0]))


def test_a_thousand_nodes_keep_the_state_small() -> None:
    """Inputs of at most 160 KiB, outputs of at most 256 KiB."""
    state, inputs = large()
    assert size(inputs) <= 160 * 1024
    assert size(outputs(state, inputs)) <= 256 * 1024


def test_a_thousand_nodes_that_need_a_hand_keep_the_state_small() -> None:
    """However many pods are left over on them and wait for a node."""
    state, inputs = large()
    state.manual, state.migrated, state.drained = state.migrated, set(), set()
    many = [
        {"node": NODE.format(high=250, low=250), "pod": f"pod-{n:032}", "kind": "STAND_ALONE_POD"} for n in range(100)
    ]
    state.manual_pods = many
    state.unscheduled = [f"{number:036}" for number in range(100)]
    assert size(outputs(state, inputs)) <= 256 * 1024


def test_a_lost_migration_has_the_entry_that_it_had() -> None:
    """No pinned situation loses one; the name `lost` is frozen all the same, and read back."""
    entry = MigrationRecord(id="owm-1", lost=True).to_output()
    assert entry["lost"] is True
    assert MigrationRecord.from_output({"id": "owm-1", "lost": True}).lost is True
