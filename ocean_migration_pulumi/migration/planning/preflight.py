"""Everything that is judged before a start: the prerequisites, what becomes of the pods, and whether they will fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ocean_migration_pulumi.api.models.migration import MigrationStatus
from ocean_migration_pulumi.migration.checks import service
from ocean_migration_pulumi.migration.checks.capacity import check_capacity
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus
from ocean_migration_pulumi.migration.checks.controllers import check_autoscalers, check_controller
from ocean_migration_pulumi.migration.checks.iam_roles import check_roles
from ocean_migration_pulumi.migration.scheduling import eviction_forecast, placement
from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts
from ocean_migration_pulumi.migration.scheduling.eviction_forecast import NO_TRIALS
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import EvictionTrial
from ocean_migration_pulumi.migration.snapshot.snapshot import ClusterSnapshot
from ocean_migration_pulumi.migration.snapshot.sources import ClusterFacts
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec

KUBERNETES: Final = "Kubernetes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What was found.

    ``blockers`` are texts of what stands in the way of single nodes or pods, the worst first; ``pods_line`` tells what
    becomes of the pods, empty when that is not known.
    """

    check_results: tuple[CheckResult, ...] = ()
    blockers: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    pods_line: str = ""

    @property
    def failed(self) -> list[CheckResult]:
        """The prerequisites that are not met."""
        return [check_result for check_result in self.check_results if check_result.verdict is CheckStatus.FAIL]


def check_kubernetes(facts: ClusterFacts) -> CheckResult:
    """Check that there is access to Kubernetes, and that it is to the right cluster.

    Access that the resource itself names must be the right one; what happens to lie about in the environment is only
    not used.
    """
    if facts.kube is not None:
        return CheckResult(KUBERNETES, CheckStatus.PASS, "its nodes are those that Ocean offers")
    remedy = "make sure that Cluster Autoscaler is off and that the controller is version 2 (or at least 1.0.46)"
    if facts.foreign and facts.explicit:
        return CheckResult(KUBERNETES, CheckStatus.FAIL, facts.absent, "give the kubeconfig of this cluster")
    why = f" ({facts.absent})" if facts.foreign else ""
    return CheckResult(
        KUBERNETES,
        CheckStatus.UNKNOWN,
        f"not checked without access to Kubernetes{why}: the Ocean Controller's version, other node autoscalers, "
        "PodDisruptionBudgets, stand-alone pods",
        remedy,
    )


def run_preflight(
    spec: MigrationSpec,
    nodes: Sequence[PlannedNode],
    snapshot: ClusterSnapshot,
    *,
    cloud: AwsFacts | None,
    foreign: Sequence[MigrationStatus],
    now: datetime,
    first: bool,
    trials: Mapping[str, EvictionTrial] = NO_TRIALS,
) -> Preflight:
    """Judge the migration of these nodes.

    ``foreign`` are the migrations of others that run, ``now`` is the service's time, and ``first`` tells that this
    resource has started none yet. ``trials`` is what the API server answered to evictions on trial, by
    PodDisruptionBudget.
    """
    kube = snapshot.facts.kube
    check_results = [
        service.check_connection(snapshot.heartbeat, now),
        check_kubernetes(snapshot.facts),
        service.check_groups(nodes, snapshot.groups, spec.unmatched_nodes),
        *service.check_scaling(snapshot.cluster, now),
        *service.check_idle(foreign, spec.when_busy),
    ]
    forecast = fit = None
    if kube is not None:
        forecast = eviction_forecast.forecast_evictions(spec, nodes, kube, trials)
        fit = placement.forecast_placement(
            forecast.movers,
            nodes,
            kube,
            cluster=snapshot.cluster,
            groups=snapshot.groups,
            ocean_nodes=snapshot.ocean_nodes or (),
            cloud=cloud,
        )
        check_results[2:2] = [
            check_controller(kube),
            *check_autoscalers(kube),
            service.check_pending(kube, first=first),
            *check_roles(
                nodes,
                cluster=snapshot.cluster,
                groups=snapshot.groups,
                ocean_nodes=snapshot.ocean_nodes or (),
                kube=kube,
                cloud=cloud,
            ),
        ]
    check_results += check_capacity(
        nodes,
        cluster=snapshot.cluster,
        groups=snapshot.groups,
        ocean_nodes=snapshot.ocean_nodes,
        moving=forecast.movers if forecast else (),
    )
    if forecast is None or fit is None:
        return Preflight(check_results=tuple(check_results))
    return Preflight(
        check_results=tuple(check_results),
        blockers=(*forecast.blockers, *fit.blockers),
        warnings=tuple(dict.fromkeys((*forecast.warnings, *fit.warnings, *forecast.unjudged, *fit.unjudged))),
        remarks=fit.remarks,
        pods_line=forecast.pods_line(),
    )
