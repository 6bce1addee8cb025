"""Data of reports: moments from the service and from a resource's timeline, and the periods of each state."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.models.migration import MigrationState, MigrationStatus
from ocean_migration_pulumi.api.settings import Settings
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.times import format_time, parse_time
from ocean_migration_pulumi.errors import InterruptedWaitError, MigrationNotFoundError
from ocean_migration_pulumi.migration.diagnosis.diagnosis import Diagnosis, Outcome
from ocean_migration_pulumi.migration.snapshot.sources import DataSources
from ocean_migration_pulumi.migration.views.run_report import Moment, RunReport, build_run_report, read_moments
from ocean_migration_pulumi.simulator import Simulator

STARTED = datetime(2024, 5, 1, 12, tzinfo=UTC)
FLAGS: dict[str, Any] = {
    "batch_size_percentage": 50,
    "should_terminate_drained_nodes": True,
    "should_evict_stand_alone_pods": True,
    "force_pod_eviction_on_pdb_failure": True,
}


def at(seconds: float) -> datetime:
    """Return a time so many seconds after the begin."""
    return STARTED + timedelta(seconds=seconds)


def moment(seconds: float, state: str, done: int = 0) -> Moment:
    """Return a moment so many seconds after the begin."""
    return Moment(at=at(seconds), state=state, done=done, total=4, pods=0, unscheduled=0)


def run_report(status: MigrationStatus, *moments: Moment, now: float = 100) -> RunReport:
    """Return a report of a status and the moments before it."""
    return RunReport(
        ocean_id="o-1",
        cluster_name="",
        status=status,
        moments=(*moments, Moment.from_reading(parse_time(status.ended_at) or at(now), status)),
        log=(),
        explanation=Diagnosis(outcome=Outcome.RUNNING, headline=""),
        virtual_node_groups={},
        generated_at=at(now),
    )


def status(state: str, *, created: bool = True, ended: float | None = None) -> MigrationStatus:
    """Return a status with the end in the field of its state."""
    end = None if ended is None else format_time(at(ended))
    field = {"FINISHED": "completed_at", "STOPPED": "stopped_at", "FINISHED_ERROR": "errored_at"}.get(state)
    times: dict[str, Any] = {field: end} if field else {}
    return MigrationStatus(id="owm-1", state=state, created_at=format_time(STARTED) if created else None, **times)


def spans(report: RunReport) -> list[tuple[str, float, float]]:
    """Return the periods in seconds since the start."""
    return [
        (period.state, (period.started - STARTED).total_seconds(), (period.ended - STARTED).total_seconds())
        for period in report.list_periods()
    ]


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """Give a simulator whose clock stands."""
    with Simulator(nodes=4) as started:
        started.control.clock(manual=True)
        yield started


@pytest.fixture
def client(sim: Simulator) -> Iterator[OceanClient]:
    """Give a client of it."""
    with OceanClient(Settings(base_url=sim.url, token=sim.token, account_id=sim.account_id)) as opened:
        yield opened


def started(sim: Simulator, client: OceanClient) -> str:
    """Start a migration of all nodes and return its id."""
    ids = [node.instance_id for node in client.discover(sim.ocean_id)]
    return client.create_migration(sim.ocean_id, ids, **FLAGS)


def test_report_is_built_from_the_service(sim: Simulator, client: OceanClient) -> None:
    """It has status, names, log and the VNG of each new node, without a record."""
    migration_id = started(sim, client)
    sim.control.advance(3600)
    report = build_run_report(client, CancelScope(), DataSources(), sim.ocean_id, migration_id)
    assert report.status.state == MigrationState.FINISHED
    assert report.explanation.outcome is Outcome.FINISHED
    assert report.cluster_name == client.get_cluster(sim.ocean_id).name != ""
    assert report.virtual_node_groups.keys() == {node.instance_id for node in report.status.new_instances} != set()
    assert [line.created_at for line in report.log] == sorted(str(line.created_at) for line in report.log) != []
    assert [(each.state, each.done, each.total) for each in report.moments] == [("FINISHED", 4, 4)]
    assert (report.is_recorded, report.notes) == (False, ())
    assert report.ended == parse_time(report.status.completed_at)
    assert [period.state for period in report.list_periods()] == [""]


def test_missing_data_becomes_notes(sim: Simulator, client: OceanClient) -> None:
    """The status suffices; the report of a running migration ends now."""
    migration_id = started(sim, client)
    sim.control.fault("GET", f"*/cluster/{sim.ocean_id}", "status", status=400)
    sim.control.fault("GET", "*/nodes", "status", status=400)
    sim.control.fault("GET", "*/log", "status", status=400, times=2)
    report = build_run_report(client, CancelScope(), DataSources(), sim.ocean_id, migration_id)
    assert (report.cluster_name, report.virtual_node_groups, report.log) == ("", {}, ())
    assert [note.partition(" could not be read: ")[0] for note in report.notes] == [
        "the name of the cluster",
        "Virtual Node Groups",
        "the log",
    ]
    assert report.ended is None
    assert report.until == report.generated_at


def test_unknown_migration_is_an_error(sim: Simulator, client: OceanClient) -> None:
    """Without a status there is no report."""
    with pytest.raises(MigrationNotFoundError):
        build_run_report(client, CancelScope(), DataSources(), sim.ocean_id, "owm-00000000")


def test_interruption_ends_the_report(sim: Simulator, client: OceanClient) -> None:
    """It does not become a note."""
    migration_id, scope = started(sim, client), CancelScope()
    client.get_migration(sim.ocean_id, migration_id)

    class Interrupted(OceanClient):
        """A client during whose question for the cluster somebody interrupts."""

        def get_cluster(self, ocean_id: str) -> Any:
            """Interrupt, and ask."""
            scope.ended.set()
            return super().get_cluster(ocean_id)

        def within(self, scope: CancelScope) -> Any:
            """Stay what it is."""
            self._scope = scope
            return self

    with Interrupted(client.settings, base_scope=scope) as api, pytest.raises(InterruptedWaitError):
        build_run_report(api, scope, DataSources(), sim.ocean_id, migration_id)


def test_recorded_moments_end_with_the_last_status(sim: Simulator, client: OceanClient) -> None:
    """They are sorted by time, and those after the end are replaced."""
    migration_id = started(sim, client)
    seen = []
    for _ in range(100):
        now = client.get_migration(sim.ocean_id, migration_id)
        seen.append(Moment.from_reading(client.server_now(), now))
        if now.is_terminal:
            break
        sim.control.advance(30)
    report = build_run_report(
        client, CancelScope(), DataSources(), sim.ocean_id, migration_id, moments=reversed([*seen, seen[-1]])
    )
    assert report.is_recorded
    assert [each.state for each in report.moments].count("FINISHED") == 1
    assert list(report.moments) == sorted(report.moments, key=lambda each: each.at)
    states = [period.state for period in report.list_periods()]
    assert states[0] == "STARTING"
    assert {"DRAIN_NODES", "AWAIT_REPLACEMENTS"} <= set(states)
    assert "FINISHED" not in states
    assert sum(period.seconds for period in report.list_periods()) == pytest.approx(report.seconds)


def test_state_lasts_until_the_next_moment() -> None:
    """Equal states are one period, and the last one ends with the migration."""
    report = run_report(
        status("FINISHED", ended=90),
        moment(1, "STARTING"),
        moment(20, "DRAIN_NODES"),
        moment(30, "DRAIN_NODES", 2),
        moment(60, "VALIDATE_DRAIN", 2),
        moment(95, "DRAIN_NODES", 2),
    )
    assert spans(report) == [("STARTING", 0, 20), ("DRAIN_NODES", 20, 60), ("VALIDATE_DRAIN", 60, 90)]


def test_time_before_the_first_moment_is_unwatched() -> None:
    """Only the state that every migration begins with is certain."""
    assert spans(run_report(status("DRAIN_NODES"), moment(40, "DRAIN_NODES"))) == [
        ("", 0, 40),
        ("DRAIN_NODES", 40, 100),
    ]


def test_single_status_has_one_unwatched_period() -> None:
    """It shows begin and end only."""
    assert spans(run_report(status("STOPPED", ended=70))) == [("", 0, 70)]


def test_report_without_a_begin_has_no_duration() -> None:
    """With a record, the first moment is the begin."""
    alone = run_report(status("DRAIN_NODES", created=False))
    assert (alone.started, alone.seconds, alone.list_periods()) == (None, None, ())
    seen = run_report(status("DRAIN_NODES", created=False), moment(10, "DRAIN_NODES"))
    assert (seen.started, seen.seconds) == (at(10), 90)


@pytest.mark.parametrize("state", ["FINISHED", "STOPPED", "FINISHED_ERROR"])
def test_every_terminal_state_has_its_own_time(state: str) -> None:
    """Without it, the report ends with the last status."""
    assert run_report(status(state, ended=5)).ended == at(5)
    assert run_report(status(state)).ended is None
    assert run_report(status(state)).until == at(100)


def test_timeline_is_read() -> None:
    """Numbers may be floats; invalid entries, and those of the next migration, are skipped."""
    entry = {"at": format_time(at(5)), "state": "DRAIN_NODES", "nodes_done": 3.0, "nodes": 4, "pods_left": 7}
    found = read_moments(
        [entry, {"at": "soon", "state": "x"}, {"at": format_time(at(6))}, entry | {"at": format_time(at(50))}],
        until=at(50),
    )
    assert found == (Moment(at=at(5), state="DRAIN_NODES", done=3, total=4, pods=7, unscheduled=0),)
    assert read_moments([entry | {"nodes": "many", "pods_left": -1, "nodes_done": float("nan")}])[0] == Moment(
        at=at(5), state="DRAIN_NODES", done=0, total=0, pods=0, unscheduled=0
    )


@given(
    st.lists(st.tuples(st.floats(-1e4, 1e4), st.sampled_from(list(MigrationState))), max_size=8),
    st.sampled_from(["DRAIN_NODES", "FINISHED", "STOPPED"]),
    st.floats(-10, 1e4),
)
def test_periods_have_no_gap_and_no_overlap(looks: list[tuple[float, str]], state: str, end: float) -> None:
    """They are in order and fill the time from begin to end, whatever the clocks say."""
    seen = sorted((moment(seconds, str(name)) for seconds, name in looks), key=lambda each: each.at)
    report = run_report(status(state, ended=end), *seen, now=max(end, 0))
    periods = report.list_periods()
    assert all(one.ended == later.started for one, later in pairwise(periods))
    assert all(period.seconds > 0 for period in periods)
    if periods:
        assert (periods[0].started, periods[-1].ended) == (report.started, report.until)
