"""Whole comments, compared with those in `snapshots/`.

After a wanted change, `RENEW_SNAPSHOTS=1 make test PYTEST_ARGS="tests/report/test_snapshots.py"` writes them
anew; then read their diff.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ocean_migration_pulumi.migration.spec.planned_nodes import plan_digest
from tests.report.documents import blocked, comment, document, planned, ready, step, stored, unmatched

SNAPSHOTS = Path(__file__).with_name("snapshots")


def _ready() -> str:
    made, lines = ready(approved_plan=plan_digest(planned(16)))
    return document([made], lines)


def _blocked() -> str:
    made, lines = blocked(should_terminate_drained_nodes=True, force_pod_eviction_on_pdb_failure=True)
    return document([made], lines)


def _refused() -> str:
    made, lines = unmatched()
    return document([made], lines)


def _two() -> str:
    (first, told), (second, more) = ready("api"), blocked("web")
    others = [{"op": op, "urn": f"urn:pulumi:production::cluster::a:b:C::{op}"} for op in ("create", "update", "same")]
    return document([first, second, *others], [*told, *more])


def _unknown() -> str:
    return document([step("web", {"planned_nodes": "04da6b54-80e4-46f7-96ec-b56ff0331ba9"})])


CASES: dict[str, Callable[[], str]] = {
    "ready": _ready,
    "blockers": _blocked,
    "refused": _refused,
    "two-resources": _two,
    "unknown-plan": _unknown,
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
