"""The plan of a migration as ``plan`` and ``start`` show it: word for word what the resource's preview says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from ocean_migration_pulumi.cli.context import CliContext
from ocean_migration_pulumi.cli.output import Output, Table
from ocean_migration_pulumi.errors import PlanError
from ocean_migration_pulumi.migration.checks.check_result import CheckStatus
from ocean_migration_pulumi.migration.planning import planner
from ocean_migration_pulumi.migration.snapshot.snapshot import PlanPreview
from ocean_migration_pulumi.migration.spec import diagnostic
from ocean_migration_pulumi.migration.spec.diagnostic import Kind, Note
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode, is_approved, parse_planned, plan_digest
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec

OWNER = "command"
"""Who plans: there is no other in the process of a command."""

_VERDICTS = {
    Kind.MET: CheckStatus.PASS,
    Kind.FAILED: CheckStatus.FAIL,
    Kind.DOUBTED: CheckStatus.WARN,
    Kind.UNKNOWN: CheckStatus.UNKNOWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """A plan, and what is said of it; ``pods`` are those that run on each node, None where that is not told."""

    spec: MigrationSpec
    nodes: tuple[PlannedNode, ...]
    pods: dict[str, int | None]
    preview: PlanPreview

    @property
    def digest(self) -> str:
        """The digest that an approval names."""
        return plan_digest(self.preview.planned or {})

    @property
    def waiting(self) -> list[str]:
        """The planned instances that Ocean offers, which a start would migrate."""
        return [node.instance_id for node in self.nodes if node.instance_id in self.pods]

    @property
    def refusal(self) -> str | None:
        """Why a start would be refused; None when it would not."""
        spec = self.spec
        if spec.approved_plan and not is_approved(self.preview.planned or {}, spec.approved_plan):
            return f"the approved plan is {spec.approved_plan}, and this one is {self.digest}"
        unmatched = [node for node in self.nodes if node.virtual_node_group_id is None]
        failed = [note.name for note in self.notes() if note.kind is Kind.FAILED]
        if failed and (spec.prerequisites == "enforce" or (unmatched and spec.unmatched_nodes == "fail")):
            return f"prerequisites are not met: {', '.join(dict.fromkeys(failed))}"
        if unmatched and spec.unmatched_nodes == "fail":
            return "nodes match no Virtual Node Group"
        return None

    def notes(self) -> Iterator[Note]:
        """Return what is said, read back by kind."""
        for line in self.preview.info:
            yield from diagnostic.parse("info", line)
        for line in self.preview.warnings:
            yield from diagnostic.parse("warning", line)

    def lines(self) -> list[str]:
        """Return what the preview says, a source of a Virtual Node Group in lines of its own."""
        said = [part for line in self.preview.info for part in line.splitlines()]
        return said + [f"warning: {line}" for line in self.preview.warnings]

    def table(self) -> Table:
        """Return the planned nodes as a table."""
        return Table(
            title=f"Nodes of plan {self.digest}",
            columns=("instance", "node", "ASG", "Virtual Node Group", "pods"),
            rows=tuple(
                (node.instance_id, node.node_name, node.asg_name, _target(node), self.pods.get(node.instance_id))
                for node in self.nodes
            ),
            numbers=frozenset({"pods"}),
            empty="no node",
        )

    def to_json(self) -> dict[str, Any]:
        """Return the whole as JSON."""
        found = list(self.notes())
        spec = self.spec
        return {
            "ocean_id": spec.ocean_id,
            "plan_digest": self.digest,
            "planned_nodes": dict(self.preview.planned or {}),
            "nodes": [
                {
                    "instance_id": node.instance_id,
                    "node_name": node.node_name,
                    "asg_name": node.asg_name,
                    "virtual_node_group_id": node.virtual_node_group_id,
                    "virtual_node_group_name": node.virtual_node_group_name or None,
                    "running_pods": self.pods.get(node.instance_id),
                    "offered": node.instance_id in self.pods,
                }
                for node in self.nodes
            ],
            "options": asdict(spec.options),
            "prerequisites": [
                {"name": note.name, "verdict": _VERDICTS[note.kind], "text": note.text}
                for note in found
                if note.kind in _VERDICTS
            ],
            "blockers": [note.text for note in found if note.kind is Kind.BLOCKER],
            "warnings": [note.text for note in found if note.kind is Kind.WARNING],
            "info": list(self.preview.info),
            "refusal": self.refusal,
        }

    def show(self, output: Output) -> None:
        """Write the plan in the format that was asked for."""
        if output.is_table:
            output.lines([*self.lines(), ""])
        output.show(self.table(), self.to_json())


def make_plan(reach: CliContext, spec: MigrationSpec) -> PlanView:
    """Plan the migration of a wish on the cluster that is meant; only reads.

    Raises MissingAccountError, InputError for nodes that cannot be chosen, PlanError when there is no plan to be had,
    or an error of the API.
    """
    account, client, claims = reach.require_account(), reach.client, reach.claims
    claims.view.cluster(client, reach.scope)  # what is wrong with the service itself is no matter of the plan
    spec = replace(spec, ocean_id=reach.cluster_id, account_id=account, when_busy="fail")
    found = planner.preview_plan(client, claims, reach.scope, owner=OWNER, spec=spec, old=None, sources=reach.sources())
    if found.problems:
        raise found.problems[0]
    if found.planned is None:
        msg = f"there is no plan: {found.unplanned or 'it is not known why'}"
        raise PlanError(msg)
    offered = claims.view.candidates(client, reach.scope)
    return PlanView(
        spec=replace(spec, planned_nodes=found.planned),
        nodes=tuple(parse_planned(found.planned).values()),
        pods={node.instance_id: node.running_pods for node in offered},
        preview=found,
    )


def _target(node: PlannedNode) -> str:
    if node.virtual_node_group_id is None:
        return "no match"
    return f"{node.virtual_node_group_name} ({node.virtual_node_group_id})"
