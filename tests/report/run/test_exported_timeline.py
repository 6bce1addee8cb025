"""What a stack remembers of a run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocean_migration_pulumi.common.times import format_time
from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.report.run import exported_timeline
from tests.report import run_reports
from tests.report.run_reports import at


def entry(seconds: float, state: str) -> dict[str, Any]:
    """Return an entry of the timeline."""
    return {"at": format_time(at(seconds)), "state": state, "nodes_done": 1, "nodes": 4, "pods_left": 9}


def export(*resources: Any) -> str:
    """Return an export with resources of these outputs."""
    states = [{"urn": "urn:pulumi:dev::shop::x::y", "outputs": outputs} for outputs in resources]
    return json.dumps({"version": 3, "deployment": {"resources": [{"urn": "no outputs"}, *states]}})


RESOURCE = {
    "migrations": [
        {"id": "owm-1", "created_at": format_time(at(0.4))},
        {"id": "owm-lost"},
        {"id": "owm-2", "created_at": format_time(at(100.4))},
    ],
    "timeline": [
        entry(0, "STARTING"),
        entry(40, "DRAIN_NODES"),
        entry(90, "STOPPED"),
        entry(100, "STARTING"),
        entry(150, "DRAIN_NODES"),
    ],
}


@pytest.mark.parametrize(
    ("migration", "states"),
    [
        ("owm-1", [(0, "STARTING"), (40, "DRAIN_NODES"), (90, "STOPPED")]),
        ("owm-2", [(100, "STARTING"), (150, "DRAIN_NODES")]),
    ],
)
def test_a_run_gets_its_own_part_of_the_timeline(migration: str, states: list[tuple[float, str]]) -> None:
    """Also where the service's clock is told in whole seconds, and among resources of other kinds."""
    text = export({"id": "vpc"}, {"migrations": "none", "timeline": 3}, RESOURCE)
    found = exported_timeline.read_exported_moments(text, migration)
    assert [((moment.at - at(0)).total_seconds(), moment.state) for moment in found] == states


@pytest.mark.parametrize(("size", "found"), [(25, 25), (25.0, 25), (None, None), ("x", None), (0, None)])
def test_the_batch_size_of_a_run_is_that_of_its_start(size: object, found: int | None) -> None:
    """Unknown of a migration that was adopted, and of one of another stack."""
    text = export({"migrations": [{"id": "owm-1", "batch_size_percentage": size}]})
    assert exported_timeline.read_exported_batch_size(text, "owm-1") == found
    assert exported_timeline.read_exported_batch_size(text, "owm-2") is None


def test_a_run_of_unknown_begin_gets_what_was_before_the_next_one() -> None:
    """A lost run may have no times."""
    assert len(exported_timeline.read_exported_moments(export(RESOURCE), "owm-lost")) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "--stack is not the output of `pulumi stack export`"),
        ("[1]", "--stack is not the output of `pulumi stack export`"),
        ('{"deployment": 1}', "--stack is not the output of `pulumi stack export`"),
        (export(), "--stack: does not contain owm-9: it ran no migration"),
        (export(RESOURCE), "--stack: does not contain owm-9: its migrations are owm-1, owm-lost, owm-2"),
    ],
)
def test_what_is_no_such_stack_is_refused(text: str, message: str) -> None:
    """With what is wrong about it."""
    with pytest.raises(InputError) as caught:
        exported_timeline.read_exported_moments(text, "owm-9")
    assert str(caught.value) == message


def test_a_run_gets_the_health_that_its_resource_recorded() -> None:
    """By the id of the migration; another one of the stack has none."""
    migrations = [run_reports.BRAKED, {"id": "owm-2"}]
    text = export(RESOURCE, {**run_reports.HEALTH_OUTPUTS, "migrations": migrations})
    found = exported_timeline.read_exported_health(text, run_reports.BRAKED["id"])
    assert found is not None
    assert (found.state, found.ready, found.judged, found.brake_cause) == ("not ready", 2, 3, "image")
    assert exported_timeline.read_exported_health(text, "owm-2") is None
    assert exported_timeline.read_exported_health(text, "owm-elsewhere") is None
