"""Conditions of Kubernetes objects and answers of URLs, for gates and for ``stop_when``: how they are declared."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.spec import input_readers
from ocean_migration_pulumi.migration.spec.options import unknown_field

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
"""The kinds that need no ``api_version``, each with the condition that is meant when none is named."""

TRUE: Final = "True"
"""The status that a condition has to have when none is named."""

_WITHOUT_CONDITIONS: Final = frozenset({"StatefulSet", "DaemonSet"})
_WITHOUT_NAMESPACE: Final = frozenset({"Node"})
_CONDITION: Final = re.compile(r"[A-Za-z][A-Za-z0-9./_-]*")
_OBJECT: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_KIND: Final = re.compile(r"[A-Z][A-Za-z0-9]*")
_API_VERSION: Final = re.compile(r"([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?v[0-9][a-z0-9]*")
_URL: Final = 'an http or https URL without credentials, such as "https://shop.example/health"'
_CONDITION_FIELDS: Final = ("kind", "namespace", "name", "condition", "status", "api_version")
_CHECK_FIELDS: Final = ("url", "status", "contains")


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesCondition:
    """A condition of one object."""

    kind: str
    """The object's kind: one of ``CONDITIONS``, or any other of ``api_version``."""
    name: str
    """The object's name."""
    namespace: str = ""
    """The object's namespace; empty for an object without one."""
    condition: str = READY
    """The type of the condition."""
    status: str = TRUE
    """The status that the condition has to have, ``"True"`` or ``"False"``."""
    api_version: str = ""
    """Group and version of a kind that is not one of ``CONDITIONS``, such as ``cert-manager.io/v1``; else empty."""

    @property
    def subject(self) -> str:
        """The object, as messages name it."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    @property
    def wanted(self) -> str:
        """What has to hold, as messages name it."""
        return f"{self.subject} {self.condition}={self.status}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCheck:
    """A URL that has to answer."""

    url: str = field(repr=False)
    """An http or https URL."""
    status: int = 200
    """The HTTP status that it has to answer with."""
    contains: str | None = field(default=None, repr=False)
    """What the first 64 KiB of the body have to contain; None for any body."""

    @property
    def subject(self) -> str:
        """The URL, as messages show it: a query may hold what is not for everybody."""
        return self.url.partition("?")[0].partition("#")[0]

    @property
    def wanted(self) -> str:
        """What has to hold, as messages name it."""
        return self.subject


class ObservationCode(StrEnum):
    """What was seen; the string under each member names what the subject is, and the fields."""

    FAILED = "failed"
    """Subject: what was asked for, or nothing. ``message`` of an error."""
    GAP = "gap"
    """Subject: what was asked for, or nothing. ``gap``, as ``Gap.to_json`` returns it."""
    NOT_IN_TIME = "not-in-time"
    """Subject: who was asked; no fields."""

    NO_KIND = "no-kind"
    """Subject: an object, like that of the next ones. The ``api_version`` has no such ``kind``."""
    NO_OBJECT = "no-object"
    """No fields."""
    NEEDS_NAMESPACE = "needs-namespace"
    """No fields."""
    HAS_NO_NAMESPACE = "has-no-namespace"
    """No fields."""
    BEING_DELETED = "being-deleted"
    """No fields."""
    OUTDATED = "outdated"
    """Its status is of an older generation; no fields."""
    REPLICAS = "replicas"
    """How many are ``ready`` of those ``expected``."""
    JOB_FAILED = "job-failed"
    """No fields."""
    CONDITION = "condition"
    """``status`` of the ``condition``, and the ``reason`` of a wrong one (may be empty)."""
    OTHER_CLUSTER = "other-cluster"
    """Subject: a check. Kubernetes is that of another cluster; no fields."""

    NO_PROBE = "no-probe"
    """Subject: a URL, like that of the next ones. Nobody can ask for it; no fields."""
    URL_ANSWERED = "url-answered"
    """HTTP ``status``."""
    URL_STATUS = "url-status"
    """HTTP ``status``, and the one that was ``expected``."""
    URL_BODY = "url-body"
    """HTTP ``status``; the body lacks the required text."""

    HEARTBEAT = "heartbeat"
    """The ``finding`` of the check of the Ocean Controller, and its fields."""
    NO_MIGRATION = "no-migration"
    """No migration ran before; no fields."""
    MIGRATION_LISTED = "migration-listed"
    """Subject: a migration that is listed, but has no status; no fields."""
    MIGRATION_DENIED = "migration-denied"
    """Subject: a migration that has not been found for ``seconds``."""
    MIGRATION_GONE = "migration-gone"
    """Subject: a migration that is not found any more; no fields."""
    SCHEDULED = "scheduled"
    """All pods are scheduled; no fields."""
    UNSCHEDULED = "unscheduled"
    """``count`` of unscheduled pods."""
    PENDING = "pending"
    """``pods`` that wait for a node."""
    WORKLOADS_UNREAD = "workloads-unread"
    """``gap``, as ``Gap.to_json`` returns it."""
    WORKLOADS_BELOW = "workloads-below"
    """Subject: a workload. How many pods are ``ready`` and ``required``, and how many ``others`` have too few."""
    PODS_ARRIVED = "pods-arrived"
    """How many pods ``arrived`` on Ocean nodes, how many were ``expected``, and the ``percentage`` required."""
    WORKLOADS_READY = "workloads-ready"
    """``count`` of workloads, and which are ``unknown``: each ``workload`` and its ``excuse``."""


@dataclass(frozen=True, slots=True)
class ConditionObservation:
    """An observation of one thing that a gate waits for, or for which a migration is stopped."""

    met: bool
    """Whether it is as it has to be."""
    code: ObservationCode
    """What was seen."""
    subject: str = ""
    """Of what, as messages name it."""
    fields: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What the text names, as JSON-plain data."""
    answered: bool = True
    """Whether there was an answer at all: without one nothing is known."""
    is_present: bool = True
    """Whether the object is there to stay, and its status is that of its present generation."""


def read_conditions(
    name: str, value: Any, more: Collection[str] = ()
) -> list[tuple[KubernetesCondition, dict[str, Any]]]:
    """Read a list of conditions, each with the entry that it was read from; ``more`` are further fields of entries."""
    return [(_read_condition(each, entry), entry) for each, entry in _entries(name, value, (*_CONDITION_FIELDS, *more))]


def read_http_checks(name: str, value: Any, more: Collection[str] = ()) -> list[tuple[HttpCheck, dict[str, Any]]]:
    """Read a list of URLs; see ``read_conditions``."""
    return [(_read_check(each, entry), entry) for each, entry in _entries(name, value, (*_CHECK_FIELDS, *more))]


def _entries(name: str, value: Any, allowed: tuple[str, ...]) -> list[tuple[str, dict[str, Any]]]:
    """Read a list of maps, each with its name; a value of another form is not shown, as a URL may hold a password."""
    if not isinstance(value, (list, tuple)):
        raise input_readers.secret_error(name, f"a list of maps with {', '.join(allowed)}")
    entries = []
    for number, entry in enumerate(value):
        each = f"{name}[{number}]"
        if not isinstance(entry, Mapping):
            raise input_readers.secret_error(each, f"a map with {', '.join(allowed)}")
        for key in entry:
            if key not in allowed:
                raise unknown_field(each, key, allowed)
        entries.append((each, {key: part for key, part in entry.items() if part is not None}))
    return entries


def _read_condition(each: str, entry: Mapping[str, Any]) -> KubernetesCondition:
    api_version = entry.get("api_version", "")
    if "api_version" in entry:
        if not isinstance(api_version, str) or not _API_VERSION.fullmatch(api_version):
            allowed = 'a group and version such as "cert-manager.io/v1"'
            raise input_readers.input_error(f"{each}.api_version", api_version, allowed)
        kind = input_readers.read_text(f"{each}.kind", entry.get("kind", ""))
        if not _KIND.fullmatch(kind):
            raise input_readers.input_error(f"{each}.kind", kind, 'a kind such as "Certificate"')
    else:
        kind = _read_kind(f"{each}.kind", entry.get("kind"))
    name = _named(f"{each}.name", entry.get("name"))
    if kind in _WITHOUT_NAMESPACE and "namespace" in entry:
        raise InputError(f"{each}.namespace", f"is not allowed: a {kind} has no namespace", predicate=True)
    # Whether another kind has namespaces is known to the API server alone.
    needs_namespace = not api_version and kind not in _WITHOUT_NAMESPACE
    namespace = entry.get("namespace", None if needs_namespace else "")
    if namespace != "":
        namespace = _named(f"{each}.namespace", namespace)
    condition = input_readers.read_text(f"{each}.condition", entry.get("condition", CONDITIONS.get(kind, READY)))
    if not api_version and kind in _WITHOUT_CONDITIONS and condition != READY:
        raise input_readers.input_error(f"{each}.condition", condition, f'"{READY}" for a {kind}')
    if not _CONDITION.fullmatch(condition):
        raise input_readers.input_error(f"{each}.condition", condition, 'a condition type such as "Available"')
    status = input_readers.read_choice(f"{each}.status", entry.get("status", TRUE), (TRUE, "False"))
    return KubernetesCondition(
        kind=kind, name=name, namespace=namespace, condition=condition, status=status, api_version=api_version
    )


def _read_kind(name: str, value: Any) -> str:
    if isinstance(value, str) and value not in CONDITIONS and _KIND.fullmatch(value):
        known = ", ".join(f'"{kind}"' for kind in CONDITIONS)
        raise input_readers.word_error(name, value, f"{known}, or a kind with its api_version", CONDITIONS)
    return input_readers.read_choice(name, value, CONDITIONS)


def _named(name: str, value: Any) -> str:
    if value is None:
        raise InputError(name, "is required", predicate=True)
    if not isinstance(value, str) or len(value) > 253 or not _OBJECT.fullmatch(value):
        raise input_readers.input_error(name, value, "a name that Kubernetes allows")
    return value


def _read_check(each: str, entry: Mapping[str, Any]) -> HttpCheck:
    contains = entry.get("contains")
    if contains is not None and not isinstance(contains, str):
        raise input_readers.input_error(f"{each}.contains", contains, "a string")
    if contains == "":
        raise InputError(f"{each}.contains", "must not be empty", predicate=True)
    status = input_readers.read_whole_number(f"{each}.status", entry.get("status", 200), 100, 599)
    return HttpCheck(url=_url(f"{each}.url", entry.get("url")), status=status, contains=contains)


def _url(name: str, value: Any) -> str:
    if value is None:
        raise InputError(name, "is required", predicate=True)
    if not isinstance(value, str) or "@" in value:
        raise input_readers.secret_error(name, _URL)
    if not _is_url(value):
        raise input_readers.input_error(name, value.partition("?")[0], _URL)
    return value


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    plain = value.isprintable() and " " not in value and "\\" not in value
    return known and plain and "@" not in parts.netloc
