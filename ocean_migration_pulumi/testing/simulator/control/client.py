"""The client of the control API: changes the simulated world, reads the request log. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ocean_migration_pulumi.testing.simulator.control.channel import TIMEOUT_SECONDS, ControlChannel


class Barrier:
    """Holds requests in the simulator; usable as context manager, which releases it."""

    def __init__(self, control: SimulatorControl, barrier_id: int) -> None:
        self._control = control
        self._id = barrier_id

    def wait(self, timeout: float = 10.0) -> bool:
        """Return True when a request has reached the barrier, False when none has within real seconds."""
        return bool(self._control.get(f"barrier/{self._id}?timeout={timeout}", timeout=timeout + TIMEOUT_SECONDS))

    def release(self) -> None:
        """Take the barrier away and let go what it holds."""
        self._control.call("release", barrier_id=self._id)

    def __enter__(self) -> Barrier:
        return self

    def __exit__(self, *error: object) -> None:
        self.release()


class SimulatorControl(ControlChannel):
    """Everything that can be done to a simulator at ``url``; raises ``ControlError`` when it refuses.

    Seconds are simulated unless said otherwise. ``route`` of faults and barriers is a glob over the path, such as
    ``"*/migration"``; ``method`` may be ``"*"``.
    """

    def overview(self) -> dict[str, Any]:
        """Return accounts, clusters, scenario, quirks and clock."""
        result: dict[str, Any] = self.call("overview")
        return result

    def requests(
        self, *, method: str | None = None, effective: bool | None = None, since: int = 0, api: str = "spot"
    ) -> list[dict[str, Any]]:
        """Return the request log, tokens redacted; ``since`` is the number ``n`` of an entry.

        ``api`` is ``"spot"``, ``"kubernetes"``, or ``"all"``. An entry is ``effective`` when it is a POST that started
        a migration, or one to Kubernetes that evicted a pod and did not only try. Its ``at`` is real epoch seconds, its
        ``status`` None when nothing was answered and nothing happened.
        """
        result: list[dict[str, Any]] = self.call("requests", method=method, effective=effective, since=since, api=api)
        return result

    def clear_requests(self) -> None:
        """Forget the request log; the numbers go on."""
        self.call("clear_requests")

    def clock(self, *, speed: float | None = None, manual: bool | None = None) -> dict[str, Any]:
        """Change the clock (None: as it is) and return it: ``now`` in epoch seconds, ``speed``, ``manual``."""
        result: dict[str, Any] = self.call("clock", speed=speed, manual=manual)
        return result

    def advance(self, seconds: float) -> dict[str, Any]:
        """Move the time forward and return the clock."""
        result: dict[str, Any] = self.call("advance", seconds=seconds)
        return result

    def nodes(self, ocean_id: str) -> list[dict[str, Any]]:
        """Return every node of a cluster, Ocean's own and terminated ones included."""
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
        """Add a node with ``pods`` pods (None: 6); labels and taints default to those of its group."""
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
        """Change labels of a node (None removes one), whether it is cordoned, all its taints, or its instance type."""
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
        """Add a pod to a node, or a pending one (``instance_id`` None).

        ``controller`` None is a stand-alone pod, ``"Node"`` a static one of the kubelet; an ``orphaned`` pod's
        controller exists no more. An ``unschedulable`` pod finds no new node once it is evicted. The namespace is that
        of the budget, else ``default``. What follows is for Kubernetes' API alone, as its objects have it:
        ``claim_zone`` gives the pod a volume in that zone, ``requests`` is such as ``{"cpu": "500m"}``.
        """
        facts = {
            "node_selector": node_selector,
            "tolerations": tolerations,
            "annotations": annotations,
        }
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
            **{fact: value for fact, value in facts.items() if value is not None},
        )
        return result

    def remove_pod(self, ocean_id: str, name: str, *, instance_id: str | None = None) -> None:
        """Remove a pod from a node, or from the pending ones (``instance_id`` None)."""
        self.call("remove_pod", ocean_id=ocean_id, name=name, instance_id=instance_id)

    def budget(self, ocean_id: str, name: str, minimum: int, *, selector: dict[str, Any] | None = None) -> None:
        """Set how many pods of a PodDisruptionBudget (``namespace/name``) must stay healthy.

        ``selector`` is a ``LabelSelector``; None leaves it as it is: a new budget then holds the pods that were added
        with its name.
        """
        self.call("budget", ocean_id=ocean_id, name=name, minimum=minimum, selector=selector)

    def refill(self, ocean_id: str, asg_name: str, *, refills: bool = True) -> None:
        """Let an Auto Scaling Group replace terminated nodes after a minute, or not."""
        self.call("refill", ocean_id=ocean_id, asg_name=asg_name, refills=refills)

    def migrations(self, ocean_id: str) -> list[dict[str, Any]]:
        """Return every migration, oldest first, with ``drained`` and ``drained_before_stop``."""
        result: list[dict[str, Any]] = self.call("migrations", ocean_id=ocean_id)
        return result

    def start_foreign_migration(self, ocean_id: str, instance_ids: list[str], **flags: Any) -> str:
        """Start a migration as if somebody used the console; ``flags``: terminate, evict, force, batch size."""
        return str(self.call("start_foreign_migration", ocean_id=ocean_id, instance_ids=instance_ids, **flags))

    def stop_foreign(self, ocean_id: str, migration_id: str, *, terminate: bool = False) -> None:
        """Stop a migration as if somebody used the console."""
        self.call("stop_foreign", ocean_id=ocean_id, migration_id=migration_id, terminate=terminate)

    def set_state(self, ocean_id: str, migration_id: str, state: str) -> None:
        """Put a migration into a state; one that is not of the 13 is only shown, until the next change."""
        self.call("set_state", ocean_id=ocean_id, migration_id=migration_id, state=state)

    def fail_migration(self, ocean_id: str, migration_id: str, reason: str = "connectivity") -> None:
        """Let a running migration fail now, for the reason that a ``failure-…`` scenario is named after."""
        self.call("fail_migration", ocean_id=ocean_id, migration_id=migration_id, reason=reason)

    def arm_failure(self, ocean_id: str, reason: str | None) -> None:
        """Let the next migration fail at the natural point of a reason; None disarms."""
        self.call("arm_failure", ocean_id=ocean_id, reason=reason)

    def hold(self, ocean_id: str, held: bool = True) -> None:
        """Freeze every migration of a cluster, stops included, or let them go on."""
        self.call("hold", ocean_id=ocean_id, held=held)

    def forget_migrations(self, ocean_id: str) -> None:
        """Drop the ended migrations from the history."""
        self.call("forget_migrations", ocean_id=ocean_id)

    def write_log(self, ocean_id: str, message: str, *, severity: str = "INFO", age_seconds: float = 0) -> None:
        """Write a line into a cluster's log."""
        self.call("write_log", ocean_id=ocean_id, message=message, severity=severity, age_seconds=age_seconds)

    def heartbeat(self, ocean_id: str, *, status: str | None = "ACTIVE", age_seconds: float = 0) -> None:
        """Set the controller's sign of life; ACTIVE of age 0 goes on beating, None was never installed."""
        self.call("heartbeat", ocean_id=ocean_id, status=status, age_seconds=age_seconds)

    def add_cluster(self, nodes: int = 16, **options: Any) -> dict[str, Any]:
        """Add a cluster (``name``, ``account_id``, ``scenario``) and return its id, account and groups."""
        result: dict[str, Any] = self.call("add_cluster", nodes=nodes, **options)
        return result

    def connect(self, ocean_id: str, nodes: int | Mapping[str, int] = 16) -> list[dict[str, Any]]:
        """Install the controller of a cluster that was made through the API, and return the nodes that it shows.

        They are new to Ocean only: ``nodes`` is their number, or how many each Auto Scaling Group has.
        """
        wanted = nodes if isinstance(nodes, int) else dict(nodes)
        result: list[dict[str, Any]] = self.call("connect", ocean_id=ocean_id, nodes=wanted)
        return result

    def auto_scaling_groups(self) -> list[dict[str, Any]]:
        """Return what the nodes of each Auto Scaling Group are made from."""
        result: list[dict[str, Any]] = self.call("auto_scaling_groups")
        return result

    def auto_scaling_group(self, name: str, *, region: str = "us-west-2", **parts: Any) -> dict[str, Any]:
        """Change parts of an Auto Scaling Group (as ``auto_scaling_groups`` names them), or add one, and return it."""
        result: dict[str, Any] = self.call("auto_scaling_group", name=name, region=region, **parts)
        return result

    def remove_auto_scaling_group(self, name: str, *, region: str = "us-west-2") -> None:
        """Remove an Auto Scaling Group, as if retired: AWS terminates its nodes, no import finds it any more."""
        self.call("remove_auto_scaling_group", name=name, region=region)

    def delete_cluster(self, ocean_id: str) -> None:
        """Delete a cluster as if somebody used the console."""
        self.call("delete_cluster", ocean_id=ocean_id)

    def kubeconfig(self, ocean_id: str | None = None, identity: str = "preview") -> str:
        """Return a kubeconfig for a cluster (None: the first); ``identity`` is "preview", "run" or "none"."""
        return str(self.call("kubeconfig", ocean_id=ocean_id, identity=identity))

    def forbid_kubernetes(self, ocean_id: str, resource: str, *, forbidden: bool = True) -> None:
        """Keep a resource (``"pods"``, ``"pods/eviction"``) from every identity of a cluster, or give it back."""
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
        """Set the role ARNs that the ConfigMap ``aws-auth`` maps; None takes the ConfigMap away."""
        self.call("aws_auth", ocean_id=ocean_id, roles=roles)

    def add_account(self) -> str:
        """Add an account to the organization and return its id."""
        return str(self.call("add_account"))

    def forbid(self, account_id: str, *, forbidden: bool = True) -> None:
        """Take the permission for an account away, or give it back."""
        self.call("forbid", account_id=account_id, forbidden=forbidden)

    def revoke_token(self, token: str) -> None:
        """Refuse a token from now on."""
        self.call("revoke_token", token=token)

    def rotate_token(self) -> str:
        """Replace every token by a new one and return it."""
        return str(self.call("rotate_token"))

    def quirk(self, name: str, value: str) -> None:
        """Choose a reading of what the service's documents leave open; ``overview`` names them."""
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
        match: str | None = None,
    ) -> int:
        """Arm a fault and return its id.

        It strikes ``times`` requests after ``after`` have passed, only those that hold the text ``match`` in path,
        query or body. ``seconds`` are real ones: of the delay, of Retry-After, or of the rate-limit reset.
        """
        options = {"times": times, "after": after, "seconds": seconds, "status": status, "match": match}
        return int(self.call("fault", method=method, route=route, kind=kind, **options))

    def clear_faults(self) -> None:
        """Disarm every fault."""
        self.call("clear_faults")

    def barrier(self, method: str, route: str, point: str = "before") -> Barrier:
        """Hold matching requests "before" their effect, or "after" it with the answer withheld."""
        return Barrier(self, int(self.call("barrier", method=method, route=route, point=point)))

    def rate_limit(self, route_glob: str, method: str, limit: int, window_seconds: float = 60) -> None:
        """Allow ``limit`` requests in a window of real seconds; the glob is over the route's template."""
        self.call("rate_limit", route_glob=route_glob, method=method, limit=limit, window_seconds=window_seconds)

    def clear_rate_limits(self) -> None:
        """Go back to no limit to speak of."""
        self.call("clear_rate_limits")

    def latency(self, milliseconds: float) -> None:
        """Delay every request of the API by real milliseconds."""
        self.call("latency", milliseconds=milliseconds)
