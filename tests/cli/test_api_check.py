"""`api-check`: what this account's answers say of Spot's API."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Terminal, described


def test_account_is_asked_with_gets_only(terminal: Terminal) -> None:
    """Those that differ come first; the excerpts are in the Markdown."""
    terminal.sim.control.quirk("default", "default")
    result = terminal.run("api-check")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["VERDICT", "QUESTION", "THIS", "ACCOUNT", "SAYS"]
    assert lines[1].startswith("differs")
    assert "different from the API reference" in result.stderr
    text = terminal.run("api-check", "-o", "markdown").stdout
    assert text.startswith("## How Spot's API responds\n")
    assert terminal.sim.account_id not in text
    assert {entry["method"] for entry in terminal.sim.control.requests()} == {"GET"}


def test_record_is_judged_without_asking(terminal: Terminal, tmp_path: Path) -> None:
    """As its JSON schema says; the same questions, by what was recorded."""
    file = tmp_path / "record.jsonl"
    assert terminal.run("api-check", "--record", str(file)).exit_code == 0
    terminal.sim.control.clear_requests()
    result = terminal.run("api-check", "--from", str(file), "--json")
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    described("api-check", data)
    found = {each["key"]: each["verdict"] for each in data["questions"]}
    assert found["missing-cluster"] == "settled"
    assert found["refused-start"] == "not seen"
    assert terminal.sim.control.requests() == []


def test_file_that_is_no_record_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    """With the name of the file."""
    file = tmp_path / "other.json"
    file.write_text("{}", encoding="utf-8")
    result = terminal.run("api-check", "--from", str(file))
    assert result.exit_code == 2
    assert "is not a record" in result.stderr
