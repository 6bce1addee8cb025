"""PodDisruptionBudgets: which pods each one selects, and whether a pod can be evicted now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ocean_migration_pulumi.testing.simulator.kubernetes_api import selectors as kubernetes_selectors
from ocean_migration_pulumi.testing.simulator.world.pods import BUDGET_LABEL, SimPod, get_pod_labels
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster


def get_budget_selector(cluster: SimCluster, name: str) -> dict[str, Any]:
    """Return the ``LabelSelector`` that Kubernetes shows for a budget."""
    selector = cluster.selectors.get(name)
    return {"matchLabels": {BUDGET_LABEL: name.rpartition("/")[2]}} if selector is None else selector


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetStatus:
    """The status of a PodDisruptionBudget."""

    name: str
    """``namespace/name``."""
    minimum: int
    """Pods that must stay healthy."""
    healthy: int
    """Selected pods that are healthy now."""
    expected: int
    """Selected pods, pending ones included."""

    @property
    def allowed(self) -> int:
        """The number of pods that can be evicted now."""
        return max(0, self.healthy - self.minimum)


class DisruptionBudgets:
    """The PodDisruptionBudgets of a cluster at one moment, and the healthy pods that each one selects."""

    def __init__(self, cluster: SimCluster) -> None:
        self._cluster = cluster
        self._selectors: dict[str, list[tuple[str, kubernetes_selectors.Selector]]] = {}
        for name, selector in cluster.selectors.items():
            if name in cluster.budgets:
                namespace = name.partition("/")[0]
                parsed = kubernetes_selectors.parse_label_selector(selector)
                self._selectors.setdefault(namespace, []).append((name, parsed))
        self._healthy: Counter[str] = Counter(
            name for pod in _scheduled_pods(cluster) if pod.healthy for name in self.select_budgets(pod)
        )

    def select_budgets(self, pod: SimPod) -> list[str]:
        """Return the names of the budgets that select a pod."""
        names = []
        if pod.namespace in self._selectors:
            labels = get_pod_labels(pod)
            selectors = self._selectors[pod.namespace]
            names = [name for name, selector in selectors if kubernetes_selectors.selects(selector, labels)]
        if pod.budget in self._cluster.budgets and pod.budget not in self._cluster.selectors:
            names.append(pod.budget)
        return names

    def find_blockers(self, pod: SimPod) -> list[str]:
        """Return the budgets that block the eviction of a pod now.

        The eviction API evicts no pod that has more than one budget. It always evicts a pod that has not started or
        has ended, and a pod that is not ready while enough other pods are healthy.
        """
        if pod.phase in ("Pending", "Succeeded", "Failed"):
            return []
        names = self.select_budgets(pod)
        if len(names) != 1:
            return names
        healthy, minimum = self._healthy[names[0]], self._cluster.budgets[names[0]]
        can_evict = healthy > minimum or (not pod.healthy and 0 < minimum <= healthy)
        return [] if can_evict else names

    def record_eviction(self, pod: SimPod) -> None:
        """Count an evicted pod as no longer healthy."""
        if pod.healthy:
            self._healthy.subtract(self.select_budgets(pod))

    def list_statuses(self) -> list[BudgetStatus]:
        """Return the status of every budget."""
        pending_pods = (pending.pod for pending in self._cluster.pending)
        expected = Counter(
            name
            for pods in (_scheduled_pods(self._cluster), pending_pods)
            for pod in pods
            for name in self.select_budgets(pod)
        )
        return [
            BudgetStatus(name=name, minimum=minimum, healthy=self._healthy[name], expected=expected[name])
            for name, minimum in self._cluster.budgets.items()
        ]


def _scheduled_pods(cluster: SimCluster) -> Iterator[SimPod]:
    for node in cluster.nodes.values():
        if not node.terminated:
            yield from node.pods
