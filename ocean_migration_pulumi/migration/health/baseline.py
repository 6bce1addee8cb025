"""What workloads were like before a migration: the baseline against which they are judged."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from ocean_migration_pulumi.migration.health.not_ready import explain_not_ready, index_warnings
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import (
    WorkloadController,
    WorkloadId,
    WorkloadPod,
    WorkloadSnapshot,
)

MOST_WORKLOADS: Final = 500
"""The most workloads that a state remembers."""

_MOST_TEMPLATES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadBaseline:
    """One workload with pods on the nodes of a migration, before it started."""

    uid: str = ""
    """Its uid; empty when it is not known."""
    ready: int = 0
    """Its ready pods."""
    desired: int = 0
    """The pods that it asked for; all that it had when it does not tell."""
    planned: int = 0
    """Its pods on the nodes of the migration."""
    ocean: int = 0
    """Its pods on Ocean nodes."""
    rolling: bool = False
    """Whether a rollout was under way."""
    broken: bool = False
    """Whether it had no ready pod, a pod that waiting does not repair, or could not create pods."""
    templates: tuple[str, ...] = ()
    """The pod templates of its pods."""

    @property
    def is_healthy(self) -> bool:
        """Whether everything that it asked for was ready."""
        return not self.broken and not self.rolling and self.ready >= self.desired


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthBaseline:
    """The workloads with pods on the nodes of a migration, before it started."""

    migration_id: str = ""
    """The migration; empty before it has an id."""
    workloads: Mapping[WorkloadId, WorkloadBaseline] = field(default_factory=dict)
    """At most ``MOST_WORKLOADS``."""
    omitted: int = 0
    """How many others there were."""

    @property
    def namespaces(self) -> frozenset[str]:
        """The namespaces of the workloads."""
        return frozenset(workload.namespace for workload in self.workloads)

    def to_output(self) -> dict[str, Any]:
        """Return the baseline as JSON values, with what is empty left out."""
        entries = {
            " ".join(workload): {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in asdict(baseline).items()
                if value
            }
            for workload, baseline in self.workloads.items()
        }
        return {"migration_id": self.migration_id, "omitted": self.omitted, "workloads": entries}

    @classmethod
    def from_output(cls, value: object) -> HealthBaseline | None:
        """Read a baseline back; None when it is none."""
        if not isinstance(value, Mapping) or not isinstance(value.get("workloads"), Mapping):
            return None
        workloads = {}
        for name, entry in value["workloads"].items():
            parts = str(name).split(" ")
            if len(parts) == len(WorkloadId._fields) and isinstance(entry, Mapping):
                workloads[WorkloadId(*parts)] = _read_entry(entry)
        return cls(
            migration_id=str(value.get("migration_id") or ""),
            workloads=workloads,
            omitted=_read_count(value.get("omitted")),
        )


def observe_baseline(snapshot: WorkloadSnapshot, *, planned: Collection[str], ocean: Collection[str]) -> HealthBaseline:
    """Return the baseline that one look shows.

    Args:
        snapshot: The look.
        planned: Instance ids of the nodes to migrate.
        ocean: Instance ids of the Ocean nodes.
    """
    warnings = index_warnings(snapshot.warnings, snapshot.at)
    by_workload = group_pods(snapshot.pods)

    def count(pods: Iterable[WorkloadPod], nodes: Collection[str]) -> int:
        return sum(snapshot.instances.get(pod.node_name, "") in nodes for pod in pods)

    found: dict[WorkloadId, WorkloadBaseline] = {}
    for workload, pods in by_workload.items():
        on_planned = count(pods, planned)
        if not on_planned:
            continue
        controller = snapshot.workloads.get(workload) or WorkloadController(id=workload)
        ready = sum(pod.ready for pod in pods)
        hard = any((reason := explain_not_ready(pod, warnings, snapshot.at)) and reason.hard for pod in pods)
        templates = Counter(pod.template for pod in pods)
        found[workload] = WorkloadBaseline(
            uid=controller.uid,
            ready=ready,
            desired=len(pods) if controller.desired is None else controller.desired,
            planned=on_planned,
            ocean=count(pods, ocean),
            rolling=controller.rolling,
            broken=not ready or hard or bool(controller.create_failure),
            templates=tuple(sorted(template for template, _ in templates.most_common(_MOST_TEMPLATES))),
        )
    return _keep_largest(found)


def merge_baselines(first: HealthBaseline, second: HealthBaseline) -> HealthBaseline:
    """Return the better of two looks at each workload; both come from before the migration."""

    def better(workload: WorkloadId) -> WorkloadBaseline:
        looks = [look.workloads[workload] for look in (second, first) if workload in look.workloads]
        return max(looks, key=lambda each: (not each.rolling, not each.broken, each.ready))

    merged = _keep_largest(
        {workload: better(workload) for workload in first.workloads.keys() | second.workloads.keys()}
    )
    return replace(merged, omitted=max(first.omitted, second.omitted, merged.omitted))


def _keep_largest(found: Mapping[WorkloadId, WorkloadBaseline]) -> HealthBaseline:
    """Return a baseline of those with the most pods to move: a state has to stay small."""
    kept = sorted(found, key=lambda workload: (-found[workload].planned, workload))[:MOST_WORKLOADS]
    return HealthBaseline(
        workloads={workload: found[workload] for workload in sorted(kept)}, omitted=len(found) - len(kept)
    )


def group_pods(pods: Iterable[WorkloadPod]) -> dict[WorkloadId, list[WorkloadPod]]:
    """Return the pods of each workload, without those that are being deleted."""
    found: dict[WorkloadId, list[WorkloadPod]] = defaultdict(list)
    for pod in pods:
        if not pod.deleting:
            found[pod.workload].append(pod)
    return found


def _read_entry(entry: Mapping[str, Any]) -> WorkloadBaseline:
    templates = entry.get("templates")
    return WorkloadBaseline(
        uid=str(entry.get("uid") or ""),
        ready=_read_count(entry.get("ready")),
        desired=_read_count(entry.get("desired")),
        planned=_read_count(entry.get("planned")),
        ocean=_read_count(entry.get("ocean")),
        rolling=entry.get("rolling") is True,
        broken=entry.get("broken") is True,
        templates=tuple(map(str, templates)) if isinstance(templates, (list, tuple)) else (),
    )


def _read_count(value: object) -> int:
    # An engine returns each number of a state as a float.
    return int(value) if isinstance(value, (int, float)) else 0
