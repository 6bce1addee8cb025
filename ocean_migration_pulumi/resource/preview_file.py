"""The preview file: one JSON line for each planned resource, so that `ocean-migration comment` needs no parsed text."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ocean_migration_pulumi.common.json_values import as_maps
from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.spec.diagnostic import Diagnostic

VARIABLE: Final = "OCEAN_MIGRATION_PREVIEW_FILE"
"""The environment variable that names the file."""

VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewRecord:
    """What one preview of one resource found."""

    urn: str
    """The URN of the resource."""
    planned_nodes: Mapping[str, str] | None = None
    """The plan, as the input ``planned_nodes`` has it; None when there is none yet."""
    plan_digest: str = ""
    """The digest of the plan; empty without one."""
    approved: bool | None = None
    """Whether ``approved_plan`` names this plan; None without one of the two."""
    unplanned: str | None = None
    """Why there is no new plan; None when there is one, or none is needed."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """What the preview shows, rendered."""


def append_preview(path: str | Path, record: PreviewRecord) -> None:
    """Append a record as one line, with one write: other processes may append at the same time.

    Raises:
        OSError: The file cannot be written.
    """
    data = {
        "version": VERSION,
        "urn": record.urn,
        "planned_nodes": None if record.planned_nodes is None else dict(record.planned_nodes),
        "plan_digest": record.plan_digest,
        "approved": record.approved,
        "unplanned": record.unplanned,
        "diagnostics": [diagnostic.to_json() for diagnostic in record.diagnostics],
    }
    line = json.dumps(data, separators=(",", ":")).encode() + b"\n"
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        written = os.write(file, line)
    finally:
        os.close(file)
    if written != len(line):
        msg = f"only {written} of {len(line)} bytes were written"
        raise OSError(msg)


def read_previews(path: str | Path) -> dict[str, PreviewRecord]:
    """Return the records by URN; a later line replaces an earlier one of the same resource.

    Raises:
        InputError: The file cannot be read, or a line is not a record.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("preview file", f"cannot read {path}: {error}") from None
    records: dict[str, PreviewRecord] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict) or not isinstance(data.get("urn"), str):
            raise InputError("preview file", f"line {number} of {path} is not a preview record")
        records[data["urn"]] = _read_record(data)
    return records


def _read_record(data: Mapping[str, Any]) -> PreviewRecord:
    planned, approved, unplanned = data.get("planned_nodes"), data.get("approved"), data.get("unplanned")
    return PreviewRecord(
        urn=data["urn"],
        planned_nodes={str(name): str(entry) for name, entry in planned.items()} if isinstance(planned, dict) else None,
        plan_digest=str(data.get("plan_digest") or ""),
        approved=approved if isinstance(approved, bool) else None,
        unplanned=None if unplanned is None else str(unplanned),
        diagnostics=tuple(map(Diagnostic.from_json, as_maps(data.get("diagnostics")))),
    )
