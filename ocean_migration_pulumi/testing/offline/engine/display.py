"""Prints the events of an update, like `pulumi` without a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ocean_migration_pulumi.testing.offline.engine.events import EngineDiagnostic, Result, Step
from ocean_migration_pulumi.testing.offline.state.state import STACK_TYPE

_PREFIX = {
    "create": " + ",
    "update": " ~ ",
    "delete": " - ",
    "replace": "+-",
    "create-replacement": "++",
    "delete-replaced": "--",
    "read": ">-",
    "refresh": " ~ ",
    "same": "   ",
}
_STATUSES = {
    "create": ("creating", "created"),
    "update": ("updating", "updated"),
    "delete": ("deleting", "deleted"),
    "replace": ("replacing", "replaced"),
    "create-replacement": ("creating replacement", "created replacement"),
    "delete-replaced": ("deleting original", "deleted original"),
    "read": ("reading", "read"),
    "refresh": ("refreshing", "refreshed"),
    "same": ("running", "unchanged"),
}
_DONE_LABELS = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "replace": "replaced",
    "same": "unchanged",
    "read": "read",
    "refresh": "refreshed",
}
_PLANNED_LABELS = {"create": "to create", "update": "to update", "delete": "to delete", "replace": "to replace"}


class Display:
    """An observer that prints rows during the update, and diagnostics, outputs and counts at its end."""

    def __init__(self, write: Callable[[str], None], *, preview: bool) -> None:
        self._write = write
        self._preview = preview
        self._running: dict[str, Step] = {}
        self._diagnostics: list[EngineDiagnostic] = []
        self._last: dict[str, str] = {}
        self._stack = ""

    def started(self, step: Step) -> None:
        """Print the start of a step."""
        self._running[step.urn] = step
        if step.type == STACK_TYPE:
            self._stack = step.urn
        if not self._preview and step.op != "same":
            self._write_row(step, f"{_STATUSES[step.op][0]} (0s)", self._get_message(step.urn))

    def ended(self, step: Step) -> None:
        """Print the end of a step, and its changes in a preview."""
        self._running.pop(step.urn, None)
        message = self._get_message(step.urn)
        if step.error is not None:
            self._write_row(step, f"**{_STATUSES[step.op][0]} failed**", _first_line(f"error: {step.error}"))
        elif step.op == "same":
            if message:
                self._write_row(step, "", message)
        elif self._preview:
            self._write_row(step, step.op, message)
            for line in _format_changes(step):
                self._write(f"      {line}")
        else:
            self._write_row(step, f"{_STATUSES[step.op][1]} ({time.monotonic() - step.started:.2f}s)", message)

    def said(self, diagnostic: EngineDiagnostic) -> None:
        """Print a message in the row of its resource, while that has one, and keep it for the end."""
        urn = diagnostic.urn
        if not diagnostic.ephemeral:
            self._diagnostics.append(diagnostic)
        self._last[urn] = _add_severity(diagnostic, _first_line(diagnostic.message))
        step = self._running.get(urn)
        if step is not None and not self._preview and diagnostic.severity != "error" and step.op != "same":
            seconds = int(time.monotonic() - step.started)
            self._write_row(step, f"{_STATUSES[step.op][0]} ({seconds}s)", self._last[urn])

    def finished(self, result: Result) -> None:
        """Print diagnostics, outputs, counts and the duration."""
        if self._diagnostics:
            self._write("Diagnostics:")
            # A message without a resource belongs to the stack.
            for urn in dict.fromkeys(diagnostic.urn or self._stack for diagnostic in self._diagnostics):
                self._write(f"  {_format_title(urn)}:")
                for diagnostic in self._diagnostics:
                    if (diagnostic.urn or self._stack) == urn:
                        for line in _add_severity(diagnostic, diagnostic.message.rstrip()).splitlines():
                            self._write(f"    {line}".rstrip())
                self._write("")
        if result.outputs:
            self._write("Outputs:")
            for key in sorted(result.outputs):
                self._write(f"    {key}: {_format_value(result.outputs[key])}")
            self._write("")
        labels = _PLANNED_LABELS if self._preview else _DONE_LABELS
        counts = [(op, count) for op, count in result.summary.items() if op != "same"]
        self._write("Resources:")
        for op, count in counts:
            self._write(f"    {_PREFIX[op].strip()} {count} {labels.get(op, _DONE_LABELS[op])}")
        unchanged = result.summary.get("same", 0)
        if unchanged or not counts:
            self._write(f"    {unchanged} unchanged")
        self._write("")
        self._write(f"Duration: {result.seconds:.0f}s")
        if result.error is not None:
            self._write(f"error: {result.error}")

    def _get_message(self, urn: str) -> str:
        """Return the last message of a resource, status lines included, like `pulumi` without a terminal."""
        return "" if f"::{STACK_TYPE}::" in urn else self._last.get(urn, "")

    def _write_row(self, step: Step, status: str, message: str = "") -> None:
        self._write(
            " ".join(filter(None, [f"{_PREFIX[step.op]:<3}", _shorten_type(step.type), step.name, status, message]))
        )


def _format_changes(step: Step) -> list[str]:
    """Return a line for each input that changes; a changed object has a line for each key."""
    lines: list[str] = []
    before = {} if step.op in ("create", "create-replacement") else step.inputs_before
    for key in sorted(before.keys() | step.inputs.keys()):
        if not key.startswith("__"):
            lines += _format_change(key, before.get(key), step.inputs.get(key))
    return lines


def _format_change(key: str, old: Any, new: Any, indent: str = "") -> list[str]:
    if old == new:
        return []
    if isinstance(new, Mapping) and isinstance(old or {}, Mapping):
        olds = old or {}
        inner = [
            line for name in sorted(olds.keys() | new.keys())
            for line in _format_change(name, olds.get(name), new.get(name), indent + "    ")
        ]  # fmt: skip
        return [f"{indent}{'+' if old is None else '~'} {key}:", *inner]
    if old is None:
        return [f"{indent}+ {key}: {_format_value(new)}"]
    if new is None:
        return [f"{indent}- {key}: {_format_value(old)}"]
    return [f"{indent}~ {key}: {_format_value(old)} => {_format_value(new)}"]


def _format_value(value: Any) -> str:
    if value in ("[secret]", "[unknown]"):
        return str(value)
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_format_value(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_format_value, value)) + "]"
    return (
        {True: "true", False: "false", None: "null"}[value]
        if value is None or value is True or value is False
        else str(value)
    )


def _add_severity(diagnostic: EngineDiagnostic, text: str) -> str:
    return text if diagnostic.severity == "info" else f"{diagnostic.severity}: {text}"


def _format_title(urn: str) -> str:
    if not urn:
        return "update"
    type_ = urn.split("::")[2].rpartition("$")[2]
    return f"{_shorten_type(type_)} ({urn.rpartition('::')[2]})"


def _shorten_type(type_: str) -> str:
    """Shorten `package:module/sub:Type` to `package:module:Type`, as the engine's rows do."""
    parts = type_.split(":")
    return ":".join([parts[0], parts[1].partition("/")[0], *parts[2:]]) if len(parts) == 3 else type_


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
