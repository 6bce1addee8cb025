"""The public names, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

import ocean_migration_pulumi


def test_public_names_are_pinned() -> None:
    """Sorted, and each can be had."""
    names = [
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
    assert ocean_migration_pulumi.__all__ == names == sorted(names)
    assert set(dir(ocean_migration_pulumi)) == {*names, "__version__"}
    for name in names:
        assert getattr(ocean_migration_pulumi, name).__name__ == name


def test_version_is_that_of_the_distribution() -> None:
    """There is one place for it."""
    assert ocean_migration_pulumi.__version__ == version("ocean-migration")


def test_unknown_name_is_an_attribute_error() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = ocean_migration_pulumi.nothing


def imported(module: str) -> set[str]:
    """Return the top-level packages that importing a module in a fresh process brings in."""
    code = f"import {module}, sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return set(found.stdout.split())


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("ocean_migration_pulumi", {"pulumi", "httpx", "starlette", "click"}),
        ("ocean_migration_pulumi.provider", {"httpx", "starlette", "uvicorn", "pulumi_aws", "rich"}),
        ("ocean_migration_pulumi.gate", {"httpx", "starlette", "msgspec", "boto3", "pulumi_aws"}),
        ("ocean_migration_pulumi.functions", {"httpx", "starlette", "uvicorn", "msgspec", "boto3"}),
        ("ocean_migration_pulumi.kubernetes", {"httpx", "msgspec", "yaml", "certifi"}),
        ("ocean_migration_pulumi.migration.reconcile.reconcile", {"pulumi", "httpx", "grpc"}),
        ("ocean_migration_pulumi.cli", {"pulumi", "httpx"}),
    ],
)
def test_import_brings_nothing_heavy(module: str, absent: set[str]) -> None:
    """The plugin imports the package with every run."""
    found = imported(module)
    assert "ocean_migration_pulumi" in found
    assert not found & absent


def test_import_says_nothing() -> None:
    """The first line of a plugin's output is its port."""
    run = subprocess.run(
        [sys.executable, "-c", "import ocean_migration_pulumi.provider, ocean_migration_pulumi.simulator"],
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert (run.stdout, run.stderr) == (b"", b"")
