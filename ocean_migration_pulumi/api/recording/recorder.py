"""Recorder: appends every exchange with Spot's API to a file, the record.

A record is JSON in UTF-8, one object in each line. The first line names the format; a record that several processes
began at the same time may have that line again::

    {"record": "ocean-migration", "version": 1, "program": "ocean-migration/1.0.0", "at": "2026-01-31T10:00:00.000000Z"}

Every other line is one exchange, in the order in which they ended::

    {"at": "2026-01-31T10:00:02.125000Z", "seconds": 0.3, "method": "GET",
     "route": "/ocean/aws/k8s/cluster/{ocean_id}", "path": "/ocean/aws/k8s/cluster/o-1", "query": {...},
     "request": {...}, "status": 200, "headers": {"date": "..."}, "body": {...}}

``at`` is when the request was sent, by the service's clock. ``request`` is there when it had a body. ``body`` is the
answer when that is JSON; any other is ``text``, cut after 64 KiB. Without an answer there are neither ``status`` nor
``body``, but ``error``, which says why. Tokens, account ids and secrets are replaced before anything is written.

A line that is no exchange, as a process leaves it that is killed while it writes, is passed over by readers.
"""

from __future__ import annotations

import json
import os
import stat
import threading
import weakref
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ocean_migration_pulumi.api.recording.redaction import Exchange
from ocean_migration_pulumi.api.transport import program_version
from ocean_migration_pulumi.errors import SettingsError

FORMAT = "ocean-migration"
VERSION = 1

_LONGEST_HEAD = 4096
# O_NONBLOCK: to open a pipe without a reader would block.
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Recorder:
    """An observer that appends to a record; thread-safe, and several processes may share the file."""

    def __init__(self, path: Path, *, name: str = "record") -> None:
        """Open the record, or create one that only its owner may read.

        Args:
            path: The file.
            name: The setting that names the file, for errors.

        Raises:
            SettingsError: The file cannot be opened, or is not a record.
        """
        self._lock = threading.Lock()
        try:
            file = os.open(path, _FLAGS, 0o600)
        except (OSError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else str(exc)
            raise SettingsError(f"{name}: the record {path} cannot be opened: {reason}") from exc
        self._close = weakref.finalize(self, os.close, file)
        self._file = file
        try:
            self._begin(path, name)
        except OSError as exc:
            self._close()
            raise SettingsError(f"{name}: the record {path} cannot be written: {exc.strerror}") from exc

    def __call__(self, exchange: Exchange) -> None:
        """Append an exchange; raise OSError when it cannot be written."""
        self._append(format_exchange(exchange))

    def close(self) -> None:
        """Close the file; later exchanges are not recorded."""
        with self._lock:
            self._close()

    def _begin(self, path: Path, name: str) -> None:
        known = os.fstat(self._file)
        if not stat.S_ISREG(known.st_mode):
            self._close()
            raise SettingsError(f"{name}: the record {path} is not a regular file")
        if known.st_size == 0:
            self._append(json.dumps({"record": FORMAT, "version": VERSION, "program": program_version(), "at": _now()}))
            return
        if not is_head(os.read(self._file, _LONGEST_HEAD).partition(b"\n")[0]):
            self._close()
            raise SettingsError(f"{name}: {path} exists and is not a record: choose another file")
        os.lseek(self._file, -1, os.SEEK_END)
        if os.read(self._file, 1) != b"\n":
            # A process was killed while it wrote: the next line must not become part of that one.
            self._append("")

    def _append(self, line: str) -> None:
        left = memoryview(f"{line}\n".encode())
        with self._lock:
            if not self._close.alive:
                return
            # One write for each line, which nothing of another process gets into; only a full disk takes less.
            while left:
                left = left[os.write(self._file, left) :]


def is_head(line: bytes) -> bool:
    """Tell whether a line is the first one of a record of this version."""
    try:
        head = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(head, dict) and head.get("record") == FORMAT and head.get("version") == VERSION


def format_exchange(exchange: Exchange) -> str:
    """Return the line of an exchange, without its end."""
    known: dict[str, Any] = {
        "at": _stamp(exchange.at),
        "seconds": exchange.seconds,
        "method": exchange.method,
        "route": exchange.route,
        "path": exchange.path,
        "query": dict(exchange.query),
        "request": exchange.request,
        "status": exchange.status,
        "headers": dict(exchange.headers) if exchange.status is not None else None,
        "error": exchange.error,
        "text": None if exchange.is_json else exchange.body,
    }
    line = json.dumps({name: value for name, value in known.items() if value is not None})
    # The body is JSON already, and may be long.
    return f'{line[:-1]}, "body": {exchange.body}}}' if exchange.is_json else line


def _now() -> str:
    return _stamp(datetime.now(UTC))


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
