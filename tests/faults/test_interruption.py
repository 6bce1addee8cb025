"""One Ctrl-C, or SIGTERM, ends every wait at once, with all saved that the next run needs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import pytest

from ocean_migration_pulumi.api import sender
from ocean_migration_pulumi.api.rate_limits import RateLimits
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import InterruptedWaitError, OceanMigrationError
from ocean_migration_pulumi.migration.diagnosis import failure_reasons
from ocean_migration_pulumi.migration.reconcile import stop
from tests.faults.cells import Cell, Requests, asked_again, polled, struck, up
from tests.faults.words import reads
from tests.migration.stage import StagedContext
from tests.support.timing import PATIENCE, SOON, until

GOES_ON = "migration {migration} continues in Ocean"
NOT_STARTED = "interrupted; nothing was started; run `pulumi up` again"
PERHAPS = (
    "the response to the start of a migration of 3 nodes was lost ({cause}), and no such migration is listed yet: "
    "it may have started. `pulumi up` looks for it before it starts any other."
)


@dataclass(frozen=True, kw_only=True)
class Wait:
    """A wait, and the line that Ctrl-C makes of it.

    ``faults`` are the requests that are struck (method, route, kind) once the run begins. ``started`` tells that the
    run is one that takes up a migration which stands still, ``of`` what is run. ``waits`` tells by the requests so far
    whether the run has come to its wait.
    """

    words: str
    waits: Callable[[Requests], bool] = struck
    faults: tuple[tuple[str, str, str], ...] = ()
    started: bool = False
    of: Callable[[StagedContext], object] = up
    before: Callable[[Cell], object] = lambda cell: None


def foreign(cell: Cell) -> None:
    """Let a migration of somebody else run."""
    cell.control.start_foreign_migration(cell.ocean_id, cell.ids()[:1], terminate=True)


def no_controller(cell: Cell) -> None:
    """Let the cluster be a new one."""
    cell.control.heartbeat(cell.ocean_id, status=None)


WAITS: Final = {
    "for the migration": Wait(
        waits=polled,
        words="interrupted after {after}; " + GOES_ON + " (0 of 3 nodes done). `pulumi up` waits for it again.",
    ),
    "for one taken up": Wait(
        waits=polled,
        started=True,
        words="interrupted after {after}; " + GOES_ON + " (0 of 3 nodes done). `pulumi up` waits for it again.",
    ),
    "for somebody else's": Wait(
        waits=polled,
        before=foreign,
        words="interrupted while waiting for migration {foreign} (started elsewhere); nothing was started",
    ),
    "for a new controller": Wait(waits=polled, before=no_controller, words=NOT_STARTED),
    "for a rate limit before the start": Wait(faults=(("GET", "migration", "429"),), words=NOT_STARTED),
    "for a rate limit of the start": Wait(faults=(("POST", "migration", "429"),), words=NOT_STARTED),
    "for a rate limit of the status": Wait(
        faults=(("GET", "migration/owm-*", "429"),),
        words="interrupted after {after}; " + GOES_ON + " (status unknown). `pulumi up` waits for it again.",
    ),
    "for a service to come back": Wait(faults=(("GET", "migration/discovery", "503"),), words=NOT_STARTED),
    "for a silent service": Wait(
        started=True,
        faults=(("GET", "migration/owm-*", "silence"),),
        words="interrupted; " + GOES_ON + ". `pulumi up` waits for it again",
    ),
    "for the answer to the start": Wait(
        faults=(("POST", "migration", "slow"),), words=PERHAPS.replace("{cause}", "interrupted")
    ),
    "for a start whose answer was lost": Wait(
        waits=asked_again,
        faults=(("POST", "migration", "500"),),
        words=PERHAPS.replace(
            "{cause}", "POST /ocean/aws/k8s/cluster/{ocean}/migration: Spot has an internal error (HTTP 500)"
        ),
    ),
    "for a migration to stop": Wait(
        waits=polled,
        started=True,
        of=stop.destroy,
        words="interrupted while migration {migration} was stopping (0 of 3 nodes done); run it again to wait for the "
        "end",
    ),
    "for the answer to the stop": Wait(
        started=True,
        of=stop.destroy,
        faults=(("PUT", "migration/owm-*", "slow"),),
        words="interrupted while migration {migration} was asked to stop; run it again to wait for the end",
    ),
    "for a rate limit of the stop": Wait(
        started=True,
        of=stop.destroy,
        faults=(("PUT", "migration/owm-*", "429"),),
        words="interrupted while migration {migration} was asked to stop; run it again to wait for the end",
    ),
}


@contextmanager
def pressed(cell: Cell, waits: Callable[[Requests], bool]) -> Iterator[list[float]]:
    """Press Ctrl-C as soon as the requests tell that a run waits; yield when that was."""
    at: list[float] = []

    def press() -> None:
        until(lambda: waits(cell.control.requests()))
        at.append(time.monotonic())
        cell.ended.set()

    thread = threading.Thread(target=press)
    thread.start()
    try:
        yield at
    finally:
        thread.join()


@pytest.mark.parametrize("name", WAITS)
def test_ctrl_c_ends_every_wait_at_once(cell: Cell, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On real clocks; the next run goes on, and there is one start at most."""
    wait = WAITS[name]
    spec = cell.spec() if wait.before is no_controller else cell.planned(cell.spec())
    known = cell.up(replace(spec, wait_for="started")).state if wait.started else None
    wait.before(cell)
    cell.restart()
    context = cell.context(spec, known)
    context.scope = CancelScope(deadline=time.monotonic() + 2 * PATIENCE, ended=cell.ended)
    context.poll_policy = replace(context.poll_policy, poll_interval=0.05)
    for method, route, kind in wait.faults:
        cell.control.fault(method, f"*/{cell.ocean_id}/{route}", kind, seconds=PATIENCE, times=100)
    cell.control.clear_requests()
    with pressed(cell, wait.waits) as at:
        with pytest.raises((OceanMigrationError, InterruptedWaitError)) as caught:
            wait.of(context)
        ended = time.monotonic()
    assert ended - at[0] < SOON
    line = failure_reasons.describe_failure(caught.value, failure_reasons.describe_interruption(context.state))
    names = cell.known(context) | {"foreign": cell.migrations()[0]["id"] if cell.migrations() else ""}
    assert reads(wait.words, **names).fullmatch(line), line
    # The next process, which knows of no window, and whose clock takes no time.
    monkeypatch.setattr(sender, "_RATE_LIMITS", RateLimits())
    cell.control.clear_faults()
    cell.control.heartbeat(cell.ocean_id)
    cell.restart()
    saved = context.state if context.state.migrations or context.state.unanswered else None
    if wait.of is up:
        again = cell.context(spec, saved)
        assert cell.line(up, again) == ""
        assert again.state.succeeded
    else:
        assert cell.line(stop.destroy, cell.context(spec, saved)) == ""
        assert cell.migrations()[-1]["state"] == "STOPPED"
    ours = [migration for migration in cell.migrations() if not migration["foreign"]]
    assert len(ours) == 1
