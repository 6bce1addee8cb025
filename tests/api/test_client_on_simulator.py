"""OceanClient against the simulator: whole runs, and each of its faults."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.settings import Settings, TokenSource
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import (
    AnswerLostError,
    AuthenticationError,
    ClusterNotFoundError,
    DeadlineError,
    InterruptedWaitError,
    MigrationNotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RequestRejectedError,
    ResponseError,
    ServiceError,
)
from ocean_migration_pulumi.simulator import Simulator
from tests.support.fake_clock import FakeClock
from tests.support.timing import PATIENCE, ends_soon

MIGRATIONS = "*/migration"


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """Return a simulator of four nodes whose clock stands still."""
    with Simulator(nodes=4) as simulator:
        simulator.control.clock(manual=True)
        yield simulator


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock on which sleeps take no time."""
    return FakeClock()


@pytest.fixture
def client(sim: Simulator, clock: FakeClock) -> Iterator[OceanClient]:
    """Return a client of the simulator that never really sleeps."""
    with OceanClient(Settings.load(None, sim.environment), base_scope=clock.scope()) as opened:
        yield opened


def start(client: OceanClient, ocean_id: str, *instance_ids: str) -> str:
    """Start a migration of some nodes, or of all that are offered."""
    chosen = instance_ids or [candidate.instance_id for candidate in client.discover(ocean_id)]
    return client.create_migration(
        ocean_id,
        chosen,
        batch_size_percentage=50,
        should_terminate_drained_nodes=False,
        should_evict_stand_alone_pods=False,
        force_pod_eviction_on_pdb_failure=False,
    )


def posts(sim: Simulator) -> list[bool]:
    """Return for each POST that arrived whether it started a migration."""
    return [request["effective"] for request in sim.control.requests(method="POST")]


def test_run_to_the_end(sim: Simulator, client: OceanClient) -> None:
    """A migration is started, goes through its states, and its nodes become Ocean's."""
    ocean_id = sim.ocean_id
    nodes = {candidate.instance_id for candidate in client.discover(ocean_id)}
    migration_id = start(client, ocean_id)
    seen = []
    for _ in range(400):
        status = client.get_migration(ocean_id, migration_id)
        seen.append(status.state)
        if status.is_terminal:
            break
        sim.control.advance(10)
    assert list(dict.fromkeys(seen))[:2] == ["STARTING", "AWAIT_REPLACEMENTS"]
    assert seen[-1] == "FINISHED"
    assert status.instance_ids == nodes
    assert {node.instance_id for node in client.list_nodes(ocean_id)} == {
        instance.instance_id for instance in status.new_instances
    }
    until = client.server_now() + timedelta(minutes=1)
    log = client.get_log(ocean_id, since=until - timedelta(hours=6), until=until)
    assert any(migration_id in line.message for line in log)


def test_stop(sim: Simulator, client: OceanClient) -> None:
    """A stop is accepted at once and reached later; it may be repeated until then."""
    migration_id = start(client, sim.ocean_id)
    sim.control.advance(200)
    for _ in range(2):
        assert client.stop_migration(sim.ocean_id, migration_id).id == migration_id
    for _ in range(400):
        sim.control.advance(10)
        status = client.get_migration(sim.ocean_id, migration_id)
        if status.is_terminal:
            break
    assert status.state == "STOPPED"
    assert status.stopped_at is not None


def test_server_time_is_the_simulators(sim: Simulator, client: OceanClient) -> None:
    """The service's clock is what counts, not the local one."""
    client.list_clusters()
    before = client.server_now()
    sim.control.advance(86400)
    client.list_clusters()
    client.list_clusters()
    assert timedelta(hours=23) < client.server_now() - before < timedelta(hours=25)


@pytest.mark.parametrize("kind", ["500", "502", "503", "reset-before", "reset-after", "truncate", "429"])
def test_read_survives(kind: str, sim: Simulator, client: OceanClient) -> None:
    """One fault of any kind is not noticed by whoever reads."""
    sim.control.fault("GET", MIGRATIONS, kind, seconds=1)
    assert client.list_migrations(sim.ocean_id) == ()
    assert len(sim.control.requests(method="GET")) == 2


@pytest.mark.parametrize("kind", ["500", "502", "503", "reset-before", "reset-after", "truncate", "429"])
def test_stop_survives(kind: str, sim: Simulator, client: OceanClient) -> None:
    """A stop is sent again after any fault, also after one that came after its effect."""
    migration_id = start(client, sim.ocean_id)
    sim.control.fault("PUT", f"{MIGRATIONS}/*", kind, seconds=1)
    assert client.stop_migration(sim.ocean_id, migration_id).state == "STOPPED"
    assert len(sim.control.requests(method="PUT")) == 2


@pytest.mark.parametrize(
    "kind", ["500", "502", "503", "reset-before", "reset-after", "truncate", "shape", "late-effect"]
)
def test_create_is_never_repeated_blindly(kind: str, sim: Simulator, client: OceanClient) -> None:
    """After any fault but 429 one POST arrived, and the error says that it may have worked."""
    sim.control.fault("POST", MIGRATIONS, kind, seconds=0.01)
    with pytest.raises(AnswerLostError):
        start(client, sim.ocean_id)
    assert len(posts(sim)) == 1


def test_create_after_429(sim: Simulator, client: OceanClient) -> None:
    """A POST that was refused for its rate had no effect, and is sent again."""
    sim.control.fault("POST", MIGRATIONS, "429", seconds=1)
    migration_id = start(client, sim.ocean_id)
    assert posts(sim) == [False, True]
    assert [summary.id for summary in client.list_migrations(sim.ocean_id)] == [migration_id]


def test_read_gives_up(sim: Simulator, client: OceanClient) -> None:
    """A fault that stays is raised in the end, as what it is."""
    sim.control.fault("GET", MIGRATIONS, "502", times=99)
    with pytest.raises(ServiceError, match="HTTP 502"):
        client.list_migrations(sim.ocean_id)


@pytest.mark.parametrize("kind", ["shape", "html-404"])
def test_unusable_answer(kind: str, sim: Simulator, client: OceanClient) -> None:
    """JSON of another shape, or a 404 that is not the service's, is neither empty nor "not found"."""
    sim.control.fault("GET", "*", kind, times=99)
    with pytest.raises(ResponseError):
        client.list_migrations(sim.ocean_id)
    with pytest.raises(ResponseError):
        client.get_cluster(sim.ocean_id)


def test_silence_ends_with_the_deadline(sim: Simulator, client: OceanClient) -> None:
    """A service that does not answer does not outlast the operation."""
    sim.control.fault("GET", MIGRATIONS, "silence", seconds=300)
    with ends_soon(), pytest.raises(DeadlineError):
        client.within(CancelScope().at_most(0.01)).list_migrations(sim.ocean_id)


@pytest.mark.parametrize("point", ["before", "after"])
def test_interrupted_create(point: str, sim: Simulator, client: OceanClient) -> None:
    """Ctrl-C while the POST is held leaves it behind as lost, whether or not it had its effect; one arrived."""
    nodes = [candidate.instance_id for candidate in client.discover(sim.ocean_id)]
    scope = CancelScope()
    with sim.control.barrier("POST", MIGRATIONS, point) as barrier:
        outcome: list[BaseException] = []

        def create() -> None:
            try:
                start(client.within(scope), sim.ocean_id, *nodes)
            except AnswerLostError as exc:
                outcome.append(exc)

        thread = threading.Thread(target=create)
        thread.start()
        assert barrier.wait(PATIENCE)
        scope.ended.set()
        thread.join(PATIENCE)
        assert isinstance(outcome[0].__cause__, InterruptedWaitError)
    assert len(posts(sim)) == 1


def test_rate_limit(sim: Simulator, client: OceanClient, clock: FakeClock) -> None:
    """Once the headers say that the window is used up, the next request is held back instead of being refused."""
    sim.control.rate_limit(MIGRATIONS, "GET", 2)
    client.list_migrations(sim.ocean_id)
    client.list_migrations(sim.ocean_id)
    with pytest.raises(DeadlineError):
        client.within(clock.scope(seconds=30)).list_migrations(sim.ocean_id)
    assert clock.sleeps == [30]
    assert [request["status"] for request in sim.control.requests(method="GET")] == [200, 200]


def test_rate_limit_in_a_preview(sim: Simulator, client: OceanClient, clock: FakeClock) -> None:
    """A preview does not wait for a window of a minute."""
    sim.control.rate_limit(MIGRATIONS, "GET", 1)
    client.list_migrations(sim.ocean_id)
    with pytest.raises(RateLimitError) as caught:
        client.within(clock.scope(seconds=5, short=True)).list_migrations(sim.ocean_id)
    assert caught.value.reset is not None
    assert 5 < caught.value.reset <= 60
    assert len(sim.control.requests(method="GET")) == 1


def test_rotated_token(sim: Simulator) -> None:
    """After a rotation the other source's token is used; without one the message says where the old one came from."""
    old = Settings.load({"ocean-migration:token": sim.token}, {"SPOTINST_BASE_URL": sim.url})
    new = sim.control.rotate_token()
    with OceanClient(old) as client, pytest.raises(AuthenticationError, match="stack config ocean-migration:token"):
        client.list_clusters()
    settings = Settings(
        base_url=sim.url, token=old.token, alternatives=(TokenSource(name="SPOTINST_TOKEN", token=new),)
    )
    with OceanClient(settings) as client:
        assert [cluster.id for cluster in client.list_clusters()] == [sim.ocean_id]


def test_forbidden_account(sim: Simulator, client: OceanClient) -> None:
    """A permission that is missing is told apart from a bad request, although the service does not."""
    sim.control.forbid(sim.account_id)
    with pytest.raises(PermissionDeniedError):
        client.discover(sim.ocean_id)


def test_gone(sim: Simulator, client: OceanClient) -> None:
    """A migration that the service forgot and a cluster that was deleted are told apart."""
    ocean_id = sim.ocean_id
    migration_id = start(client, ocean_id)
    sim.control.set_state(ocean_id, migration_id, "FINISHED")
    sim.control.forget_migrations(ocean_id)
    with pytest.raises(MigrationNotFoundError):
        client.get_migration(ocean_id, migration_id)
    sim.control.delete_cluster(ocean_id)
    with pytest.raises(ClusterNotFoundError):
        client.get_cluster(ocean_id)
    with pytest.raises(ClusterNotFoundError):
        client.get_migration(ocean_id, migration_id)


def test_migration_that_never_was(sim: Simulator, client: OceanClient) -> None:
    """An id that the cluster does not know is not found."""
    with pytest.raises(MigrationNotFoundError, match="has no migration owm-none"):
        client.get_migration(sim.ocean_id, "owm-none")


def test_refused_create(sim: Simulator, client: OceanClient) -> None:
    """A create that is refused started nothing, and says so: it is not lost."""
    with pytest.raises(RequestRejectedError):
        start(client, sim.ocean_id, "i-none")
    assert posts(sim) == [False]
    assert client.list_migrations(sim.ocean_id) == ()


def least(times: int, act: Callable[[], Any]) -> float:
    """Return the shortest time of some tries, as far as this process was at work."""
    found = []
    for _ in range(times):
        started = time.process_time()
        act()
        found.append(time.process_time() - started)
    return min(found)


@pytest.mark.slow
def test_large_discovery_is_lean() -> None:
    """Reading 10,000 nodes costs a small multiple of a bare GET and json.loads."""
    with Simulator(scenario="large") as sim, OceanClient(Settings.load(None, sim.environment)) as client:
        assert len(client.discover(sim.ocean_id)) == 10_000
        url = f"{sim.url}/ocean/aws/k8s/cluster/{sim.ocean_id}/migration/discovery"
        headers = {"Authorization": f"Bearer {sim.token}"}
        query = {"accountId": sim.account_id, "shouldFetchPods": "true"}
        with httpx.Client(trust_env=False, headers=headers) as bare:
            floor = least(3, lambda: json.loads(bare.get(url, params=query, timeout=60).content))
        ours = least(3, lambda: client.discover(sim.ocean_id))
    assert ours < 4 * floor + 0.5
