"""Fixtures of the decision code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from ocean_migration_pulumi.simulator import Simulator
from tests.migration.stage import Stage


@pytest.fixture
def stages() -> Iterator[Callable[..., Stage]]:
    """Return a function that sets a stage with a simulator of the given scenario."""
    with ExitStack() as stack:

        def start(scenario: str = "success", nodes: int = 6) -> Stage:
            stage = Stage(stack.enter_context(Simulator(scenario=scenario, nodes=nodes)))
            stack.callback(stage.client.close)
            return stage

        yield start


@pytest.fixture
def stage(stages: Callable[..., Stage]) -> Stage:
    """Return a stage with six nodes on which everything succeeds."""
    return stages()
