"""What the control API can do to the world and its troubles; the names are those of ``SimulatorControl``."""

from __future__ import annotations

from typing import Any

from ocean_migration_pulumi.testing.simulator.control.aws import AwsControls
from ocean_migration_pulumi.testing.simulator.kubernetes_api import deployments, selectors
from ocean_migration_pulumi.testing.simulator.server.request_log import SPOT
from ocean_migration_pulumi.testing.simulator.spot_api.wire import QUIRKS
from ocean_migration_pulumi.testing.simulator.world import instance_types, scenarios, seeding, state_machine
from ocean_migration_pulumi.testing.simulator.world.world import (
    PHASES,
    PendingPod,
    SimCluster,
    SimHeartbeat,
    SimMigration,
    SimNode,
    SimPod,
)


class Controls(AwsControls):
    """One method for each verb; keyword arguments are JSON, so is what it returns (an object as its attributes).

    A ``KeyError`` says that something does not exist, a ``ValueError`` what is wrong with an argument.
    """

    def overview(self) -> dict[str, Any]:
        """Return accounts, clusters, scenario and clock."""
        clusters = [
            {
                "id": cluster.id,
                "name": cluster.body["name"],
                "account_id": cluster.account_id,
                "heartbeat": cluster.heartbeat.status,
                "nodes": sum(not node.terminated for node in cluster.nodes.values()),
                "running_migrations": [migration.id for migration in cluster.running_migrations()],
            }
            for cluster in self._world.clusters.values()
        ]
        return {
            "scenario": self._world.scenario,
            "seed": self._world.seed,
            "accounts": self._world.accounts,
            "clusters": clusters,
            "quirks": {name: self._world.quirks.get(name, values[0]) for name, values in QUIRKS.items()},
            "clock": self._simulation.clock.to_plain(),
        }

    def environment(self) -> dict[str, str]:
        """Return token, account and first cluster as the variables that clients read."""
        return {
            "SPOTINST_TOKEN": self._world.tokens[-1] if self._world.tokens else "",
            "SPOTINST_ACCOUNT": self._world.accounts[0],
            "OCEAN_ID": self._simulation.ocean_id,
        }

    def requests(
        self, *, method: str | None = None, effective: bool | None = None, since: int = 0, api: str = SPOT
    ) -> list[dict[str, Any]]:
        """Return the request log of Spot's API, of Kubernetes' (``"kubernetes"``), or of both (``"all"``)."""
        return self._simulation.log.select(method=method, effective=effective, since=since, api=api)

    def clear_requests(self) -> None:
        """Forget the request log."""
        self._simulation.log.clear()

    def clock(self, *, speed: float | None = None, manual: bool | None = None) -> dict[str, Any]:
        """Change the clock, and return it."""
        self._simulation.clock.set(speed=speed, manual=manual)
        return self._simulation.clock.to_plain()

    def advance(self, *, seconds: float) -> dict[str, Any]:
        """Move the time forward by simulated seconds; what is due happens."""
        self._simulation.clock.advance(seconds)
        self._simulation.advance()
        return self._simulation.clock.to_plain()

    def add_account(self) -> str:
        """Add an account to the organization, younger than the others."""
        self._world.accounts.append(self._world.new_id("act-"))
        return self._world.accounts[-1]

    def forbid(self, *, account_id: str, forbidden: bool = True) -> None:
        """Take the permission for an account away, or give it back."""
        kept = [known for known in self._world.forbidden if known != account_id]
        self._world.forbidden = [*kept, account_id] if forbidden else kept

    def revoke_token(self, *, token: str) -> None:
        """Refuse a token from now on."""
        self._world.tokens = [known for known in self._world.tokens if known != token]

    def rotate_token(self) -> str:
        """Replace every token by a new one."""
        self._world.tokens = [self._world.new_id("", 64)]
        return self._world.tokens[0]

    def add_cluster(
        self, *, nodes: int = 16, name: str = "demo", account_id: str | None = None, scenario: str = "success"
    ) -> dict[str, Any]:
        """Add a cluster with nodes, groups and a living controller."""
        if scenario not in scenarios.SCENARIOS:
            raise ValueError(f"unknown scenario {scenario!r}")
        if account_id is not None and account_id not in self._world.accounts:
            raise KeyError(account_id)
        now = self._simulation.clock.now()
        cluster = seeding.add_cluster(self._world, now, nodes=nodes, name=name, account_id=account_id)
        scenarios.SCENARIOS[scenario](self._world, cluster, now)
        return {"id": cluster.id, "account_id": cluster.account_id, "groups": list(cluster.groups)}

    def connect(self, *, ocean_id: str, nodes: int | dict[str, int] = 16) -> list[dict[str, Any]]:
        """Let the controller of a cluster report, and return the nodes that the cluster had all the time."""
        cluster = self._cluster(ocean_id)
        if min((nodes,) if isinstance(nodes, int) else nodes.values(), default=0) < 0:
            raise ValueError("nodes must not be negative")
        known = set(cluster.nodes)
        seeding.connect(self._world, cluster, self._simulation.clock.now(), nodes)
        return [vars(node) for instance_id, node in cluster.nodes.items() if instance_id not in known]

    def delete_cluster(self, *, ocean_id: str) -> None:
        """Delete a cluster, as if somebody used the console."""
        del self._world.clusters[self._cluster(ocean_id).id]

    def heartbeat(self, *, ocean_id: str, status: str | None = "ACTIVE", age_seconds: float = 0) -> None:
        """Set the controller's sign of life; ACTIVE of age 0 goes on beating, status None was never installed."""
        cluster = self._cluster(ocean_id)
        if (status is None) != (cluster.heartbeat.status is None):
            installed = deployments.with_controller(cluster.deployments, installed=status is not None)
            cluster.deployments = installed
        beats = status == "ACTIVE" and age_seconds == 0
        frozen_at = None if beats else self._simulation.clock.now() - age_seconds
        cluster.heartbeat = SimHeartbeat(status=status, frozen_at=frozen_at)

    def quirk(self, *, name: str, value: str) -> None:
        """Choose a reading of what the service's documents leave open."""
        if value not in QUIRKS.get(name, ()):
            known = "; ".join(f"{known}: {', '.join(values)}" for known, values in QUIRKS.items())
            raise ValueError(f"no quirk {name}={value}: {known}")
        self._world.quirks[name] = value

    def nodes(self, *, ocean_id: str) -> list[dict[str, Any]]:
        """Return every node of a cluster, Ocean's own and terminated ones included."""
        return [vars(node) for node in self._cluster(ocean_id).nodes.values()]

    def add_node(
        self,
        *,
        ocean_id: str,
        asg_name: str | None,
        labels: dict[str, str] | None = None,
        taints: list[dict[str, str]] | None = None,
        pods: int | None = None,
        instance_id: str | None = None,
        ocean_managed: bool = False,
    ) -> dict[str, Any]:
        """Add a node; labels and taints default to those of its Auto Scaling Group, ``pods`` to 6."""
        cluster = self._cluster(ocean_id)
        if instance_id in cluster.nodes:
            raise ValueError(f"{instance_id} exists already")
        node = seeding.add_node(
            self._world,
            cluster,
            self._simulation.clock.now(),
            asg_name=asg_name,
            labels=labels,
            taints=taints,
            pods=6 if pods is None else pods,
            instance_id=instance_id,
        )
        node.ocean_managed = ocean_managed
        return vars(node)

    def remove_node(self, *, ocean_id: str, instance_id: str) -> None:
        """Remove a node with all its pods, as if it had never been there."""
        cluster = self._cluster(ocean_id)
        del cluster.nodes[self._node(cluster, instance_id).instance_id]

    def set_node(
        self,
        *,
        ocean_id: str,
        instance_id: str,
        labels: dict[str, str | None] | None = None,
        cordoned: bool | None = None,
        taints: list[dict[str, str]] | None = None,
        instance_type: str | None = None,
    ) -> dict[str, Any]:
        """Change a node's labels (None removes one), whether it is cordoned, all its taints, or its instance type."""
        node = self._node(self._cluster(ocean_id), instance_id)
        if instance_type is not None:
            node.instance_type = instance_type
            labels = {"node.kubernetes.io/instance-type": instance_type, **(labels or {})}
        for key, value in (labels or {}).items():
            node.labels.pop(key, None)
            if value is not None:
                node.labels[key] = value
        node.cordoned = node.cordoned if cordoned is None else cordoned
        node.taints = node.taints if taints is None else [dict(taint) for taint in taints]
        return vars(node)

    def add_pod(
        self,
        *,
        ocean_id: str,
        instance_id: str | None,
        name: str,
        namespace: str | None = None,
        labels: dict[str, str] | None = None,
        budget: str | None = None,
        **facts: Any,
    ) -> dict[str, Any]:
        """Add a pod to a node; without a node it is pending. An unschedulable one finds no new node once evicted.

        ``facts`` are the other fields of a pod. The namespace defaults to that of the budget, and the labels to those
        that the budget selects by.
        """
        cluster = self._cluster(ocean_id)
        home = "default" if budget is None else _namespace_of(budget)
        if budget is not None and namespace not in (None, home):
            raise ValueError(f"the budget {budget} holds no pods of the namespace {namespace}")
        selected = cluster.selectors.get(budget or "", {}).get("matchLabels") or {}
        pod = SimPod(
            id=self._world.new_id("", 32),
            name=name,
            namespace=namespace or home,
            labels={**selected, **(labels or {})},
            budget=budget,
            **facts,
        )
        if pod.phase not in PHASES:
            raise ValueError(f"unknown phase {pod.phase!r}: one of {', '.join(PHASES)}")
        instance_types.requested([pod])
        if instance_id is None:
            cluster.pending.append(PendingPod(pod=pod, since=self._simulation.clock.now()))
        else:
            node = self._node(cluster, instance_id)
            node.pods.append(pod)
            node.drained = False
        return vars(pod)

    def remove_pod(self, *, ocean_id: str, name: str, instance_id: str | None = None) -> None:
        """Remove a pod by name from a node, or from those that are pending."""
        cluster = self._cluster(ocean_id)
        if instance_id is None:
            pods = [pending.pod for pending in cluster.pending]
            cluster.pending = [pending for pending in cluster.pending if pending.pod.name != name]
        else:
            node = self._node(cluster, instance_id)
            pods = list(node.pods)
            node.pods = [pod for pod in node.pods if pod.name != name]
        if not any(pod.name == name for pod in pods):
            raise KeyError(name)

    def budget(self, *, ocean_id: str, name: str, minimum: int, selector: dict[str, Any] | None = None) -> None:
        """Set how many pods of a PodDisruptionBudget must stay healthy, and which it selects: a ``LabelSelector``.

        Without a selector a new budget holds the pods that were added with its name.
        """
        cluster = self._cluster(ocean_id)
        _namespace_of(name)
        if selector is not None:
            selectors.of_json(selector)
            cluster.selectors[name] = selector
        cluster.budgets[name] = minimum

    def refill(self, *, ocean_id: str, asg_name: str, refills: bool = True) -> None:
        """Let an Auto Scaling Group replace its terminated nodes, or not."""
        cluster = self._cluster(ocean_id)
        kept = [name for name in cluster.refilling if name != asg_name]
        cluster.refilling = [*kept, asg_name] if refills else kept

    def migrations(self, *, ocean_id: str) -> list[dict[str, Any]]:
        """Return every migration, the forgotten ones included, oldest first."""
        return [
            {**vars(migration), "terminal": migration.terminal, "batches": migration.batches}
            for migration in self._cluster(ocean_id).migrations.values()
        ]

    def start_foreign_migration(
        self,
        *,
        ocean_id: str,
        instance_ids: list[str],
        terminate: bool = False,
        evict: bool = False,
        force: bool = False,
        batch_size_percentage: int = 50,
    ) -> str:
        """Start a migration as if somebody used the console: it is not in the request log, and never refused."""
        cluster = self._cluster(ocean_id)
        for instance_id in instance_ids:
            self._node(cluster, instance_id)
        migration = state_machine.start(
            self._world,
            cluster,
            self._simulation.clock.now(),
            instance_ids,
            terminate=terminate,
            evict=evict,
            force=force,
            batch_size_percentage=batch_size_percentage,
            foreign=True,
        )
        return migration.id

    def stop_foreign(self, *, ocean_id: str, migration_id: str, terminate: bool = False) -> None:
        """Stop a migration as if somebody used the console."""
        cluster, migration = self._migration(ocean_id, migration_id)
        if migration.terminal or migration.state == "ERROR":
            raise ValueError(f"{migration_id} has ended")
        state_machine.stop(cluster, migration, self._simulation.clock.now(), terminate=terminate)

    def set_state(self, *, ocean_id: str, migration_id: str, state: str) -> None:
        """Put a migration into a state; one that is not of the 13 is only shown, until the next change."""
        cluster, migration = self._migration(ocean_id, migration_id)
        if state in state_machine.STATES:
            state_machine.enter(cluster, migration, state, self._simulation.clock.now())
        else:
            migration.shown_state = state

    def fail_migration(self, *, ocean_id: str, migration_id: str, reason: str = "connectivity") -> None:
        """Let a running migration fail now."""
        cluster, migration = self._migration(ocean_id, migration_id)
        if reason not in state_machine.FAILURE_MESSAGES:
            raise ValueError(f"unknown reason {reason!r}: one of {', '.join(state_machine.FAILURE_MESSAGES)}")
        if migration.terminal:
            raise ValueError(f"{migration_id} has ended")
        state_machine.fail(cluster, migration, reason, self._simulation.clock.now())

    def arm_failure(self, *, ocean_id: str, reason: str | None) -> None:
        """Let the next migration fail for a reason at its natural point; None disarms."""
        if reason is not None and reason not in state_machine.FAILURE_MESSAGES:
            raise ValueError(f"unknown reason {reason!r}: one of {', '.join(state_machine.FAILURE_MESSAGES)}")
        self._cluster(ocean_id).armed_failure = reason

    def hold(self, *, ocean_id: str, held: bool = True) -> None:
        """Freeze every migration of a cluster, stops included, or let them go on where they were."""
        state_machine.hold(self._cluster(ocean_id), self._simulation.clock.now(), held=held)

    def forget_migrations(self, *, ocean_id: str) -> None:
        """Drop the ended migrations from the history, as a service that keeps it for a while only."""
        for migration in self._cluster(ocean_id).migrations.values():
            migration.forgotten = migration.forgotten or migration.terminal

    def write_log(self, *, ocean_id: str, message: str, severity: str = "INFO", age_seconds: float = 0) -> None:
        """Write a line into a cluster's log."""
        self._cluster(ocean_id).write_log(self._simulation.clock.now() - age_seconds, severity, message)

    def fault(self, *, method: str, route: str, kind: str, **options: Any) -> int:
        """Arm a fault and return its id."""
        return self._simulation.troubles.add_fault(method, route, kind, **options)

    def clear_faults(self) -> None:
        """Disarm every fault."""
        self._simulation.troubles.clear_faults()

    def barrier(self, *, method: str, route: str, point: str = "before") -> int:
        """Raise a barrier and return its id."""
        return self._simulation.troubles.add_barrier(method, route, point)

    def release(self, *, barrier_id: int) -> None:
        """Take a barrier away."""
        self._simulation.troubles.release(barrier_id)

    def rate_limit(self, *, route_glob: str, method: str, limit: int, window_seconds: float = 60) -> None:
        """Limit the route templates that match a glob."""
        if limit < 0 or window_seconds <= 0:
            raise ValueError("limit must not be negative, window_seconds must be positive")
        self._simulation.limits.set(route_glob, method, limit, window_seconds)

    def clear_rate_limits(self) -> None:
        """Go back to no limit to speak of."""
        self._simulation.limits.clear()

    def latency(self, *, milliseconds: float) -> None:
        """Delay every request of the API by real milliseconds."""
        if milliseconds < 0:
            raise ValueError("latency must not be negative")
        self._simulation.latency = milliseconds / 1000

    def _node(self, cluster: SimCluster, instance_id: str) -> SimNode:
        return cluster.nodes[instance_id]

    def _migration(self, ocean_id: str, migration_id: str) -> tuple[SimCluster, SimMigration]:
        cluster = self._cluster(ocean_id)
        return cluster, cluster.migrations[migration_id]


def _namespace_of(budget: str) -> str:
    namespace, slash, name = budget.partition("/")
    if not (namespace and slash and name):
        raise ValueError(f"a budget is named namespace/name, not {budget!r}")
    return namespace
