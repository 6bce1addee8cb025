"""``ocean-migration report``: in each format, from the service, from a record, and with what a stack remembers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.recording.recorder import Recorder
from ocean_migration_pulumi.api.settings import Settings
from ocean_migration_pulumi.simulator import Simulator
from tests.cli.conftest import described
from tests.cli.explained import migrate, printed, run, simulator

Look = Callable[[OceanClient], object]


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """Give a simulator, not started, in which every migration fails for want of instances."""
    return simulator(monkeypatch, "unmatched-nodes")


def recorded(sim: Simulator, migration_id: str, to: Path) -> None:
    """Watch a migration to its end, and record it."""
    settings = Settings(base_url=sim.url, token=sim.token, account_id=sim.account_id)
    with OceanClient(settings, observers=(Recorder(to),)) as client:
        client.get_cluster(sim.ocean_id)
        for _ in range(200):
            status = client.get_migration(sim.ocean_id, migration_id)
            if status.is_terminal:
                return
            sim.control.advance(60)


def test_a_report_is_markdown_unless_something_else_is_asked_for(ended: Simulator) -> None:
    """Of the newest migration, in a pipe."""
    with ended as sim:
        migration_id = migrate(sim, seconds=3600)
        text = printed(sim, "report")
    assert text.startswith(f"## Migration <code>{migration_id}</code>\n\n**Failed**: ")
    assert "- **Reason**: <code>instances</code>\n" in text
    assert "Only start and end are known" in text
    assert text.count("```mermaid") == 1


def test_json_is_what_the_schema_describes(ended: Simulator) -> None:
    """By either option."""
    with ended as sim:
        migration_id = migrate(sim, seconds=3600)
        by_flag = json.loads(printed(sim, "report", migration_id, "--json"))
        by_name = json.loads(printed(sim, "report", migration_id, "-o", "json"))
    described("report", by_flag)
    assert by_flag["migration"] == by_name["migration"]
    assert by_flag["migration"]["outcome"] == "failed"


def test_a_page_goes_to_a_file(ended: Simulator, tmp_path: Path) -> None:
    """And nothing to stdout; a place that cannot be written to is told."""
    page = tmp_path / "report.html"
    with ended as sim:
        migrate(sim, seconds=3600)
        assert printed(sim, "report", "-o", "html", "--to", str(page)) == ""
        result = run(sim, "report", "--to", str(tmp_path / "none" / "report.md"))
    assert page.read_text().startswith('<!DOCTYPE html>\n<html lang="en">')
    assert result.exit_code == 2
    assert f"'--to': Folder '{tmp_path / 'none'}' does not exist." in result.stderr


def test_a_record_tells_the_course_without_anybody_to_ask(ended: Simulator, tmp_path: Path) -> None:
    """Every state with its time, of the migration that was read last or is named."""
    record = tmp_path / "incident.jsonl"
    with ended as sim:
        migration_id = migrate(sim, seconds=0)
        recorded(sim, migration_id, record)
    found = json.loads(printed(None, "report", "--from", str(record), "--json"))
    described("report", found)
    assert found["cluster"]["id"] == sim.ocean_id
    assert found["migration"] | {"state": "FINISHED_ERROR", "outcome": "failed"} == found["migration"]
    assert found["timeline"]["recorded"] is True
    assert found["timeline"]["states"][0]["state"] == "STARTING"
    assert len({state["state"] for state in found["timeline"]["states"]}) == 2
    assert any("the log could not be read" in note for note in found["notes"])
    text = printed(None, "report", migration_id, "--from", str(record))
    assert text.count("```mermaid") == 2
    result = run(None, "report", "owm-00000000", "--from", str(record))
    assert (result.exit_code, result.stderr) == (
        6,
        f"Error: --from: no status of owm-00000000 in {record}; existing: {migration_id} [unknown-name]\n",
    )


def test_a_stack_tells_the_course(ended: Simulator, tmp_path: Path) -> None:
    """As the resource noted it, from a file or from stdin."""
    with ended as sim:
        migration_id = migrate(sim, seconds=3600)
        entries = [
            {"at": f"2026-01-02T03:0{minute}:30.000Z", "state": state, "nodes_done": 0, "nodes": 6, "pods_left": 9}
            for minute, state in ((4, "STARTING"), (5, "AWAIT_REPLACEMENTS"))
        ]
        health = {"migration_id": migration_id, "state": "ready", "workloads": {"well": 3}, "pods": {"ocean": 12}}
        outputs = {"migrations": [{"id": migration_id}], "timeline": entries, "workload_health": health}
        stack = tmp_path / "stack.json"
        stack.write_text(json.dumps({"deployment": {"resources": [{"outputs": outputs}]}}))
        found = json.loads(printed(sim, "report", "--stack", str(stack), "--json"))
        shown = printed(sim, "report", "--stack", str(stack), "-o", "table")
        stack.write_text("{}")
        refused = run(sim, "report", "--stack", str(stack))
        both = run(sim, "report", "--stack", str(stack), "--from", str(stack))
    assert found["workload_health"]["state"] == "ready"
    assert "ready: 3 of 3 workloads ready, 12 pods ready on Ocean nodes" in shown
    assert [moment["state"] for moment in found["timeline"]["moments"]] == [
        "STARTING",
        "AWAIT_REPLACEMENTS",
        "FINISHED_ERROR",
    ]
    assert refused.exit_code == 2
    assert refused.stderr == "Error: --stack is not the output of `pulumi stack export` [invalid-input]\n"
    assert both.exit_code == 2
    assert "--from and --stack are mutually exclusive" in both.stderr


def test_help_has_examples() -> None:
    """One for each source."""
    text = printed(None, "report", "--help")
    assert "ocean-migration report owm-6e3819ae --cluster shop -o html --output report.html" in text
    assert "ocean-migration report --from incident.jsonl" in text


def test_a_table_is_aligned_lines_for_people(ended: Simulator) -> None:
    """The default on a terminal: the outcome first, then the facts in two columns, then the nodes."""
    with ended as sim:
        migration_id = migrate(sim, seconds=3600)
        lines = printed(sim, "report", "-o", "table").splitlines()
    assert lines[0].startswith(f"migration {migration_id} failed after ")
    assert lines[1] == ""
    facts = lines[2 : lines.index("", 2)]
    assert any(re.fullmatch(r"State +FINISHED_ERROR", line) for line in facts)
    starts = {len(re.match(r"\S+(?: \S+)* {2,}", line)[0]) for line in facts}  # type: ignore[index]
    assert len(starts) == 1, facts
    assert "Reason and remedy" in lines
    assert "Old nodes" in lines
    assert not any("<code>" in line or "`" in line for line in facts)
