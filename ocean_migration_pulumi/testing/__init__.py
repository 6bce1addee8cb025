"""Test doubles for programs that migrate: a stack without the `pulumi` command, mocks, and pytest fixtures."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ocean_migration_pulumi.testing.offline.engine.events import EngineDiagnostic as Diagnostic
    from ocean_migration_pulumi.testing.offline.engine.events import EventLog, Observer, Result, Step
    from ocean_migration_pulumi.testing.offline.engine.stack import OfflineStack
    from ocean_migration_pulumi.testing.offline.plugin.mocks import ResourceMocks, SimulatorMocks
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

_MODULES = {
    "Diagnostic": "engine.events",
    "EventLog": "engine.events",
    "Observer": "engine.events",
    "OfflineStack": "engine.stack",
    "ResourceMocks": "plugin.mocks",
    "Result": "engine.events",
    "SimulatorMocks": "plugin.mocks",
    "StateError": "state.storage",
    "Step": "engine.events",
}

_NAMES_THERE = {"Diagnostic": "EngineDiagnostic"}
"""Public names that their modules know by another one: a preview of ours has diagnostics, too."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    module = importlib.import_module(f"{__name__}.offline.{_MODULES[name]}")
    return getattr(module, _NAMES_THERE.get(name, name))
