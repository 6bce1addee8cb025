"""The validated inputs of the resource: one declaration for each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.spec.freeze import FREEZE, Freeze
from ocean_migration_pulumi.migration.spec.input_readers import (
    ACCOUNT,
    ANYTHING,
    DIGEST,
    DURATION,
    DURATION_OR_NEVER,
    ENDPOINTS,
    FLAG,
    KUBECONFIG_CONTENT,
    TEXT,
    TEXTS,
    InputType,
    choice,
    input_error,
    percentage,
)
from ocean_migration_pulumi.migration.spec.node_selector import NodeSelector
from ocean_migration_pulumi.migration.spec.options import MigrationOptions, declare_input, declared_inputs, read_inputs
from ocean_migration_pulumi.migration.spec.stop_conditions import STOP_WHEN, StopConditions


def _read_planned(name: str, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise input_error(name, value, "a map of the planned nodes, by instance id")
    return {str(key): str(entry) for key, entry in value.items()}


_SELECTOR: Final = InputType(
    lambda name, value: NodeSelector.parse(value, name), "NodeSelectorArgs | NodeSelectorArgsDict", "NodeSelectorArgs"
)
_PLANNED: Final = InputType(_read_planned, "Mapping[str, str]")


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationSpec:
    """The inputs of one resource, in the order of the reference. Durations are seconds; None is never."""

    ocean_id: str = declare_input(TEXT, "Ocean cluster, ``o-...``.", absent="", required=True, compared=False)
    nodes: NodeSelector = declare_input(
        _SELECTOR, "Nodes to migrate.", absent=NodeSelector(), required=True, compared=False
    )
    new_nodes: str = declare_input(
        choice("report", "migrate"),
        'Nodes that match later: ``"report"`` lists them, ``"migrate"`` adds them to the plan.',
        default="report",
    )
    batch_size_percentage: int = declare_input(
        percentage(1, 50), "Percentage of the nodes to drain at once, 1 to 50.", default=20, reviewed=True
    )
    should_terminate_drained_nodes: bool = declare_input(FLAG, "Terminate drained nodes.", default=False, reviewed=True)
    should_evict_stand_alone_pods: bool = declare_input(
        FLAG, "Delete standalone pods, which no controller recreates.", default=False, reviewed=True
    )
    force_pod_eviction_on_pdb_failure: bool = declare_input(
        FLAG, "Delete pods that PodDisruptionBudgets protect.", default=False, reviewed=True
    )
    unmatched_nodes: str = declare_input(
        choice("fail", "skip", "allow"),
        'Nodes that match no Virtual Node Group: ``"fail"`` the plan, ``"skip"`` them, or ``"allow"`` them.',
        default="fail",
        reviewed=True,
    )
    when_no_nodes: str = declare_input(
        choice("fail", "succeed"),
        'If no node matches and none ever did: ``"fail"``, or ``"succeed"`` without a migration.',
        default="fail",
    )
    virtual_node_group_ids: tuple[str, ...] = declare_input(
        TEXTS, "Virtual Node Groups of the stack that must exist before the migration.", compared=False
    )
    planned_elsewhere: tuple[str, ...] = declare_input(
        TEXTS,
        "Instance ids that other migrations plan, such as earlier waves; never added to this plan.",
        compared=False,
    )
    later_migrations: tuple[str, ...] = declare_input(
        TEXTS,
        "Names of the migrations that follow, such as later waves: the preview names them, as pods can land on their "
        "nodes.",
        compared=False,
    )
    prerequisites: str = declare_input(
        choice("enforce", "warn", "off"),
        'Failed pre-flight checks: ``"enforce"`` prevents the start, ``"warn"`` warns, ``"off"`` skips the checks.',
        default="enforce",
        reviewed=True,
    )
    approved_plan: str | None = declare_input(
        DIGEST,
        "Digest of the reviewed plan, at least 16 digits of it; another plan is refused.",
        none_means="the digest in ``ocean-migration:approvedPlan``",
    )
    when_busy: str = declare_input(
        choice("wait", "fail"),
        'If another migration is running on the cluster: ``"wait"`` for its end, or ``"fail"``.',
        default="wait",
    )
    wait_for: str = declare_input(
        choice("finished", "started", "progress"),
        'When ``up`` continues: ``"finished"``, ``"started"``, or ``"progress"`` with ``wait_for_percentage``.',
        default="finished",
    )
    wait_for_percentage: int | None = declare_input(
        percentage(1, 100), 'Percentage of migrated nodes for ``wait_for="progress"``, 1 to 100.'
    )
    stall_timeout: float | None = declare_input(
        DURATION_OR_NEVER, 'Fail after this long without any progress, or ``"never"``.', default="30m"
    )
    soak_time: float = declare_input(
        DURATION, "After the end, require scheduled pods and an active Ocean Controller for this long.", default="0s"
    )
    on_timeout: str = declare_input(
        choice("leave", "stop"),
        'After a deadline or stall, ``"leave"`` the migration running or ``"stop"`` it.',
        default="leave",
        reviewed=True,
    )
    terminate_drained_nodes_on_stop: bool = declare_input(
        FLAG, "Terminate nodes that are already drained when a migration is stopped.", default=False, reviewed=True
    )
    freeze: Freeze = declare_input(
        FREEZE,
        "When no migration starts: a map of ``not_before``, ``not_after``, ``weekly`` and ``time_zone``.",
        compared=False,
    )
    health: str = declare_input(
        choice("enforce", "warn", "off"),
        "Workloads that are not as ready as before when the nodes are drained, with access to Kubernetes: "
        '``"enforce"`` fails ``up``, ``"warn"`` warns, ``"off"`` skips the check.',
        default="enforce",
        reviewed=True,
        digested=False,
    )
    settle_timeout: float = declare_input(
        DURATION,
        "How long workloads may take to become ready; extended while more pods become ready, by startup probes and "
        "for volumes that one node uses at a time.",
        default="15m",
    )
    stop_when: StopConditions | None = declare_input(
        STOP_WHEN,
        "Stop the migration when it breaks workloads: ``broken_workloads`` (true), ``below_required_for``, "
        "``unscheduled_for`` (durations of at least 15m), ``kubernetes_conditions`` and ``http_checks``, as a gate has "
        "them, with ``for`` and ``no_answer``. All but HTTP checks need access to Kubernetes.",
        none_means="that nothing stops it",
        reviewed=True,
        digested=False,
    )
    triggers: tuple[Any, ...] = declare_input(
        ANYTHING, "Any change migrates planned nodes again that still have pods.", reviewed=True
    )
    account_id: str | None = declare_input(
        ACCOUNT, "Spot account, ``act-...``.", none_means="the account of the settings", compared=False
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
    notifications: tuple[str, ...] = declare_input(
        ENDPOINTS, "URLs that receive start, end and problems. Never stored in state.", secret=True
    )
    planned_nodes: Mapping[str, str] | None = declare_input(
        _PLANNED, "The plan, as ``check`` adds it.", none_means="that it cannot be made", compared=False, internal=True
    )
    unknown: frozenset[str] = frozenset()
    """The inputs whose value is known only later; until then each has its default."""
    require_approval: bool = False
    """Whether the settings require an approved plan."""

    @property
    def options(self) -> MigrationOptions:
        """The options that Ocean takes."""
        return MigrationOptions.from_attributes(self)

    @property
    def triggers_digest(self) -> str:
        """A short digest of the triggers, the same for the same values."""
        return digest_value(self.triggers)


def hash_value(value: Any) -> str:
    """Return a stable hash of JSON values; 3 and 3.0 are the same number."""
    plain = json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(plain.encode()).hexdigest()


def digest_value(value: Any) -> str:
    """Return the first 16 digits of the hash of JSON values."""
    return hash_value(value)[:16]


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


INPUT_DECLARATIONS: Final = declared_inputs(MigrationSpec)

KUBECONFIG: Final = "kubeconfig"
"""The input that gives access to Kubernetes."""

HIDDEN: Final = tuple(name for name, each in INPUT_DECLARATIONS.items() if each.secret)
"""The inputs that never get beyond ``check``, so that no state holds them."""

ACCEPTED: Final = tuple(INPUT_DECLARATIONS)
"""The names of all inputs, in the order of the reference."""

ORDERING: Final = frozenset({"virtual_node_group_ids", "planned_elsewhere", "later_migrations"})
"""The inputs that order migrations: what they do to the plan is in ``planned_nodes``."""

INPUTS: Final = tuple(name for name in ACCEPTED if name not in HIDDEN)
"""The names of all inputs that a state may hold."""


def read_spec(
    props: Mapping[str, Any], *, unknown: frozenset[str] = frozenset()
) -> tuple[MigrationSpec, list[InputError]]:
    """Read the inputs of a resource, and check those that depend on each other; see ``read_inputs``."""
    spec, problems = read_inputs(MigrationSpec, props, unknown)
    spec = replace(spec, unknown=unknown)
    unchecked = unknown | {problem.property_name for problem in problems}
    if unchecked.isdisjoint({"wait_for", "wait_for_percentage"}):
        if spec.wait_for == "progress" and spec.wait_for_percentage is None:
            problems.append(InputError("wait_for_percentage", 'is required with wait_for="progress"', predicate=True))
        if spec.wait_for != "progress" and spec.wait_for_percentage is not None:
            problems.append(InputError("wait_for_percentage", 'requires wait_for="progress"', predicate=True))
    return spec, problems


def keeps_plan(olds: Mapping[str, Any], new: MigrationSpec) -> bool:
    """Tell whether the plan of the last inputs stays, whatever nodes there are now.

    Args:
        olds: The last inputs; empty for a new resource.
        new: The inputs of today.
    """
    old, _ = read_spec(olds)
    return (
        old.planned_nodes is not None
        and new.new_nodes == "report"
        and (old.ocean_id, old.account_id) == (new.ocean_id, new.account_id)
        and new.nodes.is_same_selection(old.nodes)
        and new.triggers_digest == old.triggers_digest
        and new.unknown.isdisjoint({"ocean_id", "nodes", "new_nodes", "triggers"})
    )


def changed_options(old: MigrationSpec, new: MigrationSpec) -> list[str]:
    """Return the names of the options that differ; what selects nodes is compared elsewhere."""
    return [
        name
        for name in INPUTS
        if INPUT_DECLARATIONS[name].compared and _plain(getattr(old, name)) != _plain(getattr(new, name))
    ]
