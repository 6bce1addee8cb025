"""Every code, and every finding of a check, has one template; the golden file shows what they say."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ocean_migration_pulumi.cli.options import OPTIONS
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus, Finding
from ocean_migration_pulumi.migration.planning.text.findings_text import render, render_cause, render_check, render_line
from ocean_migration_pulumi.migration.planning.text.gaps_text import describe_gap
from ocean_migration_pulumi.migration.planning.text.outcomes_text import describe_unfinished
from ocean_migration_pulumi.migration.planning.text.plan_text import describe_changes
from ocean_migration_pulumi.migration.scheduling.pod_requirements import RequirementKind, RequirementRemedy
from ocean_migration_pulumi.migration.scheduling.unknowns import Topic
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity, UnplannedCause, UnplannedEffect
from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode
from ocean_migration_pulumi.migration.spec.vocabulary import INPUTS, Vocabulary
from ocean_migration_pulumi.migration.state.unfinished import Unfinished, UnfinishedCode
from tests.support.gaps import failed_gap

GOLDEN = Path(__file__).parent / "diagnostics.golden.txt"
COMMAND_GOLDEN = Path(__file__).parent / "command_diagnostics.golden.txt"

NOUNS = "node|pod|workload|replica|NodePool|address|volume|block|batch|migration|Virtual Node Group|PodDisruptionBudget"
VERBS = "are|were|have|need|wait|match|remain|stay"
WRONG_PLURAL = re.compile(rf"(?<![\d.,])1 (?:[\w-]+ )?(?:(?:{NOUNS})e?s\b|(?:{NOUNS}|more) (?:{VERBS})\b)")
NOT_COUNTED = {"seconds", "settle_seconds", "status", "milli_cpu", "memory_mib", "spot_percentage", "quota", "ready"}
"""Numbers that stay as they are in ``one_of_each``."""
SEVERAL = {Code.PDBS_OVERLAP, Finding.SEVERAL_CONTROLLERS}
"""What is only said of several."""

NODES = ["i-1", "i-2"]
HELD: dict[str, Any] = {"pods": 2, "nodes": ["ip-10-0-0-7", "ip-10-0-0-8"], "forced": False}
BUDGET: dict[str, Any] = {
    **HELD,
    "healthy": 2,
    "required": 2,
    "never": True,
    "problem": "",
    "processed": True,
    "trial": None,
}
PODS: dict[str, Any] = {
    "evicted": 30,
    "held": 2,
    "forced": 0,
    "kept": 1,
    "deleted": 0,
    "leaving": 1,
    "finished": 0,
    "daemon_set_pods": 4,
    "static_pods": 0,
    "losing_data": 1,
    "losing_work": 2,
    "knows_budgets": True,
    "knows_all_pods": True,
}
NO_PODS = dict.fromkeys(PODS, 0) | {"knows_budgets": True, "knows_all_pods": True}
PLAN: dict[str, Any] = {
    "digest": "d92f6f1300000000",
    "nodes": 6,
    "moved": 0,
    "waiting": 6,
    "active": 0,
    "pods": 38,
    "batches": 3,
    "batch_size": 2,
}
WORKLOAD: dict[str, Any] = {
    "kind": "Deployment",
    "name": "shop/cart",
    "ready": 3,
    "planned": 3,
    "evicted_at_once": 3,
    "nodes": ["ip-10-0-0-7", "ip-10-0-0-8"],
    "budgets": [],
    "surges": True,
    "batch_size_percentage": 25,
}
ALL_READY = {"workloads": 3, "pods": 12, "elsewhere": 0, "unknown": [], "excused": [], "omitted": 0}
PLANNED_HEALTH: dict[str, Any] = {
    "workloads": 12,
    "gap": None,
    "health": "enforce",
    "settle_seconds": 900.0,
    "stops_after": {"broken_workloads": 600.0},
}
LEDGER: dict[str, Any] = {
    **WORKLOAD,
    "name": "shop/ledger",
    "ready": 1,
    "planned": 1,
    "evicted_at_once": 1,
    "nodes": ["ip-10-0-0-7"],
    "batch_size_percentage": None,
}
QUEUE: dict[str, Any] = {**LEDGER, "kind": "StatefulSet", "name": "shop/queue", "surges": False}
REDUCED: dict[str, Any] = {**WORKLOAD, "ready": 5, "evicted_at_once": 4}
GUARDED: dict[str, Any] = {"budgets": ["shop/cart"], "batch_size_percentage": None}


def workloads(*found: dict[str, Any], knows_budgets: bool = True, forced: bool = False) -> dict[str, Any]:
    """Return the fields of a diagnostic about workloads."""
    return {"workloads": list(found), "knows_budgets": knows_budgets, "forced": forced}


DRAINED = {"nodes": ["i-1", "i-2"], "since": "2026-01-02T04:00:00.000Z", "seen": True}
DESTINATION: dict[str, Any] = {
    "name": "web",
    "nodes": 4,
    "pods": 24,
    "known": True,
    "spot_percentage": 70.0,
    "fallback_to_on_demand": False,
}
ONE_POD: dict[str, Any] = {"pods": ["shop/debug"], "nodes": ["ip-10-0-0-9"], "orphaned": False}
MANY_PODS: dict[str, Any] = {"pods": [f"shop/debug-{n}" for n in range(7)], "nodes": ["n1", "n2"], "orphaned": True}
CART_BELOW: dict[str, Any] = {
    "workload": "Deployment shop/cart",
    "ready": 2,
    "required": 3,
    "reason": "image",
    "pod": "shop/cart-1",
    "detail": "Back-off pulling image",
}
QUEUE_BELOW: dict[str, Any] = {
    "workload": "StatefulSet shop/queue",
    "ready": 0,
    "required": 1,
    "reason": "still starting",
    "pod": "",
    "detail": "",
}
SELECTOR: dict[str, Any] = {
    "kind": RequirementKind.NODE_SELECTOR,
    "remedy": RequirementRemedy.ADD_LABEL,
    "terms": [[{"key": "disk", "operator": "In", "values": ["ssd"]}]],
}
SYSTEM: dict[str, Any] = {
    "kind": RequirementKind.SYSTEM,
    "remedy": RequirementRemedy.ADD_SYSTEM,
    "terms": [[{"key": "kubernetes.io/os", "operator": "In", "values": ["windows"]}]],
}
RESERVED: dict[str, Any] = {
    "kind": RequirementKind.NODE_SELECTOR,
    "remedy": RequirementRemedy.REMOVE_RESERVED,
    "terms": [[{"key": "node-role.kubernetes.io/worker", "operator": "Exists", "values": []}]],
}
ZONE: dict[str, Any] = {
    "kind": RequirementKind.VOLUME_ZONE,
    "remedy": RequirementRemedy.ADD_SUBNET,
    "terms": [[{"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["us-west-2a", "us-west-2b"]}]],
}
REQUESTS: dict[str, Any] = {"kind": RequirementKind.REQUESTS, "milli_cpu": 96_000, "memory_mib": 102_400, "gpu": 1}
TIGHT: dict[str, Any] = {**REQUESTS, "kind": RequirementKind.TIGHT_REQUESTS}
AFFINITY: dict[str, Any] = {
    "kind": RequirementKind.NODE_AFFINITY,
    "remedy": RequirementRemedy.ALLOW_INSTANCE_TYPE,
    "terms": [
        [
            {"key": "team", "operator": "NotIn", "values": ["a", "b", "c", "d"]},
            {"key": "disk", "operator": "DoesNotExist", "values": []},
        ],
        [{"key": "size", "operator": "Gt", "values": ["3"]}],
        [],
    ],
}
VOLUME: dict[str, Any] = {
    "kind": RequirementKind.VOLUME,
    "remedy": RequirementRemedy.REMOVE,
    "terms": [[{"key": "rack", "operator": "Exists", "values": []}]],
}
NAMED: dict[str, Any] = {
    "kind": RequirementKind.NODE_SELECTOR,
    "remedy": RequirementRemedy.REMOVE_NODE_NAME,
    "terms": [[{"key": "kubernetes.io/hostname", "operator": "In", "values": []}]],
}
ADDRESSES = {"subnets": ["subnet-a", "subnet-b"], "free": 3, "nodes": 2, "pods": 14, "needed": 16, "blocks": 4}
TARGETS = [{"id": "ols-1", "name": "web"}, {"id": "o-1", "name": ""}]
ROLE: dict[str, Any] = {"role": "arn:aws:iam::123456789012:role/nodes", "targets": TARGETS}
TEAM_ROLE = "arn:aws:iam::123456789012:role/team/nodes"
OTHER_CLUSTER: dict[str, Any] = {"code": GapCode.OTHER_CLUSTER, "access": "KUBECONFIG"}
UNREAD: dict[str, Any] = {"gap": {"code": GapCode.AWS_DENIED, "action": "eks:ListAccessEntries"}}
LIMIT: dict[str, Any] = {
    "setting": "capacity.maximum",
    "owner_id": "o-1",
    "owner_name": "",
    "limit": 5,
    "used": 2,
    "unit": "node",
}

DIAGNOSTICS: list[tuple[Code, str, dict[str, Any]]] = [
    (Code.STARTS_FROZEN, "", {"until": "Mon 2026-12-07 08:00 CET"}),
    (Code.STARTS_FROZEN, "", {"until": None}),
    (Code.PLAN_SUMMARY, "", PLAN),
    (Code.PLAN_SUMMARY, "", {**PLAN, "waiting": 2, "active": 1, "pods": None}),
    (Code.PLAN_SUMMARY, "", {**PLAN, "waiting": 0, "pods": None}),
    (Code.PLAN_SUMMARY, "", {**PLAN, "migrated": 6, "waiting": 0, "pods": None}),
    (Code.PLAN_SUMMARY, "", {**PLAN, "nodes": 1, "migrated": 1, "waiting": 0, "pods": None}),
    (Code.PLAN_SUMMARY, "", {**PLAN, "digest": "", "moved": 6, "waiting": 0, "pods": None}),
    (Code.PLAN_SUMMARY, "", {**PLAN, "digest": "", "nodes": 0, "waiting": 0, "pods": None}),
    (Code.PLAN_EMPTY, "", {}),
    (Code.PATTERN_UNMATCHED, "wbe*", {"field": "asg_names", "nearest": "web*"}),
    (Code.PATTERN_UNMATCHED, "wbe*", {"field": "asg_names", "nearest": None}),
    (Code.PLAN_NOT_APPROVED, "", {"digest": "d92f6f1300000000", "approved": "feedbeef", "nodes": NODES, "changes": []}),
    (
        Code.PLAN_NOT_APPROVED,
        "",
        {
            "digest": "d92f6f1300000000",
            "approved": "feedbeeffeedbeef",
            "nodes": NODES,
            "changes": [
                {"name": "planned_nodes", "approved": None, "now": None},
                {"name": "batch_size_percentage", "approved": 5, "now": 50},
                {"name": "stop_when", "approved": "off", "now": "broken_workloads"},
                {"name": "should_terminate_drained_nodes", "approved": False, "now": True},
                {"name": "prerequisites", "approved": "enforce", "now": "off"},
            ],
        },
    ),
    (Code.PLAN_NOT_APPROVED, "", {"digest": "d92f6f1300000000", "approved": None, "nodes": NODES, "changes": []}),
    (Code.APPROVAL_OUTDATED, "", {"digest": "d92f6f1300000000", "approved": "feedbeef"}),
    (Code.APPROVAL_OUTDATED, "", {"digest": "d92f6f1300000000", "approved": "feedbeeffeedbeef"}),
    (Code.PLAN_KEPT_BY_RUN, "", {}),
    (
        Code.UNPLANNED,
        "",
        {"cause": UnplannedCause.NO_ACCOUNT, "detail": "", "effect": UnplannedEffect.PLANNED_BY_UP},
    ),
    (
        Code.UNPLANNED,
        "",
        {"cause": UnplannedCause.NO_LABELS, "detail": "", "effect": UnplannedEffect.OUTPUT_STAYS},
    ),
    (
        Code.UNPLANNED,
        "",
        {
            "cause": UnplannedCause.SPOT_UNAVAILABLE,
            "detail": "no response within 5s",
            "effect": UnplannedEffect.PLAN_STAYS,
        },
    ),
    (
        Code.UNPLANNED,
        "",
        {
            "cause": UnplannedCause.CONTROLLER_NEVER_REPORTED,
            "detail": "o-1",
            "effect": UnplannedEffect.PLANNED_BY_UP,
        },
    ),
    (Code.DESTINATION, "ols-1a2b3c4d", DESTINATION),
    (Code.DESTINATION, "ols-1", {**DESTINATION, "spot_percentage": 100.0, "fallback_to_on_demand": True}),
    (Code.DESTINATION, "ols-1", {**DESTINATION, "spot_percentage": 0.0, "pods": 1, "nodes": 1}),
    (Code.DESTINATION, "ols-1", {**DESTINATION, "spot_percentage": None}),
    (Code.DESTINATION, "ols-1", {**DESTINATION, "spot_percentage": 100.0, "fallback_to_on_demand": None}),
    (Code.DESTINATION, "Default", {**DESTINATION, "name": "", "known": False, "pods": None}),
    (Code.DESTINATIONS_MORE, "", {"groups": 3, "nodes": 6}),
    (Code.BATCHES, "", {"count": 3, "size": 2, "last": 2, "pods": [14, 13, 13]}),
    (Code.BATCHES, "", {"count": 2, "size": 2, "last": 1, "pods": None}),
    (Code.BATCHES, "", {"count": 1, "size": 6, "last": 6, "pods": [38]}),
    (Code.BATCHES, "", {"count": 12, "size": 1, "last": 1, "pods": list(range(1, 13))}),
    (Code.PODS, "", PODS),
    (Code.PODS, "", {**NO_PODS, "forced": 1, "deleted": 1, "finished": 1, "static_pods": 1}),
    (Code.PODS, "", {**NO_PODS, "knows_budgets": False}),
    (Code.PODS, "", {**NO_PODS, "evicted": 3, "knows_all_pods": False}),
    (Code.NODES_STAY, "", {"nodes": 6}),
    (Code.NODES_STAY, "", {"nodes": 1}),
    (Code.NODES_STAY, "", {"nodes": 6, "priced": 6, "usd_per_hour": 0.576}),
    (Code.NODES_STAY, "", {"nodes": 6, "priced": 4, "usd_per_hour": 0.384}),
    (Code.NODES_DRAINED, "", DRAINED),
    (Code.NODES_DRAINED, "", {**DRAINED, "nodes": ["i-1"], "since": None}),
    (Code.NODES_DRAINED, "", {**DRAINED, "priced": 2, "usd_per_hour": 0.192}),
    (Code.NODES_DRAINED, "", {**DRAINED, "priced": 1, "usd_per_hour": 0.096}),
    (Code.NODES_DRAINED, "", {**DRAINED, "seen": False, "priced": None, "usd_per_hour": 0.192}),
    (Code.NODES_DRAINED, "", {"nodes": ["i-1"], "since": None, "seen": False}),
    (Code.NODES_OUTSIDE_PLAN, "", {"nodes": 10}),
    (Code.NODES_OUTSIDE_PLAN, "", {"nodes": 10, "waves": [{"name": "shop-rest", "nodes": 6}]}),
    (
        Code.NODES_OUTSIDE_PLAN,
        "",
        {"nodes": 10, "waves": [{"name": "shop-api", "nodes": None}, {"name": "shop-rest", "nodes": None}]},
    ),
    (Code.NODES_UNDECIDED, "", {"nodes": NODES}),
    (Code.NODES_UNDECIDED, "", {"nodes": NODES, "migrations": ["owm-1"], "unknown": ["label_selector"]}),
    (
        Code.NODES_UNDECIDED,
        "",
        {"nodes": ["i-1"], "migrations": ["owm-1"], "unknown": ["virtual_node_groups", "node_names"]},
    ),
    (Code.NODES_NEW, "", {"nodes": ["i-1"]}),
    (Code.NODES_NEW, "", {"nodes": NODES}),
    (Code.NODES_SKIPPED, "", {"nodes": NODES}),
    (Code.NODES_EXCLUDED, "", {"nodes": NODES}),
    (Code.ASG_MAY_REPLACE, "", {"asg_names": ["web"]}),
    (Code.ASG_MAY_REPLACE, "", {"asg_names": ["api", "web"]}),
    (Code.ASG_REPLACES, "web", {}),
    (Code.CHECKS_PASSED, "", {"names": ["connection", "scaling"]}),
    (Code.CHECK_FAILED, "scaling", {"finding": Finding.AUTOSCALER_DISABLED, "cluster": "o-1"}),
    (Code.CHECK_WARNING, "node autoscalers", {"finding": Finding.KARPENTER_RUNS, "deployment": "karpenter/karpenter"}),
    (Code.CHECK_UNKNOWN, "capacity", {"finding": Finding.OCEAN_NODES_NOT_READ, "cluster": "o-1"}),
    (Code.PDB_BLOCKS, "shop/ledger", BUDGET),
    (Code.PDB_BLOCKS, "shop/ledger", {**BUDGET, "never": False, "pods": 1, "nodes": ["ip-10-0-0-7"]}),
    (Code.PDB_BLOCKS, "shop/ledger", {**BUDGET, "trial": {"allowed": False, "message": "needs 2."}}),
    (Code.PDB_BLOCKS, "shop/ledger", {**BUDGET, "trial": {"allowed": None, "message": ""}}),
    (
        Code.PDB_BLOCKS,
        "shop/ledger",
        {**BUDGET, "trial": {"allowed": None, "message": "", "gap": failed_gap("403", "add a rule").to_json()}},
    ),
    (Code.PDB_BLOCKS, "shop/ledger", {**BUDGET, "forced": True}),
    (Code.PDB_BLOCKS, "shop/ledger", {**BUDGET, "problem": "found no controllers for pod x."}),
    (Code.PDB_BLOCKS, "shop/ledger", {**BUDGET, "processed": False}),
    (Code.PDB_BLOCKS, "shop/ledger", {**BUDGET, "closed": True}),
    (Code.PDBS_OVERLAP, "", {**HELD, "budgets": ["shop/a", "shop/b"]}),
    (Code.PDBS_OVERLAP, "", {**HELD, "budgets": ["shop/a", "shop/b"], "forced": True}),
    (Code.PDBS_MORE, "", {**HELD, "budgets": ["shop/a", "shop/b"]}),
    (Code.PDB_ALLOWS, "shop/ledger", {}),
    (Code.STANDALONE_PODS_STAY, "shop/debug", ONE_POD),
    (Code.STANDALONE_PODS_STAY, "", MANY_PODS),
    (Code.STANDALONE_PODS_DELETED, "shop/debug", ONE_POD),
    (Code.STANDALONE_PODS_DELETED, "", MANY_PODS),
    (Code.DOWNTIME, "Deployment shop/cart", workloads(WORKLOAD)),
    (Code.DOWNTIME, "Deployment shop/cart", workloads({**WORKLOAD, "batch_size_percentage": None})),
    (Code.DOWNTIME, "Deployment shop/cart", workloads({**WORKLOAD, **GUARDED})),
    (Code.DOWNTIME, "Deployment shop/cart", workloads({**WORKLOAD, **GUARDED}, forced=True)),
    (Code.DOWNTIME, "Deployment shop/cart", workloads(WORKLOAD, knows_budgets=False)),
    (
        Code.DOWNTIME,
        "Deployment shop/cart",
        workloads({**WORKLOAD, "batch_size_percentage": None}, knows_budgets=False),
    ),
    (Code.DOWNTIME, "", workloads(WORKLOAD, {**WORKLOAD, "name": "shop/web"})),
    (Code.DOWNTIME, "Deployment shop/ledger", workloads(LEDGER)),
    (Code.DOWNTIME, "StatefulSet shop/queue", workloads(QUEUE)),
    (Code.DOWNTIME, "", workloads(LEDGER, QUEUE, LEDGER, QUEUE)),
    (Code.DOWNTIME, "", workloads(QUEUE, QUEUE, QUEUE, QUEUE)),
    (Code.REPLICAS_DROP, "Deployment shop/cart", workloads(REDUCED)),
    (Code.REPLICAS_DROP, "", workloads({**REDUCED, **GUARDED}, {**REDUCED, "name": "shop/web"}, forced=True)),
    (Code.REPLICAS_DROP, "Deployment shop/cart", workloads(REDUCED, knows_budgets=False)),
    (Code.PDB_SUGGESTION, "", {"workloads": ["Deployment shop/cart"], "source": "apiVersion: policy/v1"}),
    (Code.WORK_INTERRUPTED, "Job", {"pods": ["shop/a"]}),
    (Code.WORK_INTERRUPTED, "GitLab job", {"pods": ["shop/a", "shop/b"]}),
    (
        Code.PODS_TERMINATING,
        "shop/a",
        {"pods": ["shop/a"], "nodes": ["ip-10-0-0-7"], "seconds": 11520.0, "finalizers": ["example.com/keep"]},
    ),
    (
        Code.PODS_TERMINATING,
        "",
        {"pods": ["shop/a", "shop/b"], "nodes": ["ip-10-0-0-7"], "seconds": 400.0, "finalizers": []},
    ),
    (Code.NODES_NOT_READY, "ip-10-0-0-7", {"nodes": ["ip-10-0-0-7"], "pods": 5, "seconds": 11520.0}),
    (Code.NODES_NOT_READY, "", {"nodes": ["ip-10-0-0-7", "ip-10-0-0-8"], "pods": 1, "seconds": 11520.0}),
    (Code.NODES_NOT_READY, "ip-10-0-0-7", {"nodes": ["ip-10-0-0-7"], "pods": 1, "seconds": None}),
    (Code.GRACE_PERIOD_TOO_LONG, "", {"pods": ["shop/a"], "seconds": 3600, "timeout": 300}),
    (Code.GRACE_PERIOD_TOO_LONG, "", {"pods": ["shop/a", "shop/b"], "seconds": 600, "timeout": 300}),
    (Code.PODS_PROTECTED, "karpenter.sh/do-not-disrupt", {"value": "true", "pods": ["shop/a", "shop/b"]}),
    (Code.PODS_UNPLACEABLE, "", {"pods": ["shop/a", "shop/b"], "reasons": [SELECTOR, ZONE]}),
    (Code.PODS_UNPLACEABLE, "", {"pods": ["shop/a"], "reasons": [REQUESTS]}),
    (Code.PODS_UNPLACEABLE, "", {"pods": ["shop/a"], "reasons": [AFFINITY]}),
    (Code.PODS_UNPLACEABLE, "", {"pods": ["shop/a"], "reasons": [VOLUME]}),
    (Code.PODS_UNPLACEABLE, "", {"pods": ["shop/a"], "reasons": [NAMED]}),
    (Code.PODS_UNPLACEABLE, "", {"pods": ["shop/a"], "reasons": [{"kind": RequirementKind.VOLUME_ON_NODE}]}),
    (Code.PODS_UNPLACEABLE, "", {"pods": ["shop/a"], "reasons": [{"kind": RequirementKind.TOLERATIONS}]}),
    (Code.PODS_UNPLACEABLE, "", {"pods": ["shop/a"], "reasons": [{"kind": RequirementKind.NO_GROUP}]}),
    (Code.PODS_UNPLACEABLE, "", {"pods": ["shop/a"], "reasons": [SYSTEM]}),
    (Code.PODS_UNPLACEABLE, "", {"pods": ["shop/a"], "reasons": [RESERVED]}),
    (
        Code.PODS_UNPLACEABLE,
        "",
        {"pods": ["shop/a"], "reasons": [{"kind": RequirementKind.COMBINED, "parts": [SELECTOR, REQUESTS]}]},
    ),
    (Code.PODS_UNPLACEABLE_MORE, "", {"pods": ["shop/a", "shop/b"], "reasons": 2}),
    (
        Code.PODS_PLACEMENT_UNKNOWN,
        "",
        {"pods": ["shop/a"], "reasons": [{"kind": RequirementKind.VOLUME_UNKNOWN}]},
    ),
    (Code.PODS_PLACEMENT_UNKNOWN, "", {"pods": ["shop/a"], "reasons": [TIGHT]}),
    (
        Code.PODS_PLACEMENT_UNKNOWN,
        "",
        {
            "pods": ["shop/a"],
            "reasons": [
                {"kind": RequirementKind.OTHER_RESOURCES, "names": ["hugepages-2Mi", "vpc.amazonaws.com/pod-eni"]},
                {"kind": RequirementKind.POD_AFFINITY},
            ],
        },
    ),
    (
        Code.PODS_UNPLACEABLE,
        "",
        {
            "pods": ["shop/a"],
            "reasons": [
                {
                    "kind": RequirementKind.TOPOLOGY_SPREAD,
                    "remedy": RequirementRemedy.ADD_LABEL,
                    "terms": [[{"key": "rack", "operator": "Exists", "values": []}]],
                }
            ],
        },
    ),
    (Code.PODS_PLACEMENT_UNKNOWN_MORE, "", {"pods": ["shop/a", "shop/b"], "reasons": 1}),
    (Code.PODS_CHANGE_GROUP, "", {"pods": ["shop/a"]}),
    (Code.PODS_CHANGE_GROUP, "", {"pods": ["shop/a", "shop/b"]}),
    (Code.PODS_CHANGE_ARCHITECTURE, "amd64", {"pods": ["shop/a"]}),
    (Code.PODS_CHANGE_ARCHITECTURE, "amd64", {"pods": ["shop/a", "shop/b"]}),
    (Code.NOT_EVALUATED, "", {"topics": list(Topic), "gap": failed_gap("forbidden", "add the rule").to_json()}),
    (Code.NOT_EVALUATED, "", {"topics": [Topic.PODS], "gap": failed_gap("timed out").to_json()}),
    (
        Code.VNG_SUGGESTION,
        "gpu",
        {"nodes": 2, "asg_names": ["gpu"], "source": 'OceanLaunchSpec(\n    "gpu",\n)'},
    ),
    (Code.MIGRATION_ADOPTED, "owm-1", {"nodes": 6, "pending": True, "ended": False, "whole": True}),
    (Code.MIGRATION_ADOPTED, "owm-1", {"nodes": 1, "pending": True, "ended": True, "whole": True}),
    (Code.MIGRATION_ADOPTED, "owm-1", {"nodes": 6, "pending": False, "ended": False, "whole": True}),
    (Code.MIGRATION_ADOPTED, "owm-1", {"nodes": 6, "pending": False, "ended": False, "whole": False}),
    (Code.MIGRATION_ADOPTED, "owm-1", {"nodes": 6, "pending": False, "ended": True, "whole": True}),
    (Code.MIGRATION_DENIED, "owm-1", {}),
    (Code.MIGRATION_UNRECORDED, "owm-1", {"nodes": 2}),
    (Code.MIGRATION_LOST, "owm-1", {"nodes": NODES}),
    (Code.MIGRATION_LOST, "owm-1", {"nodes": []}),
    (Code.NODES_UNPROVEN, "", {"nodes": ["i-1"]}),
    (Code.NODES_UNPROVEN, "", {"nodes": NODES}),
    (Code.NODES_HELD, "owm-2", {"nodes": ["i-1"], "waits": True}),
    (Code.NODES_HELD, "owm-2", {"nodes": NODES, "waits": False}),
    (Code.NODES_HELD, "owm-2", {"nodes": [], "waits": True}),
    (Code.NODES_GONE, "", {"nodes": ["i-1"]}),
    (Code.NODES_GONE, "", {"nodes": NODES}),
    (Code.NODES_RETURNED, "", {"nodes": ["i-1"]}),
    (Code.NODES_RETURNED, "", {"nodes": NODES}),
    (Code.NODES_UNVERIFIED, "", {"nodes": ["i-1"]}),
    (Code.NODES_UNVERIFIED, "", {"nodes": NODES}),
    (Code.NODES_CONTRADICTED, "", {"nodes": NODES}),
    (Code.NODES_WITH_PODS, "", {"nodes": ["i-1"], "pods": ["shop/web-0"]}),
    (Code.NODES_WITH_PODS, "", {"nodes": NODES, "pods": []}),
    (Code.NODES_MISSING, "", {"nodes": ["i-1"]}),
    (Code.NODES_MISSING, "", {"nodes": NODES}),
    (Code.NODES_LEFT, "", {"nodes": NODES}),
    (Code.STOPPED_EARLIER, "owm-1", {"by_brake": False, "cause": "", "check": "", "nodes": 1}),
    (Code.STOPPED_EARLIER, "owm-1", {"by_brake": True, "cause": "image", "check": "", "nodes": 2}),
    (
        Code.STOPPED_EARLIER,
        "owm-1",
        {"by_brake": True, "cause": "HTTP check", "check": "https://shop.example/health", "nodes": 2},
    ),
    (Code.FAILED_EARLIER, "owm-1", {"message": "Ocean could not start enough new instances", "nodes": 2}),
    (Code.HEALTH_PLANNED, "", PLANNED_HEALTH),
    (Code.HEALTH_PLANNED, "", {**PLANNED_HEALTH, "health": "warn", "stops_after": {}}),
    (
        Code.HEALTH_PLANNED,
        "",
        {
            **PLANNED_HEALTH,
            "workloads": 1,
            "health": "off",
            "stops_after": {"below_required_for": 900.0, "unscheduled_for": 1200.0},
        },
    ),
    (Code.HEALTH_PLANNED, "", {**PLANNED_HEALTH, "workloads": 0}),
    (
        Code.HEALTH_PLANNED,
        "",
        {**PLANNED_HEALTH, "workloads": None, "gap": failed_gap("may not list pods (403)").to_json()},
    ),
    (Code.HEALTH_WATCHED, "", {"workloads": 3, "pods": 12, "unhealthy": 0, "omitted": 0, "stops": False}),
    (Code.HEALTH_WATCHED, "", {"workloads": 500, "pods": 900, "unhealthy": 1, "omitted": 20, "stops": True}),
    (
        Code.HEALTH_PLANNED,
        "",
        {
            **PLANNED_HEALTH,
            "workloads": None,
            "gap": {"code": GapCode.NO_ACCESS},
            "checks": [
                {"name": "https://shop.example/health", "seconds": 120.0, "watched": True},
                {"name": "Certificate shop/tls Ready=True", "seconds": 600.0, "watched": False},
            ],
        },
    ),
    (Code.STOP_CHECKS_WATCHED, "", {"passed": ["https://shop.example/health"], "failing": []}),
    (
        Code.STOP_CHECKS_WATCHED,
        "",
        {
            "passed": ["Node n Ready=True", "https://shop.example/health"],
            "failing": ["Deployment shop/cart is not Ready"],
        },
    ),
    (Code.STOP_CHECKS_WATCHED, "", {"passed": [], "failing": ["Node n is not Ready", "Node m is not there"]}),
    (Code.HEALTH_UNKNOWN, "", {"gap": failed_gap("may not list pods (403)", "add the rule").to_json()}),
    (Code.HEALTH_UNKNOWN, "", {"gap": failed_gap("timed out").to_json()}),
    (Code.WORKLOADS_READY, "", ALL_READY),
    (Code.WORKLOADS_READY, "", {**ALL_READY, "workloads": 1, "elsewhere": 2}),
    (
        Code.WORKLOADS_READY,
        "",
        {
            **ALL_READY,
            "unknown": ["Deployment shop/web is being rolled out"],
            "excused": ["Deployment shop/cart was deleted", "StatefulSet shop/db was unhealthy before"],
            "omitted": 20,
        },
    ),
    (Code.WORKLOADS_NOT_READY, "", {"workloads": [CART_BELOW], "others": 0, "starting": False, "looks_again": True}),
    (
        Code.WORKLOADS_NOT_READY,
        "",
        {"workloads": [QUEUE_BELOW] * 5, "others": 2, "starting": True, "looks_again": False},
    ),
    (
        Code.BRAKE_STOPPED,
        "owm-1",
        {
            "cause": "image",
            "workloads": ["Deployment shop/cart"],
            "check": "",
            "pod": "shop/cart-1",
            "detail": "Back-off pulling image",
            "seconds": 600.0,
            "drained": 1,
            "remaining": 5,
        },
    ),
    (
        Code.BRAKE_STOPPED,
        "owm-1",
        {
            "cause": "HTTP check",
            "workloads": [],
            "check": "https://shop.example/health",
            "pod": "",
            "detail": "https://shop.example/health responds with 503 instead of 200",
            "seconds": 612.0,
            "drained": 2,
            "remaining": 4,
        },
    ),
    (Code.BRAKE_HOLDS, "owm-1", {"cause": "image", "check": "", "nodes": NODES}),
    (Code.BRAKE_HOLDS, "owm-1", {"cause": "condition", "check": "Certificate shop/tls Ready=True", "nodes": NODES}),
    (Code.PREVIEW_FILE_NOT_WRITTEN, "", {"reason": "No space left on device"}),
]

FINDINGS: list[tuple[Finding, dict[str, Any]]] = [
    (Finding.NOT_READ, {"gap": failed_gap("may not list nodes (403)", "add nodes to the role").to_json()}),
    (Finding.CONTROLLER_REPORTS, {}),
    (Finding.CONTROLLER_NEVER_REPORTED, {}),
    (Finding.CONTROLLER_SILENT, {"status": "INACTIVE", "seconds": 601.0}),
    (Finding.CONTROLLER_SILENT, {"status": "", "seconds": 0.0}),
    (Finding.KUBERNETES_READ, {}),
    (Finding.KUBERNETES_NOT_READ, {"gap": None, "input": "kubeconfig"}),
    (Finding.KUBERNETES_NOT_READ, {"gap": OTHER_CLUSTER, "input": "kubeconfig"}),
    (Finding.KUBERNETES_NOT_READ, {"gap": failed_gap("Kubernetes cannot be reached: connection refused").to_json()}),
    (Finding.KUBERNETES_NOT_RECOGNIZED, {}),
    (Finding.KUBERNETES_WRONG_CLUSTER, {"gap": OTHER_CLUSTER}),
    (Finding.CONTROLLER_V2, {"version": "2.3.0"}),
    (Finding.CONTROLLER_V2, {"version": None}),
    (Finding.CONTROLLER_NOT_READY, {"version": "2.3.0", "deployment": "spot-system/ocean-controller"}),
    (
        Finding.CONTROLLER_MODE_UNKNOWN,
        {"version": None, "deployment": "spot-system/ocean-controller", "sources": ["ConfigMap ocean", "Secret ocean"]},
    ),
    (Finding.CONTROLLER_SCALED_DOWN, {"deployment": "spot-system/ocean-controller"}),
    (Finding.CONTROLLER_NOT_FOUND, {}),
    (Finding.CONTROLLER_V1, {"version": "1.0.45", "deployment": "k/c", "too_old": True, "blocks_v2": False}),
    (Finding.CONTROLLER_V1, {"version": "1.0.101", "deployment": "k/c", "too_old": False, "blocks_v2": True}),
    (Finding.CONTROLLER_V1, {"version": None, "deployment": "k/c", "too_old": False, "blocks_v2": False}),
    (Finding.CONTROLLER_READ_ONLY, {"deployment": "spot-system/ocean-controller"}),
    (Finding.SEVERAL_CONTROLLERS, {"deployments": ["a/ocean-controller", "b/ocean-controller"]}),
    (Finding.NO_OTHER_AUTOSCALER, {}),
    (Finding.CLUSTER_AUTOSCALER_RUNS, {"namespace": "kube-system", "name": "cluster-autoscaler", "replicas": 1}),
    (Finding.KARPENTER_RUNS, {"deployment": "karpenter/karpenter"}),
    (Finding.VENDOR_AUTOSCALER_RUNS, {"vendor": "CAST AI", "deployments": ["castai-agent/castai-cluster-controller"]}),
    (Finding.EKS_AUTO_MODE_RUNS, {"nodes": ["n-1"]}),
    (Finding.NODE_POOLS_TAKE_PODS, {"pools": ["general"], "pods": ["shop/a"]}),
    (Finding.NODE_POOLS_TAKE_PODS, {"pools": ["general", "spot"], "pods": ["shop/a", "shop/b"]}),
    (Finding.NODE_POOLS_TAKE_PODS, {"pools": ["general", "general-purpose"], "pods": ["shop/a"]}),
    (Finding.KARPENTER_OWNS_NODES, {"pools": ["general"], "nodes": NODES}),
    (Finding.CLUSTER_SERVICES_STAY, {}),
    (Finding.DNS_ON_PLANNED_NODES, {"pods": ["kube-system/coredns-a", "kube-system/coredns-b"], "nodes": ["n1", "n2"]}),
    (Finding.CONTROLLER_ON_PLANNED_NODES, {"pods": ["spot-system/ocean-a"], "nodes": ["n1"]}),
    (
        Finding.WEBHOOKS_ON_PLANNED_NODES,
        {"webhooks": ["kyverno.svc"], "pods": ["kyverno/a", "kyverno/b"], "nodes": ["n1"], "refuses_nodes": False},
    ),
    (
        Finding.WEBHOOKS_ON_PLANNED_NODES,
        {"webhooks": ["a", "b"], "pods": ["kyverno/a"], "nodes": ["n1"], "refuses_nodes": True},
    ),
    (Finding.RUNNER_STAYS, {}),
    (Finding.RUNNER_ON_PLANNED_NODE, {"pod": "ci/runner-1", "node": "n1"}),
    (Finding.NO_PENDING_PODS, {"gated": 0}),
    (Finding.NO_PENDING_PODS, {"gated": 2}),
    (Finding.PENDING_PODS, {"pods": ["shop/a", "shop/b"], "gated": 0}),
    (Finding.PENDING_PODS, {"pods": ["shop/a"], "gated": 1}),
    (Finding.ROLES_MAPPED, {}),
    (Finding.NO_INSTANCE_PROFILE, {"targets": TARGETS}),
    (Finding.ROLE_NOT_READ, {"profile": "ocean-profile", "targets": TARGETS, **UNREAD}),
    (Finding.ROLE_NOT_READ, {"profile": "ocean-profile", "targets": TARGETS, "gap": None}),
    (Finding.ROLE_NOT_MAPPED, ROLE),
    (Finding.ROLE_MAPPED_WITH_PATH, {**ROLE, "role": TEAM_ROLE, "mapped": TEAM_ROLE}),
    (Finding.ROLE_MAPPED_WRONG, {**ROLE, "username": "admin", "missing": ["system:nodes"]}),
    (Finding.ROLE_MAPPED_WRONG, {**ROLE, "username": "", "missing": ["system:bootstrappers", "system:nodes"]}),
    (Finding.ROLE_MAPPED_WRONG, {**ROLE, "username": None, "missing": ["system:nodes"]}),
    (Finding.ROLE_MAPPED_WRONG, {**ROLE, "username": None, "missing": ["eks:kube-proxy-windows"], "windows": True}),
    (
        Finding.ROLE_MAPPED_WRONG,
        {**ROLE, "username": "system:node:{{EC2PrivateDNSName}}", "missing": [], "by_id": True},
    ),
    (Finding.ROLE_USERNAME_UNSURE, {**ROLE, "username": "system:node:{{SessionName}}"}),
    (Finding.ROLE_WITHOUT_ENTRY, ROLE),
    (Finding.ROLE_WITHOUT_ENTRY, {**ROLE, "windows": True}),
    (Finding.ACCESS_ENTRY_OF_OTHER_TYPE, {**ROLE, "type": "STANDARD"}),
    (Finding.ACCESS_ENTRY_OF_OTHER_TYPE, {**ROLE, "type": "EC2_LINUX", "windows": True}),
    (Finding.ACCESS_ENTRY_NOT_READ, {**ROLE, **UNREAD}),
    (Finding.AUTHENTICATION_MODE_NOT_READ, {**ROLE, **UNREAD}),
    (Finding.AWS_AUTH_NOT_READ, {**ROLE, "gap": failed_gap("may not get configmaps (403)", "add a rule").to_json()}),
    (Finding.AWS_AUTH_NOT_READ, {**ROLE, "gap": failed_gap("timed out").to_json()}),
    (Finding.ACCESS_ENTRIES_NOT_READ, {**ROLE, **UNREAD}),
    (Finding.NODES_MATCHED, {}),
    (Finding.NODES_UNMATCHED, {"nodes": NODES, "allowed": False}),
    (Finding.NODES_UNMATCHED, {"nodes": ["i-1"], "allowed": True}),
    (Finding.GROUPS_GONE, {"groups": ["ols-1"], "nodes": NODES}),
    (Finding.LABELS_NOT_SET, {"group": "ols-1", "name": "web", "labels": ["tier=web"], "taints": []}),
    (
        Finding.LABELS_NOT_DECLARED,
        {"group": "o-1", "name": "", "labels": [], "taints": ["gpu:NoSchedule"], "default": True},
    ),
    (
        Finding.LABELS_REFUSED,
        {"group": "ols-1", "name": "web", "labels": ["node-role.kubernetes.io/web"], "starts": False},
    ),
    (
        Finding.LABELS_REFUSED,
        {"group": "ols-1", "name": "web", "labels": ["a.k8s.io/b", "kubernetes.io/role"], "starts": True},
    ),
    (
        Finding.LABELS_NOT_SET,
        {"group": "ols-1", "name": "", "labels": ["a=b", "c=d"], "taints": ["dedicated=batch:NoSchedule"]},
    ),
    (Finding.LABELS_NOT_DECLARED, {"group": "ols-1", "name": "web", "labels": [], "taints": ["gpu:NoSchedule"]}),
    (Finding.USER_DATA_NOT_READ, {"group": "ols-1", "name": "web"}),
    (Finding.SCALING_ENABLED, {}),
    (Finding.AUTOSCALER_DISABLED, {"cluster": "o-1"}),
    (Finding.CAPACITY_ZERO, {"cluster": "o-1"}),
    (Finding.SHUTDOWN_HOURS, {"cluster": "o-1", "window": "Fri:20:00-Mon:04:00"}),
    (Finding.NO_OTHER_MIGRATION, {}),
    (Finding.OTHER_MIGRATION_RUNS, {"migration": "owm-1", "state": "DRAIN_NODES", "nodes": 1, "waits": True}),
    (Finding.OTHER_MIGRATION_RUNS, {"migration": "owm-1", "state": "DRAIN_NODES", "nodes": 3, "waits": False}),
    (Finding.AWS_CAPACITY_FREE, {}),
    (Finding.ADDRESSES_TIGHT, {**ADDRESSES, "complete": False}),
    (Finding.ADDRESSES_TIGHT, {**ADDRESSES, "needed": 40, "complete": True}),
    *(
        (Finding.ADDRESSES_UNKNOWN, {**ADDRESSES, "cause": cause})
        for cause in ("not-read", "other-subnets", "other-network", "prefixes", "settings", "instance-types")
    ),
    (Finding.ATTACHMENTS_FREE, {}),
    (Finding.ATTACHMENTS_TIGHT, {"target": TARGETS[0], "nodes": ["n-1"], "volumes": 27, "least": 23, "most": 26}),
    (Finding.ATTACHMENTS_TIGHT, {"target": TARGETS[0], "nodes": ["a", "b"], "volumes": 27, "least": 25, "most": 25}),
    (Finding.ATTACHMENTS_UNKNOWN, {"target": {"id": "o-1", "name": ""}, "nodes": ["n-1"], "volumes": 13}),
    (Finding.QUOTA_TIGHT, {"market": "spot", "quota": 64.0, "used": 60, "needed": 12}),
    (Finding.QUOTAS_NOT_CHECKED, {"instance_types": ["g5.xlarge", "p4d.24xlarge"]}),
    (Finding.INSTANCES_NOT_FOUND, {"nodes": ["i-1"]}),
    (Finding.INSTANCES_NOT_FOUND, {"nodes": ["i-1", "i-2"]}),
    (Finding.QUOTA_TIGHT, {"market": "on-demand", "quota": 32.0, "used": 40, "needed": 8}),
    (Finding.SPOT_WITHOUT_FALLBACK, {"targets": TARGETS[:1]}),
    (Finding.CAPACITY_FREE, {}),
    (Finding.OCEAN_NODES_NOT_READ, {"cluster": "o-1"}),
    (Finding.LIMIT_REACHED, LIMIT),
    (
        Finding.LIMIT_REACHED,
        {**LIMIT, "setting": "maxInstanceCount", "owner_id": "ols-1", "owner_name": "web", "used": 5},
    ),
    (Finding.LIMIT_TIGHT, {**LIMIT, "setting": "autoScaler.resourceLimits", "unit": "vCPU", "needed": 4}),
]


_ASKED: dict[str, Any] = {"verb": "list", "object": "pods", "status": 403}
_EC2: dict[str, Any] = {"action": "ec2:DescribeSubnets"}
GAPS = [
    Gap(GapCode.NO_ACCESS),
    Gap(GapCode.KUBECONFIG_PENDING),
    Gap(GapCode.RECORDED),
    Gap(GapCode.OTHER_CLUSTER, {"access": "KUBECONFIG"}),
    Gap(GapCode.UNRECOGNIZED_CLUSTER),
    failed_gap("Kubernetes cannot be reached: TLS failed", "renew the certificate"),
    Gap(GapCode.NO_NODES, {"instance_ids": NODES}),
    Gap(GapCode.NO_BASELINE),
    Gap(GapCode.NOT_IN_TIME),
    Gap(GapCode.LIST_INCOMPLETE, {"resource": "pods", "read": 1000, "total": 2500}),
    Gap(GapCode.LIST_INCOMPLETE, {"resource": "pods", "read": 1000, "total": None}),
    Gap(GapCode.UNREADABLE, {"resource": "pods", "error": "ZeroDivisionError"}),
    Gap(GapCode.UNUSABLE_OBJECTS, {"count": 1, "resource": "pods"}),
    Gap(GapCode.CREDENTIALS_REFUSED, {"status": 401}),
    Gap(GapCode.FORBIDDEN, {**_ASKED, "user": "ci", "rule": '{apiGroups: [""], resources: [pods], verbs: [list]}'}),
    Gap(GapCode.FORBIDDEN, {**_ASKED, "user": "", "rule": '{apiGroups: [""], resources: [pods], verbs: [list]}'}),
    Gap(GapCode.REFUSED, {**_ASKED, "said": "policy denies it"}),
    Gap(GapCode.REFUSED, {**_ASKED, "status": 500, "said": ""}),
    Gap(GapCode.NO_REGION),
    Gap(GapCode.NO_BOTO3, {"command": "pip install boto3"}),
    Gap(GapCode.NO_AWS_CREDENTIALS),
    Gap(GapCode.AWS_CREDENTIALS_UNUSABLE, {"error": "ProfileNotFound"}),
    Gap(GapCode.AWS_CREDENTIALS_REFUSED, {"error": "ExpiredToken"}),
    Gap(GapCode.AWS_DENIED, _EC2),
    Gap(GapCode.AWS_THROTTLED, {**_EC2, "error": "RequestLimitExceeded"}),
    Gap(GapCode.AWS_UNANSWERED, {**_EC2, "error": "InternalError"}),
    Gap(GapCode.AWS_UNREACHABLE, {**_EC2, "error": "ConnectTimeoutError"}),
    Gap(GapCode.AWS_UNUSABLE, {**_EC2, "error": "KeyError"}),
    Gap(GapCode.NO_INSTANCE_PROFILE, {"profile": "ocean"}),
    Gap(GapCode.INSTANCE_PROFILE_OF_OTHER_ACCOUNT, {"profile": "ocean"}),
    Gap(GapCode.INSTANCE_PROFILE_WITHOUT_ROLE, {"profile": "ocean"}),
    Gap(GapCode.NO_EKS_CLUSTER, {"cluster": "shop", "region": "eu-west-1"}),
    Gap(GapCode.NO_SUBNETS, {"subnets": ["subnet-1", "subnet-2"]}),
    Gap(
        GapCode.SEVERAL,
        {"gaps": [{"code": GapCode.NO_INSTANCE_PROFILE, "profile": name} for name in ("old", "older")]},
    ),
]


UNFINISHED = [
    Unfinished(UnfinishedCode.MAY_HAVE_STARTED),
    Unfinished(UnfinishedCode.STILL_RUNNING, {"migration": "owm-1"}),
    Unfinished(UnfinishedCode.NODES_REMAIN, {"nodes": 1, "migration": "", "status": ""}),
    Unfinished(UnfinishedCode.NODES_REMAIN, {"nodes": 2, "migration": "owm-1", "status": "STOPPED"}),
    Unfinished(UnfinishedCode.NOT_READY),
    Unfinished(UnfinishedCode.NOT_SOAKED),
    Unfinished(UnfinishedCode.UP_FAILED),
]


def diagnostic(code: Code | str, subject: str = "", **fields: Any) -> Diagnostic:
    """Return a warning."""
    return Diagnostic(code=code, severity=Severity.WARNING, subject=subject, fields=fields)


def one_of_each(value: Any, name: str = "") -> Any:
    """Return fields with every amount and every list reduced to one."""
    if isinstance(value, dict):
        return {key: one_of_each(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [one_of_each(each) for each in value[:1]]
    counted = isinstance(value, int) and not isinstance(value, bool) and name not in NOT_COUNTED
    return min(value, 1) if counted else value


def list_texts(vocabulary: Vocabulary, change: Callable[[Any], Any] = lambda fields: fields) -> list[str]:
    """Return the text of every example, after its code."""
    lines = [
        f"{code}: {render_line(diagnostic(code, subject, **change(fields)), vocabulary)}"
        for code, subject, fields in DIAGNOSTICS
    ]
    for finding, fields in FINDINGS:
        seen, remedy = render_check(CheckResult("check", CheckStatus.PASS, finding, change(fields)), vocabulary)
        lines.append(f"{finding}: {seen}" + (f" | {remedy}" if remedy else ""))
    lines += [f"{gap.code}: {describe_gap(gap, vocabulary).line}" for gap in GAPS]
    lines += [f"{each.code}: {describe_unfinished(each)}" for each in UNFINISHED]
    return lines


def compare_with_golden(path: Path, lines: list[str]) -> None:
    """Compare lines with a golden file; UPDATE_GOLDENS=1 writes it anew."""
    found = "\n".join(lines) + "\n"
    if os.environ.get("UPDATE_GOLDENS"):
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


def test_every_code_has_its_golden_text() -> None:
    """The golden file has the resource's texts."""
    compare_with_golden(GOLDEN, list_texts(INPUTS))
    assert {code for code, _, _ in DIAGNOSTICS} == set(Code)
    assert {finding for finding, _ in FINDINGS} == set(Finding)
    assert {gap.code for gap in GAPS} == set(GapCode)
    assert {each.code for each in UNFINISHED} == set(UnfinishedCode)


def test_commands_name_options_instead_of_inputs() -> None:
    """The golden file has the texts that differ from those of the resource."""
    own = [text for text, other in zip(list_texts(OPTIONS), list_texts(INPUTS), strict=True) if text != other]
    compare_with_golden(COMMAND_GOLDEN, own)
    assert not [text for text in own for name in OPTIONS.options if "_" in name and name in text]


def test_a_change_in_what_no_message_shows_has_no_values() -> None:
    """Such as the query of a URL, which the text of a check leaves out."""
    shown = "https://shop.example/ for 10m00s"
    assert describe_changes([{"name": "stop_when", "approved": shown, "now": shown}]) == "stop when: changed"


def test_one_of_each_is_in_the_singular() -> None:
    """No text says "1 nodes" or "1 pod wait"."""
    texts = [text for text in list_texts(INPUTS, one_of_each) if text.partition(":")[0] not in SEVERAL]
    assert any("1 pod waits for a node" in text for text in texts)
    assert not [text for text in texts if WRONG_PLURAL.search(text)]


def test_text_without_its_head_is_what_stands_under_a_heading() -> None:
    """A blocker under "Blocked", a check beside its name."""
    blocker = diagnostic(Code.STANDALONE_PODS_STAY, "shop/debug", **ONE_POD)
    assert render_line(blocker) == f"Blocked: {render(blocker)}"
    failed = diagnostic(Code.CHECK_FAILED, "scaling", finding="capacity-zero", cluster="o-1")
    assert render_line(failed) == f"Check failed (scaling): {render(failed)}"
    unplanned = diagnostic(Code.UNPLANNED, cause="no-labels", detail="403", effect="plan-stays")
    assert render(unplanned) == "Cannot evaluate label_selector: 403. The planned nodes stay as they are"
    assert render_cause(unplanned) == "cannot evaluate label_selector: 403"


@pytest.mark.parametrize("name", ["a\nb", "a -> b", "a\u2028b", "a\x1b[31mb"])
def test_names_of_others_stay_on_one_line(name: str) -> None:
    """In the subject, in a field, and in a list."""
    for each in (
        diagnostic(Code.ASG_REPLACES, name),
        diagnostic(Code.PODS_CHANGE_ARCHITECTURE, name, pods=[name]),
        diagnostic(Code.CHECK_WARNING, name, finding="karpenter-runs", deployment=name),
        diagnostic(
            Code.PODS_UNPLACEABLE,
            pods=[name],
            reasons=[{**SELECTOR, "terms": [[{"key": name, "operator": "In", "values": [name]}]]}],
        ),
    ):
        text = render_line(each)
        assert len(text.splitlines()) == 1
        assert text.isprintable()
        assert "->" not in text


def test_what_only_another_version_can_render_keeps_its_text() -> None:
    """An unknown code, a known one without its fields, an unknown finding."""
    for code, fields in (("new", {}), (Code.BATCHES, {"count": 1}), (Code.CHECK_FAILED, {"finding": "new"})):
        told = Diagnostic(code=code, severity=Severity.WARNING, fields=fields, text="As it was written")
        assert render(told) == "As it was written"
    with pytest.raises(KeyError):
        render(diagnostic(Code.BATCHES, count=1))
    assert render(diagnostic("new")) == "new"
