"""``ocean-migration start``."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import Final, NoReturn

import click

from ocean_migration_pulumi.api.models.migration import MigrationStatus
from ocean_migration_pulumi.cli.commands.migrate.watch import onlooker
from ocean_migration_pulumi.cli.console import Console, confirmed, is_interactive
from ocean_migration_pulumi.cli.context import CliContext
from ocean_migration_pulumi.cli.context_options import context_options, kubernetes_options, kubernetes_timeout_option
from ocean_migration_pulumi.cli.dashboard.following import Follower
from ocean_migration_pulumi.cli.dashboard.onlookers import LineDisplay
from ocean_migration_pulumi.cli.jobs import make_reconcile_context
from ocean_migration_pulumi.cli.notifications import notify_option, notifying
from ocean_migration_pulumi.cli.options import selection_options
from ocean_migration_pulumi.cli.output import Output, examples, output_options, say
from ocean_migration_pulumi.cli.plan_view import PlanView, list_lines, make_plan
from ocean_migration_pulumi.common.text import count_noun, list_some, one_line
from ocean_migration_pulumi.errors import ClusterBusyError, InterruptedWaitError, PlanError, PrerequisiteError
from ocean_migration_pulumi.migration.planning.text.sentences import capitalize
from ocean_migration_pulumi.migration.reconcile.admission import ensure_startable
from ocean_migration_pulumi.migration.reconcile.events import EventSink
from ocean_migration_pulumi.migration.reconcile.start import start_migration
from ocean_migration_pulumi.migration.reconcile.wait import wait_for_migration
from ocean_migration_pulumi.migration.spec.diagnostic import Code
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.migration.state.phases import describe_share

_CHECK_AGE: Final = 60.0
"""Seconds for which a check counts while somebody is asked."""
_SECONDS: Final = 600.0
"""How long a start may take; the migration itself takes as long as it does."""


@click.command("start", epilog=examples("ocean-migration start --cluster shop --asg-name web --yes --wait"))
@selection_options
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--wait", "then", flag_value="wait", help="Wait for the end, like `wait`.")
@click.option("--watch", "then", flag_value="watch", help="Show the dashboard, like `watch`.")
@notify_option
@output_options()
@kubernetes_options
@kubernetes_timeout_option
@context_options
def command(
    context: CliContext, output: Output, spec: MigrationSpec, yes: bool, then: str | None, notify: tuple[str, ...]
) -> None:
    """Show the plan of a migration, ask for confirmation, and start it.

    Nothing is terminated, deleted or forced unless an option says so. Refuses if another migration is running on the
    cluster. Without a terminal, --yes is required.
    """
    with notifying(notify) as to:
        _command(context, output, spec, yes=yes, then=then, to=to)


def _command(
    context: CliContext, output: Output, spec: MigrationSpec, *, yes: bool, then: str | None, to: EventSink
) -> None:
    context.require_account()
    _refuse_beside_running(context, yes=yes, to=to)
    plan_view = make_plan(context, spec)
    for line in list_lines(plan_view.preview.diagnostics):
        say(line, err=not output.is_table)
    if not plan_view.waiting:
        # One that a killed command has started may have been listed while the plan was made, which waits for it.
        _refuse_beside_running(context, yes=yes, to=to)
        click.echo("Nothing to migrate", err=True)
        return
    if plan_view.refusal:
        msg = f"nothing was started: {plan_view.refusal}"
        not_approved = tuple(each for each in plan_view.preview.diagnostics if each.code == Code.PLAN_NOT_APPROVED)
        raise PlanError(msg, not_approved) if not_approved else PrerequisiteError(msg)
    checked_at = None
    if not yes:
        _require_terminal()
        checked_at = _check(context, plan_view, to)
        _ask(context, plan_view)
    migration_id = _start(context, plan_view, to, checked_at)
    if output.is_table:
        output.lines([f"Migration {migration_id} started. Watch it: {context.steering('watch', migration_id)}"])
    else:
        output.json({"ocean_id": context.cluster_id, "migration_id": migration_id, "nodes": sorted(plan_view.waiting)})
    if then is not None:
        sys.exit(_follow(context, migration_id, then, to, spec.batch_size_percentage))


def _refuse_beside_running(context: CliContext, *, yes: bool, to: EventSink) -> None:
    running = context.claims.cache.running(context.client, context.scope, fresh=True)
    if running:
        _handle_running(context, running[0], yes=yes, to=to)


def _handle_running(context: CliContext, status: MigrationStatus, *, yes: bool, to: EventSink) -> NoReturn:
    """Offer to watch the migration that runs; without a terminal it is an error."""
    named = f"migration {status.id} is already running on {context.cluster_id} ({describe_share(status)})"
    if not yes and is_interactive():
        say(capitalize(named))
        if confirmed("Watch it?", default=True):
            sys.exit(_follow(context, status.id, "watch", to))
        msg = f"{named}; nothing was started"
        raise ClusterBusyError(msg)
    watch, stop = (context.steering(command, status.id) for command in ("watch", "stop"))
    msg = f"{named}; wait for its end (`{watch}`) or stop it (`{stop}`)"
    raise ClusterBusyError(msg)


def _require_terminal() -> None:
    if not is_interactive():
        msg = "Cannot prompt: not a terminal. Pass --yes to confirm."
        raise click.UsageError(msg)


def _ask(context: CliContext, plan_view: PlanView) -> None:
    cluster = context.claims.cache.cluster(context.client, context.scope)
    named = f"{cluster.name} ({cluster.id})" if cluster.name else cluster.id
    waiting = set(plan_view.waiting)
    names = [node.node_name or node.instance_id for node in plan_view.nodes if node.instance_id in waiting]
    flags = [
        text
        for text, chosen in zip(
            ("terminates drained nodes", "deletes standalone pods", "deletes pods that PodDisruptionBudgets protect"),
            plan_view.spec.options.flags.values(),
            strict=True,
        )
        if chosen
    ]
    more = f", which {' and '.join(flags)}" if flags else ""
    nodes = f"{count_noun(len(names), 'node')} of {named}: {list_some(names)}"
    if not confirmed(one_line(f"Start the migration of {nodes}{more}?")):
        msg = "nothing was started"
        raise InterruptedWaitError(msg)


def _check(context: CliContext, plan_view: PlanView, to: EventSink) -> float:
    """Check all that can refuse a start, with trial evictions, before somebody is asked; return when."""
    console = Console()
    reconcile_context = make_reconcile_context(context, plan_view.spec, seconds=_SECONDS, reporter=console, events=to)
    try:
        offered = reconcile_context.discover()
        ensure_startable(reconcile_context, [name for name in plan_view.waiting if name in offered])
    finally:
        console.end()
    return time.monotonic()


def _start(context: CliContext, plan_view: PlanView, to: EventSink, checked_at: float | None) -> str:
    """Start it, once, and return its id; the run is the resource's, up to the moment at which it has started.

    What was checked shortly before, at ``checked_at``, is not checked again.
    """
    console = Console()
    spec = replace(plan_view.spec, wait_for="started")
    reconcile_context = make_reconcile_context(context, spec, seconds=_SECONDS, reporter=console, events=to)
    try:
        offered = reconcile_context.discover()
        work = [name for name in plan_view.waiting if name in offered]
        if away := sorted(set(plan_view.waiting) - offered.keys()):
            console.warning(f"{count_noun(len(away), 'planned node')} no longer in discovery: {list_some(away)}")
        if checked_at is None or time.monotonic() - checked_at > _CHECK_AGE:
            ensure_startable(reconcile_context, work)
        started = start_migration(reconcile_context, work)
        if started is None:
            msg = "nothing was started: no node is left to migrate"
            raise ClusterBusyError(msg)
        wait_for_migration(reconcile_context, started.migration, listed_before=started.listed_before)
    finally:
        console.end()
    return started.migration.id


def _follow(
    context: CliContext, migration_id: str, how: str, to: EventSink, batch_size_percentage: int | None = None
) -> int:
    """Wait for a migration, or watch it, and return the exit status."""
    looking_on = (
        onlooker(context, migration_id) if how == "watch" else LineDisplay(err=True, now=context.client.server_now)
    )
    follower = Follower(
        context, migration_id, looking_on, just_started=True, batch_size_percentage=batch_size_percentage, to=to
    )
    return follower.follow()
