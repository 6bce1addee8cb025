"""The pods of services on the nodes that Ocean started, and why some are not ready."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

from ocean_migration_pulumi.common.text import count_noun, list_some, sanitize
from ocean_migration_pulumi.migration.health.not_ready import explain_not_ready, index_warnings
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import WorkloadSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPods:
    """The pods of services on the Ocean nodes of a migration."""

    ready: int
    """Number of ready pods."""
    total: int
    """Number of all pods."""
    failing: tuple[str, ...] = ()
    """A line for each reason for which pods are not ready."""

    @classmethod
    def from_snapshot(cls, snapshot: WorkloadSnapshot, instance_ids: Collection[str]) -> Self | None:
        """Return the pods on these instances; None when the snapshot has none of the instances."""
        names = {name for name, instance_id in snapshot.instances.items() if instance_id in instance_ids}
        if not names:
            return None
        warnings = index_warnings(snapshot.warnings, snapshot.at)
        pods = [pod for pod in snapshot.pods if pod.node_name in names and not pod.deleting]
        reasons: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for pod in pods:
            if (reason := explain_not_ready(pod, warnings, snapshot.at)) is not None:
                reasons[reason.kind].append((pod.full_name, reason.detail))
        failing = tuple(
            f"{count_noun(len(found), 'pod')} not ready on Ocean nodes ({kind}): "
            f"{list_some(sanitize(name) for name, _ in found)}" + (f" ({sanitize(found[0][1])})" if found[0][1] else "")
            for kind, found in sorted(reasons.items())
        )
        return cls(ready=sum(pod.ready for pod in pods), total=len(pods), failing=failing)

    @property
    def summary(self) -> str:
        """How many pods are ready."""
        return f"{self.ready} of {count_noun(self.total, 'pod')} ready on Ocean nodes"
