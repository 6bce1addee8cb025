"""Diagnosis of one migration: its outcome, the reason, the evidence, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from ocean_migration_pulumi.api.models.migration import (
    REQUIRES_MANUAL_MIGRATION,
    MigrationInstance,
    MigrationState,
    MigrationStatus,
)
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.text import count_noun, count_with_verb, list_some, sanitize
from ocean_migration_pulumi.common.times import format_elapsed
from ocean_migration_pulumi.migration.checks.check_result import CheckStatus
from ocean_migration_pulumi.migration.diagnosis import stuck_pods
from ocean_migration_pulumi.migration.diagnosis.failure_reasons import read_failure_reason
from ocean_migration_pulumi.migration.diagnosis.investigation import Investigation, format_log_line
from ocean_migration_pulumi.migration.diagnosis.stuck_pods import Blocker, StuckPod, display_name
from ocean_migration_pulumi.migration.planning.text.findings_text import render_check
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import NODES, PODS, KubernetesSnapshot
from ocean_migration_pulumi.migration.snapshot.protocols import OceanApi
from ocean_migration_pulumi.migration.snapshot.sources import DataSources
from ocean_migration_pulumi.migration.spec.vocabulary import INPUTS, Vocabulary
from ocean_migration_pulumi.migration.state.phases import describe_duration, describe_phase, describe_share

__all__ = ["STALL_TIMEOUT", "Diagnosis", "Outcome", "StuckPod", "diagnose_migration"]

STALL_TIMEOUT: Final = 1800.0
"""Seconds without any progress after which a migration counts as stalled."""


class Outcome(StrEnum):
    """The outcome of a migration so far."""

    RUNNING = "running"
    """It makes progress."""
    FINISHED = "finished"
    """It finished, and every node is drained."""
    LEFTOVERS = "leftovers"
    """It finished, and pods are left that require manual migration."""
    STOPPED = "stopped"
    """It was stopped."""
    FAILED = "failed"
    """It ended in FINISHED_ERROR."""
    STALLED = "stalled"
    """It runs without progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The outcome of a migration, and why."""

    outcome: Outcome
    """The outcome so far."""
    headline: str
    """The outcome and the reason on one line."""
    reason: str = ""
    """One of ``failure_reasons.REASONS``, ``"unknown"``, ``"stall"``, ``"stopped"`` or ``"leftovers"``; else empty."""
    evidence: tuple[str, ...] = ()
    """Lines that show the reason."""
    remedy: str = ""
    """What to do; empty if there is nothing to do."""
    stuck: tuple[StuckPod, ...] = ()
    """The pods that are still on old nodes, or wait for a node."""
    unscheduled: tuple[str, ...] = ()
    """Unscheduled pods: ``namespace/name``, or the id where Kubernetes does not tell the name."""
    notes: tuple[str, ...] = ()
    """What is unknown, and why."""
    vocabulary: Vocabulary = INPUTS
    """How its texts name inputs."""


def diagnose_migration(
    api: OceanApi,
    scope: CancelScope,
    sources: DataSources,
    ocean_id: str,
    status: MigrationStatus,
    *,
    changed_at: datetime | None = None,
    now: datetime | None = None,
    stall_timeout: float = STALL_TIMEOUT,
    vocabulary: Vocabulary = INPUTS,
) -> Diagnosis:
    """Diagnose a migration from its status and other sources; a source that does not answer becomes a note.

    Args:
        api: Spot's API.
        scope: Bounds the questions.
        sources: Data sources besides Spot.
        ocean_id: Id of the cluster.
        status: Status of the migration.
        changed_at: When the status last changed. None if nobody watched it: then the cluster's log is read.
        now: The current time, by Spot's clock. None means to use that of the API.
        stall_timeout: Seconds without progress after which the migration counts as stalled.
        vocabulary: How the texts name inputs.

    Raises:
        OperationCancelled: The operation was cancelled.

    """
    investigation = Investigation(
        api=api.within(scope),
        scope=scope,
        sources=sources,
        ocean_id=ocean_id,
        status=status,
        now=api.server_now() if now is None else now,
        vocabulary=vocabulary,
    )
    diagnosis = _diagnose(investigation, changed_at, stall_timeout)
    return replace(
        diagnosis,
        unscheduled=tuple(investigation.unscheduled_pods()),
        notes=tuple(investigation.notes),
        vocabulary=vocabulary,
    )


def _diagnose(investigation: Investigation, changed_at: datetime | None, stall_timeout: float) -> Diagnosis:
    """Return the diagnosis without its notes."""
    status = investigation.status
    if status.state == MigrationState.FINISHED_ERROR:
        return _diagnose_failed(investigation)
    if status.state == MigrationState.STOPPED:
        return _diagnose_stopped(investigation)
    if status.state == MigrationState.FINISHED:
        manual = [node for node in status.old_instances if node.state == REQUIRES_MANUAL_MIGRATION]
        return _diagnose_leftovers(investigation, manual) if manual else _diagnose_finished(investigation)
    last_change, evidence = investigation.find_last_change(changed_at, stall_timeout)
    if last_change is not None:
        idle = (investigation.now - last_change).total_seconds()
        if idle >= stall_timeout:
            return _diagnose_stalled(investigation, idle, evidence)
    return _diagnose_running(investigation)


def _diagnose_running(investigation: Investigation) -> Diagnosis:
    status = investigation.status
    kube = investigation.read_kubernetes() if investigation.undrained_nodes else None
    nodes = [node for node in status.old_instances if node.running_pods]
    pods = sum(node.running_pods or 0 for node in nodes)
    left = [f"{count_noun(pods, 'pod')} left on {count_noun(len(nodes), 'node')}"] if nodes else []
    return Diagnosis(
        outcome=Outcome.RUNNING,
        headline=(
            f"migration {status.id} has run for {format_elapsed(investigation.age)}, {describe_share(status)}: "
            f"{describe_phase(status.state)}"
        ),
        evidence=(*left, *_list_unscheduled(investigation), *investigation.list_pod_findings(kube)),
        stuck=_find_stuck(investigation, kube, investigation.undrained_nodes),
    )


def _diagnose_finished(investigation: Investigation) -> Diagnosis:
    status = investigation.status
    kept = investigation.drained_nodes if status.should_terminate_drained_nodes is False else []
    duration = describe_duration(status, investigation.age)
    kube = investigation.read_kubernetes() if investigation.sources.kubernetes is not None else None
    return Diagnosis(
        outcome=Outcome.FINISHED,
        headline=f"migration {status.id} finished after {duration}: {describe_share(status)}",
        evidence=(*_list_kept(kept), *investigation.list_pod_findings(kube)),
    )


def _diagnose_leftovers(investigation: Investigation, manual: list[MigrationInstance]) -> Diagnosis:
    status = investigation.status
    reported = stuck = stuck_pods.list_reported_pods(manual)
    kube = investigation.read_kubernetes()
    if kube is not None and kube.knows(PODS, NODES):
        stuck = stuck_pods.find_stuck_pods(status, kube, manual, include_unblocked=True)
        if gone := stuck_pods.find_gone_pods(reported, kube):
            investigation.notes.append(f"reported as left by Ocean, but gone: {list_some(gone)}")
    pods = sum(node.running_pods or len(node.pods) for node in manual)
    return Diagnosis(
        outcome=Outcome.LEFTOVERS,
        reason="leftovers",
        headline=(
            f"migration {status.id} finished after {describe_duration(status, investigation.age)}, "
            f"{describe_share(status)}: {count_noun(pods, 'pod')} left on {count_noun(len(manual), 'node')}"
        ),
        evidence=tuple(f"{name} requires manual migration" for name in map(_name_with_pods, manual)),
        remedy="Move these pods manually and terminate their nodes, or migrate these nodes again with other flags",
        stuck=stuck,
    )


def _diagnose_stopped(investigation: Investigation) -> Diagnosis:
    status, undrained = investigation.status, investigation.undrained_nodes
    at = f" at {status.stopped_at}" if status.stopped_at else ""
    log = investigation.read_log() or ()
    kube = investigation.read_kubernetes(investigation.read_candidates()) if undrained else None
    cordoned = _find_cordoned(undrained, kube)
    schedulable = [node for node in undrained if node not in cordoned]
    remedy = ""
    if undrained:
        rest = "the remaining node" if len(undrained) == 1 else f"the {len(undrained)} remaining nodes"
        remedy = f"Find out who stopped the migration and why, then migrate {rest}"
    return Diagnosis(
        outcome=Outcome.STOPPED,
        reason="stopped",
        headline=(
            f"migration {status.id} was stopped{at}, after {describe_duration(status, investigation.age)}, with "
            f"{describe_share(status)}; Ocean does not report who stopped it"
        ),
        evidence=(
            *(
                format_log_line(line)
                for line in log
                if "stop" in line.message.casefold() and "migration" in line.message
            ),
            *_list_kept(investigation.drained_nodes),
            *_list_nodes(schedulable, "node", "schedulable again", _name_with_pods),
            *_list_nodes(cordoned, "node", "still cordoned", _name_with_pods),
            *investigation.list_pod_findings(kube),
        ),
        remedy=remedy,
        stuck=_find_stuck(investigation, kube, undrained),
    )


def _diagnose_failed(investigation: Investigation) -> Diagnosis:
    status, undrained = investigation.status, investigation.undrained_nodes
    failure = read_failure_reason(
        investigation.api, investigation.scope, investigation.ocean_id, status, investigation.now
    )
    candidates = investigation.read_candidates() if undrained else {}
    has_pending = failure.reason == "schedule"
    asks = undrained or has_pending or (status.new_instances and investigation.sources.kubernetes is not None)
    kube = investigation.read_kubernetes(candidates) if asks else None
    evidence = [format_log_line(line) for line in failure.lines]
    if failure.reason == "connectivity" and (connection := investigation.check_controller()):
        evidence.append(f"now: {render_check(connection).seen}")
    if failure.reason in {"termination", "stop-termination"}:
        evidence += _list_nodes(investigation.drained_nodes, "drained node", "not terminated")
    if failure.reason == "stop-reschedule":
        evidence += _list_nodes(_find_cordoned(undrained, kube), "node", "still cordoned")
    unmatched = [
        node
        for node in undrained
        if (candidate := candidates.get(node.instance_id)) and candidate.virtual_node_group_id is None
    ]
    evidence += _list_nodes(undrained, "node", "not drained", _name_with_pods)
    evidence += _list_nodes(unmatched, "node", "without a matching Virtual Node Group")
    evidence += [*_list_unscheduled(investigation), *investigation.list_pod_findings(kube)]
    return Diagnosis(
        outcome=Outcome.FAILED,
        reason=failure.reason,
        headline=(
            f"migration {status.id} failed after {describe_duration(status, investigation.age)}, "
            f"{describe_share(status)}: {sanitize(failure.message)}"
        ),
        evidence=tuple(evidence),
        remedy=failure.remedy,
        stuck=_find_stuck(investigation, kube, undrained, include_pending=has_pending),
    )


def _diagnose_stalled(investigation: Investigation, idle: float, last_change: str) -> Diagnosis:
    status = investigation.status
    draining = stuck_pods.find_draining_nodes(status)
    connection = investigation.check_controller()
    kube = investigation.read_kubernetes()
    waiting = [
        node
        for node in investigation.undrained_nodes
        if node.running_pods and node not in draining and node.state != REQUIRES_MANUAL_MIGRATION
    ]
    evidence = [f"state {status.state}: {describe_phase(status.state)}", last_change]
    evidence += _list_nodes(draining, "node", "not drained", _name_with_pods)
    if waiting:
        evidence.append(f"{count_with_verb(len(waiting), 'more node', 'wait')} for a later batch")
    evidence += [*_list_unscheduled(investigation), *investigation.list_pod_findings(kube)]
    if connection:
        evidence.append(render_check(connection).seen)
    stuck = _find_stuck(investigation, kube, draining, include_unblocked=True, include_pending=True)
    if connection and connection.status is not CheckStatus.PASS:
        remedy = "Make sure that the Ocean Controller runs and reaches Spot"
    elif any(pod.blocker is not Blocker.NONE for pod in stuck):
        remedy = "Remove what blocks these pods"
    else:
        remedy = "Check the pods on these nodes and the log of the Ocean Controller"
    return Diagnosis(
        outcome=Outcome.STALLED,
        reason="stall",
        headline=(
            f"migration {status.id} has made no progress for {format_elapsed(idle)}: {status.state}, "
            f"{describe_share(status)}"
        ),
        evidence=tuple(evidence),
        remedy=f"{remedy}, or stop the migration: evicted pods stay where they are",
        stuck=stuck,
    )


def _find_stuck(
    investigation: Investigation,
    kube: KubernetesSnapshot | None,
    nodes: Sequence[MigrationInstance],
    *,
    include_unblocked: bool = False,
    include_pending: bool = False,
) -> tuple[StuckPod, ...]:
    """Return the stuck pods on these nodes: by Kubernetes, else those that Ocean reports."""
    status, vocabulary = investigation.status, investigation.vocabulary
    if kube is None or not kube.knows(PODS, NODES):
        return stuck_pods.list_reported_pods(status.old_instances)
    found = stuck_pods.find_stuck_pods(
        status, kube, nodes, include_unblocked=include_unblocked, include_pending=include_pending
    )
    if any(pod.blocker in stuck_pods.BUDGET_BLOCKERS for pod in found) and not status.is_terminal:
        investigation.notes.append(
            f"Ocean does not report whether {vocabulary.name('force_pod_eviction_on_pdb_failure')} is set for this "
            "migration"
        )
    if found and status.is_terminal:
        investigation.notes.append("Kubernetes shows the current pods, not those at the end of the migration")
    return found


def _find_cordoned(nodes: Sequence[MigrationInstance], kube: KubernetesSnapshot | None) -> list[MigrationInstance]:
    """Return the nodes that are known to be cordoned."""
    if kube is None or not kube.knows(NODES):
        return []
    known = kube.nodes
    return [node for node in nodes if node.instance_id in known and known[node.instance_id].cordoned]


def _name_with_pods(node: MigrationInstance) -> str:
    name = display_name(node)
    return name if node.running_pods is None else f"{name} ({count_noun(node.running_pods, 'pod')})"


def _list_nodes(
    nodes: Sequence[MigrationInstance],
    noun: str,
    condition: str,
    name: Callable[[MigrationInstance], str] = display_name,
) -> list[str]:
    """Return the line that counts and names the nodes in a condition; none without nodes."""
    return [f"{count_noun(len(nodes), noun)} {condition}: {list_some(map(name, nodes))}"] if nodes else []


def _list_kept(drained: Sequence[MigrationInstance]) -> list[str]:
    return _list_nodes(drained, "drained node", "still running (cordoned) and billed")


def _list_unscheduled(investigation: Investigation) -> list[str]:
    """Return the line that counts and names the unscheduled pods."""
    pods = investigation.unscheduled_pods()
    return [f"{count_noun(len(pods), 'pod')} unscheduled: {list_some(map(sanitize, pods))}"] if pods else []
