"""A gate that judges the workloads of the wave before it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from ocean_migration_pulumi.api.models.cluster import ClusterNode
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import DeadlineError
from ocean_migration_pulumi.migration.gate.spec import GateSpec, changed_inputs, read_gate_spec
from ocean_migration_pulumi.migration.health.baseline import HealthBaseline
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import PODS
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import WorkloadId, WorkloadSnapshot
from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode
from tests.migration.builders import candidate
from tests.migration.gate.test_wait import FakeKubernetes, FakeOcean, Stand
from tests.migration.health.support import OCEAN, baseline, old, pod, pulling, snapshot

THREE = baseline(old("a"), old("b"), old("c"))
ARRIVED = snapshot(pod("d"), pod("e"), pod("f"))
ELSEWHERE = snapshot(pod("d"), pod("e", node="node-later"), pod("f", node="node-later"))
BROKEN = snapshot(pod("d"), pod("e"), pulling("f"))
UNREAD = snapshot(gaps={PODS: Gap(GapCode.NOT_IN_TIME)})


@dataclass
class Workloads(FakeKubernetes):
    """A cluster whose workloads are looked at again and again."""

    looks: list[WorkloadSnapshot] = field(default_factory=lambda: [ARRIVED])
    asked: int = 0

    def read_workloads(
        self,
        scope: CancelScope,
        now: datetime,
        namespaces: Collection[str] | None,
        known: Collection[WorkloadId] = (),
    ) -> WorkloadSnapshot:
        """Return the next look; the last one stays."""
        assert namespaces == {"shop"}
        self.asked += 1
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]


def gate(*looks: WorkloadSnapshot, before: HealthBaseline | None = THREE, **more: Any) -> tuple[Stand, Workloads]:
    """Return a gate after a wave, and its cluster."""
    kubernetes = Workloads(looks=list(looks))
    ocean = FakeOcean(offered=(candidate("i-1"),), own=(ClusterNode(instance_id=OCEAN),))
    spec = {"workload_baseline": before, **more.pop("spec", {})}
    return Stand(ocean=ocean, kubernetes=kubernetes, spec=spec, **more), kubernetes


def test_gate_opens_when_the_workloads_arrived() -> None:
    """It says so, and reads them once a minute at most."""
    stand, kubernetes = gate(ARRIVED)
    assert "1 workload ready" in stand.opens().seen
    assert kubernetes.asked == 1


def test_gate_waits_for_workloads() -> None:
    """Until they are ready; a look that does not succeed is none."""
    stand, kubernetes = gate(BROKEN, UNREAD, ARRIVED)
    assert "1 workload ready" in stand.opens().seen
    assert kubernetes.asked >= 3
    told = " ".join(stand.reporter.statuses)
    assert "Deployment shop/cart has 2 of 3 pods ready" in told
    assert "workloads cannot be read: Kubernetes did not respond in time" in told


def test_gate_fails_when_the_canary_landed_on_old_nodes() -> None:
    """Its pods are ready, but not on Ocean nodes."""
    stand, _ = gate(ELSEWHERE)
    assert "1 of 3 pods arrived on Ocean nodes, 80 % required" in stand.stays_shut(DeadlineError)


@pytest.mark.parametrize(("percentage", "opens"), [(0, True), (33, True), (34, False)])
def test_share_that_has_to_arrive(percentage: int, opens: bool) -> None:
    """The gate's input says it."""
    stand, _ = gate(ELSEWHERE, spec={"min_pods_on_ocean": percentage})
    if opens:
        stand.opens()
    else:
        stand.stays_shut(DeadlineError)


def test_without_access_a_warning_says_that_health_is_unknown() -> None:
    """The gate opens as before."""
    stand = Stand(spec={"workload_baseline": THREE})
    stand.opens()
    assert any(
        "unknown whether the workloads of the previous wave are ready" in text for text in stand.reporter.warnings
    )


def test_without_a_baseline_nothing_is_judged() -> None:
    """A wave of an earlier version, or one without access."""
    stand, kubernetes = gate(BROKEN, before=None)
    stand.opens()
    assert kubernetes.asked == 0


def test_baselines_and_new_defaults_do_not_reopen_a_gate() -> None:
    """They are not compared."""
    props = {"ocean_id": "o-1", "workload_baseline": THREE.to_output(), "min_pods_on_ocean": 50}
    spec, problems = read_gate_spec(props)
    assert problems == []
    assert spec.workload_baseline == THREE
    assert changed_inputs(GateSpec(ocean_id="o-1"), spec) == []
