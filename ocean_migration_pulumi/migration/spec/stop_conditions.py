"""When a running migration is stopped for the sake of its workloads: the input ``stop_when``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.spec.input_readers import InputType, input_error, read_flag, read_seconds
from ocean_migration_pulumi.migration.spec.options import unknown_field

SHORTEST: Final = 900.0
"""Seconds that a condition which may be a slow start has to last at least."""

_BROKEN: Final = "broken_workloads"


@dataclass(frozen=True, slots=True, kw_only=True)
class StopConditions:
    """What stops a migration; nothing by default."""

    broken_workloads: bool = False
    """Whether pods that waiting does not repair stop it."""
    below_required_for: float | None = None
    """Seconds for which a workload may have too few ready pods; None does not watch it."""
    unscheduled_for: float | None = None
    """Seconds for which a pod of a workload may find no node; None does not watch it."""

    def __str__(self) -> str:
        return ", ".join(f"{each.name}={value}" for each in fields(self) if (value := getattr(self, each.name)))


def read_stop_conditions(name: str, value: Any) -> StopConditions | None:
    """Read ``stop_when``; None when nothing is watched."""
    known = [each.name for each in fields(StopConditions)]
    if not isinstance(value, Mapping):
        raise input_error(name, value, f"a map with {', '.join(known)}")
    read: dict[str, Any] = {}
    for key, given in value.items():
        if key not in known:
            raise unknown_field(name, key, known)
        if given is None:
            continue
        if key == _BROKEN:
            read[key] = read_flag(f"{name}.{key}", given)
            continue
        read[key] = read_seconds(f"{name}.{key}", given)
        if read[key] < SHORTEST:
            raise InputError(f"{name}.{key}", f'must be at least "15m", not {given!r}', predicate=True)
    found = StopConditions(**read)
    return found if found != StopConditions() else None


STOP_WHEN: Final = InputType(read_stop_conditions, "Mapping[str, Any]", "map", values=(None,))
