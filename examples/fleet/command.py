"""The `pulumi` command for the Automation API, with processes that can be interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO, Any

from pulumi import automation
from pulumi.automation.errors import CommandError, create_command_error


class Command(automation.PulumiCommand):
    """The `pulumi` command; each process of it is in a group of its own.

    So Ctrl-C reaches it once, through ``interrupt``, wherever it came from: after the first one `pulumi` ends in order
    and saves the state, a second one would make it give up at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._interrupted = False

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Callable[[str], Any] | None = None,
        on_error: Callable[[str], Any] | None = None,
    ) -> automation.CommandResult:
        """Run a command, as the base class does; raises CommandError, and after ``interrupt`` always."""
        with self._lock:
            if self._interrupted:
                raise CommandError(automation.CommandResult("", "interrupted", 1))
            process = subprocess.Popen(  # noqa: S603 - pulumi, with arguments of the Automation API
                [self.command, "--non-interactive", *args],
                cwd=cwd,
                env={**os.environ, **additional_env, "PULUMI_AUTOMATION_API": "true"},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                process_group=0,
            )
            self._running.add(process)
        try:
            with process:
                errors = _Reader(process.stderr, on_error)
                output = _Reader(process.stdout, on_output)
                errors.join()
                output.join()
        finally:
            with self._lock:
                self._running.discard(process)
        result = automation.CommandResult("\n".join(output.lines), "\n".join(errors.lines), process.returncode)
        if process.returncode:
            raise create_command_error(result)
        return result

    def interrupt(self) -> None:
        """Send every process that runs the signal of Ctrl-C, and start no other."""
        with self._lock:
            self._interrupted = True
            for process in self._running:
                with suppress(ProcessLookupError):
                    process.send_signal(signal.SIGINT)


class _Reader(threading.Thread):
    """Reads the lines of a stream, and passes each on."""

    def __init__(self, stream: IO[str] | None, passed_on: Callable[[str], Any] | None) -> None:
        super().__init__(daemon=True)
        self.lines: list[str] = []
        self._stream = stream
        self._passed_on = passed_on
        self.start()

    def run(self) -> None:
        for line in self._stream or ():
            self.lines.append(line.rstrip())
            if self._passed_on is not None:
                self._passed_on(line.rstrip())
