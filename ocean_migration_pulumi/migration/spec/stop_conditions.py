"""When a running migration is stopped for the sake of its workloads: the input ``stop_when``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from ocean_migration_pulumi.common.times import format_elapsed
from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.spec.conditions import (
    HttpCheck,
    KubernetesCondition,
    read_conditions,
    read_http_checks,
)
from ocean_migration_pulumi.migration.spec.input_readers import (
    InputType,
    read_choice,
    read_flag,
    read_seconds,
    secret_error,
)
from ocean_migration_pulumi.migration.spec.options import unknown_field

SHORTEST: Final = 900.0
"""Seconds that a condition which may be a slow start has to last at least."""

BROKEN_FOR: Final = 600.0
"""Seconds for which anything else must last: a volume may take six minutes to detach, a JVM five to start."""

_FOR: Final = "for"
_NO_ANSWER: Final = "no_answer"
_IGNORE, _FAIL = "ignore", "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class StopCheck:
    """A check that stops a migration when it fails."""

    check: KubernetesCondition | HttpCheck
    """What has to hold."""
    seconds: float = BROKEN_FOR
    """For how long it has to fail."""
    fails_without_answer: bool = False
    """Whether no answer counts as a failure; else it says nothing."""

    @property
    def name(self) -> str:
        """The check, as messages show it."""
        return self.check.wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class StopConditions:
    """What stops a migration; nothing by default."""

    broken_workloads: bool = False
    """Whether pods that waiting does not repair stop it."""
    below_required_for: float | None = None
    """Seconds for which a workload may have too few ready pods; None does not watch it."""
    unscheduled_for: float | None = None
    """Seconds for which a pod of a workload may find no node; None does not watch it."""
    kubernetes_conditions: tuple[StopCheck, ...] = ()
    """Conditions of Kubernetes objects that have to hold."""
    http_checks: tuple[StopCheck, ...] = ()
    """URLs that have to answer."""

    @property
    def checks(self) -> tuple[StopCheck, ...]:
        """All checks."""
        return (*self.kubernetes_conditions, *self.http_checks)

    @property
    def watches_workloads(self) -> bool:
        """Whether anything of the workloads of the migration stops it."""
        return self.broken_workloads or self.below_required_for is not None or self.unscheduled_for is not None

    @property
    def canonical(self) -> str:
        """Everything on one line, for digests: it may hold what is not for everybody."""
        parts = []
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, tuple):
                value = value and f"[{', '.join(json.dumps(asdict(check), sort_keys=True) for check in value)}]"
            if value:
                parts.append(f"{each.name}={value}")
        return ", ".join(parts)

    def __str__(self) -> str:
        parts = ["broken_workloads"] if self.broken_workloads else []
        for name in ("below_required_for", "unscheduled_for"):
            seconds = getattr(self, name)
            if seconds is not None:
                parts.append(f"{name} {format_elapsed(seconds)}")
        for each in self.checks:
            no_answer = " (no_answer: fail)" if each.fails_without_answer else ""
            parts.append(f"{each.name} for {format_elapsed(each.seconds)}{no_answer}")
        return ", ".join(parts)


def read_stop_conditions(name: str, value: Any) -> StopConditions | None:
    """Read ``stop_when``; None when nothing is watched."""
    if not isinstance(value, Mapping):
        # It may be a check in another form, whose URL holds a password.
        raise secret_error(name, f"a map with {', '.join(_READERS)}")
    read: dict[str, Any] = {}
    for key, given in value.items():
        if key not in _READERS:
            raise unknown_field(name, key, _READERS)
        if given is not None:
            read[key] = _READERS[key](f"{name}.{key}", given)
    found = StopConditions(**read)
    return found if found != StopConditions() else None


def _read_long(name: str, value: Any) -> float:
    seconds = read_seconds(name, value)
    if seconds < SHORTEST:
        raise InputError(name, f'must be at least "15m", not {value!r}', predicate=True)
    return seconds


def _read_checks(read: Callable[..., list[tuple[Any, dict[str, Any]]]], name: str, value: Any) -> tuple[StopCheck, ...]:
    found = []
    for number, (check, entry) in enumerate(read(name, value, (_FOR, _NO_ANSWER))):
        each = f"{name}[{number}]"
        seconds = read_seconds(f"{each}.{_FOR}", entry[_FOR]) if _FOR in entry else BROKEN_FOR
        no_answer = read_choice(f"{each}.{_NO_ANSWER}", entry.get(_NO_ANSWER, _IGNORE), (_IGNORE, _FAIL))
        found.append(StopCheck(check=check, seconds=seconds, fails_without_answer=no_answer == _FAIL))
    return tuple(dict.fromkeys(found))


_READERS: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    "broken_workloads": read_flag,
    "below_required_for": _read_long,
    "unscheduled_for": _read_long,
    "kubernetes_conditions": lambda name, value: _read_checks(read_conditions, name, value),
    "http_checks": lambda name, value: _read_checks(read_http_checks, name, value),
}

STOP_WHEN: Final = InputType(read_stop_conditions, "Mapping[str, Any]", "map", values=(None,))
