"""What one run of a resource works with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from ocean_migration_pulumi.api.models.cluster import ClusterNode
from ocean_migration_pulumi.api.models.migration import Candidate, MigrationState, MigrationStatus, MigrationSummary
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.times import format_time, parse_time, sort_key
from ocean_migration_pulumi.errors import (
    ApiError,
    DeadlineError,
    InputError,
    KubernetesError,
    MigrationNotFoundError,
    NoAnswerError,
    OceanMigrationError,
)
from ocean_migration_pulumi.migration.checks.service import is_alive
from ocean_migration_pulumi.migration.health.stop_checks import Probe
from ocean_migration_pulumi.migration.reconcile.events import EventSink, discard_event
from ocean_migration_pulumi.migration.reconcile.waiter import MigrationListing, MigrationWaiter, PollPolicy
from ocean_migration_pulumi.migration.snapshot.claims import ClusterClaims
from ocean_migration_pulumi.migration.snapshot.protocols import OceanApi, Reporter
from ocean_migration_pulumi.migration.snapshot.sources import DataSources, ask_kubernetes, ask_labels
from ocean_migration_pulumi.migration.spec.node_selector import NO_LABEL_MATCHES, LabelMatches, select_nodes
from ocean_migration_pulumi.migration.spec.planned_nodes import UNKNOWN_VNG, PlannedNode, parse_planned
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.migration.spec.vocabulary import INPUTS, Vocabulary
from ocean_migration_pulumi.migration.state.evidence import (
    EndedMigration,
    NodeObservations,
    NodeOutcome,
    OutcomeReason,
    VerifiedNodes,
    determine_outcomes,
    find_missing,
    verify_nodes,
)
from ocean_migration_pulumi.migration.state.hints import Hints
from ocean_migration_pulumi.migration.state.migration_record import BRAKE, MigrationRecord, UnansweredStart
from ocean_migration_pulumi.migration.state.progress import Progress, percentage_of
from ocean_migration_pulumi.migration.state.resource_state import ResourceState

VERIFY_DEADLINE: Final = 60.0
"""Seconds that Kubernetes and AWS may take to verify nodes; what they have not answered by then proves nothing."""

_LABELS_DEADLINE: Final = 20.0
_MOST_OTHERS: Final = 20
"""Other nodes of the cluster that EC2 is asked for: that it finds one shows that it is asked in the right account."""


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
    note_start: Callable[[UnansweredStart | None], None] = lambda start: None
    """Keeps the last start where a killed run does not lose it; None when it had no effect."""
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
    vocabulary: Vocabulary = INPUTS
    """How messages name inputs."""
    probe: Probe | None = None
    """GETs the URLs of HTTP checks; None when nobody can."""
    creating: bool = False
    """Whether this is the first run, which has no state of its own yet."""
    offered: dict[str, Candidate] = field(default_factory=dict)
    """The nodes that discovery returned last, by instance id."""
    label_matches: LabelMatches = NO_LABEL_MATCHES
    """What Kubernetes says of node labels, as far as the selector asks for them."""
    looked_at: datetime | None = None
    """When discovery was asked last, in the service's time; None before."""
    ended: dict[str, EndedMigration] = field(default_factory=dict)
    """The migrations, ours and others', whose end this run has seen confirmed, by id."""
    verified: VerifiedNodes = field(default_factory=VerifiedNodes)
    """What Kubernetes and EC2 proved last."""
    newly_adopted: set[str] = field(default_factory=set)
    """The nodes of the migrations that this run has adopted."""
    held_by_other_migrations: set[str] = field(default_factory=set)
    """The nodes that running migrations of others hold: discovery does not return them, but they are not gone."""
    ever_held_by_others: set[str] = field(default_factory=set)
    """The nodes of all migrations of others that this run has read."""
    not_held_before: set[str] = field(default_factory=set)
    """The nodes of which this run has found that no migration of more than a day ago held them."""
    may_hide: bool = False
    """Whether discovery may hide any node: a migration of others runs whose nodes are not known, or no controller
    reports, from which Ocean knows the nodes."""
    claimed_by_other_calls: frozenset[str] = frozenset()
    """The migrations that another call for the same resource has started or adopted."""
    reviewed: dict[str, str] = field(default_factory=dict)
    """The plan as it was before its nodes began to move: an approval is of that."""
    planned_before: dict[str, str] = field(default_factory=dict)
    """The planned nodes of the last run, which may be what was approved; empty when they are today's."""

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
        return self.claims.cache.status(self.api, self.scope, migration_id, fresh=True)

    def find_in_list(self, migration_id: str) -> MigrationSummary | None:
        """Return a migration's entry of the list, read afresh; None when the list does not have it."""
        listed = self.claims.cache.migrations(self.api, self.scope, fresh=True)
        return next((summary for summary in listed if summary.id == migration_id), None)

    def confirm_ends(self, statuses: Iterable[MigrationStatus]) -> dict[str, MigrationStatus]:
        """Ask for ended migrations again, one poll later, and return the statuses that are confirmed, by id.

        An end is confirmed when the second status and the list agree with the first.
        """
        found = [status for status in statuses if status.is_terminal]
        confirmed = {status.id: self.ended[status.id].status for status in found if status.id in self.ended}
        ended = [status for status in found if status.id not in confirmed]
        if not ended:
            return confirmed
        self.scope.sleep(self.poll_policy.poll_interval)
        listed = {
            summary.id: summary.state for summary in self.claims.cache.migrations(self.api, self.scope, fresh=True)
        }
        for status in ended:
            with suppress(MigrationNotFoundError):
                again = self.fetch_status(status.id)
                if again.state == status.state == listed.get(status.id):
                    confirmed[status.id] = again
        return confirmed

    def discover(self) -> dict[str, Candidate]:
        """Read afresh which nodes discovery returns."""
        found = self.claims.cache.candidates(self.api, self.scope, fresh=True)
        self.offered = {candidate.instance_id: candidate for candidate in found}
        self.looked_at = self.now()
        if self.sources.kubernetes is not None and self.spec.nodes.label_selectors:
            # Only the output of nodes that joined needs them here: without an answer there are none.
            with suppress(KubernetesError, InputError, DeadlineError):
                bounded = self.scope.at_most(_LABELS_DEADLINE)
                self.label_matches = ask_labels(self.sources.kubernetes, bounded, self.spec.nodes.label_selectors)
        return self.offered

    def waiter_for(
        self,
        migration_id: str,
        *,
        observe: Callable[[MigrationStatus], None],
        detail: Callable[[], str] = str,
        batch_size_percentage: int | None = None,
    ) -> MigrationWaiter:
        """Return a wait for a migration; its arguments are those of the wait."""
        return MigrationWaiter(
            lambda: self.fetch_status(migration_id),
            scope=self.scope,
            reporter=self.reporter,
            policy=self.poll_policy,
            observe=observe,
            detail=detail,
            listed=MigrationListing(find=lambda: self.find_in_list(migration_id), now=self.now),
            batch_size_percentage=batch_size_percentage,
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
        self.note_end(status, migration)
        self.update(migration, status)
        if status.state == MigrationState.FINISHED and migration.stopped_by == BRAKE:
            migration.stopped_by = migration.stop_cause = None  # the stop came too late
        self.observe()
        self.state.settle(migration, status, self.verified.pods)

    def note_end(self, status: MigrationStatus, migration: MigrationRecord) -> None:
        """Let the confirmed end of a migration of anyone count as evidence, with what its record knows from before."""
        self.claims.cache.confirm_end(status)
        self.ended[status.id] = EndedMigration(
            status=status, pods_before=migration.pods_before, held=migration.instance_ids
        )

    def observe(self) -> None:
        """Look at all that proves something of the planned nodes, and determine their outcomes anew."""
        self.discover()
        self.held_by_other_migrations, unproven = set(), self._find_unproven()
        if unproven:
            self._observe_others(unproven)
        self._verify()
        self.update_outcomes()
        for ended in self._list_ended():
            # Those of others are nobody else's to name; ours may also hold nodes that are not planned.
            entries = tuple(node for node in ended.status.old_instances if node.instance_id in self.state.manual)
            self.state.name_manual_pods(replace(ended.status, old_instances=entries), self.verified.pods)

    def _find_unproven(self) -> set[str]:
        """Return the nodes that discovery does not return, and of which no migration of ours proves anything."""
        judged = determine_outcomes(self._observations())
        return {
            name
            for name, found in judged.items()
            if name not in self.offered
            and name not in self._held_by_ours()
            and (found.outcome is NodeOutcome.REMAINS or found.reason is OutcomeReason.MISSING)
        }

    def observe_holders(self) -> None:
        """Read which nodes running migrations of others hold: discovery may not return those."""
        known = {migration.id for migration in self.state.migrations}
        listed = self.claims.cache.running(self.api, self.scope, fresh=True)
        running = [status for status in listed if status.id not in known]
        self.held_by_other_migrations = {name for status in running for name in status.instance_ids}
        self.may_hide = any(not status.instance_ids for status in running)

    def _observe_others(self, unproven: set[str]) -> None:
        """Read the migrations of others that hold these nodes, or held them since the last one of ours that did."""
        self.observe_holders()
        cache, known = self.claims.cache, {migration.id for migration in self.state.migrations}
        others = [status for status in cache.recent(self.api, self.scope) if status.id not in known]
        self.ever_held_by_others |= {name for status in others for name in status.instance_ids}
        if unexplained := unproven - self._ever_held() - self.not_held_before:
            others += self._find_older_holders(unexplained, known | {status.id for status in others})
        if unproven - self._ever_held() and not self._is_controller_alive():
            self.may_hide = True
        candidates = [status for status in others if status.id not in self.ended]
        decided = {status.id: self.find_decided_by(status) for status in candidates}
        ended = [status for status in candidates if unproven & decided[status.id]]
        for status in self.confirm_ends(ended).values():
            # Of its other nodes a later migration of ours says more.
            entries = tuple(node for node in status.old_instances if node.instance_id in decided[status.id])
            self.claims.cache.confirm_end(status)
            self.ended[status.id] = EndedMigration(status=replace(status, old_instances=entries))

    def _find_older_holders(self, nodes: set[str], known: set[str]) -> list[MigrationStatus]:
        """Return migrations that held these nodes, whatever their age: a node that any has held is not gone."""
        found = []
        for status in self.claims.cache.older(self.api, self.scope, known):
            if held := nodes & status.instance_ids:
                found.append(status)
                nodes = nodes - held
                self.ever_held_by_others |= status.instance_ids
            if not nodes:
                break
        self.not_held_before |= nodes
        return found

    def _is_controller_alive(self) -> bool:
        try:
            return is_alive(self.claims.cache.heartbeat(self.api, self.scope, fresh=True), self.now())
        except (ApiError, NoAnswerError):
            return False

    def find_decided_by(self, status: MigrationStatus) -> set[str]:
        """Return the nodes of another user's migration that no migration of ours has held since it was created."""
        made = parse_time(status.created_at)
        held_since = {
            name
            for migration in self.state.migrations
            if made is None or (ours := parse_time(migration.created_at)) is None or ours >= made
            for name in migration.instance_ids
        }
        return {*status.instance_ids} - held_since

    def _verify(self) -> None:
        """Ask Kubernetes, and EC2 for the rest, about the nodes whose end has to be proven."""
        self.verified = VerifiedNodes()
        if self.sources.kubernetes is None and self.sources.aws is None:
            return
        held_once = self._ever_held()
        names = {
            name: node.node_name
            for name, node in parse_planned(self.state.planned).items()
            if name not in self.state.gone
            and (name not in self.state.migrated or name in self.state.unverified)
            and name not in self._held_by_ours() | self.held_by_other_migrations
            and (name in held_once or name not in self.offered)
        }
        if not names:
            return
        bounded, cache = self.scope.at_most(VERIFY_DEADLINE), self.claims.cache
        nodes: tuple[ClusterNode, ...] = ()
        with suppress(OceanMigrationError):  # those that our own migrations started are known without it
            nodes = cache.nodes(self.api, self.scope)
        ocean_nodes = {*self.state.ocean_nodes, *(node.instance_id for node in nodes)}
        facts = ask_kubernetes(self.sources, bounded, offered=self.offered, ocean_nodes=nodes, fresh=True)
        self.verified = verify_nodes(names, kube=facts.kube, ocean_nodes=ocean_nodes)
        rest = names.keys() - self.verified.pods.keys() - self.verified.gone
        if rest and self.sources.aws is not None:
            region = cache.cluster(self.api, self.scope).region
            others = sorted(ocean_nodes | self.offered.keys())[:_MOST_OTHERS]
            states = self.sources.aws.read_instance_states(bounded, region, [*sorted(rest), *others])
            proven = verify_nodes({name: names[name] for name in rest}, instance_states=states)
            self.verified = replace(self.verified, gone=self.verified.gone | proven.gone)

    def _list_ended(self) -> list[EndedMigration]:
        return sorted(self.ended.values(), key=lambda ended: (sort_key(ended.status.created_at), ended.status.id))

    def _held_by_ours(self) -> set[str]:
        return {name for migration in self.state.migrations if not migration.ended for name in migration.instance_ids}

    def _ever_held(self) -> set[str]:
        ours = {name for migration in self.state.migrations for name in migration.instance_ids}
        return ours | self.held_by_other_migrations | self.ever_held_by_others

    def _observations(self) -> NodeObservations:
        state = self.state
        missing_since = {name: at for name, text in state.missing_since.items() if (at := parse_time(text))}
        return NodeObservations(
            planned=state.planned,
            migrated=state.migrated,
            unverified=state.unverified,
            gone=state.gone,
            manual=state.manual,
            reasons=state.reasons,
            unmatched=self.unmatched,
            held=self._held_by_ours() | self.held_by_other_migrations,
            may_hide=self.may_hide,
            ended=self._list_ended(),
            ever_held=self._ever_held(),
            lost={name for migration in state.migrations if migration.lost for name in migration.instance_ids},
            offered=None if self.looked_at is None else self.offered,
            looked_at=self.looked_at,
            missing_since=missing_since,
            verified=self.verified,
        )

    def update_outcomes(self) -> None:
        """Determine the outcomes of the planned nodes from what was observed, and what follows from them."""
        state, observed = self.state, self._observations()
        state.apply_outcomes(determine_outcomes(observed))
        state.missing_since = {name: format_time(at) for name, at in find_missing(observed).items()}
        if self.looked_at is not None:
            free = [node for name, node in self.offered.items() if name not in self.spec.planned_elsewhere]
            chosen = select_nodes(self.spec.nodes, free, kept=state.planned, label_matches=self.label_matches)
            self._find_started({node.instance_id for node in chosen.taken})
            state.joined = [node.instance_id for node in chosen.taken]
        if not self._held_by_ours() and (state.planned or not state.migrations):
            state.progress = percentage_of(state.migrated | state.manual, state.planned)

    def _find_started(self, matching: Collection[str]) -> None:
        """Record which new nodes Auto Scaling Groups of planned nodes have started, whether or not they match."""
        state = self.state
        apart = state.planned.keys() | set(self.spec.planned_elsewhere) | self.ever_held_by_others
        others: dict[str, set[str]] = {name: set() for name in self._planned_groups()}
        for name, node in self.offered.items():
            if node.asg_name in others and name not in apart:
                others[node.asg_name].add(name)
        started = set(state.asg_started)
        for asg_name, nodes in others.items():
            if (known := state.asg_other_nodes.get(asg_name)) is not None:
                started |= nodes - set(known)
                continue
            if not self.creating:  # a state of an earlier version, which knows only of nodes that match
                started |= (nodes & set(matching)) - set(state.joined)
            state.asg_other_nodes[asg_name] = sorted(nodes - started)
        state.asg_started = sorted(started - state.planned.keys())

    def find_started_in_aws(self) -> None:
        """Record which instances the groups started that are no candidates: not registered yet, or never."""
        state, aws = self.state, self.sources.aws
        begun = parse_time(state.migrations[0].created_at) if state.migrations else None
        asg_names = self._planned_groups()
        if aws is None or begun is None or not asg_names:
            return
        bounded = self.scope.at_most(VERIFY_DEADLINE)
        launched: Mapping[str, datetime] = {}
        with suppress(OceanMigrationError):  # it is only an output
            region = self.claims.cache.cluster(self.api, bounded).region
            launched = aws.read_launch_times(bounded, region, sorted(asg_names))
        started = {name for name, at in launched.items() if at > begun} - {*self.spec.planned_elsewhere}
        state.asg_started = sorted({*state.asg_started, *started} - state.planned.keys())

    def _planned_groups(self) -> set[str]:
        """Return the Auto Scaling Groups of planned nodes."""
        return {node.asg_name for node in parse_planned(self.state.planned).values() if node.asg_name}

    def mark_acted_upon(self) -> None:
        """Record that the present selector and triggers have been acted upon."""
        self.state.nodes = self.spec.nodes.to_inputs()
        self.state.triggers = list(self.spec.triggers)

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
            and planned[node.instance_id].virtual_node_group_id not in {node.virtual_node_group_id, UNKNOWN_VNG}
        ]
