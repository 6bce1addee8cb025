"""What became of each planned node, and why: the only place that concludes it from what was observed.

Every function is pure. Nothing is concluded from the absence of evidence: a node that no rule proves remains.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from ocean_migration_pulumi.api.models.migration import (
    REQUIRES_MANUAL_MIGRATION,
    MigrationInstance,
    MigrationState,
    MigrationStatus,
)
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import NODES, PODS, KubernetesSnapshot, Pod
from ocean_migration_pulumi.migration.scheduling.workloads import runs_on_each_node

SECOND_LOOK: Final = timedelta(minutes=2)
"""Time between two looks at discovery that both miss a node, after which it is gone."""

_TERMINATED: Final = "terminated"


class NodeOutcome(StrEnum):
    """What became of a planned node."""

    MIGRATED = "migrated"
    """Its workloads run elsewhere."""
    MANUAL = "manual"
    """A finished migration left pods on it that Ocean does not move."""
    SKIPPED = "skipped"
    """It matches no Virtual Node Group, and ``unmatched_nodes`` is ``"skip"``."""
    GONE = "gone"
    """It no longer exists, and no migration held it: no action needed for it."""
    REMAINS = "remains"
    """Its workloads are still to be migrated, are being migrated, or are not proven to be."""


class OutcomeReason(StrEnum):
    """Why a node has its outcome. The reasons of remaining nodes are values of the output ``remaining_reasons``."""

    CONCLUDED = "concluded"
    """It was concluded before, and stays."""
    UNMATCHED = "unmatched"
    """No Virtual Node Group matches."""
    MOVING = "moving"
    """Remains: a running migration holds it."""
    VERIFIED = "verified"
    """Kubernetes or EC2 proves that nothing is left to evict."""
    PODS_LEFT = "pods-left"
    """Remains: Kubernetes shows pods that a migration should have evicted."""
    FINISHED = "finished"
    """A finished migration held it, and reports no pod, or pods that Ocean does not move."""
    UNVERIFIED = "unverified"
    """A finished migration held it, and still counts pods, or does not count them."""
    CONTRADICTED = "contradicted"
    """Remains: its migration is FINISHED, but as many pods are on all its nodes together as before."""
    DRAINED = "drained"
    """A migration that was stopped or has failed reports no pod on it."""
    NOT_DRAINED = "not-drained"
    """Remains: its migration was stopped or has failed before it was drained."""
    MISSING = "missing"
    """Discovery does not return it, and no migration held it. Gone after a second look, remains before."""
    LOST = "lost"
    """Remains: its migration is lost."""
    UNPROVEN = "unproven"
    """Remains: a migration held it, and its end says nothing of the node."""
    WAITING = "waiting"
    """Remains: it is still to be migrated."""


@dataclass(frozen=True, slots=True)
class NodeJudgement:
    """The outcome of one planned node."""

    outcome: NodeOutcome
    """What became of it."""
    reason: OutcomeReason
    """Why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedMigration:
    """A migration, of anyone, whose end is confirmed."""

    status: MigrationStatus
    """Its last status."""
    pods_before: int | None = None
    """Pods on its nodes before they were drained; None when nobody saw that."""
    held: Collection[str] = frozenset()
    """The nodes that it is known to have held while it ran."""

    @property
    def is_complete(self) -> bool:
        """Whether its last status has an entry of each of those nodes: otherwise it shows only a part of its pods."""
        return self.status.instance_ids.issuperset(self.held)

    @property
    def is_contradicted(self) -> bool:
        """Whether it is FINISHED although the pods on its nodes did not become fewer."""
        counts = [node.running_pods for node in self.status.old_instances]
        known = [count for count in counts if count is not None]
        if self.status.state != MigrationState.FINISHED or not self.pods_before or len(known) < len(counts):
            return False
        return sum(known) >= self.pods_before


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedNodes:
    """What Kubernetes and EC2 prove of nodes; a node that is in neither field is not verified."""

    pods: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The pods to evict on nodes that exist, by instance id; an empty tuple when none is left."""
    gone: frozenset[str] = frozenset()
    """The nodes that no longer exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeObservations:
    """All that the outcome of the planned nodes is determined from."""

    planned: Collection[str]
    """The planned nodes."""
    migrated: Collection[str] = frozenset()
    """The nodes that were found to be migrated before."""
    unverified: Collection[str] = frozenset()
    """Those of the migrated nodes that are not verified."""
    gone: Collection[str] = frozenset()
    """The nodes that were found to be gone before."""
    manual: Collection[str] = frozenset()
    """The nodes that were found to need manual migration before."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why nodes remained before."""
    unmatched: Collection[str] = frozenset()
    """The nodes that match no Virtual Node Group, when those are to be skipped."""
    held: Collection[str] = frozenset()
    """The nodes that running migrations hold, ours or not."""
    may_hide: bool = False
    """Whether discovery may hide any node: a migration runs whose nodes are not known, or no controller reports."""
    ended: Sequence[EndedMigration] = ()
    """The migrations whose end is confirmed, oldest first. The latest one with an entry of a node counts for it."""
    ever_held: Collection[str] = frozenset()
    """The nodes that any known migration holds or held."""
    lost: Collection[str] = frozenset()
    """The nodes of lost migrations."""
    offered: Collection[str] | None = None
    """The nodes that discovery returns; None when it was not asked."""
    looked_at: datetime | None = None
    """When discovery was asked, by the service's clock."""
    missing_since: Mapping[str, datetime] = field(default_factory=dict)
    """When discovery was first seen to miss nodes, in an unbroken row of looks up to the one before this."""
    verified: VerifiedNodes = field(default_factory=VerifiedNodes)
    """What Kubernetes and EC2 prove."""


def determine_outcomes(observed: NodeObservations) -> dict[str, NodeJudgement]:
    """Determine what became of each planned node, by instance id; the first rule that matches decides.

    Migrated and gone are final, except that only Kubernetes, EC2 or a count of no pods make an unverified node verified
    or let it remain.

    1. The node matches no Virtual Node Group and is to be skipped: skipped.
    2. A running migration holds it: remains.
    3. Verified: a migration held it, and no pod is left to evict or the node is gone: migrated.
    4. Verified: it is gone, and no migration held it: gone.
    5. Verified: pods are left, or no migration held it: remains, or manual if Ocean says so.
    6. A finished migration, of anyone, says that it requires manual migration: manual.
    7. A finished migration reports no pod on it: migrated.
    8. A finished migration reports pods, or no count: migrated but unverified. If the pods of the whole migration did
       not become fewer, its end is contradicted: remains. So it does while the entries of other nodes are missing.
    9. A migration that was stopped or has failed reports no pod on it: migrated.
    10. Such a migration reports anything else: remains.
    11. No migration ever held it, nothing could hide it, and two looks at discovery, at least two minutes apart, miss
        it: gone.
    12. Otherwise it remains.

    Args:
        observed: What was observed.
    """
    entries: dict[str, tuple[EndedMigration, MigrationInstance]] = {}
    for ended in observed.ended:
        entries |= {node.instance_id: (ended, node) for node in ended.status.old_instances}
    missing_since = find_missing(observed)
    return {
        name: _judge_final(observed, name)
        or _judge_verified(observed, name, entries.get(name))
        or _judge_ended(observed, name, entries.get(name))
        or _judge_unproven(observed, name, missing_since)
        for name in observed.planned
    }


def find_missing(observed: NodeObservations) -> dict[str, datetime]:
    """Return since when discovery misses each planned node that no migration held; only such a node can be gone."""
    if observed.offered is None or observed.looked_at is None:
        return dict(observed.missing_since)
    if observed.may_hide:
        return {}
    done = {*observed.migrated, *observed.gone, *observed.offered, *observed.held, *observed.ever_held}
    now = observed.looked_at
    # A clock that was set back would otherwise make a node wait until it has caught up.
    return {name: min(now, observed.missing_since.get(name, now)) for name in observed.planned if name not in done}


def verify_nodes(
    names: Mapping[str, str],
    *,
    kube: KubernetesSnapshot | None = None,
    ocean_nodes: Collection[str] = (),
    instance_states: Mapping[str, str] | None = None,
) -> VerifiedNodes:
    """Return what Kubernetes and EC2 prove of nodes.

    A node counts as absent from Kubernetes only in a complete list of a cluster that has one of the Ocean nodes. EC2
    drops a terminated instance after an hour: one that it does not find is gone when it finds another of the cluster.

    Args:
        names: The Kubernetes names of the nodes by instance id; empty when unknown.
        kube: The cluster; None without access.
        ocean_nodes: Instance ids of the nodes that Ocean runs.
        instance_states: The EC2 states of those instances, of these and of other nodes of the cluster, that EC2 finds;
            None without access.
    """
    pods: dict[str, tuple[str, ...]] = {}
    gone: set[str] = set()
    if kube is not None and kube.knows(PODS):
        known = {node.name for node in kube.nodes.values()}.union(*kube.other_names.values())
        left: dict[str, list[str]] = {}
        for pod in kube.pods:
            if pod.node_name and is_evictable(pod):
                left.setdefault(pod.node_name, []).append(pod.full_name)
        for name in names.keys() & kube.nodes.keys():
            # An instance that registers anew has pods under its old name, too, until that node is deleted.
            found = {kube.nodes[name].name, *kube.other_names.get(name, ())} | ({names[name]} - known)
            pods[name] = tuple(sorted(pod for each in found for pod in left.get(each, ())))
    if kube is not None and kube.knows(NODES) and not kube.nodes.keys().isdisjoint(ocean_nodes):
        gone = {
            name
            for name, node_name in names.items()
            if name not in kube.nodes and (node_name or not kube.unidentified) and node_name not in kube.unidentified
        }
    if instance_states:
        others = instance_states.keys() - names.keys()
        gone |= {
            name
            for name in names
            if instance_states.get(name) == _TERMINATED or (name not in instance_states and others)
        }
    return VerifiedNodes(pods={name: found for name, found in pods.items() if name not in gone}, gone=frozenset(gone))


def is_evictable(pod: Pod) -> bool:
    """Tell whether a drain has to evict a pod; one that is terminating is not gone yet."""
    return not (runs_on_each_node(pod.controller) or pod.mirror or pod.finished)


_Entry = tuple[EndedMigration, MigrationInstance] | None


def _judge_final(observed: NodeObservations, name: str) -> NodeJudgement | None:
    """Apply what is final, and the rules 1 and 2."""
    if name in observed.gone:
        return NodeJudgement(NodeOutcome.GONE, OutcomeReason.CONCLUDED)
    if name in observed.migrated and name not in observed.unverified:
        return NodeJudgement(NodeOutcome.MIGRATED, OutcomeReason.CONCLUDED)
    if name in observed.unmatched and name not in observed.unverified and name not in observed.manual:
        return NodeJudgement(NodeOutcome.SKIPPED, OutcomeReason.UNMATCHED)
    if name in observed.held and name not in observed.unverified:
        return NodeJudgement(NodeOutcome.REMAINS, OutcomeReason.MOVING)
    return None


def _judge_verified(observed: NodeObservations, name: str, entry: _Entry) -> NodeJudgement | None:
    """Apply the rules 3 to 5; what Kubernetes showed is not outweighed by what Ocean says of the same migration."""
    held = entry is not None or name in observed.ever_held
    pods = observed.verified.pods.get(name)
    if name in observed.verified.gone:
        return NodeJudgement(NodeOutcome.MIGRATED if held else NodeOutcome.GONE, OutcomeReason.VERIFIED)
    if pods is None:
        if observed.reasons.get(name) == OutcomeReason.PODS_LEFT:
            return NodeJudgement(NodeOutcome.REMAINS, OutcomeReason.PODS_LEFT)
        return None
    if not held:
        return NodeJudgement(NodeOutcome.REMAINS, OutcomeReason.WAITING)
    if not pods:
        return NodeJudgement(NodeOutcome.MIGRATED, OutcomeReason.VERIFIED)
    if name in observed.manual or (entry is not None and _requires_manual_migration(*entry)):
        return NodeJudgement(NodeOutcome.MANUAL, OutcomeReason.FINISHED)
    return NodeJudgement(NodeOutcome.REMAINS, OutcomeReason.PODS_LEFT)


def _requires_manual_migration(ended: EndedMigration, node: MigrationInstance) -> bool:
    return ended.status.state == MigrationState.FINISHED and node.state == REQUIRES_MANUAL_MIGRATION


def _judge_ended(observed: NodeObservations, name: str, entry: _Entry) -> NodeJudgement | None:
    """Apply the rules 6 to 10; None when the end of no migration decides."""
    if entry is None:
        if name in observed.unverified:
            return NodeJudgement(NodeOutcome.MIGRATED, OutcomeReason.UNVERIFIED)
        return NodeJudgement(NodeOutcome.MANUAL, OutcomeReason.CONCLUDED) if name in observed.manual else None
    ended, node = entry
    finished = ended.status.state == MigrationState.FINISHED
    if node.running_pods == 0 and not _requires_manual_migration(ended, node):
        return NodeJudgement(NodeOutcome.MIGRATED, OutcomeReason.FINISHED if finished else OutcomeReason.DRAINED)
    if name in observed.unverified:
        return NodeJudgement(NodeOutcome.MIGRATED, OutcomeReason.UNVERIFIED)
    if _requires_manual_migration(ended, node):
        return NodeJudgement(NodeOutcome.MANUAL, OutcomeReason.FINISHED)
    if finished and not ended.is_complete:
        return NodeJudgement(NodeOutcome.REMAINS, OutcomeReason.UNPROVEN)
    if finished and not ended.is_contradicted:
        return NodeJudgement(NodeOutcome.MIGRATED, OutcomeReason.UNVERIFIED)
    if finished:
        return NodeJudgement(NodeOutcome.REMAINS, OutcomeReason.CONTRADICTED)
    if name in observed.manual:
        return NodeJudgement(NodeOutcome.MANUAL, OutcomeReason.CONCLUDED)
    return NodeJudgement(NodeOutcome.REMAINS, OutcomeReason.NOT_DRAINED)


def _judge_unproven(observed: NodeObservations, name: str, missing_since: Mapping[str, datetime]) -> NodeJudgement:
    """Apply the rules 11 and 12."""
    if name in missing_since:
        looked_at = None if observed.offered is None else observed.looked_at
        gone = looked_at is not None and looked_at - missing_since[name] >= SECOND_LOOK
        return NodeJudgement(NodeOutcome.GONE if gone else NodeOutcome.REMAINS, OutcomeReason.MISSING)
    if name in observed.lost:
        return NodeJudgement(NodeOutcome.REMAINS, OutcomeReason.LOST)
    if observed.reasons.get(name) in _KEPT_REASONS:
        return NodeJudgement(NodeOutcome.REMAINS, OutcomeReason(observed.reasons[name]))
    held = name in observed.ever_held
    return NodeJudgement(NodeOutcome.REMAINS, OutcomeReason.UNPROVEN if held else OutcomeReason.WAITING)


_KEPT_REASONS: Final = frozenset({OutcomeReason.CONTRADICTED, OutcomeReason.NOT_DRAINED, OutcomeReason.UNPROVEN})
"""Reasons that stay as long as nothing is observed that says otherwise."""
