"""PodDisruptionBudgets: which pods they hold, and whether one of these may leave now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ocean_migration_pulumi.testing.simulator.kubernetes_api import selectors as kubernetes_selectors
from ocean_migration_pulumi.testing.simulator.world import pods as kubernetes_pods
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster, SimPod


def selector_of(cluster: SimCluster, name: str) -> dict[str, Any]:
    """Return the selector of a budget as its object has it."""
    own = cluster.selectors.get(name)
    return {"matchLabels": {kubernetes_pods.BUDGET_LABEL: name.rpartition("/")[2]}} if own is None else own


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a budget stands, as its status tells it."""

    name: str
    minimum: int
    healthy: int
    expected: int

    @property
    def allowed(self) -> int:
        """How many of its pods may leave now."""
        return max(0, self.healthy - self.minimum)


class Guards:
    """The budgets of a cluster at one moment.

    ``healthy`` counts the pods that each holds; whoever evicts one takes it off.
    """

    def __init__(self, cluster: SimCluster) -> None:
        self._cluster = cluster
        self._selectors: dict[str, list[tuple[str, kubernetes_selectors.Selector]]] = {}
        for name, selector in cluster.selectors.items():
            if name in cluster.budgets:
                namespace = name.partition("/")[0]
                self._selectors.setdefault(namespace, []).append((name, kubernetes_selectors.of_json(selector)))
        self.healthy: Counter[str] = Counter(
            name for pod in _placed(cluster) if pod.healthy for name in self.stuck_pod(pod)
        )

    def stuck_pod(self, pod: SimPod) -> list[str]:
        """Return the names of the budgets that hold a pod; the API evicts none that has more than one."""
        names = []
        if pod.namespace in self._selectors:
            labels = kubernetes_pods.labels_of(pod)
            selectors = self._selectors[pod.namespace]
            names = [name for name, selector in selectors if kubernetes_selectors.selects(selector, labels)]
        if pod.budget in self._cluster.budgets and pod.budget not in self._cluster.selectors:
            names.append(pod.budget)
        return names

    def blocking(self, pod: SimPod) -> list[str]:
        """Return the budgets that keep a pod from being evicted now, empty when none does.

        A pod that has not started or has ended is in nobody's way; one that is not ready may go while enough others
        are healthy.
        """
        if pod.phase in ("Pending", "Succeeded", "Failed"):
            return []
        names = self.stuck_pod(pod)
        if len(names) != 1:
            return names
        healthy, minimum = self.healthy[names[0]], self._cluster.budgets[names[0]]
        may_leave = healthy > minimum or (not pod.healthy and 0 < minimum <= healthy)
        return [] if may_leave else names

    def leave(self, pod: SimPod) -> None:
        """Count a pod that was evicted as gone."""
        if pod.healthy:
            self.healthy.subtract(self.stuck_pod(pod))

    def standings(self) -> list[Standing]:
        """Return how every budget stands; pods that are pending are expected, too."""
        pending = (waiting.pod for waiting in self._cluster.pending)
        expected = Counter(
            name for pods in (_placed(self._cluster), pending) for pod in pods for name in self.stuck_pod(pod)
        )
        return [
            Standing(name=name, minimum=minimum, healthy=self.healthy[name], expected=expected[name])
            for name, minimum in self._cluster.budgets.items()
        ]


def _placed(cluster: SimCluster) -> Iterator[SimPod]:
    for node in cluster.nodes.values():
        if not node.terminated:
            yield from node.pods
