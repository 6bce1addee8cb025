"""``ocean-migration doctor``."""

from __future__ import annotations

import sys
from typing import Any

import click

from ocean_migration_pulumi.cli.context import Reach, kubernetes_options, reach_options
from ocean_migration_pulumi.cli.exit_codes import BLOCKED
from ocean_migration_pulumi.cli.output import Output, Table, output_options
from ocean_migration_pulumi.migration.checks.check_result import Verdict
from ocean_migration_pulumi.migration.planning.preflight import Examination, examine
from ocean_migration_pulumi.migration.snapshot.snapshot import Sight, look
from ocean_migration_pulumi.migration.snapshot.sources import ask_aws
from ocean_migration_pulumi.migration.spec.node_selector import NodeSelector
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode, counted
from ocean_migration_pulumi.migration.spec.spec import Wish

_EPILOG = """\b
Example:
  ocean-migration doctor --cluster shop --kubeconfig ~/.kube/shop

\b
Exit status:
  0  nothing that would refuse a migration
  4  a prerequisite is not met
"""

_WORDS = {Verdict.PASS: "met", Verdict.WARN: "in doubt", Verdict.FAIL: "not met", Verdict.UNKNOWN: "unknown"}
_SECONDS = 60.0


@click.command("doctor", epilog=_EPILOG)
@output_options()
@kubernetes_options
@reach_options
def command(reach: Reach, output: Output) -> None:
    """Check all that a migration needs: as if every node that Ocean offers were to be migrated.

    Tells each prerequisite, what becomes of the pods, what stands in their way, and whether they will fit. Sends
    nothing but GETs.
    """
    account = reach.require_account()
    wish = Wish(ocean_id=reach.cluster_id, nodes=NodeSelector(all_nodes=True), account_id=account)
    scope, sources = reach.scope.at_most(_SECONDS), reach.sources()
    sight = look(reach.client, reach.desk, scope, wish, sources)
    nodes = [PlannedNode.of(node, sight.group_names) for node in sight.offered.values()]
    found = examine(
        wish,
        nodes,
        sight,
        cloud=ask_aws(sources, scope, nodes, sight.cluster, sight.groups),
        foreign=sight.running,
        now=reach.client.server_now(),
        first=True,
    )
    _show(output, sight, found)
    if found.failed:
        sys.exit(BLOCKED)


def _show(output: Output, sight: Sight, found: Examination) -> None:
    table = Table(
        title=f"Prerequisites of {sight.cluster.id}",
        columns=("prerequisite", "verdict", "seen", "what to do"),
        rows=tuple((each.name, _WORDS[each.verdict], each.seen, each.remedy or None) for each in found.findings),
    )
    data: dict[str, Any] = {
        "ocean_id": sight.cluster.id,
        "nodes": len(sight.offered),
        "prerequisites": [
            {"name": each.name, "verdict": each.verdict, "seen": each.seen, "remedy": each.remedy}
            for each in found.findings
        ],
        "blockers": list(found.blockers),
        "warnings": list(found.warnings),
        "remarks": list(found.remarks),
        "pods": found.pods_line,
    }
    output.show(table, data)
    if output.is_table:
        output.lines(["", *_lines(sight, found)])


def _lines(sight: Sight, found: Examination) -> list[str]:
    lines = [f"{counted(len(sight.offered), 'node')} can be migrated"]
    if found.pods_line:
        lines.append(f"pods: {found.pods_line}")
    lines += [f"in the way: {text}" for text in found.blockers]
    lines += [f"warning: {text}" for text in found.warnings]
    return lines + list(found.remarks)
