"""The option ``--notify``: post events of a command as the resource posts them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from ocean_migration_pulumi.api.models.migration import MigrationStatus
from ocean_migration_pulumi.cli.console import Console
from ocean_migration_pulumi.cli.context import CliContext
from ocean_migration_pulumi.cli.jobs import make_context
from ocean_migration_pulumi.migration.reconcile.events import EventKind, EventSink, discard_event, emit
from ocean_migration_pulumi.migration.spec.input_readers import read_endpoints
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.migration.state.migration_record import MigrationRecord
from ocean_migration_pulumi.resource.notifier import Notifier

_SECONDS: Final = 60.0

notify_option: Final = click.option(
    "--notify",
    multiple=True,
    metavar="URL",
    help="Post start, end and what needs a look to this URL, in Slack's format for one of Slack's; repeat for more.",
)
"""The option ``notify``: URLs, which may be secrets."""


@contextmanager
def notifying(urls: tuple[str, ...]) -> Iterator[EventSink]:
    """Yield what posts events to these URLs, and deliver pending ones at the end.

    Raises:
        InputError: When a URL cannot be used; the message does not contain it.
    """
    if not urls:
        yield discard_event
        return
    speaker = Console()
    notifier = Notifier(read_endpoints("--notify", list(urls)), tell=speaker.warning)
    try:
        yield notifier.announce
    finally:
        notifier.drain()


def announce(
    reach: CliContext,
    to: EventSink,
    kind: EventKind,
    migration_id: str,
    message: str,
    *,
    status: MigrationStatus | None,
    reason: str = "",
    remedy: str = "",
) -> None:
    """Post an event of a migration that this command only follows."""
    if to is discard_event:
        return
    spec = MigrationSpec(ocean_id=reach.cluster_id)
    context = make_context(reach, spec, seconds=_SECONDS, reporter=Console(), events=to)
    emit(context, kind, MigrationRecord(id=migration_id), message, status=status, reason=reason, remedy=remedy)
