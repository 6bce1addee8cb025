"""What the tests of the examples share: stand-ins for what is not here, and how a result is read."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime import MockCallArgs, MockResourceArgs

from ocean_migration_pulumi.simulator import Simulator
from ocean_migration_pulumi.testing import OfflineStack
from ocean_migration_pulumi.testing.offline.engine.events import Result
from tests.component.whole_stack import WholeStackMocks

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
STAND_IN = ROOT / "tests" / "data" / "stand_in"
NAMES = ["basic", "waves", "full_stack", "from_pulumi_eks", "many_clusters", "fleet"]
WEB_AND_API = {"web": 4, "api": 2}
FULL = {
    "eksCluster": "shop",
    "instanceProfile": "arn:aws:iam::123456789012:instance-profile/ocean",
    "holdFor": "0s",
}
CALM = {"holdFor": "0s", "soakTime": "0s"}
PLUGINS = ("aws", "kubernetes", "spotinst")
EKS = {"nodeRole": "eks-nodes", "oceanRole": "ocean-nodes", "holdFor": "0s"}


class EksMocks(WholeStackMocks):
    """An EKS cluster with managed node groups, whose nodes are in Auto Scaling Groups with the names that EKS gives."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Name what AWS names."""
        id_, outputs = super().new_resource(args)
        return id_, {**outputs, **_named(args)}

    def read_resource(self, args: MockResourceArgs, outputs: dict[str, Any]) -> dict[str, Any] | None:
        """Read what others manage."""
        return {**(super().read_resource(args, outputs) or {}), **_named(args)}

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        """Answer for the node groups: each has the label of its name."""
        answer, failures = super().call(args)
        if args.token == "aws:eks/getNodeGroup:getNodeGroup":
            answer["labels"] = {"workload": args.args["nodeGroupName"]}
        return answer, failures

    def _install(self) -> None:
        control = self._simulator.control
        for cluster in control.overview()["clusters"]:
            if cluster["heartbeat"] is None:
                control.connect(cluster["id"], 0)
                for pool in ("web", "web", "api", "api"):
                    group = f"eks-{pool}-0a1b2c3d-1111-2222-3333-0123456789ab"
                    control.add_node(cluster["id"], group, labels={"workload": pool})
                control.heartbeat(cluster["id"], age_seconds=-30 * 86_400)


def _named(args: MockResourceArgs) -> dict[str, str]:
    if not args.typ.startswith("aws:"):
        return {}
    kind = "instance-profile" if "InstanceProfile" in args.typ else "thing"
    return {"name": f"{args.name}-1a2b3c4", "arn": f"arn:aws:iam::123456789012:{kind}/{args.name}"}


def said(result: Result) -> str:
    """Return all that an update said."""
    return "\n".join([str(result.error), *(each.message for each in result.diagnostics)])


def succeeded(result: Result) -> Result:
    """Return a result that must be a success."""
    assert result.succeeded, said(result)
    return result


def unchanged(stack: OfflineStack) -> bool:
    """Tell whether another update changes nothing."""
    return set(succeeded(stack.up()).summary) <= {"same", "read"}


def planned(preview: Result) -> dict[str, int]:
    """Return how many nodes each migration plans."""
    return {step.name: len(step.inputs["planned_nodes"]) for step in preview.steps if "planned_nodes" in step.inputs}


def rows(preview: Result) -> set[str]:
    """Return what a preview makes but for the stack, as READMEs show it: kind and name."""
    made = [step for step in preview.steps if step.op == "create" and step.type != "pulumi:pulumi:Stack"]
    return {f"{step.type.rpartition(':')[2]} {step.name}" for step in made}


def readme(name: str) -> str:
    """Return the README of an example."""
    return (EXAMPLES / name / "README.md").read_text(encoding="utf-8")


def shown(preview: str) -> set[str]:
    """Return what a preview makes as it is shown, in a README or by `pulumi`."""
    found = re.findall(r"^ \+ +(?:\S+:)?(\w+) +(\S+) create", preview, re.MULTILINE)
    return {f"{kind} {resource}" for kind, resource in found if kind != "Stack"}


def stack_plan(stack: OfflineStack, name: str) -> Mapping[str, str]:
    """Return the stored plan of a migration."""
    resources = stack.export()["deployment"]["resources"]
    (found,) = (each["outputs"]["planned_nodes"] for each in resources if each["urn"].endswith(f"Migration::{name}"))
    plan: Mapping[str, str] = found
    return plan


def config_of(clusters: Mapping[str, str]) -> str:
    """Return the config of many clusters."""
    return json.dumps({name: {"oceanId": ocean_id} for name, ocean_id in clusters.items()})


class Cli:
    """The `pulumi` command on the stack of an example, all that it keeps below a directory."""

    def __init__(self, sim: Simulator, directory: Path, name: str, config: Mapping[str, str]) -> None:
        command = shutil.which("pulumi")
        if command is None:
            pytest.skip("no `pulumi` on the PATH")
        self._command = command
        self._program = directory / name
        shutil.copytree(EXAMPLES / name, self._program, ignore=shutil.ignore_patterns("Pulumi.*.yaml", "__pycache__"))
        if not (self._program / "Pulumi.yaml").exists():
            (self._program / "Pulumi.yaml").write_text(f"name: {name}\nruntime: python\n", encoding="utf-8")
        for each in ("home", "backend"):
            (directory / each).mkdir()
        self._environment = {
            **os.environ,
            **sim.environment,
            "OCEAN_MIGRATION_POLL_INTERVAL": "0.1",
            "PYTHONPATH": str(ROOT),
            "PULUMI_HOME": os.environ.get("PULUMI_HOME", str(directory / "home")),
            "PULUMI_BACKEND_URL": (directory / "backend").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "of a test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_PYTHON_CMD": sys.executable,
        }
        self("stack", "init", "dev")
        for key, value in config.items():
            self("config", "set", key, value)

    def __call__(self, *arguments: str, fails: bool = False) -> str:
        """Run a command and return its output; it must succeed, or fail where that is said."""
        done = subprocess.run(
            [self._command, *arguments, "--non-interactive"],
            cwd=self._program,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout

    def plugins(self) -> set[str]:
        """Return the names of the plugins of providers that are installed."""
        return {each["name"] for each in json.loads(self("plugin", "ls", "--json")) if each["kind"] == "resource"}
