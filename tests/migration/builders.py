"""Small objects of the service's and the package's own, with what a test does not care about left out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ocean_migration_pulumi.api.models.cluster import VirtualNodeGroup
from ocean_migration_pulumi.api.models.migration import Candidate, MigrationInstance, MigrationStatus, PodDetail
from ocean_migration_pulumi.migration.snapshot.snapshot import ClusterSnapshot
from ocean_migration_pulumi.migration.spec.node_selector import NodeSelector
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec

VNG = "ols-1"
MANUAL = "REQUIRES_MANUAL_MIGRATION"


def candidate(instance_id: str, asg_name: str | None = "web", vng: str | None = VNG, pods: int | None = 6) -> Candidate:
    """Return a node that discovery offers."""
    return Candidate(
        instance_id=instance_id,
        node_name=f"node-{instance_id}",
        asg_name=asg_name,
        virtual_node_group_id=vng,
        running_pods=pods,
    )


def instance(instance_id: str, pods: int | None = 0, state: str = "RUNNING", **more: Any) -> MigrationInstance:
    """Return an instance of a migration, with the names that ``candidate`` gives."""
    more.setdefault("node_name", f"node-{instance_id}")
    more.setdefault("asg_name", "web")
    return MigrationInstance(instance_id=instance_id, running_pods=pods, state=state, **more)


def left_over(instance_id: str, *pods: str) -> MigrationInstance:
    """Return an instance with stand-alone pods that somebody has to move."""
    details = tuple(PodDetail(id=f"id-{pod}", name=pod, kind="STAND_ALONE_POD") for pod in pods)
    return replace(instance(instance_id, pods=len(pods), state=MANUAL), pods=details)


def status(
    *old: MigrationInstance | str, state: str = "DRAIN_NODES", id_: str = "owm-1", **more: Any
) -> MigrationStatus:
    """Return the status of a migration; an id alone stands for an instance with six pods. No flag is set."""
    more.setdefault("should_terminate_drained_nodes", False)
    more.setdefault("should_evict_stand_alone_pods", False)
    more.setdefault("created_at", "2026-01-02T03:04:05.000Z")
    instances = tuple(instance(node, pods=6) if isinstance(node, str) else node for node in old)
    return MigrationStatus(id=id_, state=state, old_instances=instances, **more)


def spec(**more: Any) -> MigrationSpec:
    """Return a spec for all nodes of the cluster ``o-1``, or for what is given."""
    more.setdefault("nodes", {"all_nodes": True})
    return MigrationSpec(ocean_id=more.pop("ocean_id", "o-1"), nodes=NodeSelector.parse(more.pop("nodes")), **more)


def snapshot(*offered: Candidate, recent: tuple[MigrationStatus, ...] = (), **names: str) -> ClusterSnapshot:
    """Return what is seen of a cluster."""
    vngs = {id_: VirtualNodeGroup(id=id_, name=name) for id_, name in {VNG: "web-vng", **names}.items()}
    return ClusterSnapshot(offered={node.instance_id: node for node in offered}, recent=recent, vngs=vngs)
