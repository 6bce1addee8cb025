"""What a gate waits for: its inputs, validated."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from ocean_migration_pulumi.common.text import shorten_value
from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.spec import input_readers

TIMEOUT: Final = 900.0
"""Seconds that a gate waits when neither ``timeout`` nor custom timeouts are set."""

READY: Final = "Ready"
"""Of Deployments, StatefulSets and DaemonSets: all their replicas are ready."""

CONDITIONS: Final[Mapping[str, str]] = {
    "Deployment": "Available",
    "StatefulSet": READY,
    "DaemonSet": READY,
    "Job": "Complete",
    "Node": READY,
    "Pod": READY,
}
"""The kinds of objects that a gate may look at, each with the condition that is meant when none is named."""

_WITHOUT_CONDITIONS: Final = frozenset({"StatefulSet", "DaemonSet"})
_WITHOUT_NAMESPACE: Final = frozenset({"Node"})
_CONDITION: Final = re.compile(r"[A-Za-z][A-Za-z0-9./_-]*")
_OBJECT: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_URL: Final = 'an http or https URL without credentials, such as "https://shop.example/health"'


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesCondition:
    """A condition of one object; ``namespace`` is empty for a Node."""

    kind: str
    name: str
    namespace: str = ""
    condition: str = READY

    @property
    def subject(self) -> str:
        """The object, as messages name it."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCheck:
    """A URL that has to answer with a status, and with a text in the first 64 KiB of its body (None: any)."""

    url: str
    status: int = 200
    contains: str | None = None

    @property
    def subject(self) -> str:
        """The URL, as messages show it: a query may hold what is not for everybody."""
        return self.url.partition("?")[0].partition("#")[0]


@dataclass(frozen=True, slots=True)
class GateObservation:
    """What was seen of one thing that a gate waits for, and whether it is as it has to be."""

    met: bool
    seen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSpec:
    """What one gate asks for.

    ``migration_ids`` (the latest one last), ``succeeded`` and ``remaining`` are of the wave before. Durations are
    seconds; ``timeout`` None means that none was given. ``account_id`` None means the account of the settings.
    ``kubeconfig`` is a secret that no state holds.
    """

    ocean_id: str = ""
    migration_ids: tuple[str, ...] = ()
    succeeded: bool = True
    remaining: tuple[str, ...] = ()
    scheduled: bool = True
    heartbeat: bool = True
    kubernetes_conditions: tuple[KubernetesCondition, ...] = ()
    http_checks: tuple[HttpCheck, ...] = ()
    hold_for: float = 30.0
    timeout: float | None = None
    account_id: str | None = None
    kubeconfig: str | None = field(default=None, repr=False)
    kube_context: str | None = None

    def limit(self, custom: float | None) -> float:
        """Return the seconds until the deadline; of ``timeout`` and a ``custom`` timeout the shorter counts."""
        return min((seconds for seconds in (self.timeout, custom) if seconds is not None), default=TIMEOUT)


def read_gate_spec(
    props: Mapping[str, Any], *, unknown: frozenset[str] = frozenset()
) -> tuple[GateSpec, list[InputError]]:
    """Read inputs; every one that is not allowed is reported, and its default stands in the wish.

    ``unknown`` inputs (known only later) are taken at their default and not judged.
    """
    found: dict[str, Any] = {}
    problems: list[InputError] = []
    for name, reader in _READERS.items():
        value = props.get(name)
        if name in unknown:
            continue
        if value is None:
            if name == "ocean_id":
                problems.append(InputError(name, "is required"))
            continue
        try:
            found[name] = reader(name, value)
        except InputError as problem:
            problems.append(problem)
    spec = GateSpec(**found)
    judged = not {"hold_for", "timeout"} & (unknown | {problem.property_name for problem in problems})
    if judged and spec.hold_for >= spec.limit(None):
        shorter = "15m, the default of timeout" if spec.timeout is None else f"timeout ({props['timeout']})"
        problems.append(
            input_readers.input_error("hold_for", props.get("hold_for", "30s"), f"a duration shorter than {shorter}")
        )
    return spec, problems


def changed_inputs(old: GateSpec, new: GateSpec) -> list[str]:
    """Return the names of the inputs for which an open gate asks again when they differ."""
    return [name for name in INPUTS if name not in _NOT_COMPARED and getattr(old, name) != getattr(new, name)]


def _seconds(name: str, value: Any) -> float:
    return input_readers.read_duration(name, value) or 0.0


def _limit(name: str, value: Any) -> float:
    seconds = _seconds(name, value)
    if not seconds:
        raise input_readers.input_error(name, value, "a duration longer than nothing")
    return seconds


def _entries(name: str, value: Any, allowed: tuple[str, ...]) -> list[tuple[str, dict[str, Any]]]:
    """Read a list of objects, each with its name; none of a wrong form is shown, for a URL may hold a password."""
    if not isinstance(value, (list, tuple)):
        raise InputError(name, f"what is given is not allowed; give a list of objects with {', '.join(allowed)}")
    entries = []
    for number, entry in enumerate(value):
        each = f"{name}[{number}]"
        if not isinstance(entry, Mapping):
            raise InputError(each, f"what is given is not allowed; give an object with {', '.join(allowed)}")
        for key in entry:
            if key not in allowed:
                raise input_readers.input_error(each, key, f"only {', '.join(allowed)}")
        entries.append((each, {key: part for key, part in entry.items() if part is not None}))
    return entries


def _conditions(name: str, value: Any) -> tuple[KubernetesCondition, ...]:
    found = _entries(name, value, ("kind", "namespace", "name", "condition"))
    return tuple(dict.fromkeys(_condition(each, entry) for each, entry in found))


def _condition(each: str, entry: Mapping[str, Any]) -> KubernetesCondition:
    kind = input_readers.read_choice(f"{each}.kind", entry.get("kind"), CONDITIONS)
    name = _named(f"{each}.name", entry.get("name"))
    if kind in _WITHOUT_NAMESPACE:
        if "namespace" in entry:
            raise input_readers.input_error(f"{each}.namespace", entry["namespace"], f"none, as a {kind} has none")
        namespace = ""
    else:
        namespace = _named(f"{each}.namespace", entry.get("namespace"))
    condition = input_readers.read_text(f"{each}.condition", entry.get("condition", CONDITIONS[kind]))
    if kind in _WITHOUT_CONDITIONS and condition != READY:
        raise input_readers.input_error(f"{each}.condition", condition, f'"{READY}": a {kind} knows no other')
    if not _CONDITION.fullmatch(condition):
        raise input_readers.input_error(f"{each}.condition", condition, 'the type of a condition, such as "Available"')
    return KubernetesCondition(kind=kind, name=name, namespace=namespace, condition=condition)


def _named(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > 253 or not _OBJECT.fullmatch(value):
        raise input_readers.input_error(name, value, "a name as Kubernetes has them")
    return value


def _checks(name: str, value: Any) -> tuple[HttpCheck, ...]:
    found = _entries(name, value, ("url", "status", "contains"))
    return tuple(dict.fromkeys(_check(each, entry) for each, entry in found))


def _check(each: str, entry: Mapping[str, Any]) -> HttpCheck:
    contains = entry.get("contains")
    if contains is not None and (not isinstance(contains, str) or not contains):
        raise input_readers.input_error(f"{each}.contains", contains, "a text that is not empty")
    status = input_readers.read_whole_number(f"{each}.status", entry.get("status", 200), 100, 599)
    return HttpCheck(url=_url(f"{each}.url", entry.get("url")), status=status, contains=contains)


def _url(name: str, value: Any) -> str:
    if value is None:
        raise InputError(name, f"is required; give {_URL}")
    if not isinstance(value, str) or not _is_url(value):
        shown = (
            "what is given" if not isinstance(value, str) or "@" in value else shorten_value(value.partition("?")[0])
        )
        raise InputError(name, f"{shown} is not allowed; give {_URL}")
    return value


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    plain = value.isprintable() and " " not in value and "\\" not in value
    return known and plain and "@" not in parts.netloc


_READERS: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    "ocean_id": input_readers.read_text,
    "migration_ids": input_readers.read_texts,
    "succeeded": input_readers.read_flag,
    "remaining": input_readers.read_texts,
    "scheduled": input_readers.read_flag,
    "heartbeat": input_readers.read_flag,
    "kubernetes_conditions": _conditions,
    "http_checks": _checks,
    "hold_for": _seconds,
    "timeout": _limit,
    "account_id": input_readers.read_text,
    "kubeconfig": input_readers.read_secret,
    "kube_context": input_readers.read_text,
}

ACCEPTED: Final = tuple(_READERS)
"""The names of all inputs, in the order of the reference."""

INPUTS: Final = tuple(name for name in _READERS if name != "kubeconfig")
"""The names of all inputs that a state may hold."""

# How long is waited, and by which way is asked, says nothing of what was seen.
_NOT_COMPARED: Final = frozenset({"timeout", "kube_context"})
