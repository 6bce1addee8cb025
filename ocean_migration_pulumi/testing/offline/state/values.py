"""Property values in the format of the engine's protocol: JSON with markers for secret and unknown values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.struct_pb2 import ListValue, NullValue, Struct, Value  # type: ignore[import-untyped]  # protobuf has no types of its own

SIGNATURE = "4dabf18193072939515e22adb298388d"
"""The key that marks an object as a special value in Pulumi's protocol."""

SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the marker of secrets, itself public
"""The marker of a secret: `{SIGNATURE: SECRET, "value": ...}` on the wire, `"ciphertext"` in a state file."""

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""The marker of a value that is only known after the update."""

Properties = dict[str, Any]

_PATH = re.compile(r'\["([^"]*)"\]|\[(\d+|\*)\]|([^.\[\]]+)')


def make_secret(value: Any) -> Any:
    """Mark a value as secret; a secret stays as it is."""
    return value if is_secret(value) else {SIGNATURE: SECRET, "value": value}


def is_secret(value: Any) -> bool:
    """Return whether the value itself is marked as secret."""
    return isinstance(value, dict) and value.get(SIGNATURE) == SECRET


def contains_secret(value: Any) -> bool:
    """Return whether the value is secret or contains a secret."""
    if is_secret(value):
        return True
    return any(map(contains_secret, _children(value)))


def contains_unknown(value: Any) -> bool:
    """Return whether the value is unknown or contains an unknown value."""
    return value == UNKNOWN if isinstance(value, str) else any(map(contains_unknown, _children(value)))


def reveal(value: Any) -> Any:
    """Remove every secret marker, for a provider that does not support secrets."""
    if isinstance(value, dict):
        if is_secret(value):
            return reveal(value["value"])
        return {key: reveal(item) for key, item in value.items()}
    return [reveal(item) for item in value] if isinstance(value, list) else value


def redact(value: Any) -> Any:
    """Replace every secret by `[secret]` and every unknown value by `[unknown]`, for display."""
    if isinstance(value, dict):
        if is_secret(value):
            return "[secret]"
        return {key: redact(item) for key, item in value.items()}
    if isinstance(value, list):
        return [redact(item) for item in value]
    return "[unknown]" if value == UNKNOWN else value


def annotate_secrets(outputs: Properties | None, inputs: Properties | None) -> None:
    """Mark every output as secret whose input contains a secret, for a provider that does not support secrets."""
    for key, input_value in (inputs or {}).items():
        if outputs is None or key not in outputs:
            continue
        value = outputs[key]
        if _is_object(value) and _is_object(input_value):
            annotate_secrets(value, input_value)
        elif contains_secret(input_value):
            outputs[key] = make_secret(value)


def find_changed_keys(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return the sorted top-level keys whose values differ; a secret equals its plain value."""
    keys = old.keys() | new.keys()
    return sorted(key for key in keys if reveal(old.get(key)) != reveal(new.get(key)))


def restore_ignored(inputs: Properties, olds: Properties, paths: Iterable[str]) -> Properties:
    """Return `inputs` with the old values at `paths` (`key`, `key.sub`, `key["sub"]`, `key[0]`, `*`)."""
    restored: Properties = _copy(inputs)
    for path in paths:
        _restore_path(restored, olds, _parse_path(path))
    return restored


def to_struct(properties: Mapping[str, Any]) -> Struct:
    """Convert properties to the protobuf message that carries them."""
    return Struct(fields={key: _to_value(item) for key, item in properties.items()})


def from_struct(message: Struct) -> Properties:
    """Convert a protobuf message to properties; whole numbers become `int`."""
    return {key: _from_value(item) for key, item in message.fields.items()}


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and SIGNATURE not in value


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _parse_path(path: str) -> list[str | int]:
    steps: list[str | int] = []
    for quoted, index, bare in _PATH.findall(path):
        steps.append(int(index) if index.isdigit() else quoted or index or bare)
    return steps


def _restore_path(news: Any, olds: Any, steps: list[str | int]) -> None:
    if not steps:
        return
    step, rest = steps[0], steps[1:]
    if step == "*" and isinstance(news, (dict, list)):
        every: set[Any] = set(news) if isinstance(news, dict) else set(range(len(news)))
        every |= set(olds) if isinstance(olds, dict) else set()
        for key in every:
            _restore_path(news, olds, [key, *rest])
    elif isinstance(news, dict) and isinstance(olds, dict):
        if rest:
            _restore_path(news.get(str(step)), olds.get(str(step)), rest)
        elif step in olds:
            news[str(step)] = _copy(olds[str(step)])
        else:
            news.pop(str(step), None)
    elif (
        isinstance(news, list) and isinstance(olds, list) and isinstance(step, int) and step < min(len(news), len(olds))
    ):
        if rest:
            _restore_path(news[step], olds[step], rest)
        else:
            news[step] = _copy(olds[step])


def _to_value(item: Any) -> Value:
    if item is None:
        return Value(null_value=NullValue.NULL_VALUE)
    if isinstance(item, bool):
        return Value(bool_value=item)
    if isinstance(item, (int, float)):
        return Value(number_value=item)
    if isinstance(item, str):
        return Value(string_value=item)
    if isinstance(item, Mapping):
        return Value(struct_value=to_struct(item))
    return Value(list_value=ListValue(values=[_to_value(element) for element in item]))


def _from_value(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return from_struct(value.struct_value)
    if kind == "list_value":
        return [_from_value(element) for element in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    return None if kind in (None, "null_value") else getattr(value, kind)
