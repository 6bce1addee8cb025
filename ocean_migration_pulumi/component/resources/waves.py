"""Resources of the waves: a migration each, one after another and without common nodes, and the gates between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import pulumi
from pulumi import Input, Output

from ocean_migration_pulumi.component.args import GATE_OPTIONS, WAVE_OPTIONS, CheckedArgs, GateArgs, WaveArgs
from ocean_migration_pulumi.gate import OceanMigrationGate
from ocean_migration_pulumi.provider import OceanWorkloadMigration

_REPORTED: Final = (
    *("migration_id", "status", "succeeded", "progress", "plan_digest", "failure"),
    *("planned_nodes", "migrated_nodes", "remaining_nodes", "manual_nodes", "drained_nodes"),
    *("gone_nodes", "unverified_nodes"),
)

_STOP_WHEN: Final = {"broken_workloads": True}
"""What stops a wave that does not say it."""


def make_waves(
    name: str,
    declared: CheckedArgs,
    *,
    ocean_id: Input[str],
    vngs: Mapping[str, pulumi.CustomResource],
    depends_on: Input[list[pulumi.Resource]],
    parent: pulumi.Resource,
) -> dict[str, OceanWorkloadMigration]:
    """Declare the waves: each after ``depends_on``, after the wave before it, and after the gate of that.

    No wave plans what an earlier one has planned; that is known in the preview.

    Args:
        name: Name of the component.
        declared: Its arguments.
        ocean_id: The Ocean cluster.
        vngs: The Virtual Node Groups of the component by name; a wave waits for those that it needs.
        depends_on: What every wave waits for.
        parent: The component.

    Returns:
        The migrations by the names of their waves.
    """
    access = {option: getattr(declared.args, option) for option in ("account_id", "kubeconfig", "kube_context")}
    access["ocean_id"] = ocean_id
    made: dict[str, OceanWorkloadMigration] = {}
    before: list[pulumi.Resource] = []
    for index, (wave, gate) in enumerate(zip(declared.waves, declared.gates, strict=True)):
        earlier = [migration.planned_nodes for migration in made.values()]
        needed = vngs if wave.virtual_node_groups is None else wave.virtual_node_groups
        migration = OceanWorkloadMigration(
            f"{name}-{wave.name}",
            nodes=wave.nodes,
            **access,
            notifications=declared.args.notifications,
            **{option: getattr(wave, option) for option in WAVE_OPTIONS},
            stop_when=_STOP_WHEN if wave.stop_when is None else wave.stop_when,
            virtual_node_group_ids=[vngs[each].id for each in needed] or None,
            planned_elsewhere=Output.all(*earlier).apply(_list_planned) if earlier else None,
            later_migrations=[f"{name}-{later.name}" for later in declared.waves[index + 1 :]] or None,
            opts=pulumi.ResourceOptions.merge(
                pulumi.ResourceOptions(parent=parent, depends_on=depends_on, custom_timeouts=wave.timeouts),
                pulumi.ResourceOptions(depends_on=before),
            ),
        )
        made[wave.name] = migration
        before = [migration]
        last = index == len(declared.waves) - 1
        if gate is not None or not last:
            before.append(_make_gate(name, wave, gate or GateArgs(), migration, access=access, parent=parent))
    return made


def _make_gate(
    name: str,
    wave: WaveArgs,
    gate: GateArgs,
    migration: OceanWorkloadMigration,
    *,
    access: Mapping[str, Any],
    parent: pulumi.Resource,
) -> OceanMigrationGate:
    return OceanMigrationGate(
        f"{name}-{wave.name}-gate",
        **access,
        migration_ids=migration.migrations.apply(lambda runs: [run["id"] for run in runs or ()]),
        succeeded=migration.succeeded,
        remaining=migration.remaining_nodes,
        # The engine leaves an input out that is None.
        workload_baseline=cast("Output[Mapping[str, Any]]", _select_baseline(wave, migration)),
        **{option: getattr(gate, option) for option in GATE_OPTIONS},
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[migration]),
    )


def _select_baseline(wave: WaveArgs, migration: OceanWorkloadMigration) -> Output[Mapping[str, Any] | None]:
    """Return the baseline for the gate of a wave; None when workloads that are not ready do not fail the wave."""
    if wave.health is None:
        return migration.workload_baseline
    found = Output.all(baseline=migration.workload_baseline, health=wave.health)
    return found.apply(lambda values: values["baseline"] if values["health"] == "enforce" else None)


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
