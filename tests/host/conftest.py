"""One plugin for the tests that neither cancel, kill nor change it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.plugin import PluginProcess


@pytest.fixture(scope="module")
def running() -> Iterator[PluginProcess]:
    """Run a plugin."""
    with PluginProcess() as plugin:
        yield plugin


@pytest.fixture
def plugin(running: PluginProcess) -> PluginProcess:
    """Return the plugin; what it has logged before is forgotten."""
    running.engine.lines.clear()
    return running
