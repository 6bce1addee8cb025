"""One live migration with a service whose every answer is scripted, and whose time passes only while somebody waits."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from ocean_migration_pulumi.api.models.migration import Candidate, MigrationInstance, MigrationStatus, MigrationSummary
from ocean_migration_pulumi.api_check.live_run import LiveRun
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import (
    AnswerLostError,
    ClusterBusyError,
    DeadlineError,
    InterruptedWaitError,
    MigrationNotFoundError,
    NoAnswerError,
    PermissionDeniedError,
    RequestRejectedError,
    ServiceError,
)

OUTAGE = NoAnswerError("down")
MISSING = MigrationNotFoundError("no such migration", status=400)


class Service:
    """A service with one migration, which ends two polls after its stop."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[str] = []
        self.troubles: dict[str, list[Exception]] = {}
        self.listed: list[MigrationSummary] = []
        self.node = "i-1"
        self.states = ["STARTING"]
        self.stopped = ["STOPPING", "STOPPED"]
        self.creates = True
        self.waits: Callable[[], None] = lambda: None
        self.ended = threading.Event()

    @property
    def scope(self) -> CancelScope:
        """Bounds whose sleeps take no time."""
        return CancelScope(ended=self.ended, clock=lambda: self.now, wait=self._wait)

    def _wait(self, event: threading.Event, seconds: float) -> bool:
        self.now += max(seconds, 0.001)
        self.waits()
        return event.is_set()

    def within(self, scope: CancelScope) -> Service:
        """Return this service: the scope is checked by whoever sleeps."""
        return self

    def _ask(self, call: str) -> None:
        self.calls.append(call)
        if self.troubles.get(call):
            raise self.troubles[call].pop(0)

    def list_migrations(self, ocean_id: str) -> tuple[MigrationSummary, ...]:
        """List what there is."""
        self._ask("list")
        return tuple(self.listed)

    def discover(self, ocean_id: str) -> tuple[Candidate, ...]:
        """Offer the node."""
        self._ask("discover")
        return (Candidate(self.node),)

    def create_migration(self, ocean_id: str, instance_ids: list[str], **options: object) -> str:
        """Start the migration, unless the trouble is that it does not."""
        if self.creates:
            self.listed.append(MigrationSummary(id="owm-1", state="STARTING"))
        self._ask("create")
        return "owm-1"

    def get_migration(self, ocean_id: str, migration_id: str) -> MigrationStatus:
        """Go on to the next state; the last one stays."""
        self._ask("status")
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        node = MigrationInstance(instance_id=self.node if migration_id == "owm-1" else "i-9")
        return MigrationStatus(id=migration_id, state=state, old_instances=(node,))

    def stop_migration(self, ocean_id: str, migration_id: str) -> None:
        """Stop it."""
        self._ask("stop")
        self.states = list(self.stopped)


class Told:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def status(self, message: str) -> None:
        """Take note of a live line."""

    def info(self, message: str) -> None:
        """Keep a line."""
        self.lines.append(message)

    def warning(self, message: str) -> None:
        """Keep a warning."""
        self.lines.append(f"warning: {message}")


def run_of(service: Service, *, stop_after: float = 60, timeout: float = 600) -> tuple[LiveRun, Told]:
    """Return a run that polls every 15 seconds, and what it says."""
    told = Told()
    run = LiveRun(
        service,  # type: ignore[arg-type]  # it has every method that a run calls
        service.scope,
        told,
        ocean_id="o-1",
        instance_id="i-1",
        stop_after=stop_after,
        timeout=timeout,
        poll_interval=15,
    )
    return run, told


def test_every_new_state_is_looked_at_from_all_sides() -> None:
    """The list and discovery with each, everything again one poll after the end; the stop when it is due."""
    service = Service()
    run, told = run_of(service)
    run.run()
    assert service.calls == [
        *("list", "create"),
        *("status", "list", "discover"),
        *("status",) * 4,
        "stop",
        *("status", "list", "discover") * 3,
    ]
    assert service.now == 60 + 15 + 15
    assert (run.migration_id, run.stop_sent, run.is_running) == ("owm-1", True, False)
    assert told.lines == [
        "Migration owm-1 has started",
        "0 pods left (STARTING, 0s)",
        "The stop was sent",
        "0 pods left (STOPPING, 1m00s)",
        "0 pods left (STOPPED, 1m15s)",
    ]


def test_migration_that_ends_by_itself_is_not_stopped() -> None:
    """What a stop does to it is not documented."""
    service = Service()
    service.states = ["STARTING", "DRAIN_NODES", "FINISHED"]
    run, _ = run_of(service)
    run.run()
    assert "stop" not in service.calls
    assert not run.is_running


def test_another_migration_is_refused() -> None:
    """By name, and nothing is sent."""
    service = Service()
    service.listed = [MigrationSummary(id="owm-8", state="STOPPED"), MigrationSummary(id="owm-9", state="STARTING")]
    run, _ = run_of(service)
    with pytest.raises(ClusterBusyError, match="migration owm-9 is already running on o-1"):
        run.run()
    assert service.calls == ["list"]
    assert run.migration_id is None


def test_outages_and_lag_are_survived() -> None:
    """Of every call but the start; a stop that was not answered is sent again."""
    service = Service()
    service.troubles = {"status": [MISSING, OUTAGE], "discover": [OUTAGE], "stop": [ServiceError("x", status=503)]}
    run, told = run_of(service)
    run.run()
    assert service.calls.count("stop") == 2
    assert "warning: No response to the stop: x (HTTP 503)" in told.lines
    assert not run.is_running


@pytest.mark.parametrize("error", [RequestRejectedError("no", status=400), PermissionDeniedError("no", status=403)])
def test_refused_stop_is_sent_once(error: Exception) -> None:
    """The migration runs to its end."""
    service = Service()
    service.states = ["STARTING"] * 8 + ["FINISHED"]
    service.troubles = {"stop": [error]}
    run, told = run_of(service)
    run.run()
    assert service.calls.count("stop") == 1
    assert any(line.startswith("warning: The stop was refused: no") for line in told.lines)


def test_deadline_names_the_migration() -> None:
    """It goes on."""
    service = Service()
    service.stopped = ["STOPPING"]
    run, _ = run_of(service, timeout=120)
    with pytest.raises(DeadlineError, match="migration owm-1 has not ended after 2m00s"):
        run.run()
    assert (run.is_running, run.stop_sent) == (True, True)


def test_end_at_the_last_moment_is_confirmed() -> None:
    """The deadline is for the end alone."""
    service = Service()
    run, _ = run_of(service, timeout=76)
    run.run()
    assert service.now > 76


def test_lost_answer_is_searched_for() -> None:
    """Among the new migrations, by its node, through an outage of the list."""
    service = Service()
    service.listed = [MigrationSummary(id="owm-0", state="FINISHED")]
    service.troubles = {"create": [AnswerLostError("lost")], "status": [MISSING]}
    run, told = run_of(service)
    run.run()
    assert run.migration_id == "owm-1"
    assert told.lines[0].startswith("warning: The response to the start was lost")
    assert service.calls.count("create") == 1


def test_migration_of_another_node_is_not_taken_for_a_lost_one() -> None:
    """The search ends after a minute, and the error stays."""
    service = Service()
    service.creates = False
    service.troubles = {"create": [AnswerLostError("lost")]}

    def appear() -> None:
        service.listed = [MigrationSummary(id="owm-7", state="STARTING")]

    service.waits = appear
    run, _ = run_of(service)
    with pytest.raises(AnswerLostError):
        run.run()
    assert (run.migration_id, run.may_have_started, run.is_running) == (None, True, False)
    assert service.now == pytest.approx(60, abs=2)


def test_interruption_of_the_search() -> None:
    """Leaves open whether the migration has started."""
    service = Service()
    service.creates = False
    service.troubles = {"create": [AnswerLostError("lost")]}
    service.waits = service.ended.set
    run, _ = run_of(service)
    with pytest.raises(InterruptedWaitError):
        run.run()
    assert run.may_have_started


def test_refused_start_leaves_nothing_open() -> None:
    """Whatever is not a lost answer had no effect."""
    service = Service()
    service.creates = False
    service.troubles = {"create": [RequestRejectedError("no", status=400)]}
    run, _ = run_of(service)
    with pytest.raises(RequestRejectedError):
        run.run()
    assert (run.migration_id, run.may_have_started) == (None, False)
