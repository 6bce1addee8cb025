"""Validated inputs of a gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.health.baseline import HealthBaseline
from ocean_migration_pulumi.migration.spec import input_readers
from ocean_migration_pulumi.migration.spec.conditions import (
    HttpCheck,
    KubernetesCondition,
    read_conditions,
    read_http_checks,
)
from ocean_migration_pulumi.migration.spec.input_readers import (
    ACCOUNT,
    DURATION,
    FLAG,
    KUBECONFIG_CONTENT,
    TEXT,
    TEXTS,
    InputType,
)
from ocean_migration_pulumi.migration.spec.options import declare_input, declared_inputs, read_inputs

TIMEOUT: Final = 900.0
"""Seconds that a gate waits if neither ``timeout`` nor ``custom_timeouts`` is set."""

_MAPS: Final = "Sequence[Input[Mapping[str, Any]]]"


def _read_timeout(name: str, value: Any) -> float:
    seconds = input_readers.read_seconds(name, value)
    if not seconds:
        raise input_readers.input_error(name, value, "longer than 0s")
    return seconds


def _read_baseline(name: str, value: Any) -> HealthBaseline:
    found = HealthBaseline.from_output(value)
    if found is None:
        # Read as a baseline without workloads, a map of another kind would open the gate whatever their health.
        raise input_readers.input_error(name, value, "the output workload_baseline of a migration")
    return found


def _read_conditions(name: str, value: Any) -> tuple[KubernetesCondition, ...]:
    return tuple(dict.fromkeys(condition for condition, _ in read_conditions(name, value)))


def _read_checks(name: str, value: Any) -> tuple[HttpCheck, ...]:
    return tuple(dict.fromkeys(check for check, _ in read_http_checks(name, value)))


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSpec:
    """Inputs of one gate, in the order of the reference. Durations are in seconds."""

    ocean_id: str = declare_input(TEXT, "Ocean cluster, ``o-...``.", absent="", required=True)
    migration_ids: tuple[str, ...] = declare_input(
        InputType(input_readers.read_texts, "Sequence[Input[str | None]]", "list of str", absent=()),
        "Migrations of the previous wave, the latest last; if ``succeeded`` is set, None stands for a wave that "
        "started none. The gate waits again when they change.",
    )
    succeeded: bool = declare_input(
        FLAG, "Output ``succeeded`` of the previous wave: the gate fails unless it is true.", default=True
    )
    remaining: tuple[str, ...] = declare_input(
        TEXTS, "Output ``remaining_nodes`` of the previous wave, for the message when it did not succeed."
    )
    scheduled: bool = declare_input(
        FLAG,
        "All pods of the cluster must be scheduled; without access to Kubernetes, those of the latest migration.",
        default=True,
    )
    heartbeat: bool = declare_input(
        FLAG, "The Ocean Controller must have reported as active within the last 10 minutes.", default=True
    )
    kubernetes_conditions: tuple[KubernetesCondition, ...] = declare_input(
        InputType(_read_conditions, _MAPS, "list of maps", absent=()),
        "Conditions of Kubernetes objects, each with ``kind``, ``namespace``, ``name``, ``condition``, ``status`` "
        '(``"True"``), and for other kinds ``api_version``.',
    )
    http_checks: tuple[HttpCheck, ...] = declare_input(
        InputType(_read_checks, _MAPS, "list of maps", absent=()),
        "URLs that must respond, each with ``url``, ``status`` (200) and ``contains``.",
    )
    workload_baseline: HealthBaseline | None = declare_input(
        InputType(_read_baseline, "Mapping[str, Any]", "map"),
        "Output ``workload_baseline`` of the previous wave: with access to Kubernetes, its workloads must be ready.",
        none_means="that workloads are not checked",
        compared=False,
    )
    min_pods_on_ocean: int = declare_input(
        input_readers.percentage(0, 100),
        "Percentage of the wave's pods that must have arrived on Ocean nodes; one pod may always be missing.",
        default=80,
        compared=False,
    )
    hold_for: float = declare_input(
        DURATION,
        "How long all conditions must hold without interruption; a missing response interrupts it.",
        default="30s",
    )
    timeout: float | None = declare_input(
        InputType(_read_timeout, "str"),
        "Maximum time to wait. If both are set, the shorter of ``timeout`` and ``custom_timeouts`` applies.",
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
        """Return the seconds until the deadline: the shorter of ``timeout`` and ``custom``."""
        return min((seconds for seconds in (self.timeout, custom) if seconds is not None), default=TIMEOUT)


INPUT_DECLARATIONS: Final = declared_inputs(GateSpec)

ACCEPTED: Final = tuple(INPUT_DECLARATIONS)
"""Names of all inputs, in the order of the reference."""

INPUTS: Final = tuple(name for name, each in INPUT_DECLARATIONS.items() if not each.secret)
"""Names of the inputs that are stored in state."""

COMPARED: Final = frozenset(name for name in INPUTS if INPUT_DECLARATIONS[name].compared)
"""Names of the inputs whose change makes an open gate wait again."""


def read_gate_spec(
    props: Mapping[str, Any], *, unknown: frozenset[str] = frozenset()
) -> tuple[GateSpec, list[InputError]]:
    """Read and validate the inputs of a gate; see ``read_inputs``.

    A wave whose nodes others have migrated has no migration: where it says whether it succeeded, its id may be None.
    """
    migration_ids = props.get("migration_ids")
    if isinstance(props.get("succeeded"), bool) and isinstance(migration_ids, (list, tuple)):
        props = {**props, "migration_ids": [each for each in migration_ids if each is not None]}
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
    """Return the names of changed inputs that make an open gate wait again."""
    return [name for name in INPUTS if name in COMPARED and getattr(old, name) != getattr(new, name)]
