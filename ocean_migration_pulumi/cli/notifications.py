"""The option ``--notify``: post events of a command as the resource posts them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from ocean_migration_pulumi.cli.console import Console
from ocean_migration_pulumi.migration.reconcile.events import EventSink, discard_event
from ocean_migration_pulumi.migration.spec.input_readers import read_endpoints
from ocean_migration_pulumi.resource.notifier import Notifier

notify_option: Final = click.option(
    "--notify",
    multiple=True,
    metavar="URL",
    help="Post start, end and problems to this URL, in Slack's format for Slack URLs. Repeatable.",
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
    notifier = Notifier(read_endpoints("--notify", list(urls) if len(urls) > 1 else urls[0]), tell=speaker.warning)
    try:
        yield notifier.announce
    finally:
        notifier.drain()
