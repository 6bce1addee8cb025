"""Snapshot of a cluster: what planning reads of it at one time."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, VirtualNodeGroup
from ocean_migration_pulumi.api.models.migration import Candidate, Heartbeat, MigrationStatus
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import InputError, OceanMigrationError
from ocean_migration_pulumi.migration.checks.check_result import CheckResult
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import KubernetesSnapshot
from ocean_migration_pulumi.migration.snapshot.claims import ClusterClaims
from ocean_migration_pulumi.migration.snapshot.protocols import OceanApi
from ocean_migration_pulumi.migration.snapshot.sources import ClusterFacts, DataSources, ask_kubernetes
from ocean_migration_pulumi.migration.spec.diagnostic import Diagnostic
from ocean_migration_pulumi.migration.spec.node_selector import LabelMatches
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec

KEPT_BACK: Final = 1.0
"""Seconds of a preview that Kubernetes may not use up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainedNodes:
    """Drained nodes as Spot and Kubernetes show them, without any state."""

    since: Mapping[str, str | None] = field(default_factory=dict)
    """When each of them was drained, by instance id; None when that is not known."""
    excluded: frozenset[str] = frozenset()
    """Nodes that do not stay drained: candidates, nodes of running migrations, and those that Kubernetes does not show
    as cordoned."""
    seen: bool = False
    """Whether Kubernetes shows which nodes run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPreview:
    """What a preview found."""

    planned: dict[str, str] | None = None
    """The planned nodes; None when there is no plan yet, or the inputs have problems."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """What to show, in the order in which to show it."""
    check_results: tuple[CheckResult, ...] = ()
    """The pre-flight checks; empty when none were made."""
    problems: tuple[InputError, ...] = ()
    """Inputs that cannot be used."""
    may_be_held: bool = False
    """Whether the problems may be due to a migration that the list does not have yet, which hides its nodes."""
    drained: DrainedNodes = field(default_factory=DrainedNodes)
    """Planned nodes that stay drained; ``diagnostics`` name them only where no state knows more."""
    adopts: MigrationStatus | None = None
    """The running migration that a new resource adopts, the last of several; None when it adopts none."""
    unplanned: Diagnostic | None = None
    """Why a new selection could not be turned into a plan; None when it could, or did not have to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSnapshot:
    """What was read of a cluster at one time."""

    offered: Mapping[str, Candidate] = field(default_factory=dict)
    """The candidates by instance id."""
    recent: tuple[MigrationStatus, ...] = ()
    """Statuses of the running migrations, and of those created in the last 24 hours."""
    vngs: Mapping[str, VirtualNodeGroup] = field(default_factory=dict)
    """The VNGs by id."""
    cluster: Cluster = field(default_factory=lambda: Cluster(id=""))
    """The cluster."""
    heartbeat: Heartbeat = field(default_factory=Heartbeat)
    """The heartbeat of the Ocean Controller."""
    ocean_nodes: tuple[ClusterNode, ...] | None = None
    """The nodes that Ocean runs; None if they could not be listed."""
    facts: ClusterFacts = field(default_factory=ClusterFacts)
    """What Kubernetes answered."""

    @property
    def running(self) -> list[MigrationStatus]:
        """The running migrations."""
        return [status for status in self.recent if not status.is_terminal]

    @property
    def active(self) -> frozenset[str]:
        """The instance ids of the nodes that running migrations hold."""
        return frozenset(instance for status in self.running for instance in status.instance_ids)

    @property
    def vng_names(self) -> dict[str, str]:
        """The names of the Virtual Node Groups by id."""
        return {vng.id: vng.name for vng in self.vngs.values()}

    @property
    def label_matches(self) -> LabelMatches:
        """Which nodes each label selector takes."""
        return self.facts.label_matches


def take_snapshot(
    api: OceanApi, claims: ClusterClaims, scope: CancelScope, spec: MigrationSpec, sources: DataSources
) -> ClusterSnapshot:
    """Read what planning needs, in parallel: Spot, and Kubernetes if there is access to it.

    Args:
        api: Spot's API.
        claims: The claims on the cluster, with its cache.
        scope: Bounds the reading.
        spec: The spec, for its label selectors.
        sources: Data sources besides Spot.

    Raises:
        OceanMigrationError: An error of the API.
        InputError: The API server refuses a label selector.
        OperationCancelled: The operation was cancelled.
        DeadlineError: The deadline passed.

    """
    cache, kubernetes = claims.cache, sources.kubernetes
    left = scope.remaining()
    # What Kubernetes takes must not be missing for what is asked of the service afterwards.
    patient = scope if left is None else scope.at_most(max(left - KEPT_BACK, left / 2))
    asks = [
        lambda: cache.cluster(api, scope),
        lambda: cache.candidates(api, scope),
        lambda: cache.vngs(api, scope),
        lambda: cache.migrations(api, scope),
        lambda: cache.heartbeat(api, scope),
        lambda: cache.nodes(api, scope),
    ]
    read: list[KubernetesSnapshot] = []
    if kubernetes is not None:
        asks.append(lambda: read.append(kubernetes.read_snapshot(patient)))
    cache.together(asks)
    cluster = cache.cluster(api, scope)  # first: a cluster that does not exist is the clearest answer
    offered = {candidate.instance_id: candidate for candidate in cache.candidates(api, scope)}
    recent = tuple(cache.recent(api, scope))
    ocean_nodes = None
    with suppress(OceanMigrationError):  # the only question without which there is still a plan
        ocean_nodes = cache.nodes(api, scope)
    return ClusterSnapshot(
        offered=offered,
        recent=recent,
        vngs=cache.vngs(api, scope),
        cluster=cluster,
        heartbeat=cache.heartbeat(api, scope),
        ocean_nodes=ocean_nodes,
        facts=ask_kubernetes(
            sources,
            patient,
            offered=offered,
            ocean_nodes=ocean_nodes or (),
            label_selectors=spec.nodes.label_selectors,
            kube=read[0] if read else None,
        ),
    )


def has_same_flags(status: MigrationStatus, spec: MigrationSpec) -> bool:
    """Return whether a migration has the flags of a spec, as far as the service echoes them."""
    return (
        status.should_terminate_drained_nodes == spec.should_terminate_drained_nodes
        and status.should_evict_stand_alone_pods == spec.should_evict_stand_alone_pods
    )
