"""``ocean-migration explain``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import click

from ocean_migration_pulumi.api.models.migration import MigrationStatus
from ocean_migration_pulumi.cli.context import CliContext
from ocean_migration_pulumi.cli.context_options import context_options, kubernetes_options, migration_argument
from ocean_migration_pulumi.cli.options import OPTIONS
from ocean_migration_pulumi.cli.output import Output, examples, output_options
from ocean_migration_pulumi.cli.recording import from_option, open_migration
from ocean_migration_pulumi.common.text import count_noun, one_line
from ocean_migration_pulumi.migration.diagnosis.diagnosis import Diagnosis, Outcome, StuckPod, diagnose_migration
from ocean_migration_pulumi.migration.diagnosis.stuck_pods_text import BlockerText, describe_blocker
from ocean_migration_pulumi.migration.spec import input_readers
from ocean_migration_pulumi.migration.views.run_report import find_last_change

MOST_PODS: Final = 50
"""Maximum number of pods in the text; JSON has all."""


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
    help="Time without progress after which a migration counts as stalled.",
)
@output_options()
@kubernetes_options
@context_options
def command(
    context: CliContext, output: Output, migration: str | None, source: Path | None, stall_timeout: str
) -> None:
    """Explain why a migration failed, was stopped or stalled, and what to do about it.

    Without MIGRATION, explains the running migration, else the newest one. With access to Kubernetes, also lists the
    pods that are still on old nodes and what blocks each.
    """
    stall_seconds = input_readers.read_duration("--stall-timeout", stall_timeout) or 0.0
    with open_migration(context, migration, source) as chosen:
        status = chosen.client.get_migration(chosen.ocean_id, chosen.migration_id)
        diagnosis = diagnose_migration(
            chosen.client,
            context.scope,
            chosen.sources,
            chosen.ocean_id,
            status,
            changed_at=find_last_change(chosen.moments),
            now=chosen.now,
            stall_timeout=stall_seconds,
            vocabulary=OPTIONS,
        )
    if output.is_table:
        output.lines(format_lines(diagnosis))
    else:
        output.json(to_json(chosen.ocean_id, status, diagnosis))


def format_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """Return a diagnosis for people, line by line."""
    yield one_line(diagnosis.headline)
    for heading, texts in _list_sections(diagnosis):
        yield from ("", heading, *texts)


def to_json(ocean_id: str, status: MigrationStatus, diagnosis: Diagnosis) -> dict[str, Any]:
    """Return a diagnosis in the form that docs/schemas/explain.json describes."""
    return {
        "ocean_id": ocean_id,
        "migration_id": status.id,
        "state": status.state,
        "outcome": diagnosis.outcome.value,
        "headline": diagnosis.headline,
        "reason": diagnosis.reason,
        "evidence": diagnosis.evidence,
        "remedy": diagnosis.remedy,
        "holdings": [
            {"pod": pod.pod, "node": pod.node, **describe_blocker(pod, diagnosis.vocabulary)._asdict()}
            for pod in diagnosis.stuck
        ],
        "notes": diagnosis.notes,
    }


def _list_sections(diagnosis: Diagnosis) -> Iterator[tuple[str, list[str]]]:
    """Return the headings that have content, each with its indented lines."""
    if diagnosis.evidence:
        # The lines of a finished migration are no evidence of a failure: they name what remains.
        yield "Left to do" if diagnosis.outcome is Outcome.FINISHED else "Evidence", _indent(diagnosis.evidence)
    if diagnosis.stuck:
        more = len(diagnosis.stuck[MOST_PODS:])
        rest = _indent([f"and {count_noun(more, 'more pod')}: see --json"] if more else ())
        yield "Remaining pods", [*_group_by_blocker(diagnosis), *rest]
    if diagnosis.remedy:
        yield "What to do", _indent([f"{diagnosis.remedy}."])
    if diagnosis.notes:
        yield "Notes", _indent(diagnosis.notes)


def _group_by_blocker(diagnosis: Diagnosis) -> Iterator[str]:
    """Return the pods below what blocks them, which many pods have in common."""
    groups: dict[BlockerText, list[StuckPod]] = {}
    for pod in diagnosis.stuck[:MOST_PODS]:
        groups.setdefault(describe_blocker(pod, diagnosis.vocabulary), []).append(pod)
    for (why, remedy), group in groups.items():
        yield from _indent([f"{why}: {remedy}"])
        yield from _indent((f"{pod.pod} on {pod.node}" if pod.node else pod.pod for pod in group), "    ")


def _indent(texts: Iterable[str], indent: str = "  ") -> list[str]:
    return [indent + one_line(text) for text in texts]
