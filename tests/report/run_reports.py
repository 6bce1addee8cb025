"""Runs to report on: made up of whole statuses, as the service tells them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ocean_migration_pulumi.api.models.migration import (
    REQUIRES_MANUAL_MIGRATION,
    LogEntry,
    MigrationInstance,
    MigrationStatus,
    PodDetail,
)
from ocean_migration_pulumi.common.times import format_time
from ocean_migration_pulumi.migration.diagnosis.diagnosis import Diagnosis, Outcome
from ocean_migration_pulumi.migration.diagnosis.stuck_pods import Blocker, StuckPod
from ocean_migration_pulumi.migration.views.run_report import Moment, RunHealth, RunReport

STARTED = datetime(2024, 5, 1, 12, 0, 0, tzinfo=UTC)
NOTHING = Diagnosis(outcome=Outcome.RUNNING, headline="migration owm-6e3819ae runs")


def at(seconds: float) -> datetime:
    """Return a time so many seconds after the begin."""
    return STARTED + timedelta(seconds=seconds)


def moment(seconds: float, state: str, done: int = 0, *, pods: int = 0, total: int = 16, **more: int) -> Moment:
    """Return what a status said so many seconds after the begin."""
    return Moment(at=at(seconds), state=state, done=done, total=total, pods=pods, unscheduled=0, **more)


def course(total: int = 16, *, batches: int = 4, seconds: float = 60.0, pods: int = 6) -> tuple[Moment, ...]:
    """Return the moments of a run that drains its nodes batch by batch; each step takes so many seconds."""
    moments, now, done = [moment(0, "STARTING", total=total, pods=total * pods)], seconds, 0
    for batch in range(batches):
        until = total * (batch + 1) // batches
        for state in ("AWAIT_REPLACEMENTS", "DRAIN_NODES", "VALIDATE_DRAIN"):
            if state == "VALIDATE_DRAIN":
                done = until
            moments.append(moment(now, state, done, total=total, pods=(total - done) * pods))
            now += seconds
    return tuple(moments)


def old(number: int, *, pods: int | None = 0, state: str = "RUNNING", left: Sequence[str] = ()) -> MigrationInstance:
    """Return an old instance; ``left`` are stand-alone pods on it."""
    return MigrationInstance(
        instance_id=f"i-{number:017x}",
        node_name=f"ip-10-0-{number // 250}-{number % 250}.us-west-2.compute.internal",
        asg_name="eks-web-2a7b9c1d" if number % 3 else "eks-api-91fe03aa",
        state=state,
        running_pods=pods,
        pods=tuple(PodDetail(id=f"pod-{name}", name=name, kind="STAND_ALONE_POD") for name in left),
    )


def new(number: int, pods: int = 6) -> MigrationInstance:
    """Return a new instance."""
    return MigrationInstance(
        instance_id=f"i-0ce{number:014x}",
        node_name=f"ip-10-1-{number // 250}-{number % 250}.us-west-2.compute.internal",
        state="RUNNING",
        running_pods=pods,
    )


def run_report(
    status: MigrationStatus | None = None,
    *,
    state: str = "DRAIN_NODES",
    moments: Iterable[Moment] = (),
    explanation: Diagnosis = NOTHING,
    seconds: float = 600.0,
    **more: Any,
) -> RunReport:
    """Return a story; the last moment is that of the status."""
    status = status or MigrationStatus(
        id="owm-6e3819ae", state=state, created_at=format_time(STARTED), old_instances=(old(1, pods=3), old(2))
    )
    facts: dict[str, Any] = {
        "ocean_id": "o-123abcd",
        "cluster_name": "shop",
        "log": (),
        "virtual_node_groups": {},
        "generated_at": at(seconds),
    }
    return RunReport(
        status=status,
        moments=(*moments, Moment.from_reading(at(seconds), status)),
        explanation=explanation,
        **(facts | more),
    )


def log(*lines: tuple[float, str, str]) -> tuple[LogEntry, ...]:
    """Return lines of the log: seconds after the begin, severity, message."""
    return tuple(
        LogEntry(created_at=format_time(at(seconds)), severity=severity, message=message)
        for seconds, severity, message in lines
    )


def failed() -> RunReport:
    """Return a run of 16 nodes that failed in its third batch, with Kubernetes to tell what holds the pods."""
    status = MigrationStatus(
        id="owm-6e3819ae",
        state="FINISHED_ERROR",
        created_at=format_time(STARTED),
        errored_at=format_time(at(760)),
        old_instances=tuple(old(number, pods=0 if number < 8 else 6 - number % 3) for number in range(16)),
        new_instances=tuple(map(new, range(5))),
        unscheduled_pods=("3f6c1d5e-8a94-4a52-9a4e-6d2f8b1c0e11", "b80d3a77-15cc-4f0e-8d55-0a6b8d1f2c22"),
        should_terminate_drained_nodes=True,
        should_evict_stand_alone_pods=False,
    )
    explanation = Diagnosis(
        outcome=Outcome.FAILED,
        headline="Ocean could not start enough new instances, after 12m40s with 8 of 16 nodes done",
        reason="instances",
        evidence=("Workload migration owm-6e3819ae has stopped: failed to spin up enough new instances",),
        remedy=(
            "Make sure that a Virtual Node Group fits the remaining nodes (instance types, subnets, limits, capacity)"
        ),
        stuck=(
            StuckPod(
                pod="payments/ledger-0",
                node=old(8).node_name,
                blocker=Blocker.BUDGET,
                fields={"budget": "payments/ledger", "healthy": 2, "required": 2},
            ),
            StuckPod(pod="tools/debug-1", node=old(9).node_name, blocker=Blocker.STANDALONE),
        ),
        notes=("AWS was not asked: there is no access to it",),
    )
    moments = [*course(16, batches=4, seconds=63)[:9], moment(590, "HANDLE_UNSCHEDULE", 8, pods=38)]
    moments += [moment(690, "ERROR", 8, pods=38), moment(730, "RESCHEDULE_NODES", 8, pods=38)]
    lines = [(float(7 * number), "INFO", f"Node ip-10-0-0-{number} was cordoned") for number in range(40)]
    lines += [(600.0, "WARN", "Pods payments/api-7d9f could not be scheduled for 5 minutes")]
    lines += [(755.0, "ERROR", explanation.evidence[0])]
    groups = {new(number).instance_id: ("web", "web", "api", "api")[number] for number in range(4)}
    return run_report(
        status,
        moments=moments,
        explanation=explanation,
        seconds=760,
        log=log(*lines),
        virtual_node_groups=groups,
        generated_at=at(3600),
    )


def with_leftovers() -> RunReport:
    """Return a run that finished and left pods behind; nobody wrote down its course."""
    status = MigrationStatus(
        id="owm-77aa01b2",
        state="FINISHED",
        created_at=format_time(STARTED),
        completed_at=format_time(at(1505)),
        old_instances=(
            *(old(number) for number in range(13)),
            *(
                old(number, pods=1, state=REQUIRES_MANUAL_MIGRATION, left=[f"debug-{number}"])
                for number in range(13, 16)
            ),
        ),
        new_instances=tuple(map(new, range(6))),
        should_terminate_drained_nodes=False,
        should_evict_stand_alone_pods=False,
    )
    explanation = Diagnosis(
        outcome=Outcome.LEFTOVERS,
        headline="finished after 25m05s, and pods that Ocean does not move are left on 3 nodes",
        reason="leftovers",
        evidence=tuple(f"{old(number).node_name} requires manual migration" for number in range(13, 16)),
        remedy="Move them by hand, or migrate these nodes again with should_evict_stand_alone_pods",
        stuck=tuple(
            StuckPod(pod=f"debug-{number}", node=old(number).node_name, blocker=Blocker.STANDALONE)
            for number in range(13, 16)
        ),
        notes=("blockers unknown: no access to Kubernetes, set kubeconfig or KUBECONFIG",),
    )
    return run_report(
        status, explanation=explanation, seconds=1505, log=log((1500, "INFO", "Workload migration finished"))
    )


HEALTH_OUTPUTS: dict[str, Any] = {
    "workload_health": {
        "migration_id": "owm-6e3819ae",
        "state": "not ready",
        "final": False,
        "workloads": {"below": 1.0, "well": 2.0, "excused": 1.0},
        "pods": {"ocean": 9.0, "planned": 2.0, "elsewhere": 1.0, "waiting": 0.0, "not_ready": 2.0},
        "landed_elsewhere": 1.0,
        "not_ready": [
            {
                "workload": "Deployment shop/cart",
                "ready": 1.0,
                "required": 3.0,
                "reason": "image",
                "pod": "shop/cart-1",
                "detail": 'Back-off pulling image "shop/cart:2"',
            }
        ],
    }
}
"""Outputs of a resource, with numbers as an engine returns them."""

BRAKED: dict[str, Any] = {
    "id": "owm-6e3819ae",
    "stop_cause": {"cause": "image", "workloads": ["Deployment shop/cart"], "seconds": 600.0},
}
"""The entry of a migration that the brake stopped."""


def braked() -> RunReport:
    """Return a run that the brake stopped."""
    explanation = Diagnosis(outcome=Outcome.STOPPED, headline="stopped after 10m00s")
    return run_report(state="STOPPED", explanation=explanation, health=RunHealth.from_outputs(HEALTH_OUTPUTS, BRAKED))


def large(nodes: int = 1000) -> RunReport:
    """Return a run of very many nodes that goes on, recorded every 15 seconds."""
    moments = course(nodes, batches=20, seconds=150)[:46]
    done = moments[-1].done
    status = MigrationStatus(
        id="owm-1a2b3c4d",
        state="DRAIN_NODES",
        created_at=format_time(STARTED),
        old_instances=tuple(
            old(
                number,
                pods=0 if number < done else 1 + number % 9,
                state=REQUIRES_MANUAL_MIGRATION if number >= done and number % 99 == 7 else "RUNNING",
            )
            for number in range(nodes)
        ),
        new_instances=tuple(map(new, range(nodes // 3))),
        unscheduled_pods=tuple(f"0b0e5a1c-0000-4000-8000-{number:012x}" for number in range(70)),
        should_terminate_drained_nodes=True,
        should_evict_stand_alone_pods=True,
    )
    return run_report(
        status,
        moments=moments,
        explanation=Diagnosis(outcome=Outcome.RUNNING, headline=f"{done} of {nodes} nodes done after 1h54m"),
        seconds=6900,
        log=log(*((float(number), "INFO", f"Node {number} was drained") for number in range(900))),
    )
