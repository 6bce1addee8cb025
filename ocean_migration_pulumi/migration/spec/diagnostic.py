"""The lines of a preview: how each kind is written, and how the pull request's comment tells them apart again.

The engine carries nothing but a severity and a text for each line. So the kinds stand here once, for whoever writes
them and for whoever reads them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What a line of a preview is about."""

    PLAN = "plan"
    DESTINATION = "destination"
    BATCHES = "batches"
    PODS = "pods"
    MET = "met"
    FAILED = "failed"
    DOUBTED = "doubted"
    UNKNOWN = "unknown"
    BLOCKER = "blocker"
    GROUP = "group"
    WARNING = "warning"
    REMARK = "remark"


_PREREQUISITES: Final = {
    Kind.FAILED: "prerequisite not met",
    Kind.DOUBTED: "prerequisite in doubt",
    Kind.UNKNOWN: "prerequisite unknown",
}
_MET: Final = "prerequisites met: "
_BLOCKER: Final = "in the way: "
_BATCHES: Final = "batches: "
_PODS: Final = "pods: "
_GROUP: Final = "a Virtual Node Group for "
_PLAN: Final = re.compile(r"plan [0-9a-f]{8}: ")
_DESTINATION: Final = re.compile(r"to (?:.+ \(\S+\)|\d+ other Virtual Node Groups?): ")
_PREREQUISITE: Final = re.compile(r"(?P<kind>prerequisite [a-z ]+), (?P<name>[^:]+): (?P<text>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Note:
    """A line, read back: ``name`` is that of a prerequisite, else empty; ``text`` is what is left to say."""

    kind: Kind
    text: str
    name: str = ""


def prerequisite(kind: Kind, name: str, text: str) -> str:
    """Return the line of one prerequisite that is not met, in doubt, or unknown."""
    return f"{_PREREQUISITES[kind]}, {name}: {text}"


def met(seen: dict[str, str]) -> str:
    """Return the line of all prerequisites that are met, by name."""
    return _MET + "; ".join(f"{name}: {text.replace('; ', ', ')}" for name, text in seen.items())


def blocker(text: str) -> str:
    """Return the line of something that stands in the way of single nodes or pods."""
    return _BLOCKER + text


def batches(text: str) -> str:
    """Return the line of the batches."""
    return _BATCHES + text


def pods(text: str) -> str:
    """Return the line that tells what becomes of the pods."""
    return _PODS + text


def group(nodes: str, source: str) -> str:
    """Return the note with the source of a Virtual Node Group; its first line says for which nodes."""
    return f"{_GROUP}{nodes}, ready to paste:\n{source}"


def parse(severity: str, message: str) -> list[Note]:
    """Read a line back; the line of what is met becomes a note for each prerequisite.

    ``severity`` is the engine's: ``info``, ``info#err``, ``warning``, ``error``, in any case.
    """
    text = message.strip()
    if severity.lower().startswith("info"):
        if text.startswith(_MET):
            parts = [part.partition(": ") for part in text.removeprefix(_MET).split("; ")]
            return [Note(Kind.MET, seen, name) for name, _, seen in parts]
        if _PLAN.match(text):
            return [Note(Kind.PLAN, text)]
        if _DESTINATION.match(text):
            return [Note(Kind.DESTINATION, text.removeprefix("to "))]
        for head, kind in ((_BATCHES, Kind.BATCHES), (_PODS, Kind.PODS), (_GROUP, Kind.GROUP)):
            if text.startswith(head):
                return [Note(kind, text.removeprefix(head))]
        return [Note(Kind.REMARK, text)]
    found = _PREREQUISITE.fullmatch(text)
    if found:
        for kind, head in _PREREQUISITES.items():
            if found["kind"] == head:
                return [Note(kind, found["text"], found["name"])]
    if text.startswith(_BLOCKER):
        return [Note(Kind.BLOCKER, text.removeprefix(_BLOCKER))]
    return [Note(Kind.WARNING, text)]
