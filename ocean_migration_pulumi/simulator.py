"""The simulator: Spot's Ocean API on loopback, to develop and test against, and the client of its control API.

It shares no code with the rest of the package, so that both cannot misread the wire format in the same way.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ocean_migration_pulumi.testing.simulator.control.channel import ControlError
    from ocean_migration_pulumi.testing.simulator.control.client import Barrier, SimulatorControl
    from ocean_migration_pulumi.testing.simulator.server.server import Simulator

__all__ = ["Barrier", "ControlError", "Simulator", "SimulatorControl"]

_MODULES = {
    "Barrier": "control.client",
    "ControlError": "control.channel",
    "Simulator": "server.server",
    "SimulatorControl": "control.client",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"ocean_migration_pulumi.testing.simulator.{_MODULES[name]}"), name)
