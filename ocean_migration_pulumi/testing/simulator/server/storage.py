"""The state file: writes the whole simulation as JSON, and builds the world from it again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ocean_migration_pulumi.testing.simulator.kubernetes_api.deployments import SimDeployment, build_default_deployments
from ocean_migration_pulumi.testing.simulator.world.auto_scaling import SimAutoScalingGroup
from ocean_migration_pulumi.testing.simulator.world.pods import PendingPod, SimPod, SimTrouble, build_tolerations
from ocean_migration_pulumi.testing.simulator.world.world import (
    Refill,
    SimCluster,
    SimHeartbeat,
    SimLogLine,
    SimMigration,
    SimNode,
    Termination,
    World,
)

FORMAT = 1


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write the state; a kill at any moment leaves either the old or the new file."""
    # The state holds the tokens.
    write_private_file(path, json.dumps({"format": FORMAT, **state}, default=vars, separators=(",", ":")))


def load_state(path: Path) -> dict[str, Any] | None:
    """Return the state, None when there is no file; raises ``ValueError`` for any other file."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        state = json.loads(text)
    except ValueError:
        state = None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise ValueError(f"{path} is not a state file of this simulator")
    return state


def write_private_file(path: Path, text: str) -> None:
    """Replace a file atomically by one that only its owner can read; an error names the file, not the temporary one."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def build_world(document: dict[str, Any]) -> World:
    """Build the world of a state file, in which each object is stored as its attributes.

    Fields that older versions did not write get the value that fits the rest of the state.
    """
    clusters = {key: _build_cluster(value) for key, value in document["clusters"].items()}
    groups = [SimAutoScalingGroup(**value) for value in document.get("auto_scaling_groups", ())]
    world = World(**{**document, "clusters": clusters, "auto_scaling_groups": groups})
    if "auto_scaling_groups" not in document:
        world.ensure_auto_scaling_groups()
    return world


def _build_cluster(document: dict[str, Any]) -> SimCluster:
    heartbeat = SimHeartbeat(**document["heartbeat"])
    deployments = (
        [SimDeployment(**value) for value in document["deployments"]]
        if "deployments" in document
        else build_default_deployments(installed=heartbeat.status is not None)
    )
    return SimCluster(
        **{
            **document,
            "heartbeat": heartbeat,
            "deployments": deployments,
            "nodes": {key: _build_node(value) for key, value in document["nodes"].items()},
            "refills": [Refill(**value) for value in document["refills"]],
            "troubles": [SimTrouble(**value) for value in document.get("troubles", ())],
            "terminations": [Termination(**value) for value in document.get("terminations", ())],
            "pending": [PendingPod(**{**value, "pod": _build_pod(value["pod"])}) for value in document["pending"]],
            "migrations": {key: SimMigration(**value) for key, value in document["migrations"].items()},
            # Older versions stored the request of a roll under another key.
            "rolls": [{**roll, "spec": roll.get("spec", roll.get("wish"))} for roll in document["rolls"]],
            "log": [SimLogLine(**value) for value in document["log"]],
        }
    )


def _build_node(document: dict[str, Any]) -> SimNode:
    return SimNode(**{**document, "pods": [_build_pod(pod, document["taints"]) for pod in document["pods"]]})


def _build_pod(document: dict[str, Any], taints: Iterable[dict[str, str]] = ()) -> SimPod:
    if "tolerations" not in document:
        budget = document.get("budget")
        namespace = budget.partition("/")[0] if budget else document["namespace"]
        document = {**document, "tolerations": build_tolerations(taints), "namespace": namespace}
    return SimPod(**document)
