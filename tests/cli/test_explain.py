"""``ocean-migration explain``: its complete output in each scenario, offline, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from ocean_migration_pulumi.cli.commands.inspect.explain import MOST_PODS, format_lines
from ocean_migration_pulumi.migration.diagnosis.diagnosis import Diagnosis, Outcome
from ocean_migration_pulumi.migration.diagnosis.failure_reasons import REASONS
from ocean_migration_pulumi.migration.diagnosis.stuck_pods import Blocker, StuckPod
from ocean_migration_pulumi.migration.diagnosis.stuck_pods_text import describe_blocker
from ocean_migration_pulumi.migration.spec.vocabulary import INPUTS
from ocean_migration_pulumi.simulator import Simulator
from tests.cli.conftest import SCHEMAS, described
from tests.cli.explained import migrate, printed, run, simulator

TEXTS: Final = Path(__file__).parent / "texts"
Then = Callable[[Simulator, str], None]


def _nothing(sim: Simulator, migration: str) -> None:
    """Do nothing."""


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
        ("finished-cordoned", "success", 3600, _nothing, False, {"should_terminate_drained_nodes": False}),
    ],
)
def test_every_scenario_has_its_output(
    text: str,
    scenario: str,
    seconds: float,
    then: Then,
    kubernetes: bool,
    flags: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The output has reason, evidence, remaining pods, remedy and notes."""
    with simulator(monkeypatch, scenario) as sim:
        then(sim, migrate(sim, seconds=seconds, **flags))
        options = []
        if kubernetes:
            kubeconfig = tmp_path / "kubeconfig"
            kubeconfig.write_text(sim.kubeconfig())
            options = ["--kubeconfig", str(kubeconfig)]
        assert printed(sim, "explain", *options) == (TEXTS / f"explain-{text}.txt").read_text()


def test_record_is_explained_offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The output equals the one from which the record was made."""
    record = tmp_path / "incident.jsonl"
    with simulator(monkeypatch, "failure-timeout") as sim:
        migration = migrate(sim, seconds=3600)
        online = printed(sim, "explain", "--record", str(record))
    assert printed(None, "explain", "--from", str(record)) == online
    assert printed(None, "explain", migration, "--from", str(record)) == online


def test_record_shows_when_the_status_last_changed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its statuses show it, not the log; the record has nothing of Kubernetes."""
    record = tmp_path / "incident.jsonl"
    with simulator(monkeypatch, "stall") as sim:
        migrate(sim, seconds=600)
        for _ in range(3):
            run(sim, "explain", "--record", str(record))
            sim.control.advance(1200)
    text = printed(None, "explain", "--from", str(record))
    assert "has made no progress for 40m00s: DRAIN_NODES, 3 of 6 nodes done" in text
    assert "status last changed at 2026-01-02T03:14:05" in text
    assert "  blockers unknown: a record has no data from Kubernetes\n" in text
    assert "estimated from the cluster's log" not in text
    running = printed(None, "explain", "--from", str(record), "--stall-timeout", "1h")
    assert "has run for 50m00s, 3 of 6 nodes done: draining old nodes" in running


def test_record_with_one_status_uses_the_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A single status shows no change."""
    record = tmp_path / "incident.jsonl"
    with simulator(monkeypatch, "stall") as sim:
        migrate(sim, seconds=3600)
        printed(sim, "explain", "--record", str(record))
    assert "estimated from the cluster's log" in printed(None, "explain", "--from", str(record))


def test_record_without_the_migration_has_no_such_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The exit status is 6, and the message names the file and the migration."""
    record = tmp_path / "incident.jsonl"
    with simulator(monkeypatch, "success") as sim:
        migrate(sim, seconds=3600)
        printed(sim, "explain", "--record", str(record))
    result = run(None, "explain", "owm-other", "--from", str(record))
    assert result.exit_code == 6
    assert result.stderr.startswith(f"Error: --from: no status of owm-other in {record}; ")


def test_json_has_every_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """The output follows its schema."""
    with simulator(monkeypatch, "stand-alone-pods") as sim:
        migration = migrate(sim, seconds=3600)
        found = json.loads(printed(sim, "explain", "--json"))
        described("explain", found)
        assert (found["ocean_id"], found["migration_id"]) == (sim.ocean_id, migration)
    assert (found["state"], found["outcome"], found["reason"]) == ("FINISHED", "leftovers", "leftovers")
    assert [pod["pod"] for pod in found["holdings"]] == ["debug-1", "debug-2", "debug-3"]


def test_schema_knows_every_reason_and_outcome() -> None:
    """A program that reads the output meets no other value."""
    properties = json.loads((SCHEMAS / "explain.json").read_text())["properties"]
    assert set(properties["reason"]["enum"]) == {*REASONS, "unknown", "stall", "stopped", "leftovers", ""}
    assert set(properties["outcome"]["enum"]) == set(Outcome)


def test_foreign_names_cannot_change_the_output() -> None:
    """Line breaks and escape sequences are removed, tags stay text, and pods beyond the limit are counted."""
    pods = tuple(StuckPod(pod=f"shop/<b>{number}\n\x1b[31m", node="", blocker=Blocker.PENDING) for number in range(60))
    found = Diagnosis(outcome=Outcome.STALLED, headline="a\nb", reason="stall", stuck=pods)
    text = list(format_lines(found))
    assert text[:4] == ["a b", "", "Remaining pods", f"  {': '.join(describe_blocker(pods[0], INPUTS))}"]
    assert text[4] == "    shop/<b>0 [31m"
    assert text[-1] == "  and 10 more pods: see --json"
    assert len(text) == 4 + MOST_PODS + 1


def test_unknown_migration_and_duration_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown migration, and a cluster without migrations, have the same exit status."""
    with simulator(monkeypatch, "success") as sim:
        sim.control.clock(manual=True)
        assert run(sim, "explain", "owm-none").exit_code == 6
        nothing = run(sim, "explain")
        assert nothing.exit_code == 6
        assert "no migration on" in nothing.stderr
        assert run(sim, "explain", "--stall-timeout", "soon").exit_code == 2
