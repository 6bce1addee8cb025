"""The client of the control API, which needs the standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ocean_migration_pulumi.testing.simulator.control.channel import TIMEOUT_SECONDS, ControlChannel


class Barrier:
    """A barrier that holds requests in the simulator; as a context manager it releases them at the end."""

    def __init__(self, control: SimulatorControl, barrier_id: int) -> None:
        self._control = control
        self._id = barrier_id

    def wait(self, timeout: float = 10.0) -> bool:
        """Wait for a request to reach the barrier, at most ``timeout`` real seconds; return whether one did."""
        return bool(self._control.get(f"barrier/{self._id}?timeout={timeout}", timeout=timeout + TIMEOUT_SECONDS))

    def release(self) -> None:
        """Remove the barrier, and release the requests that it holds."""
        self._control.call("release", barrier_id=self._id)

    def __enter__(self) -> Barrier:
        return self

    def __exit__(self, *error: object) -> None:
        self.release()


class SimulatorControl(ControlChannel):
    """Controls a simulator.

    Seconds are simulated unless stated otherwise. The ``route`` of faults and barriers is a glob over the path, such as
    ``"*/migration"``, and ``method`` may be ``"*"``. Every method raises ``ControlError`` for arguments that the
    simulator refuses.

    Args:
        url: The base URL of the simulator.
    """

    def overview(self) -> dict[str, Any]:
        """Return accounts, clusters, scenario, seed, quirks and clock."""
        result: dict[str, Any] = self.call("overview")
        return result

    def requests(
        self, *, method: str | None = None, effective: bool | None = None, since: int = 0, api: str = "spot"
    ) -> list[dict[str, Any]]:
        """Return the request log, with tokens redacted.

        Args:
            method: The HTTP method, None for all.
            effective: Whether the request had an effect: a POST that started a migration, or an eviction of a pod that
                was no dry run. None for all.
            since: The number ``n`` of an entry; returns the entries after it.
            api: ``"spot"``, ``"kubernetes"``, or ``"all"``.

        Returns:
            Entries, oldest first. ``at`` is when the request came, in real epoch seconds, and ``now`` when it had its
            effect, in simulated ones: None where it had none. ``status`` is None where the simulator sent no
            response and the request had no effect.
        """
        result: list[dict[str, Any]] = self.call("requests", method=method, effective=effective, since=since, api=api)
        return result

    def clear_requests(self) -> None:
        """Clear the request log; the numbers of entries continue."""
        self.call("clear_requests")

    def clock(self, *, speed: float | None = None, manual: bool | None = None) -> dict[str, Any]:
        """Change the clock and return it.

        Args:
            speed: Simulated seconds per real second, None to keep it.
            manual: Whether the time moves by ``advance`` only, None to keep it.

        Returns:
            ``now`` in simulated epoch seconds, ``speed``, and ``manual``.
        """
        result: dict[str, Any] = self.call("clock", speed=speed, manual=manual)
        return result

    def advance(self, seconds: float) -> dict[str, Any]:
        """Move the time forward by simulated seconds, and return the clock."""
        result: dict[str, Any] = self.call("advance", seconds=seconds)
        return result

    def nodes(self, ocean_id: str) -> list[dict[str, Any]]:
        """Return every node of a cluster, Ocean nodes and terminated ones included."""
        result: list[dict[str, Any]] = self.call("nodes", ocean_id=ocean_id)
        return result

    def add_node(
        self,
        ocean_id: str,
        asg_name: str | None,
        *,
        labels: dict[str, str] | None = None,
        taints: list[dict[str, str]] | None = None,
        pods: int | None = None,
        instance_id: str | None = None,
        ocean_managed: bool = False,
    ) -> dict[str, Any]:
        """Add a node and return it.

        Args:
            ocean_id: The cluster.
            asg_name: The Auto Scaling Group, None for a node outside of any group.
            labels: The labels, None for those of the group.
            taints: The taints, None for those of the group.
            pods: The number of pods on the node, None for 6.
            instance_id: The EC2 instance id, None for a new one.
            ocean_managed: Whether it is an Ocean node.
        """
        result: dict[str, Any] = self.call(
            "add_node",
            ocean_id=ocean_id,
            asg_name=asg_name,
            labels=labels,
            taints=taints,
            pods=pods,
            instance_id=instance_id,
            ocean_managed=ocean_managed,
        )
        return result

    def remove_node(self, ocean_id: str, instance_id: str) -> None:
        """Remove a node with all its pods."""
        self.call("remove_node", ocean_id=ocean_id, instance_id=instance_id)

    def terminate_node(
        self, ocean_id: str, instance_id: str, *, notice_seconds: float = 0, replaced: bool = True
    ) -> None:
        """Let AWS terminate an instance; controllers recreate its pods on other nodes.

        Args:
            ocean_id: The cluster.
            instance_id: The node.
            notice_seconds: Seconds from now on during which it is cordoned: 120 for a spot interruption.
            replaced: Whether an Auto Scaling Group that refills replaces it; False for a scale-in.
        """
        self.call(
            "terminate_node",
            ocean_id=ocean_id,
            instance_id=instance_id,
            notice_seconds=notice_seconds,
            replaced=replaced,
        )

    def set_node(
        self,
        ocean_id: str,
        instance_id: str,
        *,
        labels: dict[str, str | None] | None = None,
        cordoned: bool | None = None,
        taints: list[dict[str, str]] | None = None,
        instance_type: str | None = None,
    ) -> dict[str, Any]:
        """Change a node and return it; None keeps a value.

        Args:
            ocean_id: The cluster.
            instance_id: The node.
            labels: Labels to change; a value of None removes the label.
            cordoned: Whether the node is cordoned.
            taints: All taints of the node.
            instance_type: The EC2 instance type.
        """
        result: dict[str, Any] = self.call(
            "set_node",
            ocean_id=ocean_id,
            instance_id=instance_id,
            labels=labels,
            cordoned=cordoned,
            taints=taints,
            instance_type=instance_type,
        )
        return result

    def add_pod(
        self,
        ocean_id: str,
        instance_id: str | None,
        *,
        name: str,
        controller: str | None = "ReplicaSet",
        namespace: str | None = None,
        labels: dict[str, str] | None = None,
        budget: str | None = None,
        unschedulable: bool = False,
        node_selector: dict[str, str] | None = None,
        affinity: dict[str, Any] | None = None,
        tolerations: list[dict[str, Any]] | None = None,
        annotations: dict[str, str] | None = None,
        empty_dir: bool = False,
        claim_zone: str | None = None,
        requests: dict[str, str] | None = None,
        phase: str = "Running",
        ready: bool = True,
        orphaned: bool = False,
    ) -> dict[str, Any]:
        """Add a pod and return it.

        The arguments from ``node_selector`` to ``requests`` only appear in the Kubernetes API, in its format.

        Args:
            ocean_id: The cluster.
            instance_id: The node, None for a pending pod.
            name: The name of the pod.
            controller: The kind of its controller; None for a standalone pod, ``"Node"`` for a static pod.
            namespace: Its namespace, None for that of the budget, else ``default``.
            labels: Its labels, added to those that the selector of the budget requires.
            budget: ``namespace/name`` of the PodDisruptionBudget that selects it.
            unschedulable: Whether the pod finds no new node once it is evicted.
            node_selector: ``spec.nodeSelector``.
            affinity: ``spec.affinity``.
            tolerations: ``spec.tolerations``.
            annotations: Its annotations.
            empty_dir: Whether it has an ``emptyDir`` volume.
            claim_zone: The availability zone of its PersistentVolume, None for a pod without one.
            requests: Its resource requests, such as ``{"cpu": "500m"}``.
            phase: ``Pending``, ``Running``, ``Succeeded``, ``Failed`` or ``Unknown``.
            ready: Whether its containers are ready.
            orphaned: Whether its controller no longer exists.
        """
        fields = {"node_selector": node_selector, "tolerations": tolerations, "annotations": annotations}
        result: dict[str, Any] = self.call(
            "add_pod",
            ocean_id=ocean_id,
            instance_id=instance_id,
            name=name,
            controller=controller,
            namespace=namespace,
            labels=labels,
            budget=budget,
            unschedulable=unschedulable,
            affinity=affinity,
            empty_dir=empty_dir,
            claim_zone=claim_zone,
            requests=requests,
            phase=phase,
            ready=ready,
            orphaned=orphaned,
            **{field: value for field, value in fields.items() if value is not None},
        )
        return result

    def remove_pod(self, ocean_id: str, name: str, *, instance_id: str | None = None) -> None:
        """Remove a pod from a node, or a pending pod (``instance_id`` None)."""
        self.call("remove_pod", ocean_id=ocean_id, name=name, instance_id=instance_id)

    def budget(self, ocean_id: str, name: str, minimum: int, *, selector: dict[str, Any] | None = None) -> None:
        """Add or change a PodDisruptionBudget.

        Args:
            ocean_id: The cluster.
            name: ``namespace/name`` of the budget.
            minimum: The number of pods that must stay healthy.
            selector: A ``LabelSelector``; None keeps the selector. A new budget without one selects the pods that were
                added with its name.
        """
        self.call("budget", ocean_id=ocean_id, name=name, minimum=minimum, selector=selector)

    def refill(self, ocean_id: str, asg_name: str, *, refills: bool = True) -> None:
        """Let an Auto Scaling Group replace terminated nodes after a simulated minute, or not."""
        self.call("refill", ocean_id=ocean_id, asg_name=asg_name, refills=refills)

    def migrations(self, ocean_id: str) -> list[dict[str, Any]]:
        """Return every migration of a cluster, oldest first, with fields that the API does not have."""
        result: list[dict[str, Any]] = self.call("migrations", ocean_id=ocean_id)
        return result

    def start_foreign_migration(self, ocean_id: str, instance_ids: list[str], **flags: Any) -> str:
        """Start a migration as another user would in the console, and return its id.

        Args:
            ocean_id: The cluster.
            instance_ids: The nodes.
            **flags: ``terminate``, ``evict``, ``force`` (False by default) and ``batch_size_percentage`` (50).
        """
        return str(self.call("start_foreign_migration", ocean_id=ocean_id, instance_ids=instance_ids, **flags))

    def add_ended_migrations(
        self, ocean_id: str, count: int = 25, *, state: str = "FINISHED", age_seconds: float = 60
    ) -> list[str]:
        """Add other users' migrations that ended seconds ago, of nodes that exist no more; return their ids."""
        ids: list[str] = self.call(
            "add_ended_migrations", ocean_id=ocean_id, count=count, state=state, age_seconds=age_seconds
        )
        return ids

    def stop_foreign(self, ocean_id: str, migration_id: str, *, terminate: bool = False) -> None:
        """Stop a migration as another user would in the console; ``terminate`` terminates its drained nodes."""
        self.call("stop_foreign", ocean_id=ocean_id, migration_id=migration_id, terminate=terminate)

    def set_state(self, ocean_id: str, migration_id: str, state: str) -> None:
        """Put a migration into a state; an unknown state is only shown, until the next change of state."""
        self.call("set_state", ocean_id=ocean_id, migration_id=migration_id, state=state)

    def fail_migration(self, ocean_id: str, migration_id: str, reason: str = "connectivity") -> None:
        """Fail a running migration now, for the reason in the name of a ``failure-...`` scenario."""
        self.call("fail_migration", ocean_id=ocean_id, migration_id=migration_id, reason=reason)

    def arm_failure(self, ocean_id: str, reason: str | None) -> None:
        """Let the next migration fail for a reason, at the point where that failure occurs; None disarms."""
        self.call("arm_failure", ocean_id=ocean_id, reason=reason)

    def hold(self, ocean_id: str, held: bool = True) -> None:
        """Freeze every migration of a cluster, running stops included, or continue them where they were."""
        self.call("hold", ocean_id=ocean_id, held=held)

    def forget_migrations(self, ocean_id: str) -> None:
        """Remove the ended migrations from the API, as a service with a limited history does."""
        self.call("forget_migrations", ocean_id=ocean_id)

    def write_log(self, ocean_id: str, message: str, *, severity: str = "INFO", age_seconds: float = 0) -> None:
        """Append a line to the log of a cluster, dated simulated seconds ago."""
        self.call("write_log", ocean_id=ocean_id, message=message, severity=severity, age_seconds=age_seconds)

    def heartbeat(self, ocean_id: str, *, status: str | None = "ACTIVE", age_seconds: float = 0) -> None:
        """Set the heartbeat of the controller.

        Args:
            ocean_id: The cluster.
            status: ``ACTIVE`` or ``INACTIVE``; None uninstalls the controller.
            age_seconds: Simulated seconds since the last heartbeat. An ``ACTIVE`` controller with an age of 0 continues
                to report.
        """
        self.call("heartbeat", ocean_id=ocean_id, status=status, age_seconds=age_seconds)

    def add_cluster(self, nodes: int = 16, **options: Any) -> dict[str, Any]:
        """Add a cluster and return its ``id``, ``account_id`` and ``groups`` (the ids of its VNGs).

        Args:
            nodes: The number of old nodes.
            **options: ``name`` (``demo`` by default), ``account_id`` (the oldest one) and ``scenario`` (``success``).
        """
        result: dict[str, Any] = self.call("add_cluster", nodes=nodes, **options)
        return result

    def connect(self, ocean_id: str, nodes: int | Mapping[str, int] = 16) -> list[dict[str, Any]]:
        """Install the controller of a cluster that was created through the API.

        Args:
            ocean_id: The cluster.
            nodes: The number of its nodes, or a number for each Auto Scaling Group.

        Returns:
            The nodes that the controller reports.
        """
        count = nodes if isinstance(nodes, int) else dict(nodes)
        result: list[dict[str, Any]] = self.call("connect", ocean_id=ocean_id, nodes=count)
        return result

    def auto_scaling_groups(self) -> list[dict[str, Any]]:
        """Return the settings of every Auto Scaling Group."""
        result: list[dict[str, Any]] = self.call("auto_scaling_groups")
        return result

    def auto_scaling_group(self, name: str, *, region: str = "us-west-2", **parts: Any) -> dict[str, Any]:
        """Change settings of an Auto Scaling Group, or add one, and return it.

        Args:
            name: The name of the group.
            region: Its AWS region.
            **parts: The settings to change, with the names that ``auto_scaling_groups`` returns.
        """
        result: dict[str, Any] = self.call("auto_scaling_group", name=name, region=region, **parts)
        return result

    def remove_auto_scaling_group(self, name: str, *, region: str = "us-west-2") -> None:
        """Remove an Auto Scaling Group, and terminate its nodes without replacement."""
        self.call("remove_auto_scaling_group", name=name, region=region)

    def delete_cluster(self, ocean_id: str) -> None:
        """Delete a cluster, as another user would in the console."""
        self.call("delete_cluster", ocean_id=ocean_id)

    def kubeconfig(self, ocean_id: str | None = None, identity: str = "preview") -> str:
        """Return a kubeconfig as YAML.

        Args:
            ocean_id: The cluster, None for the first one.
            identity: ``"preview"`` (may read), ``"run"`` (may also evict) or ``"none"`` (no rights).
        """
        return str(self.call("kubeconfig", ocean_id=ocean_id, identity=identity))

    def forbid_kubernetes(self, ocean_id: str, resource: str, *, forbidden: bool = True) -> None:
        """Forbid a resource, such as ``"pods/eviction"``, to every identity of a cluster, or restore their rights."""
        self.call("forbid_kubernetes", ocean_id=ocean_id, resource=resource, forbidden=forbidden)

    def add_deployment(
        self,
        ocean_id: str,
        name: str,
        *,
        namespace: str = "default",
        labels: dict[str, str] | None = None,
        image: str = "",
        replicas: int = 1,
    ) -> None:
        """Add a Deployment without pods to Kubernetes, or replace it."""
        self.call(
            "add_deployment",
            ocean_id=ocean_id,
            name=name,
            namespace=namespace,
            labels=labels,
            image=image,
            replicas=replicas,
        )

    def remove_deployment(self, ocean_id: str, name: str, *, namespace: str = "default") -> None:
        """Remove a Deployment without pods, such as the controller's, from Kubernetes."""
        self.call("remove_deployment", ocean_id=ocean_id, name=name, namespace=namespace)

    def aws_auth(self, ocean_id: str, roles: list[str] | None) -> None:
        """Set the role ARNs that the ConfigMap ``aws-auth`` maps; None removes the ConfigMap."""
        self.call("aws_auth", ocean_id=ocean_id, roles=roles)

    def trouble(
        self,
        ocean_id: str,
        kind: str | None,
        *,
        namespace: str = "",
        app: str = "",
        name: str = "",
        seconds: float | None = None,
        ocean_only: bool = True,
        running: bool = False,
    ) -> None:
        """Let pods that are started on a node have trouble from now on.

        Args:
            ocean_id: The cluster.
            kind: ``image``, ``configuration``, ``crash``, ``no-address``, ``volume`` or ``slow``; None ends all
                trouble.
            namespace: The namespace of the pods, empty for all.
            app: Their application, empty for all.
            name: The name of the only pod, empty for all.
            seconds: After how many simulated seconds they are ready; None for never.
            ocean_only: Whether it only happens on Ocean nodes.
            running: Whether it also happens to the pods that run now.
        """
        self.call(
            "trouble",
            ocean_id=ocean_id,
            kind=kind,
            namespace=namespace,
            app=app,
            name=name,
            seconds=seconds,
            ocean_only=ocean_only,
            running=running,
        )

    def scale(self, ocean_id: str, namespace: str, app: str, replicas: int) -> None:
        """Scale an application down; scaled to zero, its Deployment stays."""
        self.call("scale", ocean_id=ocean_id, namespace=namespace, app=app, replicas=replicas)

    def roll_out(self, ocean_id: str, namespace: str, app: str, *, pods: int | None = None) -> None:
        """Begin a rollout of a Deployment, of so many of its pods; None finishes it."""
        self.call("roll_out", ocean_id=ocean_id, namespace=namespace, app=app, pods=pods)

    def draining_timeout(self, ocean_id: str, seconds: int) -> None:
        """Set ``strategy.drainingTimeout`` of a cluster, after which a batch fails for pods that are not ready."""
        self.call("draining_timeout", ocean_id=ocean_id, seconds=seconds)

    def add_account(self) -> str:
        """Add an account to the organization and return its id."""
        return str(self.call("add_account"))

    def forbid(self, account_id: str, *, forbidden: bool = True) -> None:
        """Revoke the permission for an account, or restore it."""
        self.call("forbid", account_id=account_id, forbidden=forbidden)

    def revoke_token(self, token: str) -> None:
        """Reject a token from now on."""
        self.call("revoke_token", token=token)

    def rotate_token(self) -> str:
        """Replace all tokens by a new one and return it."""
        return str(self.call("rotate_token"))

    def quirk(self, name: str, value: str) -> None:
        """Choose a variant where Spot's documentation is ambiguous; ``overview`` lists the quirks."""
        self.call("quirk", name=name, value=value)

    def fault(
        self,
        method: str,
        route: str,
        kind: str,
        *,
        times: int = 1,
        after: int = 0,
        seconds: float | None = None,
        status: int | None = None,
        state: str | None = "FINISHED",
        entries: bool = True,
        match: str | None = None,
        lasts: float | None = None,
    ) -> int:
        """Arm a fault and return its id.

        Args:
            method: The HTTP method of the requests, ``"*"`` for all.
            route: A glob over their path.
            kind: What happens to them; an unknown kind lists the known ones.
            times: The number of requests that the fault strikes.
            after: The number of matching requests that pass before.
            seconds: Real seconds: of a delay, of ``Retry-After``, or until the reset of the rate limit.
            status: The HTTP status of the kind ``status``.
            state: The state that the kind ``contradict`` shows, None for the true one.
            entries: Whether the kind ``contradict`` shows the old nodes.
            match: A string that path, query or body must contain, None for any request.
            lasts: Simulated seconds after its first strike during which it strikes, None for no limit of time.
        """
        options = {
            "times": times,
            "after": after,
            "seconds": seconds,
            "status": status,
            "state": state,
            "entries": entries,
            "match": match,
            "lasts": lasts,
        }
        return int(self.call("fault", method=method, route=route, kind=kind, **options))

    def clear_faults(self) -> None:
        """Disarm every fault."""
        self.call("clear_faults")

    def barrier(self, method: str, route: str, point: str = "before") -> Barrier:
        """Hold matching requests ``"before"`` their effect, or ``"after"`` it with the response withheld."""
        return Barrier(self, int(self.call("barrier", method=method, route=route, point=point)))

    def rate_limit(self, route_glob: str, method: str, limit: int, window_seconds: float = 60) -> None:
        """Limit requests.

        Args:
            route_glob: A glob over the templates of routes.
            method: The HTTP method, ``"*"`` for all.
            limit: The number of requests in a window.
            window_seconds: The length of the window in real seconds.
        """
        self.call("rate_limit", route_glob=route_glob, method=method, limit=limit, window_seconds=window_seconds)

    def clear_rate_limits(self) -> None:
        """Remove every rate limit."""
        self.call("clear_rate_limits")

    def latency(self, milliseconds: float) -> None:
        """Delay every request of the APIs by real milliseconds."""
        self.call("latency", milliseconds=milliseconds)
