"""Every observation, and every reason not to compare a workload, has one text; the golden file shows what they say."""

from __future__ import annotations

from pathlib import Path

from ocean_migration_pulumi.migration.checks.check_result import Finding
from ocean_migration_pulumi.migration.health.assessment import Excuse, HealthReport, HealthVerdict, WorkloadHealth
from ocean_migration_pulumi.migration.reconcile.readiness.observations_text import (
    describe_excuses,
    describe_observation,
)
from ocean_migration_pulumi.migration.snapshot.sources import NO_ACCESS
from ocean_migration_pulumi.migration.spec.conditions import ConditionObservation, ObservationCode
from tests.migration.health.support import CART, START
from tests.migration.planning.text.test_findings_text import compare_with_golden

GOLDEN = Path(__file__).parent / "observations.golden.txt"
URL = "https://shop.example/health"
OBJECT = "Deployment shop/cart"
GAP = {"gap": NO_ACCESS.to_json()}
WAITING = [{"workload": "Deployment shop/cart", "excuse": Excuse.ROLLING}]

OBSERVATIONS = [
    (ObservationCode.FAILED, URL, {"message": "no response within 5 s"}),
    (ObservationCode.FAILED, "", {"message": "Spot's API responded with 503"}),
    (ObservationCode.GAP, "", GAP),
    (ObservationCode.GAP, "Certificate shop/tls Ready=True", GAP),
    (ObservationCode.NOT_IN_TIME, "Ocean", {}),
    (ObservationCode.NO_KIND, "Order shop/tls", {"api_version": "cert-manager.io/v1", "kind": "Order"}),
    (ObservationCode.NO_OBJECT, OBJECT, {}),
    (ObservationCode.NEEDS_NAMESPACE, "Certificate tls", {}),
    (ObservationCode.HAS_NO_NAMESPACE, "ClusterIssuer shop/le", {}),
    (ObservationCode.BEING_DELETED, OBJECT, {}),
    (ObservationCode.OUTDATED, OBJECT, {}),
    (ObservationCode.REPLICAS, OBJECT, {"ready": 2, "expected": 3}),
    (ObservationCode.JOB_FAILED, "Job shop/load", {}),
    (ObservationCode.CONDITION, OBJECT, {"condition": "Available", "status": "True", "reason": ""}),
    (ObservationCode.CONDITION, OBJECT, {"condition": "Available", "status": "False", "reason": "MinimumReplicas"}),
    (ObservationCode.OTHER_CLUSTER, "Certificate shop/tls Ready=True", {}),
    (ObservationCode.NO_PROBE, URL, {}),
    (ObservationCode.URL_ANSWERED, URL, {"status": 200}),
    (ObservationCode.URL_STATUS, URL, {"status": 503, "expected": 200}),
    (ObservationCode.URL_BODY, URL, {"status": 200}),
    (ObservationCode.HEARTBEAT, "", {"finding": Finding.CONTROLLER_REPORTS}),
    (ObservationCode.NO_MIGRATION, "", {}),
    (ObservationCode.MIGRATION_LISTED, "owm-1", {}),
    (ObservationCode.MIGRATION_DENIED, "owm-1", {"seconds": 45.0}),
    (ObservationCode.MIGRATION_GONE, "owm-1", {}),
    (ObservationCode.SCHEDULED, "", {}),
    (ObservationCode.UNSCHEDULED, "", {"count": 2}),
    (ObservationCode.PENDING, "", {"pods": ["shop/a", "shop/b"]}),
    (ObservationCode.WORKLOADS_UNREAD, "", GAP),
    (ObservationCode.WORKLOADS_BELOW, OBJECT, {"ready": 1, "required": 3, "others": 0}),
    (ObservationCode.WORKLOADS_BELOW, OBJECT, {"ready": 1, "required": 3, "others": 2}),
    (ObservationCode.PODS_ARRIVED, "", {"arrived": 4, "expected": 9, "percentage": 80}),
    (ObservationCode.WORKLOADS_READY, "", {"count": 4, "unknown": []}),
    (ObservationCode.WORKLOADS_READY, "", {"count": 4, "unknown": WAITING}),
]


def test_every_observation_has_its_golden_text() -> None:
    """And every reason not to compare a workload."""
    lines = [
        f"{code}: {describe_observation(ConditionObservation(False, code, subject, fields))}"
        for code, subject, fields in OBSERVATIONS
    ]
    for excuse in Excuse:
        health = WorkloadHealth(id=CART, verdict=HealthVerdict.UNKNOWN, excuse=excuse)
        (text,) = describe_excuses(HealthReport(at=START, workloads=(health,)), HealthVerdict.UNKNOWN)
        lines.append(f"{excuse}: {text}")
    compare_with_golden(GOLDEN, lines)
    assert {code for code, _, _ in OBSERVATIONS} == set(ObservationCode)


def test_names_of_others_stay_on_one_line() -> None:
    """Pods and messages are the choice of others."""
    found = ConditionObservation(False, ObservationCode.PENDING, fields={"pods": ["shop/a\nb"]})
    assert "\n" not in describe_observation(found)
    failed = ConditionObservation(False, ObservationCode.FAILED, fields={"message": "a\nb" * 1000})
    assert len(describe_observation(failed)) == 200
