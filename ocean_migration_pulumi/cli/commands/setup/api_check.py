"""``ocean-migration api-check``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from ocean_migration_pulumi.api.recording.redaction import Exchange
from ocean_migration_pulumi.api.recording.replay_client import read_record
from ocean_migration_pulumi.api.transport import program_version
from ocean_migration_pulumi.api_check.live_findings import LiveCheck, check_migration
from ocean_migration_pulumi.api_check.live_run import LiveRun
from ocean_migration_pulumi.api_check.probes import send_probes
from ocean_migration_pulumi.api_check.questions import AnsweredQuestion, answer_questions
from ocean_migration_pulumi.api_check.rendering import (
    COLUMNS,
    LIVE_COLUMNS,
    live_rows,
    question_rows,
    summarize,
    to_json,
    to_markdown,
)
from ocean_migration_pulumi.cli.console import Console, confirmed, is_interactive
from ocean_migration_pulumi.cli.context import CliContext
from ocean_migration_pulumi.cli.context_options import context_options
from ocean_migration_pulumi.cli.output import JSON, MARKDOWN, TABLE, Output, Table, examples, output_options, say
from ocean_migration_pulumi.cli.recording import from_option
from ocean_migration_pulumi.common.text import count_noun
from ocean_migration_pulumi.common.times import format_elapsed
from ocean_migration_pulumi.errors import InputError, InterruptedWaitError, OceanMigrationError, OperationCancelled
from ocean_migration_pulumi.migration.spec.input_readers import read_duration

_PROBE_SECONDS: Final = 120.0


@click.command(
    "api-check",
    epilog=examples(
        "ocean-migration api-check --cluster shop",
        "ocean-migration api-check --from incident.jsonl -o markdown",
        "ocean-migration api-check --cluster staging --live --instance-id i-0a1b2c3d",
    ),
)
@from_option
@click.option("--live", is_flag=True, help="Also migrate one node, and stop that migration.")
@click.option("--instance-id", metavar="i-...", help="The node that --live migrates.")
@click.option(
    "--stop-after",
    default="2m",
    show_default=True,
    metavar="DURATION",
    help="Time from the start of the migration until --live stops it.",
)
@click.option(
    "--timeout",
    default="50m",
    show_default=True,
    metavar="DURATION",
    help="Time from the start of the migration until --live stops waiting for its end.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask before --live starts the migration.")
@output_options((TABLE, JSON, MARKDOWN))
@context_options
def command(
    context: CliContext,
    output: Output,
    source: Path | None,
    live: bool,
    instance_id: str | None,
    stop_after: str,
    timeout: str,
    yes: bool,
) -> None:
    """Compare Spot's API with its documentation.

    Sends at most 15 GETs, or none with --from. Markdown has excerpts of the responses, for a bug report.

    With --live it also starts a migration of one node, stops it, and compares every response. Ocean cordons the node
    and may evict its pods; nothing is terminated, forced or deleted. Use a node of a non-production cluster. The
    exchanges are recorded in the file of --record, or in api-check-TIME.jsonl.
    """
    exchanges: list[Exchange] = []
    context.observers.append(exchanges.append)
    if live:
        if source is not None:
            raise click.UsageError("--live and --from are mutually exclusive")
        if instance_id is None:
            raise click.UsageError("--live requires --instance-id")
        _run_live(
            context,
            instance_id,
            stop_after=read_duration("--stop-after", stop_after) or 0.0,
            timeout=read_duration("--timeout", timeout) or 0.0,
            yes=yes,
        )
    elif instance_id is not None:
        raise click.UsageError("--instance-id requires --live")
    elif source is not None:
        exchanges += read_record(source)
    else:
        _probe(context)
    _show(output, answer_questions(exchanges), check_migration(exchanges))


def _probe(context: CliContext) -> None:
    send_probes(context.client.within(context.scope.at_most(_PROBE_SECONDS)), context.cluster_id)


def _run_live(context: CliContext, instance_id: str, *, stop_after: float, timeout: float, yes: bool) -> None:
    """Ask, send the GETs, and run the migration."""
    if not yes and not is_interactive():
        raise click.UsageError("Cannot prompt: not a terminal. Pass --yes to confirm.")
    record = context.settings.record or Path(f"api-check-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.jsonl")
    if record.exists():
        raise InputError("--record", f"{record} exists; --live needs a new file")
    context.record_to(record)
    context.require_account()
    speaker = Console()
    run = LiveRun(
        context.client,
        context.scope,
        speaker,
        ocean_id=context.cluster_id,
        instance_id=instance_id,
        stop_after=stop_after,
        timeout=timeout,
        poll_interval=context.poll_policy.poll_interval,
    )
    candidate = run.find_candidate()
    pods = "" if candidate.running_pods is None else f", {count_noun(candidate.running_pods, 'pod')}"
    name = f"{candidate.node_name} ({instance_id})" if candidate.node_name else instance_id
    say(
        f"1 node of {context.cluster_id} to migrate: {name}{pods}. Until the stop, {format_elapsed(stop_after)} after "
        "the start, Ocean may launch a node and evict pods. Nothing is terminated, forced or deleted."
    )
    say(f"Record: {record}")
    if not yes and not confirmed("Start this migration?"):
        raise InterruptedWaitError("nothing was started")
    _probe(context)
    try:
        run.run()
    except (OceanMigrationError, OperationCancelled, KeyboardInterrupt):
        # The second Ctrl-C ends the program at once, and must not hide what still runs.
        speaker.end()
        _say_what_runs(context, run, instance_id)
        raise
    finally:
        speaker.end()


def _say_what_runs(context: CliContext, run: LiveRun, instance_id: str) -> None:
    """Name the migration that continues in Ocean, and the command that stops it."""
    if run.migration_id is None:
        if run.may_have_started:
            say(
                f"A migration of {instance_id} may have started on {context.cluster_id}. Look for it with "
                f"`ocean-migration history --cluster {context.cluster_id}`."
            )
    elif run.is_running:
        state = run.status.state if run.status is not None else "state unknown"
        sent = ", stop sent" if run.stop_sent else ""
        say(
            f"Migration {run.migration_id} is still running on {context.cluster_id} ({state}{sent}). Stop it with "
            f"`{context.steering('stop', run.migration_id)}`."
        )


def _show(output: Output, answered: tuple[AnsweredQuestion, ...], live: LiveCheck | None) -> None:
    if output.format == MARKDOWN:
        output.text(to_markdown(answered, program_version(), live))
    elif output.format == JSON:
        output.json(to_json(answered, live))
    else:
        output.show(Table(title="Spot's API", columns=COLUMNS, rows=question_rows(answered)), None)
        if live is not None:
            output.lines([""])
            title = f"Migration {live.migration_id or 'without an id'}"
            output.show(Table(title=title, columns=LIVE_COLUMNS, rows=live_rows(live)), None)
        say(f"{summarize(answered)}; `-o markdown` has excerpts for a bug report")
