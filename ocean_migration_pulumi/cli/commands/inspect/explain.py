"""``ocean-migration explain``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from ocean_migration_pulumi.api.models.migration import MigrationStatus
from ocean_migration_pulumi.cli.context import Reach, kubernetes_options, migration_argument, reach_options
from ocean_migration_pulumi.cli.output import Output, output_options
from ocean_migration_pulumi.cli.recording import SOURCES, from_option, opened
from ocean_migration_pulumi.common.cancellation import Scope
from ocean_migration_pulumi.migration.diagnosis.diagnosis import Explanation, Holding, explain_migration
from ocean_migration_pulumi.migration.spec import input_readers
from ocean_migration_pulumi.migration.spec.planned_nodes import counted
from ocean_migration_pulumi.migration.views.run_report import moved_at
from ocean_migration_pulumi.report.markdown import one_line

MOST_PODS: Final = 50
"""How many pods are listed for people; JSON has all."""

_EPILOG = """\b
Example:
  ocean-migration explain owm-6e3819ae --cluster shop --kubeconfig ~/.kube/config
  ocean-migration explain --from incident.jsonl
"""


@click.command("explain", epilog=_EPILOG)
@migration_argument
@from_option
@click.option(
    "--stall-timeout",
    default="30m",
    show_default=True,
    metavar="DURATION",
    help="After how long without progress a migration counts as stalled.",
)
@output_options()
@kubernetes_options
@reach_options
def command(reach: Reach, output: Output, migration: str | None, source: Path | None, stall_timeout: str) -> None:
    """Tell why a migration failed, was stopped, or stands still, and what to do about it.

    Of the one that runs, or else of the newest, unless it is named. With access to Kubernetes the pods that are still
    on the old nodes are told, and what holds each.
    """
    patience = input_readers.duration("--stall-timeout", stall_timeout) or 0.0
    if source is None:
        status = reach.client.get_migration(reach.cluster_id, reach.migration_id(migration))
        found = explain_migration(
            reach.client, reach.scope, reach.sources(), reach.cluster_id, status, stall_timeout=patience
        )
        _show(output, reach.cluster_id, status, found)
    else:
        _show(output, *explain_record(source, migration, reach.scope, patience))


def lines(found: Explanation) -> Iterator[str]:
    """Return an explanation for people, line by line."""
    yield one_line(found.headline)
    for heading, texts in _parts(found):
        yield from ("", heading, *texts)


def to_json(ocean_id: str, status: MigrationStatus, found: Explanation) -> dict[str, Any]:
    """Return an explanation as JSON has it."""
    return {
        "ocean_id": ocean_id,
        "migration_id": status.id,
        "state": status.state,
        **asdict(found),
        "outcome": found.outcome.value,
    }


def explain_record(
    record: Path, migration: str | None, scope: Scope, stall_timeout: float
) -> tuple[str, MigrationStatus, Explanation]:
    """Explain a migration from a record; None is the one whose status was read last.

    Returns the cluster, the last status, and the explanation. Raises SettingsError for a file that is no record, and
    InputError for a migration that it does not hold.
    """
    with opened(record, migration) as recorded:
        found = explain_migration(
            recorded.client,
            scope,
            SOURCES,
            recorded.ocean_id,
            recorded.status,
            moved_at=moved_at(recorded.moments),
            now=recorded.now,
            stall_timeout=stall_timeout,
        )
        return recorded.ocean_id, recorded.status, found


def _parts(found: Explanation) -> Iterator[tuple[str, list[str]]]:
    """Return the headings that have something to say, each with its indented lines."""
    if found.evidence:
        yield "What shows it", _indented(found.evidence)
    if found.holdings:
        more = len(found.holdings[MOST_PODS:])
        rest = _indented([f"and {counted(more, 'pod')} more: see --json"] if more else ())
        yield "Pods that are left", [*_grouped(found.holdings[:MOST_PODS]), *rest]
    if found.remedy:
        yield "What to do", _indented([f"{found.remedy}."])
    if found.notes:
        yield "Notes", _indented(found.notes)


def _grouped(pods: Iterable[Holding]) -> Iterator[str]:
    """Return pods under what holds them, which many of them share."""
    alike: dict[tuple[str, str], list[Holding]] = {}
    for pod in pods:
        alike.setdefault((pod.why, pod.remedy), []).append(pod)
    for (why, remedy), group in alike.items():
        yield from _indented([f"{why}: {remedy}"])
        yield from _indented((f"{pod.pod} on {pod.node}" if pod.node else pod.pod for pod in group), "    ")


def _indented(texts: Iterable[str], indent: str = "  ") -> list[str]:
    return [indent + one_line(text) for text in texts]


def _show(output: Output, ocean_id: str, status: MigrationStatus, found: Explanation) -> None:
    if output.is_table:
        output.text("\n".join(lines(found)))
    else:
        output.json(to_json(ocean_id, status, found))
