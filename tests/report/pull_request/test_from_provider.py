"""From the provider to the comment: nothing on the way is read from text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ocean_migration_pulumi import cli
from ocean_migration_pulumi.migration.spec.approval import plan_digest
from ocean_migration_pulumi.migration.spec.diagnostic import Code
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.report.pull_request.verdict import Approval, Level
from ocean_migration_pulumi.resource.preview_file import VARIABLE, read_previews
from ocean_migration_pulumi.simulator import Simulator
from tests.report.documents import Case, comment, document
from tests.support.plugin import PluginProcess
from tests.support.resource_plugin import Resource, config_of, without_settings


def checked(sim: Simulator, file: Path, **inputs: Any) -> Case:
    """Let the plugin check a new migration, and return what the engine prints of it and what the plugin wrote."""
    with PluginProcess() as plugin:
        plugin.configure(config_of(sim))
        web = Resource(plugin)
        found = web.checked(ocean_id=sim.ocean_id, nodes={"asg_names": ["web"]}, **inputs)
        messages = [
            {"urn": web.urn, "severity": severity, "message": f"{prefix}{text}\n"}
            for severity, prefix in (("info", ""), ("warning", "warning: "))
            for text in web.said(severity)
        ]
    made = {"op": "create", "urn": web.urn, "newState": {"inputs": found}}
    return Case(document([made], messages), read_previews(file))


def test_what_the_provider_finds_is_in_the_comment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With its fields; a message of the engine that the file holds is shown once."""
    file = tmp_path / "preview.jsonl"
    without_settings(monkeypatch, tmp_path)
    monkeypatch.setenv(VARIABLE, str(file))
    with Simulator(nodes=6, speed=60) as sim:
        made = checked(sim, file)
        assessment = made.assess()
        assert assessment.migration.planned is not None
        approved = checked(sim, file, approved_plan=plan_digest(assessment.migration.planned, MigrationSpec()))
        other = checked(sim, file, approved_plan="0123456789abcdef")
    codes = [each.code for each in assessment.migration.diagnostics]
    assert codes[:2] == [Code.PLAN_SUMMARY, Code.DESTINATION]
    assert set(codes) <= set(Code)
    assert (assessment.waiting, assessment.active) == (len(assessment.migration.planned), 0)
    assert assessment.level is Level.ATTENTION  # without access to Kubernetes
    assert assessment.issues["unknown check"] == 1
    assert "Details are missing" not in comment(made)
    assert (approved.assess().approval, other.assess().approval) == (Approval.GIVEN, Approval.OTHER)
    assert other.assess().refusals == ("a different plan is approved",)
    done = CliRunner(env={VARIABLE: str(file)}).invoke(cli.main, ["comment", "--require-approved"], input=other.text)
    assert (done.exit_code, done.stdout) == (4, comment(other))
