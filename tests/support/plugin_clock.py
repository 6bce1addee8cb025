"""A plugin whose clock a test sets forward: a deadline passes when the test says so, however slow the machine is."""

from __future__ import annotations

import os
from pathlib import Path

_SOURCE = """
import pathlib, time
_read, _ahead = time.monotonic, pathlib.Path({path!r})
time.monotonic = lambda: _read() + float(_ahead.read_text())
"""


class PluginClock:
    """How far the clock of a plugin is ahead, in a file that the plugin reads; ``source`` is to run in it first."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._ahead = 0.0
        self.source = _SOURCE.format(path=str(file))
        self.advance(0.0)

    def advance(self, seconds: float) -> None:
        """Set the clock forward by so many seconds; sleeps that have started end as they would have."""
        self._ahead += seconds
        new = self._file.with_suffix(".new")
        new.write_text(str(self._ahead))
        os.replace(new, self._file)
