"""Everything that is checked before a start: the pre-flight checks, what becomes of the pods, whether they will fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ocean_migration_pulumi.api.models.migration import MigrationStatus
from ocean_migration_pulumi.migration.checks import service
from ocean_migration_pulumi.migration.checks.autoscalers import check_autoscalers
from ocean_migration_pulumi.migration.checks.aws_capacity.attachments import check_attachments
from ocean_migration_pulumi.migration.checks.aws_capacity.aws_capacity import check_aws_capacity
from ocean_migration_pulumi.migration.checks.capacity import check_capacity
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus, Finding
from ocean_migration_pulumi.migration.checks.controllers import check_controller
from ocean_migration_pulumi.migration.checks.critical_pods import check_cluster_services, check_runner
from ocean_migration_pulumi.migration.checks.iam_roles import check_roles
from ocean_migration_pulumi.migration.checks.node_labels import check_node_labels
from ocean_migration_pulumi.migration.scheduling import eviction_forecast, placement
from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts
from ocean_migration_pulumi.migration.scheduling.eviction_forecast import NO_TRIALS
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import NODES, EvictionTrial
from ocean_migration_pulumi.migration.snapshot.snapshot import ClusterSnapshot
from ocean_migration_pulumi.migration.snapshot.sources import ClusterFacts
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode
from ocean_migration_pulumi.migration.spec.spec import KUBECONFIG, MigrationSpec

KUBERNETES: Final = "Kubernetes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What was found."""

    check_results: tuple[CheckResult, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    """What becomes of the pods (unless unknown), then the blockers, downtime, warnings and remarks, the worst first."""

    @property
    def failed(self) -> list[CheckResult]:
        """The checks that failed."""
        return [check_result for check_result in self.check_results if check_result.status is CheckStatus.FAIL]


def check_kubernetes(facts: ClusterFacts) -> CheckResult:
    """Check that there is access to Kubernetes, and that it is to the right cluster.

    Access that the resource itself names must be the right one; what happens to lie about in the environment is only
    not used.
    """
    if facts.kube is not None and NODES in facts.kube.gaps:
        return CheckResult.from_gap(KUBERNETES, facts.kube.gaps[NODES])
    if facts.kube is not None and not facts.recognized:
        return CheckResult(KUBERNETES, CheckStatus.UNKNOWN, Finding.KUBERNETES_NOT_RECOGNIZED)
    if facts.kube is not None:
        return CheckResult(KUBERNETES, CheckStatus.PASS, Finding.KUBERNETES_READ)
    gap = facts.absent.to_json() if facts.absent else None
    if facts.is_other_cluster and facts.explicit:
        return CheckResult(KUBERNETES, CheckStatus.FAIL, Finding.KUBERNETES_WRONG_CLUSTER, {"gap": gap})
    fields: dict[str, Any] = {"gap": gap if facts.is_named else None}
    if facts.is_other_cluster or not facts.is_named:
        fields["input"] = KUBECONFIG
    return CheckResult(KUBERNETES, CheckStatus.UNKNOWN, Finding.KUBERNETES_NOT_READ, fields)


def run_preflight(
    spec: MigrationSpec,
    nodes: Sequence[PlannedNode],
    snapshot: ClusterSnapshot,
    *,
    cloud: AwsFacts | None,
    other_migrations: Sequence[MigrationStatus],
    now: datetime,
    first: bool,
    trials: Mapping[str, EvictionTrial] = NO_TRIALS,
) -> Preflight:
    """Check the migration of these nodes.

    Args:
        spec: What to migrate, and how.
        nodes: The planned nodes that are still to be migrated.
        snapshot: What was read of the cluster.
        cloud: What AWS answered; None when it was not asked.
        other_migrations: The running migrations that are not this resource's.
        now: The service's time.
        first: Whether this resource has started no migration yet.
        trials: What the API server answered to trial evictions, by the full name of a PodDisruptionBudget.
    """
    kube = snapshot.facts.kube
    check_results = [
        service.check_connection(snapshot.heartbeat, now),
        check_kubernetes(snapshot.facts),
        service.check_vngs(nodes, snapshot.vngs, spec.unmatched_nodes),
        *check_node_labels(
            nodes,
            cluster=snapshot.cluster,
            vngs=snapshot.vngs,
            ocean_nodes=snapshot.ocean_nodes or (),
            kubernetes_nodes=kube.nodes if kube else {},
        ),
        *service.check_scaling(snapshot.cluster, now),
        *service.check_idle(other_migrations, spec.when_busy),
    ]
    forecast = fit = None
    if kube is not None:
        forecast = eviction_forecast.forecast_evictions(
            spec,
            nodes,
            kube,
            trials,
            now=now,
            draining_timeout=snapshot.cluster.draining_timeout or eviction_forecast.DRAINING_TIMEOUT,
        )
        fit = placement.forecast_placement(
            forecast.movers,
            nodes,
            kube,
            cluster=snapshot.cluster,
            vngs=snapshot.vngs,
            ocean_nodes=snapshot.ocean_nodes or (),
            cloud=cloud,
        )
        check_results[2:2] = [
            check_controller(kube),
            *check_autoscalers(kube, nodes, forecast.movers),
            *check_cluster_services(nodes, kube, forced=spec.force_pod_eviction_on_pdb_failure),
            *check_runner(nodes, kube, snapshot.facts.runner),
            service.check_pending(kube, first=first),
            *check_roles(
                nodes,
                cluster=snapshot.cluster,
                vngs=snapshot.vngs,
                ocean_nodes=snapshot.ocean_nodes or (),
                kube=kube,
                cloud=cloud,
            ),
        ]
    if kube is not None and forecast is not None:
        check_results += check_aws_capacity(
            nodes,
            cluster=snapshot.cluster,
            vngs=snapshot.vngs,
            kube=kube,
            cloud=cloud,
            moving=forecast.movers,
        )
        check_results += check_attachments(
            nodes,
            cluster=snapshot.cluster,
            vngs=snapshot.vngs,
            ocean_nodes=snapshot.ocean_nodes or (),
            kube=kube,
            cloud=cloud,
            moving=forecast.movers,
        )
    check_results += check_capacity(
        nodes,
        cluster=snapshot.cluster,
        vngs=snapshot.vngs,
        ocean_nodes=snapshot.ocean_nodes,
        moving=forecast.movers if forecast else (),
    )
    if forecast is None or fit is None:
        return Preflight(check_results=tuple(check_results))
    found = dict.fromkeys((*forecast.diagnostics, *fit.diagnostics))
    ordered = sorted(found, key=lambda diagnostic: diagnostic.rank)
    summary = forecast.summary
    return Preflight(check_results=tuple(check_results), diagnostics=(*([summary] if summary else []), *ordered))


def report_checks(check_results: Sequence[CheckResult], spec: MigrationSpec) -> list[Diagnostic]:
    """Return a diagnostic for each check that did not pass, and one that counts those that did."""
    diagnostics = [
        check_result.to_diagnostic(
            enforced=spec.prerequisites == "enforce" or check_result.name in service.ALWAYS_ENFORCED
        )
        for check_result in check_results
        if check_result.status is not CheckStatus.PASS
    ]
    not_passed = {diagnostic.subject for diagnostic in diagnostics}
    passed = list(dict.fromkeys(each.name for each in check_results if each.name not in not_passed))
    if passed:
        diagnostics.append(Diagnostic.info(Code.CHECKS_PASSED, names=passed))
    return diagnostics
