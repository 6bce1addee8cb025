"""Test doubles for programs that migrate: a stack without the `pulumi` command, mocks, and pytest fixtures."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ocean_migration_pulumi.testing.offline.engine.events import EngineDiagnostic as Diagnostic
    from ocean_migration_pulumi.testing.offline.engine.events import EventLog, Observer, Result, Step
    from ocean_migration_pulumi.testing.offline.engine.stack import OfflineStack
    from ocean_migration_pulumi.testing.offline.plugin.mocks import ResourceMocks
    from ocean_migration_pulumi.testing.offline.plugin.simulator_mocks import SimulatorMocks
    from ocean_migration_pulumi.testing.offline.state.storage import StateError

__all__ = [
    "Diagnostic",
    "EventLog",
    "Observer",
    "OfflineStack",
    "ResourceMocks",
    "Result",
    "SimulatorMocks",
    "StateError",
    "Step",
]

_SOURCES = {
    # Within the package the name tells it apart from the diagnostics of a migration.
    "Diagnostic": ("engine.events", "EngineDiagnostic"),
    "EventLog": ("engine.events", "EventLog"),
    "Observer": ("engine.events", "Observer"),
    "OfflineStack": ("engine.stack", "OfflineStack"),
    "ResourceMocks": ("plugin.mocks", "ResourceMocks"),
    "Result": ("engine.events", "Result"),
    "SimulatorMocks": ("plugin.simulator_mocks", "SimulatorMocks"),
    "StateError": ("state.storage", "StateError"),
    "Step": ("engine.events", "Step"),
}
"""The module of each public name, and its name there. Modules are imported when a name is first used."""


def __getattr__(name: str) -> Any:
    if name not in _SOURCES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    module, attribute = _SOURCES[name]
    return getattr(importlib.import_module(f"{__name__}.offline.{module}"), attribute)
