"""The output of `pulumi preview --json`, joined with the diagnostics of the preview file."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from ocean_migration_pulumi.common.json_values import as_list, as_map, as_maps
from ocean_migration_pulumi.common.text import natural_key
from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity
from ocean_migration_pulumi.migration.spec.planned_nodes import parse_planned
from ocean_migration_pulumi.resource.preview_file import PreviewRecord

TYPE: Final = "pulumi-python:dynamic/ocean-migration:OceanWorkloadMigration"

UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine prints instead of a value that is known only during `pulumi up`."""

HIDDEN: Final = "[secret]"
"""What the engine prints instead of a secret."""

ENGINE_MESSAGE: Final = "engine-message"
"""Code of a message that only the engine has; it has no fields."""

_STACK: Final = "pulumi:pulumi:Stack"
_PROVIDER: Final = "pulumi:providers:"
_DOCUMENT: Final = re.compile(r"^\{", re.MULTILINE)
_KEYS: Final = frozenset({"steps", "diagnostics", "changeSummary"})


class PreviewOperation(StrEnum):
    """What `pulumi up` would do with a resource; of several steps the first one in this order counts."""

    REPLACE = "replace"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    SAME = "same"
    UNKNOWN = "unknown"
    """The preview failed before it got to the resource."""


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
_UNCOUNTED: Final = frozenset({"same", "delete-replaced", "create-replacement"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewedMigration:
    """One OceanWorkloadMigration of a preview."""

    name: str
    """Pulumi name of the resource."""
    stack: str = ""
    """Name of the stack; empty if the URN holds none."""
    operation: PreviewOperation = PreviewOperation.UNKNOWN
    """What `pulumi up` would do."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """New inputs; empty for a delete, or if the preview has none."""
    old_inputs: Mapping[str, Any] = field(default_factory=dict)
    """Inputs in the state; empty for a create."""
    old_outputs: Mapping[str, Any] = field(default_factory=dict)
    """Outputs in the state; empty for a create."""
    replace_reasons: tuple[str, ...] = ()
    """Inputs that force the replacement."""
    is_retained: bool = False
    """Whether a delete leaves a running migration alone (``retain_on_delete``)."""
    is_recorded: bool = False
    """Whether the preview file has a record of this plan."""
    recorded_digest: str = ""
    """Plan digest of the record; empty without one."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """Diagnostics of the record, and messages of the engine that it does not hold: all of them without a record."""
    errors: tuple[str, ...] = ()
    """Errors as the engine prints them."""

    @property
    def is_run(self) -> bool:
        """Whether `pulumi up` would call create or update."""
        return self.operation in {PreviewOperation.CREATE, PreviewOperation.REPLACE, PreviewOperation.UPDATE}

    @property
    def planned(self) -> Mapping[str, str] | None:
        """Entries of the planned nodes by instance id; None if they are unknown, missing or secret."""
        return _planned_nodes(self.inputs)

    @property
    def old_planned(self) -> Mapping[str, str]:
        """Entries of the planned nodes in the state: of the outputs, else of the inputs."""
        return _planned_nodes(self.old_outputs) or _planned_nodes(self.old_inputs) or {}

    def select(self, *codes: Code) -> list[Diagnostic]:
        """Return the diagnostics with one of these codes."""
        return [diagnostic for diagnostic in self.diagnostics if diagnostic.code in codes]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedPreview:
    """A whole preview."""

    migrations: tuple[PreviewedMigration, ...] = ()
    """Every OceanWorkloadMigration that the preview mentions, by name."""
    errors: tuple[tuple[str, str], ...] = ()
    """Name and message of the errors of other resources; the name is empty for the program."""
    others: Mapping[str, int] = field(default_factory=dict)
    """Number of other resources that change, by operation."""

    @property
    def has_failed(self) -> bool:
        """Whether the preview has errors."""
        return bool(self.errors) or any(migration.errors for migration in self.migrations)


def parse_preview(text: str, records: Mapping[str, PreviewRecord] | None = None, *, status: int = 0) -> ParsedPreview:
    """Parse the output of `pulumi preview --json`; other output before and after the document is ignored.

    Args:
        text: Output of the command.
        records: Records of the preview files by URN. A record of other planned nodes than those in ``text`` was made by
            another preview and is ignored.
        status: Exit status of the command. Another status than 0 is an error even if the document has none.

    Raises:
        InputError: If there is no such document in ``text``.
    """
    document = _find_document(text)
    steps: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    others: Counter[str] = Counter()
    for step in as_maps(document.get("steps")):
        urn, operation = str(step.get("urn", "")), str(step.get("op", ""))
        if operation not in _OPERATIONS:
            continue
        if _type(urn) == TYPE:
            steps[urn].append(step)
        elif operation not in _UNCOUNTED and _type(urn) != _STACK and not _type(urn).startswith(_PROVIDER):
            others[_OPERATIONS[operation]] += 1
    messages: dict[str, list[Diagnostic]] = defaultdict(list)
    errors: dict[str, list[str]] = defaultdict(list)
    for each in as_maps(document.get("diagnostics")):
        urn, severity = str(each.get("urn", "")), str(each.get("severity", ""))
        message = _encodable(each.get("message", "")).strip().removeprefix(f"{severity}: ")
        if severity == "error":
            errors[urn].append(message)
        elif _type(urn) == TYPE:
            level = Severity.WARNING if severity == "warning" else Severity.INFO
            messages[urn].append(Diagnostic(code=ENGINE_MESSAGE, severity=level, text=message))
    if status and not errors:
        errors[""] = [f"`pulumi preview` exited with status {status} but reported no error; see the log of the job"]
    urns = dict.fromkeys([*steps, *messages, *(urn for urn in errors if _type(urn) == TYPE)])
    migrations = [
        _migration(
            urn,
            steps.get(urn, []),
            record=(records or {}).get(urn),
            messages=messages.get(urn, []),
            errors=errors.get(urn, []),
            # Steps without a change are not printed.
            default=PreviewOperation.UNKNOWN if errors else PreviewOperation.SAME,
        )
        for urn in urns
    ]
    return ParsedPreview(
        migrations=tuple(
            _name_later_waves(migration, migrations)
            for migration in sorted(migrations, key=lambda migration: natural_key(migration.name))
        ),
        errors=tuple((_name(urn), message) for urn in errors if _type(urn) != TYPE for message in errors[urn]),
        others=others,
    )


def _name_later_waves(migration: PreviewedMigration, others: Iterable[PreviewedMigration]) -> PreviewedMigration:
    """Return a migration whose warning about nodes that stay schedulable names the later waves that plan them.

    A wave excludes the nodes of those before it; only the whole preview shows that.
    """
    planned = migration.planned or {}
    waves = [
        {"name": other.name, "nodes": waiting}
        for other in sorted(others, key=lambda other: natural_key(other.name))
        if other is not migration
        and planned.keys() & set(map(str, as_list(other.inputs.get("planned_elsewhere"))))
        and (waiting := sum(node.migration_id is None for node in parse_planned(other.planned or {}).values()))
    ]
    if not waves:
        return migration
    diagnostics = tuple(
        replace(each, severity=Severity.WARNING, fields={**each.fields, "waves": waves})
        if each.code == Code.NODES_OUTSIDE_PLAN
        else each
        for each in migration.diagnostics
    )
    return replace(migration, diagnostics=diagnostics)


def is_hidden(value: Any) -> bool:
    """Return whether the engine does not show a value or a part of it: it is a secret, or not known yet."""
    if isinstance(value, dict):
        return any(map(is_hidden, value.values()))
    return any(map(is_hidden, value)) if isinstance(value, list) else value in (HIDDEN, UNKNOWN)


def _find_document(text: str) -> Mapping[str, Any]:
    is_stream = False
    for found in _DOCUMENT.finditer(text):
        try:
            document, _ = json.JSONDecoder().raw_decode(text, found.start())
        except (ValueError, RecursionError):
            continue
        if _KEYS & document.keys():
            return dict(document)
        is_stream = is_stream or "sequence" in document
    problem = "not the output of `pulumi preview --json`"
    if is_stream:
        problem = "a stream of events; unset PULUMI_ENABLE_STREAMING_JSON_PREVIEW"
    raise InputError("preview", problem)


def _migration(
    urn: str,
    steps: list[Mapping[str, Any]],
    *,
    record: PreviewRecord | None,
    messages: list[Diagnostic],
    errors: list[str],
    default: PreviewOperation,
) -> PreviewedMigration:
    operations = {_OPERATIONS[str(step["op"])] for step in steps}
    new = next((as_map(step["newState"]) for step in steps if as_map(step.get("newState"))), {})
    old = next((as_map(step["oldState"]) for step in steps if as_map(step.get("oldState"))), {})
    inputs = as_map(new.get("inputs"))
    is_comparable = bool(steps) and inputs.get("planned_nodes") != HIDDEN
    if record is not None and is_comparable and record.planned_nodes != _planned_nodes(inputs):
        record = None
    recorded = record.diagnostics if record else ()
    texts = {diagnostic.text for diagnostic in recorded}
    unrecorded = {(message.severity, message.text): message for message in messages if message.text not in texts}
    reasons = [str(reason) for step in steps for reason in as_list(step.get("replaceReasons"))]
    return PreviewedMigration(
        name=_name(urn),
        stack=urn.removeprefix("urn:pulumi:").partition("::")[0],
        operation=next((operation for operation in PreviewOperation if operation in operations), default),
        inputs=inputs,
        old_inputs=as_map(old.get("inputs")),
        old_outputs=as_map(old.get("outputs")),
        replace_reasons=tuple(dict.fromkeys(reasons)),
        is_retained=old.get("retainOnDelete") is True,
        is_recorded=record is not None,
        recorded_digest=record.plan_digest if record else "",
        diagnostics=(*recorded, *unrecorded.values()),
        errors=tuple(dict.fromkeys(errors)),
    )


def _encodable(value: Any) -> str:
    """Return a text that can be encoded: JSON can hold halves of characters."""
    return str(value).encode("utf-8", "replace").decode()


def _type(urn: str) -> str:
    """Return the type in a URN without the types of its parents."""
    parts = urn.split("::", 3)
    return parts[2].rpartition("$")[2] if len(parts) == 4 else ""


def _name(urn: str) -> str:
    return urn.split("::", 3)[-1]


def _planned_nodes(properties: Mapping[str, Any]) -> Mapping[str, str] | None:
    planned = properties.get("planned_nodes")
    if not isinstance(planned, dict):
        return None
    return {_encodable(instance_id): _encodable(entry) for instance_id, entry in planned.items()}
