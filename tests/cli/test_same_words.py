"""The command says of a plan what the resource's preview says, word for word but for the names of inputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocean_migration_pulumi.cli.options import OPTIONS
from ocean_migration_pulumi.migration.planning.text.findings_text import render_line
from ocean_migration_pulumi.migration.spec.diagnostic import Code
from ocean_migration_pulumi.resource.preview_file import VARIABLE, read_previews
from tests.cli.conftest import Terminal
from tests.support.plugin import PluginProcess
from tests.support.resource_plugin import Resource, config_of


@pytest.mark.parametrize("scenario", ["kubernetes-trouble"])
def test_plan_and_preview_are_the_same(terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command, the lines of the engine, and the file that the preview writes; no secret is in the file."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(terminal.sim.kubeconfig(identity="preview"))
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    path = tmp_path / "preview.jsonl"
    monkeypatch.setenv(VARIABLE, str(path))
    data = terminal.json("plan", "--asg-name", "web", "--batch-size-percentage", "40")
    lines = terminal.run("plan", "--asg-name", "web", "--batch-size-percentage", "40").stdout.splitlines()
    with PluginProcess() as plugin:
        plugin.configure(config_of(terminal.sim))
        web = Resource(plugin)
        planned = web.checked(ocean_id=terminal.ocean_id, nodes={"asg_names": ["web"]}, batch_size_percentage=40)[
            "planned_nodes"
        ]
    assert data["planned_nodes"] == planned
    record = read_previews(path)[web.urn]
    said = [*web.said("INFO"), *web.said("WARNING")]
    assert sorted(each.text for each in record.diagnostics) == sorted(said)
    assert any(each.is_blocker for each in record.diagnostics)
    # The command does not wait for workloads, nor stop a migration for them.
    same = [each for each in record.diagnostics if each.code != Code.HEALTH_PLANNED]
    assert len(same) == len(record.diagnostics) - 1
    shown = [part for each in same for part in render_line(each, OPTIONS).splitlines()]
    assert [line.removeprefix("Warning: ") for line in lines[: lines.index("")]] == shown
    assert (record.planned_nodes, record.plan_digest) == (planned, data["plan_digest"])
    assert (record.approved, record.unplanned) == (None, None)
    assert "token" not in path.read_text()
