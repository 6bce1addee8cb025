"""The start journal: a file for each resource with the last start that this machine has sent for it.

The engine saves a resource only when its operation ends. When the engine or the plugin is killed before, nothing but
this file tells the next operation that a migration may have started.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from ocean_migration_pulumi.migration.state.migration_record import UnansweredStart

_MAXIMUM_AGE: Final = 24 * 3600.0
"""Seconds for which an entry counts: a migration that nobody has looked for in this time has long been listed."""


class StartJournal:
    """The journal of one resource. A file that cannot be read or written is as none: it is needed only after a kill.

    Args:
        path: The file; None without a home directory.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def note_start(self, start: UnansweredStart | None) -> None:
        """Write a start before it is sent, and again when its id is known; None when it had no effect."""
        if self._path is None:
            return
        with suppress(OSError):
            if start is None:
                self._path.unlink(missing_ok=True)
                return
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in self._path.parent.iterdir():
                if _is_old(path):
                    path.unlink(missing_ok=True)
            written = self._path.with_suffix(f".{os.getpid()}")
            written.write_text(json.dumps(start.to_output()), encoding="utf-8")
            written.replace(self._path)

    def find_start(self) -> UnansweredStart | None:
        """Return the last start that was sent, if it was sent within a day."""
        if self._path is None:
            return None
        try:
            if _is_old(self._path):
                return None
            return UnansweredStart.from_output(json.loads(self._path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return None


def _is_old(path: Path) -> bool:
    return time.time() - path.stat().st_mtime > _MAXIMUM_AGE


def open_journal(owner: str, *place: str | None) -> StartJournal:
    """Return the journal of a resource of the program in the working directory.

    A stack of the same name on another backend is, as a rule, that of a program elsewhere.

    Args:
        owner: The URN of the resource.
        place: What tells its cluster from others: the service's address, the account and the cluster.
    """
    try:
        home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
        parts = [str(Path.cwd()), owner, *(part or "" for part in place)]
    except (OSError, RuntimeError):
        return StartJournal(None)
    name = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
    return StartJournal(home / "ocean-migration" / f"{name}.json")
