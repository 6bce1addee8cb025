"""The command says of a plan what the resource's preview says, word for word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Terminal
from tests.support.plugin import PluginProcess
from tests.support.resource_plugin import Resource, config_of


@pytest.mark.parametrize("scenario", ["kubernetes-trouble"])
def test_plan_and_preview_are_the_same(terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan, digest, destinations, batches, pods, blockers and prerequisites."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(terminal.sim.kubeconfig(identity="preview"))
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    data = terminal.json("plan", "--asg-name", "web", "--batch-size-percentage", "40")
    lines = terminal.run("plan", "--asg-name", "web", "--batch-size-percentage", "40").stdout.splitlines()
    with PluginProcess() as plugin:
        plugin.configure(config_of(terminal.sim))
        web = Resource(plugin)
        planned = web.checked(ocean_id=terminal.ocean_id, nodes={"asg_names": ["web"]}, batch_size_percentage=40)[
            "planned_nodes"
        ]
    assert data["planned_nodes"] == planned
    warnings = [f"warning: {line}" for line in web.said("WARNING")]
    said = [part for line in web.said("INFO") for part in line.splitlines()] + warnings
    assert any("in the way" in line for line in said)
    assert lines[: lines.index("")] == said
