"""What happens in an update: steps and diagnostics, collected into a result and shown to observers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ocean_migration_pulumi.testing.offline.state.state import StateResource
from ocean_migration_pulumi.testing.offline.state.values import Properties, changed_keys, redact

LOGICAL = frozenset({"same", "create", "update", "replace", "delete", "read", "refresh"})
"""The operations that the summary counts; the others are parts of a replacement."""


@dataclass(slots=True, frozen=True)
class EngineDiagnostic:
    """One message: severity `info`, `warning` or `error`, of a resource (no URN: of the whole update).

    An ephemeral one is a status line that is shown while the resource's step runs and then forgotten.
    """

    severity: str
    message: str
    urn: str = ""
    ephemeral: bool = False


@dataclass(slots=True, eq=False)
class Step:
    """One operation on one resource, as far as it got; secrets are redacted.

    `op` is `create`, `update`, `same`, `replace`, `delete`, `create-replacement`, `delete-replaced`, `read` or
    `refresh`; `result` says for a refresh what it found: `same`, `update` or `delete`.
    """

    op: str
    urn: str
    name: str
    type: str
    inputs_before: Properties = field(default_factory=dict)
    inputs: Properties = field(default_factory=dict)
    outputs: Properties = field(default_factory=dict)
    diff_keys: list[str] = field(default_factory=list)
    result: str = ""
    error: str | None = None
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def from_operation(
        cls, op: str, resource: StateResource, *, before: StateResource | None, after: StateResource | None
    ) -> Step:
        """Describe an operation on a resource, which was not there before, or is not afterwards, if that is `None`."""
        old = before.inputs if before else {}
        new = after.inputs if after else {}
        keys = changed_keys(old, new) if before and after else []
        return cls(op, resource.urn, resource.name, resource.type, redact(old), redact(new), diff_keys=keys)

    def describe(self, new: StateResource) -> None:
        """Take over the inputs and outputs that the resource has by now."""
        self.inputs, self.outputs = redact(new.inputs), redact(new.outputs)


@dataclass(slots=True)
class Result:
    """How an update ended. `error` is one line when it failed; `outputs` are the stack's, secrets redacted."""

    command: str
    steps: list[Step] = field(default_factory=list)
    diagnostics: list[EngineDiagnostic] = field(default_factory=list)
    error: str | None = None
    outputs: Properties = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def succeeded(self) -> bool:
        """Whether the update did all that it was to do."""
        return self.error is None

    @property
    def summary(self) -> dict[str, int]:
        """How many resources had which operation, those that failed left out."""
        found: dict[str, int] = {}
        for step in self.steps:
            if step.op in LOGICAL and step.error is None:
                found[step.result or step.op] = found.get(step.result or step.op, 0) + 1
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the result as one JSON document."""
        return {
            "command": self.command,
            "succeeded": self.succeeded,
            "error": self.error,
            "summary": self.summary,
            "outputs": self.outputs,
            "steps": [_step_json(step) for step in self.steps],
            "diagnostics": [_diagnostic_json(each) for each in self.diagnostics],
        }


class Observer(Protocol):
    """Something that is shown what happens, while it happens; called by one thread at a time."""

    def started(self, step: Step) -> None:
        """Note that a step begins."""

    def ended(self, step: Step) -> None:
        """Note that a step ended well, or failed when it has an `error`."""

    def said(self, diagnostic: EngineDiagnostic) -> None:
        """Note a message."""

    def finished(self, result: Result) -> None:
        """Note the end of the update."""


class EventRecorder:
    """Collects the result of an update and passes each event on to the observers."""

    def __init__(self, command: str, observers: Iterable[Observer] = ()) -> None:
        self.result = Result(command)
        self._observers = list(observers)
        self._lock = threading.RLock()
        self._begun = time.monotonic()

    @property
    def first_error(self) -> str:
        """The first line of the first error so far; empty when there is none."""
        with self._lock:
            errors = (each.message for each in self.result.diagnostics if each.severity == "error")
            return next(errors, "").strip().partition("\n")[0]

    def started(self, step: Step) -> None:
        """Record the beginning of a step."""
        with self._lock:
            self.result.steps.append(step)
            for observer in self._observers:
                observer.started(step)

    def ended(self, step: Step) -> None:
        """Record the end of a step."""
        with self._lock:
            for observer in self._observers:
                observer.ended(step)

    def say(self, severity: str, message: str, urn: str = "", *, ephemeral: bool = False) -> None:
        """Record a message."""
        diagnostic = EngineDiagnostic(severity, message, urn, ephemeral)
        with self._lock:
            self.result.diagnostics.append(diagnostic)
            for observer in self._observers:
                observer.said(diagnostic)

    def finish(self, *, error: str | None, outputs: Mapping[str, Any]) -> Result:
        """Record the end and return the result."""
        with self._lock:
            self.result.error = error
            self.result.outputs = redact(dict(outputs))
            self.result.seconds = time.monotonic() - self._begun
            for observer in self._observers:
                observer.finished(self.result)
            return self.result


class EventLog:
    """Writes the events to a file, one JSON object a line, shaped as the engine's own `--event-log`."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")
        self._sequence = 0

    def started(self, step: Step) -> None:
        """Write a `resourcePreEvent`."""
        self._write("resourcePreEvent", {"metadata": _metadata(step)})

    def ended(self, step: Step) -> None:
        """Write a `resOutputsEvent`, or a `resOpFailedEvent`."""
        self._write("resOpFailedEvent" if step.error else "resOutputsEvent", {"metadata": _metadata(step)})

    def said(self, diagnostic: EngineDiagnostic) -> None:
        """Write a `diagnosticEvent`."""
        self._write("diagnosticEvent", _diagnostic_json(diagnostic))

    def finished(self, result: Result) -> None:
        """Write the `summaryEvent` and close the file."""
        self._write("summaryEvent", {"durationSeconds": round(result.seconds), "resourceChanges": result.summary})
        self._file.close()

    def _write(self, kind: str, body: dict[str, Any]) -> None:
        # One write a line, flushed: a reader may look while the update runs, or after a kill.
        self._file.write(json.dumps({"sequence": self._sequence, "timestamp": int(time.time()), kind: body}) + "\n")
        self._file.flush()
        self._sequence += 1


def _metadata(step: Step) -> dict[str, Any]:
    return {
        "op": step.result or step.op,
        "urn": step.urn,
        "type": step.type,
        "old": {"inputs": step.inputs_before},
        "new": {"inputs": step.inputs, "outputs": step.outputs},
        "diffs": step.diff_keys,
        "logical": step.op in LOGICAL,
    }


def _step_json(step: Step) -> dict[str, Any]:
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


def _diagnostic_json(diagnostic: EngineDiagnostic) -> dict[str, Any]:
    return {
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "urn": diagnostic.urn,
        "ephemeral": diagnostic.ephemeral,
    }
