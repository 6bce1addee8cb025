"""What a drain does with each pod of a node, by the rules of ``kubectl drain`` and of the eviction API."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import DAEMON_SETS, Budget, Pod, Workloads
from ocean_migration_pulumi.migration.scheduling.label_matching import selects
from ocean_migration_pulumi.migration.spec.spec import Wish

_DAEMON_SET: Final = "DaemonSet"


class Fate(StrEnum):
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


LEAVES: Final = frozenset({Fate.EVICTED, Fate.FORCED, Fate.DELETED})
"""Pods that a drain ends; those that are held would be ended too, if they could."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaver:
    """A pod of a drained node; ``budgets`` are those that forbid its eviction."""

    pod: Pod
    fate: Fate
    budgets: tuple[Budget, ...] = ()


def fates(
    pods: Iterable[Pod], workloads: Workloads, wish: Wish, allowed: Collection[str] = frozenset()
) -> list[Leaver]:
    """Return what becomes of each of these pods, sorted by name.

    ``allowed`` are the full names of budgets of which the API server itself said that they allow an eviction.
    """
    budgets: dict[str, list[Budget]] = defaultdict(list)
    for budget in sorted(workloads.budgets, key=lambda budget: budget.full_name):
        budgets[budget.namespace].append(budget)
    guarding: dict[tuple[str, frozenset[tuple[str, str]]], list[Budget]] = {}
    leavers = []
    for pod in sorted(pods, key=lambda pod: pod.full_name):
        alike = pod.namespace, frozenset(pod.labels.items())
        if alike not in guarding:
            guarding[alike] = [budget for budget in budgets[pod.namespace] if selects(budget.selector, pod.labels)]
        leavers.append(_leaver(pod, workloads, wish, guarding[alike], allowed))
    return leavers


def is_orphan(pod: Pod, workloads: Workloads) -> bool:
    """Tell whether the DaemonSet that made a pod is gone, so that nothing brings it back."""
    owner = pod.controller
    return (
        owner is not None
        and owner.kind == _DAEMON_SET
        and workloads.knows(DAEMON_SETS)
        and (pod.namespace, owner.name) not in workloads.daemon_sets
    )


def _leaver(pod: Pod, workloads: Workloads, wish: Wish, budgets: Sequence[Budget], allowed: Collection[str]) -> Leaver:
    if pod.mirror:
        return Leaver(pod=pod, fate=Fate.STATIC)
    if pod.finished:
        return Leaver(pod=pod, fate=Fate.FINISHED)
    if pod.deleting:
        return Leaver(pod=pod, fate=Fate.LEAVING)
    alone = pod.controller is None or is_orphan(pod, workloads)
    if not alone and pod.controller is not None and pod.controller.kind == _DAEMON_SET:
        return Leaver(pod=pod, fate=Fate.DAEMON)
    if alone and not wish.should_evict_stand_alone_pods:
        return Leaver(pod=pod, fate=Fate.KEPT)
    holding = _holding(pod, budgets, allowed)
    if holding and not wish.force_pod_eviction_on_pdb_failure:
        return Leaver(pod=pod, fate=Fate.HELD, budgets=holding)
    if alone:
        return Leaver(pod=pod, fate=Fate.DELETED, budgets=holding)
    return Leaver(pod=pod, fate=Fate.FORCED if holding else Fate.EVICTED, budgets=holding)


def _holding(pod: Pod, budgets: Sequence[Budget], allowed: Collection[str]) -> tuple[Budget, ...]:
    """Return those of its budgets for which the eviction API refuses a pod that is neither finished nor leaving."""
    if pod.phase == "Pending":  # it has not started yet, so there is nothing to disrupt
        return ()
    if len(budgets) > 1:  # refused before any of them is looked at
        return tuple(budgets)
    return tuple(budget for budget in budgets if budget.full_name not in allowed and _forbids(budget, pod))


def _forbids(budget: Budget, pod: Pod) -> bool:
    if budget.disruptions_allowed > 0:
        return False
    # A pod that is not ready is no part of what the budget keeps healthy.
    return pod.ready or not (budget.always_allows_unhealthy or budget.current_healthy >= budget.desired_healthy > 0)
