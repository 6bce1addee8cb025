"""Processes of OfflineStack that need not import anything: forked from one that has, for tests that start many."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any

import pytest

from tests.support.zygote import LENGTH

_ROOT = Path(__file__).parents[2]
_LIKE = [sys.executable, "-u", "-m"]
_ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
"""That of the process that forks: of the time before any test, and so that only the forked are measured."""

_MODULES = ("ocean_migration_pulumi.testing.offline.plugin.program", "pulumi.dynamic")


@contextmanager
def forked_processes() -> Iterator[None]:
    """Let the stacks of this process fork their programs and plugins, as long as this lasts.

    They differ from others in their parent, and in what `/proc` says of how they were started. Those that would look
    for modules elsewhere first, or run another way than this process, are started as ever.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ocean_migration_pulumi.testing.offline.plugin.process.subprocess", _Subprocess())
        yield


class _Subprocess:
    """What OfflineStack uses of the module `subprocess`."""

    DEVNULL = subprocess.DEVNULL
    PIPE = subprocess.PIPE
    STDOUT = subprocess.STDOUT
    TimeoutExpired = subprocess.TimeoutExpired

    def Popen(self, command: Sequence[str], **options: Any) -> Any:
        if list(command[:3]) == _LIKE and command[3] in _MODULES and _usual(options["env"]):
            return Forked(command, **options)
        return subprocess.Popen(command, **options)


class Forked:
    """A process that was forked, as far as `subprocess.Popen` is used for one; it reads nothing."""

    def __init__(
        self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], stderr: int, **options: Any
    ) -> None:
        assert (options.pop("stdin"), options.pop("stdout")) == (subprocess.DEVNULL, subprocess.PIPE)
        assert options.pop("process_group") == 0
        request = {"module": command[3], "arguments": command[4:], "directory": str(cwd), "environment": dict(env)}
        ended, told = os.pipe()
        output, out = os.pipe()
        nothing = os.open(os.devnull, os.O_RDONLY)
        problems, err = (None, out) if stderr == subprocess.STDOUT else os.pipe()
        try:
            self.pid = _zygote().fork(request, [nothing, out, err, told])
        finally:
            for descriptor in {nothing, out, err, told}:
                os.close(descriptor)
        self.returncode: int | None = None
        self.stdout: IO[str] = os.fdopen(output, **options)
        self.stderr: IO[str] | None = None if problems is None else os.fdopen(problems, **options)
        self._ended = os.fdopen(ended, "rb", buffering=0)
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """Return the exit code as `subprocess.Popen` has it; `None` while the process runs."""
        return self._look(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; raises `subprocess.TimeoutExpired`."""
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("a forked process", timeout or 0.0)
        return code

    def _look(self, timeout: float | None) -> int | None:
        with self._lock:
            if self.returncode is None and select.select([self._ended], [], [], timeout)[0]:
                # Without a word its parent is gone, and nobody knows how it ended.
                self.returncode = int(self._ended.read(16) or -signal.SIGKILL)
                self._ended.close()
            return self.returncode


class _Zygote:
    """The process that forks, started for the first stack that needs it."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [*_LIKE, "tests.support.zygote", str(theirs.fileno())],
                cwd=_ROOT,
                env={**_ENVIRONMENT, "PYTHONPATH": str(_ROOT)},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                process_group=0,
            )
        self._lock = threading.Lock()

    def fork(self, request: Mapping[str, Any], descriptors: Sequence[int]) -> int:
        """Return the pid of the process that does what is asked for."""
        text = json.dumps(request).encode()
        with self._lock:
            socket.send_fds(self._control, [LENGTH.pack(len(text))], descriptors)
            self._control.sendall(text)
            (pid,) = LENGTH.unpack(self._control.recv(LENGTH.size, socket.MSG_WAITALL))
        return int(pid)

    def close(self) -> None:
        """Let it end."""
        self._control.close()
        self._process.wait()


@cache
def _zygote() -> _Zygote:
    zygote = _Zygote()
    atexit.register(zygote.close)
    return zygote


def _usual(environment: Mapping[str, str]) -> bool:
    """Tell whether an interpreter with this environment would import what the one that forks has imported."""
    first, _, _ = environment.get("PYTHONPATH", "").partition(os.pathsep)
    return first == str(_ROOT) and _switches(environment) == _switches(_ENVIRONMENT)


def _switches(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what switches the interpreter's ways, but for where it looks for modules and whether it caches them."""
    left_out = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
    return {name: value for name, value in environment.items() if name.startswith("PYTHON") and name not in left_out}
