"""Migrate Kubernetes workloads into Spot Ocean as code."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ocean_migration_pulumi.component.args import (
        GateArgs,
        GateArgsDict,
        ImportFromArgs,
        ImportFromArgsDict,
        OceanMigrationArgs,
        OceanMigrationArgsDict,
        RetireArgs,
        RetireArgsDict,
        TaintArgs,
        TaintArgsDict,
        VirtualNodeGroupArgs,
        VirtualNodeGroupArgsDict,
        WaveArgs,
        WaveArgsDict,
    )
    from ocean_migration_pulumi.component.component import OceanMigration
    from ocean_migration_pulumi.component.kubernetes_args import (
        ClusterAutoscalerArgs,
        ClusterAutoscalerArgsDict,
        ControllerArgs,
        ControllerArgsDict,
    )
    from ocean_migration_pulumi.errors import OceanMigrationError
    from ocean_migration_pulumi.functions import (
        get_cluster_log,
        get_cluster_log_output,
        get_cluster_nodes,
        get_cluster_nodes_output,
        get_migration,
        get_migration_candidates,
        get_migration_candidates_output,
        get_migration_output,
        get_migrations,
        get_migrations_output,
    )
    from ocean_migration_pulumi.gate import OceanMigrationGate
    from ocean_migration_pulumi.inputs import NodeSelectorArgs, NodeSelectorArgsDict
    from ocean_migration_pulumi.provider import OceanWorkloadMigration
    from ocean_migration_pulumi.results import (
        ClusterLog,
        ClusterNodes,
        ListedMigration,
        LogLine,
        Migration,
        MigrationCandidate,
        MigrationCandidates,
        MigrationNode,
        MigrationPod,
        Migrations,
        OceanNode,
    )

__all__ = [
    "ClusterAutoscalerArgs",
    "ClusterAutoscalerArgsDict",
    "ClusterLog",
    "ClusterNodes",
    "ControllerArgs",
    "ControllerArgsDict",
    "GateArgs",
    "GateArgsDict",
    "ImportFromArgs",
    "ImportFromArgsDict",
    "ListedMigration",
    "LogLine",
    "Migration",
    "MigrationCandidate",
    "MigrationCandidates",
    "MigrationNode",
    "MigrationPod",
    "Migrations",
    "NodeSelectorArgs",
    "NodeSelectorArgsDict",
    "OceanMigration",
    "OceanMigrationArgs",
    "OceanMigrationArgsDict",
    "OceanMigrationError",
    "OceanMigrationGate",
    "OceanNode",
    "OceanWorkloadMigration",
    "RetireArgs",
    "RetireArgsDict",
    "TaintArgs",
    "TaintArgsDict",
    "VirtualNodeGroupArgs",
    "VirtualNodeGroupArgsDict",
    "WaveArgs",
    "WaveArgsDict",
    "get_cluster_log",
    "get_cluster_log_output",
    "get_cluster_nodes",
    "get_cluster_nodes_output",
    "get_migration",
    "get_migration_candidates",
    "get_migration_candidates_output",
    "get_migration_output",
    "get_migrations",
    "get_migrations_output",
]

_HOMES = {
    "ClusterAutoscalerArgs": "component.kubernetes_args",
    "ClusterAutoscalerArgsDict": "component.kubernetes_args",
    "ClusterLog": "results",
    "ClusterNodes": "results",
    "ControllerArgs": "component.kubernetes_args",
    "ControllerArgsDict": "component.kubernetes_args",
    "GateArgs": "component.args",
    "GateArgsDict": "component.args",
    "ImportFromArgs": "component.args",
    "ImportFromArgsDict": "component.args",
    "ListedMigration": "results",
    "LogLine": "results",
    "Migration": "results",
    "MigrationCandidate": "results",
    "MigrationCandidates": "results",
    "MigrationNode": "results",
    "MigrationPod": "results",
    "Migrations": "results",
    "NodeSelectorArgs": "inputs",
    "NodeSelectorArgsDict": "inputs",
    "OceanMigration": "component.component",
    "OceanMigrationArgs": "component.args",
    "OceanMigrationArgsDict": "component.args",
    "OceanMigrationError": "errors",
    "OceanMigrationGate": "gate",
    "OceanNode": "results",
    "OceanWorkloadMigration": "provider",
    "RetireArgs": "component.args",
    "RetireArgsDict": "component.args",
    "TaintArgs": "component.args",
    "TaintArgsDict": "component.args",
    "VirtualNodeGroupArgs": "component.args",
    "VirtualNodeGroupArgsDict": "component.args",
    "WaveArgs": "component.args",
    "WaveArgsDict": "component.args",
    "get_cluster_log": "functions",
    "get_cluster_log_output": "functions",
    "get_cluster_nodes": "functions",
    "get_cluster_nodes_output": "functions",
    "get_migration": "functions",
    "get_migration_candidates": "functions",
    "get_migration_candidates_output": "functions",
    "get_migration_output": "functions",
    "get_migrations": "functions",
    "get_migrations_output": "functions",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: the plugin needs few of them, and starts often."""
    if name == "__version__":
        from importlib.metadata import version

        return version("ocean-migration")
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return [*__all__, "__version__"]
