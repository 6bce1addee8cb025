"""The command `ocean-migration pending`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ocean_migration_pulumi import cli
from ocean_migration_pulumi.report.pull_request.preview import TYPE
from tests.cli.conftest import described

RUNNING = {"id": "owm-1", "status": "IN_PROGRESS", "instance_ids": ["i-1"]}
FINISHED = {"id": "owm-1", "status": "FINISHED", "instance_ids": ["i-1"]}
DONE = {"planned_nodes": {"i-1": "web"}, "migrated_nodes": ["i-1"], "remaining_nodes": [], "gone_nodes": []}
REMAINS = {"planned_nodes": {"i-1": "web"}, "migrated_nodes": [], "remaining_nodes": ["i-1"], "gone_nodes": []}


def resource(outputs: Any, name: str = "web", **more: Any) -> dict[str, Any]:
    """Return a migration as an export has it."""
    urn = f"urn:pulumi:dev::cluster::ocean-migration:index:OceanMigration${TYPE}::{name}"
    inputs = {"ocean_id": "o-1", "nodes": {"asg_names": ["web"]}}
    return {"urn": urn, "type": TYPE, "inputs": inputs, "outputs": outputs, **more}


def run(*resources: Any, options: tuple[str, ...] = ()) -> Result:
    """Run the command on a stack of these resources."""
    given = json.dumps({"version": 3, "deployment": {"resources": resources}})
    return CliRunner().invoke(cli.main, ["pending", *options], input=given)


@pytest.mark.parametrize(
    ("outputs", "more", "reason"),
    [
        ({**DONE, "migrations": [FINISHED]}, {}, None),
        ({**REMAINS, "migrations": [RUNNING], "target_reached": True}, {}, "migration owm-1 was still running"),
        ({**REMAINS, "migrations": [{**FINISHED, "status": "FINISHED_ERROR"}]}, {}, "1 node remains after owm-1"),
        ({**REMAINS, "migrations": [{**FINISHED, "status": "STOPPED", "stopped_by": "others"}]}, {}, None),
        ({**DONE, "unanswered_start": {"listed": [], "instance_ids": ["i-1"]}}, {}, "a migration may have started"),
        ({**DONE, "migrations": [FINISHED]}, {"initErrors": ["busy"]}, "the last `pulumi up` failed"),
        ({}, {}, None),
        (None, {"inputs": None}, None),
    ],
)
def test_pending_is_what_runs_and_what_another_update_continues(
    outputs: Any, more: dict[str, Any], reason: str | None
) -> None:
    """A stop by somebody else is final until the inputs change."""
    result = run({"type": "aws:s3/bucket:Bucket", "outputs": {"migrations": [RUNNING]}}, resource(outputs, **more))
    assert result.exit_code == (0 if reason is None else 7), result.output
    assert (reason or "No migration is pending") in result.output


def test_json_has_each_pending_migration() -> None:
    """As its schema says."""
    result = run(resource({**REMAINS, "migrations": [RUNNING]}), resource(DONE, "api"), options=("--json",))
    assert result.exit_code == 7
    data = json.loads(result.stdout)
    described("pending", data)
    assert data["pending"] == [
        {
            "name": "web",
            "migration_id": "owm-1",
            "status": "IN_PROGRESS",
            "reason": "migration owm-1 was still running",
        }
    ]


@pytest.mark.parametrize("given", ["", "null", "[]", "no JSON", '{"deployment": 1}'])
def test_other_input_is_refused(given: str) -> None:
    """An empty input must not pass for a stack that is done."""
    result = CliRunner().invoke(cli.main, ["pending"], input=given)
    assert result.exit_code == 2
    assert result.stderr == "Error: EXPORT is not the output of `pulumi stack export` [invalid-input]\n"


@pytest.mark.parametrize("deployment", [{}, {"resources": None}])
def test_empty_stack_has_nothing_pending(deployment: dict[str, Any]) -> None:
    """As the engine exports it before the first update."""
    result = CliRunner().invoke(cli.main, ["pending"], input=json.dumps({"deployment": deployment}))
    assert result.exit_code == 0
