"""Whole comments, compared with those in `snapshots/`.

After a wanted change, `RENEW_SNAPSHOTS=1 make test PYTEST_ARGS="tests/report/test_snapshots.py"` writes them
anew; then read their diff.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ocean_migration_pulumi.migration.spec.approval import plan_digest
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.report.pull_request.preview import UNKNOWN
from tests.report.documents import Case, blocked, case, comment, document, planned, ready, step, stored, unmatched

SNAPSHOTS = Path(__file__).with_name("snapshots")


OTHERS = [{"op": op, "urn": f"urn:pulumi:production::cluster::a:b:C::{op}"} for op in ("create", "update", "same")]
RISKY = {"should_terminate_drained_nodes": True, "terminate_drained_nodes_on_stop": True}

CASES: dict[str, Callable[[], Case]] = {
    "ready": lambda: case(ready(approved_plan=plan_digest(planned(16), MigrationSpec()))),
    "blockers": lambda: case(blocked(**RISKY)),
    "refused": lambda: case(unmatched()),
    "two-resources": lambda: case(ready("api"), blocked("web"), more=OTHERS),
    "unknown-plan": lambda: Case(document([step("web", {"planned_nodes": UNKNOWN})])),
    "created": lambda: stored("create"),
    "joined-nodes": lambda: stored("joined"),
    "no-changes": lambda: stored("no-change"),
    "not-approved": lambda: stored("not-approved"),
    "failed-preview": lambda: stored("program-failure"),
    "bad-input": lambda: stored("bad-input"),
    "deleted": lambda: stored("delete"),
    "replaced": lambda: stored("replace"),
}


@pytest.mark.parametrize("name", CASES)
def test_comment_is_the_stored_one(name: str) -> None:
    """Every character of it."""
    path = SNAPSHOTS / f"{name}.md"
    made = comment(CASES[name](), title="cluster/production")
    if os.environ.get("RENEW_SNAPSHOTS"):
        path.write_text(made, encoding="utf-8")
    assert made == path.read_text(encoding="utf-8")


def test_every_snapshot_is_of_a_case() -> None:
    """None is left of a case that is gone."""
    assert {path.stem for path in SNAPSHOTS.glob("*.md")} == set(CASES)
