"""The routes of workload migrations: discovery, start, list, status and stop."""

from __future__ import annotations

from ocean_migration_pulumi.testing.simulator.spot_api.context import RequestContext, Route
from ocean_migration_pulumi.testing.simulator.spot_api.validation import Field
from ocean_migration_pulumi.testing.simulator.spot_api.wire import (
    KIND_DISCOVERY,
    KIND_MIGRATION,
    SpotResponse,
    WireError,
    build_not_found_error,
)
from ocean_migration_pulumi.testing.simulator.world import state_machine
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster, SimMigration, SimNode

_CREATE = {
    "migration": Field(
        type="object",
        required=True,
        fields={
            "instanceIds": Field(type="array", required=True, minimum=1, items=Field(type="string")),
            "shouldTerminateDrainedNodes": Field(type="boolean", required=True),
            "shouldEvictStandAlonePods": Field(type="boolean", required=True),
            "forcePodEvictionOnPdbFailure": Field(type="boolean", required=True),
            "batchSizePercentage": Field(type="integer", required=True, minimum=1, maximum=50),
        },
    )
}
_STOP = {
    "migration": Field(
        type="object",
        required=True,
        fields={
            "state": Field(type="string", required=True, enum=("STOPPED",)),
            "shouldTerminateDrainedNodes": Field(type="boolean"),
        },
    )
}

# Spot does not publish the error codes of these routes: these three are invented.
CODE_MISSING = "MIGRATION_DOESNT_EXIST"
CODE_BUSY = "MIGRATION_ALREADY_RUNNING"
CODE_ENDED = "MIGRATION_ALREADY_ENDED"


def _find_migration(context: RequestContext, cluster: SimCluster) -> SimMigration:
    migration = cluster.migrations.get(context.path["migration_id"])
    if migration is None or migration.forgotten:
        raise build_not_found_error(CODE_MISSING, "Migration", context.path["migration_id"])
    return migration


def create_migration(context: RequestContext) -> SpotResponse:
    """Start a migration of old nodes."""
    cluster = context.get_cluster()
    spec = context.parse_body(_CREATE)["migration"]
    if context.presenter.get_quirk("concurrent_migrations") == "refuse" and (running := cluster.running_migrations()):
        raise WireError(f"Migration {running[0].id} is still running.", code=CODE_BUSY)
    instance_ids = list(dict.fromkeys(spec["instanceIds"]))
    for instance_id in instance_ids:
        node = cluster.nodes.get(instance_id)
        if node is None or node.terminated:
            raise build_not_found_error("INSTANCE_DOESNT_EXIST", "Instance", instance_id)
        if node.ocean_managed:
            raise WireError(f"Instance '{instance_id}' already belongs to Ocean.", code="CANT_MIGRATE_OCEAN_INSTANCE")
    migration = state_machine.start_migration(
        context.world,
        cluster,
        context.now,
        instance_ids,
        terminate=spec["shouldTerminateDrainedNodes"],
        evict=spec["shouldEvictStandAlonePods"],
        force=spec["forcePodEvictionOnPdbFailure"],
        batch_size_percentage=spec["batchSizePercentage"],
    )
    return SpotResponse(kind=KIND_MIGRATION, items=[{"id": migration.id}], migration_id=migration.id, effective=True)


def list_migrations(context: RequestContext) -> SpotResponse:
    """List the migrations of a cluster as they were before the lag, newest first."""
    at = context.now - context.presenter.get_lag("list_lag")
    shown = [
        migration
        for migration in reversed(context.get_cluster().migrations.values())
        if not migration.forgotten and migration.created_at <= at
    ]
    shown.sort(key=lambda migration: migration.created_at, reverse=True)
    return SpotResponse(
        kind=KIND_MIGRATION, items=[context.presenter.render_summary(migration, at) for migration in shown]
    )


def get_migration_status(context: RequestContext) -> SpotResponse:
    """Return the status of a migration."""
    cluster = context.get_cluster()
    migration = _find_migration(context, cluster)
    return SpotResponse(
        kind=KIND_MIGRATION, items=[context.presenter.render_status(cluster, migration)], migration_id=migration.id
    )


def stop_migration(context: RequestContext) -> SpotResponse:
    """Stop a running migration, which may be stopping already; one that has ended or is failing is refused."""
    cluster = context.get_cluster()
    migration = _find_migration(context, cluster)
    spec = context.parse_body(_STOP)["migration"]
    if migration.terminal or migration.state == "ERROR":
        raise WireError(f"Migration {migration.id} has already ended.", code=CODE_ENDED)
    state_machine.stop_migration(
        cluster, migration, context.now, terminate=spec.get("shouldTerminateDrainedNodes", False)
    )
    item = {"id": migration.id, "oceanId": cluster.id, "state": "STOPPED"}
    return SpotResponse(kind=KIND_MIGRATION, items=[item], migration_id=migration.id)


def find_candidates(cluster: SimCluster, *, offer_migrating: bool, ended_after: float = float("inf")) -> list[SimNode]:
    """Return the candidates: old nodes that are neither in a running migration nor drained and cordoned.

    A migration that has ended after ``ended_after`` counts as running.
    """
    migrating: set[str] = set()
    if not offer_migrating:
        lagging = (each for each in cluster.migrations.values() if each.terminal and each.entered_at > ended_after)
        migrating.update(*(migration.instance_ids for migration in (*cluster.running_migrations(), *lagging)))
    return [
        node
        for node in cluster.nodes.values()
        if not (node.terminated or node.ocean_managed or node.instance_id in migrating)
        and not (node.drained and node.cordoned and not node.workload)
    ]


def discover_nodes(context: RequestContext) -> SpotResponse:
    """List the candidates, each with its matching VNG."""
    cluster = context.get_cluster()
    nodes = find_candidates(
        cluster,
        offer_migrating=context.presenter.get_quirk("offer_migrating") == "yes",
        ended_after=context.now - context.presenter.get_lag("discovery_lag"),
    )
    items = context.presenter.render_discovery(cluster, nodes, with_pods=context.get_flag("shouldFetchPods"))
    return SpotResponse(kind=KIND_DISCOVERY, items=items)


ROUTES: list[Route] = [
    ("GET", "/ocean/aws/k8s/cluster/{ocean_id}/migration/discovery", discover_nodes),
    ("POST", "/ocean/aws/k8s/cluster/{ocean_id}/migration", create_migration),
    ("GET", "/ocean/aws/k8s/cluster/{ocean_id}/migration", list_migrations),
    ("GET", "/ocean/aws/k8s/cluster/{ocean_id}/migration/{migration_id}", get_migration_status),
    ("PUT", "/ocean/aws/k8s/cluster/{ocean_id}/migration/{migration_id}", stop_migration),
]
