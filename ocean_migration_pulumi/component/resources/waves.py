"""The waves of a migration: one resource each, in order, disjoint, with a gate between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi
from pulumi import Input, Output

from ocean_migration_pulumi.component.args import GATE_OPTIONS, WAVE_OPTIONS, GateArgs, WaveArgs
from ocean_migration_pulumi.gate import OceanMigrationGate
from ocean_migration_pulumi.provider import OceanWorkloadMigration

_REPORTED: Final = (
    *("migration_id", "status", "succeeded", "progress", "plan_digest", "failure"),
    *("planned_nodes", "migrated_nodes", "remaining_nodes", "manual_nodes", "drained_nodes"),
)


@dataclass(frozen=True, kw_only=True)
class WaveAccess:
    """What every wave and gate needs to ask about the cluster, and whom the waves notify."""

    ocean_id: Input[str]
    account_id: Input[str] | None = None
    kubeconfig: Input[str] | None = None
    kube_context: Input[str] | None = None
    notifications: Input[str | Sequence[Input[str]]] | None = None

    def inputs(self) -> dict[str, Any]:
        """Return it as inputs of a wave or a gate."""
        return {name: getattr(self, name) for name in ("ocean_id", "account_id", "kubeconfig", "kube_context")}


@dataclass(kw_only=True)
class Waves:
    """The resources that were made, by the names of their waves."""

    migrations: dict[str, OceanWorkloadMigration] = field(default_factory=dict)
    gates: dict[str, OceanMigrationGate] = field(default_factory=dict)


def make_waves(
    name: str,
    waves: Sequence[WaveArgs],
    gates: Sequence[GateArgs | None],
    *,
    access: WaveAccess,
    virtual_node_group_ids: Sequence[Input[str]],
    depends_on: Sequence[pulumi.Resource],
    parent: pulumi.Resource,
) -> Waves:
    """Declare the waves: each after ``depends_on``, after the wave before it, and after the gate of that.

    No wave plans what an earlier one has planned; that is known in the preview.
    """
    made = Waves()
    before: list[pulumi.Resource] = list(depends_on)
    for index, (wave, gate) in enumerate(zip(waves, gates, strict=True)):
        earlier = [migration.planned_nodes for migration in made.migrations.values()]
        migration = OceanWorkloadMigration(
            f"{name}-{wave.name}",
            nodes=wave.nodes,
            **access.inputs(),
            notifications=access.notifications,
            **{option: getattr(wave, option) for option in WAVE_OPTIONS},
            virtual_node_group_ids=list(virtual_node_group_ids) or None,
            planned_elsewhere=Output.all(*earlier).apply(_ids) if earlier else None,
            opts=pulumi.ResourceOptions(parent=parent, depends_on=list(before), custom_timeouts=wave.timeouts),
        )
        made.migrations[wave.name] = migration
        before = [*depends_on, migration]
        last = index == len(waves) - 1
        if gate is not None or not last:
            made.gates[wave.name] = _gate(name, wave, gate or GateArgs(), migration, access=access, parent=parent)
            before.append(made.gates[wave.name])
    return made


def _gate(
    name: str,
    wave: WaveArgs,
    gate: GateArgs,
    migration: OceanWorkloadMigration,
    *,
    access: WaveAccess,
    parent: pulumi.Resource,
) -> OceanMigrationGate:
    return OceanMigrationGate(
        f"{name}-{wave.name}-gate",
        **access.inputs(),
        migration_ids=migration.migrations.apply(lambda runs: [run["id"] for run in runs or ()]),
        succeeded=migration.succeeded,
        remaining=migration.remaining_nodes,
        **{option: getattr(gate, option) for option in GATE_OPTIONS},
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[migration]),
    )


def _ids(plans: Sequence[Mapping[str, str] | None]) -> list[str]:
    return sorted({instance_id for plan in plans for instance_id in plan or {}})


def report_of(migration: OceanWorkloadMigration) -> Output[dict[str, Any]]:
    """Return what a report needs of one wave."""
    outputs = {name: getattr(migration, name) for name in _REPORTED}
    return Output.all(**outputs).apply(lambda values: {name: each for name, each in values.items() if each is not None})


def totals_of(reports: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the numbers of nodes of all waves together."""
    return {
        name: sum(len(report.get(f"{name}_nodes") or ()) for report in reports)
        for name in ("planned", "migrated", "remaining", "manual", "drained")
    }
