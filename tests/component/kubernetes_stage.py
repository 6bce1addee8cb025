"""Programs that use the controller and the autoscaler, on a stack whose cluster only takes note."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pulumi.runtime import MockResourceArgs

from ocean_migration_pulumi.testing import OfflineStack, ResourceMocks
from ocean_migration_pulumi.testing.offline.engine.events import Result

TOKEN = "canary-31c7"

HEAD = """
import pulumi
import pulumi_kubernetes
from ocean_migration_pulumi.component.resources.autoscaler import switch_off_autoscaler
from ocean_migration_pulumi.component.resources.controller import install_controller
from ocean_migration_pulumi.component.resources.deployments import Deployments
from ocean_migration_pulumi.component.kubernetes_args import ClusterAutoscalerArgs, ControllerArgs
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import Deployment

parent = pulumi.ComponentResource("test:index:Parent", "parent")
cluster = pulumi_kubernetes.core.v1.ConfigMap("cluster")
V1 = Deployment(namespace="kube-system", name="spotinst-kubernetes-cluster-controller", replicas=1)
"""


class Cluster(ResourceMocks):
    """Takes note of what is sent, and names what has no name."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Note a creation."""
        self.sent.append(("create", args.name))
        metadata = {"name": f"{args.name}-1a2b", **args.inputs.get("metadata", {})}
        return f"{args.name}-id", {**args.inputs, "metadata": metadata}

    def update_resource(self, args: MockResourceArgs, outputs: dict[str, Any]) -> dict[str, Any]:
        """Note a change."""
        self.sent.append(("update", args.name))
        return super().update_resource(args, outputs)

    def delete_resource(self, args: MockResourceArgs, outputs: dict[str, Any]) -> None:
        """Note a deletion."""
        self.sent.append(("delete", args.name))


class Stage:
    """A stack whose program can be written anew."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.cluster = Cluster()
        self._program = directory / "program.py"
        self.write("")
        self.stack = OfflineStack(
            self._program, directory / "state.json", project="shop", mocks=self.cluster, **settings
        )

    def write(self, body: str) -> None:
        """Write the program, after what all have in common."""
        self._program.write_text(HEAD + body, encoding="utf-8")

    def up(self, body: str) -> Result:
        """Run a program that succeeds."""
        self.write(body)
        result = self.stack.up()
        assert result.succeeded, result.error
        return result

    @property
    def state(self) -> dict[str, dict[str, Any]]:
        """The resources of the state by name, as they are stored."""
        found = self.stack.export()["deployment"].get("resources", ())
        return {each["urn"].rpartition("::")[2]: each for each in found}

    @property
    def stored(self) -> str:
        """The whole state as text."""
        return json.dumps(self.stack.export())

    def needs(self, name: str) -> set[str]:
        """Return the names of the resources that this one depends on."""
        return {urn.rpartition("::")[2] for urn in self.state[name].get("dependencies", ())}


def said(result: Result, severity: str) -> list[tuple[str, str]]:
    """Return the messages of a severity, each with the name of its resource."""
    return [
        (each.urn.rpartition("::")[2], each.message.strip())
        for each in result.diagnostics
        if each.severity == severity and not each.ephemeral
    ]
