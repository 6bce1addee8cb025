"""The server of the control API: all its verbs."""

from __future__ import annotations

from typing import Any

from ocean_migration_pulumi.testing.simulator.control.aws import AwsControls
from ocean_migration_pulumi.testing.simulator.control.clusters import ClusterControls
from ocean_migration_pulumi.testing.simulator.control.faults import FaultControls
from ocean_migration_pulumi.testing.simulator.control.kubernetes import KubernetesControls
from ocean_migration_pulumi.testing.simulator.control.migrations import MigrationControls
from ocean_migration_pulumi.testing.simulator.control.nodes import NodeControls
from ocean_migration_pulumi.testing.simulator.server.request_log import SPOT
from ocean_migration_pulumi.testing.simulator.spot_api.wire import QUIRKS


class Controls(ClusterControls, NodeControls, MigrationControls, FaultControls, KubernetesControls, AwsControls):
    """Every verb of the control API."""

    def overview(self) -> dict[str, Any]:
        """Return accounts, clusters, scenario, quirks and clock."""
        clusters = [
            {
                "id": cluster.id,
                "name": cluster.body["name"],
                "controller_id": cluster.body.get("controllerClusterId"),
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
            "clock": self._simulation.clock.to_json(),
        }

    def environment(self) -> dict[str, str]:
        """Return the environment variables that clients read: token, account and first cluster."""
        return {
            "SPOTINST_TOKEN": self._world.tokens[-1] if self._world.tokens else "",
            "SPOTINST_ACCOUNT": self._world.accounts[0],
            "OCEAN_ID": self._simulation.ocean_id,
        }

    def requests(
        self, *, method: str | None = None, effective: bool | None = None, since: int = 0, api: str = SPOT
    ) -> list[dict[str, Any]]:
        """Return the request log of Spot's API, of the Kubernetes API (``"kubernetes"``), or of both (``"all"``)."""
        return self._simulation.log.filter_entries(method=method, effective=effective, since=since, api=api)

    def clear_requests(self) -> None:
        """Clear the request log."""
        self._simulation.log.clear()

    def clock(self, *, speed: float | None = None, manual: bool | None = None) -> dict[str, Any]:
        """Change the clock, and return it."""
        self._simulation.clock.set(speed=speed, manual=manual)
        return self._simulation.clock.to_json()

    def advance(self, *, seconds: float) -> dict[str, Any]:
        """Move the time forward by simulated seconds, and run what is due."""
        self._simulation.clock.advance(seconds)
        self._simulation.run_due_steps()
        return self._simulation.clock.to_json()
