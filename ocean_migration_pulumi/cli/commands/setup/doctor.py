"""``ocean-migration doctor``."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import click

from ocean_migration_pulumi.cli.context import CliContext
from ocean_migration_pulumi.cli.context_options import context_options, kubernetes_options, kubernetes_timeout_option
from ocean_migration_pulumi.cli.exit_codes import BLOCKED, DONE
from ocean_migration_pulumi.cli.options import OPTIONS
from ocean_migration_pulumi.cli.output import Output, Table, examples, output_options, say
from ocean_migration_pulumi.cli.plan_view import list_downtime, list_lines, read_with_progress
from ocean_migration_pulumi.common.text import count_noun
from ocean_migration_pulumi.migration.checks.check_result import CheckStatus
from ocean_migration_pulumi.migration.planning.drained_nodes import find_drained, report_drained
from ocean_migration_pulumi.migration.planning.preflight import Preflight, run_preflight
from ocean_migration_pulumi.migration.planning.text.findings_text import render, render_check
from ocean_migration_pulumi.migration.snapshot.node_prices import ask_prices
from ocean_migration_pulumi.migration.snapshot.snapshot import KEPT_BACK, ClusterSnapshot, take_snapshot
from ocean_migration_pulumi.migration.snapshot.sources import ask_aws
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Severity
from ocean_migration_pulumi.migration.spec.node_selector import NodeSelector
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec

_WORDS = {
    CheckStatus.PASS: "passed",
    CheckStatus.WARN: "warning",
    CheckStatus.FAIL: "failed",
    CheckStatus.UNKNOWN: "unknown",
}


@click.command(
    "doctor",
    epilog=examples(
        "ocean-migration doctor --cluster shop --kubeconfig ~/.kube/shop",
        exit_statuses={DONE: "no check failed", BLOCKED: "a check failed; with --require-all: or is unknown"},
    ),
)
@click.option("--require-all", is_flag=True, help="Also exit with 4 if a check is unknown.")
@output_options()
@kubernetes_options
@kubernetes_timeout_option
@context_options
def command(context: CliContext, output: Output, require_all: bool) -> None:
    """Run all pre-flight checks for a migration of every candidate node.

    Shows each check, what happens to the pods, what blocks them, and whether they will fit. Sends only GETs.
    """
    account = context.require_account()
    spec = MigrationSpec(ocean_id=context.cluster_id, nodes=NodeSelector(all_nodes=True), account_id=account)
    scope = context.scope.at_most(context.kubernetes_timeout + KEPT_BACK)
    with read_with_progress(context) as sources:
        snapshot = take_snapshot(context.client, context.claims, scope, spec, sources)
    nodes = [PlannedNode.from_candidate(node, snapshot.vng_names) for node in snapshot.offered.values()]
    found = run_preflight(
        spec,
        nodes,
        snapshot,
        cloud=ask_aws(sources, scope, nodes, snapshot.cluster, snapshot.vngs, snapshot.facts.kube),
        other_migrations=snapshot.running,
        now=context.client.server_now(),
        first=True,
    )
    drained = find_drained(snapshot)
    prices = ask_prices(sources, scope, drained.since, snapshot.cluster, snapshot.facts.kube)
    if stay := report_drained(drained, prices=prices):
        found = replace(found, diagnostics=(*found.diagnostics, stay))
    _show(output, snapshot, found)
    unknown = sum(each.status is CheckStatus.UNKNOWN for each in found.check_results)
    if unknown and not require_all:
        are = "check is" if unknown == 1 else "checks are"
        say(f"{unknown} {are} unknown. Use --require-all to fail on unknown checks.")
    if found.failed or (unknown and require_all):
        sys.exit(BLOCKED)


def _show(output: Output, snapshot: ClusterSnapshot, found: Preflight) -> None:
    checks = [(each, render_check(each, OPTIONS)) for each in found.check_results]
    table = Table(
        title=f"Checks of {snapshot.cluster.id}",
        columns=("check", "status", "found", "what to do"),
        rows=tuple((each.name, _WORDS[each.status], text.seen, text.remedy or None) for each, text in checks),
    )
    others = [each for each in found.diagnostics if each.code != Code.PODS and not each.is_blocker]
    data: dict[str, Any] = {
        "ocean_id": snapshot.cluster.id,
        "nodes": len(snapshot.offered),
        "prerequisites": [
            {"name": each.name, "verdict": each.status, "seen": text.seen, "remedy": text.remedy}
            for each, text in checks
        ],
        "blockers": [render(each, OPTIONS) for each in found.diagnostics if each.is_blocker],
        "downtime": list_downtime(found.diagnostics),
        "warnings": [render(each, OPTIONS) for each in others if each.severity is not Severity.INFO],
        "remarks": [render(each, OPTIONS) for each in others if each.severity is Severity.INFO],
        "pods": next((render(each, OPTIONS) for each in found.diagnostics if each.code == Code.PODS), ""),
    }
    output.show(table, data)
    if output.is_table:
        candidates = count_noun(len(snapshot.offered), "candidate node")
        output.lines(["", candidates, *list_lines(found.diagnostics)])
