"""Migrate Kubernetes workloads into Spot Ocean as code."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ocean_migration_pulumi.errors import OceanMigrationError
    from ocean_migration_pulumi.inputs import NodeSelectorArgs, NodeSelectorArgsDict
    from ocean_migration_pulumi.provider import OceanWorkloadMigration

__all__ = ["NodeSelectorArgs", "NodeSelectorArgsDict", "OceanMigrationError", "OceanWorkloadMigration"]

_HOMES = {
    "NodeSelectorArgs": "inputs",
    "NodeSelectorArgsDict": "inputs",
    "OceanMigrationError": "errors",
    "OceanWorkloadMigration": "provider",
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
