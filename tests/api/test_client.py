"""OceanClient: what each method sends, and what it makes of the answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from datetime import timezone as timezone_of
from typing import Any

import pytest

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, VirtualNodeGroup
from ocean_migration_pulumi.api.models.migration import (
    Candidate,
    Heartbeat,
    LogEntry,
    MigrationStatus,
    MigrationSummary,
)
from ocean_migration_pulumi.api.settings import Settings
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import (
    AnswerLostError,
    DeadlineError,
    EngineGoneError,
    InputError,
    InterruptedWaitError,
    MissingAccountError,
    OceanMigrationError,
    ResponseError,
)
from ocean_migration_pulumi.migration.snapshot.protocols import OceanApi
from tests.support import http_server as http
from tests.support.fake_clock import FakeClock
from tests.support.timing import PATIENCE

CLUSTER = "/ocean/aws/k8s/cluster/o-1"
MIGRATION = CLUSTER + "/migration/owm-1"
ACCOUNT = {"accountId": "act-1"}
SINCE = datetime(2024, 1, 1, 12, tzinfo=UTC)
UNTIL = datetime(2024, 1, 1, 14, 10, tzinfo=timezone_of(timedelta(hours=2)))
FLAGS = {
    "batch_size_percentage": 20,
    "should_terminate_drained_nodes": True,
    "should_evict_stand_alone_pods": False,
    "force_pod_eviction_on_pdb_failure": True,
}


@contextmanager
def serving(*script: http.Step, **settings: Any) -> Iterator[tuple[http.ScriptedServer, OceanClient]]:
    """Return a server with this script and a client of it."""
    settings = {"token": "canary-1", "account_id": "act-1"} | settings
    with http.ScriptedServer(script) as server, OceanClient(Settings(base_url=server.url, **settings)) as client:
        yield server, client


Ask = Callable[[OceanClient], Any]


@pytest.mark.parametrize(
    ("ask", "path", "query", "item", "expected"),
    [
        pytest.param(
            lambda client: client.list_migrations("o-1"),
            CLUSTER + "/migration",
            {},
            {"Id": "owm-1", "state": "FINISHED"},
            (MigrationSummary(id="owm-1", state="FINISHED"),),
            id="list_migrations",
        ),
        pytest.param(
            lambda client: client.get_migration("o-1", "owm-1"),
            MIGRATION,
            {},
            {"Id": "owm-1", "status": "STARTING"},
            MigrationStatus(id="owm-1", state="STARTING"),
            id="get_migration",
        ),
        pytest.param(
            lambda client: client.discover("o-1"),
            CLUSTER + "/migration/discovery",
            {"shouldFetchPods": "true"},
            {"instances": [{"instanceId": "i-1"}, {"instanceId": "i-2"}]},
            (Candidate(instance_id="i-1"), Candidate(instance_id="i-2")),
            id="discover",
        ),
        pytest.param(
            lambda client: client.discover("o-1", fetch_pods=False),
            CLUSTER + "/migration/discovery",
            {"shouldFetchPods": "false"},
            {"instances": None},
            (),
            id="discover-without-pods",
        ),
        pytest.param(
            lambda client: client.list_nodes("o-1"),
            CLUSTER + "/nodes",
            {},
            {"instanceId": "i-1"},
            (ClusterNode(instance_id="i-1"),),
            id="list_nodes",
        ),
        pytest.param(
            lambda client: client.list_nodes("o-1", virtual_node_group_id="ols-1"),
            CLUSTER + "/nodes",
            {"launchSpecId": "ols-1"},
            {"instanceId": "i-1"},
            (ClusterNode(instance_id="i-1"),),
            id="list_nodes-filtered",
        ),
        pytest.param(
            lambda client: client.get_log("o-1", since=SINCE, until=UNTIL),
            CLUSTER + "/log",
            {"fromDate": "1704110400000", "toDate": "1704111000000", "severity": "ALL", "limit": "1000"},
            {"message": "created", "severity": "INFO"},
            (LogEntry(message="created", severity="INFO"),),
            id="get_log",
        ),
        pytest.param(
            lambda client: client.get_log("o-1", since=SINCE, until=UNTIL, severity="ERROR", limit=5),
            CLUSTER + "/log",
            {
                "fromDate": "1704110400000",
                "toDate": "1704111000000",
                "severity": "ERROR",
                "limit": "5",
            },
            {"message": "created"},
            (LogEntry(message="created"),),
            id="get_log-filtered",
        ),
        pytest.param(
            lambda client: client.get_heartbeat("o-1"),
            "/ocean/k8s/cluster/o-1/controllerHeartbeat",
            {},
            {"status": "ACTIVE"},
            Heartbeat(status="ACTIVE"),
            id="get_heartbeat",
        ),
        pytest.param(
            lambda client: client.get_cluster("o-1"), CLUSTER, {}, {"id": "o-1"}, Cluster(id="o-1"), id="get_cluster"
        ),
        pytest.param(
            lambda client: client.list_clusters(),
            "/ocean/aws/k8s/cluster",
            {},
            {"id": "o-1"},
            (Cluster(id="o-1"),),
            id="list_clusters",
        ),
        pytest.param(
            lambda client: client.list_virtual_node_groups("o-1"),
            "/ocean/aws/k8s/launchSpec",
            {"oceanId": "o-1"},
            {"id": "ols-1"},
            (VirtualNodeGroup(id="ols-1"),),
            id="list_virtual_node_groups",
        ),
    ],
)
def test_get(ask: Ask, path: str, query: dict[str, str], item: dict[str, Any], expected: Any) -> None:
    """Each read is a GET of its documented path with the account, when one is known."""
    with serving(http.items(item)) as (server, client):
        assert ask(client) == expected
    (request,) = server.requests
    assert (request.method, request.path, request.query, request.body) == ("GET", path, ACCOUNT | query, b"")
    with serving(http.items(item), account_id=None) as (server, client):
        assert ask(client) == expected
    assert server.requests[0].query == query


def test_create() -> None:
    """A create sends the five documented fields and returns the id."""
    with serving(http.items({"id": "owm-6e3819ae"})) as (server, client):
        assert client.create_migration("o-1", ("i-1", "i-2"), **FLAGS) == "owm-6e3819ae"
    (request,) = server.requests
    assert (request.method, request.path, request.query) == ("POST", CLUSTER + "/migration", ACCOUNT)
    assert request.json == {
        "migration": {
            "instanceIds": ["i-1", "i-2"],
            "shouldTerminateDrainedNodes": True,
            "shouldEvictStandAlonePods": False,
            "forcePodEvictionOnPdbFailure": True,
            "batchSizePercentage": 20,
        }
    }


@pytest.mark.parametrize(
    "body",
    [
        http.envelope(),
        http.envelope({}),
        http.envelope({"id": None}),
        http.envelope("owm-1"),
        {"response": {}},
        {},
        [],
        None,
    ],
    ids=repr,
)
def test_create_without_id_is_lost(body: Any) -> None:
    """The service said yes, so that a migration may run, but nobody knows its id; it is not sent again."""
    with (
        serving(http.answer(200, body), http.items({"id": "owm-2"})) as (server, client),
        pytest.raises(AnswerLostError, match="POST /ocean/aws/k8s/cluster/o-1/migration"),
    ):
        client.create_migration("o-1", ["i-1"], **FLAGS)
    assert len(server.requests) == 1


def test_create_of_nothing_is_refused() -> None:
    """A migration of no instance is not asked for: nobody knows what the service makes of it."""
    with serving() as (server, client), pytest.raises(InputError, match="instance_ids"):
        client.create_migration("o-1", [], **FLAGS)
    assert server.requests == []


@pytest.mark.parametrize("terminate", [False, True])
def test_stop(terminate: bool) -> None:
    """A stop sends the two documented fields."""
    with serving(http.items({"id": "owm-1", "oceanId": "o-1", "state": "STOPPED"})) as (server, client):
        stopped = client.stop_migration("o-1", "owm-1", should_terminate_drained_nodes=terminate)
    assert stopped == MigrationSummary(id="owm-1", state="STOPPED")
    (request,) = server.requests
    assert (request.method, request.path, request.query) == ("PUT", MIGRATION, ACCOUNT)
    assert request.json == {"migration": {"state": "STOPPED", "shouldTerminateDrainedNodes": terminate}}


def test_writes_need_an_account() -> None:
    """Without an account the service would write to the oldest one, so that nothing is sent."""
    with serving(account_id=None) as (server, client):
        with pytest.raises(MissingAccountError, match="SPOTINST_ACCOUNT"):
            client.create_migration("o-1", ["i-1"], **FLAGS)
        with pytest.raises(MissingAccountError):
            client.stop_migration("o-1", "owm-1")
    assert server.requests == []


@pytest.mark.parametrize(
    "items",
    [
        [{"instances": [{"instanceId": "i-1"}]}, {"instances": [{"instanceId": "i-2"}]}],
        [{"instanceId": "i-1"}, {"instanceId": "i-2"}],
        [{"instances": [{"instanceId": "i-1"}]}, {"instanceId": "i-2"}],
        [[{"instanceId": "i-1"}], {"instances": None}, {"instances": {"instanceId": "i-2"}}],
    ],
    ids=["nested", "flat", "mixed", "odd"],
)
def test_discovery_is_nested_or_flat(items: list[Any]) -> None:
    """The nodes are found in whatever shape they come."""
    with serving(http.items(*items)) as (_, client):
        assert [candidate.instance_id for candidate in client.discover("o-1")] == ["i-1", "i-2"]


@pytest.mark.parametrize(
    "item", ["i-1", 7, {}, {"instances": "i-1"}, {"instances": [None]}, {"instances": [{}]}], ids=repr
)
def test_discovery_of_another_shape_is_refused(item: Any) -> None:
    """A node without an id is not silently left out of a plan."""
    with serving(http.items(item)) as (_, client), pytest.raises(ResponseError):
        client.discover("o-1")


def test_no_heartbeat_ever() -> None:
    """A controller that never sent one has an empty heartbeat."""
    with serving(http.items()) as (_, client):
        assert client.get_heartbeat("o-1") == Heartbeat()


@pytest.mark.parametrize(
    "ask",
    [lambda client: client.get_migration("o-1", "owm-1"), lambda client: client.get_cluster("o-1")],
    ids=["migration", "cluster"],
)
def test_missing_item_is_not_a_missing_thing(ask: Ask) -> None:
    """An empty answer proves nothing: only the service's word makes something not found."""
    with serving(http.items()) as (_, client), pytest.raises(ResponseError, match=r"no item \(request req-1\)"):
        ask(client)


@pytest.mark.parametrize("body", [{}, [], None, 7, {"response": None}, {"response": {"items": None}}], ids=repr)
def test_missing_list_is_not_an_empty_one(body: Any) -> None:
    """Only the service's word is proof that no migration runs."""
    with serving(http.answer(200, body)) as (_, client), pytest.raises(ResponseError, match="no list of items"):
        client.list_migrations("o-1")


def test_bad_shape_names_call_and_request() -> None:
    """The message says which call, what is wrong with its answer, and the id for Spot's support."""
    with serving(http.items({"Id": "owm-1"})) as (_, client), pytest.raises(ResponseError) as caught:
        client.list_migrations("o-1")
    assert str(caught.value) == (
        "GET /ocean/aws/k8s/cluster/o-1/migration: unusable response: unexpected shape: "
        "the state of a migration is missing (request req-1)"
    )


@pytest.mark.parametrize("bad", ["", ".", ".."])
def test_id_that_is_none_is_refused(bad: str) -> None:
    """An empty id would ask for something else."""
    asks: list[Ask] = [
        lambda client: client.get_cluster(bad),
        lambda client: client.get_migration("o-1", bad),
        lambda client: client.stop_migration(bad, "owm-1"),
        lambda client: client.create_migration(bad, ["i-1"], **FLAGS),
    ]
    with serving() as (server, client):
        for ask in asks:
            with pytest.raises(InputError):
                ask(client)
        with pytest.raises(InputError):
            client.list_virtual_node_groups("")
    assert server.requests == []


def test_odd_id_stays_in_its_place() -> None:
    """An id with slashes and the like reaches its own route and no other."""
    with serving(http.items()) as (server, client):
        client.list_migrations("../o 1?x=1#")
    assert server.requests[0].path == "/ocean/aws/k8s/cluster/..%2Fo%201%3Fx%3D1%23/migration"


def test_log_needs_time_zones() -> None:
    """A time without a zone would be read as local time here and as another one there."""
    with serving() as (_, client), pytest.raises(InputError, match=r"since: .* has no time zone"):
        client.get_log("o-1", since=datetime(2024, 1, 1), until=UNTIL)


def test_within() -> None:
    """A view has other bounds and everything else in common."""
    scope = CancelScope()
    with serving(http.items(), http.items(), http.setting(scope.ended, http.silence)) as (server, client):
        view = client.within(CancelScope(alive=lambda: False))
        with pytest.raises(EngineGoneError):
            view.create_migration("o-1", ["i-1"], **FLAGS)
        client.list_migrations("o-1")
        client.within(CancelScope()).list_migrations("o-1")
        with pytest.raises(InterruptedWaitError):
            client.within(scope).list_migrations("o-1")
    assert len(server.requests) == 3
    assert (view.settings, view.account_id) == (client.settings, "act-1")


def test_base_scope_bounds_every_call() -> None:
    """Whoever makes the client may bound all of its calls."""
    with http.ScriptedServer([http.silence]) as server:
        settings = Settings(base_url=server.url, token="canary-1")
        with OceanClient(settings, base_scope=CancelScope().at_most(0.01)) as client, pytest.raises(DeadlineError):
            client.list_clusters()


def test_client_is_what_deciding_needs() -> None:
    """The client fulfils the protocol that the migration package is written against."""
    api: OceanApi = OceanClient(Settings())
    names = [name for name in vars(OceanApi) if not name.startswith("_")]
    assert len(names) >= 12
    assert [name for name in names if not hasattr(api, name)] == []


def test_repr_has_no_token() -> None:
    """The client shows where it goes and for whom, not with what."""
    client = OceanClient(Settings(token="canary-1", account_id="act-1"))
    assert repr(client) == "OceanClient(base_url='https://api.spotinst.io', account_id='act-1')"


def test_nothing_happens_before_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making and closing a client needs no token, no network and no certificates."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    with OceanClient(Settings()) as client:
        assert abs(client.server_now() - datetime.now(UTC)) < timedelta(seconds=10)


def test_many_threads_share_a_client() -> None:
    """32 calls are under way at once, and none gets another's answer."""
    together = threading.Barrier(32)

    def echo(connection: http.Connection, request: http.Received) -> bool:
        together.wait(PATIENCE)
        return http.items({"Id": request.path.rpartition("/")[2], "status": "STARTING"})(connection, request)

    found: dict[str, str] = {}
    with serving(*[echo] * 32) as (_, client):

        def ask(migration_id: str) -> None:
            found[migration_id] = client.get_migration("o-1", migration_id).id

        threads = [threading.Thread(target=ask, args=(f"owm-{number}",)) for number in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
    assert found == {f"owm-{number}": f"owm-{number}" for number in range(32)}


def test_every_method_raises_only_our_errors() -> None:
    """Whatever goes wrong, one root catches it."""
    asks: list[Ask] = [
        lambda client: client.list_migrations("o-1"),
        lambda client: client.get_migration("o-1", "owm-1"),
        lambda client: client.create_migration("o-1", ["i-1"], **FLAGS),
        lambda client: client.stop_migration("o-1", "owm-1"),
        lambda client: client.discover("o-1"),
        lambda client: client.list_nodes("o-1"),
        lambda client: client.get_log("o-1", since=SINCE, until=UNTIL),
        lambda client: client.get_heartbeat("o-1"),
        lambda client: client.get_cluster("o-1"),
        lambda client: client.list_clusters(),
        lambda client: client.list_virtual_node_groups("o-1"),
    ]
    troubles = [http.reset, http.answer(404, b"<html>"), http.items("x"), http.error(400), http.answer(500)]
    clock = FakeClock()
    for trouble in troubles:
        with serving(*[trouble] * len(asks)) as (_, client):
            for ask in asks:
                with pytest.raises(OceanMigrationError):
                    ask(client.within(clock.scope(seconds=0.4)))


@pytest.mark.parametrize(
    "item", [{"Id": "owm-2", "status": "FINISHED"}, {"Id": "owm-1", "oceanId": "o-2", "status": "FINISHED"}]
)
def test_the_status_of_another_migration_is_no_answer(item: dict[str, Any]) -> None:
    """Of another id, or of another cluster: it proves nothing of the one that was asked for."""
    with serving(http.items(item)) as (_, client), pytest.raises(ResponseError, match="owm-1 is that of another one"):
        client.get_migration("o-1", "owm-1")


def test_what_is_listed_twice_counts_once() -> None:
    """A migration has ended when all its entries say so; a node that discovery repeats is one."""
    entries = [{"Id": "owm-1", "state": state} for state in ("FINISHED", "DRAIN_NODES", "FINISHED")]
    with serving(http.items({"Id": "owm-0", "state": "STOPPED"}, *entries)) as (_, client):
        found = client.list_migrations("o-1")
    assert [(each.id, each.state) for each in found] == [("owm-0", "STOPPED"), ("owm-1", "DRAIN_NODES")]
    with serving(http.items({"instances": [{"instanceId": "i-1"}, {"instanceId": "i-1"}]})) as (_, client):
        assert client.discover("o-1") == (Candidate(instance_id="i-1"),)
