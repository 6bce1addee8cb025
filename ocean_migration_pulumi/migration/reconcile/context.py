"""What one run of a resource works with."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from ocean_migration_pulumi.api.models.migration import Candidate, MigrationStatus, MigrationSummary
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.text import count_noun, list_some
from ocean_migration_pulumi.common.times import format_time
from ocean_migration_pulumi.errors import DeadlineError, InputError, KubernetesError, MigrationNotFoundError
from ocean_migration_pulumi.migration.reconcile.events import EventSink, discard_event
from ocean_migration_pulumi.migration.reconcile.waiter import MigrationListing, MigrationWaiter, PollPolicy
from ocean_migration_pulumi.migration.snapshot.claims import ClusterClaims
from ocean_migration_pulumi.migration.snapshot.protocols import OceanApi, Reporter
from ocean_migration_pulumi.migration.snapshot.sources import DataSources, ask_labels
from ocean_migration_pulumi.migration.spec.node_selector import NO_LABEL_MATCHES, LabelMatches, select_nodes
from ocean_migration_pulumi.migration.spec.planned_nodes import UNKNOWN_GROUP, PlannedNode, parse_planned
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.migration.state.evidence import NodeObservations, determine_outcomes
from ocean_migration_pulumi.migration.state.hints import Hints
from ocean_migration_pulumi.migration.state.migration_record import MigrationRecord
from ocean_migration_pulumi.migration.state.progress import Progress, percentage_of
from ocean_migration_pulumi.migration.state.resource_state import ResourceState

_LABELS_DEADLINE = 20.0


@dataclass(slots=True, kw_only=True)
class ReconcileContext:
    """Everything that the steps of a run share."""

    api: OceanApi
    """The service."""
    claims: ClusterClaims
    """What the resources of this process share about the cluster."""
    scope: CancelScope
    """The bounds of the run."""
    reporter: Reporter
    """Takes the lines for whoever watches."""
    events: EventSink = discard_event
    """Takes the events for those who do not watch."""
    owner: str
    """The resource's URN, or another name by which this process knows it."""
    spec: MigrationSpec
    """The validated inputs."""
    state: ResourceState
    """The outputs; true at every moment, so that whoever catches an error can save them."""
    poll_policy: PollPolicy = field(default_factory=PollPolicy)
    """How waits poll."""
    sources: DataSources = field(default_factory=DataSources)
    """Kubernetes and AWS, as far as there is access."""
    hints: Hints = field(default_factory=Hints)
    """The commands that messages name."""
    creating: bool = False
    """Whether this is the first run, which has no state of its own yet."""
    offered: dict[str, Candidate] = field(default_factory=dict)
    """The nodes that discovery returned last, by instance id."""
    discovered: bool = False
    """Whether discovery was asked."""
    label_matches: LabelMatches = NO_LABEL_MATCHES
    """What Kubernetes says of node labels, as far as the selector asks for them."""
    newly_adopted: set[str] = field(default_factory=set)
    """The nodes of the migrations that this run has adopted."""
    held_by_other_migrations: set[str] = field(default_factory=set)
    """The nodes that running migrations of others hold: discovery does not return them, but they are not gone."""
    claimed_by_other_calls: frozenset[str] = frozenset()
    """The migrations that another call for the same resource has started or adopted."""
    reviewed: dict[str, str] = field(default_factory=dict)
    """The plan as it was before its nodes began to move: an approval is of that."""

    @property
    def ocean_id(self) -> str:
        """The cluster."""
        return self.spec.ocean_id

    @property
    def unmatched(self) -> set[str]:
        """The nodes that match no Virtual Node Group, when those are to be skipped."""
        if self.spec.unmatched_nodes != "skip":
            return set()
        return {name for name, node in self.offered.items() if node.virtual_node_group_id is None}

    def bounded(self, seconds: float) -> ReconcileContext:
        """Return this context with a deadline so many seconds from now, even beyond its own."""
        return replace(self, scope=replace(self.scope, deadline=self.scope.clock() + seconds))

    def now(self) -> datetime:
        """Return the service's time."""
        return self.api.server_now()

    def fetch_status(self, migration_id: str) -> MigrationStatus:
        """Return a migration's status, read afresh."""
        return self.claims.view.status(self.api, self.scope, migration_id, fresh=True)

    def find_in_list(self, migration_id: str) -> MigrationSummary | None:
        """Return a migration's entry of the list, read afresh; None when the list does not have it."""
        listed = self.claims.view.migrations(self.api, self.scope, fresh=True)
        return next((summary for summary in listed if summary.id == migration_id), None)

    def confirm_ends(self, statuses: Iterable[MigrationStatus]) -> dict[str, MigrationStatus]:
        """Ask for ended migrations again, one poll later, and return the statuses that are confirmed, by id.

        An end is confirmed when the second status and the list agree with the first.
        """
        ended = [status for status in statuses if status.is_terminal]
        if not ended:
            return {}
        self.scope.sleep(self.poll_policy.poll_interval)
        listed = {
            summary.id: summary.state for summary in self.claims.view.migrations(self.api, self.scope, fresh=True)
        }
        confirmed = {}
        for status in ended:
            with suppress(MigrationNotFoundError):
                again = self.fetch_status(status.id)
                if again.state == status.state == listed.get(status.id):
                    confirmed[status.id] = again
        return confirmed

    def discover(self) -> dict[str, Candidate]:
        """Read afresh which nodes discovery returns."""
        found = self.claims.view.candidates(self.api, self.scope, fresh=True)
        self.offered = {candidate.instance_id: candidate for candidate in found}
        self.discovered = True
        if self.sources.kubernetes is not None and self.spec.nodes.label_selectors:
            # Only the output of nodes that joined needs them here: without an answer there are none.
            with suppress(KubernetesError, InputError, DeadlineError):
                bounded = self.scope.at_most(_LABELS_DEADLINE)
                self.label_matches = ask_labels(self.sources.kubernetes, bounded, self.spec.nodes.label_selectors)
        return self.offered

    def waiter_for(self, migration_id: str, record: MigrationRecord | None = None) -> MigrationWaiter:
        """Return a wait for a migration; one of ours has a ``record``, which it keeps up to date."""
        return MigrationWaiter(
            lambda: self.fetch_status(migration_id),
            scope=self.scope,
            reporter=self.reporter,
            policy=self.poll_policy,
            observe=lambda status: None if record is None else self.update(record, status),
            listed=MigrationListing(find=lambda: self.find_in_list(migration_id), now=self.now),
        )

    def update(self, migration: MigrationRecord, status: MigrationStatus) -> None:
        """Record a status of a migration of ours: of itself, and in the progress and the timeline."""
        changed = migration.status != status.state or not self.state.timeline
        migration.lost = False
        migration.update(status)
        self.state.update(status)
        done = {node.instance_id for node in status.old_instances if node.running_pods == 0}
        self.state.progress = percentage_of(self.state.migrated | done, self.state.planned)
        if changed:
            self.state.add_to_timeline(format_time(self.now()), Progress.from_status(status))

    def settle(self, migration: MigrationRecord, status: MigrationStatus) -> None:
        """Record the confirmed end of a migration of ours."""
        self.claims.view.confirm_end(status)
        self.discover()
        self.update(migration, status)
        self.update_outcomes(ended=status)
        self.state.settle(migration, status)

    def update_outcomes(self, *, ended: MigrationStatus | None = None) -> None:
        """Determine the outcomes of the planned nodes anew, and what follows from them.

        Args:
            ended: The status of a migration that has just ended; None without one.
        """
        state = self.state
        held = {name for migration in state.migrations if not migration.ended for name in migration.instance_ids}
        observed = NodeObservations(
            planned=state.planned,
            migrated=state.migrated,
            manual=state.manual,
            ended=ended,
            ever_held={name for migration in state.migrations for name in migration.instance_ids},
            offered=self.offered if self.discovered else None,
            unmatched=self.unmatched,
            held=held | self.held_by_other_migrations,
        )
        state.apply_outcomes(determine_outcomes(observed))
        if self.discovered:
            free = [node for name, node in self.offered.items() if name not in self.spec.planned_elsewhere]
            chosen = select_nodes(self.spec.nodes, free, kept=state.planned, label_matches=self.label_matches)
            state.joined = [node.instance_id for node in chosen.taken]
        if not held and (state.planned or not state.migrations):
            state.progress = percentage_of(state.migrated | state.manual, state.planned)

    def mark_acted_upon(self) -> None:
        """Record that the present selector and triggers have been acted upon."""
        self.state.nodes = self.spec.nodes.to_inputs()
        self.state.triggers = list(self.spec.triggers)

    def report_gone_nodes(self, gone: Collection[str]) -> None:
        """Warn of planned nodes that are gone: they stay in the plan, but nothing is to be done for them."""
        if gone:
            self.reporter.warning(
                f"{count_noun(len(gone), 'planned node')} gone, nothing to migrate there: {list_some(sorted(gone))}"
            )

    def planned_nodes(self, instance_ids: Iterable[str]) -> list[PlannedNode]:
        """Return nodes with the Virtual Node Group that they match today; as planned where discovery has none."""
        planned = parse_planned(self.state.planned)
        return [
            PlannedNode.from_candidate(self.offered[name], {}) if name in self.offered else planned[name]
            for name in instance_ids
        ]

    def matched_elsewhere(self, nodes: Iterable[PlannedNode]) -> list[str]:
        """Return the nodes that match another Virtual Node Group today than the plan says, as messages show them."""
        planned = parse_planned(self.state.planned)
        return [
            f"{node.instance_id} {node.virtual_node_group_id}"
            for node in nodes
            if node.virtual_node_group_id is not None
            and planned[node.instance_id].virtual_node_group_id not in {node.virtual_node_group_id, UNKNOWN_GROUP}
        ]
