"""Check each condition of a gate once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import (
    DeadlineError,
    InputError,
    KubernetesError,
    MigrationNotFoundError,
    PrerequisiteError,
)
from ocean_migration_pulumi.migration.checks import service
from ocean_migration_pulumi.migration.diagnosis.failure_reasons import OUTAGES
from ocean_migration_pulumi.migration.gate.spec import GateSpec
from ocean_migration_pulumi.migration.health.assessment import HealthVerdict, has_arrived, share_on_ocean
from ocean_migration_pulumi.migration.health.baseline import HealthBaseline
from ocean_migration_pulumi.migration.health.stop_checks import Probe, observe_url
from ocean_migration_pulumi.migration.health.watch import HealthWatch
from ocean_migration_pulumi.migration.planning.text.gaps_text import describe_gap
from ocean_migration_pulumi.migration.reconcile.waiter import Denial
from ocean_migration_pulumi.migration.snapshot.protocols import ConditionReader, OceanApi, Reporter, WorkloadReader
from ocean_migration_pulumi.migration.snapshot.sources import NO_ACCESS
from ocean_migration_pulumi.migration.spec.conditions import ConditionObservation, ObservationCode
from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode

LONGEST_LOOK: Final = 30.0
"""Seconds for each check, retries included. One that takes longer is repeated in the next poll."""

_POLLS_PER_LOOK: Final = 4
_ALL_SCHEDULED: Final = ConditionObservation(True, ObservationCode.SCHEDULED)
_UNRECOGNIZED: Final = Gap(GapCode.UNRECOGNIZED_CLUSTER)
_NOT_NOW: Final = (*OUTAGES, KubernetesError)


class GateKubernetes(WorkloadReader, ConditionReader, Protocol):
    """What a gate reads from Kubernetes. Each method raises what ``ConditionReader`` names."""

    def pending_pods(self, scope: CancelScope) -> tuple[str, ...]:
        """Return the pending pods, as namespace/name."""


@dataclass(slots=True, kw_only=True)
class GateContext:
    """Inputs, clients and state of one wait for a gate."""

    spec: GateSpec
    """Validated inputs of the gate."""
    api: OceanApi
    """Client of Spot's API."""
    scope: CancelScope
    """Deadline and cancellation of the wait."""
    reporter: Reporter
    """Receives progress and messages."""
    probe: Probe
    """Requests the URLs of ``http_checks``."""
    poll_interval: float = 15.0
    """Seconds between two polls (±10 %)."""
    kubernetes: GateKubernetes | None = None
    """Reader of the cluster. None without access to Kubernetes."""
    absent: Gap = NO_ACCESS
    """Why there is no access to Kubernetes."""
    explicit: bool = False
    """Whether the access comes from the gate's inputs; then it must work, and belong to the cluster."""
    watch: HealthWatch | None = None
    """Watch of the previous wave's workloads. None before the first poll."""
    seen_at: float = float("-inf")
    """Time of its last assessment, by the clock of ``scope``."""
    denial: Denial | None = None
    """The answers that the latest migration does not exist; None unless the last one was such."""
    recognized: bool = False
    """Whether the nodes in Kubernetes have been verified to be those of the Ocean cluster."""


def refuse_missing_access(gate: GateContext) -> None:
    """Raise PrerequisiteError if the gate needs access to Kubernetes and has none."""
    if gate.kubernetes is None and (gate.spec.kubernetes_conditions or gate.explicit):
        name = "kubernetes_conditions" if gate.spec.kubernetes_conditions else "kubeconfig"
        msg = f"{name}: {describe_gap(gate.absent).line}"
        raise PrerequisiteError(msg)


def observe_cluster(gate: GateContext) -> Iterator[ConditionObservation]:
    """Yield one observation for each condition. All are checked, even if one does not hold."""
    spec = gate.spec
    if spec.heartbeat:
        yield from _ask(gate, "Ocean", _observe_heartbeat)
    if gate.kubernetes is not None and (spec.scheduled or spec.kubernetes_conditions):
        yield from _ask(gate, "Kubernetes", _observe_kubernetes)
    if gate.kubernetes is not None and spec.workload_baseline is not None:
        yield from _observe_workloads(gate, spec.workload_baseline)
    if gate.kubernetes is None and spec.scheduled:
        yield from _ask(gate, "Ocean", _observe_unscheduled)
    for check in spec.http_checks:
        yield observe_url(check, gate.probe, gate.scope)


def _ask(
    gate: GateContext, whom: str, observe: Callable[[GateContext, CancelScope], list[ConditionObservation]]
) -> list[ConditionObservation]:
    """Return observations. A check that fails for now, or takes too long, is not met."""
    try:
        return observe(gate, gate.scope.at_most(LONGEST_LOOK))
    except _NOT_NOW as error:
        return [ConditionObservation(False, ObservationCode.FAILED, fields={"message": str(error)})]
    except DeadlineError:
        gate.scope.check()
        return [ConditionObservation(False, ObservationCode.NOT_IN_TIME, whom)]


def _observe_heartbeat(gate: GateContext, scope: CancelScope) -> list[ConditionObservation]:
    heartbeat = gate.api.within(scope).get_heartbeat(gate.spec.ocean_id)
    now = gate.api.server_now()
    check = service.check_connection(heartbeat, now)
    fields = {"finding": check.finding, **check.fields}
    return [ConditionObservation(service.is_alive(heartbeat, now), ObservationCode.HEARTBEAT, fields=fields)]


def _observe_unscheduled(gate: GateContext, scope: CancelScope) -> list[ConditionObservation]:
    """Look at the pods that the latest migration left without a node, as far as the service knows."""
    if not gate.spec.migration_ids:
        return [ConditionObservation(True, ObservationCode.NO_MIGRATION)]
    latest = gate.spec.migration_ids[-1]
    try:
        status = gate.api.within(scope).get_migration(gate.spec.ocean_id, latest)
    except MigrationNotFoundError:
        return [_observe_denied(gate, scope, latest)]
    gate.denial = None
    pods = {*status.unscheduled_pods, *status.new_unscheduled_pods}
    if not pods:
        return [_ALL_SCHEDULED]
    return [ConditionObservation(False, ObservationCode.UNSCHEDULED, fields={"count": len(pods)})]


def _observe_denied(gate: GateContext, scope: CancelScope, migration_id: str) -> ConditionObservation:
    """Look for a migration in the list whose status is denied; it counts as gone when both deny it for a minute."""
    clock, now = gate.scope.clock(), gate.api.server_now()
    if any(summary.id == migration_id for summary in gate.api.within(scope).list_migrations(gate.spec.ocean_id)):
        gate.denial = None
        return ConditionObservation(False, ObservationCode.MIGRATION_LISTED, migration_id)
    denial = gate.denial = gate.denial or Denial(since=clock, at=now)
    denial.add(clock, now)
    if not denial.is_lost:
        fields = {"seconds": denial.seconds}
        return ConditionObservation(False, ObservationCode.MIGRATION_DENIED, migration_id, fields)
    return ConditionObservation(True, ObservationCode.MIGRATION_GONE, migration_id)


def _observe_kubernetes(gate: GateContext, scope: CancelScope) -> list[ConditionObservation]:
    spec, kubernetes = gate.spec, gate.kubernetes
    observations: list[ConditionObservation] = []
    try:
        if kubernetes is None:
            return observations
        recognized = _is_recognized(gate, kubernetes, scope)
        if recognized is None:
            return [ConditionObservation(False, ObservationCode.GAP, fields={"gap": _UNRECOGNIZED.to_json()})]
        if not recognized:
            return observations
        if spec.scheduled:
            pods = sorted(kubernetes.pending_pods(scope))
            waiting = ConditionObservation(False, ObservationCode.PENDING, fields={"pods": pods})
            observations.append(waiting if pods else _ALL_SCHEDULED)
        if spec.kubernetes_conditions:
            observations += kubernetes.observe(scope, spec.kubernetes_conditions)
    except PrerequisiteError as error:
        _do_without(gate, Gap.from_error(error))
        return []
    return observations


def _observe_workloads(gate: GateContext, baseline: HealthBaseline) -> list[ConditionObservation]:
    """Look at the workloads of the wave before, once a minute: they must be ready, and have arrived on Ocean nodes."""
    if gate.watch is None and gate.kubernetes is not None:
        gate.watch = HealthWatch(
            kubernetes=gate.kubernetes,
            scope=gate.scope,
            now=gate.api.server_now,
            find_ocean_nodes=lambda scope: {
                node.instance_id for node in gate.api.within(scope).list_nodes(gate.spec.ocean_id)
            },
            baseline=baseline,
        )
    watch, now = gate.watch, gate.scope.clock()
    if watch is None or not baseline.workloads:
        return []
    if watch.report is None or now - gate.seen_at >= _POLLS_PER_LOOK * gate.poll_interval:
        gate.seen_at = now
        if watch.assess() is None:
            gate.scope.check()
            missed = {"gap": watch.missed.to_json()}
            return [ConditionObservation(False, ObservationCode.WORKLOADS_UNREAD, fields=missed)]
    report = watch.report
    if report is None:
        return []
    if report.below:
        first = report.below[0]
        fields = {"ready": first.pods.ready, "required": first.required, "others": len(report.below) - 1}
        return [ConditionObservation(False, ObservationCode.WORKLOADS_BELOW, str(first.id), fields)]
    arrived, expected = share_on_ocean(report)
    if not has_arrived(report, gate.spec.min_pods_on_ocean):
        fields = {"arrived": arrived, "expected": expected, "percentage": gate.spec.min_pods_on_ocean}
        return [ConditionObservation(False, ObservationCode.PODS_ARRIVED, fields=fields)]
    unknown = [
        {"workload": str(workload), "excuse": excuse} for workload, excuse in report.list_excused(HealthVerdict.UNKNOWN)
    ]
    ready = {"count": report.verdicts.get(HealthVerdict.WELL, 0), "unknown": unknown}
    return [ConditionObservation(True, ObservationCode.WORKLOADS_READY, fields=ready)]


def _is_recognized(gate: GateContext, kubernetes: GateKubernetes, scope: CancelScope) -> bool | None:
    """Verify once that the kubeconfig belongs to the Ocean cluster. None if it is not known yet."""
    if gate.recognized:
        return True
    nodes = kubernetes.instances(scope)
    api, ocean_id = gate.api.within(scope), gate.spec.ocean_id
    known = {node.instance_id for node in api.discover(ocean_id, fetch_pods=False)}
    known |= {node.instance_id for node in api.list_nodes(ocean_id)}
    if nodes and known and not nodes & known:
        gap = Gap(GapCode.OTHER_CLUSTER, {"access": "the access to Kubernetes"})
        if gate.explicit:
            raise InputError("kubeconfig", f"{describe_gap(gap).reason}; use the kubeconfig of cluster {ocean_id}")
        _do_without(gate, gap)
        return False
    gate.recognized = bool(nodes & known)
    if gate.recognized:
        return True
    if gate.explicit or gate.spec.kubernetes_conditions:
        return None
    _do_without(gate, _UNRECOGNIZED)
    return False


def _do_without(gate: GateContext, gap: Gap) -> None:
    """Continue without access to Kubernetes. Raise PrerequisiteError if the gate requires it."""
    gate.kubernetes, gate.absent = None, gap
    refuse_missing_access(gate)
    gate.reporter.warning(f"{describe_gap(gap).reason}; only Ocean reports unscheduled pods")
