"""Resources of the waves: a migration each, one after another and without common nodes, and the gates between them."""

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
    """Access to the cluster for all waves and gates, and notifications of the waves."""

    ocean_id: Input[str]
    """Id of the cluster."""
    account_id: Input[str] | None = None
    """Spot account. None means the account of the settings."""
    kubeconfig: Input[str] | None = None
    """Kubeconfig of the cluster. None means ``KUBECONFIG``."""
    kube_context: Input[str] | None = None
    """Context of the kubeconfig. None means its current context."""
    notifications: Input[str | Sequence[Input[str]]] | None = None
    """URLs that receive events of the waves. None means no notifications."""

    def inputs(self) -> dict[str, Any]:
        """Return the inputs that waves and gates have in common."""
        return {name: getattr(self, name) for name in ("ocean_id", "account_id", "kubeconfig", "kube_context")}


@dataclass(kw_only=True)
class Waves:
    """The resources by name of the wave."""

    migrations: dict[str, OceanWorkloadMigration] = field(default_factory=dict)
    """Migrations in their order."""
    gates: dict[str, OceanMigrationGate] = field(default_factory=dict)
    """Gates; the last wave has one only if it declares one."""


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
    """Register the waves in order; nodes that an earlier wave has planned are not planned again, also in previews.

    Args:
        name: Name of the component.
        waves: The waves.
        gates: Gate of each wave. None means the default gate, or no gate after the last wave.
        access: Access to the cluster.
        virtual_node_group_ids: Ids of the VNGs that the component creates.
        depends_on: Resources that all waves wait for.
        parent: The component.

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
            planned_elsewhere=Output.all(*earlier).apply(_list_planned) if earlier else None,
            opts=pulumi.ResourceOptions(parent=parent, depends_on=list(before), custom_timeouts=wave.timeouts),
        )
        made.migrations[wave.name] = migration
        before = [*depends_on, migration]
        last = index == len(waves) - 1
        if gate is not None or not last:
            made.gates[wave.name] = _make_gate(name, wave, gate or GateArgs(), migration, access=access, parent=parent)
            before.append(made.gates[wave.name])
    return made


def _make_gate(
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


def _list_planned(plans: Sequence[Mapping[str, str] | None]) -> list[str]:
    return sorted({instance_id for plan in plans for instance_id in plan or {}})


def collect_report(migration: OceanWorkloadMigration) -> Output[dict[str, Any]]:
    """Return the outputs of a wave for the component's output ``waves``."""
    outputs = {name: getattr(migration, name) for name in _REPORTED}
    return Output.all(**outputs).apply(lambda values: {name: each for name, each in values.items() if each is not None})


def count_nodes(reports: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the numbers of nodes of all waves for the component's output ``totals``."""
    return {
        name: sum(len(report.get(f"{name}_nodes") or ()) for report in reports)
        for name in ("planned", "migrated", "remaining", "manual", "drained")
    }
