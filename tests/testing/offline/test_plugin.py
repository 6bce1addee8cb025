"""Failures of the plugin process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ocean_migration_pulumi.testing.offline.plugin.plugin import DynamicPlugin
from ocean_migration_pulumi.testing.offline.plugin.providers import PartialFailure, ProviderFailure, ResourceTarget


def test_a_plugin_that_does_not_start_is_an_error(tmp_path: Path) -> None:
    """When the host cannot be imported there is an error, and its output is passed on."""
    package = tmp_path / "pulumi"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('broken on purpose')\n", encoding="utf-8")
    lines: list[str] = []
    with pytest.raises(ProviderFailure, match="did not start"):
        DynamicPlugin(
            engine_address="127.0.0.1:1",
            directory=tmp_path,
            environment={**os.environ, "PYTHONPATH": str(tmp_path)},
            config={},
            log=lines.append,
        )
    assert any("broken on purpose" in line for line in lines)


def test_a_plugin_that_died_fails_calls_and_can_be_closed(tmp_path: Path) -> None:
    """Calls fail, a cancellation raises nothing, and it can be closed twice."""
    plugin = DynamicPlugin(
        engine_address="127.0.0.1:1", directory=tmp_path, environment=os.environ, config={}, log=lambda _: None
    )
    plugin.close(at_once=True)
    with pytest.raises(ProviderFailure):
        plugin.read(ResourceTarget("urn:pulumi:dev::p::t::n", "1"))
    plugin.cancel()
    plugin.close()


def test_reasons_are_listed_like_the_engine() -> None:
    """A partial failure counts and lists its reasons."""
    one = PartialFailure(id_="1", outputs={}, inputs=None, reasons=["x"])
    two = PartialFailure(id_="1", outputs={}, inputs=None, reasons=["x", "y"])
    assert str(one) == "1 error occurred:\n\t* x\n\n"
    assert str(two) == "2 errors occurred:\n\t* x\n\t* y\n\n"
