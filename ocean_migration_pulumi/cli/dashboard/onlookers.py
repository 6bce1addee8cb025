"""Displays of a running migration: a dashboard on a terminal, or lines elsewhere."""

from __future__ import annotations

import sys
import time
from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Final, Self

import click
from rich.console import Console
from rich.live import Live

from ocean_migration_pulumi.cli.dashboard.dashboard import Dashboard
from ocean_migration_pulumi.common.text import one_line
from ocean_migration_pulumi.migration.state.progress import Progress
from ocean_migration_pulumi.migration.views.live_view import LiveView

_PER_SECOND: Final = 2.0


class ProgressDisplay(AbstractContextManager["ProgressDisplay"]):
    """Shows snapshots of a migration and messages of the wait; a status right after a snapshot repeats it."""

    def __init__(self) -> None:
        self.live_view: LiveView | None = None
        self._is_new = False

    def show(self, live_view: LiveView) -> None:
        """Show a new snapshot."""
        self.live_view, self._is_new = live_view, True

    def polled(self) -> None:
        """Note that the next status does not repeat the last snapshot."""
        self._is_new = False

    def status(self, message: str) -> None:
        """Show the progress of the wait, or that the service does not answer."""
        if self._is_new:
            self._progressed()
        else:
            self.warning(message)

    def info(self, message: str) -> None:
        """Ignore what the snapshot shows, too."""

    @abstractmethod
    def warning(self, message: str) -> None:
        """Show a warning."""

    def _progressed(self) -> None:
        """Show progress, or at least that the wait goes on."""


class LineDisplay(ProgressDisplay):
    """Prints a line for each change, and at least one each minute."""

    def __init__(self, *, err: bool = False, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__()
        self._err = err
        self._failing: tuple[str, ...] = ()
        self._now = now

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close nothing."""

    def warning(self, message: str) -> None:
        """Print a line of its own."""
        self._print(self._now(), message)

    def _progressed(self) -> None:
        if self.live_view is not None:
            since = self.live_view.elapsed or timedelta()
            line, pods = (
                Progress.from_status(self.live_view.status).line(since.total_seconds()),
                self.live_view.readiness,
            )
            self._print(self.live_view.at, f"{line}, {pods.summary}" if pods else line)
            failing = pods.failing if pods else ()
            for text in failing:
                if text not in self._failing:
                    self._print(self.live_view.at, text)
            self._failing = failing

    def _print(self, at: datetime, message: str) -> None:
        click.echo(f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} {one_line(message)}", err=self._err)


class ScreenDisplay(ProgressDisplay):
    """Shows the dashboard on the whole terminal; the last snapshot stays when it ends."""

    def __init__(
        self, console: Console, *, cluster_name: str, hint: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._console = console
        self._cluster_name = cluster_name
        self._hint = hint
        self._clock = clock
        self._taken_at = clock()
        self._note = ""
        self._live = Live(
            console=console,
            screen=True,
            refresh_per_second=_PER_SECOND,
            get_renderable=self._drawn,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the dashboard, and print the last snapshot."""
        self._live.stop()
        drawn = self._drawn()
        if isinstance(drawn, Dashboard):
            self._console.print(replace(drawn, hint=""))

    def show(self, live_view: LiveView) -> None:
        """Draw the new snapshot at once."""
        super().show(live_view)
        self._taken_at, self._note = self._clock(), ""
        self._live.refresh()

    def warning(self, message: str) -> None:
        """Show a note until the next snapshot."""
        self._note = message
        self._live.refresh()

    def _drawn(self) -> Dashboard | str:
        if self.live_view is None:
            return one_line(self._note) or "Reading the migration ..."
        return Dashboard(
            live_view=self.live_view,
            cluster_name=self._cluster_name,
            note=self._note,
            hint=self._hint,
            later=timedelta(seconds=self._clock() - self._taken_at),
        )


def terminal() -> Console | None:
    """Return stdout as a terminal that a dashboard can be drawn on; None when it is none, or a dumb one."""
    if not sys.stdout.isatty():
        return None
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    return None if console.is_dumb_terminal else console
