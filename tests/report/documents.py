"""Previews for the tests of the comment: real ones, and ones that are made up of the lines that a check writes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ocean_migration_pulumi.migration.spec import diagnostic
from ocean_migration_pulumi.migration.spec.diagnostic import Kind
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode, plan_digest, shorten_digest
from ocean_migration_pulumi.report.pull_request.comment import LIMITS, render
from ocean_migration_pulumi.report.pull_request.preview import TYPE, parse_preview
from ocean_migration_pulumi.report.pull_request.verdict import judge_migration

DATA = Path(__file__).parents[1] / "data"
GROUPS = {"web": "ols-1a2b3c4d", "gpu": "ols-5e6f7a8b"}
SNIPPET = """\
gpu = spotinst.aws.OceanLaunchSpec(
    "gpu",
    ocean_id="o-123abcd",
    labels=[spotinst.aws.OceanLaunchSpecLabelArgs(key="gpu", value="true")],
)"""


def stored(name: str) -> str:
    """Return what the command printed once."""
    return (DATA / f"preview-{name}.json").read_text(encoding="utf-8")


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


def line(name: str, message: str, severity: str = "info") -> dict[str, Any]:
    """Return a diagnostic, with the prefix that the command puts before it."""
    prefix = "" if severity.startswith("info") else f"{severity}: "
    return {"urn": urn(name), "message": f"{prefix}{message}\n", "severity": severity}


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


def document(steps: Iterable[Mapping[str, Any]], lines: Iterable[Mapping[str, Any]] = ()) -> str:
    """Return the whole, as the command prints it."""
    return json.dumps({"steps": list(steps), "diagnostics": list(lines), "duration": 1, "changeSummary": {}}, indent=4)


def plan_line(nodes: Mapping[str, str], rest: str) -> str:
    """Return the line on the plan."""
    return f"plan {shorten_digest(plan_digest(nodes))}: {len(nodes)} nodes, {rest}"


def ready(name: str = "web", **inputs: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a migration of 16 nodes in whose way nothing stands."""
    nodes = planned(16)
    lines = [
        line(name, plan_line(nodes, "96 pods, 4 batches of 4 nodes")),
        line(name, "to web (ols-1a2b3c4d): 16 nodes, 96 pods, 70% spot, 30% on demand (waits when there is no spot)"),
        line(name, diagnostic.batches("4 of 4 nodes: 24, 24, 24 and 24 pods, if Ocean takes them in the order of ids")),
        line(name, diagnostic.pods("96 are evicted and start again on the new nodes")),
        line(name, diagnostic.met({"connection": "the Ocean Controller reports", "scaling": "Ocean may start nodes"})),
    ]
    return step(name, {"planned_nodes": nodes, **inputs}), lines


def blocked(name: str = "web", **inputs: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the same with two blockers, and prerequisites in doubt and unknown."""
    made, lines = ready(name, **inputs)
    told = [
        diagnostic.blocker("PodDisruptionBudget shop/cart allows no disruption: 2 pods on ip-10-0-0-7 will block"),
        diagnostic.blocker("stand-alone pod shop/debug on ip-10-0-0-9 stays behind: move it by hand"),
        diagnostic.prerequisite(
            Kind.DOUBTED, "autoscalers", "Karpenter runs in karpenter; make sure that it leaves them"
        ),
        diagnostic.prerequisite(Kind.UNKNOWN, "instance roles", "no access to AWS; allow eks:ListAccessEntries"),
    ]
    return made, [*lines, *(line(name, each, "warning") for each in told)]


def unmatched(name: str = "web", **inputs: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a migration that the run refuses, with the source of the Virtual Node Group that is missing."""
    nodes = planned(2) | planned(2, "gpu", None, first=3)
    lines = [
        line(name, plan_line(nodes, "9 pods, 1 batch of 4 nodes")),
        line(
            name,
            diagnostic.prerequisite(
                Kind.FAILED, "Virtual Node Groups", "2 planned nodes match no Virtual Node Group; make one for them"
            ),
            "warning",
        ),
        line(name, diagnostic.group("2 nodes of gpu", SNIPPET)),
    ]
    return step(name, {"planned_nodes": nodes, **inputs}), lines


def comment(text: str, *, title: str | None = None, platform: str = "github", status: int = 0) -> str:
    """Return the comment on a preview."""
    preview = parse_preview(text, status=status)
    judgements = [judge_migration(migration) for migration in preview.migrations]
    return render(preview, judgements, name="default", title=title, limit=LIMITS[platform])


def verdict(text: str, *, status: int = 0) -> str:
    """Return the verdict of a comment."""
    return comment(text, status=status).splitlines()[1].strip("*")
