"""The six calls of a workload migration, without HTTP."""

from __future__ import annotations

from ocean_migration_pulumi.testing.simulator.spot_api.context import RequestContext, Route
from ocean_migration_pulumi.testing.simulator.spot_api.validation import Field
from ocean_migration_pulumi.testing.simulator.spot_api.wire import (
    KIND_DISCOVERY,
    KIND_MIGRATION,
    SpotResponse,
    WireError,
    not_found,
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

# The error codes of these routes are published nowhere: the three below are this simulator's own.
CODE_MISSING = "MIGRATION_DOESNT_EXIST"
CODE_BUSY = "MIGRATION_ALREADY_RUNNING"
CODE_ENDED = "MIGRATION_ALREADY_ENDED"


def _migration(call: RequestContext, cluster: SimCluster) -> SimMigration:
    migration = cluster.migrations.get(call.path["migration_id"])
    if migration is None or migration.forgotten:
        raise not_found(CODE_MISSING, "Migration", call.path["migration_id"])
    return migration


def create(call: RequestContext) -> SpotResponse:
    """Start a migration of nodes that are not Ocean's own."""
    cluster = call.cluster()
    spec = call.body(_CREATE)["migration"]
    if call.present.quirk("concurrent_migrations") == "refuse" and (running := cluster.running_migrations()):
        raise WireError(f"Migration {running[0].id} is still running.", code=CODE_BUSY)
    instance_ids = list(dict.fromkeys(spec["instanceIds"]))
    for instance_id in instance_ids:
        node = cluster.nodes.get(instance_id)
        if node is None or node.terminated:
            raise not_found("INSTANCE_DOESNT_EXIST", "Instance", instance_id)
        if node.ocean_managed:
            raise WireError(f"Instance '{instance_id}' already belongs to Ocean.", code="CANT_MIGRATE_OCEAN_INSTANCE")
    migration = state_machine.start(
        call.world,
        cluster,
        call.now,
        instance_ids,
        terminate=spec["shouldTerminateDrainedNodes"],
        evict=spec["shouldEvictStandAlonePods"],
        force=spec["forcePodEvictionOnPdbFailure"],
        batch_size_percentage=spec["batchSizePercentage"],
    )
    return SpotResponse(kind=KIND_MIGRATION, items=[{"id": migration.id}], migration_id=migration.id, effective=True)


def list_all(call: RequestContext) -> SpotResponse:
    """List every migration of the cluster that is remembered, the newest first."""
    shown = [migration for migration in call.cluster().migrations.values() if not migration.forgotten]
    return SpotResponse(kind=KIND_MIGRATION, items=[call.present.summary(migration) for migration in reversed(shown)])


def status(call: RequestContext) -> SpotResponse:
    """Tell where a migration stands."""
    cluster = call.cluster()
    migration = _migration(call, cluster)
    return SpotResponse(kind=KIND_MIGRATION, items=[call.present.status(cluster, migration)], migration_id=migration.id)


def stop(call: RequestContext) -> SpotResponse:
    """Stop a migration; one that has ended or is failing is refused, one that is stopping is not."""
    cluster = call.cluster()
    migration = _migration(call, cluster)
    spec = call.body(_STOP)["migration"]
    if migration.terminal or migration.state == "ERROR":
        raise WireError(f"Migration {migration.id} has already ended.", code=CODE_ENDED)
    state_machine.stop(cluster, migration, call.now, terminate=spec.get("shouldTerminateDrainedNodes", False))
    item = {"id": migration.id, "oceanId": cluster.id, "state": "STOPPED"}
    return SpotResponse(kind=KIND_MIGRATION, items=[item], migration_id=migration.id)


def candidates(cluster: SimCluster, *, offer_migrating: bool) -> list[SimNode]:
    """Return the nodes that can be migrated.

    Not Ocean's own nodes, not those of a running migration, and not those that were drained and stay cordoned.
    """
    migrating: set[str] = set()
    if not offer_migrating:
        migrating.update(*(migration.instance_ids for migration in cluster.running_migrations()))
    return [
        node
        for node in cluster.nodes.values()
        if not (node.terminated or node.ocean_managed or node.instance_id in migrating)
        and not (node.drained and node.cordoned and not node.workload)
    ]


def discovery(call: RequestContext) -> SpotResponse:
    """Offer the nodes that can be migrated, each with the Virtual Node Group that takes it."""
    cluster = call.cluster()
    nodes = candidates(cluster, offer_migrating=call.present.quirk("offer_migrating") == "yes")
    items = call.present.discovery(cluster, nodes, with_pods=call.flag("shouldFetchPods"))
    return SpotResponse(kind=KIND_DISCOVERY, items=items)


ROUTES: list[Route] = [
    ("GET", "/ocean/aws/k8s/cluster/{ocean_id}/migration/discovery", discovery),
    ("POST", "/ocean/aws/k8s/cluster/{ocean_id}/migration", create),
    ("GET", "/ocean/aws/k8s/cluster/{ocean_id}/migration", list_all),
    ("GET", "/ocean/aws/k8s/cluster/{ocean_id}/migration/{migration_id}", status),
    ("PUT", "/ocean/aws/k8s/cluster/{ocean_id}/migration/{migration_id}", stop),
]
