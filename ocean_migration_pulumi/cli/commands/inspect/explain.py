"""``ocean-migration explain``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from ocean_migration_pulumi.api.models.migration import MigrationStatus
from ocean_migration_pulumi.cli.context import CliContext, context_options, kubernetes_options, migration_argument
from ocean_migration_pulumi.cli.output import Output, examples, output_options
from ocean_migration_pulumi.cli.recording import from_option, open_migration
from ocean_migration_pulumi.common.text import count_noun, one_line
from ocean_migration_pulumi.migration.diagnosis.diagnosis import Diagnosis, StuckPod, diagnose_migration
from ocean_migration_pulumi.migration.spec import input_readers
from ocean_migration_pulumi.migration.views.run_report import moved_at

MOST_PODS: Final = 50
"""How many pods are listed for people; JSON has all."""


@click.command(
    "explain",
    epilog=examples(
        "ocean-migration explain owm-6e3819ae --cluster shop --kubeconfig ~/.kube/config",
        "ocean-migration explain --from incident.jsonl",
    ),
)
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
@context_options
def command(reach: CliContext, output: Output, migration: str | None, source: Path | None, stall_timeout: str) -> None:
    """Tell why a migration failed, was stopped, or stands still, and what to do about it.

    Of the one that runs, or else of the newest, unless it is named. With access to Kubernetes the pods that are still
    on the old nodes are told, and what holds each.
    """
    stalled = input_readers.read_duration("--stall-timeout", stall_timeout) or 0.0
    with open_migration(reach, migration, source) as chosen:
        status = chosen.client.get_migration(chosen.ocean_id, chosen.migration_id)
        found = diagnose_migration(
            chosen.client,
            reach.scope,
            chosen.sources,
            chosen.ocean_id,
            status,
            moved_at=moved_at(chosen.moments),
            now=chosen.now,
            stall_timeout=stalled,
        )
    if output.is_table:
        output.text("\n".join(lines(found)))
    else:
        output.json(to_json(chosen.ocean_id, status, found))


def lines(found: Diagnosis) -> Iterator[str]:
    """Return an explanation for people, line by line."""
    yield one_line(found.headline)
    for heading, texts in _parts(found):
        yield from ("", heading, *texts)


def to_json(ocean_id: str, status: MigrationStatus, found: Diagnosis) -> dict[str, Any]:
    """Return an explanation as JSON has it."""
    document = asdict(found)
    return {
        "ocean_id": ocean_id,
        "migration_id": status.id,
        "state": status.state,
        "holdings": document.pop("stuck"),
        **document,
        "outcome": found.outcome.value,
    }


def _parts(found: Diagnosis) -> Iterator[tuple[str, list[str]]]:
    """Return the headings that have something to say, each with its indented lines."""
    if found.evidence:
        yield "What shows it", _indented(found.evidence)
    if found.stuck:
        more = len(found.stuck[MOST_PODS:])
        rest = _indented([f"and {count_noun(more, 'pod')} more: see --json"] if more else ())
        yield "Pods that are left", [*_grouped(found.stuck[:MOST_PODS]), *rest]
    if found.remedy:
        yield "What to do", _indented([f"{found.remedy}."])
    if found.notes:
        yield "Notes", _indented(found.notes)


def _grouped(pods: Iterable[StuckPod]) -> Iterator[str]:
    """Return pods under what holds them, which many of them share."""
    alike: dict[tuple[str, str], list[StuckPod]] = {}
    for pod in pods:
        alike.setdefault((pod.why, pod.remedy), []).append(pod)
    for (why, remedy), group in alike.items():
        yield from _indented([f"{why}: {remedy}"])
        yield from _indented((f"{pod.pod} on {pod.node}" if pod.node else pod.pod for pod in group), "    ")


def _indented(texts: Iterable[str], indent: str = "  ") -> list[str]:
    return [indent + one_line(text) for text in texts]
