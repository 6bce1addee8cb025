"""Everything that is judged before a start: the prerequisites, what becomes of the pods, and whether they will fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ocean_migration_pulumi.api.models.migration import MigrationStatus
from ocean_migration_pulumi.migration.checks import service
from ocean_migration_pulumi.migration.checks.capacity import check_room
from ocean_migration_pulumi.migration.checks.check_result import Finding, Verdict
from ocean_migration_pulumi.migration.checks.controllers import check_autoscalers, check_controller
from ocean_migration_pulumi.migration.checks.iam_roles import check_roles
from ocean_migration_pulumi.migration.scheduling import eviction_forecast, placement
from ocean_migration_pulumi.migration.scheduling.aws_facts import Cloud
from ocean_migration_pulumi.migration.scheduling.eviction_forecast import NO_TRIALS
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import EvictionTrial
from ocean_migration_pulumi.migration.snapshot.snapshot import Sight
from ocean_migration_pulumi.migration.snapshot.sources import Surroundings
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode
from ocean_migration_pulumi.migration.spec.spec import Wish

KUBERNETES: Final = "Kubernetes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was found.

    ``blockers`` are texts of what stands in the way of single nodes or pods, the worst first; ``pods_line`` tells what
    becomes of the pods, empty when that is not known.
    """

    findings: tuple[Finding, ...] = ()
    blockers: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    pods_line: str = ""

    @property
    def failed(self) -> list[Finding]:
        """The prerequisites that are not met."""
        return [finding for finding in self.findings if finding.verdict is Verdict.FAIL]


def check_kubernetes(around: Surroundings) -> Finding:
    """Check that there is access to Kubernetes, and that it is to the right cluster.

    Access that the resource itself names must be the right one; what happens to lie about in the environment is only
    not used.
    """
    if around.workloads is not None:
        return Finding(KUBERNETES, Verdict.PASS, "its nodes are those that Ocean offers")
    remedy = "make sure that Cluster Autoscaler is off and that the controller is version 2 (or at least 1.0.46)"
    if around.foreign and around.explicit:
        return Finding(KUBERNETES, Verdict.FAIL, around.absent, "give the kubeconfig of this cluster")
    why = f" ({around.absent})" if around.foreign else ""
    return Finding(
        KUBERNETES,
        Verdict.UNKNOWN,
        f"not checked without access to Kubernetes{why}: the Ocean Controller's version, other node autoscalers, "
        "PodDisruptionBudgets, stand-alone pods",
        remedy,
    )


def examine(
    wish: Wish,
    nodes: Sequence[PlannedNode],
    sight: Sight,
    *,
    cloud: Cloud | None,
    foreign: Sequence[MigrationStatus],
    now: datetime,
    first: bool,
    trials: Mapping[str, EvictionTrial] = NO_TRIALS,
) -> Examination:
    """Judge the migration of these nodes.

    ``foreign`` are the migrations of others that run, ``now`` is the service's time, and ``first`` tells that this
    resource has started none yet. ``trials`` is what the API server answered to evictions on trial, by
    PodDisruptionBudget.
    """
    workloads = sight.around.workloads
    findings = [
        service.check_connection(sight.heartbeat, now),
        check_kubernetes(sight.around),
        service.check_groups(nodes, sight.groups, wish.unmatched_nodes),
        *service.check_scaling(sight.cluster, now),
        *service.check_idle(foreign, wish.when_busy),
    ]
    departure = fit = None
    if workloads is not None:
        departure = eviction_forecast.judge(wish, nodes, workloads, trials)
        fit = placement.judge(
            departure.movers,
            nodes,
            workloads,
            cluster=sight.cluster,
            groups=sight.groups,
            ocean_nodes=sight.ocean_nodes or (),
            cloud=cloud,
        )
        findings[2:2] = [
            check_controller(workloads),
            *check_autoscalers(workloads),
            service.check_pending(workloads, first=first),
            *check_roles(
                nodes,
                cluster=sight.cluster,
                groups=sight.groups,
                ocean_nodes=sight.ocean_nodes or (),
                workloads=workloads,
                cloud=cloud,
            ),
        ]
    findings += check_room(
        nodes,
        cluster=sight.cluster,
        groups=sight.groups,
        ocean_nodes=sight.ocean_nodes,
        moving=departure.movers if departure else (),
    )
    if departure is None or fit is None:
        return Examination(findings=tuple(findings))
    return Examination(
        findings=tuple(findings),
        blockers=(*departure.blockers, *fit.blockers),
        warnings=tuple(dict.fromkeys((*departure.warnings, *fit.warnings, *departure.unjudged, *fit.unjudged))),
        remarks=fit.remarks,
        pods_line=departure.pods_line(),
    )
