"""Validates request bodies, with the error messages of the service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ocean_migration_pulumi.testing.simulator.spot_api.wire import WireError

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "object": (dict,),
    "array": (list,),
    "any": (object,),
}


@dataclass(frozen=True, kw_only=True)
class Field:
    """The schema of a field of a body; None skips a check."""

    type: str = "any"
    """The JSON type."""
    required: bool = False
    """Whether the field must be present."""
    nullable: bool = False
    """Whether the value may be null."""
    minimum: int | None = None
    """The least value, or the least length of an array or string."""
    maximum: int | None = None
    """The greatest value."""
    enum: tuple[str, ...] | None = None
    """The allowed values."""
    fields: Mapping[str, Field] | None = None
    """The fields of an object."""
    items: Field | None = None
    """The schema of the items of an array."""
    closed: bool = True
    """Whether fields that are not in ``fields`` are refused."""
    forbidden: frozenset[str] = frozenset()
    """Strings that are refused."""


_BUILT_IN_LABELS = frozenset(
    {
        "kubernetes.io/hostname",
        "failure-domain.beta.kubernetes.io/zone",
        "topology.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
        "topology.kubernetes.io/region",
        "beta.kubernetes.io/instance-type",
        "node.kubernetes.io/instance-type",
        "beta.kubernetes.io/os",
        "kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "kubernetes.io/arch",
        "spotinst.io/node-lifecycle",
    }
)
_KEYED = {"key": Field(type="string", required=True), "value": Field()}
LABELS = Field(
    type="array",
    nullable=True,
    items=Field(
        type="object", fields={**_KEYED, "key": Field(type="string", required=True, forbidden=_BUILT_IN_LABELS)}
    ),
)
"""The labels of a VNG: those that Kubernetes and Spot set are refused."""

TAINTS = Field(
    type="array",
    nullable=True,
    items=Field(
        type="object",
        fields={**_KEYED, "effect": Field(type="string", enum=("NoSchedule", "PreferNoSchedule", "NoExecute"))},
    ),
)
"""The taints of a VNG."""


def parse_body(raw: bytes) -> dict[str, Any]:
    """Parse a body; raises ``WireError`` when it is not a JSON object."""
    try:
        body = json.loads(raw or b"{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise WireError("body must be a JSON object", code="ValidationError", field="body")
    return body


def check_body(body: dict[str, Any], fields: Mapping[str, Field]) -> None:
    """Raise ``WireError`` for the first field that is missing, unknown or invalid."""
    _check_object(body, fields, "", closed=True)


def _check_object(value: dict[str, Any], fields: Mapping[str, Field], path: str, *, closed: bool) -> None:
    for name, field in fields.items():
        where = f"{path}.{name}" if path else name
        if name not in value:
            if field.required:
                _refuse(where, "is required")
        else:
            _check_value(value[name], field, where)
    for name in value:
        if closed and name not in fields:
            _refuse(f"{path}.{name}" if path else name, "is not allowed")


def _check_value(value: Any, field: Field, where: str) -> None:
    if value is None:
        if not field.nullable:
            _refuse(where, f"must be {_add_article(field.type)}")
        return
    is_bool = isinstance(value, bool) and field.type == "integer"
    if is_bool or not isinstance(value, _TYPES[field.type]):
        _refuse(where, f"must be {_add_article(field.type)}")
    if field.minimum is not None:
        size = len(value) if field.type in ("array", "string") else value
        if size < field.minimum:
            bound = "must contain at least" if field.type in ("array", "string") else "must be larger than or equal to"
            _refuse(where, f"{bound} {field.minimum}")
    if field.maximum is not None and value > field.maximum:
        _refuse(where, f"must be less than or equal to {field.maximum}")
    if field.enum is not None and value not in field.enum:
        _refuse(where, f"must be one of [{', '.join(field.enum)}]")
    if isinstance(value, str) and value in field.forbidden:
        _refuse(where, "contains an invalid value")
    if field.fields is not None:
        _check_object(value, field.fields, where, closed=field.closed)
    if field.items is not None:
        for index, item in enumerate(value):
            _check_value(item, field.items, f"{where}.{index}")


def _add_article(type_name: str) -> str:
    return f"an {type_name}" if type_name[0] in "aio" else f"a {type_name}"


def _refuse(where: str, problem: str) -> None:
    raise WireError(f'"{where.rpartition(".")[2]}" {problem}', code="ValidationError", field=f"body:{where}")
