"""The report of a run as JSON, as docs/schemas/report.json describes it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from ocean_migration_pulumi.api.models.migration import MigrationInstance
from ocean_migration_pulumi.common.times import format_time, parse_time
from ocean_migration_pulumi.migration.diagnosis.stuck_pods_text import describe_blocker
from ocean_migration_pulumi.migration.views.run_report import Moment, RunHealth, RunReport
from ocean_migration_pulumi.report.run import facts

VERSION: Final = 1
"""The version of the form: another one when a key goes or changes its meaning, and not when one is added."""


def report_to_json(run_report: RunReport) -> dict[str, Any]:
    """Return the report; what is not known is null, and names are as the service gives them."""
    status, progress, explanation = run_report.status, run_report.progress, run_report.explanation
    return {
        "version": VERSION,
        "generated_at": format_time(run_report.generated_at),
        "cluster": {"id": run_report.ocean_id, "name": run_report.cluster_name or None},
        "migration": {
            "id": status.id,
            "state": status.state,
            "outcome": str(explanation.outcome),
            "created_at": _time(parse_time(status.created_at)),
            "ended_at": _time(run_report.ended),
            "seconds": None if run_report.seconds is None else round(run_report.seconds, 3),
            "should_terminate_drained_nodes": status.should_terminate_drained_nodes,
            "should_evict_stand_alone_pods": status.should_evict_stand_alone_pods,
        },
        "progress": {
            "nodes": progress.total,
            "nodes_done": progress.done,
            "nodes_manual": progress.manual,
            "percentage": round(progress.percentage, 1),
            "pods_left": progress.pods,
            "unscheduled_pods": progress.unscheduled,
            "new_nodes": len(status.new_instances),
        },
        "explanation": {
            "headline": explanation.headline,
            "reason": explanation.reason or None,
            "evidence": list(explanation.evidence),
            "remedy": explanation.remedy or None,
        },
        "timeline": {
            "recorded": run_report.is_recorded,
            "states": [
                {
                    "state": visit.state or None,
                    "begun_at": format_time(visit.started),
                    "ended_at": format_time(visit.ended),
                    "seconds": round(visit.seconds, 3),
                }
                for visit in run_report.list_periods()
            ],
            "moments": [_moment(moment) for moment in run_report.moments],
        },
        "old_nodes": [_old_node(instance) for instance in status.old_instances],
        "new_nodes": [
            {
                "instance_id": node.instance_id,
                "node_name": node.node_name,
                "state": node.state,
                "pods": node.running_pods,
                "virtual_node_group": vng or None,
            }
            for vng, node in facts.new_nodes(run_report)
        ],
        "leftover_pods": [
            {"pod": held.pod, "node": held.node or None, **describe_blocker(held, explanation.vocabulary)._asdict()}
            for held in explanation.stuck
        ],
        "unscheduled_pods": facts.unscheduled_pods(run_report),
        "workload_health": None if run_report.health is None else _health(run_report.health),
        "log": [
            {"at": _time(parse_time(line.created_at)), "severity": line.severity or None, "message": line.message}
            for line in run_report.log
        ],
        "notes": facts.list_notes(run_report),
    }


def _health(health: RunHealth) -> dict[str, Any]:
    return {
        "state": health.state,
        "reason": health.reason or None,
        "workloads_ready": health.ready,
        "workloads": health.judged,
        "pods_on_ocean": health.on_ocean,
        "pods_elsewhere": health.elsewhere,
        "not_ready": [
            {
                "workload": each.workload,
                "ready": each.ready,
                "required": each.required,
                "reason": each.reason or None,
                "pod": each.pod or None,
                "detail": each.detail or None,
            }
            for each in health.not_ready
        ],
        "brake": _brake(health) if health.brake_cause else None,
    }


def _brake(health: RunHealth) -> dict[str, Any]:
    return {
        "cause": health.brake_cause,
        "workloads": list(health.broken),
        "check": health.failed_check or None,
    }


def _moment(moment: Moment) -> dict[str, Any]:
    return {
        "at": format_time(moment.at),
        "state": moment.state,
        "nodes_done": moment.done,
        "nodes": moment.total,
        "nodes_manual": moment.manual,
        "pods_left": moment.pods,
        "unscheduled_pods": moment.unscheduled,
    }


def _old_node(instance: MigrationInstance) -> dict[str, Any]:
    return {
        "instance_id": instance.instance_id,
        "node_name": instance.node_name,
        "auto_scaling_group": instance.asg_name,
        "state": instance.state,
        "pods_left": instance.running_pods,
        "pods": [{"id": pod.id, "name": pod.name, "kind": pod.kind} for pod in instance.pods],
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)
