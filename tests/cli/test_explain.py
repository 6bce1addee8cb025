"""``ocean-migration explain``: what it prints in each scenario, word by word."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from ocean_migration_pulumi.cli.commands.inspect.explain import MOST_PODS, lines
from ocean_migration_pulumi.migration.diagnosis.diagnosis import Diagnosis, Outcome, StuckPod
from ocean_migration_pulumi.migration.diagnosis.failure_reasons import REASONS
from ocean_migration_pulumi.simulator import Simulator
from tests.cli.conftest import SCHEMAS, described
from tests.cli.explained import migrate, printed, run, simulator

TEXTS: Final = Path(__file__).parent / "texts"
Then = Callable[[Simulator, str], None]


def _nothing(sim: Simulator, migration: str) -> None:
    """Leave it alone."""


def _stopped(sim: Simulator, migration: str) -> None:
    """Let somebody stop it in the console, and wait."""
    sim.control.stop_foreign(sim.ocean_id, migration)
    sim.control.advance(600)


def _stopped_for_good(sim: Simulator, migration: str) -> None:
    """Let somebody stop it in the console with its drained nodes terminated, and wait."""
    sim.control.stop_foreign(sim.ocean_id, migration, terminate=True)
    sim.control.advance(600)


_FORCED: Final = {"should_evict_stand_alone_pods": True, "force_pod_eviction_on_pdb_failure": True}


@pytest.mark.parametrize(
    ("text", "scenario", "seconds", "then", "kubernetes", "flags"),
    [
        ("connectivity", "dead-controller", 3600, _nothing, False, {}),
        ("instances", "unmatched-nodes", 3600, _nothing, False, {}),
        ("timeout", "failure-timeout", 3600, _nothing, False, {}),
        ("schedule", "kubernetes-trouble", 7200, _nothing, True, _FORCED),
        ("schedule-held", "kubernetes-trouble", 7200, _nothing, True, {}),
        ("termination", "failure-terminate", 3600, _nothing, False, {}),
        ("stop-termination", "failure-stop-terminate", 350, _stopped_for_good, False, {}),
        ("stop-reschedule", "failure-stop-reschedule", 350, _stopped, True, {}),
        ("stall", "stall", 3600, _nothing, True, {}),
        ("stall-blind", "stall", 3600, _nothing, False, {}),
        ("stopped", "success", 350, _stopped, True, {}),
        ("leftovers", "stand-alone-pods", 3600, _nothing, False, {}),
        ("leftovers-known", "blocking-pdb", 7200, _nothing, True, {}),
        ("running", "blocking-pdb", 150, _nothing, True, {}),
        ("finished", "success", 3600, _nothing, False, {}),
    ],
)
def test_each_scenario_is_explained(
    text: str,
    scenario: str,
    seconds: float,
    then: Then,
    kubernetes: bool,
    flags: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """By its exact words, in a pipe: reason, what shows it, what is left, what to do, and what is not known."""
    with simulator(monkeypatch, scenario) as sim:
        then(sim, migrate(sim, seconds=seconds, **flags))
        options = []
        if kubernetes:
            kubeconfig = tmp_path / "kubeconfig"
            kubeconfig.write_text(sim.kubeconfig())
            options = ["--kubeconfig", str(kubeconfig)]
        assert printed(sim, "explain", *options) == (TEXTS / f"explain-{text}.txt").read_text()


def test_a_record_is_explained_offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In the same words as the service itself, save what nobody asked for while the record was made."""
    record = tmp_path / "incident.jsonl"
    with simulator(monkeypatch, "failure-timeout") as sim:
        migration = migrate(sim, seconds=3600)
        online = printed(sim, "explain", "--record", str(record))
    assert printed(None, "explain", "--from", str(record)) == online
    assert printed(None, "explain", migration, "--from", str(record)) == online


def test_a_record_tells_since_when_a_migration_stands_still(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By its statuses, and not by the log; and that Kubernetes is not part of it."""
    record = tmp_path / "incident.jsonl"
    with simulator(monkeypatch, "stall") as sim:
        migrate(sim, seconds=600)
        for _ in range(3):
            run(sim, "explain", "--record", str(record))
            sim.control.advance(1200)
    text = printed(None, "explain", "--from", str(record))
    assert "has made no progress for 40m00s: DRAIN_NODES, 3 of 6 nodes done" in text
    assert "its status last changed at 2026-01-02T03:14:05" in text
    assert "  what holds pods is not known: a record tells nothing of Kubernetes\n" in text
    assert "taken from the cluster's log" not in text
    running = printed(None, "explain", "--from", str(record), "--stall-timeout", "1h")
    assert "has run for 50m00s, 3 of 6 nodes done: it drains the old nodes of the batch" in running


def test_a_single_status_leaves_it_to_the_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of a record that saw only one."""
    record = tmp_path / "incident.jsonl"
    with simulator(monkeypatch, "stall") as sim:
        migrate(sim, seconds=3600)
        printed(sim, "explain", "--record", str(record))
    assert "taken from the cluster's log" in printed(None, "explain", "--from", str(record))


def test_a_record_without_the_migration_is_a_mistake_of_the_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Exit status 2, and the message names both."""
    record = tmp_path / "incident.jsonl"
    with simulator(monkeypatch, "success") as sim:
        migrate(sim, seconds=3600)
        printed(sim, "explain", "--record", str(record))
    result = run(None, "explain", "owm-other", "--from", str(record))
    assert result.exit_code == 2
    assert result.stderr == f"Error: --from: {record} holds no status of owm-other\n"


def test_json_has_every_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """As its schema describes it."""
    with simulator(monkeypatch, "stand-alone-pods") as sim:
        migration = migrate(sim, seconds=3600)
        found = json.loads(printed(sim, "explain", "--json"))
        described("explain", found)
        assert (found["ocean_id"], found["migration_id"]) == (sim.ocean_id, migration)
    assert (found["state"], found["outcome"], found["reason"]) == ("FINISHED", "leftovers", "leftovers")
    assert [pod["pod"] for pod in found["holdings"]] == ["debug-1", "debug-2", "debug-3"]


def test_schema_knows_every_reason_and_outcome() -> None:
    """So that a program that reads it meets no other."""
    properties = json.loads((SCHEMAS / "explain.json").read_text())["properties"]
    assert set(properties["reason"]["enum"]) == {*REASONS, "unknown", "stall", "stopped", "leftovers", ""}
    assert set(properties["outcome"]["enum"]) == set(Outcome)


def test_names_of_others_stay_names() -> None:
    """No line of theirs begins another, no tag or link comes of them; very many are counted."""
    pods = tuple(
        StuckPod(pod=f"shop/<b>{number}\n\x1b[31m", node="", why="it waits", remedy="wait") for number in range(60)
    )
    found = Diagnosis(outcome=Outcome.STALLED, headline="a\nb", reason="stall", stuck=pods)
    text = list(lines(found))
    assert text[:4] == ["a b", "", "Pods that are left", "  it waits: wait"]
    assert text[4] == "    shop/<b>0 [31m"
    assert text[-1] == "  and 10 pods more: see --json"
    assert len(text) == 4 + MOST_PODS + 1


def test_what_cannot_be_explained_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration that is none, and a duration that is none."""
    with simulator(monkeypatch, "success") as sim:
        sim.control.clock(manual=True)
        assert run(sim, "explain", "owm-none").exit_code == 1
        nothing = run(sim, "explain")
        assert nothing.exit_code == 2
        assert "there was no migration" in nothing.stderr
        assert run(sim, "explain", "--stall-timeout", "soon").exit_code == 2
