"""Replays of recorded API traffic."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.models.migration import MigrationStatus
from ocean_migration_pulumi.api.recording.redaction import account_placeholder
from ocean_migration_pulumi.api.recording.replay_client import RecordedClient, read_record
from ocean_migration_pulumi.api.settings import Settings
from ocean_migration_pulumi.errors import ClusterNotFoundError, MigrationNotFoundError
from ocean_migration_pulumi.simulator import Simulator
from ocean_migration_pulumi.testing.simulator.server.command import command
from tests.support.fake_clock import FakeClock
from tests.testing.simulator.conftest import Api, Reply
from tests.testing.simulator.process import running

OPTIONS: dict[str, Any] = {
    "batch_size_percentage": 50,
    "should_terminate_drained_nodes": False,
    "should_evict_stand_alone_pods": False,
    "force_pod_eviction_on_pdb_failure": False,
}
HEAD = json.dumps({"record": "ocean-migration", "version": 1})
CLUSTER = "/ocean/aws/k8s/cluster/o-1"


REPLAYED = 66.0
"""Seconds between two looks at a replay: on a slow machine the recorded ones are further apart than they should be."""


@dataclass
class Incident:
    """A migration that failed, its record, and the states that were seen."""

    path: Path
    ocean_id: str
    account_id: str
    migration_id: str
    statuses: list[MigrationStatus]


def run(
    client: OceanClient, simulator: Simulator, instance_ids: list[str], step: float = 61.0
) -> tuple[str, list[MigrationStatus]]:
    """Start a migration and look at it every simulated minute until it ends; return its id and what was seen."""
    migration_id = client.create_migration(simulator.ocean_id, instance_ids, **OPTIONS)
    seen = [client.get_migration(simulator.ocean_id, migration_id)]
    while not seen[-1].is_terminal:
        simulator.control.advance(step)
        seen.append(client.get_migration(simulator.ocean_id, migration_id))
    return migration_id, seen


def opened(simulator: Simulator, **variables: str) -> OceanClient:
    """Return a client of a simulator that never really sleeps."""
    return OceanClient(Settings.load(None, simulator.environment | variables), base_scope=FakeClock().scope())


@pytest.fixture(scope="module")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Incident:
    """Return the record of a migration that failed, with an answer that was lost and one that was refused."""
    path = tmp_path_factory.mktemp("record") / "incident.jsonl"
    with Simulator(nodes=4, scenario="failure-schedule") as simulator:
        simulator.control.clock(manual=True)
        with opened(simulator, OCEAN_MIGRATION_RECORD=str(path)) as client:
            candidates = client.discover(simulator.ocean_id)
            simulator.control.fault("GET", "*/migration/*", "reset-after", after=1)
            simulator.control.fault("GET", "*/migration/*", "429", after=3)
            migration_id, seen = run(client, simulator, [candidate.instance_id for candidate in candidates])
            client.list_migrations(simulator.ocean_id)
        return Incident(
            path=path,
            ocean_id=simulator.ocean_id,
            account_id=simulator.account_id,
            migration_id=migration_id,
            statuses=seen,
        )


@pytest.fixture
def play() -> Iterator[Callable[[Path], Simulator]]:
    """Return a function that plays a record back, on a clock that stands still."""
    with ExitStack() as stack:

        def start(path: Path) -> Simulator:
            simulator = stack.enter_context(Simulator(replay=path))
            simulator.control.clock(manual=True)
            return simulator

        yield start


def test_a_replay_repeats_an_incident(incident: Incident, play: Callable[[Path], Simulator]) -> None:
    """The same client sees the same states in the same order, with the lost response and the refusal."""
    simulator = play(incident.path)
    assert simulator.ocean_id == incident.ocean_id
    assert simulator.account_id == account_placeholder(incident.account_id)
    with opened(simulator) as client:
        offered = [candidate.instance_id for candidate in client.discover(simulator.ocean_id)]
        migration_id, seen = run(client, simulator, offered, REPLAYED)
        assert migration_id == incident.migration_id
        assert seen == incident.statuses
        assert seen[-1].state == "FINISHED_ERROR"
        assert [found.state for found in client.list_migrations(simulator.ocean_id)] == ["FINISHED_ERROR"]
        simulator.control.advance(3600)
        assert client.get_migration(simulator.ocean_id, migration_id) == seen[-1]
    log = simulator.control.requests()
    assert [entry["status"] for entry in log if entry["fault"]] == [None]
    assert [entry["status"] for entry in log].count(429) == 1
    (started,) = simulator.control.requests(effective=True)
    assert (started["migration_id"], started.get("note")) == (incident.migration_id, None)
    assert simulator.token not in json.dumps(log)


def test_a_replay_can_be_recorded(incident: Incident, play: Callable[[Path], Simulator], tmp_path: Path) -> None:
    """The new record has the same account, responses and times."""
    simulator, path = play(incident.path), tmp_path / "again.jsonl"
    with opened(simulator, OCEAN_MIGRATION_RECORD=str(path)) as client:
        run(client, simulator, ["i-1"], REPLAYED)
    again, first = (RecordedClient(read_record(record)) for record in (path, incident.path))
    assert again.account_id == first.account_id
    of = (incident.ocean_id, incident.migration_id)
    assert [status for _, status in again.statuses(*of)] == [status for _, status in first.statuses(*of)]
    for (here, _), (there, _) in zip(again.statuses(*of), first.statuses(*of), strict=True):
        assert abs((here - there).total_seconds()) < 180


def test_another_start_gets_the_recorded_response_and_a_note(
    incident: Incident, play: Callable[[Path], Simulator]
) -> None:
    """The ids are the recorded ones, and the log entry notes the difference."""
    simulator = play(incident.path)
    with opened(simulator) as client:
        assert client.create_migration(simulator.ocean_id, ["i-other"], **OPTIONS) == incident.migration_id
    (started,) = simulator.control.requests(effective=True)
    assert started["note"] == "another request than the recorded one, answered as that was"
    assert started["body"]["migration"]["instanceIds"] == ["i-other"]


def test_what_is_not_in_the_record_does_not_exist(incident: Incident, play: Callable[[Path], Simulator]) -> None:
    """With the errors of the service."""
    simulator = play(incident.path)
    with opened(simulator) as client:
        with pytest.raises(ClusterNotFoundError, match="o-none"):
            client.get_cluster("o-none")
        with pytest.raises(MigrationNotFoundError, match="owm-none"):
            client.get_migration(simulator.ocean_id, "owm-none")
    assert [entry["code"] for entry in simulator.control.requests()] == [
        "CLUSTER_DOESNT_EXIST",
        "MIGRATION_DOESNT_EXIST",
    ]
    reply = Api(simulator).send("GET", "/kubernetes/o-1/api/v1/nodes")
    assert (reply.status, reply.code) == (400, "CLUSTER_DOESNT_EXIST")


def line(seconds: float, path: str, status: int | None = 200, **more: Any) -> str:
    """Return a line of a record, so many seconds after ten o'clock."""
    known: dict[str, Any] = {"at": f"2026-01-31T10:{int(seconds) // 60:02d}:{seconds % 60:09.6f}Z", "seconds": 0.0}
    known |= {"method": "GET", "route": path, "path": path, "query": {}, "status": status}
    return json.dumps(known | more)


def written(folder: Path, *found: str) -> Path:
    """Write a record."""
    path = folder / "record.jsonl"
    path.write_text("\n".join([HEAD, *found]) + "\n")
    return path


def test_responses_follow_at_the_recorded_pauses(play: Callable[[Path], Simulator], tmp_path: Path) -> None:
    """The next one after the recorded pause, none skipped, and the last one from then on, with its headers."""
    path = written(
        tmp_path,
        line(0, CLUSTER, headers={"date": "x", "x-ratelimit-remaining": "9"}, body={"n": 1}),
        line(0, "/other", body={"n": 7}),
        line(10, CLUSTER, 401, body={}),
        line(10, CLUSTER, 503, headers={"content-type": "text/html", "retry-after": "4"}, text="<p>busy"),
        line(40, CLUSTER, None, error="no answer"),
        line(70, CLUSTER, body={"n": 2}),
        line(71, CLUSTER, body={"n": 3}),
        '{"at": "2026-01',
    )
    simulator = play(path)
    api = Api(simulator, checked=False)

    def ask() -> Reply:
        return api.send("GET", CLUSTER, token="any-token-at-all", account="act-any")

    first = ask()
    assert (first.status, first.body, first.headers["x-ratelimit-remaining"]) == (200, {"n": 1}, "9")
    assert first.headers["date"] == "Sat, 31 Jan 2026 10:00:00 GMT"
    simulator.control.advance(9)
    assert ask().body == {"n": 1}
    simulator.control.advance(1)
    busy = ask()
    assert (busy.status, busy.body, busy.headers["retry-after"]) == (503, b"<p>busy", "4")
    assert busy.headers["content-type"].startswith("text/html")
    assert busy.headers["date"] == "Sat, 31 Jan 2026 10:00:10 GMT"
    simulator.control.advance(100)
    with pytest.raises(ConnectionError):
        ask()
    assert [ask().body["n"] for _ in range(4)] == [2, 3, 3, 3]
    assert ask().headers["date"] == "Sat, 31 Jan 2026 10:01:50 GMT"


def test_parameters_distinguish_requests(play: Callable[[Path], Simulator], tmp_path: Path) -> None:
    """Times and the account do not; other parameters get a similar response, but never another cluster's."""
    groups, nodes, log = "/ocean/aws/k8s/launchSpec", f"{CLUSTER}/nodes", f"{CLUSTER}/log"
    path = written(
        tmp_path,
        line(0, groups, query={"oceanId": "o-1", "accountId": "act-recorded-1"}, body={"n": 1}),
        line(1, groups, query={"oceanId": "o-2"}, body={"n": 2}),
        line(2, nodes, query={}, body={"n": 3}),
        line(3, log, query={"fromDate": "1", "toDate": "2"}, body={"n": 4}),
        line(4, "/ocean/aws/k8s/cluster/o%2F1", route="/ocean/aws/k8s/cluster/{ocean_id}", body={"n": 5}),
    )
    simulator = play(path)
    api = Api(simulator, checked=False)
    assert (simulator.ocean_id, simulator.account_id) == ("o/1", "act-recorded-1")
    assert api.send("GET", groups, oceanId="o-2").body == {"n": 2}
    assert api.send("GET", groups, oceanId="o-1").body == {"n": 1}
    assert api.send("GET", groups, oceanId="o-3").status == 400
    assert api.send("GET", nodes, instanceId="i-1").body == {"n": 3}
    assert api.send("GET", log, fromDate="5", toDate="6").body == {"n": 4}
    assert api.send("GET", "/ocean/aws/k8s/cluster/o%2F1").body == {"n": 5}
    assert api.send("POST", nodes, {}).status == 400


def test_a_start_sets_the_recorded_time(play: Callable[[Path], Simulator], tmp_path: Path) -> None:
    """Later times of the migration follow from its start, however late that was."""
    path = written(
        tmp_path,
        line(0, CLUSTER, body={}),
        line(300, f"{CLUSTER}/migration", method="POST", request={"a": 1}, body={"response": {"items": []}}),
        line(301, f"{CLUSTER}/migration/owm-1", method="PUT", body={}),
    )
    simulator = play(path)
    api = Api(simulator, checked=False)
    api.send("GET", CLUSTER)
    simulator.control.advance(5)
    started = api.send("POST", f"{CLUSTER}/migration", {"a": 1})
    assert started.headers["date"] == "Sat, 31 Jan 2026 10:05:00 GMT"
    assert [(entry["migration_id"], entry.get("note")) for entry in simulator.control.requests(effective=True)] == [
        (None, None)
    ]
    assert api.send("PUT", f"{CLUSTER}/migration/owm-1").headers["date"] == "Sat, 31 Jan 2026 10:05:01 GMT"


def test_faults_and_the_control_api_work_in_a_replay(incident: Incident, play: Callable[[Path], Simulator]) -> None:
    """Faults are added to the recorded ones."""
    simulator = play(incident.path)
    api = Api(simulator, checked=False)
    simulator.control.fault("GET", "*/discovery", "429", seconds=3)
    simulator.control.fault("GET", "*/discovery", "truncate", after=1)
    path = f"{api.base}/discovery"
    assert api.send("GET", path).status == 429
    assert api.send("GET", path, shouldFetchPods="true").status == 200
    assert simulator.control.overview()["scenario"] == "replay"
    known = api.send("GET", "/simulator/environment", account=None).body["result"]
    assert known["OCEAN_ID"] == incident.ocean_id
    assert known.items() <= simulator.environment.items()
    assert simulator.control.requests()[0]["fault"] == "429"


def test_the_command_replays_a_record(incident: Incident) -> None:
    """At the given speed; the exports are those of the record."""
    with running("--replay", str(incident.path), "--speed", "9000") as remote:
        assert remote.ocean_id == incident.ocean_id
        assert remote.account_id == account_placeholder(incident.account_id)
        api = Api(remote, checked=False)  # type: ignore[arg-type] # it has what is needed of a simulator
        seen: list[str] = []
        while not seen or seen[-1] != "FINISHED_ERROR":
            reply = _patient(api, incident)
            if reply is not None and reply.status == 200:
                seen.append(reply.items[0]["status"])
        assert list(dict.fromkeys(seen)) == list(dict.fromkeys(status.state for status in incident.statuses))


def _patient(api: Api, incident: Incident) -> Reply | None:
    try:
        return api.send("GET", f"/ocean/aws/k8s/cluster/{incident.ocean_id}/migration/{incident.migration_id}")
    except ConnectionError:
        return None


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        ("apiVersion: v1\n", [], "is not a record of ocean-migration"),
        (HEAD + "\n", [], "is a record without any exchange"),
        (f"{HEAD}\n{line(0, CLUSTER)}\n", ["--nodes", "3"], "replay is mutually exclusive with"),
        (f"{HEAD}\n{line(0, CLUSTER)}\n", ["--scenario", "stall"], "replay is mutually exclusive with"),
        (f"{HEAD}\n{line(0, CLUSTER)}\n", ["--state", "state"], "replay is mutually exclusive with"),
        (None, [], "No such file or directory"),
    ],
    ids=["another format", "empty", "nodes", "scenario", "state", "nothing"],
)
def test_an_invalid_replay_is_a_one_line_error(
    tmp_path: Path, content: str | None, arguments: list[str], said: str
) -> None:
    """Another file, an empty record, a missing one, and options that belong to a simulated world."""
    path = tmp_path / "record.jsonl"
    if content is not None:
        path.write_text(content)
    result = CliRunner().invoke(command, ["--replay", str(path), *arguments])
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
