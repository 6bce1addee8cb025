"""Decoding what the API server writes: of the objects of a list only the parts that are read, which is much faster."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from ocean_migration_pulumi.kubernetes.objects.json_fields import UnexpectedFormError

# Everything but ``managedFields``, which is about half of a pod.
_METADATA: Final = ("name", "namespace", "labels", "annotations", "deletionTimestamp", "ownerReferences")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """A page of a list: its objects, not decoded yet, and what to ask for the next page with (empty: the last)."""

    items: list[Any]
    following: str


def whole_object(body: bytes) -> dict[str, Any] | None:
    """Return a JSON object; None when it is none."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def page(body: bytes) -> ListPage:
    """Return a page of a list; raise UnexpectedFormError when it is none."""
    found = _decoded(_decoders()[0], body)
    following = (found.metadata or {}).get("continue") or ""
    if not isinstance(following, str):
        raise UnexpectedFormError
    # The API server writes a list without objects as null.
    return ListPage(items=found.items or [], following=following)


def item(raw: Any) -> dict[str, Any]:
    """Return an object of a page; raise UnexpectedFormError when it is none."""
    import msgspec

    found = _decoded(_decoders()[1], raw)
    metadata = msgspec.structs.asdict(found.metadata) if found.metadata is not None else None
    return {"metadata": metadata, "spec": found.spec, "status": found.status}


@cache
def _decoders() -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Return how a page and an object of it are decoded; msgspec is imported no earlier."""
    import msgspec

    metadata = msgspec.defstruct("Metadata", [(name, Any, None) for name in _METADATA])
    parts: list[Any] = [("metadata", metadata | None, None), ("spec", Any, None), ("status", Any, None)]
    listed: list[Any] = [("items", list[msgspec.Raw] | None), ("metadata", dict[str, Any] | None, None)]
    of_page = msgspec.json.Decoder(msgspec.defstruct("Page", listed))
    of_item = msgspec.json.Decoder(msgspec.defstruct("Item", parts))
    return of_page.decode, of_item.decode


def _decoded(decode: Callable[[Any], Any], data: Any) -> Any:
    import msgspec

    try:
        return decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise UnexpectedFormError from None
