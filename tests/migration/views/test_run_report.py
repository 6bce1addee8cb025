"""A run as a sequence of moments: from the service, from a resource's timeline, and how long each state was."""

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
from ocean_migration_pulumi.migration.views.run_report import Moment, RunReport, build_run_report, end_of, moments_of
from ocean_migration_pulumi.simulator import Simulator

BEGUN = datetime(2024, 5, 1, 12, tzinfo=UTC)
FLAGS: dict[str, Any] = {
    "batch_size_percentage": 50,
    "should_terminate_drained_nodes": True,
    "should_evict_stand_alone_pods": True,
    "force_pod_eviction_on_pdb_failure": True,
}


def at(seconds: float) -> datetime:
    """Return a time so many seconds after the begin."""
    return BEGUN + timedelta(seconds=seconds)


def moment(seconds: float, state: str, done: int = 0) -> Moment:
    """Return a moment so many seconds after the begin."""
    return Moment(at=at(seconds), state=state, done=done, total=4, pods=0, unscheduled=0)


def run_report(status: MigrationStatus, *moments: Moment, now: float = 100) -> RunReport:
    """Return a story of a status and what was seen before it."""
    return RunReport(
        ocean_id="o-1",
        cluster_name="",
        status=status,
        moments=(*moments, Moment.from_status(end_of(status) or at(now), status)),
        log=(),
        explanation=Diagnosis(outcome=Outcome.RUNNING, headline=""),
        virtual_node_groups={},
        generated_at=at(now),
    )


def status(state: str, *, created: bool = True, ended: float | None = None) -> MigrationStatus:
    """Return a status; the end is told where its state has it."""
    told = None if ended is None else format_time(at(ended))
    field = {"FINISHED": "completed_at", "STOPPED": "stopped_at", "FINISHED_ERROR": "errored_at"}.get(state)
    times: dict[str, Any] = {field: told} if field else {}
    return MigrationStatus(id="owm-1", state=state, created_at=format_time(BEGUN) if created else None, **times)


def spans(told: RunReport) -> list[tuple[str, float, float]]:
    """Return the visits in seconds since the begin."""
    return [
        (visit.state, (visit.begun - BEGUN).total_seconds(), (visit.ended - BEGUN).total_seconds())
        for visit in told.visits()
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


def begun(sim: Simulator, client: OceanClient) -> str:
    """Start a migration of all nodes and return its id."""
    ids = [node.instance_id for node in client.discover(sim.ocean_id)]
    return client.create_migration(sim.ocean_id, ids, **FLAGS)


def test_a_run_is_told_from_the_service(sim: Simulator, client: OceanClient) -> None:
    """Status, names, log and the Virtual Node Group of each new node, without any record."""
    migration_id = begun(sim, client)
    sim.control.advance(3600)
    told = build_run_report(client, CancelScope(), DataSources(), sim.ocean_id, migration_id)
    assert told.status.state == MigrationState.FINISHED
    assert told.explanation.outcome is Outcome.FINISHED
    assert told.cluster_name == client.get_cluster(sim.ocean_id).name != ""
    assert told.virtual_node_groups.keys() == {node.instance_id for node in told.status.new_instances} != set()
    assert [line.created_at for line in told.log] == sorted(str(line.created_at) for line in told.log) != []
    assert [(each.state, each.done, each.total) for each in told.moments] == [("FINISHED", 4, 4)]
    assert (told.is_recorded, told.notes) == (False, ())
    assert told.ended == parse_time(told.status.completed_at)
    assert [visit.state for visit in told.visits()] == [""]


def test_what_cannot_be_read_is_noted(sim: Simulator, client: OceanClient) -> None:
    """The status suffices; and a run that goes on is told up to now."""
    migration_id = begun(sim, client)
    sim.control.fault("GET", f"*/cluster/{sim.ocean_id}", "status", status=400)
    sim.control.fault("GET", "*/nodes", "status", status=400)
    sim.control.fault("GET", "*/log", "status", status=400, times=2)
    told = build_run_report(client, CancelScope(), DataSources(), sim.ocean_id, migration_id)
    assert (told.cluster_name, told.virtual_node_groups, told.log) == ("", {}, ())
    assert [note.partition(" could not be read: ")[0] for note in told.notes] == [
        "the name of the cluster",
        "Virtual Node Groups",
        "the log",
    ]
    assert told.ended is None
    assert told.until == told.generated_at


def test_nothing_is_told_of_a_migration_that_is_not_there(sim: Simulator, client: OceanClient) -> None:
    """As of any status."""
    with pytest.raises(MigrationNotFoundError):
        build_run_report(client, CancelScope(), DataSources(), sim.ocean_id, "owm-00000000")


def test_an_interruption_is_no_missing_part(sim: Simulator, client: OceanClient) -> None:
    """It ends the report wherever it comes."""
    migration_id, scope = begun(sim, client), CancelScope()
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


def test_recorded_moments_end_with_the_present_status(sim: Simulator, client: OceanClient) -> None:
    """In their order, whatever was given; what was seen after the end is the end itself."""
    migration_id = begun(sim, client)
    seen = []
    for _ in range(100):
        now = client.get_migration(sim.ocean_id, migration_id)
        seen.append(Moment.from_status(client.server_now(), now))
        if now.is_terminal:
            break
        sim.control.advance(30)
    told = build_run_report(
        client, CancelScope(), DataSources(), sim.ocean_id, migration_id, moments=reversed([*seen, seen[-1]])
    )
    assert told.is_recorded
    assert [each.state for each in told.moments].count("FINISHED") == 1
    assert list(told.moments) == sorted(told.moments, key=lambda each: each.at)
    states = [visit.state for visit in told.visits()]
    assert states[0] == "STARTING"
    assert {"DRAIN_NODES", "AWAIT_REPLACEMENTS"} <= set(states)
    assert "FINISHED" not in states
    assert sum(visit.seconds for visit in told.visits()) == pytest.approx(told.seconds)


def test_a_state_holds_until_the_next_one_is_seen() -> None:
    """One that is seen again goes on; the end is that of the migration and not of the looks."""
    told = run_report(
        status("FINISHED", ended=90),
        moment(1, "STARTING"),
        moment(20, "DRAIN_NODES"),
        moment(30, "DRAIN_NODES", 2),
        moment(60, "VALIDATE_DRAIN", 2),
        moment(95, "DRAIN_NODES", 2),
    )
    assert spans(told) == [("STARTING", 0, 20), ("DRAIN_NODES", 20, 60), ("VALIDATE_DRAIN", 60, 90)]


def test_time_before_the_first_look_was_not_seen() -> None:
    """Unless it is in the state that every migration begins with."""
    assert spans(run_report(status("DRAIN_NODES"), moment(40, "DRAIN_NODES"))) == [
        ("", 0, 40),
        ("DRAIN_NODES", 40, 100),
    ]


def test_a_single_status_tells_begin_and_end_alone() -> None:
    """What was in between nobody saw."""
    assert spans(run_report(status("STOPPED", ended=70))) == [("", 0, 70)]


def test_without_a_begin_there_is_no_time() -> None:
    """With a record it is that of the first look."""
    alone = run_report(status("DRAIN_NODES", created=False))
    assert (alone.begun, alone.seconds, alone.visits()) == (None, None, ())
    seen = run_report(status("DRAIN_NODES", created=False), moment(10, "DRAIN_NODES"))
    assert (seen.begun, seen.seconds) == (at(10), 90)


@pytest.mark.parametrize("state", ["FINISHED", "STOPPED", "FINISHED_ERROR"])
def test_each_end_has_its_own_time(state: str) -> None:
    """And one that the service does not tell is the time of the look."""
    assert end_of(status(state, ended=5)) == at(5)
    assert end_of(status(state)) is None
    assert run_report(status(state)).until == at(100)


def test_a_timeline_is_read_back() -> None:
    """Numbers come as a state writes them; what is no entry is passed over, as is what came after."""
    entry = {"at": format_time(at(5)), "state": "DRAIN_NODES", "nodes_done": 3.0, "nodes": 4, "pods_left": 7}
    found = moments_of(
        [entry, {"at": "soon", "state": "x"}, {"at": format_time(at(6))}, entry | {"at": format_time(at(50))}],
        until=at(50),
    )
    assert found == (Moment(at=at(5), state="DRAIN_NODES", done=3, total=4, pods=7, unscheduled=0),)
    assert moments_of([entry | {"nodes": "many", "pods_left": -1, "nodes_done": float("nan")}])[0] == Moment(
        at=at(5), state="DRAIN_NODES", done=0, total=0, pods=0, unscheduled=0
    )


@given(
    st.lists(st.tuples(st.floats(-1e4, 1e4), st.sampled_from(list(MigrationState))), max_size=8),
    st.sampled_from(["DRAIN_NODES", "FINISHED", "STOPPED"]),
    st.floats(-10, 1e4),
)
def test_visits_have_no_gap_and_no_overlap(looks: list[tuple[float, str]], state: str, end: float) -> None:
    """Whatever clocks say, they are in order and fill the time from begin to end."""
    seen = sorted((moment(seconds, str(name)) for seconds, name in looks), key=lambda each: each.at)
    told = run_report(status(state, ended=end), *seen, now=max(end, 0))
    visits = told.visits()
    assert all(one.ended == later.begun for one, later in pairwise(visits))
    assert all(visit.seconds > 0 for visit in visits)
    if visits:
        assert (visits[0].begun, visits[-1].ended) == (told.begun, told.until)
