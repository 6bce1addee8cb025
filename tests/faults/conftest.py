"""One simulator for many cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from ocean_migration_pulumi.api import sender
from ocean_migration_pulumi.api.rate_limits import RateLimits
from ocean_migration_pulumi.simulator import Simulator
from tests.cli.conftest import Terminal
from tests.faults.cells import Cell
from tests.migration.stage import StageClock
from tests.scenarios.conftest import driver, scenario_environment

__all__ = ["driver", "scenario_environment"]


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Simulator, StageClock]]:
    """Run a simulator whose time only moves with the cells' clock."""
    with Simulator(nodes=1) as sim:
        sim.control.clock(manual=True)
        yield sim, StageClock(sim)


@pytest.fixture
def cells(running: tuple[Simulator, StageClock], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Cell]]:
    """Return a function that makes a cell of the given scenario; a rate limit that closed for one is open for all."""
    monkeypatch.setattr(sender, "_RATE_LIMITS", RateLimits())
    with ExitStack() as stack:

        def make(scenario: str = "success") -> Cell:
            cell = Cell(*running, scenario=scenario)
            stack.callback(lambda: cell.client.close())
            return cell

        yield make


@pytest.fixture
def cell(cells: Callable[..., Cell]) -> Cell:
    """Return a cell on which everything succeeds."""
    return cells()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """Give a terminal whose environment points at a simulator of five nodes on which nothing moves by itself."""
    with Simulator(nodes=5) as sim:
        sim.control.clock(manual=True)
        for name, value in sim.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("OCEAN_MIGRATION_POLL_INTERVAL", "0.05")
        monkeypatch.delenv("KUBECONFIG", raising=False)
        monkeypatch.setattr(sender, "_RATE_LIMITS", RateLimits())
        yield Terminal(sim)
