"""Send the GETs that answer the questions: at most 15."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.models.migration import MigrationSummary
from ocean_migration_pulumi.api_check.questions import ABSENT_CLUSTER, ABSENT_MIGRATION
from ocean_migration_pulumi.common.times import sort_key
from ocean_migration_pulumi.errors import AuthenticationError, DeadlineError, OceanMigrationError, SettingsError

_DAYS: Final = timedelta(days=7)
_MONTH: Final = timedelta(days=30)
_WANTED: Final = ("FINISHED_ERROR", "STOPPED", "FINISHED")
_MOST_STATUSES: Final = 3


def send_probes(client: OceanClient, ocean_id: str) -> None:
    """Send the GETs; a refused one does not keep the others from being sent. The client's observers get the answers.

    Asks for the clusters of the account, the cluster, its Virtual Node Groups and its migrations, the status of at most
    three of those, discovery with pods and without, Ocean's nodes, the heartbeat, the log of 7 days and the errors of
    30, and for a migration and a cluster that do not exist.

    Raises:
        OceanMigrationError: When the cluster itself cannot be read.
        AuthenticationError: When the token is refused.
        SettingsError: When a setting cannot be used.
        DeadlineError: When the scope ends.
    """
    client.get_cluster(ocean_id)
    _try(client.list_clusters)
    _try(lambda: client.list_virtual_node_groups(ocean_id))
    listed: list[MigrationSummary] = []
    _try(lambda: listed.extend(client.list_migrations(ocean_id)))
    for summary in _chosen(listed):
        _ask_status(client, ocean_id, summary.id)
    _try(lambda: client.discover(ocean_id, fetch_pods=True))
    _try(lambda: client.discover(ocean_id, fetch_pods=False))
    _try(lambda: client.list_nodes(ocean_id))
    _try(lambda: client.get_heartbeat(ocean_id))
    now = client.server_now()
    _try(lambda: client.get_log(ocean_id, since=now - _DAYS, until=now))
    _try(lambda: client.get_log(ocean_id, since=now - _MONTH, until=now, severity="ERROR"))
    _ask_status(client, ocean_id, ABSENT_MIGRATION)
    _try(lambda: client.get_cluster(ABSENT_CLUSTER))


def _ask_status(client: OceanClient, ocean_id: str, migration_id: str) -> None:
    _try(lambda: client.get_migration(ocean_id, migration_id))


def _try(ask: Callable[[], object]) -> None:
    """Ask; what comes instead of an answer is an answer, too."""
    try:
        ask()
    except (AuthenticationError, SettingsError, DeadlineError):
        raise
    except OceanMigrationError:
        return


def _chosen(listed: list[MigrationSummary]) -> list[MigrationSummary]:
    """Return the migrations that tell the most: the newest that runs, that failed, was stopped, or finished."""
    newest = sorted(listed, key=lambda summary: sort_key(summary.created_at), reverse=True)
    chosen = [
        next((summary for summary in newest if not summary.is_terminal), None),
        *(next((summary for summary in newest if summary.state == state), None) for state in _WANTED),
    ]
    return [summary for summary in chosen if summary is not None][:_MOST_STATUSES]
