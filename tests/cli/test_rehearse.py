"""`rehearse`: a migration of a simulator's cluster, tried out in another simulator."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ocean_migration_pulumi.rehearsal import PREDICTION
from ocean_migration_pulumi.simulator import given
from tests.cli.conftest import Terminal


def only_reads(terminal: Terminal) -> bool:
    """Tell whether nothing was changed."""
    return {entry["method"] for entry in terminal.sim.control.requests(api="all")} == {"GET"}


def test_prediction_as_a_table(terminal: Terminal) -> None:
    """Marked first, then the outcome, the states, and what is not known; only reads."""
    result = terminal.run("rehearse", "--all-nodes", "--batch-size-percentage", "50")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == PREDICTION
    assert lines[2] == "the migration of 5 nodes finishes; 5 of them done"
    assert lines[3].startswith("predicted duration: ")
    assert lines[5].split() == ["AFTER", "STATE", "NODES", "DONE", "PODS", "LEFT", "UNSCHEDULED", "BY", "HAND"]
    assert [line.split()[1] for line in lines[6:12]] == [
        "STARTING",
        "AWAIT_REPLACEMENTS",
        "HANDLE_UNSCHEDULE",
        "DRAIN_NODES",
        "VALIDATE_DRAIN",
        "STARTING",
    ]
    assert lines[-1].startswith("note: there is no access to Kubernetes")
    assert only_reads(terminal)
    assert terminal.sim.control.migrations(terminal.ocean_id) == []


def test_prediction_as_json_and_markdown(terminal: Terminal) -> None:
    """Both are marked; the JSON is as its schema says."""
    data = terminal.json("rehearse", "--asg-name", "web")
    assert data["prediction"] is True
    assert data["end"] == "FINISHED"
    text = terminal.run("rehearse", "--asg-name", "web", "-o", "markdown").stdout
    assert "**A prediction&#58; a simulator's guess." in text
    assert text.endswith("</details>\n")


@pytest.mark.parametrize("scenario", ["unmatched-nodes"])
def test_refusal_of_a_real_start_is_told(terminal: Terminal) -> None:
    """What it would lead to is rehearsed nonetheless."""
    data = terminal.json("rehearse", "--all-nodes")
    assert data["end"] == "FINISHED_ERROR"
    assert data["failure"]["reason"] == "instances"
    assert data["notes"][0] == "a real start is refused: prerequisites are not met: Virtual Node Groups"
    lines = terminal.run("rehearse", "--all-nodes").stdout.splitlines()
    assert any(line.startswith("what to do: Make sure that a Virtual Node Group fits") for line in lines)
    assert any(line.startswith("not drained before the end: 5 nodes, ") for line in lines)


@pytest.mark.parametrize("scenario", ["stand-alone-pods"])
def test_pods_that_stay_are_named(terminal: Terminal, tmp_path: Path) -> None:
    """With access to Kubernetes."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(terminal.sim.kubeconfig(), encoding="utf-8")
    result = terminal.run("rehearse", "--all-nodes", "--kubeconfig", str(kubeconfig))
    left = [line for line in result.stdout.splitlines() if line.startswith("left: ")]
    assert len(left) == 3
    assert all("tools/debug-" in line and "should_evict_stand_alone_pods is not set" in line for line in left)
    assert only_reads(terminal)


def test_description_can_be_kept(terminal: Terminal, tmp_path: Path) -> None:
    """For a simulator of one's own; where it cannot be written, it says so."""
    file = tmp_path / "world.json"
    assert terminal.run("rehearse", "--all-nodes", "--world", str(file)).exit_code == 0
    world = given.build(json.loads(file.read_text(encoding="utf-8")), seed=0, now=0.0)
    assert list(world.clusters) == [terminal.ocean_id]
    assert terminal.sim.token not in file.read_text(encoding="utf-8")
    nowhere = terminal.run("rehearse", "--all-nodes", "--world", str(tmp_path / "none" / "world.json"))
    assert nowhere.exit_code == 1
    assert "cannot write" in nowhere.stderr


def test_nothing_to_rehearse(terminal: Terminal) -> None:
    """A selector that takes nothing."""
    result = terminal.run("rehearse", "--asg-name", "none")
    assert result.exit_code == 4
    assert result.stderr == "Error: there is nothing to rehearse: Ocean offers none of the planned nodes\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "is not the description of a cluster: it is no JSON object"),
        ('{"weather": 1}', "weather"),
    ],
)
def test_simulator_refuses_what_is_no_description(terminal: Terminal, tmp_path: Path, content: str, said: str) -> None:
    """In one line, before it serves anything."""
    file = tmp_path / "world.json"
    file.write_text(content, encoding="utf-8")
    result = terminal.plain("simulator", "--world", str(file))
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert said in result.stderr
