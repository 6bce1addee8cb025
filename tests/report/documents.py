"""Previews for the tests of the comment: real ones, and ones made of steps and preview records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ocean_migration_pulumi.migration.checks.check_result import Finding
from ocean_migration_pulumi.migration.checks.service import GROUPS as GROUPS_CHECK
from ocean_migration_pulumi.migration.planning.text.findings_text import render_line
from ocean_migration_pulumi.migration.spec.approval import plan_digest
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.report.pull_request.comment import LIMITS, render_comment
from ocean_migration_pulumi.report.pull_request.preview import TYPE, ParsedPreview, parse_preview
from ocean_migration_pulumi.report.pull_request.verdict import Assessment, assess_migration
from ocean_migration_pulumi.resource.preview_file import PreviewRecord

DATA = Path(__file__).parents[1] / "data"
GROUPS = {"web": "ols-1a2b3c4d", "gpu": "ols-5e6f7a8b"}
SNIPPET = """\
gpu = spotinst.aws.OceanLaunchSpec(
    "gpu",
    ocean_id="o-123abcd",
    labels=[spotinst.aws.OceanLaunchSpecLabelArgs(key="gpu", value="true")],
)"""


@dataclass(frozen=True)
class Case:
    """What the command reads: the preview, and the records of the preview file by URN."""

    text: str
    records: Mapping[str, PreviewRecord] = field(default_factory=dict)

    def parse(self, *, status: int = 0) -> ParsedPreview:
        """Parse the preview."""
        return parse_preview(self.text, self.records, status=status)

    def assess(self) -> Assessment:
        """Assess the only migration of the preview."""
        (migration,) = self.parse().migrations
        return assess_migration(migration)


def stored(name: str) -> Case:
    """Return a preview that the command printed once; it wrote no preview file."""
    return Case((DATA / f"preview-{name}.json").read_text(encoding="utf-8"))


def urn(name: str, stack: str = "production") -> str:
    """Return the URN of a migration."""
    return f"urn:pulumi:{stack}::cluster::{TYPE}::{name}"


def planned(amount: int, asg_name: str = "web", group: str | None = "web", first: int = 1) -> dict[str, str]:
    """Return so many planned nodes, all of one Auto Scaling Group."""
    return {
        f"i-{number:017d}": PlannedNode(
            instance_id=f"i-{number:017d}",
            node_name=f"ip-10-0-0-{number}.ec2.internal",
            asg_name=asg_name,
            virtual_node_group_id=GROUPS.get(group, group) if group else None,
            virtual_node_group_name=group or "",
        ).entry
        for number in range(first, first + amount)
    }


def step(
    name: str,
    inputs: Mapping[str, Any] | None,
    *,
    op: str = "create",
    before: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a step of a migration; without inputs, or without those of before, that state is left out."""
    made: dict[str, Any] = {"op": op, "urn": urn(name), "detailedDiff": None}
    if inputs is not None:
        made["newState"] = {"urn": urn(name), "type": TYPE, "inputs": {"ocean_id": "o-123abcd", **inputs}}
    if before is not None:
        old = {"ocean_id": "o-123abcd", **before}
        made["oldState"] = {"urn": urn(name), "type": TYPE, "inputs": old, "outputs": {**old, **(outputs or {})}}
    return made


def message(name: str, text: str, severity: str = "info") -> dict[str, Any]:
    """Return a message of the engine, with the prefix that the command puts before it."""
    prefix = "" if severity.startswith("info") else f"{severity}: "
    return {"urn": urn(name), "message": f"{prefix}{text}\n", "severity": severity}


def document(steps: Iterable[Mapping[str, Any]], messages: Iterable[Mapping[str, Any]] = ()) -> str:
    """Return the whole JSON, as the command prints it."""
    return json.dumps(
        {"steps": list(steps), "diagnostics": list(messages), "duration": 1, "changeSummary": {}}, indent=4
    )


def diagnose(code: Code, severity: Severity, text: str, subject: str, fields: Mapping[str, Any]) -> Diagnostic:
    """Return a diagnostic with the line that the provider renders; ``text`` stands in where fields are left out."""
    text = text or f"text of {code}"
    diagnostic = Diagnostic(code=code, severity=severity, subject=subject, fields=fields, text=text)
    return replace(diagnostic, text=render_line(diagnostic))


def info(code: Code, text: str = "", subject: str = "", **fields: Any) -> Diagnostic:
    """Return a diagnostic of severity info."""
    return diagnose(code, Severity.INFO, text, subject, fields)


def warning(code: Code, text: str = "", subject: str = "", **fields: Any) -> Diagnostic:
    """Return a diagnostic of severity warning."""
    return diagnose(code, Severity.WARNING, text, subject, fields)


def error(code: Code, text: str = "", subject: str = "", **fields: Any) -> Diagnostic:
    """Return a diagnostic of severity error."""
    return diagnose(code, Severity.ERROR, text, subject, fields)


def summary(nodes: Mapping[str, str], *, pods: int | None = None, **counts: int) -> Diagnostic:
    """Return the summary of a plan of which all nodes are still to migrate, unless ``counts`` say otherwise."""
    fields = {"nodes": len(nodes), "waiting": len(nodes), "active": 0, "pods": pods} | counts
    return info(Code.PLAN_SUMMARY, digest=plan_digest(nodes, MigrationSpec()), **fields)


def record(
    name: str, nodes: Mapping[str, str] | None, *diagnostics: Diagnostic, approved: bool | None = None
) -> PreviewRecord:
    """Return the record of a plan."""
    return PreviewRecord(
        urn=urn(name),
        planned_nodes=nodes,
        plan_digest="" if nodes is None else plan_digest(nodes, MigrationSpec()),
        approved=approved,
        diagnostics=diagnostics,
    )


Previewed = tuple[dict[str, Any], PreviewRecord]


def case(
    *previewed: Previewed, more: Iterable[Mapping[str, Any]] = (), messages: Iterable[Mapping[str, Any]] = ()
) -> Case:
    """Return the preview of some migrations, with ``more`` steps and ``messages`` that no record holds."""
    shown = [
        message("", each.text, "info" if each.severity is Severity.INFO else "warning") | {"urn": found.urn}
        for _, found in previewed
        for each in found.diagnostics
    ]
    return Case(
        document([*(made for made, _ in previewed), *more], [*shown, *messages]),
        {found.urn: found for _, found in previewed},
    )


def migration(name: str, nodes: Mapping[str, str], *diagnostics: Diagnostic, **inputs: Any) -> Previewed:
    """Return a new migration with these diagnostics besides those on the plan."""
    made = step(name, {"planned_nodes": nodes, **inputs})
    return made, record(name, nodes, summary(nodes, pods=6 * len(nodes)), *diagnostics)


def ready(name: str = "web", *more: Diagnostic, **inputs: Any) -> Previewed:
    """Return a migration of 16 nodes without any blocker, with diagnostics as the provider records them."""
    destination = {"name": "web", "nodes": 16, "pods": 96, "spot_percentage": 70, "fallback_to_on_demand": False}
    none = ("held", "forced", "kept", "deleted", "leaving", "finished", "static_pods", "losing_data", "losing_work")
    pods = dict.fromkeys(none, 0)
    return migration(
        name,
        planned(16),
        info(Code.DESTINATION, subject=GROUPS["web"], known=True, **destination),
        info(Code.BATCHES, count=4, size=4, last=4, pods=[24, 24, 24, 24]),
        info(Code.PODS, evicted=96, daemon_set_pods=32, knows_budgets=True, knows_all_pods=True, **pods),
        info(Code.CHECKS_PASSED, names=["connection", "scaling"]),
        *more,
        **inputs,
    )


def blocked(name: str = "web", *more: Diagnostic, **inputs: Any) -> Previewed:
    """Return the same with two blockers, downtime, a check with a warning, and an unknown one."""
    cart = {"kind": "Deployment", "name": "shop/cart", "ready": 2, "planned": 2, "evicted_at_once": 2}
    cart |= {"nodes": ["n1", "n2"], "budgets": [], "surges": True, "batch_size_percentage": 10}
    source = "apiVersion: policy/v1\nkind: PodDisruptionBudget"
    budget = {
        "healthy": 2,
        "required": 2,
        "never": True,
        "problem": "",
        "processed": True,
        "trial": None,
        "forced": False,
    }
    on = {"nodes": ["ip-10-0-0-7.ec2.internal"]}
    return ready(
        name,
        warning(Code.PDB_BLOCKS, subject="shop/cart", pods=2, **on, **budget),
        warning(Code.STANDALONE_PODS_STAY, subject="shop/debug", pods=["shop/debug"], orphaned=False, **on),
        warning(Code.DOWNTIME, subject="Deployment shop/cart", workloads=[cart], knows_budgets=True, forced=False),
        info(Code.PDB_SUGGESTION, workloads=["Deployment shop/cart"], source=source),
        warning(
            Code.CHECK_WARNING, subject="autoscalers", finding=Finding.KARPENTER_RUNS, deployment="karpenter/karpenter"
        ),
        warning(Code.CHECK_UNKNOWN, subject="pending pods", finding=Finding.NOT_READ, reason="403", remedy=""),
        *more,
        **inputs,
    )


def unmatched(name: str = "web", *more: Diagnostic, **inputs: Any) -> Previewed:
    """Return a migration that `pulumi up` refuses, with a suggestion for the missing Virtual Node Group."""
    nodes = planned(2) | planned(2, "gpu", None, first=3)
    return migration(
        name,
        nodes,
        error(
            Code.CHECK_FAILED,
            subject=GROUPS_CHECK,
            finding=Finding.NODES_UNMATCHED,
            nodes=["i-3", "i-4"],
            allowed=False,
        ),
        info(Code.VNG_SUGGESTION, subject="gpu", nodes=2, asg_names=["gpu"], source=SNIPPET),
        *more,
        **inputs,
    )


def comment(made: Case, *, title: str | None = None, platform: str = "github", status: int = 0) -> str:
    """Return the comment on a preview."""
    preview = made.parse(status=status)
    assessments = [assess_migration(migration) for migration in preview.migrations]
    return render_comment(preview, assessments, name="default", title=title, limit=LIMITS[platform])


def verdict(made: Case, *, status: int = 0) -> str:
    """Return the verdict of a comment."""
    return comment(made, status=status).splitlines()[1].strip("*")
