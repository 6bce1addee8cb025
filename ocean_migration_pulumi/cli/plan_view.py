"""The plan of a migration as ``plan`` and ``start`` show it: what the resource's preview shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from ocean_migration_pulumi.api.models.migration import DEFAULT_VIRTUAL_NODE_GROUP
from ocean_migration_pulumi.cli.console import Console
from ocean_migration_pulumi.cli.context import CliContext
from ocean_migration_pulumi.cli.options import OPTIONS, rename_to_option
from ocean_migration_pulumi.cli.output import Output, Source, Table
from ocean_migration_pulumi.errors import PlanError
from ocean_migration_pulumi.kubernetes import KubernetesReader
from ocean_migration_pulumi.migration.checks.check_result import CheckStatus
from ocean_migration_pulumi.migration.planning import planner
from ocean_migration_pulumi.migration.planning.text.findings_text import render, render_cause, render_check, render_line
from ocean_migration_pulumi.migration.reconcile.first_plan import preview_when_listed
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import PODS
from ocean_migration_pulumi.migration.snapshot.snapshot import KEPT_BACK, PlanPreview
from ocean_migration_pulumi.migration.snapshot.sources import DataSources
from ocean_migration_pulumi.migration.spec.approval import is_approved, plan_digest
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity
from ocean_migration_pulumi.migration.spec.planned_nodes import UNKNOWN_VNG, PlannedNode, parse_planned
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec

OWNER = "command"
"""Who plans: there is no other in the process of a command."""

_CHECKS = frozenset({Code.CHECK_FAILED, Code.CHECK_WARNING, Code.CHECK_UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """A plan, and what its preview found."""

    spec: MigrationSpec
    nodes: tuple[PlannedNode, ...]
    pods: dict[str, int | None]
    """How many pods run on each candidate; None where discovery does not count them."""
    preview: PlanPreview

    @property
    def digest(self) -> str:
        """The digest that an approval names; empty for a plan without nodes to approve."""
        return plan_digest(self.preview.planned or {}, self.spec)

    @property
    def waiting(self) -> list[str]:
        """The planned instances that Ocean offers, which a start would migrate."""
        return [node.instance_id for node in self.nodes if node.instance_id in self.pods]

    @property
    def refusal(self) -> str | None:
        """Why a start would be refused; None when it would not."""
        spec = self.spec
        if self.digest and spec.approved_plan is None and spec.require_approval:
            return f"plan {self.digest} is not approved: review it and pass its digest to --approved-plan"
        if self.digest and spec.approved_plan and not is_approved(self.preview.planned or {}, spec):
            return f"plan {self.digest} is not the approved plan {spec.approved_plan}: review it and approve its digest"
        unmatched = [node for node in self.nodes if node.virtual_node_group_id is None]
        failed = [each.name for each in self.preview.check_results if each.status is CheckStatus.FAIL]
        if failed and (spec.prerequisites == "enforce" or (unmatched and spec.unmatched_nodes == "fail")):
            return f"checks failed: {', '.join(dict.fromkeys(failed))}"
        if unmatched and spec.unmatched_nodes == "fail":
            return "some nodes match no Virtual Node Group"
        return None

    def table(self) -> Table:
        """Return the planned nodes as a table."""
        return Table(
            title="Planned nodes",
            columns=("instance", "node", "ASG", "Virtual Node Group", "pods"),
            rows=tuple(
                (node.instance_id, node.node_name, node.asg_name, _target(node), self.pods.get(node.instance_id))
                for node in self.nodes
            ),
            numbers=frozenset({"pods"}),
            empty="No nodes",
        )

    def to_json(self) -> dict[str, Any]:
        """Return the whole as JSON."""
        spec, diagnostics = self.spec, self.preview.diagnostics
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
                {"name": each.name, "verdict": each.status, "text": render_check(each, OPTIONS).line}
                for each in self.preview.check_results
            ],
            "blockers": [render(each, OPTIONS) for each in diagnostics if each.is_blocker],
            "downtime": list_downtime(diagnostics),
            "warnings": [
                render(each, OPTIONS)
                for each in diagnostics
                if each.severity is not Severity.INFO and each.code not in _CHECKS and not each.is_blocker
            ],
            "info": [render(each, OPTIONS) for each in diagnostics if each.severity is Severity.INFO],
            "refusal": self.refusal,
        }

    def show(self, output: Output) -> None:
        """Write the plan in the format that was asked for."""
        if output.is_table:
            digest = [f"Plan digest: {self.digest}", ""] if self.digest else []
            output.lines([*list_lines(self.preview.diagnostics), "", *digest])
        output.show(self.table(), self.to_json())


def make_plan(context: CliContext, spec: MigrationSpec) -> PlanView:
    """Plan a migration of the chosen cluster; only reads.

    Raises MissingAccountError, InputError for nodes that cannot be chosen, PlanError when there is no plan to be had,
    or an error of the API.
    """
    account, client, claims = context.require_account(), context.client, context.claims
    claims.cache.cluster(client, context.scope)  # what is wrong with the service itself is no matter of the plan
    spec = replace(spec, ocean_id=context.cluster_id, account_id=account, when_busy="fail")
    # The commands do not wait for workloads, and do not stop a migration for them.
    spec = replace(spec, wait_for="started")
    spec = replace(spec, require_approval=client.settings.require_approval)
    console = Console()
    with read_with_progress(context) as sources:
        found = preview_when_listed(
            lambda: planner.preview_plan(
                client,
                claims,
                context.scope,
                owner=OWNER,
                spec=spec,
                old=None,
                sources=sources,
                budget=context.kubernetes_timeout + KEPT_BACK,
            ),
            api=client,
            claims=claims,
            scope=context.scope,
            reporter=console,
            policy=context.poll_policy,
        )
    console.end()
    if found.problems:
        raise rename_to_option(found.problems[0])
    if found.planned is None:
        why = render_cause(found.unplanned, OPTIONS) if found.unplanned else "unknown reason"
        msg = f"cannot plan: {why}"
        raise PlanError(msg, found.diagnostics)
    offered = claims.cache.candidates(client, context.scope)
    return PlanView(
        spec=replace(spec, planned_nodes=found.planned),
        nodes=tuple(parse_planned(found.planned).values()),
        pods={node.instance_id: node.running_pods for node in offered},
        preview=found,
    )


@contextmanager
def read_with_progress(context: CliContext) -> Iterator[DataSources]:
    """Yield the data sources besides Spot; a terminal shows how many pods were read."""
    sources, console = context.sources(), Console()
    reader = sources.kubernetes

    def show(resource: str, read: int, total: int | None) -> None:
        if resource == PODS and total != read:
            console.status(f"{read:,}{'' if total is None else f' of {total:,}'} pods read")

    if isinstance(reader, KubernetesReader):
        reader.progress = show
    try:
        yield sources
    finally:
        if isinstance(reader, KubernetesReader):
            reader.progress = None
        console.end()


def list_downtime(diagnostics: Iterable[Diagnostic]) -> list[Any]:
    """Return the workloads that may have no ready replica while a batch is drained, as JSON."""
    return [workload for each in diagnostics if each.code == Code.DOWNTIME for workload in each.fields["workloads"]]


def list_lines(diagnostics: Iterable[Diagnostic]) -> list[str]:
    """Return diagnostics as a command shows them; the source of a suggestion has lines of its own."""
    lines: list[str] = []
    for each in diagnostics:
        text, *source = _show_diagnostic(each).splitlines()
        lines += [text, *map(Source, source)]
    return lines


def _show_diagnostic(diagnostic: Diagnostic) -> str:
    text = render_line(diagnostic, OPTIONS)
    has_head = diagnostic.is_blocker or diagnostic.code in _CHECKS or diagnostic.code == Code.DOWNTIME
    return text if diagnostic.severity is Severity.INFO or has_head else f"Warning: {text}"


def _target(node: PlannedNode) -> str:
    if node.virtual_node_group_id is None:
        return "no match"
    if node.virtual_node_group_id == DEFAULT_VIRTUAL_NODE_GROUP:
        return "any (Default)"
    if node.virtual_node_group_id == UNKNOWN_VNG:
        return f"unknown (migrated by {node.migration_id})" if node.migration_id else UNKNOWN_VNG
    return f"{node.virtual_node_group_name} ({node.virtual_node_group_id})"
