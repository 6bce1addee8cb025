"""What a rehearsal showed: the order of things, and what is left; its times are invented."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from ocean_migration_pulumi.api.models import MigrationState
from ocean_migration_pulumi.api.times import elapsed
from ocean_migration_pulumi.migration.failures import Failure
from ocean_migration_pulumi.migration.plan import counted, told
from ocean_migration_pulumi.migration.story import Moment

PREDICTION: Final = (
    "A prediction: a simulator's guess. Its step times are invented; what it shows is the order of things, which nodes "
    "and which pods will be left."
)
"""What stands wherever a rehearsal is shown."""

INVENTED: Final = (
    "how long each state lasts, and so how long the migration takes",
    "how many pods are evicted at once: a sixth of a node's pods every 15 seconds",
    "one new node for each old one; limits, capacity and prices of machines are not simulated",
    "that the batch size is rounded up",
    "that pods become ready as soon as they have a node",
)
"""What of a rehearsal is the simulator's own, as nothing documents it."""

STALLED: Final = "stalled"
ENDLESS: Final = "endless"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftPod:
    """A pod that is still on an old node at the end, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftNode:
    """An old node that still has pods at the end; without access to Kubernetes their names are invented.

    ``drained`` tells whether its turn had come before the migration ended.
    """

    instance_id: str
    node_name: str
    asg_name: str | None
    drained: bool
    pods: tuple[LeftPod, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What happened in the simulator.

    ``moments`` are the changes, in their order. ``end`` is the last state, or ``"stalled"`` or ``"endless"`` when no
    end came. ``failure`` is why it failed, None when it did not. ``unscheduled`` names the pods that have no node at
    the end, ``waiting`` those of them that had none before. ``notes`` say what is not known, or left out.
    """

    ocean_id: str
    cluster_name: str
    moments: tuple[Moment, ...]
    nodes: int
    batch_size: int
    batches: int
    seconds: float
    end: str
    done: int
    failure: Failure | None = None
    left: tuple[LeftNode, ...] = ()
    unscheduled: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    new_nodes: int = 0
    notes: tuple[str, ...] = ()

    @property
    def succeeds(self) -> bool:
        """Whether everything moves, and every pod finds a node."""
        return self.end == MigrationState.FINISHED and not self.left and not self.unscheduled

    @property
    def steps(self) -> tuple[Moment, ...]:
        """One moment for each state: when it began, and the counts at its end."""
        found: list[Moment] = []
        for moment in self.moments:
            if found and found[-1].state == moment.state:
                found[-1] = replace(moment, at=found[-1].at)
            else:
                found.append(moment)
        return tuple(found)

    @property
    def headline(self) -> str:
        """The outcome in one line."""
        if self.end == MigrationState.FINISHED:
            what = "finishes"
        elif self.end == STALLED:
            what = "stalls"
        elif self.end == ENDLESS:
            what = "does not end"
        else:
            what = "fails" if self.failure is None else f"fails: {self.failure.message}"
        parts = [f"the migration of {counted(self.nodes, 'node')} {what}", f"{self.done} of them done"]
        if self.left:
            pods = sum(len(node.pods) for node in self.left)
            parts.append(f"{told(pods, 'pod', 'stay')} on {counted(len(self.left), 'node')}")
        if self.unscheduled:
            parts.append(f"{told(len(self.unscheduled), 'pod', 'find')} no node")
        return "; ".join(parts)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, marked as a prediction; ``report.rehearsal`` reads it back."""
        begun = self.moments[0].at if self.moments else None
        return {
            "prediction": True,
            "warning": PREDICTION,
            "invented": list(INVENTED),
            "ocean_id": self.ocean_id,
            "cluster_name": self.cluster_name,
            "headline": self.headline,
            "succeeds": self.succeeds,
            "end": self.end,
            "nodes": self.nodes,
            "nodes_done": self.done,
            "new_nodes": self.new_nodes,
            "batches": self.batches,
            "batch_size": self.batch_size,
            "seconds": round(self.seconds),
            "duration": elapsed(self.seconds),
            "failure": self.failure.to_output() if self.failure else None,
            "timeline": [
                {
                    "after_seconds": round((moment.at - begun).total_seconds()) if begun else 0,
                    "state": moment.state,
                    "nodes_done": moment.done,
                    "nodes": moment.total,
                    "pods_left": moment.pods,
                    "unscheduled": moment.unscheduled,
                    "manual": moment.manual,
                }
                for moment in self.moments
            ],
            "left": [
                {
                    "instance_id": node.instance_id,
                    "node_name": node.node_name,
                    "asg_name": node.asg_name,
                    "drained": node.drained,
                    "pods": [{"name": pod.name, "why": pod.why} for pod in node.pods],
                }
                for node in self.left
            ],
            "unscheduled_pods": list(self.unscheduled),
            "waiting_pods": list(self.waiting),
            "notes": list(self.notes),
        }
