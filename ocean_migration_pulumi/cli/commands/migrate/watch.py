"""``ocean-migration watch``."""

from __future__ import annotations

import sys
from typing import BinaryIO

import click

from ocean_migration_pulumi.cli.context import CliContext
from ocean_migration_pulumi.cli.context_options import context_options, kubernetes_options, migration_argument
from ocean_migration_pulumi.cli.dashboard.following import EXIT_STATUSES, Follower
from ocean_migration_pulumi.cli.dashboard.onlookers import LineDisplay, ProgressDisplay, ScreenDisplay, terminal
from ocean_migration_pulumi.cli.exit_codes import DONE
from ocean_migration_pulumi.cli.notifications import notify_option, notifying
from ocean_migration_pulumi.cli.output import examples, say
from ocean_migration_pulumi.errors import DeadlineError, OceanMigrationError
from ocean_migration_pulumi.migration.health.baseline import HealthBaseline
from ocean_migration_pulumi.migration.spec.input_readers import read_duration


@click.command(
    "watch",
    epilog=examples(
        "ocean-migration watch --cluster shop",
        "ocean-migration watch owm-6e3819ae --cluster shop > watch.log",
        "pulumi stack export | ocean-migration watch --cluster shop --stack -",
        exit_statuses={DONE: "the migration finished"} | EXIT_STATUSES,
    ),
)
@migration_argument
@click.option(
    "--timeout", default="never", show_default=True, metavar="DURATION", help='Maximum time to watch, or "never".'
)
@click.option(
    "--stall-timeout",
    default="never",
    show_default=True,
    metavar="DURATION",
    help='Stop watching after this long without progress, or "never".',
)
@click.option(
    "--stack",
    type=click.File("rb"),
    metavar="FILE",
    help="Read the batch size and the pods that were ready before from the output of `pulumi stack export`; "
    "- reads stdin.",
)
@notify_option
@kubernetes_options
@context_options
def command(
    context: CliContext,
    migration: str | None,
    timeout: str,
    stall_timeout: str,
    stack: BinaryIO | None,
    notify: tuple[str, ...],
) -> None:
    """Show a live dashboard of a migration.

    Without MIGRATION, shows the running one, else the newest one. On a terminal: status, counters, old nodes with their
    remaining pods, new nodes, and the trend. Elsewhere: a line for each change, at least one each minute. Ctrl-C stops
    watching; the migration continues.

    With access to Kubernetes, it also shows each minute how many pods of the migration's workloads are ready: of those
    that the workloads ask for now, or with --stack of those that `pulumi up` requires.
    """
    most, stalled = (
        read_duration("--timeout", timeout, never=True),
        read_duration("--stall-timeout", stall_timeout, never=True),
    )
    with notifying(notify) as to:
        migration_id = context.migration_id(migration)
        baseline, batch_size = (None, None) if stack is None else _read_stack(stack, migration_id)
        follower = Follower(
            context,
            migration_id,
            onlooker(context, migration_id),
            timeout=most,
            stall_timeout=stalled,
            baseline=baseline,
            batch_size_percentage=batch_size,
            to=to,
        )
        sys.exit(follower.follow())


def _read_stack(stack: BinaryIO, migration_id: str) -> tuple[HealthBaseline | None, int | None]:
    from ocean_migration_pulumi.report.run import exported_timeline

    text = stack.read().decode("utf-8-sig", "replace")
    baseline = exported_timeline.read_exported_baseline(text, migration_id)
    if baseline is None:
        say(f"The stack has no baseline of {migration_id}: pods are compared with what the workloads ask for now")
    return baseline, exported_timeline.read_exported_batch_size(text, migration_id)


def onlooker(context: CliContext, migration_id: str) -> ProgressDisplay:
    """Return the display: a dashboard where stdout is a terminal that can show one, else lines."""
    console = terminal()
    if console is None:
        return LineDisplay(now=context.client.server_now)
    return ScreenDisplay(
        console,
        cluster_name=_cluster_name(context),
        hint=f"Quit: Ctrl-C. Stop: {context.steering('stop', migration_id)}",
    )


def _cluster_name(context: CliContext) -> str:
    try:
        return context.client.get_cluster(context.cluster_id).name
    except DeadlineError:
        raise
    except OceanMigrationError:
        return ""  # the dashboard can do without it
