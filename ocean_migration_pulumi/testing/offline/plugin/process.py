"""Child processes of an offline stack: its program, and the plugin of its dynamic providers."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

_STOP_SECONDS = 5.0


class ChildProcess:
    """A child process in a process group of its own, which Ctrl-C in the terminal does not reach.

    Args:
        command: The command and its arguments.
        directory: The working directory.
        environment: The environment variables.
        log: Receives each line of output that is not blank.
        read_first_line: Receives the first line of standard output, which is empty when the process ends without
            output; None passes that line to ``log``, too.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        directory: Path,
        environment: Mapping[str, str],
        log: Callable[[str], None],
        read_first_line: Callable[[str], None] | None = None,
    ) -> None:
        self._log = log
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, with our own arguments
            command,
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            # Only standard output has the first line: another stream must not come before it.
            stderr=subprocess.STDOUT if read_first_line is None else subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            process_group=0,
        )
        streams = [(self._process.stdout, read_first_line), (self._process.stderr, None)]
        self._readers = [
            threading.Thread(target=self._read, args=(stream, read_first), daemon=True)
            for stream, read_first in streams
            if stream is not None
        ]
        for reader in self._readers:
            reader.start()

    @property
    def running(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    @property
    def exit_code(self) -> int:
        """The exit code, 0 while the process runs."""
        return self._process.returncode or 0

    def wait_for_output(self) -> None:
        """Wait until all output is read, at most five seconds."""
        for reader in self._readers:
            reader.join(_STOP_SECONDS)

    def stop(self, *, at_once: bool) -> None:
        """Interrupt the process group, and kill it after five seconds; `at_once` kills it without interrupting."""
        if not at_once:
            self._signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
        self._signal(signal.SIGKILL)
        self._process.wait()
        self.wait_for_output()

    def _signal(self, number: signal.Signals) -> None:
        if self.running:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _read(self, stream: IO[str], read_first: Callable[[str], None] | None) -> None:
        with stream:
            if read_first is not None:
                read_first(stream.readline().strip())
            for line in stream:
                if line.strip():
                    self._log(line.rstrip("\n"))
