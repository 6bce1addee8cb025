"""A record read back, and the service as it shows it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.models.migration import MigrationStatus
from ocean_migration_pulumi.api.recording.redaction import Exchange, account_placeholder
from ocean_migration_pulumi.api.recording.replay_client import RecordedClient, read_record
from ocean_migration_pulumi.api.settings import Settings
from ocean_migration_pulumi.errors import (
    ClusterNotFoundError,
    InputError,
    InterruptedWaitError,
    MigrationNotFoundError,
    NoAnswerError,
    ServiceError,
    SettingsError,
)
from ocean_migration_pulumi.migration.snapshot.protocols import OceanApi
from ocean_migration_pulumi.simulator import Simulator
from tests.support.fake_clock import FakeClock

START = datetime(2026, 1, 31, 10, 0, tzinfo=UTC)
ALL_TIMES: dict[str, Any] = {"since": datetime(2020, 1, 1, tzinfo=UTC), "until": datetime(2100, 1, 1, tzinfo=UTC)}


@dataclass
class Run:
    """A run that was recorded, and what was seen while it was."""

    path: Path
    ocean_id: str
    migration_id: str
    account_id: str
    statuses: list[MigrationStatus]
    seen: dict[str, Any]


def looks(api: OceanApi, ocean_id: str) -> dict[str, Any]:
    """Return everything that can be asked about a cluster."""
    return {
        "cluster": api.get_cluster(ocean_id),
        "candidates": api.discover(ocean_id),
        "groups": api.list_virtual_node_groups(ocean_id),
        "nodes": api.list_nodes(ocean_id),
        "heartbeat": api.get_heartbeat(ocean_id),
        "migrations": api.list_migrations(ocean_id),
        "log": api.get_log(ocean_id, **ALL_TIMES),
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Return a recorded migration that failed."""
    path = tmp_path_factory.mktemp("record") / "run.jsonl"
    with Simulator(nodes=4, scenario="failure-schedule") as simulator:
        simulator.control.clock(manual=True)
        variables = simulator.environment | {"OCEAN_MIGRATION_RECORD": str(path)}
        with OceanClient(Settings.load(None, variables), base_scope=FakeClock().scope()) as client:
            ocean_id = simulator.ocean_id
            migration_id = client.create_migration(
                ocean_id,
                [candidate.instance_id for candidate in client.discover(ocean_id)],
                batch_size_percentage=50,
                should_terminate_drained_nodes=False,
                should_evict_stand_alone_pods=False,
                force_pod_eviction_on_pdb_failure=False,
            )
            statuses = [client.get_migration(ocean_id, migration_id)]
            while not statuses[-1].is_terminal:
                simulator.control.advance(60)
                statuses.append(client.get_migration(ocean_id, migration_id))
            with pytest.raises(MigrationNotFoundError):
                client.get_migration(ocean_id, "owm-none")
            yield Run(
                path=path,
                ocean_id=ocean_id,
                migration_id=migration_id,
                account_id=simulator.account_id,
                statuses=statuses,
                seen=looks(client, ocean_id),
            )


@pytest.fixture
def offline(run: Run) -> RecordedClient:
    """Return the service as the record shows it."""
    return RecordedClient(read_record(run.path))


def test_everything_can_be_asked_again(run: Run, offline: RecordedClient) -> None:
    """Without a server, and with the same answers; those of another time or in other detail, too."""
    assert looks(offline, run.ocean_id) == run.seen
    assert run.seen["log"]
    assert offline.get_migration(run.ocean_id, run.migration_id) == run.statuses[-1]
    assert offline.discover(run.ocean_id, fetch_pods=False) == run.seen["candidates"]
    assert offline.account_id == account_placeholder(run.account_id)
    assert run.account_id not in run.path.read_text()
    assert "token" not in repr(offline)


def test_the_course_of_a_migration(run: Run, offline: RecordedClient) -> None:
    """Every status in order, with the time at which it was seen by the service's clock."""
    assert offline.clusters() == (run.ocean_id,)
    assert (run.ocean_id, run.migration_id) in offline.migrations()
    found = offline.statuses(run.ocean_id, run.migration_id)
    assert [status for _, status in found] == run.statuses
    times = [moment for moment, _ in found]
    assert times == sorted(times)
    assert times[-1] - times[0] > timedelta(seconds=60 * (len(times) - 2))
    assert times[-1] <= offline.server_now()
    assert offline.statuses(run.ocean_id, "owm-none") == ()
    assert offline.statuses("o-none", run.migration_id) == ()


def test_nothing_can_be_done_in_the_past(run: Run, offline: RecordedClient) -> None:
    """Neither a start nor a stop is answered."""
    with pytest.raises(InputError, match=r"record: POST .* cannot be answered from a record"):
        offline.create_migration(
            run.ocean_id,
            ["i-1"],
            batch_size_percentage=20,
            should_terminate_drained_nodes=False,
            should_evict_stand_alone_pods=False,
            force_pod_eviction_on_pdb_failure=False,
        )
    with pytest.raises(InputError, match="record: PUT "):
        offline.stop_migration(run.ocean_id, run.migration_id)


def test_what_the_record_does_not_hold(run: Run, offline: RecordedClient) -> None:
    """It says so; what was refused is refused in the same words, and an operation that has ended gets nothing."""
    for asked in (
        lambda: offline.get_cluster("o-none"),
        lambda: offline.list_virtual_node_groups("o-none"),
        lambda: offline.list_nodes(run.ocean_id, virtual_node_group_id="ols-none"),
        lambda: offline.get_log("o-none", **ALL_TIMES),
        lambda: offline.get_log(run.ocean_id, since=datetime(2001, 1, 1, tzinfo=UTC), until=START.replace(year=2002)),
    ):
        with pytest.raises(NoAnswerError, match="the record has no response to this request"):
            asked()
    with pytest.raises(MigrationNotFoundError, match="has no migration owm-none"):
        offline.get_migration(run.ocean_id, "owm-none")
    scope = FakeClock().scope()
    scope.ended.set()
    with pytest.raises(InterruptedWaitError):
        offline.within(scope).get_cluster(run.ocean_id)


def answered(seconds: float, path: str, *items: Any, **more: Any) -> Exchange:
    """Return an exchange so many seconds after the start."""
    body = {"body": json.dumps({"response": {"items": items}})} if "body" not in more else {}
    known: dict[str, Any] = {"seconds": 0.0, "method": "GET", "route": path, "status": 200} | body | more
    return Exchange(at=START + timedelta(seconds=seconds), path=path, **known)


LOG = "/ocean/aws/k8s/cluster/o-1/log"


def looked(begin: float, end: float, *lines: tuple[float, str, str]) -> Exchange:
    """Return a look at the log between two seconds, which saw these lines."""
    span = {
        name: str(int((START + timedelta(seconds=at)).timestamp() * 1000))
        for name, at in (("fromDate", begin), ("toDate", end))
    }
    items = [
        {"message": message, "severity": severity, "createdAt": (START + timedelta(seconds=at)).isoformat()}
        for at, severity, message in lines
    ]
    return answered(end, LOG, *items, query=span)


def test_the_log_is_what_all_looks_saw() -> None:
    """Each line once, or as often as one look had it; newest first, within times, severity and limit."""
    offline = RecordedClient(
        [
            looked(0, 60, (50, "INFO", "b"), (10, "INFO", "a"), (10, "INFO", "a")),
            looked(30, 90, (80, "WARN", "c"), (50, "INFO", "b")),
            answered(90, LOG, query={}, status=500),
            looked(200, 300, (250, "INFO", "far")),
            answered(91, LOG, query={"fromDate": "x", "toDate": "y"}),
            looked(0, 60, (20, "INFO", "of a node")),
        ]
    )

    def log(since: float, until: float, **more: Any) -> list[str]:
        times = START + timedelta(seconds=since), START + timedelta(seconds=until)
        return [entry.message for entry in offline.get_log("o-1", since=times[0], until=times[1], **more)]

    assert log(0, 100) == ["c", "b", "of a node", "a", "a"]
    assert log(0, 60) == ["b", "of a node", "a", "a"]
    assert log(0, 100, severity="WARN") == ["c"]
    assert log(0, 100, limit=2) == ["c", "b"]


def test_the_newest_good_answer_wins() -> None:
    """Over a later failure; without a good one, over one that says nothing of the thing itself."""
    cluster, other = "/ocean/aws/k8s/cluster/o-1", "/ocean/aws/k8s/cluster/o-2"
    gone = {"response": {"errors": [{"code": "CLUSTER_DOESNT_EXIST", "message": "gone"}]}}
    exchanges = [
        answered(0, cluster, {"id": "o-1", "name": "old"}),
        answered(1, cluster, {"id": "o-1", "name": "new"}),
        answered(2, cluster, body="not JSON"),
        answered(3, cluster, status=500, body=""),
        answered(4, cluster, status=None, body=None, error="no answer"),
        answered(5, other, status=500, body="oops"),
    ]
    offline = RecordedClient(exchanges)
    assert offline.get_cluster("o-1").name == "new"
    assert offline.server_now() == START + timedelta(seconds=5)
    with pytest.raises(ServiceError):
        offline.get_cluster("o-2")
    offline = RecordedClient([*exchanges, answered(6, other, status=400, body=json.dumps(gone))])
    with pytest.raises(ClusterNotFoundError):
        offline.get_cluster("o-2")
    for status, body in ((429, ""), (401, ""), (200, "<html>")):
        with pytest.raises(NoAnswerError, match="has no response to this request"):
            RecordedClient([answered(0, other, status=status, body=body)]).get_cluster("o-2")


def test_answers_of_the_same_question_come_first() -> None:
    """A newer one with other details is only second choice; another cluster's groups are none."""
    groups, discovery = "/ocean/aws/k8s/launchSpec", "/ocean/aws/k8s/cluster/o-1/migration/discovery"
    offline = RecordedClient(
        [
            answered(0, groups, {"id": "ols-1"}, query={"oceanId": "o-1"}),
            answered(1, groups, {"id": "ols-2"}, query={"oceanId": "o-2"}),
            answered(2, discovery, {"instanceId": "i-1", "runningPods": 3}, query={"shouldFetchPods": "true"}),
            answered(3, discovery, {"instanceId": "i-1"}, query={"shouldFetchPods": "false"}),
        ]
    )
    assert [group.id for group in offline.list_virtual_node_groups("o-1")] == ["ols-1"]
    assert [candidate.running_pods for candidate in offline.discover("o-1")] == [3]
    assert offline.clusters() == ("o-1", "o-2")
    assert offline.account_id is None


def test_an_unusable_status_is_none() -> None:
    """A status that was not as the API reference has it is left out."""
    route, path = (
        "/ocean/aws/k8s/cluster/{ocean_id}/migration/{migration_id}",
        "/ocean/aws/k8s/cluster/o%2F1/migration/m",
    )
    offline = RecordedClient(
        [answered(0, path, route=route, body="<p>"), answered(1, path, {"Id": "m", "status": "STOPPED"}, route=route)]
    )
    assert [status.state for _, status in offline.statuses("o/1", "m")] == ["STOPPED"]
    assert offline.migrations() == (("o/1", "m"),)


def test_an_empty_record_knows_nothing() -> None:
    """Its time is the local one."""
    offline = RecordedClient([])
    assert (offline.clusters(), offline.migrations(), offline.account_id) == ((), (), None)
    assert abs(offline.server_now() - datetime.now(UTC)) < timedelta(seconds=60)


def test_damaged_lines_are_passed_over(run: Run, tmp_path: Path) -> None:
    """A line that was cut when somebody was killed, one of another kind, a second first line; the rest is there."""
    head, first, *rest = run.path.read_bytes().splitlines(keepends=True)
    wrong = [b"[]\n", b"7\n", b'{"at": 1}\n', b"\xff\n", b"[" * 100_000 + b"\n", first.replace(b'"at": "', b'"at": "x')]
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"".join([head, first, head, *wrong, *rest, first[: len(first) // 2]]))
    assert read_record(path) == read_record(run.path)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_text(""),
        lambda path: path.write_text("apiVersion: v1\n"),
        lambda path: path.write_text('{"record": "ocean-migration", "version": 2}\n'),
        lambda path: path.write_text('["record"]\n'),
        lambda path: path.mkdir(),
        lambda path: None,
    ],
    ids=["empty", "another format", "a later version", "a list", "a folder", "nothing"],
)
def test_what_is_no_record_is_one_line(tmp_path: Path, make: Callable[[Path], object]) -> None:
    """An empty file, another format, a later version, a folder, nothing at all."""
    path = tmp_path / "run.jsonl"
    make(path)
    with pytest.raises(SettingsError, match=r"run\.jsonl (is not a record|cannot be read: )") as raised:
        read_record(path)
    assert len(str(raised.value).splitlines()) == 1
