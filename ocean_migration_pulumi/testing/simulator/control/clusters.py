"""The control verbs of clusters, accounts, tokens and quirks."""

from __future__ import annotations

from typing import Any

from ocean_migration_pulumi.testing.simulator.control.base import ControlBase
from ocean_migration_pulumi.testing.simulator.kubernetes_api import deployments
from ocean_migration_pulumi.testing.simulator.spot_api.wire import QUIRKS, is_variant
from ocean_migration_pulumi.testing.simulator.world import scenarios, seeding
from ocean_migration_pulumi.testing.simulator.world.world import SimHeartbeat


class ClusterControls(ControlBase):
    """The control verbs of clusters, accounts, tokens and quirks."""

    def add_account(self) -> str:
        """Add an account to the organization."""
        self._world.accounts.append(self._world.new_id("act-"))
        return self._world.accounts[-1]

    def forbid(self, *, account_id: str, forbidden: bool = True) -> None:
        """Revoke the permission for an account, or restore it."""
        others = [other for other in self._world.forbidden if other != account_id]
        self._world.forbidden = [*others, account_id] if forbidden else others

    def revoke_token(self, *, token: str) -> None:
        """Refuse a token from now on."""
        self._world.tokens = [other for other in self._world.tokens if other != token]

    def rotate_token(self) -> str:
        """Replace all tokens by a new one, and return it."""
        self._world.tokens = [self._world.new_id("", 64)]
        return self._world.tokens[0]

    def add_cluster(
        self, *, nodes: int = 16, name: str = "demo", account_id: str | None = None, scenario: str = "success"
    ) -> dict[str, Any]:
        """Add a cluster with nodes and VNGs, whose controller reports."""
        if scenario not in scenarios.SCENARIOS:
            raise ValueError(f"unknown scenario {scenario!r}")
        if account_id is not None and account_id not in self._world.accounts:
            raise KeyError(account_id)
        now = self._now
        cluster = seeding.add_cluster(self._world, now, nodes=nodes, name=name, account_id=account_id)
        scenarios.SCENARIOS[scenario].apply(self._world, cluster, now)
        return {"id": cluster.id, "account_id": cluster.account_id, "groups": list(cluster.groups)}

    def connect(self, *, ocean_id: str, nodes: int | dict[str, int] = 16) -> list[dict[str, Any]]:
        """Install the controller of a cluster, and return the nodes that it reports."""
        cluster = self._find_cluster(ocean_id)
        if min((nodes,) if isinstance(nodes, int) else nodes.values(), default=0) < 0:
            raise ValueError("nodes must not be negative")
        known_ids = set(cluster.nodes)
        seeding.connect_controller(self._world, cluster, self._now, nodes)
        return [vars(node) for instance_id, node in cluster.nodes.items() if instance_id not in known_ids]

    def delete_cluster(self, *, ocean_id: str) -> None:
        """Delete a cluster, as another user would in the console."""
        del self._world.clusters[self._find_cluster(ocean_id).id]

    def draining_timeout(self, *, ocean_id: str, seconds: int) -> None:
        """Set ``strategy.drainingTimeout``."""
        body = self._find_cluster(ocean_id).body
        body["strategy"] = {**(body.get("strategy") or {}), "drainingTimeout": seconds}

    def heartbeat(self, *, ocean_id: str, status: str | None = "ACTIVE", age_seconds: float = 0) -> None:
        """Set the heartbeat of the controller; ACTIVE with an age of 0 continues to report, None uninstalls it."""
        cluster = self._find_cluster(ocean_id)
        if (status is None) != (cluster.heartbeat.status is None):
            installed = deployments.set_controller(cluster.deployments, installed=status is not None)
            cluster.deployments = installed
        reports = status == "ACTIVE" and age_seconds == 0
        frozen_at = None if reports else self._now - age_seconds
        cluster.heartbeat = SimHeartbeat(status=status, frozen_at=frozen_at)

    def write_log(self, *, ocean_id: str, message: str, severity: str = "INFO", age_seconds: float = 0) -> None:
        """Append a line to the log of a cluster."""
        self._find_cluster(ocean_id).write_log(self._now - age_seconds, severity, message)

    def quirk(self, *, name: str, value: str) -> None:
        """Choose the variant of a quirk."""
        if not is_variant(name, value):
            quirks = "; ".join(f"{quirk}: {', '.join(values)}" for quirk, values in QUIRKS.items())
            raise ValueError(f"no quirk {name}={value}: {quirks}")
        self._world.quirks[name] = value
