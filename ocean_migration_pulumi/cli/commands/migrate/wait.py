"""``ocean-migration wait``."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Final

import click

from ocean_migration_pulumi.api.models.migration import MigrationStatus
from ocean_migration_pulumi.cli.context import CliContext
from ocean_migration_pulumi.cli.context_options import context_options, kubernetes_options, migration_argument
from ocean_migration_pulumi.cli.dashboard.following import EXIT_STATUSES, Follower
from ocean_migration_pulumi.cli.dashboard.onlookers import LineDisplay
from ocean_migration_pulumi.cli.exit_codes import DONE
from ocean_migration_pulumi.cli.notifications import notify_option, notifying
from ocean_migration_pulumi.cli.output import examples
from ocean_migration_pulumi.migration.spec.input_readers import input_error, read_duration
from ocean_migration_pulumi.migration.state.progress import Progress

_SHARE: Final = re.compile(r"(100|[1-9]\d?)%")


@click.command(
    "wait",
    epilog=examples(
        "ocean-migration wait owm-6e3819ae --cluster shop --for 50% --timeout 2h",
        exit_statuses={DONE: "the migration finished, or reached --for"} | EXIT_STATUSES,
    ),
)
@migration_argument
@click.option(
    "--for",
    "target",
    default="finished",
    show_default=True,
    metavar="finished|started|N%",
    help="Wait for the end, the start, or a percentage of migrated nodes.",
)
@click.option(
    "--timeout", default="50m", show_default=True, metavar="DURATION", help='Maximum time to wait, or "never".'
)
@click.option(
    "--stall-timeout",
    default="30m",
    show_default=True,
    metavar="DURATION",
    help='Stop waiting after this long without progress, or "never".',
)
@notify_option
@kubernetes_options
@context_options
def command(
    context: CliContext, migration: str | None, target: str, timeout: str, stall_timeout: str, notify: tuple[str, ...]
) -> None:
    """Wait for a migration.

    Without MIGRATION, waits for the running one, else for the newest one. Progress goes to stderr, the result to
    stdout.
    """
    reached = _reached(target)
    most, stalled = (
        read_duration("--timeout", timeout, never=True),
        read_duration("--stall-timeout", stall_timeout, never=True),
    )
    with notifying(notify) as to:
        migration_id = context.migration_id(migration)
        onlooker = LineDisplay(err=True, now=context.client.server_now)
        follower = Follower(context, migration_id, onlooker, timeout=most, stall_timeout=stalled, to=to)
        sys.exit(follower.follow(reached))


def _reached(target: str) -> Callable[[MigrationStatus], bool]:
    if target == "finished":
        return lambda status: False
    if target == "started":
        return lambda status: True
    share = _SHARE.fullmatch(target)
    if share is None:
        raise input_error("--for", target, '"finished", "started", or a percentage from "1%" to "100%"')
    least = int(share[1])
    return lambda status: Progress.from_status(status).percentage >= least
