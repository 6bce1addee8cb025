"""pytest fixtures: `pytest_plugins = ["ocean_migration_pulumi.testing.fixtures"]` in a `conftest.py` brings them in.

`simulator` is a simulated Spot with a cluster of 16 nodes at sixty times the real speed; `offline_stack` makes stacks
that need no `pulumi` command, each with a state file of its own:

    def test_my_program(simulator, offline_stack):
        stack = offline_stack("infrastructure", simulator=simulator)
        assert stack.up().succeeded
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ocean_migration_pulumi.testing.offline.engine.stack import OfflineStack
    from ocean_migration_pulumi.testing.simulator.server.server import Simulator


class StackFactory:
    """Makes offline stacks whose state lies in the test's own directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._count = 0

    def __call__(self, program: str | Path, *, simulator: Simulator | None = None, **options: Any) -> OfflineStack:
        """Make a stack; the options are those of `OfflineStack`.

        With a simulator the program finds it by its environment, and clusters and Virtual Node Groups are made there.
        """
        from ocean_migration_pulumi.testing.offline.engine.stack import OfflineStack
        from ocean_migration_pulumi.testing.offline.plugin.mocks import SimulatorMocks

        if simulator is not None:
            options["environment"] = {**simulator.environment, **(options.get("environment") or {})}
            options.setdefault("mocks", SimulatorMocks(simulator.url, simulator.token, simulator.account_id))
        self._count += 1
        options.setdefault("state", self._directory / f"stack-{self._count}.json")
        return OfflineStack(program, **options)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Run a simulated Spot for the time of a test."""
    from ocean_migration_pulumi.testing.simulator.server.server import Simulator

    with Simulator(speed=60.0) as running:
        yield running


@pytest.fixture
def offline_stack(tmp_path: Path) -> StackFactory:
    """Make stacks for programs of the test."""
    return StackFactory(tmp_path)
