"""Migrate Kubernetes workloads into Spot Ocean as code."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    "ClusterLog",
    "ClusterNodes",
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
    "OceanMigrationError",
    "OceanNode",
    "OceanWorkloadMigration",
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
    "ClusterLog": "results",
    "ClusterNodes": "results",
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
    "OceanMigrationError": "errors",
    "OceanNode": "results",
    "OceanWorkloadMigration": "provider",
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
