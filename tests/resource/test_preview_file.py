"""The preview file carries what a preview found from the provider to the comment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity
from ocean_migration_pulumi.resource.preview_file import PreviewRecord, append_preview, read_previews

BLOCKED = Diagnostic(
    code=Code.PDB_BLOCKS,
    severity=Severity.WARNING,
    subject="shop/cart\x1b",
    fields={"pods": 2, "nodes": ["n1"], "forced": False},
    text="Blocked: ...",
)


def test_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """With its diagnostics and their rendered text; a later line of the same resource replaces the earlier one."""
    path = tmp_path / "preview.jsonl"
    record = PreviewRecord(
        urn="urn:web", planned_nodes={"i-1": "n1 web -> x (ols-1)"}, plan_digest="0" * 16, diagnostics=(BLOCKED,)
    )
    append_preview(path, PreviewRecord(urn="urn:web", unplanned="Spot cannot be asked"))
    append_preview(path, PreviewRecord(urn="urn:api", approved=True))
    append_preview(path, record)
    found = read_previews(path)
    assert found == {"urn:web": record, "urn:api": PreviewRecord(urn="urn:api", approved=True)}
    assert found["urn:web"].diagnostics[0].text == "Blocked: ..."
    lines = path.read_text().splitlines()
    assert len(lines) == 3
    assert json.loads(lines[2])["version"] == 1


def test_code_of_a_newer_version_stays_readable(tmp_path: Path) -> None:
    """Its text is what the writer made of it; an unknown severity is no good news."""
    path = tmp_path / "preview.jsonl"
    told = {"code": "new-kind", "severity": "fatal", "fields": {"a": 1}, "text": "Something new"}
    path.write_text(json.dumps({"version": 9, "urn": "urn:web", "diagnostics": [told, "?"]}) + "\n\n")
    (found,) = read_previews(path)["urn:web"].diagnostics
    assert (found.code, found.severity, found.text) == ("new-kind", Severity.WARNING, "Something new")
    assert not found.is_blocker


def test_file_of_another_kind_is_bad_input(tmp_path: Path) -> None:
    """The line is named."""
    path = tmp_path / "preview.jsonl"
    with pytest.raises(InputError, match="cannot read"):
        read_previews(path)
    append_preview(path, PreviewRecord(urn="urn:web"))
    path.write_text(path.read_text() + '{"steps": []}\n')
    with pytest.raises(InputError, match="line 2 of"):
        read_previews(path)
