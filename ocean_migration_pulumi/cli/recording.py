"""The migration that a command is about: at the service, or in a record of exchanges."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import click

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.cli.context import CliContext, unknown_name
from ocean_migration_pulumi.migration.snapshot.sources import DataSources
from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode
from ocean_migration_pulumi.migration.views.run_report import Moment

from_option: Final = click.option(
    "--from",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="RECORD",
    help="Read a file of --record instead of Spot's API.",
)
"""The option ``source``: a record in the place of the service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedMigration:
    """A migration of the service or of a record, and where to ask about it."""

    client: OceanClient
    """The service, or a record in its place."""
    sources: DataSources
    """Kubernetes and AWS; a record has neither."""
    ocean_id: str
    """The cluster."""
    migration_id: str
    """The migration."""
    moments: tuple[Moment, ...] = ()
    """The statuses that the record has."""
    now: datetime | None = None
    """The end of the record, None for the service's present time."""


@contextmanager
def open_migration(context: CliContext, migration: str | None, record: Path | None) -> Iterator[SelectedMigration]:
    """Open the migration that a command is about.

    Args:
        context: How the command reaches the service.
        migration: Its id. None means the running or the newest one, or the one whose status was recorded last.
        record: A record to read in place of the service.

    Raises:
        SettingsError: When the file is not a record.
        InputError: When there is no such migration.
    """
    if record is None:
        ocean_id = context.cluster_id
        chosen = context.migration_id(migration)
        yield SelectedMigration(
            client=context.client, sources=context.sources(), ocean_id=ocean_id, migration_id=chosen
        )
        return
    from ocean_migration_pulumi.api.recording.replay_client import RecordedClient, read_record

    with RecordedClient(read_record(record)) as client:
        held = {name: client.statuses(*name) for name in client.migrations() if migration in {None, name[1]}}
        seen = {name: statuses for name, statuses in held.items() if statuses}
        if not seen:
            known = [name for _, name in client.migrations()]
            raise unknown_name(
                "--from", f"no status of {migration or 'a migration'} in {record}", migration or "", known
            )
        (ocean_id, migration_id), statuses = max(seen.items(), key=lambda item: item[1][-1][0])
        yield SelectedMigration(
            client=client,
            sources=DataSources(absent=Gap(GapCode.RECORDED), is_named=True),
            ocean_id=ocean_id,
            migration_id=migration_id,
            moments=tuple(Moment.from_reading(at, status) for at, status in statuses),
            now=statuses[-1][0],
        )
