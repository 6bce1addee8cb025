"""Progress and questions of a command, on stderr: stdout holds only the result."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, NoReturn

import click

from ocean_migration_pulumi.cli.exit_codes import BROKEN_PIPE, FAILED
from ocean_migration_pulumi.cli.output import fit_terminal
from ocean_migration_pulumi.common.text import one_line
from ocean_migration_pulumi.errors import InterruptedWaitError

_CLEAR: Final = "\r\x1b[K"


class Console:
    """A Teller on stderr; the live line is for terminals alone, and gives way to the next line."""

    def __init__(self) -> None:
        self._live = False

    def status(self, message: str) -> None:
        """Show a live line that the next one replaces."""
        if sys.stderr.isatty():
            room = shutil.get_terminal_size().columns - 1
            click.echo(f"{_CLEAR}{one_line(message)[:room]}", err=True, nl=False)
            self._live = True

    def info(self, message: str) -> None:
        """Say something that stays."""
        self._say(one_line(message))

    def warning(self, message: str) -> None:
        """Say something that stays and that somebody should look at."""
        self._say(f"{click.style('warning:', fg='yellow')} {one_line(message)}")

    def end(self) -> None:
        """Take the live line away."""
        if self._live:
            click.echo(_CLEAR, err=True, nl=False)
            self._live = False

    def _say(self, line: str) -> None:
        self.end()
        click.echo(fit_terminal(line, sys.stderr), err=True)


def confirmed(question: str, *, default: bool = False) -> bool:
    """Ask, on stderr, and return the answer; Ctrl-C is an answer, too.

    Raises InterruptedWaitError for it.
    """
    try:
        with _keyboard():
            return click.confirm(question, default=default, err=True)
    except click.Abort:
        click.echo(err=True)
        raise InterruptedWaitError("interrupted; nothing was started") from None


def is_interactive() -> bool:
    """Tell whether there is somebody who can be asked."""
    return sys.stdin is not None and sys.stdin.isatty()


@contextmanager
def require_output() -> Iterator[None]:
    """End the program when stdout cannot be written: with one line, or silently when its reader has gone.

    ``ocean-migration plan | head`` has shown all that was asked for: like other programs, this one then ends without a
    word, and with the status that SIGPIPE has in a shell.
    """
    if sys.stderr is None:  # closed by the shell: there is nobody to tell
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process
    if sys.stdout is None:
        _end_without_output("cannot write to stdout: it is closed")
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
        sys.exit(BROKEN_PIPE)
    except OSError as error:
        what = "cannot write to stdout" if error.filename is None else f"cannot use {error.filename}"
        _end_without_output(f"{what}: {error.strerror or error}")


def _end_without_output(message: str) -> NoReturn:
    """Report why there is no output, and exit."""
    _drop_output()
    with suppress(OSError):
        click.echo(f"Error: {one_line(message)}", err=True)
    sys.exit(FAILED)


def _drop_output() -> None:
    """Drop what stdout still buffers: it must not fail again at the exit."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.close(null)


@contextmanager
def _keyboard() -> Iterator[None]:
    """Let Ctrl-C end a question at once: what waits for a line does not look at a scope."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
