"""How long reading a cluster takes, and how often it is asked."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import EngineGoneError, InterruptedWaitError
from ocean_migration_pulumi.kubernetes.reader import KubernetesReader
from ocean_migration_pulumi.migration.scheduling import kubernetes_snapshot as known
from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode
from tests.kubernetes import fake_api as fake
from tests.kubernetes.support import ALL, read, reading, shop
from tests.support import http_server as http
from tests.support.fake_clock import FakeClock
from tests.support.timing import PATIENCE, ends_soon


@pytest.mark.parametrize("step", [http.silence, http.trickle])
def test_deadline_leaves_gaps(step: http.Step) -> None:
    """What was read in time is kept."""
    api = shop()
    api.faults[fake.PODS] = [step]
    with ends_soon():
        found = read(api, CancelScope().at_most(5))
    assert found.gaps == {known.PODS: Gap(GapCode.NOT_IN_TIME)}
    assert len(found.nodes) == 2


def test_deadline_of_the_first_question_leaves_only_gaps() -> None:
    """One that had passed before asks nothing at all."""
    api = shop()
    api.faults[fake.AWS_AUTH] = [http.silence] * 2
    assert read(api, CancelScope().at_most(0.2)).gaps == dict.fromkeys(ALL, Gap(GapCode.NOT_IN_TIME))
    with api.serve() as server, reading(server.url) as reader:
        assert reader.read_snapshot(CancelScope(deadline=0)).gaps.keys() == ALL
        assert not server.requests


def test_interruption_is_raised_at_once() -> None:
    """Nobody waits for the threads that still ask."""
    api, scope, arrived = shop(), CancelScope(), threading.Event()
    api.faults[fake.PODS] = [http.setting(arrived, http.silence)]

    def interrupt() -> None:
        arrived.wait(PATIENCE)
        scope.ended.set()

    threading.Thread(target=interrupt).start()
    with ends_soon(), pytest.raises(InterruptedWaitError):
        read(api, scope)


def test_engine_that_is_gone_is_raised() -> None:
    """Even when that shows only in a thread."""
    with pytest.raises(EngineGoneError):
        read(shop(), CancelScope(alive=lambda: False))


def test_each_thing_is_asked_once() -> None:
    """Many resources share a cluster, and an answer is good for half a minute."""
    clock = FakeClock()
    api = shop()
    with api.serve() as server, reading(server.url, clock=clock.read) as reader:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: reader.read_snapshot(CancelScope()), range(8)))
        asked = len(server.requests)
        assert asked == 13
        assert answers == [answers[0]] * 8
        clock.now += 30
        assert reader.read_snapshot(CancelScope()) == answers[0]
        assert len(server.requests) == asked
        clock.now += 0.1
        assert reader.read_snapshot(CancelScope()) == answers[0]
        assert len(server.requests) == 2 * asked
        clock.now += 0.1
        reader.read_snapshot(CancelScope(), fresh=True)
        assert len(server.requests) == 3 * asked


def test_outage_costs_a_preview_its_seconds_once() -> None:
    """A run, which has more time, asks for itself."""
    api = shop()
    api.faults[fake.PODS] = [http.silence]
    with api.serve() as server, reading(server.url) as reader:
        met = reader.read_snapshot(CancelScope(short=True).at_most(2))
        assert met.gaps.keys() == {known.PODS}
        asked = len(server.requests)
        assert reader.read_snapshot(CancelScope(short=True).at_most(2)) == met
        assert len(server.requests) == asked
        assert reader.read_snapshot(CancelScope()).gaps == {}
        assert {request.path for request in server.requests[asked:]} == {
            fake.PODS,
            fake.CLAIMS,
            fake.VOLUMES,
            fake.CSI_NODES,
        }


def test_failure_that_a_run_meets_is_not_remembered_for_runs() -> None:
    """Only what failed is asked again."""
    api = shop()
    api.faults[fake.PODS] = [fake.status(500), fake.forbidden("list", "pods")]
    with api.serve() as server, reading(server.url) as reader:
        assert reader.read_snapshot(CancelScope()).gaps[known.PODS].fields["status"] == 500
        asked = len(server.requests)
        met = reader.read_snapshot(CancelScope())
        assert met.gaps[known.PODS].fields["user"] == "ci"
        assert len(server.requests) == asked + 1
        assert reader.read_snapshot(CancelScope(short=True)) == met
        assert len(server.requests) == asked + 1
        assert reader.read_snapshot(CancelScope()).gaps == {}


def test_waiting_for_another_thread_is_bounded() -> None:
    """By one's own deadline and one's own interruption."""
    api, arrived, slow = shop(), threading.Event(), CancelScope()
    api.faults[fake.AWS_AUTH] = [http.setting(arrived, http.silence)]

    def wait(reader: KubernetesReader) -> None:
        with pytest.raises(InterruptedWaitError):
            reader.read_snapshot(slow)

    with api.serve() as server, reading(server.url) as reader:
        thread = threading.Thread(target=wait, args=(reader,))
        thread.start()
        assert arrived.wait(PATIENCE)
        assert reader.read_snapshot(CancelScope().at_most(0.1)).gaps.keys() == ALL
        ended = CancelScope()
        ended.ended.set()
        with pytest.raises(InterruptedWaitError):
            reader.read_snapshot(ended)
        slow.ended.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()
