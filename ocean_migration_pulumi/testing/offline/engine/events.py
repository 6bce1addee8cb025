"""The events of an update: steps and diagnostics, which make up its result."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ocean_migration_pulumi.testing.offline.state.state import StateResource
from ocean_migration_pulumi.testing.offline.state.values import Properties, find_changed_keys, redact

LOGICAL = frozenset({"same", "create", "update", "replace", "delete", "read", "refresh"})
"""The operations that the summary counts; the other ones are parts of a replacement."""


@dataclass(slots=True, frozen=True)
class EngineDiagnostic:
    """A message of the program, a provider or the engine."""

    severity: str
    """`info`, `warning` or `error`."""
    message: str
    """The text."""
    urn: str = ""
    """The resource, empty for the whole update."""
    ephemeral: bool = False
    """Whether it is a status line, which is shown only while the step of the resource runs."""


@dataclass(slots=True, eq=False)
class Step:
    """An operation on a resource; secrets are redacted."""

    op: str
    """`create`, `update`, `same`, `replace`, `delete`, `create-replacement`, `delete-replaced`, `read` or `refresh`."""
    urn: str
    """The URN of the resource."""
    name: str
    """The name of the resource."""
    type: str
    """The type of the resource."""
    inputs_before: Properties = field(default_factory=dict)
    """The inputs before the operation."""
    inputs: Properties = field(default_factory=dict)
    """The inputs after the operation."""
    outputs: Properties = field(default_factory=dict)
    """The outputs after the operation."""
    diff_keys: list[str] = field(default_factory=list)
    """The properties that change."""
    result: str = ""
    """What a refresh found: `same`, `update` or `delete`; empty for other operations."""
    error: str | None = None
    """Why the operation failed, `None` when it did not."""
    started: float = field(default_factory=time.monotonic)
    """When it started, in monotonic seconds."""

    @classmethod
    def from_operation(
        cls, op: str, resource: StateResource, *, before: StateResource | None, after: StateResource | None
    ) -> Step:
        """Build the step of an operation.

        Args:
            op: The operation.
            resource: The resource.
            before: The resource before the operation, `None` when it did not exist.
            after: The resource after the operation, `None` when it no longer exists.
        """
        old_inputs = before.inputs if before else {}
        new_inputs = after.inputs if after else {}
        keys = find_changed_keys(old_inputs, new_inputs) if before and after else []
        return cls(
            op, resource.urn, resource.name, resource.type, redact(old_inputs), redact(new_inputs), diff_keys=keys
        )

    def describe(self, new: StateResource) -> None:
        """Set inputs and outputs to those that the resource has now."""
        self.inputs, self.outputs = redact(new.inputs), redact(new.outputs)


@dataclass(slots=True)
class Result:
    """The result of an update."""

    command: str
    """The command, such as `up`."""
    steps: list[Step] = field(default_factory=list)
    """The steps in the order of their starts."""
    diagnostics: list[EngineDiagnostic] = field(default_factory=list)
    """The messages in order."""
    error: str | None = None
    """Why the update failed, in one line; `None` when it succeeded."""
    outputs: Properties = field(default_factory=dict)
    """The outputs of the stack, with redacted secrets."""
    seconds: float = 0.0
    """The duration."""

    @property
    def succeeded(self) -> bool:
        """Whether the update succeeded."""
        return self.error is None

    @property
    def summary(self) -> dict[str, int]:
        """The number of resources by operation, without failed steps."""
        counts: dict[str, int] = {}
        for step in self.steps:
            if step.op in LOGICAL and step.error is None:
                counts[step.result or step.op] = counts.get(step.result or step.op, 0) + 1
        return counts

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON."""
        return {
            "command": self.command,
            "succeeded": self.succeeded,
            "error": self.error,
            "summary": self.summary,
            "outputs": self.outputs,
            "steps": [_step_to_json(step) for step in self.steps],
            "diagnostics": [_diagnostic_to_json(diagnostic) for diagnostic in self.diagnostics],
        }


class Observer(Protocol):
    """Receives the events of an update while it runs; only one thread calls it at a time."""

    def started(self, step: Step) -> None:
        """Receive the start of a step."""

    def ended(self, step: Step) -> None:
        """Receive the end of a step, which failed when it has an `error`."""

    def said(self, diagnostic: EngineDiagnostic) -> None:
        """Receive a message."""

    def finished(self, result: Result) -> None:
        """Receive the end of the update."""


class EventRecorder:
    """Collects the result of an update, and forwards each event to the observers."""

    def __init__(self, command: str, observers: Iterable[Observer] = ()) -> None:
        self.result = Result(command)
        self._observers = list(observers)
        self._lock = threading.RLock()
        self._started_at = time.monotonic()

    @property
    def first_error(self) -> str:
        """The first line of the first error so far; empty when there is none."""
        with self._lock:
            errors = (diagnostic.message for diagnostic in self.result.diagnostics if diagnostic.severity == "error")
            return next(errors, "").strip().partition("\n")[0]

    def record_start(self, step: Step) -> None:
        """Record the start of a step."""
        with self._lock:
            self.result.steps.append(step)
            for observer in self._observers:
                observer.started(step)

    def record_end(self, step: Step) -> None:
        """Record the end of a step."""
        with self._lock:
            for observer in self._observers:
                observer.ended(step)

    def record_message(self, severity: str, message: str, urn: str = "", *, ephemeral: bool = False) -> None:
        """Record a message."""
        diagnostic = EngineDiagnostic(severity, message, urn, ephemeral)
        with self._lock:
            self.result.diagnostics.append(diagnostic)
            for observer in self._observers:
                observer.said(diagnostic)

    def finish(self, *, error: str | None, outputs: Mapping[str, Any]) -> Result:
        """Record the end of the update and return the result."""
        with self._lock:
            self.result.error = error
            self.result.outputs = redact(dict(outputs))
            self.result.seconds = time.monotonic() - self._started_at
            for observer in self._observers:
                observer.finished(self.result)
            return self.result


class EventLog:
    """An observer that writes each event as a line of JSON, in the format of the engine's `--event-log`.

    Args:
        path: The file, which is replaced; the events of later operations follow those of the first one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("w", encoding="utf-8")
        self._sequence = 0

    def started(self, step: Step) -> None:
        """Write a `resourcePreEvent`."""
        self._write("resourcePreEvent", {"metadata": _step_metadata(step)})

    def ended(self, step: Step) -> None:
        """Write a `resOutputsEvent`, or a `resOpFailedEvent`."""
        self._write("resOpFailedEvent" if step.error else "resOutputsEvent", {"metadata": _step_metadata(step)})

    def said(self, diagnostic: EngineDiagnostic) -> None:
        """Write a `diagnosticEvent`."""
        self._write("diagnosticEvent", _diagnostic_to_json(diagnostic))

    def finished(self, result: Result) -> None:
        """Write the `summaryEvent` and close the file."""
        self._write("summaryEvent", {"durationSeconds": round(result.seconds), "resourceChanges": result.summary})
        self._file.close()

    def _write(self, kind: str, body: dict[str, Any]) -> None:
        if self._file.closed:
            self._file = self._path.open("a", encoding="utf-8")
        # Each line is flushed, for readers during the update and after a kill.
        self._file.write(json.dumps({"sequence": self._sequence, "timestamp": int(time.time()), kind: body}) + "\n")
        self._file.flush()
        self._sequence += 1


def _step_metadata(step: Step) -> dict[str, Any]:
    return {
        "op": step.result or step.op,
        "urn": step.urn,
        "type": step.type,
        "old": {"inputs": step.inputs_before},
        "new": {"inputs": step.inputs, "outputs": step.outputs},
        "diffs": step.diff_keys,
        "logical": step.op in LOGICAL,
    }


def _step_to_json(step: Step) -> dict[str, Any]:
    return {
        "op": step.op,
        "urn": step.urn,
        "name": step.name,
        "type": step.type,
        "inputsBefore": step.inputs_before,
        "inputs": step.inputs,
        "outputs": step.outputs,
        "diffKeys": step.diff_keys,
        "result": step.result,
        "error": step.error,
    }


def _diagnostic_to_json(diagnostic: EngineDiagnostic) -> dict[str, Any]:
    return {
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "urn": diagnostic.urn,
        "ephemeral": diagnostic.ephemeral,
    }
