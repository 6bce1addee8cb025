"""Previews for the tests of the comment: real ones, and ones made of steps and preview records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode, plan_digest
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


def info(code: Code, text: str = "", subject: str = "", **fields: Any) -> Diagnostic:
    """Return a diagnostic of severity info."""
    return Diagnostic(code=code, severity=Severity.INFO, subject=subject, fields=fields, text=text or f"text of {code}")


def warning(code: Code, text: str = "", subject: str = "", **fields: Any) -> Diagnostic:
    """Return a diagnostic of severity warning."""
    return Diagnostic(
        code=code, severity=Severity.WARNING, subject=subject, fields=fields, text=text or f"text of {code}"
    )


def error(code: Code, text: str = "", subject: str = "", **fields: Any) -> Diagnostic:
    """Return a diagnostic of severity error."""
    return Diagnostic(
        code=code, severity=Severity.ERROR, subject=subject, fields=fields, text=text or f"text of {code}"
    )


def summary(nodes: Mapping[str, str], *, pods: int | None = None, **counts: int) -> Diagnostic:
    """Return the summary of a plan of which all nodes are still to migrate, unless ``counts`` say otherwise."""
    fields = {"nodes": len(nodes), "waiting": len(nodes), "active": 0, "pods": pods} | counts
    return info(Code.PLAN_SUMMARY, digest=plan_digest(nodes), **fields)


def record(
    name: str, nodes: Mapping[str, str] | None, *diagnostics: Diagnostic, approved: bool | None = None
) -> PreviewRecord:
    """Return the record of a plan."""
    return PreviewRecord(
        urn=urn(name),
        planned_nodes=nodes,
        plan_digest="" if nodes is None else plan_digest(nodes),
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
    """Return a migration of 16 nodes without any blocker."""
    destination = info(
        Code.DESTINATION, subject=GROUPS["web"], name="web", nodes=16, spot_percentage=70, fallback_to_on_demand=False
    )
    return migration(
        name,
        planned(16),
        destination,
        info(Code.BATCHES, "4 batches of 4 nodes (about 24, 24, 24 and 24 pods)", count=4, size=4),
        info(Code.PODS, "96 pods will be evicted and rescheduled", evicted=96),
        info(Code.CHECKS_PASSED, "2 checks passed", names=["connection", "scaling"]),
        *more,
        **inputs,
    )


def blocked(name: str = "web", *more: Diagnostic, **inputs: Any) -> Previewed:
    """Return the same with two blockers, a check with a warning, and an unknown one."""
    return ready(
        name,
        warning(Code.PDB_BLOCKS, "PodDisruptionBudget shop/cart allows 0 disruptions", subject="shop/cart", pods=2),
        warning(Code.STANDALONE_PODS_STAY, "Standalone pod shop/debug stays on its node", subject="shop/debug"),
        warning(Code.CHECK_WARNING, "Check autoscalers: Karpenter runs in karpenter", subject="autoscalers"),
        warning(Code.CHECK_UNKNOWN, "Check instance roles unknown: no access to AWS", subject="instance roles"),
        *more,
        **inputs,
    )


def unmatched(name: str = "web", *more: Diagnostic, **inputs: Any) -> Previewed:
    """Return a migration that `pulumi up` refuses, with a suggestion for the missing Virtual Node Group."""
    nodes = planned(2) | planned(2, "gpu", None, first=3)
    return migration(
        name,
        nodes,
        error(Code.CHECK_FAILED, "Check Virtual Node Groups failed: 2 nodes match none", subject="Virtual Node Groups"),
        info(Code.VNG_SUGGESTION, f"suggested:\n{SNIPPET}", subject="gpu", nodes=2, asg_names=["gpu"], source=SNIPPET),
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
