"""Why a migration stands where it does: the outcome, its reason, what shows it, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
from ocean_migration_pulumi.common.text import count_noun, list_some, sanitize
from ocean_migration_pulumi.common.text import count_with_verb as telling
from ocean_migration_pulumi.common.times import format_elapsed
from ocean_migration_pulumi.migration.checks.check_result import CheckStatus
from ocean_migration_pulumi.migration.diagnosis import stuck_pods
from ocean_migration_pulumi.migration.diagnosis.failure_reasons import failure_summary
from ocean_migration_pulumi.migration.diagnosis.investigation import (
    Investigation,
    cordoned,
    is_unmatched,
    left,
    logged,
    stays,
    unscheduled,
    with_pods,
)
from ocean_migration_pulumi.migration.diagnosis.stuck_pods import StuckPod
from ocean_migration_pulumi.migration.planning.findings_text import render_check
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import NODES, PODS, KubernetesSnapshot
from ocean_migration_pulumi.migration.snapshot.protocols import OceanApi
from ocean_migration_pulumi.migration.snapshot.sources import DataSources
from ocean_migration_pulumi.migration.state.phases import describe_duration, describe_phase, describe_share

__all__ = ["STALL_TIMEOUT", "Diagnosis", "Outcome", "StuckPod", "diagnose_migration"]

STALL_TIMEOUT: Final = 1800.0
"""Seconds without any progress after which a migration counts as stalled."""


class Outcome(StrEnum):
    """What became of a migration so far."""

    RUNNING = "running"
    FINISHED = "finished"
    LEFTOVERS = "leftovers"
    STOPPED = "stopped"
    FAILED = "failed"
    STALLED = "stalled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What became of a migration, and why.

    ``headline`` is one line. ``reason`` is one of ``failures.REASONS``, ``"unknown"``, ``"stall"``, ``"stopped"``,
    ``"leftovers"``, or empty when nothing needs one. ``evidence`` are lines that show it, ``remedy`` is empty when
    nothing is to be done. ``notes`` tell what could not be known, and why.
    """

    outcome: Outcome
    headline: str
    reason: str = ""
    evidence: tuple[str, ...] = ()
    remedy: str = ""
    stuck: tuple[StuckPod, ...] = ()
    notes: tuple[str, ...] = ()


def diagnose_migration(
    api: OceanApi,
    scope: CancelScope,
    sources: DataSources,
    ocean_id: str,
    status: MigrationStatus,
    *,
    moved_at: datetime | None = None,
    now: datetime | None = None,
    stall_timeout: float = STALL_TIMEOUT,
) -> Diagnosis:
    """Explain where a migration stands, from its status and from what else can be asked.

    ``moved_at`` is when its status was last seen to change, None when nobody watched: then the cluster's log has to
    tell. ``now`` is the service's time, None the present one. What cannot be asked becomes a note. Raises
    OperationCancelled.
    """
    case = Investigation(
        api=api.within(scope),
        scope=scope,
        sources=sources,
        ocean_id=ocean_id,
        status=status,
        now=api.server_now() if now is None else now,
    )
    if status.state == MigrationState.FINISHED_ERROR:
        return _failed(case)
    if status.state == MigrationState.STOPPED:
        return _stopped(case)
    if status.state == MigrationState.FINISHED:
        manual = list(filter(_is_manual, status.old_instances))
        return _leftovers(case, manual) if manual else _finished(case)
    sign, text = case.last_sign(moved_at, stall_timeout)
    if sign is not None and (still := (case.now - sign).total_seconds()) >= stall_timeout:
        return _stalled(case, still, text)
    return _running(case)


def _is_manual(node: MigrationInstance) -> bool:
    return node.state == REQUIRES_MANUAL_MIGRATION


def _running(case: Investigation) -> Diagnosis:
    status = case.status
    kube = case.kube() if case.open_nodes else None
    return Diagnosis(
        outcome=Outcome.RUNNING,
        headline=(
            f"migration {status.id} has run for {format_elapsed(case.lasted)}, {describe_share(status)}: "
            f"it {describe_phase(status.state)}"
        ),
        evidence=(*left(status), *unscheduled(status)),
        stuck=_holdings(case, kube, case.open_nodes),
        notes=tuple(case.notes),
    )


def _finished(case: Investigation) -> Diagnosis:
    status = case.status
    stay = case.drained_nodes if status.should_terminate_drained_nodes is False else []
    return Diagnosis(
        outcome=Outcome.FINISHED,
        headline=(
            f"migration {status.id} finished after {describe_duration(status, case.lasted)}: {describe_share(status)}"
        ),
        evidence=stays(stay),
    )


def _leftovers(case: Investigation, manual: list[MigrationInstance]) -> Diagnosis:
    status = case.status
    named = stuck_pods.pods_named_by_ocean(manual)
    kube = case.kube()
    stuck = named
    if kube is not None and kube.knows(PODS, NODES):
        stuck = stuck_pods.find_stuck_pods(status, kube, manual, idle=manual)
        if gone := stuck_pods.pods_gone(named, kube):
            case.notes.append(f"left by Ocean, and gone by now: {list_some(gone)}")
    pods = sum(node.running_pods or len(node.pods) for node in manual)
    return Diagnosis(
        outcome=Outcome.LEFTOVERS,
        reason="leftovers",
        headline=(
            f"migration {status.id} finished after {describe_duration(status, case.lasted)}, {describe_share(status)}: "
            f"{count_noun(pods, 'pod')} left on {count_noun(len(manual), 'node')}"
        ),
        evidence=tuple(f"{named} requires manual migration" for named in map(with_pods, manual)),
        remedy="Move these pods by hand, then terminate their nodes, or migrate these nodes again with other flags",
        stuck=stuck,
        notes=tuple(case.notes),
    )


def _stopped(case: Investigation) -> Diagnosis:
    status = case.status
    at = f" at {status.stopped_at}" if status.stopped_at else ""
    lines = [line for line in case.log() or () if "stop" in line.message.casefold() and "migration" in line.message]
    kube = case.kube(case.offered()) if case.open_nodes else None
    remedy = ""
    if case.open_nodes:
        rest = "the remaining node" if len(case.open_nodes) == 1 else f"the {len(case.open_nodes)} remaining nodes"
        remedy = f"Find out who stopped it, and why; then start a migration of {rest}"
    return Diagnosis(
        outcome=Outcome.STOPPED,
        reason="stopped",
        headline=(
            f"migration {status.id} was stopped{at}, after {describe_duration(status, case.lasted)} "
            f"and with {describe_share(status)}; the "
            "service does not tell by whom"
        ),
        evidence=(
            *map(logged, lines),
            *stays(case.drained_nodes),
            *_schedulable(case.open_nodes, kube),
        ),
        remedy=remedy,
        stuck=_holdings(case, kube, case.open_nodes),
        notes=tuple(case.notes),
    )


def _failed(case: Investigation) -> Diagnosis:
    status = case.status
    failure = failure_summary(case.api, case.scope, case.ocean_id, status, case.now)
    offered = case.offered() if case.open_nodes else {}
    waiting = failure.reason == "schedule"
    kube = case.kube(offered) if case.open_nodes or waiting else None
    evidence = [logged(line) for line in failure.lines]
    if failure.reason == "connectivity" and (found := case.connection()):
        evidence.append(f"now: {render_check(found).seen}")
    if failure.reason in {"termination", "stop-termination"} and case.drained_nodes:
        nodes = list_some(map(stuck_pods.display_name, case.drained_nodes))
        evidence.append(f"{count_noun(len(case.drained_nodes), 'drained node')} not terminated: {nodes}")
    if failure.reason == "stop-reschedule" and (closed := cordoned(case.open_nodes, kube)):
        evidence.append(
            f"{count_noun(len(closed), 'node')} still cordoned: {list_some(map(stuck_pods.display_name, closed))}"
        )
    if case.open_nodes:
        nodes = list_some(map(with_pods, case.open_nodes))
        evidence.append(f"{count_noun(len(case.open_nodes), 'node')} not done: {nodes}")
    unmatched = [node for node in case.open_nodes if is_unmatched(offered.get(node.instance_id))]
    if unmatched:
        nodes = list_some(map(stuck_pods.display_name, unmatched))
        evidence.append(f"{telling(len(unmatched), 'node', 'match')} no Virtual Node Group: {nodes}")
    evidence += unscheduled(status)
    return Diagnosis(
        outcome=Outcome.FAILED,
        reason=failure.reason,
        headline=(
            f"migration {status.id} failed after {describe_duration(status, case.lasted)}, "
            f"{describe_share(status)}: {sanitize(failure.message)}"
        ),
        evidence=tuple(evidence),
        remedy=failure.remedy,
        stuck=_holdings(case, kube, case.open_nodes, pending=waiting),
        notes=tuple(case.notes),
    )


def _stalled(case: Investigation, still: float, sign: str) -> Diagnosis:
    status = case.status
    slow = stuck_pods.draining_nodes(status)
    found = case.connection()
    kube = case.kube()
    later = [node for node in case.open_nodes if node.running_pods and node not in slow and not _is_manual(node)]
    evidence = [f"it {describe_phase(status.state)} ({status.state})", sign]
    if slow:
        evidence.append(f"{count_noun(len(slow), 'node')} not drained yet: {list_some(map(with_pods, slow))}")
    if later:
        evidence.append(f"{telling(len(later), 'more node', 'wait')} for a later batch")
    evidence += unscheduled(status)
    if found:
        evidence.append(render_check(found).seen)
    stuck = _holdings(case, kube, slow, idle=slow, pending=True)
    if found and found.status is not CheckStatus.PASS:
        remedy = "Make sure that the Ocean Controller runs and reaches Spot"
    elif any(pod.why != stuck_pods.NOTHING for pod in stuck):
        remedy = "Take away what holds these pods"
    else:
        remedy = "Look at the pods on these nodes, and at the log of the Ocean Controller"
    return Diagnosis(
        outcome=Outcome.STALLED,
        reason="stall",
        headline=(
            f"migration {status.id} has made no progress for {format_elapsed(still)}: {status.state}, "
            f"{describe_share(status)}"
        ),
        evidence=tuple(evidence),
        remedy=f"{remedy}, or stop the migration: pods that have moved stay where they are",
        stuck=stuck,
        notes=tuple(case.notes),
    )


def _schedulable(nodes: Sequence[MigrationInstance], kube: KubernetesSnapshot | None) -> list[str]:
    """Return which of the nodes that a stop left alone take pods again, and which do not."""
    closed = cordoned(nodes, kube) or []
    rest = [node for node in nodes if node not in closed]
    lines = []
    if rest:
        lines.append(f"{telling(len(rest), 'node', 'take')} pods again: {list_some(map(with_pods, rest))}")
    if closed:
        lines.append(f"{count_noun(len(closed), 'node')} still cordoned: {list_some(map(with_pods, closed))}")
    return lines


def _holdings(
    case: Investigation,
    kube: KubernetesSnapshot | None,
    nodes: Sequence[MigrationInstance],
    *,
    idle: Sequence[MigrationInstance] = (),
    pending: bool = False,
) -> tuple[StuckPod, ...]:
    """Return what holds the pods on these nodes: by Kubernetes, else as far as the service tells."""
    if kube is None or not kube.knows(PODS, NODES):
        return stuck_pods.pods_named_by_ocean(case.status.old_instances)
    found = stuck_pods.find_stuck_pods(case.status, kube, nodes, idle=idle, pending=pending)
    if any(pod.why.startswith("PodDisruptionBudget") for pod in found) and not case.status.is_terminal:
        case.notes.append("Ocean does not tell whether this migration forces evictions against PodDisruptionBudgets")
    if found and case.status.is_terminal:
        case.notes.append("what Kubernetes tells is of now, and not of the end of the migration")
    return found
