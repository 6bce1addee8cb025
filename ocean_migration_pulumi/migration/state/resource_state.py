"""What a resource remembers between runs: its outputs, read tolerantly and written completely."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ocean_migration_pulumi.api.models.migration import (
    REQUIRES_MANUAL_MIGRATION,
    MigrationState,
    MigrationStatus,
    PodDetail,
)
from ocean_migration_pulumi.common.times import sort_key
from ocean_migration_pulumi.migration.health.baseline import HealthBaseline
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode
from ocean_migration_pulumi.migration.spec.spec import INPUTS, MigrationSpec
from ocean_migration_pulumi.migration.state.evidence import NodeJudgement, NodeOutcome, OutcomeReason
from ocean_migration_pulumi.migration.state.migration_record import MigrationRecord, UnansweredStart, to_texts
from ocean_migration_pulumi.migration.state.progress import Progress

NOT_READY: Final = "workloads"
"""The reason of a failure for workloads that are not ready: it stays until they are, or a migration is started."""

_TIMELINE: Final = 60
_MOST_PODS: Final = 100
_NOT_ECHOED: Final = frozenset({"planned_nodes", "planned_elsewhere", "later_migrations", "nodes", "triggers"})


@dataclass(slots=True, kw_only=True)
class ResourceState:
    """Everything that the outputs hold, in the form that a run works with."""

    planned: dict[str, str] = field(default_factory=dict)
    """The plan: an entry for each node, by instance id."""
    migrations: list[MigrationRecord] = field(default_factory=list)
    """The migrations that this resource started or adopted, the latest one last."""
    migrated: set[str] = field(default_factory=set)
    """Nodes whose workloads run elsewhere; also some that are no longer planned."""
    manual: set[str] = field(default_factory=set)
    """Nodes on which a finished migration left pods that Ocean does not move."""
    manual_pods: list[dict[str, str]] = field(default_factory=list)
    """The first 100 of those pods, each with its node and kind: a state has to stay small."""
    remaining: set[str] = field(default_factory=set)
    """Planned nodes that are still to be migrated, or not proven to be."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Why each of them remains, as far as it was determined: values of ``OutcomeReason``."""
    gone: set[str] = field(default_factory=set)
    """Planned nodes that no longer exist, and that no migration held."""
    unverified: set[str] = field(default_factory=set)
    """Migrated nodes on which their finished migration still counts pods, and that nothing has verified."""
    missing_since: dict[str, str] = field(default_factory=dict)
    """When discovery was first seen to miss a remaining node that no migration held, in the service's time."""
    doubted: bool = False
    """Whether version 0.1 concluded from discovery that nodes were migrated: they remain until they are proven."""
    drained: set[str] = field(default_factory=set)
    """Migrated nodes that Ocean did not terminate: they stay, cordoned and billed."""
    drained_usd_per_hour: float | None = None
    """US dollars per hour of those of them whose price is known; None when none is."""
    prices: dict[str, float] = field(default_factory=dict)
    """US dollars per hour of planned nodes, as this run knows them; no output."""
    terminated: set[str] = field(default_factory=set)
    """Migrated nodes that Ocean terminated."""
    joined: list[str] = field(default_factory=list)
    """Nodes that match the selector and are not planned."""
    asg_started: list[str] = field(default_factory=list)
    """Nodes that Auto Scaling Groups of planned nodes started since the plan was made, whether or not they match."""
    asg_other_nodes: dict[str, list[str]] = field(default_factory=dict)
    """The nodes that each of these groups had then and that are not planned, by group: all others it started since."""
    ocean_nodes: list[str] = field(default_factory=list)
    """Nodes that Ocean started for the migrations."""
    unscheduled: list[str] = field(default_factory=list)
    """The first 100 pods that waited for a node in the last status."""
    failure: dict[str, str] | None = None
    """Why the last run failed: ``message``, ``reason`` and ``remedy``; None when it did not."""
    timeline: list[dict[str, Any]] = field(default_factory=list)
    """The last 60 changes of state, the oldest first."""
    unanswered: UnansweredStart | None = None
    """A start whose effect is unknown; None without one."""
    progress: float = 0.0
    """The share of planned nodes that are done, 0 to 100."""
    soaked_until: str | None = None
    """When the soak after the latest migration passed, in the service's time; None before."""
    effective_account_id: str | None = None
    """The account in use; None when unknown."""
    nodes: dict[str, Any] | None = None
    """The selector that was last acted upon; None before the first time."""
    triggers: list[Any] = field(default_factory=list)
    """The triggers that were last acted upon."""
    baseline: HealthBaseline | None = None
    """What the workloads were like before the latest migration; None when that is not known."""
    workload_health: dict[str, Any] | None = None
    """Whether they were ready afterwards: ``migration_id``, ``state``, ``final``, ``at``, ``reason``, counts, and at
    most 50 that were not ready; None before a migration ended."""
    target_reached: bool = False
    """Whether the wait ended at the target of ``wait_for``, while the migration went on."""

    @property
    def latest(self) -> MigrationRecord | None:
        """The latest migration; None before the first."""
        return self.migrations[-1] if self.migrations else None

    @property
    def lacks_workloads(self) -> bool:
        """Whether the last run failed because workloads were not ready."""
        return (self.failure or {}).get("reason") == NOT_READY

    @property
    def lost_migrations(self) -> list[MigrationRecord]:
        """The migrations that the service denies, as long as one of their nodes remains."""
        return [
            migration
            for migration in self.migrations
            if migration.lost and self.remaining and (self.remaining & set(migration.instance_ids or self.remaining))
        ]

    def add(self, migration: MigrationRecord) -> None:
        """Record a new latest migration; what was true of the one before no longer holds."""
        self.migrations.append(migration)
        self.soaked_until = None
        self.workload_health = None
        self.failure = None
        self.target_reached = False

    def add_to_timeline(self, at: str, progress: Progress) -> None:
        """Add a change of state to the timeline, and drop the oldest entries."""
        entry = {
            "at": at,
            "state": progress.state,
            "nodes_done": progress.done,
            "nodes": progress.total,
            "pods_left": progress.pods,
            "unscheduled": progress.unscheduled,
        }
        self.timeline = [*self.timeline, entry][-_TIMELINE:]

    def update(self, status: MigrationStatus) -> None:
        """Record what a status says beyond its own migration: Ocean's new nodes, and unscheduled pods."""
        self.ocean_nodes = sorted({*self.ocean_nodes, *(instance.instance_id for instance in status.new_instances)})
        self.unscheduled = sorted(status.unscheduled_ids)[:_MOST_PODS]

    def apply_outcomes(self, outcomes: Mapping[str, NodeJudgement]) -> None:
        """Record the outcomes of the planned nodes."""

        def nodes(outcome: NodeOutcome) -> set[str]:
            return {name for name, found in outcomes.items() if found.outcome is outcome}

        def keep_others(names: set[str]) -> set[str]:
            return names - outcomes.keys()

        unverified = {name for name, found in outcomes.items() if found.reason is OutcomeReason.UNVERIFIED}
        self.migrated = keep_others(self.migrated) | nodes(NodeOutcome.MIGRATED)
        manual = keep_others(self.manual) | nodes(NodeOutcome.MANUAL)
        if freed := self.manual - manual:
            freed |= {PlannedNode.parse(name, self.planned.get(name, "")).node_name for name in freed}
            self.manual_pods = [pod for pod in self.manual_pods if pod.get("node") not in freed]
        self.manual = manual
        self.gone = keep_others(self.gone) | nodes(NodeOutcome.GONE)
        self.unverified = keep_others(self.unverified) | unverified
        self.remaining = nodes(NodeOutcome.REMAINS)
        self.reasons = {name: str(outcomes[name].reason) for name in sorted(self.remaining)}

    def reopen(self, names: set[str]) -> None:
        """Let nodes remain whose outcome was final: other triggers or options ask for them again."""
        for found in (self.migrated, self.manual, self.gone, self.unverified):
            found -= names
        self.remaining |= names
        self.reasons |= dict.fromkeys(sorted(names), str(OutcomeReason.WAITING))

    def settle(
        self,
        migration: MigrationRecord,
        status: MigrationStatus,
        pods_left: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        """Record what the end of a migration left: terminated and drained nodes, and pods that Ocean does not move.

        The outcomes of its nodes must have been applied.

        Args:
            migration: The migration that has ended.
            status: Its last status.
            pods_left: The full names of the pods to evict that Kubernetes shows on nodes, by instance id; None when it
                was not asked.
        """
        finished = migration.status == MigrationState.FINISHED
        terminates = migration.should_terminate_drained_nodes if finished else migration.terminated_on_stop
        pods = {node.instance_id: node.running_pods for node in status.old_instances}
        for name in pods:
            if name in self.planned and name in self.migrated:
                terminated = bool(terminates) and not pods.get(name)
                self._count_price(name, terminated=terminated)
                (self.terminated if terminated else self.drained).add(name)
                (self.drained if terminated else self.terminated).discard(name)
        self.name_manual_pods(status, pods_left)

    def name_manual_pods(self, status: MigrationStatus, pods_left: Mapping[str, Iterable[str]] | None = None) -> None:
        """Record the pods that a finished migration did not move, by its last status and by Kubernetes."""
        if status.state == MigrationState.FINISHED:
            judged = {node.node_name or node.instance_id for node in status.old_instances}
            kept = [pod for pod in self.manual_pods if pod.get("node") not in judged]
            self.manual_pods = [*kept, *_manual_pods(status, pods_left or {})][:_MOST_PODS]

    def _count_price(self, name: str, *, terminated: bool) -> None:
        """Count what a node costs that stays; what the others cost is not known once one of several is terminated."""
        if terminated and name in self.drained:
            self.drained_usd_per_hour = None
        elif not terminated and name not in self.drained and name in self.prices:
            self.drained_usd_per_hour = round((self.drained_usd_per_hour or 0.0) + self.prices[name], 4)

    def to_outputs(self, spec: MigrationSpec, echo: Mapping[str, Any], digest: str) -> dict[str, Any]:
        """Return the outputs.

        Args:
            spec: The validated inputs.
            echo: The inputs as they came, without secrets.
            digest: The plan's digest.
        """
        latest = self.latest
        outputs: dict[str, Any] = {name: echo[name] for name in INPUTS if name in echo and name not in _NOT_ECHOED}
        outputs |= {
            "planned_nodes": dict(self.planned),
            "plan_digest": digest,
            "nodes": self.nodes if self.nodes is not None else spec.nodes.to_inputs(),
            "triggers": list(self.triggers),
            "succeeded": self.succeeded,
            "progress": round(self.progress, 1),
            "migrated_nodes": sorted(self.migrated),
            "remaining_nodes": sorted(self.remaining),
            "remaining_reasons": {name: self.reasons[name] for name in sorted(self.remaining & self.reasons.keys())},
            "gone_nodes": sorted(self.gone),
            "unverified_nodes": sorted(self.unverified),
            "missing_since": {name: at for name, at in sorted(self.missing_since.items()) if name in self.remaining},
            "manual_nodes": sorted(self.manual),
            "manual_pods": self.manual_pods,
            "drained_nodes": sorted(self.drained),
            "terminated_nodes": sorted(self.terminated),
            "joined_nodes": list(self.joined),
            "ocean_nodes": list(self.ocean_nodes),
            "unscheduled_pods": list(self.unscheduled),
            "migrations": [migration.to_output() for migration in self.migrations],
            "timeline": list(self.timeline),
            "target_reached": self.target_reached,
        }
        optional = {
            "migration_id": latest.id if latest else None,
            "status": latest.status if latest else None,
            "created_at": latest.created_at if latest else None,
            "completed_at": latest.completed_at if latest else None,
            "stopped_at": latest.stopped_at if latest else None,
            "errored_at": latest.errored_at if latest else None,
            "failure": self.failure,
            "effective_account_id": self.effective_account_id,
            "soaked_until": self.soaked_until,
            "unanswered_start": self.unanswered.to_output() if self.unanswered else None,
            "workload_baseline": self.baseline.to_output() if self.baseline else None,
            "workload_health": self.workload_health,
            "drained_since": self.drained_since,
            "drained_usd_per_hour": self.drained_usd_per_hour if self.drained else None,
            "asg_started_nodes": self.asg_started or None,
            "asg_other_nodes": {name: self.asg_other_nodes[name] for name in sorted(self.asg_other_nodes)} or None,
        }
        return outputs | {name: value for name, value in optional.items() if value is not None}

    @property
    def drained_times(self) -> dict[str, str]:
        """When the migration of each drained node that stays ended, by instance id, as far as it is known."""
        ends: dict[str, str] = {}
        for migration in self.migrations:
            end = migration.completed_at or migration.stopped_at or migration.errored_at
            ends |= dict.fromkeys(migration.instance_ids, end) if end else {}
        return {name: end for name, end in ends.items() if name in self.drained}

    @property
    def drained_since(self) -> str | None:
        """When the first of the migrations ended that drained nodes which stay; None when that is not known."""
        return min(self.drained_times.values(), key=sort_key, default=None)

    @property
    def succeeded(self) -> bool:
        """Whether nothing failed, nothing remains, and no migration of ours runs."""
        running = any(not migration.ended for migration in self.migrations)
        return self.failure is None and self.unanswered is None and not self.remaining and not running

    @classmethod
    def from_outputs(cls, outputs: Mapping[str, Any]) -> ResourceState:
        """Read the outputs of an earlier run; an output that is missing is empty.

        Version 0.1 took a node that discovery did not return after a stop, a failure or a loss as migrated. Such nodes
        remain, so that the next run judges them; those of finished migrations stay migrated.
        """
        nodes = outputs.get("nodes")
        health = outputs.get("workload_health")
        triggers = outputs.get("triggers")
        progress, price = outputs.get("progress"), outputs.get("drained_usd_per_hour")
        state = cls(
            planned=_strings(outputs.get("planned_nodes")) or {},
            migrations=[MigrationRecord.from_output(entry) for entry in _mappings(outputs.get("migrations"))],
            migrated=set(to_texts(outputs.get("migrated_nodes"))),
            manual=set(to_texts(outputs.get("manual_nodes"))),
            manual_pods=[
                {str(key): str(item) for key, item in entry.items()} for entry in _mappings(outputs.get("manual_pods"))
            ],
            remaining=set(to_texts(outputs.get("remaining_nodes"))),
            reasons=_strings(outputs.get("remaining_reasons")) or {},
            gone=set(to_texts(outputs.get("gone_nodes"))),
            unverified=set(to_texts(outputs.get("unverified_nodes"))),
            missing_since=_strings(outputs.get("missing_since")) or {},
            drained=set(to_texts(outputs.get("drained_nodes"))),
            terminated=set(to_texts(outputs.get("terminated_nodes"))),
            drained_usd_per_hour=float(price) if isinstance(price, (int, float)) else None,
            joined=to_texts(outputs.get("joined_nodes")),
            asg_started=to_texts(outputs.get("asg_started_nodes")),
            asg_other_nodes=_lists(outputs.get("asg_other_nodes")),
            ocean_nodes=to_texts(outputs.get("ocean_nodes")),
            unscheduled=to_texts(outputs.get("unscheduled_pods")),
            failure=_strings(outputs.get("failure")),
            timeline=[dict(entry) for entry in _mappings(outputs.get("timeline"))],
            unanswered=UnansweredStart.from_output(outputs.get("unanswered_start")),
            progress=float(progress) if isinstance(progress, (int, float)) else 0.0,
            soaked_until=_text(outputs.get("soaked_until")),
            effective_account_id=_text(outputs.get("effective_account_id")),
            nodes=dict(nodes) if isinstance(nodes, Mapping) else None,
            triggers=list(triggers) if isinstance(triggers, (list, tuple)) else [],
            baseline=HealthBaseline.from_output(outputs.get("workload_baseline")),
            workload_health=dict(health) if isinstance(health, Mapping) else None,
            target_reached=outputs.get("target_reached") is True,
        )
        if "gone_nodes" not in outputs:
            state._doubt_weak_outcomes()
        return state

    def _doubt_weak_outcomes(self) -> None:
        held: dict[bool, set[str]] = {True: set(), False: set()}
        for migration in self.migrations:
            if migration.ended:
                finished = migration.status == MigrationState.FINISHED and not migration.lost
                held[finished].update(migration.instance_ids)
        weak = self.migrated & self.planned.keys() & (held[False] - held[True])
        self.doubted = bool(weak)
        for found in (self.migrated, self.drained, self.terminated):
            found -= weak
        self.remaining |= weak


def _manual_pods(status: MigrationStatus, pods_left: Mapping[str, Iterable[str]]) -> Iterator[dict[str, str]]:
    for node in status.old_instances:
        if node.state == REQUIRES_MANUAL_MIGRATION:
            # The service need not name all of them.
            shown = {full_name.rpartition("/")[2] for full_name in pods_left.get(node.instance_id, ())}
            others = [PodDetail(name=name) for name in sorted(shown - {pod.name for pod in node.pods})]
            for pod in (*node.pods, *others):
                yield {"node": node.node_name or node.instance_id, "pod": pod.name or pod.id, "kind": pod.kind}


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, (list, tuple)) else []


def _strings(value: Any) -> dict[str, str] | None:
    return {str(key): str(item) for key, item in value.items()} if isinstance(value, Mapping) else None


def _lists(value: Any) -> dict[str, list[str]]:
    return {str(key): to_texts(item) for key, item in value.items()} if isinstance(value, Mapping) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
