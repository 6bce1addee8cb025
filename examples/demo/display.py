"""Makes the output of a command short enough to read many of them."""

from __future__ import annotations

import re
import time
from typing import Final

_TYPE: Final = re.compile(r"pulumi-python:dynamic[\w/:-]*:(?=OceanWorkloadMigration)")
_DIFF: Final = re.compile(r"\[diff: [^\]]*\];? ?")
_ROW: Final = re.compile(r".{3} OceanWorkloadMigration \S+(?: +(?P<verb>[a-z]+ \([\d.]+s\)))?(?: +(?P<message>\S.*))?")
_STATE: Final = re.compile(r"(?:owm-\S+: )?\d+/\d+ nodes\b.*, (?P<state>[A-Z_]+) \S+")
_HEADER: Final = re.compile(r"(Diagnostics|Outputs|  \S.*):")
_PROGRAM: Final = "pulumi:pulumi:Stack"


class Thinned:
    """Takes the lines of a command one by one and returns those to show.

    Rows are shown without the package of their type and without what is said of them twice; of the live rows of one
    state one a second stays. What was a row is not repeated under "Diagnostics", and what Pulumi's Python host says of
    its own interruption is left out. The stack's outputs are shown when ``outputs`` is set.
    """

    def __init__(self, *, outputs: bool) -> None:
        self._outputs = outputs
        self._section = ""
        self._part = ""
        self._headers: list[str] = []
        self._seen: set[str] = set()
        self._state = ""
        self._shown_at = float("-inf")

    def feed(self, line: str) -> list[str]:
        """Return the lines to show for a line of output."""
        line = _DIFF.sub("", _TYPE.sub("", line.rstrip()))
        text = line.strip()
        if line and not line.startswith((" ", "@")):
            self._section, self._headers = text, []
        elif text == "--outputs:--":
            self._section = "Outputs:"
        if self._is_noise(line, text):
            return []
        row = _ROW.fullmatch(line)
        if row is not None and not self._section.startswith(("Diagnostics", "Outputs")):
            return [line] if self._is_news(row["verb"] or "", row["message"] or "") else []
        if _HEADER.fullmatch(line):
            depth = _indentation(line)
            self._part = text
            self._headers = [header for header in self._headers if _indentation(header) < depth] + [line]
            return []
        if text in self._seen:
            return []
        headers, self._headers = self._headers, []
        return [*headers, line]

    def _is_noise(self, line: str, text: str) -> bool:
        if not text or text.startswith(("@ ", "[urn=", "[id=")):
            return True
        if self._section == "Outputs:":
            return not self._outputs
        if self._section == "Diagnostics:":
            return self._part.startswith(_PROGRAM) and line.startswith("    ") and not text.startswith("error:")
        return f"{_PROGRAM} " in line

    def _is_news(self, verb: str, message: str) -> bool:
        if message in self._seen:
            return bool(verb) and not verb.partition(" ")[0].endswith("ing")
        self._seen.add(message)
        state = _STATE.match(message)
        if state is None:
            return True
        if state["state"] == self._state and time.monotonic() - self._shown_at < 1.0:
            return False
        self._state, self._shown_at = state["state"], time.monotonic()
        return True


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())
