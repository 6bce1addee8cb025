"""What a drain does with each pod of a node, by the rules of ``kubectl drain`` and of the eviction API."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import Budget, KubernetesSnapshot, Pod
from ocean_migration_pulumi.migration.scheduling.label_matching import selects
from ocean_migration_pulumi.migration.scheduling.workloads import is_daemon_set, is_standalone
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec


class DrainOutcome(StrEnum):
    """What becomes of a pod whose node is drained."""

    EVICTED = "evicted"
    """Evicted, and started elsewhere by its controller."""
    HELD = "held"
    """A PodDisruptionBudget forbids its eviction."""
    FORCED = "forced"
    """A PodDisruptionBudget forbids its eviction, and it is evicted all the same."""
    KEPT = "kept"
    """It has no controller, and stays."""
    DELETED = "deleted"
    """It has no controller, and is evicted: nothing starts it again."""
    DAEMON = "daemon"
    """It belongs to the node, through a DaemonSet."""
    STATIC = "static"
    """It belongs to the node: the mirror of a static pod."""
    FINISHED = "finished"
    """It runs no more."""
    LEAVING = "leaving"
    """It is being deleted already."""


LEAVING_OUTCOMES: Final = frozenset({DrainOutcome.EVICTED, DrainOutcome.FORCED, DrainOutcome.DELETED})
"""Pods that a drain ends; those that are held would be ended too, if they could."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainedPod:
    """A pod of a drained node."""

    pod: Pod
    outcome: DrainOutcome
    budgets: tuple[Budget, ...] = ()
    """The budgets that forbid its eviction."""
    guards: tuple[Budget, ...] = ()
    """All budgets that select it."""


def drain_outcomes(
    pods: Iterable[Pod], kube: KubernetesSnapshot, spec: MigrationSpec, allowed: Collection[str] = frozenset()
) -> list[DrainedPod]:
    """Return what becomes of each of these pods, sorted by name.

    ``allowed`` are the full names of budgets of which the API server itself said that they allow an eviction.
    """
    budgets: dict[str, list[Budget]] = defaultdict(list)
    for budget in sorted(kube.budgets, key=lambda budget: budget.full_name):
        budgets[budget.namespace].append(budget)
    guarding: dict[tuple[str, frozenset[tuple[str, str]]], list[Budget]] = {}
    drained_pods = []
    for pod in sorted(pods, key=lambda pod: pod.full_name):
        alike = pod.namespace, frozenset(pod.labels.items())
        if alike not in guarding:
            guarding[alike] = [budget for budget in budgets[pod.namespace] if selects(budget.selector, pod.labels)]
        drained = _leaver(pod, kube, spec, guarding[alike], allowed)
        drained_pods.append(replace(drained, guards=tuple(guarding[alike])))
    return drained_pods


def _leaver(
    pod: Pod, kube: KubernetesSnapshot, spec: MigrationSpec, budgets: Sequence[Budget], allowed: Collection[str]
) -> DrainedPod:
    if pod.mirror:
        return DrainedPod(pod=pod, outcome=DrainOutcome.STATIC)
    if pod.finished:
        return DrainedPod(pod=pod, outcome=DrainOutcome.FINISHED)
    if pod.deleting:
        return DrainedPod(pod=pod, outcome=DrainOutcome.LEAVING)
    alone = is_standalone(pod, kube)
    if not alone and is_daemon_set(pod.controller):
        return DrainedPod(pod=pod, outcome=DrainOutcome.DAEMON)
    if alone and not spec.should_evict_stand_alone_pods:
        return DrainedPod(pod=pod, outcome=DrainOutcome.KEPT)
    stuck_pod = _holding(pod, budgets, allowed)
    if stuck_pod and not spec.force_pod_eviction_on_pdb_failure:
        return DrainedPod(pod=pod, outcome=DrainOutcome.HELD, budgets=stuck_pod)
    if alone:
        return DrainedPod(pod=pod, outcome=DrainOutcome.DELETED, budgets=stuck_pod)
    return DrainedPod(pod=pod, outcome=DrainOutcome.FORCED if stuck_pod else DrainOutcome.EVICTED, budgets=stuck_pod)


def _holding(pod: Pod, budgets: Sequence[Budget], allowed: Collection[str]) -> tuple[Budget, ...]:
    """Return those of its budgets for which the eviction API refuses a pod that is neither finished nor leaving."""
    if pod.phase == "Pending":  # it has not started yet, so there is nothing to disrupt
        return ()
    if len(budgets) > 1:  # refused before any of them is looked at
        return tuple(budgets)
    return tuple(budget for budget in budgets if budget.full_name not in allowed and _forbids(budget, pod))


def _forbids(budget: Budget, pod: Pod) -> bool:
    # A pod that is not ready is no part of what the budget keeps healthy.
    if not pod.ready and (budget.always_allows_unhealthy or budget.current_healthy >= budget.desired_healthy > 0):
        return False
    # Of a budget that has changed, the API server does not know yet how many evictions it allows.
    return budget.disruptions_allowed <= 0 or not budget.is_processed
