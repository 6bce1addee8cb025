"""One run of one resource: what it works with, and what it reads and judges on the way."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from ocean_migration_pulumi.api.models.migration import Candidate, MigrationStatus
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.text import count_noun, list_some, sanitize
from ocean_migration_pulumi.common.times import format_time, parse_time
from ocean_migration_pulumi.errors import (
    DeadlineError,
    InputError,
    KubernetesError,
    MigrationNotFoundError,
    OceanMigrationError,
)
from ocean_migration_pulumi.migration.reconcile.events import (
    ENDS,
    Event,
    EventKind,
    EventSink,
    discard_event,
    resource_name,
)
from ocean_migration_pulumi.migration.reconcile.waiter import PollPolicy
from ocean_migration_pulumi.migration.snapshot.claims import ClusterClaims
from ocean_migration_pulumi.migration.snapshot.protocols import OceanApi, Reporter
from ocean_migration_pulumi.migration.snapshot.snapshot import has_same_flags
from ocean_migration_pulumi.migration.snapshot.sources import DataSources, ask_labels
from ocean_migration_pulumi.migration.spec.node_selector import (
    NO_LABEL_MATCHES,
    LabelMatches,
    NodeSelector,
    select_nodes,
)
from ocean_migration_pulumi.migration.spec.planned_nodes import UNKNOWN_GROUP, PlannedNode, parse_planned
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.migration.state.hints import Hints
from ocean_migration_pulumi.migration.state.phases import describe_share
from ocean_migration_pulumi.migration.state.progress import Progress
from ocean_migration_pulumi.migration.state.resource_state import ADOPTED, ADOPTED_PART, MigrationRecord, ResourceState

_LABELS_DEADLINE = 20.0


@dataclass(slots=True, kw_only=True)
class ReconcileContext:
    """Everything that a run of a resource shares between its steps.

    ``owner`` is the resource's URN. ``creating`` marks the first run, which knows no record of its own.
    ``reviewed`` is the plan as it was before its nodes began to move: an approval is of that.
    ``words`` name the command that the reader has at hand, ``announce`` takes what somebody who does not watch may want
    to know. ``labelled`` is what Kubernetes says of node labels, as far as the selector asks for them.
    ``taken_by_others`` are migrations that another call for the same resource has started or adopted.
    """

    api: OceanApi
    claims: ClusterClaims
    scope: CancelScope
    tell: Reporter
    announce: EventSink = discard_event
    owner: str
    spec: MigrationSpec
    record: ResourceState
    poll_policy: PollPolicy = field(default_factory=PollPolicy)
    sources: DataSources = field(default_factory=DataSources)
    words: Hints = field(default_factory=Hints)
    creating: bool = False
    offered: dict[str, Candidate] = field(default_factory=dict)
    label_matches: LabelMatches = NO_LABEL_MATCHES
    discovered: bool = False
    newly_adopted: set[str] = field(default_factory=set)
    held_by_other_migrations: set[str] = field(default_factory=set)
    claimed_by_other_calls: frozenset[str] = frozenset()
    reviewed: dict[str, str] = field(default_factory=dict)

    @property
    def ocean_id(self) -> str:
        """The cluster."""
        return self.spec.ocean_id

    def bounded(self, seconds: float) -> ReconcileContext:
        """Return this job with so many seconds from now, whatever its own deadline was."""
        return replace(self, scope=replace(self.scope, deadline=self.scope.clock() + seconds))

    def now(self) -> datetime:
        """Return the service's time."""
        return self.api.server_now()

    def status(self, migration_id: str) -> MigrationStatus:
        """Read a migration's status afresh."""
        return self.claims.view.status(self.api, self.scope, migration_id, fresh=True)

    def discover(self) -> dict[str, Candidate]:
        """Read afresh which nodes the service offers."""
        found = self.claims.view.candidates(self.api, self.scope, fresh=True)
        self.offered = {candidate.instance_id: candidate for candidate in found}
        self.discovered = True
        if self.sources.kubernetes is not None and self.spec.nodes.label_selectors:
            # Only the output of nodes that joined needs them here: without an answer there are none.
            with suppress(KubernetesError, InputError, DeadlineError):
                bounded = self.scope.at_most(_LABELS_DEADLINE)
                self.label_matches = ask_labels(self.sources.kubernetes, bounded, self.spec.nodes.label_selectors)
        return self.offered

    def is_ours(self, status: MigrationStatus) -> bool:
        """Tell whether a migration that is not recorded is one that this resource must have started.

        At least one of its nodes is planned, every other one is too (or, in the first run, is no longer offered and
        nothing known of it contradicts the selector), its flags are ours as far as the service echoes them, and no
        other resource of this process claims it.
        """
        ids = status.instance_ids
        if not ids & self.record.planned.keys() or not has_same_flags(status, self.spec):
            return False
        if status.id in self.claimed_by_other_calls or self.claims.someone_else_claims(self.owner, status.id, ids):
            return False
        rest = [node for node in status.old_instances if node.instance_id not in self.record.planned]
        if not rest:
            return True
        return self.creating and not any(
            node.instance_id in self.offered or self.spec.nodes.contradicts(node) for node in rest
        )

    def adopt(self, status: MigrationStatus) -> MigrationRecord:
        """Record a migration that is ours and was not recorded; batch size and force are not known of it."""
        run = MigrationRecord(
            id=status.id,
            origin=ADOPTED if status.instance_ids <= self.record.planned.keys() else ADOPTED_PART,
            instance_ids=sorted(status.instance_ids),
            should_terminate_drained_nodes=status.should_terminate_drained_nodes,
            should_evict_stand_alone_pods=status.should_evict_stand_alone_pods,
            triggers_digest=self.spec.triggers_digest,
        )
        run.follow(status)
        self.recorded(run)
        self.newly_adopted |= status.instance_ids
        self.record.follow(status)
        return run

    def recorded(self, run: MigrationRecord) -> None:
        """Record a run, and that the present selector and triggers have been acted upon."""
        self.record.add(run)
        self.acted()
        self.claims.take_over(self.owner, run.id)

    def acted(self) -> None:
        """Note that the present selector and triggers have been acted upon."""
        self.record.nodes = self.spec.nodes.to_inputs()
        self.record.triggers = list(self.spec.triggers)

    def emit(
        self,
        kind: EventKind,
        run: MigrationRecord,
        message: str,
        *,
        status: MigrationStatus | None,
        reason: str = "",
        remedy: str = "",
    ) -> None:
        """Announce what has happened to a run; ``status`` is its last one, None when none was read yet."""
        progress = None if status is None else Progress.from_status(status)
        event = Event(
            kind=kind,
            ocean_id=self.ocean_id,
            migration_id=run.id,
            resource=resource_name(self.owner),
            state=run.status if status is None else status.state,
            nodes_done=0 if progress is None else progress.done,
            nodes=len(run.instance_ids) if progress is None else progress.total,
            pods_left=None if progress is None else progress.pods,
            message=sanitize(message),
            reason=reason or None,
            remedy=remedy or None,
            at=format_time(self.now()),
        )
        self.announce(event)

    def take(self, run: MigrationRecord, status: MigrationStatus) -> None:
        """Take over a status: into the run, the outputs, and the timeline when the state changed."""
        changed = run.status != status.state or not self.record.timeline
        run.follow(status)
        self.record.follow(status)
        progress = Progress.from_status(status)
        done = {node.instance_id for node in status.old_instances if node.running_pods == 0}
        planned = self.record.planned.keys()
        reached = len((self.record.migrated | done) & planned)
        self.record.progress = 100.0 * reached / len(planned) if planned else 100.0
        if changed:
            self.record.note(
                format_time(self.now()),
                status.state,
                progress.done,
                progress.total,
                progress.pods,
                progress.unscheduled,
            )

    def settle(self, run: MigrationRecord, status: MigrationStatus | None) -> None:
        """Judge the nodes of a run that has ended; None when the service no longer knows it."""
        offered = self.discover()
        if status is None:
            run.lost = True
            self.record.settle_unseen(run, offered)
        else:
            self.take(run, status)
            self.record.settle(run, status, offered)
        self.recompute_outcomes()

    def recompute_outcomes(self) -> None:
        """Bring what remains, what joined and the progress up to what is known."""
        record = self.record
        open_nodes = record.planned.keys() - record.migrated - record.manual
        held = {name for run in record.runs if not run.ended for name in run.instance_ids}
        open_nodes -= self.skipped
        if self.discovered:
            open_nodes &= self.offered.keys() | held | self.held_by_other_migrations
            free = [node for name, node in self.offered.items() if name not in self.spec.planned_elsewhere]
            chosen = select_nodes(self.spec.nodes, free, kept=record.planned, label_matches=self.label_matches)
            record.joined = [node.instance_id for node in chosen.taken]
        record.remaining = set(open_nodes)
        if record.planned:
            finished = len((record.migrated | record.manual) & record.planned.keys())
            if not held:
                record.progress = 100.0 * finished / len(record.planned)
        elif not record.runs:
            record.progress = 100.0

    @property
    def skipped(self) -> set[str]:
        """The planned nodes that match no Virtual Node Group any more and are left out for it."""
        if self.spec.unmatched_nodes != "skip":
            return set()
        open_nodes = self.record.planned.keys() - self.record.migrated - self.record.manual
        return {
            name for name in open_nodes if name in self.offered and self.offered[name].virtual_node_group_id is None
        }

    def newer_than_record(self, listed: Iterable[tuple[str, str | None]]) -> set[str]:
        """Return the ids that are not recorded and were created after the newest one that is."""
        known = {run.id for run in self.record.runs}
        newest = max((made for run in self.record.runs if (made := parse_time(run.created_at))), default=None)
        return {
            migration_id
            for migration_id, created_at in listed
            if migration_id not in known
            and (newest is None or (made := parse_time(created_at)) is None or made > newest)
        }

    def unrecorded(self, *, fresh: bool = True) -> list[MigrationStatus]:
        """Return the migrations of ours that are not recorded, oldest first: those of a run that was killed."""
        listed = self.claims.view.migrations(self.api, self.scope, fresh=fresh)
        newer = self.newer_than_record((summary.id, summary.created_at) for summary in listed)
        if not newer:
            return []
        recent = self.claims.view.recent(self.api, self.scope)
        found = [status for status in recent if status.id in newer and self.is_ours(status)]
        return sorted(found, key=lambda status: (status.created_at or "", status.id))

    def catch_up_recorded(self) -> None:
        """Bring the recorded runs up to date; nothing else is looked for."""
        self.discover()
        for run in self.record.runs:
            if run.ended:
                continue
            try:
                status = self.status(run.id)
            except MigrationNotFoundError:
                gone = f"migration {run.id} is no longer listed; its nodes are judged by discovery"
                self.tell.warning(gone)
                self.settle(run, None)
                self.emit(EventKind.UNHEARD, run, gone, status=None)
                continue
            self.take(run, status)
            if status.is_terminal:
                self._emit_unseen_end(run, status)
                if status.state == "STOPPED" and run.stopped_by is None:
                    run.stopped_by = "others"
                self.settle(run, status)
        self.recompute_outcomes()

    def catch_up(self) -> None:
        """Bring the recorded runs up to date, and record those that a killed run had started."""
        self.catch_up_recorded()
        for status in self.unrecorded():
            run = self.adopt(status)
            self.tell.info(
                f"adopted migration {status.id}: {Progress.from_status(status).done}/{len(status.old_instances)} nodes"
            )
            if run.origin == ADOPTED_PART:
                self.tell.warning(f"migration {run.id} also holds nodes that are not planned")
            if not status.is_terminal:
                self.tell.warning(f"whether {run.id} forces evictions against PodDisruptionBudgets is not known")
            if status.is_terminal:
                self._emit_unseen_end(run, status)
                if status.state == "STOPPED" and not self.creating:
                    run.stopped_by = "others"
                self.settle(run, status)
        self.recompute_outcomes()

    def _emit_unseen_end(self, run: MigrationRecord, status: MigrationStatus) -> None:
        """Announce an end that nobody has waited for; whether it was our stop that stopped it may not be known yet."""
        line = f"migration {run.id} is {status.state}, {describe_share(status)}: it ended while nobody waited for it"
        self.emit(ENDS[status.state], run, line, status=status, reason=run.stopped_by or "")

    def report_gone_nodes(self, gone: Collection[str]) -> None:
        """Warn of planned nodes that are gone: they stay recorded, but nothing is to be done for them."""
        if gone:
            self.tell.warning(
                f"{count_noun(len(gone), 'planned node')} gone, nothing to migrate there: {list_some(sorted(gone))}"
            )

    def find_nodes_held_by_others(self) -> None:
        """Note which nodes a foreign migration holds: discovery does not offer them, but they are not gone."""
        known = {run.id for run in self.record.runs}
        running = self.claims.view.running(self.api, self.scope, fresh=True)
        self.held_by_other_migrations = {
            name
            for status in running
            if status.id not in known and not status.is_terminal
            for name in status.instance_ids
        }

    def nodes(self, instance_ids: Iterable[str]) -> list[PlannedNode]:
        """Return nodes with the Virtual Node Group that they match today; as planned where discovery has none."""
        planned = parse_planned(self.record.planned)
        return [
            PlannedNode.from_candidate(self.offered[name], {}) if name in self.offered else planned[name]
            for name in instance_ids
        ]

    def matched_elsewhere(self, nodes: Iterable[PlannedNode]) -> list[str]:
        """Return which of the nodes match another Virtual Node Group today than the plan says, as messages show it."""
        planned = parse_planned(self.record.planned)
        return [
            f"{node.instance_id} {node.virtual_node_group_id}"
            for node in nodes
            if node.virtual_node_group_id is not None
            and planned[node.instance_id].virtual_node_group_id not in {node.virtual_node_group_id, UNKNOWN_GROUP}
        ]

    def recorded_selector(self) -> NodeSelector | None:
        """Return the selector that was last acted upon; None when the record holds none that can be read."""
        try:
            return NodeSelector.parse(self.record.nodes) if self.record.nodes else None
        except OceanMigrationError:
            return None
