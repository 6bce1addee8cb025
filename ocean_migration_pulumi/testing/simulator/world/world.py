"""What exists: accounts, clusters, Virtual Node Groups, nodes, pods and migrations, and their form as JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ocean_migration_pulumi.testing.simulator.kubernetes_api.deployments import SimDeployment, usual
from ocean_migration_pulumi.testing.simulator.world.auto_scaling import SimAutoScalingGroup, ensure

TERMINAL_STATES = frozenset({"FINISHED", "FINISHED_ERROR", "STOPPED"})
PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
NODE_ROLES = ("arn:aws:iam::123456789012:role/ocean-node", "arn:aws:iam::123456789012:role/eks-node")
"""The roles of Ocean's nodes and of the others, which the ConfigMap ``aws-auth`` maps unless told otherwise."""

_STAYING = frozenset({"DaemonSet", "Node"})
_FINISHED = frozenset({"Succeeded", "Failed"})


@dataclass(kw_only=True, eq=False)
class SimPod:
    """A pod; ``controller`` is None for a stand-alone pod, ``budget`` names its PodDisruptionBudget.

    ``controller`` Node is a static pod of the kubelet. The fields from ``node_selector`` on are only shown, as
    Kubernetes has them: whether the pod finds a new node is decided by ``unschedulable``. ``claim_zone`` gives it a
    volume that is in one zone; ``requests`` None is what pods usually ask for; ``orphaned`` says that its controller
    exists no more.
    """

    id: str
    name: str
    namespace: str = "default"
    controller: str | None = "ReplicaSet"
    labels: dict[str, str] = field(default_factory=dict)
    budget: str | None = None
    unschedulable: bool = False
    phase: str = "Running"
    ready: bool = True
    node_selector: dict[str, str] = field(default_factory=dict)
    affinity: dict[str, Any] | None = None
    tolerations: list[dict[str, Any]] = field(default_factory=list)
    annotations: dict[str, str] = field(default_factory=dict)
    empty_dir: bool = False
    claim_zone: str | None = None
    requests: dict[str, str] | None = None
    orphaned: bool = False

    @property
    def healthy(self) -> bool:
        """Whether a PodDisruptionBudget counts it."""
        return self.phase == "Running" and self.ready


@dataclass(kw_only=True, eq=False)
class SimNode:
    """An EC2 instance that is a Kubernetes node, in Ocean or not yet.

    ``told_match`` is which Virtual Node Group takes its pods, where somebody said so: an id, ``Default``, or empty for
    none. None is found from labels and taints.
    """

    instance_id: str
    node_name: str
    asg_name: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    taints: list[dict[str, str]] = field(default_factory=list)
    pods: list[SimPod] = field(default_factory=list)
    cordoned: bool = False
    drained: bool = False
    terminated: bool = False
    ocean_managed: bool = False
    virtual_node_group_id: str | None = None
    instance_type: str = "m5.large"
    zone: str = "us-west-2a"
    created_at: float = 0.0
    told_match: str | None = None

    @property
    def workload(self) -> list[SimPod]:
        """The pods that a drain has to move: not those of DaemonSets or the kubelet's own, and none that has ended."""
        return [pod for pod in self.pods if pod.controller not in _STAYING and pod.phase not in _FINISHED]


@dataclass(kw_only=True)
class PendingPod:
    """A pod without a node; ``migration_id`` is the migration that evicted it, None when none did."""

    pod: SimPod
    since: float
    migration_id: str | None = None


@dataclass(kw_only=True)
class SimMigration:
    """A migration and where it stands; times are simulated epoch seconds, None while they have not come."""

    id: str
    instance_ids: list[str]
    terminate: bool
    evict: bool
    force: bool
    batch_size_percentage: int
    batch_size: int
    created_at: float
    foreign: bool = False
    forgotten: bool = False
    state: str = "STARTING"
    shown_state: str | None = None
    entered_at: float = 0.0
    due_at: float | None = None
    batch: int = 0
    drain_started_at: float = 0.0
    failure: str | None = None
    drained: list[str] = field(default_factory=list)
    manual: list[str] = field(default_factory=list)
    new_instances: list[str] = field(default_factory=list)
    completed_at: float | None = None
    errored_at: float | None = None
    stopped_at: float | None = None
    stop_requested_at: float | None = None
    terminate_on_stop: bool = False
    drained_before_stop: bool = False

    @property
    def terminal(self) -> bool:
        """Whether the migration has ended."""
        return self.state in TERMINAL_STATES

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
    """A node that an Auto Scaling Group will start at ``due_at``, in place of a terminated one."""

    due_at: float
    asg_name: str
    labels: dict[str, str]
    taints: list[dict[str, str]]
    instance_type: str
    zone: str


@dataclass(kw_only=True)
class SimHeartbeat:
    """The controller's sign of life: beating now when ``frozen_at`` is None; ``status`` None: never installed."""

    status: str | None = "ACTIVE"
    frozen_at: float | None = None


@dataclass(kw_only=True)
class SimLogLine:
    """A line of a cluster's log."""

    message: str
    severity: str
    created_at: float
    resource_id: str | None = None


@dataclass(kw_only=True)
class SimCluster:
    """An Ocean cluster: its configuration as posted, and all that runs in it.

    ``budgets`` are the smallest numbers of healthy pods by ``namespace/name``; one without a selector in ``selectors``
    holds the pods that name it. ``mapped_roles`` None: there is no ConfigMap ``aws-auth``. ``forbidden_resources`` are
    those that Kubernetes keeps from everybody.
    """

    id: str
    account_id: str
    body: dict[str, Any]
    created_at: float
    updated_at: float
    heartbeat: SimHeartbeat = field(default_factory=SimHeartbeat)
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    nodes: dict[str, SimNode] = field(default_factory=dict)
    refilling: list[str] = field(default_factory=list)
    refills: list[Refill] = field(default_factory=list)
    budgets: dict[str, int] = field(default_factory=dict)
    selectors: dict[str, dict[str, Any]] = field(default_factory=dict)
    deployments: list[SimDeployment] = field(default_factory=list)
    mapped_roles: list[str] | None = field(default_factory=lambda: list(NODE_ROLES))
    forbidden_resources: list[str] = field(default_factory=list)
    pending: list[PendingPod] = field(default_factory=list)
    migrations: dict[str, SimMigration] = field(default_factory=dict)
    rolls: list[dict[str, Any]] = field(default_factory=list)
    log: list[SimLogLine] = field(default_factory=list)
    armed_failure: str | None = None
    stalls: bool = False
    held_since: float | None = None

    def write_log(self, now: float, severity: str, message: str, resource_id: str | None = None) -> None:
        """Append a line to the log."""
        self.log.append(SimLogLine(message=message, severity=severity, created_at=now, resource_id=resource_id))

    def running_migrations(self) -> list[SimMigration]:
        """Return the migrations that have not ended, oldest first."""
        return [migration for migration in self.migrations.values() if not migration.terminal]

    def living(self, instance_ids: list[str]) -> Iterator[SimNode]:
        """Yield those of the instances that still exist."""
        for instance_id in instance_ids:
            node = self.nodes.get(instance_id)
            if node is not None and not node.terminated:
                yield node


@dataclass(kw_only=True)
class World:
    """One organization: accounts oldest first, the tokens that are accepted, and every cluster.

    Its Auto Scaling Groups are in AWS: with or without a cluster, and for every account.
    """

    seed: int
    counter: int = 0
    node_counter: int = 0
    scenario: str = "success"
    accounts: list[str] = field(default_factory=list)
    forbidden: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    clusters: dict[str, SimCluster] = field(default_factory=dict)
    auto_scaling_groups: list[SimAutoScalingGroup] = field(default_factory=list)
    quirks: dict[str, str] = field(default_factory=dict)

    def new_id(self, prefix: str, length: int = 8) -> str:
        """Return an id that depends on the seed and on how many were asked for before."""
        self.counter += 1
        digest = hashlib.sha256(f"{self.seed}/{prefix}/{self.counter}".encode()).hexdigest()
        return f"{prefix}{digest[:length]}"

    def new_node_name(self) -> str:
        """Return the next node name, as EC2 forms it from the address."""
        self.node_counter += 1
        high, low = divmod(self.node_counter, 250)
        return f"ip-10-{high // 250}-{high % 250}-{low + 1}.us-west-2.compute.internal"

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> World:
        """Return the world that was saved as JSON (each object as its attributes)."""
        clusters = {key: _cluster(value) for key, value in plain["clusters"].items()}
        groups = [SimAutoScalingGroup(**value) for value in plain.get("auto_scaling_groups", ())]
        world = cls(**{**plain, "clusters": clusters, "auto_scaling_groups": groups})
        if "auto_scaling_groups" not in plain:
            world.ensure_groups()
        return world

    def ensure_groups(self) -> None:
        """Add the Auto Scaling Groups of all nodes that there are."""
        for cluster in self.clusters.values():
            for name in dict.fromkeys(node.asg_name for node in cluster.nodes.values() if node.asg_name):
                ensure(self.auto_scaling_groups, name, cluster.body["region"])


def tolerating(taints: Iterable[dict[str, str]]) -> list[dict[str, Any]]:
    """Return the tolerations of a pod that runs on a node with these taints."""
    return [{"key": taint["key"], "operator": "Equal", **_rest(taint)} for taint in taints]


def _rest(taint: dict[str, str]) -> dict[str, str]:
    return {name: taint[name] for name in ("value", "effect") if taint.get(name)}


def _pod(plain: dict[str, Any], taints: Iterable[dict[str, str]] = ()) -> SimPod:
    """Return a pod; what an older file does not say is made to fit: its node's taints, its budget's namespace."""
    if "tolerations" not in plain:
        budget = plain.get("budget")
        plain = {**plain, "tolerations": tolerating(taints)}
        plain["namespace"] = budget.partition("/")[0] if budget else plain["namespace"]
    return SimPod(**plain)


def _node(plain: dict[str, Any]) -> SimNode:
    return SimNode(**{**plain, "pods": [_pod(pod, plain["taints"]) for pod in plain["pods"]]})


def _cluster(plain: dict[str, Any]) -> SimCluster:
    heartbeat = SimHeartbeat(**plain["heartbeat"])
    deployments = (
        [SimDeployment(**value) for value in plain["deployments"]]
        if "deployments" in plain
        else usual(installed=heartbeat.status is not None)
    )
    return SimCluster(
        **{
            **plain,
            "heartbeat": heartbeat,
            "deployments": deployments,
            "nodes": {key: _node(value) for key, value in plain["nodes"].items()},
            "refills": [Refill(**value) for value in plain["refills"]],
            "pending": [PendingPod(**{**value, "pod": _pod(value["pod"])}) for value in plain["pending"]],
            "migrations": {key: SimMigration(**value) for key, value in plain["migrations"].items()},
            "log": [SimLogLine(**value) for value in plain["log"]],
        }
    )
