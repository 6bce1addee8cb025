"""The demo: the whole story without the `pulumi` command, and what it does where something is not so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from examples.demo.display import Thinned
from examples.demo.engines import EngineError, OfflineEngine, PulumiEngine, choose

pytestmark = pytest.mark.usefixtures("unmeasured")

ROOT = Path(__file__).parents[1]


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the demo to its end."""
    return subprocess.run(
        [sys.executable, "-m", "examples.demo", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def fake_pulumi(directory: Path, script: str) -> str:
    """Write a `pulumi` that is a shell script, and return its path."""
    command = directory / "pulumi"
    command.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    command.chmod(0o755)
    return str(command)


@pytest.mark.slow
def test_the_whole_story_holds_on_offline_stack() -> None:
    """Every step proves its claim, and the end tells what to read."""
    run = demo("--engine", "offline")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Engine: OfflineStack" in run.stdout
    assert "✗" not in run.stdout
    assert [line[0] for line in run.stdout.splitlines() if line[1:3] == ". "] == list("1234567")
    assert "planned_nodes" in run.stdout
    for state in ("AWAIT_REPLACEMENTS", "DRAIN_NODES", "VALIDATE_DRAIN", "FINISHED", "STOPPED"):
        assert f"{state} " in run.stdout
    assert "README.md" in run.stdout.rpartition("Read next:")[2]
    assert run.stderr == ""


def test_a_claim_that_does_not_hold_fails_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that does nothing proves nothing: the exit status says so."""
    fake_pulumi(tmp_path, 'test "$1" != version || echo v3.999.0')
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    run = demo()
    assert run.returncode == 1
    assert "✗ not so: it plans the 6 nodes" in run.stdout
    assert "Read next" not in run.stdout


def test_an_engine_that_refuses_fails_the_demo_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the engine says is passed on, without a traceback."""
    fake_pulumi(tmp_path, 'test "$1" = version && echo v3.999.0 && exit\necho "no stacks today" >&2\nexit 255')
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    run = demo()
    assert run.returncode == 1
    assert "pulumi stack init demo failed: no stacks today" in run.stdout
    assert "Traceback" not in run.stdout + run.stderr


def test_the_real_engine_is_taken_from_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its path and version are told, and nothing of the user's own settings reaches it."""
    home = tmp_path / "home"
    home.mkdir()
    command = fake_pulumi(tmp_path, "echo v3.999.0")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "the user's own")
    monkeypatch.setenv("SPOTINST_PROFILE", "the user's own")
    engine = choose("auto", tmp_path, home, {"SPOTINST_TOKEN": "of the simulator"}, tmp_path / "downloads")
    assert isinstance(engine, PulumiEngine)
    assert engine.introduction == f"{command} v3.999.0"
    assert "the user's own" not in engine.environment.values()
    assert engine.environment["SPOTINST_TOKEN"] == "of the simulator"
    for variable in ("PULUMI_HOME", "PULUMI_BACKEND_URL"):
        assert str(home) in engine.environment[variable]


def test_without_pulumi_one_line_says_why_and_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OfflineStack runs where there is no command."""
    monkeypatch.setenv("PATH", str(tmp_path))
    engine = choose("auto", tmp_path, tmp_path, {}, tmp_path / "downloads")
    assert isinstance(engine, OfflineEngine)
    assert "there is no `pulumi` on the PATH" in engine.introduction
    assert "make demo ENGINE=download" in engine.introduction
    assert "\n" not in engine.introduction


@pytest.mark.parametrize("script", [None, "exit 1"])
def test_a_pulumi_that_was_asked_for_is_never_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None
) -> None:
    """`make demo ENGINE=pulumi` fails where the command is missing or broken, and says how to get one."""
    if script:
        fake_pulumi(tmp_path, script)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="`make demo ENGINE=download`"):
        choose("pulumi", tmp_path, tmp_path, {}, tmp_path / "downloads")


def test_a_pulumi_that_does_not_run_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken command is named, and OfflineStack runs."""
    command = fake_pulumi(tmp_path, "exit 1")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    engine = choose("auto", tmp_path, tmp_path, {}, tmp_path / "downloads")
    assert isinstance(engine, OfflineEngine)
    assert f"{command} does not run" in engine.introduction


def test_an_impossible_download_falls_back_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the official command cannot be downloaded the reason is told, and OfflineStack runs."""
    for variable in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    engine = choose("download", tmp_path, tmp_path, {}, tmp_path / "downloads")
    assert isinstance(engine, OfflineEngine)
    assert "could not be downloaded (" in engine.introduction
    assert "\n" not in engine.introduction


def test_a_downloaded_engine_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that an earlier download left is taken without another one."""
    home, downloads = tmp_path / "home", tmp_path / "downloads"
    home.mkdir()
    (downloads / "bin").mkdir(parents=True)
    command = fake_pulumi(downloads / "bin", "echo v3.999.0")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    engine = choose("download", tmp_path, home, {}, downloads)
    assert isinstance(engine, PulumiEngine)
    assert engine.introduction == f"{command} v3.999.0"


def test_the_shown_output_is_short_and_loses_no_state() -> None:
    """Rows lose their package and what is said twice; a diagnostic that was no row stays, under its heading."""
    row = " ~  pulumi-python:dynamic/ocean-migration:OceanWorkloadMigration web updating (1s) [diff: ~nodes]; "
    lines = [
        row + "0/2 nodes, STARTING 0s",
        row + "owm-1: 0/2 nodes, DRAIN_NODES 1s",
        row + "0/2 nodes, DRAIN_NODES 1s",
        "@ updating....",
        "Diagnostics:",
        "  pulumi:pulumi:Stack (dev):",
        "    Traceback (most recent call last):",
        "  pulumi-python:dynamic/ocean-migration:OceanWorkloadMigration (web):",
        "    owm-1: 0/2 nodes, DRAIN_NODES 1s",
        "    warning: two nodes match no Virtual Node Group",
        "Outputs:",
        "    migration: owm-1",
        "Resources:",
        "    1 updated",
    ]
    thinned = Thinned(outputs=False)
    assert [shown for line in lines for shown in thinned.feed(line)] == [
        " ~  OceanWorkloadMigration web updating (1s) 0/2 nodes, STARTING 0s",
        " ~  OceanWorkloadMigration web updating (1s) owm-1: 0/2 nodes, DRAIN_NODES 1s",
        "Diagnostics:",
        "  OceanWorkloadMigration (web):",
        "    warning: two nodes match no Virtual Node Group",
        "Resources:",
        "    1 updated",
    ]
