"""Functions for programs: candidates, migrations, nodes and log of a cluster, as Spot returns them.

A function runs when the program calls it, with the settings of the stack. Its variant that ends in ``_output`` accepts
Outputs, and sends nothing in a preview in which they are unknown. All functions send only GET requests, take at most
30 seconds, and raise an OceanMigrationError.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pulumi import Input, Output

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.host import one_line_errors
from ocean_migration_pulumi.inputs import NodeSelectorArgs, NodeSelectorArgsDict
from ocean_migration_pulumi.migration.diagnosis import log_query
from ocean_migration_pulumi.migration.spec import input_readers
from ocean_migration_pulumi.migration.spec.node_selector import NodeSelector, select_nodes
from ocean_migration_pulumi.resource.session import CONFIG_KEYS
from ocean_migration_pulumi.resource.stack_config import check_stack_config, stack_config
from ocean_migration_pulumi.results import ClusterLog, ClusterNodes, Migration, MigrationCandidates, Migrations

if TYPE_CHECKING:
    from ocean_migration_pulumi.api.client import OceanClient

R = TypeVar("R")

BUDGET: Final = 30.0
"""Maximum duration of a function in seconds."""


@one_line_errors
def get_migration_candidates(
    ocean_id: str,
    *,
    nodes: NodeSelectorArgs | NodeSelectorArgsDict | None = None,
    account_id: str | None = None,
) -> MigrationCandidates:
    """Return the nodes that can be migrated into Ocean.

    Args:
        ocean_id: The Ocean cluster, ``o-...``.
        nodes: Selects nodes, as for OceanWorkloadMigration but without ``label_selector``. None means all.
        account_id: The Spot account; None means the account of the settings.

    Raises:
        InputError: The selector needs access to Kubernetes.
    """
    cluster = _text("ocean_id", ocean_id)
    selector = None if nodes is None else _selector(nodes)
    with open_service(account_id) as service:
        found = sorted(service.discover(cluster), key=lambda node: node.instance_id)
        names = {vng.id: vng.name for vng in service.list_virtual_node_groups(cluster)}
    chosen = found if selector is None else select_nodes(selector, found).taken
    taken = {node.instance_id for node in chosen}
    return MigrationCandidates.from_discovery(cluster, (node for node in found if node.instance_id in taken), names)


@one_line_errors
def get_migration_candidates_output(
    ocean_id: Input[str],
    *,
    nodes: Input[NodeSelectorArgs | NodeSelectorArgsDict] | None = None,
    account_id: Input[str] | None = None,
) -> Output[MigrationCandidates]:
    """Return the nodes that can be migrated into Ocean, once the arguments are known."""
    return _later(get_migration_candidates, ocean_id=ocean_id, nodes=nodes, account_id=account_id)


@one_line_errors
def get_migrations(ocean_id: str, *, account_id: str | None = None) -> Migrations:
    """Return the cluster's migrations, running and ended ones.

    Args:
        ocean_id: The Ocean cluster, ``o-...``.
        account_id: The Spot account; None means the account of the settings.
    """
    cluster = _text("ocean_id", ocean_id)
    with open_service(account_id) as service:
        found = service.list_migrations(cluster)
    return Migrations.from_list(cluster, found)


@one_line_errors
def get_migrations_output(ocean_id: Input[str], *, account_id: Input[str] | None = None) -> Output[Migrations]:
    """Return the cluster's migrations, once the arguments are known."""
    return _later(get_migrations, ocean_id=ocean_id, account_id=account_id)


@one_line_errors
def get_migration(ocean_id: str, migration_id: str, *, account_id: str | None = None) -> Migration:
    """Return the current state of one migration.

    Args:
        ocean_id: The Ocean cluster, ``o-...``.
        migration_id: The migration, ``owm-...``, such as the output ``migration_id`` of OceanWorkloadMigration.
        account_id: The Spot account; None means the account of the settings.

    Raises:
        MigrationNotFoundError: Spot does not list the migration, or no longer lists it.
    """
    cluster, wanted = _text("ocean_id", ocean_id), _text("migration_id", migration_id)
    with open_service(account_id) as service:
        found = service.get_migration(cluster, wanted)
    return Migration.from_status(cluster, found)


@one_line_errors
def get_migration_output(
    ocean_id: Input[str], migration_id: Input[str], *, account_id: Input[str] | None = None
) -> Output[Migration]:
    """Return the current state of one migration, once the arguments are known."""
    return _later(get_migration, ocean_id=ocean_id, migration_id=migration_id, account_id=account_id)


@one_line_errors
def get_cluster_nodes(
    ocean_id: str, *, virtual_node_group_id: str | None = None, account_id: str | None = None
) -> ClusterNodes:
    """Return the nodes that Ocean runs in the cluster.

    Args:
        ocean_id: The Ocean cluster, ``o-...``.
        virtual_node_group_id: Virtual Node Group of the nodes, ``ols-...``. None means all.
        account_id: The Spot account; None means the account of the settings.
    """
    cluster, vng = _text("ocean_id", ocean_id), _optional("virtual_node_group_id", virtual_node_group_id)
    with open_service(account_id) as service:
        found = service.list_nodes(cluster, virtual_node_group_id=vng)
    return ClusterNodes.from_nodes(cluster, found)


@one_line_errors
def get_cluster_nodes_output(
    ocean_id: Input[str],
    *,
    virtual_node_group_id: Input[str] | None = None,
    account_id: Input[str] | None = None,
) -> Output[ClusterNodes]:
    """Return the nodes that Ocean runs in the cluster, once the arguments are known."""
    return _later(
        get_cluster_nodes, ocean_id=ocean_id, virtual_node_group_id=virtual_node_group_id, account_id=account_id
    )


@one_line_errors
def get_cluster_log(
    ocean_id: str,
    *,
    since: str = "24h",
    until: str | None = None,
    severity: str = "ALL",
    limit: int = 500,
    account_id: str | None = None,
) -> ClusterLog:
    """Return a part of the cluster's log.

    Args:
        ocean_id: The Ocean cluster, ``o-...``.
        since: Start: a duration before now such as ``"24h"``, or ``"2024-05-01T12:00:00Z"``.
        until: End, in the same formats. None means now.
        severity: ``"ALL"``, ``"INFO"``, ``"DEBUG"``, ``"WARN"`` or ``"ERROR"``.
        limit: Maximum number of lines, 1 to 1000.
        account_id: The Spot account; None means the account of the settings.
    """
    cluster, now = _text("ocean_id", ocean_id), datetime.now(UTC)
    start, end = log_query.read_log_period(_known("since", since), _known("until", until), now)
    wanted = input_readers.read_choice("severity", _known("severity", severity), log_query.SEVERITIES)
    most = input_readers.read_whole_number("limit", _known("limit", limit), 1, log_query.MAX_LINES)
    with open_service(account_id) as service:
        found = service.get_log(cluster, since=start, until=end, severity=wanted, limit=most)
    return ClusterLog.from_log(cluster, found)


@one_line_errors
def get_cluster_log_output(
    ocean_id: Input[str],
    *,
    since: Input[str] = "24h",
    until: Input[str] | None = None,
    severity: Input[str] = "ALL",
    limit: Input[int] = 500,
    account_id: Input[str] | None = None,
) -> Output[ClusterLog]:
    """Return a part of the cluster's log, once the arguments are known."""
    return _later(
        get_cluster_log,
        ocean_id=ocean_id,
        since=since,
        until=until,
        severity=severity,
        limit=limit,
        account_id=account_id,
    )


def _later(function: Callable[..., R], **arguments: Any) -> Output[R]:
    # Refuse it at once, not when the Outputs are known: with a new cluster that may take minutes.
    check_stack_config()
    return Output.all(**arguments).apply(lambda known: function(**known))


@contextmanager
def open_service(account_id: str | None) -> Iterator[OceanClient]:
    """Open a client with the settings of the stack for one call."""
    # Imported late: they bring httpx, which a program without functions does not need.
    from ocean_migration_pulumi.api.client import OceanClient
    from ocean_migration_pulumi.api.settings import Settings

    settings = Settings.load(stack_config(CONFIG_KEYS), os.environ, account_id=_optional("account_id", account_id))
    with OceanClient(settings, base_scope=CancelScope(short=True).at_most(BUDGET)) as client:
        yield client


def _selector(nodes: NodeSelectorArgs | NodeSelectorArgsDict) -> NodeSelector:
    selector = NodeSelector.parse(_plain("nodes", nodes))
    if selector.label_selectors:
        part = "nodes.label_selector" if selector.label_selector is not None else "nodes.exclude.label_selector"
        raise InputError(part, "needs access to Kubernetes, which functions do not have; use other fields")
    return selector


def _plain(name: str, value: Any) -> Any:
    """Return a selector as dictionaries and lists."""
    known = _known(name, value)
    if isinstance(known, NodeSelectorArgs):
        known = vars(known)
    if isinstance(known, Mapping):
        return {key: _plain(f"{name}.{key}", item) for key, item in known.items()}
    return [_plain(name, item) for item in known] if isinstance(known, (list, tuple)) else known


def _known(name: str, value: Any) -> Any:
    if isinstance(value, Output):
        raise InputError(
            name, ("is an Output, whose value is not known yet; use the variant of the function that ends in `_output`")
        )
    return value


def _text(name: str, value: Any) -> str:
    return input_readers.read_text(name, _known(name, value))


def _optional(name: str, value: Any) -> str | None:
    return None if value is None else _text(name, value)
