"""The inputs of the resource, validated: one wish per resource."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.spec import input_readers
from ocean_migration_pulumi.migration.spec.node_selector import NodeSelector

Reader = Callable[[str, Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationSpec:
    """What one resource asks for.

    Durations are seconds (``stall_timeout`` None means never). ``planned_nodes`` is what ``check`` planned, None when
    it could not. ``account_id`` None means the account of the settings. ``kubeconfig`` and ``notifications`` (URLs) are
    secrets that no state holds.
    """

    ocean_id: str = ""
    nodes: NodeSelector = field(default_factory=NodeSelector)
    new_nodes: str = "report"
    batch_size_percentage: int = 20
    should_terminate_drained_nodes: bool = False
    should_evict_stand_alone_pods: bool = False
    force_pod_eviction_on_pdb_failure: bool = False
    unmatched_nodes: str = "fail"
    virtual_node_group_ids: tuple[str, ...] = ()
    planned_elsewhere: tuple[str, ...] = ()
    prerequisites: str = "enforce"
    approved_plan: str | None = None
    when_busy: str = "wait"
    wait_for: str = "finished"
    wait_for_percentage: int | None = None
    stall_timeout: float | None = 1800.0
    soak_time: float = 0.0
    on_timeout: str = "leave"
    terminate_drained_nodes_on_stop: bool = False
    triggers: tuple[Any, ...] = ()
    account_id: str | None = None
    kubeconfig: str | None = field(default=None, repr=False)
    kube_context: str | None = None
    notifications: tuple[str, ...] = field(default=(), repr=False)
    planned_nodes: Mapping[str, str] | None = None

    @property
    def flags(self) -> tuple[bool, bool, bool]:
        """Terminate, evict, force: in the order of the service's API reference."""
        return (
            self.should_terminate_drained_nodes,
            self.should_evict_stand_alone_pods,
            self.force_pod_eviction_on_pdb_failure,
        )

    @property
    def triggers_digest(self) -> str:
        """A short digest of the triggers, the same for the same values."""
        return digest_value(self.triggers)


def digest_value(value: Any) -> str:
    """Return a short, stable digest of JSON values; 3 and 3.0 are the same number."""
    plain = json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(plain.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _seconds(name: str, value: Any) -> float:
    return input_readers.read_duration(name, value) or 0.0


def _planned(name: str, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise input_readers.input_error(name, value, "what the preview planned")
    return {str(key): str(entry) for key, entry in value.items()}


def _list(name: str, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise input_readers.input_error(name, value, "a list")
    return tuple(value)


def _words(*allowed: str) -> Reader:
    return lambda name, value: input_readers.read_choice(name, value, allowed)


_READERS: Final[Mapping[str, Reader]] = {
    "ocean_id": input_readers.read_text,
    "nodes": lambda name, value: NodeSelector.parse(value, name),
    "new_nodes": _words("report", "migrate"),
    "batch_size_percentage": lambda name, value: input_readers.read_whole_number(name, value, 1, 50),
    "should_terminate_drained_nodes": input_readers.read_flag,
    "should_evict_stand_alone_pods": input_readers.read_flag,
    "force_pod_eviction_on_pdb_failure": input_readers.read_flag,
    "unmatched_nodes": _words("fail", "skip", "allow"),
    "virtual_node_group_ids": input_readers.read_texts,
    "planned_elsewhere": input_readers.read_texts,
    "prerequisites": _words("enforce", "warn", "off"),
    "approved_plan": input_readers.read_text,
    "when_busy": _words("wait", "fail"),
    "wait_for": _words("finished", "started", "progress"),
    "wait_for_percentage": lambda name, value: input_readers.read_whole_number(name, value, 1, 100),
    "stall_timeout": lambda name, value: input_readers.read_duration(name, value, never=True),
    "soak_time": _seconds,
    "on_timeout": _words("leave", "stop"),
    "terminate_drained_nodes_on_stop": input_readers.read_flag,
    "triggers": _list,
    "account_id": input_readers.read_text,
    "kubeconfig": input_readers.read_secret,
    "kube_context": input_readers.read_text,
    "notifications": input_readers.read_endpoints,
    "planned_nodes": _planned,
}

KUBECONFIG: Final = "kubeconfig"
"""The input that gives access to Kubernetes."""

HIDDEN: Final = (KUBECONFIG, "notifications")
"""The inputs that never get beyond ``check``, so that no state holds them."""

ACCEPTED: Final = tuple(_READERS)
"""The names of all inputs, in the order of the reference."""

INPUTS: Final = tuple(name for name in _READERS if name not in HIDDEN)
"""The names of all inputs that a state may hold."""

_REQUIRED: Final = ("ocean_id", "nodes")
_NOT_COMPARED: Final = frozenset(
    {
        "virtual_node_group_ids",
        "planned_elsewhere",
        "planned_nodes",
        "nodes",
        "ocean_id",
        "account_id",
        "kube_context",
    }
)


def read_spec(
    props: Mapping[str, Any], *, unknown: frozenset[str] = frozenset()
) -> tuple[MigrationSpec, list[InputError]]:
    """Read inputs; every one that is not allowed is reported, and its default stands in the wish.

    ``unknown`` inputs (known only later) are taken at their default and not judged.
    """
    read_values: dict[str, Any] = {}
    problems: list[InputError] = []
    for name, reader in _READERS.items():
        value = props.get(name)
        if value is None or name in unknown:
            if name in _REQUIRED and name not in unknown:
                problems.append(InputError(name, "is required"))
            continue
        try:
            read_values[name] = reader(name, value)
        except InputError as problem:
            problems.append(problem)
    spec = MigrationSpec(**read_values)
    progress = {"wait_for", "wait_for_percentage"}
    if not progress & unknown and not any(problem.property_name in progress for problem in problems):
        if spec.wait_for == "progress" and spec.wait_for_percentage is None:
            problems.append(InputError("wait_for_percentage", 'is required with wait_for="progress"; give 1 to 100'))
        if spec.wait_for != "progress" and spec.wait_for_percentage is not None:
            problems.append(InputError("wait_for_percentage", 'goes only with wait_for="progress"'))
    return spec, problems


def changed_options(old: MigrationSpec, new: MigrationSpec) -> list[str]:
    """Return the names of the options that differ; what selects nodes is judged elsewhere."""
    return [
        name
        for name in INPUTS
        if name not in _NOT_COMPARED and _plain(getattr(old, name)) != _plain(getattr(new, name))
    ]
