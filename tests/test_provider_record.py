"""The flight record of a run of the resource, through the real plugin process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from click.testing import CliRunner

from ocean_migration_pulumi import cli
from ocean_migration_pulumi.simulator import Simulator
from tests.support.plugin import PluginProcess
from tests.support.resource_plugin import Resource, config_of, without_settings


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """Run a fast simulator of a migration that fails."""
    with Simulator(nodes=4, scenario="failure-instances", speed=600) as simulator:
        yield simulator


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[PluginProcess]:
    """Run a plugin on a machine without any settings."""
    without_settings(monkeypatch, tmp_path)
    with PluginProcess() as running:
        yield running


def test_a_failed_run_can_be_explained_and_reported_offline(
    sim: Simulator, plugin: PluginProcess, tmp_path: Path
) -> None:
    """From the record that the config of the stack asked for; it has no token."""
    record = tmp_path / "record.jsonl"
    plugin.configure(config_of(sim) | {"ocean-migration:record": str(record)})
    web = Resource(plugin)
    web.fails_to_create(ocean_id=sim.ocean_id, nodes={"all_nodes": True})
    migration = web.outputs["migration_id"]
    assert sim.token not in record.read_text(encoding="utf-8")
    sim.stop()
    explained = CliRunner().invoke(cli.main, ["explain", "--from", str(record)], catch_exceptions=False)
    assert explained.exit_code == 0
    assert explained.stdout.startswith(f"migration {migration} failed after ")
    assert "Ocean could not start enough new instances" in explained.stdout
    report = CliRunner().invoke(cli.main, ["report", migration, "--from", str(record)], catch_exceptions=False)
    assert report.exit_code == 0
    assert "```mermaid" in report.stdout
    assert "AWAIT_REPLACEMENTS" in report.stdout


def test_a_record_that_cannot_be_written_is_refused_before_anything_starts(
    sim: Simulator, plugin: PluginProcess, tmp_path: Path
) -> None:
    """In a line that names the setting."""
    plugin.configure(config_of(sim) | {"ocean-migration:record": str(tmp_path / "none" / "record")})
    with pytest.raises(grpc.RpcError, match=r"stack config ocean-migration:record: .* cannot be opened"):
        Resource(plugin).check(ocean_id=sim.ocean_id, nodes={"all_nodes": True})
    assert sim.control.requests() == []
