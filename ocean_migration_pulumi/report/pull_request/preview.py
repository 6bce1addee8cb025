"""What `pulumi preview --json` printed, read back: the migrations, what the engine told of each, and the errors."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.spec.diagnostic import Kind, Note, parse

TYPE: Final = "pulumi-python:dynamic/ocean-migration:OceanWorkloadMigration"

UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine prints in the place of a value that it will know later."""

HIDDEN: Final = "[secret]"
"""What the engine prints in the place of a secret."""

_STACK: Final = "pulumi:pulumi:Stack"
_PROVIDER: Final = "pulumi:providers:"
_DOCUMENT: Final = re.compile(r"^\{", re.MULTILINE)
_PARTS: Final = frozenset({"steps", "diagnostics", "changeSummary"})


class PreviewOperation(StrEnum):
    """What would be done; ``UNTOLD`` when the preview failed before it came to that."""

    CREATE = "create"
    REPLACE = "replace"
    UPDATE = "update"
    DELETE = "delete"
    SAME = "same"
    UNTOLD = "untold"


_OPERATIONS: Final[Mapping[str, PreviewOperation]] = {
    "create": PreviewOperation.CREATE,
    "create-replacement": PreviewOperation.REPLACE,
    "delete": PreviewOperation.DELETE,
    "delete-replaced": PreviewOperation.REPLACE,
    "import": PreviewOperation.CREATE,
    "import-replacement": PreviewOperation.REPLACE,
    "replace": PreviewOperation.REPLACE,
    "same": PreviewOperation.SAME,
    "update": PreviewOperation.UPDATE,
}
_STRONGEST: Final = (
    PreviewOperation.REPLACE,
    PreviewOperation.CREATE,
    PreviewOperation.UPDATE,
    PreviewOperation.DELETE,
    PreviewOperation.SAME,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewedMigration:
    """An OceanWorkloadMigration of the stack, as the preview has it.

    ``inputs`` are those that it will have, ``before`` those that it has, ``outputs`` what the last run left; each is
    empty where there is none. ``reasons`` are the inputs for which it is replaced. ``retained`` is whether its delete
    leaves a running migration alone.
    """

    name: str
    stack: str = ""
    operation: PreviewOperation = PreviewOperation.UNTOLD
    inputs: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    retained: bool = False
    notes: tuple[Note, ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def starts(self) -> bool:
        """Whether `up` would call create or update."""
        return self.operation in {PreviewOperation.CREATE, PreviewOperation.REPLACE, PreviewOperation.UPDATE}

    @property
    def planned(self) -> Mapping[str, str] | None:
        """The planned nodes; None when they are not known yet, left out or not shown."""
        return _plan(self.inputs)

    @property
    def recorded(self) -> Mapping[str, str]:
        """The planned nodes of before: of the last run, else of the last inputs."""
        return _plan(self.outputs) or _plan(self.before) or {}

    def of(self, *kinds: Kind) -> list[Note]:
        """Return the notes of some kinds."""
        return [note for note in self.notes if note.kind in kinds]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedPreview:
    """A whole preview; ``errors`` are those of the program and of other resources, ``others`` counts their changes."""

    migrations: tuple[PreviewedMigration, ...] = ()
    errors: tuple[tuple[str, str], ...] = ()
    others: Mapping[str, int] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether an error was told."""
        return bool(self.errors) or any(migration.errors for migration in self.migrations)


def parse_preview(text: str, *, status: int = 0) -> ParsedPreview:
    """Read what `pulumi preview --json` printed, whatever stands before and after it.

    ``status`` is how the command ended: other than 0, it failed even where no error is told. Raises InputError when
    there is no preview in the text.
    """
    document = _document(text)
    steps: dict[str, list[Mapping[str, Any]]] = {}
    others: Counter[str] = Counter()
    for step in _objects(document.get("steps")):
        urn, operation = str(step.get("urn", "")), str(step.get("op", ""))
        if _type(urn) == TYPE:
            if operation in _OPERATIONS:
                steps.setdefault(urn, []).append(step)
        elif operation in _OPERATIONS and _type(urn) != _STACK and not _type(urn).startswith(_PROVIDER):
            others[_OPERATIONS[operation]] += operation not in {"same", "delete-replaced", "create-replacement"}
    notes: dict[str, list[Note]] = {}
    errors: dict[str, list[str]] = {}
    for line in _objects(document.get("diagnostics")):
        urn, severity = str(line.get("urn", "")), str(line.get("severity", ""))
        message = _text(line.get("message", "")).strip().removeprefix(f"{severity}: ")
        if severity == "error":
            errors.setdefault(urn, []).append(message)
        elif _type(urn) == TYPE:
            notes.setdefault(urn, []).extend(parse(severity, message))
    if status and not errors:
        errors[""] = [f"`pulumi preview` ended with exit status {status} and told no error; see the log of the job"]
    ours = dict.fromkeys([*steps, *notes, *(urn for urn in errors if _type(urn) == TYPE)])
    told = [
        _migration(urn, steps.get(urn, []), notes.get(urn, []), errors.get(urn, []), failed=bool(errors))
        for urn in ours
    ]
    return ParsedPreview(
        migrations=tuple(sorted(told, key=lambda migration: migration.name)),
        errors=tuple((_name(urn), message) for urn, told in errors.items() if _type(urn) != TYPE for message in told),
        others={operation: count for operation, count in others.items() if count},
    )


def _document(text: str) -> Mapping[str, Any]:
    streamed = False
    for found in _DOCUMENT.finditer(text):
        try:
            document, _ = json.JSONDecoder().raw_decode(text, found.start())
        except (ValueError, RecursionError):
            continue
        if _PARTS & document.keys():
            return dict(document)
        streamed = streamed or "sequence" in document
    problem = "it holds none of `pulumi preview --json`"
    if streamed:
        problem = "it is a stream of events; unset PULUMI_ENABLE_STREAMING_JSON_PREVIEW"
    raise InputError("preview", problem)


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    for each in _list(value):
        if isinstance(each, dict):
            yield each


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    """Return a text that can be encoded: JSON can hold halves of characters."""
    return str(value).encode("utf-8", "replace").decode()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _type(urn: str) -> str:
    """Return the type in a URN, without those of its parents."""
    parts = urn.split("::", 3)
    return parts[2].rpartition("$")[2] if len(parts) == 4 else ""


def _name(urn: str) -> str:
    return urn.split("::", 3)[-1]


def _plan(inputs: Mapping[str, Any]) -> Mapping[str, str] | None:
    planned = inputs.get("planned_nodes")
    if not isinstance(planned, dict):
        return None
    return {_text(instance_id): _text(entry) for instance_id, entry in planned.items()}


def _migration(
    urn: str, steps: list[Mapping[str, Any]], notes: list[Note], errors: list[str], *, failed: bool
) -> PreviewedMigration:
    operations = {_OPERATIONS[str(step["op"])] for step in steps}
    nothing = PreviewOperation.UNTOLD if failed else PreviewOperation.SAME  # steps without a change are not printed
    new = next((_mapping(step["newState"]) for step in steps if _mapping(step.get("newState"))), {})
    old = next((_mapping(step["oldState"]) for step in steps if _mapping(step.get("oldState"))), {})
    reasons = [reason for step in steps for reason in _list(step.get("replaceReasons"))]
    return PreviewedMigration(
        name=_name(urn),
        stack=urn.removeprefix("urn:pulumi:").partition("::")[0],
        operation=next((operation for operation in _STRONGEST if operation in operations), nothing),
        inputs=_mapping(new.get("inputs")),
        before=_mapping(old.get("inputs")),
        outputs=_mapping(old.get("outputs")),
        reasons=tuple(dict.fromkeys(map(str, reasons))),
        retained=old.get("retainOnDelete") is True,
        notes=tuple(dict.fromkeys(notes)),
        errors=tuple(dict.fromkeys(errors)),
    )
