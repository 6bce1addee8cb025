"""``ocean-migration logs``."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import click

from ocean_migration_pulumi.api.models.migration import LogEntry
from ocean_migration_pulumi.cli.console import Console
from ocean_migration_pulumi.cli.context import CliContext
from ocean_migration_pulumi.cli.context_options import context_options
from ocean_migration_pulumi.cli.output import Output, examples, output_options, say
from ocean_migration_pulumi.common.times import parse_time
from ocean_migration_pulumi.errors import InputError, InterruptedWaitError
from ocean_migration_pulumi.migration.diagnosis import log_query
from ocean_migration_pulumi.migration.reconcile.waiter import Waiter
from ocean_migration_pulumi.results import ClusterLog, LogLine

_OVERLAP: Final = timedelta(minutes=2)


@click.command(
    "logs",
    epilog=examples(
        "ocean-migration logs --cluster shop --since 2h --severity ERROR",
        "ocean-migration logs --cluster shop --follow",
    ),
)
@click.option(
    "--since",
    default="1h",
    show_default=True,
    metavar="DURATION|TIME",
    help='Start: a duration before now such as "90m", or a time such as "2024-05-01T12:00:00Z".',
)
@click.option("--until", metavar="DURATION|TIME", help="End, like --since. Default: now.")
@click.option(
    "--severity",
    type=click.Choice(log_query.SEVERITIES, case_sensitive=False),
    default="ALL",
    show_default=True,
    metavar="|".join(log_query.SEVERITIES),
    help="Show only lines of this severity.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, log_query.MAX_LINES),
    default=500,
    show_default=True,
    metavar="N",
    help="Maximum number of lines; the newest are shown.",
)
@click.option("--follow", "-f", is_flag=True, help="Keep printing new lines until Ctrl-C.")
@output_options()
@context_options
def command(
    context: CliContext, output: Output, since: str, until: str | None, severity: str, limit: int, follow: bool
) -> None:
    """Show Ocean's log of a cluster, oldest line first. It also says why a migration failed."""
    if follow and (until is not None or not output.is_table):
        raise InputError("--follow", "mutually exclusive with --until, --json and -o json")
    cluster = context.cluster_id
    context.client.get_heartbeat(cluster)  # any answer tells the service's time, by which its log is dated
    try:
        start, end = log_query.read_log_period(since, until, context.client.server_now())
    except InputError as error:
        raise error.renamed(f"--{error.property_name}") from None
    found = context.client.get_log(cluster, since=start, until=end, severity=severity.upper(), limit=limit)
    log = ClusterLog.from_log(cluster, found)
    if output.is_table:
        output.lines(map(_line, log.lines))
    else:
        output.json(log.to_dict())
    if follow:
        # What a limit has left out is not made up for.
        oldest = min((at for line in found if (at := parse_time(line.created_at))), default=start)
        _follow(context, output, cluster, severity.upper(), found, max(start, oldest))
    elif output.is_table and not log.lines:
        ending = "" if until is None else f" --until {until}"
        kind = "" if severity == "ALL" else f" --severity {severity}"
        say(f"No log lines for {cluster} with --since {since}{ending}{kind}. Use --since to look further back")


class _StderrReporter(Console):
    """Says every line for good: what follows a log has no live line."""

    def status(self, message: str) -> None:
        """Say a line that stays."""
        say(message)


def _follow(
    context: CliContext, output: Output, cluster: str, severity: str, found: tuple[LogEntry, ...], start: datetime
) -> None:
    """Show every new line until Ctrl-C, which is how it is meant to end.

    Lines may be late: each question goes back a little behind the newest line, and what was shown is left out.
    """
    shown, newest = Counter(found), _newest(found, start)

    def read_log() -> tuple[LogEntry, ...]:
        since, until = max(start, newest - _OVERLAP), context.client.server_now() + log_query.CLOCK_SKEW
        return context.client.get_log(cluster, since=since, until=until, severity=severity)

    def show_new(found: tuple[LogEntry, ...]) -> None:
        nonlocal shown, newest
        fresh = Counter(found) - shown
        output.lines(map(_line, ClusterLog.from_log(cluster, tuple(fresh.elements())).lines))
        # Lines older than the next question's time are not returned again.
        shown, newest = Counter(found), _newest(found, newest)

    policy = replace(context.poll_policy, outage=float("inf"))
    waiter = Waiter(read_log, scope=context.scope, reporter=_StderrReporter(), policy=policy, observe=show_new)
    with suppress(InterruptedWaitError):
        context.scope.sleep(policy.poll_interval)
        waiter.until(lambda found: False)


def _newest(lines: tuple[LogEntry, ...], otherwise: datetime) -> datetime:
    return max((at for line in lines if (at := parse_time(line.created_at))), default=otherwise)


def _line(line: LogLine) -> str:
    return f"{line.created_at or '-'} {line.severity or '-'} {line.message}"
