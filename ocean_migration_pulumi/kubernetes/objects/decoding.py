"""Decoding of the API server's JSON: what is absent is empty, what is of another type makes an object unusable.

Of the objects of a list only the parts that are read are decoded, which is much faster.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from types import GenericAlias
from typing import Any, Final, TypeVar

T = TypeVar("T")

# Everything but ``managedFields``, which is about half of a pod.
_METADATA: Final = (
    "name",
    "namespace",
    "uid",
    "generation",
    "labels",
    "annotations",
    "creationTimestamp",
    "deletionTimestamp",
    "finalizers",
    "ownerReferences",
)
_PARTS: Final = ("spec", "status", "webhooks")


class UnexpectedFormError(Exception):
    """An object that does not match the Kubernetes API reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """A page of a list."""

    items: list[Any]
    """Objects, not decoded yet."""
    following: str
    """``continue`` of the next page; empty on the last one."""
    remaining: int | None
    """Number of objects on later pages; None when the API server does not tell."""


def decode_object(body: bytes) -> dict[str, Any] | None:
    """Return a JSON object; None when the body is anything else."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def decode_yaml(text: str) -> Any:
    """Return the first document of YAML, or JSON; raise UnexpectedFormError when the text is anything else."""
    import yaml

    # Not every JSON is YAML: it may be indented by tabs.
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    try:
        # Like the clients in Go: only the first document counts.
        return next(yaml.safe_load_all(text), None)
    except (ValueError, RecursionError, yaml.YAMLError):
        # A parser's message quotes what it could not read, which may be a secret.
        raise UnexpectedFormError from None


def is_json(raw: bytes) -> bool:
    """Tell whether these bytes are JSON, of whatever form."""
    try:
        _decoded(_raw_decoder(), raw)
    except UnexpectedFormError:
        return False
    return True


def decode_page(body: bytes) -> ListPage:
    """Return a page of a list; raise UnexpectedFormError when the body is anything else."""
    found = _decoded(_decoders()[0], body)
    metadata = found.metadata or {}
    following = metadata.get("continue") or ""
    if not isinstance(following, str):
        raise UnexpectedFormError
    # The API server writes a list without objects as null.
    remaining = read_int(metadata, "remainingItemCount") if "remainingItemCount" in metadata else None
    return ListPage(items=found.items or [], following=following, remaining=remaining)


def decode_item(raw: Any) -> dict[str, Any]:
    """Return an object of a page; raise UnexpectedFormError when it is anything else."""
    import msgspec

    found = _decoded(_decoders()[1], raw)
    metadata = msgspec.structs.asdict(found.metadata) if found.metadata is not None else None
    return {"metadata": metadata, "spec": found.spec, "status": found.status, "webhooks": found.webhooks}


def decode_pod(raw: Any) -> Any:
    """Return what is needed of a pod, as attributes; raise UnexpectedFormError when it is anything else.

    Health reads pods each minute, thousands of them: most of a pod is skipped, and what is read is of known types. A
    part that is absent is None, but metadata, spec and status are then there without any fields.
    """
    found, empty = _decoded(_pod_decoder(), raw), _empty_pod()
    found.metadata = found.metadata or empty.metadata
    found.spec = found.spec or empty.spec
    found.status = found.status or empty.status
    return found


@cache
def _empty_pod() -> Any:
    return _pod_decoder()(b'{"metadata":{},"spec":{},"status":{}}')


def decode_event(raw: Any) -> dict[str, Any]:
    """Return an event of a page; raise UnexpectedFormError when it is anything else."""
    return read_mapping(_decoded(_any_decoder(), raw))


@cache
def _raw_decoder() -> Callable[[Any], Any]:
    import msgspec

    return msgspec.json.Decoder(msgspec.Raw).decode


@cache
def _any_decoder() -> Callable[[Any], Any]:
    import msgspec

    return msgspec.json.Decoder().decode


@cache
def _pod_decoder() -> Callable[[Any], Any]:
    import msgspec

    def struct(title: str, /, **fields: Any) -> Any:
        return msgspec.defstruct(title, [(field, kind | None, None) for field, kind in fields.items()])

    def many(kind: Any) -> Any:
        return GenericAlias(list, (kind,))

    texts = dict[str, str]
    objects = many(dict[str, Any])
    owner = struct("PodOwner", apiVersion=str, kind=str, name=str, controller=bool)
    metadata = struct(
        "PodMetadata",
        name=str,
        namespace=str,
        uid=str,
        labels=texts,
        annotations=texts,
        creationTimestamp=str,
        deletionTimestamp=str,
        finalizers=list[Any],
        ownerReferences=many(owner),
    )
    claim = struct("PodClaim", claimName=str)
    volume = struct(
        "PodVolume", name=str, persistentVolumeClaim=claim, ephemeral=dict[str, Any], emptyDir=dict[str, Any]
    )
    probe = struct("PodProbe", initialDelaySeconds=int, periodSeconds=int, failureThreshold=int)
    resources = struct("PodResources", requests=texts)
    container = struct("PodContainer", resources=resources, restartPolicy=str, startupProbe=probe, readinessProbe=probe)
    node_affinity = struct("PodNodeAffinity", requiredDuringSchedulingIgnoredDuringExecution=dict[str, Any])
    pod_affinity = struct("PodPodAffinity", requiredDuringSchedulingIgnoredDuringExecution=objects)
    spec = struct(
        "PodSpec",
        nodeName=str,
        volumes=many(volume),
        containers=many(container),
        initContainers=many(container),
        resources=resources,
        overhead=texts,
        resourceClaims=objects,
        terminationGracePeriodSeconds=int,
        schedulingGates=objects,
        os=struct("PodSystem", name=str),
        affinity=struct("PodAffinity", nodeAffinity=node_affinity, podAffinity=pod_affinity),
        hostNetwork=bool,
        nodeSelector=texts,
        topologySpreadConstraints=many(struct("PodSpread", topologyKey=str, whenUnsatisfiable=str)),
        tolerations=many(struct("PodToleration", key=str, operator=str, value=str, effect=str)),
    )
    waiting = struct("PodWaiting", reason=str, message=str)
    ended = struct("PodEnded", finishedAt=str, reason=str, exitCode=int)
    state = struct("PodState", waiting=waiting, terminated=ended)
    status = struct("PodContainerStatus", restartCount=int, state=state, lastState=state)
    condition = struct("PodCondition", type=str, status=str, reason=str, message=str)
    statuses = struct(
        "PodStatus",
        phase=str,
        conditions=many(condition),
        containerStatuses=many(status),
        initContainerStatuses=many(status),
    )
    return msgspec.json.Decoder(struct("PodObject", metadata=metadata, spec=spec, status=statuses)).decode


@cache
def _decoders() -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Return the decoders of pages and of their objects; msgspec is imported no earlier."""
    import msgspec

    metadata = msgspec.defstruct("Metadata", [(name, Any, None) for name in _METADATA])
    parts: list[Any] = [("metadata", metadata | None, None), *((name, Any, None) for name in _PARTS)]
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


def read_mapping(value: Any) -> dict[str, Any]:
    """Return an object, empty for null; raise UnexpectedFormError when it is anything else."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UnexpectedFormError
    return value


def read_part(data: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Return a nested object, empty when it is absent."""
    found: Any = data
    for key in keys:
        found = read_mapping(found).get(key)
    return read_mapping(found)


def read_objects(data: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Return a list of objects, empty when it is absent."""
    return [read_mapping(item) for item in _read(data, key, list, [])]


def read_text(data: Mapping[str, Any], key: str, default: str = "") -> str:
    """Return a string; ``default`` when it is absent or empty."""
    return _read(data, key, str, "") or default


def require_text(data: Mapping[str, Any], key: str) -> str:
    """Return a string that is not empty."""
    found = read_text(data, key)
    if not found:
        raise UnexpectedFormError
    return found


def read_int(data: Mapping[str, Any], key: str, default: int = 0) -> int:
    """Return an integer; ``default`` when it is absent."""
    return _read(data, key, int, default)


def read_flag(data: Mapping[str, Any], key: str) -> bool:
    """Return a boolean; False when it is absent."""
    return _read(data, key, bool, False)


def read_texts(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return a list of strings, empty when it is absent."""
    found = _read(data, key, list, [])
    if not all(isinstance(item, str) for item in found):
        raise UnexpectedFormError
    return tuple(found)


def read_pairs(data: Mapping[str, Any], key: str) -> dict[str, str]:
    """Return strings by name, such as labels; empty when they are absent."""
    found = read_part(data, key)
    if not all(isinstance(value, str) for value in found.values()):
        raise UnexpectedFormError
    return found


def _read(data: Mapping[str, Any], key: str, kind: type[T], default: T) -> T:
    found = data.get(key)
    if found is None:
        return default
    # By the exact type: JSON's true is no integer.
    if type(found) is not kind:
        raise UnexpectedFormError
    return found


def read_condition(status: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return the condition of this type, the first one; empty when the status has none."""
    return next((each for each in read_objects(status, "conditions") if read_text(each, "type") == kind), {})
