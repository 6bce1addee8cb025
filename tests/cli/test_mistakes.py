"""Mistakes of users: each error is one line that names the option or the file, and says what exists."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from ocean_migration_pulumi.cli import main
from tests.cli.conftest import Terminal


@pytest.mark.parametrize(
    ("arguments", "status", "error"),
    [
        (
            ("plan", "--asg-name", "wbe"),
            2,
            "--asg-name: no node matches; did you mean `web` instead of `wbe`? "
            "Auto Scaling Groups of the candidates: api, batch, web [invalid-input]",
        ),
        (("plan", "--virtual-node-group", "ols-1"), 2, "--virtual-node-group: no node matches; "),
        (("plan", "--asg-name", "w", "--node-name", "n"), 2, "selection: no node matches; "),
        (("plan", "--asg-name", "web", "--limit", "0"), 2, "--limit must be a number of nodes such as"),
        (("logs", "--since", "yesterday"), 2, '--since must be an age such as "24h"'),
        (("logs", "--until", "tomorrow"), 2, '--until must be an age such as "24h"'),
        (
            ("start", "--asg-name", "web", "--yes", "--notify", "ftp://example.com"),
            2,
            "--notify must be an https URL (http only for this machine); the host is 'example.com' [invalid-input]",
        ),
        (("start", "--asg-name", "web", "--notify", "https://a.example", "--notify", "b"), 2, "--notify[1] must be"),
        (("logs", "--severity", "eror"), 2, "'eror' does not exist; did you mean 'ERROR'?"),
        (("logs", "--severity", "x"), 2, "'x' is not one of 'ALL', 'INFO', 'DEBUG', 'WARN', 'ERROR'."),
        (("logs", "-o", "yaml"), 2, "'yaml' is not one of 'table', 'json'."),
        (("plan", "--all-nodes", "--exclude", "=x"), 2, "--exclude must be FIELD=VALUE, not '=x' [invalid-input]"),
        (("plan", "--instance-id", "i" * 3000), 2, "… cannot be migrated: it is not a node of this cluster; list"),
        (("status", ""), 2, "MIGRATION must not be empty [invalid-input]"),
        (("clusters", "--record", ""), 2, "--record: the record . cannot be opened: Is a directory [invalid-setting]"),
        (("explain", "--from", __file__), 2, "test_mistakes.py is not a record of ocean-migration [invalid-setting]"),
        (("plan", "--all-nodes", "--kubernetes-timeout", "nan"), 2, "'nan' is not a valid integer range."),
        (("clusters", "--cluster", ""), 2, "--cluster must not be empty [invalid-input]"),
        (("plan", "--all-nodes", "--cluster", ""), 2, "--cluster must not be empty [invalid-input]"),
        (("nodes", "--virtual-node-group", "web"), 6, "; did you mean `ols-"),
        (
            ("plan", "--virtual-node-group", "web"),
            2,
            "` instead of `web`? Virtual Node Groups of the ",
        ),
        (
            ("plan", "--node-name", "ip-10-0-0-2"),
            2,
            "did you mean `ip-10-0-0-2.us-west-2.compute.internal` instead of `ip-10-0-0-2`? Nodes of the",
        ),
        (("nodes", "--virtual-node-group", ""), 2, "--virtual-node-group must not be empty [invalid-input]"),
        (("nodes", "--output", ""), 2, "Invalid value for '--output': It must not be empty."),
        (("start", "--all-nodes", "--yes", "--output", "/no/such/plan.json"), 2, "Folder '/no/such' does not exist."),
        (("nodes", "--virtual-node-group", "ols-1"), 6, "--virtual-node-group: no Virtual Node Group 'ols-1' on o-"),
        (("status", "owm-1"), 6, "MIGRATION: no migration 'owm-1' on o-"),
        (("status",), 6, "Error: no migration on o-"),
        (("stop",), 6, "Error: no running migration on o-"),
        (
            ("plan", "--instance-id", "i-0"),
            2,
            "list the candidates with `ocean-migration candidates` [",
        ),
        (("plan", "--all-nodes", "--batch-size", "80"), 2, "--batch-size must be a whole percentage from 1 to 50, not"),
        (("config", "--profile", "staging"), 2, "--profile: the credentials file "),
        (
            ("start", "--asg-name", "web", "--yes", "--approved-plan", "0123456789abcdef"),
            4,
            "is not the approved plan 0123456789abcdef: review it and approve its digest [plan-not-approved]",
        ),
    ],
)
def test_the_option_is_named(
    terminal: Terminal,
    arguments: tuple[str, ...],
    status: int,
    error: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Never an input of the resource, and never a traceback."""
    monkeypatch.setenv("HOME", str(tmp_path))
    result = terminal.run(*arguments)
    line = result.stderr.splitlines()[-1]
    assert line.startswith("Error: ")
    assert error in line
    assert "asg_names" not in line
    assert "pulumi" not in line
    assert result.exit_code == status


def test_an_exclude_without_a_match_is_named_as_it_was_given(terminal: Terminal) -> None:
    """In a warning, as other nodes are planned."""
    result = terminal.run("plan", "--all-nodes", "--exclude", "asg_names=wbe")
    assert "No node matches `wbe` of --exclude asg_names. Did you mean `web`?" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("simulator", "--scenario", "pdb"), "'pdb' does not exist; did you mean 'blocking-pdb'?"),
        (("simulator", "--speed", "0"), "0.0 is not in the range 0<x<=10000."),
        (("simulator", "--nodes", "99999999"), "99999999 is not in the range 1<=x<=50000."),
        (("completion",), "Choose from: bash, zsh, fish."),
        (("completion", "bsh"), "'bsh' does not exist; did you mean 'bash'?"),
    ],
)
def test_commands_without_a_cluster_suggest_too(arguments: tuple[str, ...], error: str) -> None:
    """In one line after the usage."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert error in result.stderr.splitlines()[-1]


def test_a_missing_approval_is_no_failed_check(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its code leads to the section about approvals."""
    monkeypatch.setenv("OCEAN_MIGRATION_REQUIRE_APPROVAL", "true")
    result = terminal.run("start", "--asg-name", "web", "--yes")
    assert result.exit_code == 4
    assert result.stderr.endswith("review it and pass its digest to --approved-plan [plan-not-approved]\n")


def test_a_token_is_asked_for_in_terms_of_the_command(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command does not read the config of a stack, so it does not advise to set it."""
    monkeypatch.delenv("SPOTINST_TOKEN")
    monkeypatch.setenv("HOME", "/nonexistent")
    missing = terminal.run("status")
    monkeypatch.setenv("SPOTINST_TOKEN", "wrong")
    refused = terminal.run("status")
    assert (missing.exit_code, refused.exit_code) == (2, 3)
    assert missing.stderr == (
        "Error: no Spot token: set SPOTINST_TOKEN, or write the file ~/.spotinst/credentials [missing-token]\n"
    )
    monkeypatch.delenv("SPOTINST_TOKEN")
    monkeypatch.delenv("SPOTINST_ACCOUNT")
    for arguments in (("plan", "--all-nodes"), ("start", "--all-nodes"), ("stop",), ("doctor",)):
        neither = terminal.run(*arguments).stderr
        assert "no Spot token: set SPOTINST_TOKEN, " in neither
        assert "; no Spot account: use --account, SPOTINST_ACCOUNT, " in neither
    assert refused.stderr.startswith("Error: Spot refuses the token (from SPOTINST_TOKEN): create a new one ")
    assert "pulumi" not in refused.stderr


def test_another_account_is_named(terminal: Terminal) -> None:
    """Spot says only that an error is unknown."""
    result = terminal.run("status", "--account", "act-99999999")
    assert "check the account (act-99999999) and the permissions of the token's user" in result.stderr


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, "Invalid value for '--kubeconfig': File '{path}' does not exist."),
        ("x: [", "--kubeconfig {path}: it is neither YAML nor JSON [invalid-input]"),
        ("{}", "--kubeconfig {path}: it has no current-context: select a context [invalid-input]"),
    ],
)
def test_a_kubeconfig_is_named_by_its_path(terminal: Terminal, tmp_path: Path, content: str | None, error: str) -> None:
    """A path on the command line is not a secret, unlike the input of the resource."""
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    result = terminal.run("doctor", "--kubeconfig", str(path))
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == "Error: " + error.format(path=path)


def test_an_unknown_context_gets_the_nearest_one(terminal: Terminal, tmp_path: Path) -> None:
    """Or a list of those that exist."""
    path = tmp_path / "kubeconfig"
    path.write_text(terminal.sim.kubeconfig(identity="preview"), encoding="utf-8")
    name = f"simulated-{terminal.ocean_id}"
    misspelled = terminal.run("doctor", "--kubeconfig", str(path), "--context", f"{name}x")
    unlike = terminal.run("doctor", "--kubeconfig", str(path), "--context", "production")
    assert f"--context: the kubeconfig has no context '{name}x'; did you mean `{name}`?" in misspelled.stderr
    assert f"--context: the kubeconfig has no context 'production'; existing: {name} [" in unlike.stderr
