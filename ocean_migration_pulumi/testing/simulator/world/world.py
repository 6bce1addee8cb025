"""The simulated organization: accounts, clusters, nodes and migrations.

The state file holds each object as its attributes: a renamed field makes older files unreadable.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ocean_migration_pulumi.testing.simulator.kubernetes_api.deployments import SimDeployment
from ocean_migration_pulumi.testing.simulator.world.auto_scaling import SimAutoScalingGroup, ensure_group
from ocean_migration_pulumi.testing.simulator.world.pods import PendingPod, SimPod, SimTrouble

TERMINAL_STATES = frozenset({"FINISHED", "FINISHED_ERROR", "STOPPED"})
NODE_ROLES = ("arn:aws:iam::123456789012:role/ocean-node", "arn:aws:iam::123456789012:role/eks-node")
"""The IAM roles of Ocean nodes and of the other nodes, which the ConfigMap ``aws-auth`` maps by default."""


@dataclass(kw_only=True, eq=False)
class SimNode:
    """An EC2 instance that is a Kubernetes node, an Ocean node or an old one."""

    instance_id: str
    """The EC2 instance id."""
    node_name: str
    """The name of the Kubernetes node."""
    asg_name: str | None = None
    """Its Auto Scaling Group, None for an Ocean node or a node outside of any group."""
    labels: dict[str, str] = field(default_factory=dict)
    """Its labels, without those that the kubelet always adds."""
    taints: list[dict[str, str]] = field(default_factory=list)
    """Its taints, without the one of a cordon."""
    pods: list[SimPod] = field(default_factory=list)
    """The pods on it."""
    cordoned: bool = False
    """Whether it is unschedulable."""
    drained: bool = False
    """Whether a migration has drained it."""
    drained_at: float | None = None
    """Simulated epoch seconds at which a migration had drained it, None before."""
    terminated: bool = False
    """Whether the instance is terminated."""
    terminated_at: float | None = None
    """Simulated epoch seconds of its termination, None before."""
    ocean_managed: bool = False
    """Whether it is an Ocean node."""
    virtual_node_group_id: str | None = None
    """The VNG of an Ocean node."""
    instance_type: str = "m5.large"
    """The EC2 instance type."""
    zone: str = "us-west-2a"
    """The availability zone."""
    created_at: float = 0.0
    """Simulated epoch seconds of its launch."""
    told_match: str | None = None
    """The VNG that discovery reports: an id, ``Default``, or empty for none; None matches by labels and taints."""

    @property
    def workload(self) -> list[SimPod]:
        """The pods that a drain evicts."""
        return [pod for pod in self.pods if pod.is_workload]


@dataclass(kw_only=True)
class SimMigration:
    """A migration and its progress; times are simulated epoch seconds, None while the event has not happened."""

    id: str
    """The id, ``owm-...``."""
    instance_ids: list[str]
    """The nodes, in the order of the batches."""
    terminate: bool
    """``shouldTerminateDrainedNodes``."""
    evict: bool
    """``shouldEvictStandAlonePods``."""
    force: bool
    """``forcePodEvictionOnPdbFailure``."""
    batch_size_percentage: int
    """``batchSizePercentage``."""
    batch_size: int
    """Nodes in a batch."""
    created_at: float
    """When it started."""
    foreign: bool = False
    """Whether somebody else started it, outside of the API."""
    forgotten: bool = False
    """Whether the service no longer lists it."""
    state: str = "STARTING"
    """Its state, one of the 13."""
    shown_state: str | None = None
    """A state that the API shows instead, until the next change of state; None shows ``state``."""
    entered_at: float = 0.0
    """When it entered the state."""
    history: list[tuple[float, str]] = field(default_factory=list)
    """When it entered which state, oldest first."""
    due_at: float | None = None
    """When the next step is due; None waits for ever."""
    batch: int = 0
    """The index of the current batch."""
    drain_started_at: float = 0.0
    """When the drain of the current batch started."""
    failure: str | None = None
    """The reason for which it will fail, None when it will not."""
    drained: list[str] = field(default_factory=list)
    """The nodes that are drained."""
    manual: list[str] = field(default_factory=list)
    """The nodes that require manual migration."""
    new_instances: list[str] = field(default_factory=list)
    """The Ocean nodes that were launched for it."""
    completed_at: float | None = None
    """When it finished."""
    errored_at: float | None = None
    """When it failed."""
    stopped_at: float | None = None
    """When it was stopped."""
    stop_requested_at: float | None = None
    """When the first stop was requested."""
    terminate_on_stop: bool = False
    """Whether the stop terminates the drained nodes."""
    drained_before_stop: bool = False
    """Whether a node was drained when the stop was requested."""

    @property
    def terminal(self) -> bool:
        """Whether the migration has ended."""
        return self.state in TERMINAL_STATES

    def find_state(self, at: float) -> str:
        """Return the state that it had at a time since its start."""
        states = [state for since, state in self.history if since <= at]
        return states[-1] if states else self.state

    @property
    def batches(self) -> int:
        """The number of batches."""
        return -(-len(self.instance_ids) // self.batch_size)

    @property
    def batch_ids(self) -> list[str]:
        """The instance ids of the current batch."""
        return self.instance_ids[self.batch * self.batch_size : (self.batch + 1) * self.batch_size]


@dataclass(kw_only=True)
class Refill:
    """A node that an Auto Scaling Group will launch to replace a terminated one."""

    due_at: float
    """Simulated epoch seconds of the launch."""
    asg_name: str
    """The Auto Scaling Group."""
    labels: dict[str, str]
    """Labels of the new node."""
    taints: list[dict[str, str]]
    """Taints of the new node."""
    instance_type: str
    """Instance type of the new node."""
    zone: str
    """Availability zone of the new node."""


@dataclass(kw_only=True)
class Termination:
    """An instance that AWS is about to terminate."""

    due_at: float
    """Simulated epoch seconds at which it is terminated."""
    instance_id: str
    """The instance."""
    replaced: bool = True
    """Whether its Auto Scaling Group may replace it."""


@dataclass(kw_only=True)
class SimHeartbeat:
    """The heartbeat of the Ocean controller."""

    status: str | None = "ACTIVE"
    """``ACTIVE`` or ``INACTIVE``; None when no controller was ever installed."""
    frozen_at: float | None = None
    """Simulated epoch seconds of the last heartbeat; None while the controller reports."""


@dataclass(kw_only=True)
class SimLogLine:
    """A line of a cluster's log."""

    message: str
    """The text."""
    severity: str
    """``INFO``, ``DEBUG``, ``WARN`` or ``ERROR``."""
    created_at: float
    """Simulated epoch seconds."""
    resource_id: str | None = None
    """The instance that the line is about, None for the whole cluster."""


@dataclass(kw_only=True)
class SimCluster:
    """An Ocean cluster and everything in it."""

    id: str
    """The id, ``o-...``."""
    account_id: str
    """The account that owns it."""
    body: dict[str, Any]
    """Its configuration as posted."""
    created_at: float
    """Simulated epoch seconds of its creation."""
    updated_at: float
    """Simulated epoch seconds of its last change."""
    heartbeat: SimHeartbeat = field(default_factory=SimHeartbeat)
    """The heartbeat of its controller."""
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Its VNGs as posted, with ``createdAt`` and ``updatedAt``, by id."""
    nodes: dict[str, SimNode] = field(default_factory=dict)
    """Its nodes by instance id, terminated ones included."""
    refilling: list[str] = field(default_factory=list)
    """The Auto Scaling Groups that replace terminated nodes."""
    refills: list[Refill] = field(default_factory=list)
    """The replacements that are due."""
    terminations: list[Termination] = field(default_factory=list)
    """The instances that AWS is about to terminate."""
    budgets: dict[str, int] = field(default_factory=dict)
    """The minimum of healthy pods of each PodDisruptionBudget, by ``namespace/name``."""
    selectors: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The ``LabelSelector`` of each budget; a budget without one selects the pods that name it."""
    deployments: list[SimDeployment] = field(default_factory=list)
    """Deployments whose pods are not simulated: Ocean's controller and autoscalers."""
    mapped_roles: list[str] | None = field(default_factory=lambda: list(NODE_ROLES))
    """The roles in the ConfigMap ``aws-auth``; None when there is no such ConfigMap."""
    forbidden_resources: list[str] = field(default_factory=list)
    """The Kubernetes resources that no identity may access."""
    pending: list[PendingPod] = field(default_factory=list)
    """The pods without a node."""
    troubles: list[SimTrouble] = field(default_factory=list)
    """What happens to pods that are started on a node; the first one that concerns a pod happens."""
    rolling: list[str] = field(default_factory=list)
    """The Deployments whose rollout is under way, as ``namespace/name``."""
    migrations: dict[str, SimMigration] = field(default_factory=dict)
    """Its migrations by id, oldest first."""
    rolls: list[dict[str, Any]] = field(default_factory=list)
    """Its rolls, oldest first."""
    log: list[SimLogLine] = field(default_factory=list)
    """Its log, oldest line first."""
    armed_failure: str | None = None
    """The reason for which the next migration will fail."""
    stalls: bool = False
    """Whether every migration stalls in its second batch."""
    held_since: float | None = None
    """Simulated epoch seconds since which its migrations are frozen, None while they are not."""

    def write_log(self, now: float, severity: str, message: str, resource_id: str | None = None) -> None:
        """Append a line to the log."""
        self.log.append(SimLogLine(message=message, severity=severity, created_at=now, resource_id=resource_id))

    def start_pod(self, pod: SimPod, node: SimNode, now: float) -> None:
        """Start a pod on a node."""
        node.pods.append(pod)
        pod.start(
            next((each for each in self.troubles if each.concerns(pod, ocean_node=node.ocean_managed)), None), now
        )

    def changing_pods(self) -> Iterator[SimPod]:
        """Yield the pods that will become ready, or crash, by themselves."""
        if self.troubles:
            for node in self.nodes.values():
                if not node.terminated:
                    yield from (pod for pod in node.pods if pod.changes_at is not None)

    def running_migrations(self) -> list[SimMigration]:
        """Return the migrations that have not ended, oldest first."""
        return [migration for migration in self.migrations.values() if not migration.terminal]

    def existing_nodes(self, instance_ids: list[str]) -> Iterator[SimNode]:
        """Yield those of the nodes that still exist."""
        for instance_id in instance_ids:
            node = self.nodes.get(instance_id)
            if node is not None and not node.terminated:
                yield node


@dataclass(kw_only=True)
class World:
    """One Spot organization, and the Auto Scaling Groups of its AWS account."""

    seed: int
    """The seed from which all ids and tokens follow."""
    counter: int = 0
    """How many ids were made."""
    node_counter: int = 0
    """How many node names were made."""
    scenario: str = "success"
    """The name of the scenario."""
    accounts: list[str] = field(default_factory=list)
    """The account ids, oldest first."""
    forbidden: list[str] = field(default_factory=list)
    """The accounts that the tokens have no permission for."""
    tokens: list[str] = field(default_factory=list)
    """The accepted tokens, oldest first."""
    clusters: dict[str, SimCluster] = field(default_factory=dict)
    """The clusters by id, oldest first."""
    auto_scaling_groups: list[SimAutoScalingGroup] = field(default_factory=list)
    """The Auto Scaling Groups, which exist with or without a cluster."""
    quirks: dict[str, str] = field(default_factory=dict)
    """The chosen variant of each quirk, where it is not the default."""

    def new_id(self, prefix: str, length: int = 8) -> str:
        """Return an id that depends on the seed and on the number of ids made before."""
        self.counter += 1
        digest = hashlib.sha256(f"{self.seed}/{prefix}/{self.counter}".encode()).hexdigest()
        return f"{prefix}{digest[:length]}"

    def new_node_name(self) -> str:
        """Return the next node name, in the form of an EC2 private DNS name."""
        self.node_counter += 1
        high, low = divmod(self.node_counter, 250)
        return f"ip-10-{high // 250}-{high % 250}-{low + 1}.us-west-2.compute.internal"

    def ensure_auto_scaling_groups(self) -> None:
        """Add the Auto Scaling Group of every node, where it is missing."""
        for cluster in self.clusters.values():
            for name in dict.fromkeys(node.asg_name for node in cluster.nodes.values() if node.asg_name):
                ensure_group(self.auto_scaling_groups, name, cluster.body["region"])
