"""pytest fixtures, which `pytest_plugins = ["ocean_migration_pulumi.testing.fixtures"]` in a `conftest.py` enables.

`simulator` is a simulator with a cluster of 16 nodes, at sixty times the real speed. `offline_stack` creates stacks
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
    """Creates offline stacks with their state in a directory.

    Args:
        directory: The directory of the state files.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._count = 0

    def __call__(self, program: str | Path, *, simulator: Simulator | None = None, **options: Any) -> OfflineStack:
        """Create a stack.

        Args:
            program: The directory of the program, or its file.
            simulator: A simulator to which the environment directs the program, and in which `SimulatorMocks` create
                the clusters and VNGs of the program; `None` for none.
            **options: The other arguments of `OfflineStack`.
        """
        from ocean_migration_pulumi.testing.offline.engine.stack import OfflineStack
        from ocean_migration_pulumi.testing.offline.plugin.simulator_mocks import SimulatorMocks

        if simulator is not None:
            options["environment"] = {**simulator.environment, **(options.get("environment") or {})}
            options.setdefault("mocks", SimulatorMocks(simulator.url, simulator.token, simulator.account_id))
        self._count += 1
        options.setdefault("state", self._directory / f"stack-{self._count}.json")
        return OfflineStack(program, **options)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Run a simulator during a test."""
    from ocean_migration_pulumi.testing.simulator.server.server import Simulator

    with Simulator(speed=60.0) as running:
        yield running


@pytest.fixture
def offline_stack(tmp_path: Path) -> StackFactory:
    """Create stacks with their state in the directory of the test."""
    return StackFactory(tmp_path)
