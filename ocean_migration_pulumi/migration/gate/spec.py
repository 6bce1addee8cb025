"""What a gate waits for: its inputs, validated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.gate.conditions import CONDITIONS, READY, HttpCheck, KubernetesCondition
from ocean_migration_pulumi.migration.health.baseline import HealthBaseline
from ocean_migration_pulumi.migration.spec import input_readers
from ocean_migration_pulumi.migration.spec.input_readers import (
    ACCOUNT,
    DURATION,
    FLAG,
    KUBECONFIG_CONTENT,
    TEXT,
    TEXTS,
    InputType,
)
from ocean_migration_pulumi.migration.spec.options import declare_input, declared_inputs, read_inputs, unknown_field

TIMEOUT: Final = 900.0
"""Seconds that a gate waits when neither ``timeout`` nor custom timeouts are set."""

_WITHOUT_CONDITIONS: Final = frozenset({"StatefulSet", "DaemonSet"})
_WITHOUT_NAMESPACE: Final = frozenset({"Node"})
_CONDITION: Final = re.compile(r"[A-Za-z][A-Za-z0-9./_-]*")
_OBJECT: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_MAPS: Final = "Sequence[Input[Mapping[str, Any]]]"
_URL: Final = 'an http or https URL without credentials, such as "https://shop.example/health"'


def _read_timeout(name: str, value: Any) -> float:
    seconds = input_readers.read_seconds(name, value)
    if not seconds:
        raise input_readers.input_error(name, value, "longer than 0s")
    return seconds


def _read_baseline(name: str, value: Any) -> HealthBaseline | None:
    if not isinstance(value, Mapping):
        raise input_readers.input_error(name, value, "a map, the output of a migration")
    return HealthBaseline.from_output(value)


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


def _read_conditions(name: str, value: Any) -> tuple[KubernetesCondition, ...]:
    found = _entries(name, value, ("kind", "namespace", "name", "condition"))
    return tuple(dict.fromkeys(_condition(each, entry) for each, entry in found))


def _condition(each: str, entry: Mapping[str, Any]) -> KubernetesCondition:
    kind = input_readers.read_choice(f"{each}.kind", entry.get("kind"), CONDITIONS)
    name = _named(f"{each}.name", entry.get("name"))
    if kind in _WITHOUT_NAMESPACE:
        if "namespace" in entry:
            raise InputError(f"{each}.namespace", f"is not allowed: a {kind} has no namespace", predicate=True)
        namespace = ""
    else:
        namespace = _named(f"{each}.namespace", entry.get("namespace"))
    condition = input_readers.read_text(f"{each}.condition", entry.get("condition", CONDITIONS[kind]))
    if kind in _WITHOUT_CONDITIONS and condition != READY:
        raise input_readers.input_error(f"{each}.condition", condition, f'"{READY}" for a {kind}')
    if not _CONDITION.fullmatch(condition):
        raise input_readers.input_error(f"{each}.condition", condition, 'a condition type such as "Available"')
    return KubernetesCondition(kind=kind, name=name, namespace=namespace, condition=condition)


def _named(name: str, value: Any) -> str:
    if value is None:
        raise InputError(name, "is required", predicate=True)
    if not isinstance(value, str) or len(value) > 253 or not _OBJECT.fullmatch(value):
        raise input_readers.input_error(name, value, "a name that Kubernetes allows")
    return value


def _read_checks(name: str, value: Any) -> tuple[HttpCheck, ...]:
    found = _entries(name, value, ("url", "status", "contains"))
    return tuple(dict.fromkeys(_check(each, entry) for each, entry in found))


def _check(each: str, entry: Mapping[str, Any]) -> HttpCheck:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSpec:
    """The inputs of one gate, in the order of the reference. Durations are seconds."""

    ocean_id: str = declare_input(TEXT, "Ocean cluster, ``o-...``.", absent="", required=True)
    migration_ids: tuple[str, ...] = declare_input(
        TEXTS, "Migrations of the wave before, the latest last. The gate waits again when they change."
    )
    succeeded: bool = declare_input(
        FLAG, "Output ``succeeded`` of the wave before: the gate fails unless it is true.", default=True
    )
    remaining: tuple[str, ...] = declare_input(
        TEXTS, "Output ``remaining_nodes`` of the wave before, for the message when it did not succeed."
    )
    scheduled: bool = declare_input(
        FLAG,
        "Every pod must be scheduled: of the cluster, or without access to Kubernetes of the latest migration.",
        default=True,
    )
    heartbeat: bool = declare_input(
        FLAG, "The Ocean Controller must report: active, and within the last 10 minutes.", default=True
    )
    kubernetes_conditions: tuple[KubernetesCondition, ...] = declare_input(
        InputType(_read_conditions, _MAPS, "list of maps", absent=()),
        "Conditions of Kubernetes objects, each with ``kind``, ``namespace``, ``name`` and ``condition``.",
    )
    http_checks: tuple[HttpCheck, ...] = declare_input(
        InputType(_read_checks, _MAPS, "list of maps", absent=()),
        "URLs that must answer, each with ``url``, ``status`` (200) and ``contains``.",
    )
    workload_baseline: HealthBaseline | None = declare_input(
        InputType(_read_baseline, "Mapping[str, Any]", "map"),
        "Output ``workload_baseline`` of the wave before: with access to Kubernetes its workloads must be ready.",
        none_means="that workloads are not judged",
        compared=False,
    )
    min_pods_on_ocean: int = declare_input(
        input_readers.whole_number(0, 100),
        "Percentage of the wave's pods that must have arrived on Ocean nodes; one pod may always be missing.",
        default=80,
        compared=False,
    )
    hold_for: float = declare_input(
        DURATION, "How long everything must hold without a break; no answer is a break.", default="30s"
    )
    timeout: float | None = declare_input(
        InputType(_read_timeout, "str"),
        "How long the gate waits at most; a shorter ``custom_timeouts`` applies, and alone replaces the default.",
        default="15m",
        absent=None,
        compared=False,
    )
    account_id: str | None = declare_input(
        ACCOUNT, "Spot account, ``act-...``.", none_means="the account of the settings"
    )
    kubeconfig: str | None = declare_input(
        KUBECONFIG_CONTENT,
        "Kubeconfig of the cluster, content (text or map) or path. Never stored in state.",
        none_means="``KUBECONFIG``, or the pod that Pulumi runs in",
        secret=True,
    )
    kube_context: str | None = declare_input(
        TEXT, "Context of the kubeconfig.", none_means="its current context", compared=False
    )

    def limit(self, custom: float | None) -> float:
        """Return the seconds until the deadline; of ``timeout`` and a ``custom`` timeout the shorter counts."""
        return min((seconds for seconds in (self.timeout, custom) if seconds is not None), default=TIMEOUT)


INPUT_DECLARATIONS: Final = declared_inputs(GateSpec)

ACCEPTED: Final = tuple(INPUT_DECLARATIONS)
"""The names of all inputs, in the order of the reference."""

INPUTS: Final = tuple(name for name, each in INPUT_DECLARATIONS.items() if not each.secret)
"""The names of all inputs that a state may hold."""

COMPARED: Final = frozenset(name for name in INPUTS if INPUT_DECLARATIONS[name].compared)
"""The inputs for which an open gate waits again when they change."""


def read_gate_spec(
    props: Mapping[str, Any], *, unknown: frozenset[str] = frozenset()
) -> tuple[GateSpec, list[InputError]]:
    """Read the inputs of a gate, and check those that depend on each other; see ``read_inputs``."""
    spec, problems = read_inputs(GateSpec, props, unknown)
    checked = not {"hold_for", "timeout"} & (unknown | {problem.property_name for problem in problems})
    if checked and spec.hold_for >= spec.limit(None):
        timeout, held = (
            props[name] if props.get(name) is not None else INPUT_DECLARATIONS[name].default
            for name in ("timeout", "hold_for")
        )
        problems.append(input_readers.input_error("hold_for", held, f"shorter than timeout ({timeout})"))
    return spec, problems


def changed_inputs(old: GateSpec, new: GateSpec) -> list[str]:
    """Return the names of the inputs for which an open gate waits again when they differ."""
    return [name for name in INPUTS if name in COMPARED and getattr(old, name) != getattr(new, name)]
