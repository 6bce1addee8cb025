"""What an exported stack remembers of a run: outputs of the resource that ran it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from ocean_migration_pulumi.common.json_values import as_maps, as_text
from ocean_migration_pulumi.common.text import list_some
from ocean_migration_pulumi.common.times import parse_time
from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.health.baseline import HealthBaseline
from ocean_migration_pulumi.migration.state.migration_record import MigrationRecord
from ocean_migration_pulumi.migration.views.run_report import Moment, RunHealth, read_moments
from ocean_migration_pulumi.report.stack_export import read_resources

_OPTION: Final = "--stack"
_ROUNDED: Final = timedelta(seconds=2)
"""The service's clock is read from answers that tell whole seconds; what it creates has milliseconds."""


def read_exported_moments(text: str, migration_id: str) -> tuple[Moment, ...]:
    """Return what the export of a stack, as `pulumi stack export` prints it, remembers of a migration.

    Raises InputError when the text is no such export, or when no resource of it ran the migration.
    """
    known: list[str] = []
    for outputs in _outputs(text):
        runs = {str(run.get("id")): run.get("created_at") for run in as_maps(outputs.get("migrations"))}
        known += runs
        if migration_id not in runs:
            continue
        ids = list(runs)
        started = parse_time(as_text(runs[migration_id]))
        later = [parse_time(as_text(runs[each])) for each in ids[ids.index(migration_id) + 1 :]]
        until = next((moment - _ROUNDED for moment in later if moment is not None), None)
        noted = read_moments(as_maps(outputs.get("timeline")), until=until)
        return tuple(moment for moment in noted if started is None or moment.at >= started - _ROUNDED)
    there = f"its migrations are {list_some(known, 10)}" if known else "it ran no migration"
    raise InputError(_OPTION, f"does not contain {migration_id}: {there}")


def read_exported_health(text: str, migration_id: str) -> RunHealth | None:
    """Return what the export of a stack remembers of a migration's workloads; None when it has nothing about them.

    Raises InputError when the text is no such export.
    """
    return next((RunHealth.from_outputs(outputs, run) for outputs, run in _runs(text, migration_id)), None)


def read_exported_baseline(text: str, migration_id: str) -> HealthBaseline | None:
    """Return what the export of a stack remembers of a migration's workloads before it; None when it has no baseline.

    Raises InputError when the text is no such export, or when no resource of it ran the migration.
    """
    read_exported_moments(text, migration_id)
    found = [HealthBaseline.from_output(outputs.get("workload_baseline")) for outputs in _outputs(text)]
    return next((each for each in found if each is not None and each.migration_id == migration_id), None)


def read_exported_batch_size(text: str, migration_id: str) -> int | None:
    """Return the batch size in percent with which the stack of an export started a migration; None if it did not.

    Raises InputError when the text is no such export.
    """
    runs = _runs(text, migration_id)
    return next((MigrationRecord.from_output(run).batch_size_percentage for _, run in runs), None)


def _runs(text: str, migration_id: str) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Yield the outputs of resources that ran a migration, and its entry in them."""
    for outputs in _outputs(text):
        for run in as_maps(outputs.get("migrations")):
            if run.get("id") == migration_id:
                yield outputs, run


def _outputs(text: str) -> Iterator[Mapping[str, Any]]:
    for resource in read_resources(text, _OPTION):
        if isinstance(outputs := resource.get("outputs"), Mapping):
            yield outputs
