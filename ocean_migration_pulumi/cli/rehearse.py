"""``ocean-migration rehearse``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from ocean_migration_pulumi.api.times import elapsed
from ocean_migration_pulumi.errors import PlanError
from ocean_migration_pulumi.migration.plan import counted, some
from ocean_migration_pulumi.migration.wish import Wish
from ocean_migration_pulumi.rehearsal import PREDICTION, Rehearsal, describe, rehearse
from ocean_migration_pulumi.report.rehearsal import markdown

from .common import Reach, kubernetes_options, reach_options
from .output import JSON, MARKDOWN, TABLE, Output, Table, output_options
from .planned import make_plan
from .selection import selection_options

_EPILOG = """\b
Example:
  ocean-migration rehearse --cluster shop --asg-name 'web*' --kubeconfig ~/.kube/shop

\b
For a pull request:
  ocean-migration rehearse --cluster shop --asg-name 'web*' --json > rehearsal.json
  pulumi preview --json | ocean-migration comment --rehearsal rehearsal.json
"""

_SECONDS: Final = 60.0


@click.command("rehearse", epilog=_EPILOG)
@selection_options
@click.option(
    "--world",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write the description of the cluster that the simulator gets, without user data, to this file.",
)
@output_options(TABLE, JSON, MARKDOWN)
@kubernetes_options
@reach_options
def command(reach: Reach, output: Output, wish: Wish, world: Path | None) -> None:
    """Try a migration out on a simulator of the cluster as it is.

    Plans as `plan` does, reads nodes, pods and PodDisruptionBudgets with GETs only, and runs the migration on a
    simulator in this process. What comes out is a prediction: its times are invented, its order of things is not. Pods
    and budgets are known only with access to Kubernetes.
    """
    planned = make_plan(reach, wish)
    if not planned.waiting:
        msg = "there is nothing to rehearse: Ocean offers none of the planned nodes"
        raise PlanError(msg)
    described = describe(reach.client, reach.scope.at_most(_SECONDS), reach.sources(), reach.cluster_id)
    if world is not None:
        _write(world, json.dumps(described.world, indent=2) + "\n")
    found = rehearse(described, planned.wish, planned.waiting, scope=reach.scope)
    if planned.refusal:
        found = replace(found, notes=(f"a real start is refused: {planned.refusal}", *found.notes))
    if output.format == MARKDOWN:
        output.text(markdown(found.to_json()))
        return
    if output.is_table:
        output.lines([PREDICTION, "", found.headline, f"predicted duration: {elapsed(found.seconds)}", ""])
    output.show(_timeline(found), found.to_json())
    if output.is_table:
        output.lines(["", *_lines(found)])


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror}"
        raise click.ClickException(msg) from None


def _timeline(found: Rehearsal) -> Table:
    begun = found.moments[0].at
    return Table(
        title="Predicted timeline",
        columns=("after", "state", "nodes done", "pods left", "unscheduled", "by hand"),
        rows=tuple(
            (
                elapsed((moment.at - begun).total_seconds()),
                moment.state,
                f"{moment.done}/{moment.total}",
                moment.pods,
                moment.unscheduled,
                moment.manual,
            )
            for moment in found.steps
        ),
        numbers=frozenset({"after", "nodes done", "pods left", "unscheduled", "by hand"}),
    )


def _lines(found: Rehearsal) -> list[str]:
    lines = [
        f"left: {pod.name} on {node.node_name}: {pod.why}" for node in found.left if node.drained for pod in node.pods
    ]
    if untouched := [node.node_name for node in found.left if not node.drained]:
        lines.append(f"not drained before the end: {counted(len(untouched), 'node')}, {some(untouched)}")
    waiting = set(found.waiting)
    lines += [
        f"without a node: {name}" + (" (it has none today)" if name in waiting else "") for name in found.unscheduled
    ]
    if found.failure is not None:
        lines.append(f"what to do: {found.failure.remedy}")
    return lines + [f"note: {note}" for note in found.notes]
