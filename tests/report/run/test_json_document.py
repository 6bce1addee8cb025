"""A run as JSON: its schema describes every key of it."""

from __future__ import annotations

import json

import pytest

from ocean_migration_pulumi.api.models.migration import LogEntry, MigrationStatus
from ocean_migration_pulumi.migration.views.run_report import RunReport
from ocean_migration_pulumi.report.run import json_document
from tests.cli.conftest import described
from tests.report import run_reports
from tests.report.run_reports import run_report


@pytest.mark.parametrize(
    "told",
    [
        run_reports.failed(),
        run_reports.with_leftovers(),
        run_reports.large(60),
        run_reports.braked(),
        run_report(MigrationStatus(id="owm-1", state="NEW_STATE"), cluster_name="", log=(LogEntry(message="x"),)),
    ],
    ids=["failed", "leftovers", "running", "braked", "untold"],
)
def test_the_schema_describes_it_whole(told: RunReport) -> None:
    """As it is read back."""
    described("report", json.loads(json.dumps(json_document.report_to_json(told))))


def test_what_is_told_of_a_failed_run() -> None:
    """The figures, the states, and what holds the pods."""
    found = json_document.report_to_json(run_reports.failed())
    assert found["migration"]["outcome"] == "failed"
    assert found["migration"]["seconds"] == 760
    assert found["progress"] == {
        "nodes": 16,
        "nodes_done": 8,
        "nodes_manual": 0,
        "percentage": 50.0,
        "pods_left": 40,
        "unscheduled_pods": 2,
        "new_nodes": 5,
    }
    assert found["timeline"]["states"][-1] == {
        "state": "RESCHEDULE_NODES",
        "begun_at": "2024-05-01T12:12:10.000Z",
        "ended_at": "2024-05-01T12:12:40.000Z",
        "seconds": 30.0,
    }
    assert found["timeline"]["moments"][-1]["state"] == "FINISHED_ERROR"
    assert found["leftover_pods"][0]["pod"] == "payments/ledger-0"
    assert [node["virtual_node_group"] for node in found["new_nodes"]] == [None, "api", "api", "web", "web"]


def test_recorded_health_of_workloads_has_the_cause_of_the_brake() -> None:
    """Null without a record."""
    found = json_document.report_to_json(run_reports.braked())["workload_health"]
    assert found["brake"] == {"cause": "image", "workloads": ["Deployment shop/cart"], "check": None}
    assert (found["state"], found["workloads_ready"], found["workloads"]) == ("not ready", 2, 3)
    assert [each["reason"] for each in found["not_ready"]] == ["image"]
    assert json_document.report_to_json(run_reports.failed())["workload_health"] is None


def test_without_a_record_nobody_looked() -> None:
    """The only state has no name."""
    timeline = json_document.report_to_json(run_reports.with_leftovers())["timeline"]
    assert timeline["recorded"] is False
    assert [state["state"] for state in timeline["states"]] == [None]
    assert len(timeline["moments"]) == 1
