"""What tests of all parts share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.forked import forked_processes
from tests.support.properties import load_profile
from tests.support.signals import restore_signals

restore_signals()
load_profile()

_SCENARIOS = Path(__file__).parent / "scenarios"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measure neither scenarios nor whole programs: the engine's double and the simulator run in this process, too."""
    for item in items:
        if item.path.is_relative_to(_SCENARIOS) or "unmeasured" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.no_cover)


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the processes of a test unmeasured: whole programs are many of them, and measuring takes a third of them.

    What they run is measured where it is tested closer.
    """
    for name in [name for name in os.environ if name.startswith("COVERAGE_PROCESS_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def signal_handlers() -> Iterator[None]:
    """Give back the handlers of before: a command that a test runs in this process leaves its own behind."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def forked() -> Iterator[None]:
    """Fork the programs and plugins of the stacks that a test runs: what they import is most of what they cost."""
    with forked_processes():
        yield
