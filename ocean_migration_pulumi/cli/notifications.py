"""Notifications of a command: the events that the resource posts, from ``--notify``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from ocean_migration_pulumi.api.models.migration import MigrationStatus
from ocean_migration_pulumi.cli.console import Speaker
from ocean_migration_pulumi.cli.context import Reach
from ocean_migration_pulumi.cli.jobs import job_of
from ocean_migration_pulumi.migration.reconcile.events import Announce, Kind, to_nobody
from ocean_migration_pulumi.migration.spec.input_readers import endpoints
from ocean_migration_pulumi.migration.spec.spec import Wish
from ocean_migration_pulumi.migration.state.resource_state import Run
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
def notifying(urls: tuple[str, ...]) -> Iterator[Announce]:
    """Give who takes events for these URLs, and let what is under way still be delivered at the end.

    Raises InputError, without the URL, for one that cannot be used.
    """
    if not urls:
        yield to_nobody
        return
    speaker = Speaker()
    notifier = Notifier(endpoints("--notify", list(urls)), tell=speaker.warning)
    try:
        yield notifier.announce
    finally:
        notifier.drain()


def announce(
    reach: Reach,
    to: Announce,
    kind: Kind,
    migration_id: str,
    message: str,
    *,
    status: MigrationStatus | None,
    reason: str = "",
    remedy: str = "",
) -> None:
    """Announce what has happened to a migration that this command only looks at."""
    if to is to_nobody:
        return
    job = job_of(reach, Wish(ocean_id=reach.cluster_id), seconds=_SECONDS, speaker=Speaker(), announce=to)
    job.happened(kind, Run(id=migration_id), message, status=status, reason=reason, remedy=remedy)
