"""A migration of a flight record, as the commands that ask nobody read it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import click

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.models.migration import MigrationStatus
from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.snapshot.sources import DataSources
from ocean_migration_pulumi.migration.views.run_report import Moment

SOURCES: Final = DataSources(absent="a record tells nothing of Kubernetes")
"""Whom a record lets one ask."""

from_option: Final = click.option(
    "--from",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="RECORD",
    help="Read a record of exchanges (--record), and ask nobody.",
)
"""The option ``source``: a record in the place of the service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedMigration:
    """A migration that a record holds: its last status, all looks at it, and the moment up to which the record goes."""

    client: OceanClient
    ocean_id: str
    status: MigrationStatus
    moments: tuple[Moment, ...]
    now: datetime


@contextmanager
def open_recording(record: Path, migration: str | None) -> Iterator[RecordedMigration]:
    """Open a migration of a record; None is the one whose status was read last.

    Raises SettingsError for a file that is no record, and InputError for a migration that it does not hold.
    """
    from ocean_migration_pulumi.api.recording.replay_client import RecordedClient, read_record

    with RecordedClient(read_record(record)) as client:
        held = {name: client.statuses(*name) for name in client.migrations() if migration in {None, name[1]}}
        seen = {name: statuses for name, statuses in held.items() if statuses}
        if not seen:
            raise InputError("--from", f"{record} holds no status of {migration or 'a migration'}")
        (ocean_id, _), statuses = max(seen.items(), key=lambda item: item[1][-1][0])
        yield RecordedMigration(
            client=client,
            ocean_id=ocean_id,
            status=statuses[-1][1],
            moments=tuple(Moment.from_status(at, status) for at, status in statuses),
            now=statuses[-1][0],
        )
