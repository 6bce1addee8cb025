"""A process that has imported what programs and plugins import, and forks itself for each of them."""

from __future__ import annotations

import atexit
import errno
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import ModuleType
from typing import Any, NoReturn

import coverage

PRELOADED = (
    "ocean_migration_pulumi.testing",
    "ocean_migration_pulumi.provider",
    "ocean_migration_pulumi.host.setup",
    "ocean_migration_pulumi.component.component",
    "ocean_migration_pulumi.kubernetes.reader",
    "ocean_migration_pulumi.kubernetes.connection.tls_client",
    "pulumi.dynamic.dynamic",
    "msgspec",
    "yaml",
    "botocore.session",
)
"""What programs and plugins import; nothing of it may start a thread or use gRPC when it is imported."""

LENGTH = struct.Struct("!I")
"""The length of a request, before the request."""

STANDARD_STREAMS = 3
"""How many descriptors of a request become the standard streams; one more takes the exit status."""


def main() -> None:
    """Fork a process for each request on the socket whose descriptor is the only argument, until that is closed."""
    control = socket.socket(fileno=int(sys.argv[1]))
    own = {*os.environ.get("PYTHONPATH", "").split(os.pathsep), os.getcwd(), ""}
    path = [each for each in sys.path if each not in own]
    for module in PRELOADED:
        importlib.import_module(module)
    # What is there already is the children's, too: not looking at it again leaves its pages shared.
    gc.collect()
    gc.freeze()
    with control, _Children() as children:
        while (request := _receive(control, children)) is not None:
            control.sendall(LENGTH.pack(children.fork(control, path, *request)))


class _Children:
    """The processes forked so far that have not ended: where to write the status of each, by pid."""

    def __init__(self) -> None:
        self._statuses: dict[int, int] = {}
        self.woken, self._wake = os.pipe()

    def __enter__(self) -> _Children:
        for end in (self.woken, self._wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)

    def reap(self) -> None:
        """Tell how those ended that have."""
        with suppress(BlockingIOError):
            os.read(self.woken, 4096)
        for pid in list(self._statuses):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                told = self._statuses.pop(pid)
                with suppress(BrokenPipeError):
                    os.write(told, b"%d" % os.waitstatus_to_exitcode(status))
                os.close(told)

    def fork(
        self, control: socket.socket, path: Sequence[str], request: Mapping[str, object], descriptors: Sequence[int]
    ) -> int:
        """Return the pid of a new process that runs what is asked for; never returns in that process."""
        pid = os.fork()
        if not pid:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for number, descriptor in enumerate(descriptors[:STANDARD_STREAMS]):
                os.dup2(descriptor, number)
            control.close()
            for descriptor in (*descriptors, *self._statuses.values(), self.woken, self._wake):
                os.close(descriptor)
            _become(path, **request)  # type: ignore[arg-type]  # what the other side sends
        with suppress(OSError):  # it does so itself, too: whoever comes first
            os.setpgid(pid, pid)
        for descriptor in descriptors[:STANDARD_STREAMS]:
            os.close(descriptor)
        self._statuses[pid] = descriptors[STANDARD_STREAMS]
        return pid


def _receive(control: socket.socket, children: _Children) -> tuple[dict[str, object], list[int]] | None:
    """Return the next request and its descriptors; None when the other side has gone."""
    while True:
        watched: list[Any] = [control, children.woken]
        ready, _, _ = select.select(watched, [], [])
        if children.woken in ready:
            children.reap()
        if control in ready:
            break
    try:
        head, descriptors, _, _ = socket.recv_fds(control, LENGTH.size, STANDARD_STREAMS + 1)
    except OSError as error:
        if error.errno != errno.ECONNRESET:
            raise
        return None
    if not head:
        return None
    (left,) = LENGTH.unpack(head)
    text = bytearray()
    while len(text) < left:
        text += control.recv(left - len(text))
    return json.loads(text), descriptors


def _become(
    path: Sequence[str], *, module: str, arguments: Sequence[str], directory: str, environment: Mapping[str, str]
) -> NoReturn:
    """Do what `python -u -m module arguments` does, in the process that was forked for it."""
    os.setpgid(0, 0)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    given = [each for each in environment.get("PYTHONPATH", "").split(os.pathsep) if each]
    sys.path[:] = [directory, *given, *path]
    sys.argv[:] = ["-m", *arguments]
    # A test may change a program twice within a second, and what is cached of it is only told apart by the second.
    sys.dont_write_bytecode = True
    coverage.process_startup()  # as at the start of any interpreter: measures where the environment says so
    sys.modules["__main__"] = ModuleType("__main__")
    code = 0
    try:
        runpy._run_module_as_main(module)  # type: ignore[attr-defined]  # what -m calls
    except SystemExit as error:
        if error.code is not None and not isinstance(error.code, int):
            raise
        code = error.code or 0
    # An interpreter ends so, too. What it does then is to take all modules down, which were copied for that only.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
