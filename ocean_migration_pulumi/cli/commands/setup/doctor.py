"""``ocean-migration doctor``."""

from __future__ import annotations

import sys
from typing import Any

import click

from ocean_migration_pulumi.cli.context import CliContext, context_options, kubernetes_options
from ocean_migration_pulumi.cli.exit_codes import BLOCKED
from ocean_migration_pulumi.cli.output import Output, Table, output_options
from ocean_migration_pulumi.common.text import count_noun
from ocean_migration_pulumi.migration.checks.check_result import CheckStatus
from ocean_migration_pulumi.migration.planning.preflight import Preflight, run_preflight
from ocean_migration_pulumi.migration.snapshot.snapshot import ClusterSnapshot, take_snapshot
from ocean_migration_pulumi.migration.snapshot.sources import ask_aws
from ocean_migration_pulumi.migration.spec.node_selector import NodeSelector
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec

_EPILOG = """\b
Example:
  ocean-migration doctor --cluster shop --kubeconfig ~/.kube/shop

\b
Exit status:
  0  nothing that would refuse a migration
  4  a prerequisite is not met
"""

_WORDS = {
    CheckStatus.PASS: "met",
    CheckStatus.WARN: "in doubt",
    CheckStatus.FAIL: "not met",
    CheckStatus.UNKNOWN: "unknown",
}
_SECONDS = 60.0


@click.command("doctor", epilog=_EPILOG)
@output_options()
@kubernetes_options
@context_options
def command(reach: CliContext, output: Output) -> None:
    """Check all that a migration needs: as if every node that Ocean offers were to be migrated.

    Tells each prerequisite, what becomes of the pods, what stands in their way, and whether they will fit. Sends
    nothing but GETs.
    """
    account = reach.require_account()
    spec = MigrationSpec(ocean_id=reach.cluster_id, nodes=NodeSelector(all_nodes=True), account_id=account)
    scope, sources = reach.scope.at_most(_SECONDS), reach.sources()
    snapshot = take_snapshot(reach.client, reach.claims, scope, spec, sources)
    nodes = [PlannedNode.from_candidate(node, snapshot.group_names) for node in snapshot.offered.values()]
    found = run_preflight(
        spec,
        nodes,
        snapshot,
        cloud=ask_aws(sources, scope, nodes, snapshot.cluster, snapshot.groups),
        foreign=snapshot.running,
        now=reach.client.server_now(),
        first=True,
    )
    _show(output, snapshot, found)
    if found.failed:
        sys.exit(BLOCKED)


def _show(output: Output, snapshot: ClusterSnapshot, found: Preflight) -> None:
    table = Table(
        title=f"Prerequisites of {snapshot.cluster.id}",
        columns=("prerequisite", "verdict", "seen", "what to do"),
        rows=tuple((each.name, _WORDS[each.verdict], each.seen, each.remedy or None) for each in found.check_results),
    )
    data: dict[str, Any] = {
        "ocean_id": snapshot.cluster.id,
        "nodes": len(snapshot.offered),
        "prerequisites": [
            {"name": each.name, "verdict": each.verdict, "seen": each.seen, "remedy": each.remedy}
            for each in found.check_results
        ],
        "blockers": list(found.blockers),
        "warnings": list(found.warnings),
        "remarks": list(found.remarks),
        "pods": found.pods_line,
    }
    output.show(table, data)
    if output.is_table:
        output.lines(["", *_lines(snapshot, found)])


def _lines(snapshot: ClusterSnapshot, found: Preflight) -> list[str]:
    lines = [f"{count_noun(len(snapshot.offered), 'node')} can be migrated"]
    if found.pods_line:
        lines.append(f"pods: {found.pods_line}")
    lines += [f"in the way: {text}" for text in found.blockers]
    lines += [f"warning: {text}" for text in found.warnings]
    return lines + list(found.remarks)
