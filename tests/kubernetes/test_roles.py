"""The roles that are shipped allow what is asked, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import pytest
import yaml

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.kubernetes.resources import rbac_rule
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import AWS_AUTH, EVICTIONS, Pod
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import EVENTS, REPLICA_SETS, SCALES, STATEFUL_SETS
from tests.kubernetes import workloads
from tests.kubernetes.support import ALL, reading
from tests.support.http_server import Received

WATCHED = (EVENTS, REPLICA_SETS, SCALES, STATEFUL_SETS)

Right = tuple[str, str, str, str]


def role(name: str) -> dict[str, Any]:
    """Return a shipped role."""
    found = yaml.safe_load((files("ocean_migration_pulumi.kubernetes") / "roles" / f"{name}.yaml").read_text())
    assert found["kind"] == "ClusterRole"
    assert found["metadata"]["name"] == f"ocean-migration-{name}"
    assert isinstance(found, dict)
    return found


def rights(rules: list[dict[str, Any]]) -> set[Right]:
    """Return what rules allow: group, resource, name, verb."""
    return {
        (group, resource, name, verb)
        for each in rules
        for group in each["apiGroups"]
        for resource in each["resources"]
        for name in each.get("resourceNames", [""])
        for verb in each["verbs"]
    }


def needed(request: Received) -> Right:
    """Return the right that the API server wants to see for a request."""
    parts = request.path.strip("/").split("/")
    group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
    if rest[0] == "namespaces":
        rest = rest[2:]
    if rest[-1] == "scale":
        return "*", "*/scale", "", "get"
    if request.method == "POST":
        return group, f"{rest[0]}/{rest[2]}", "", "create"
    return (group, rest[0], rest[1], "get") if len(rest) > 1 else (group, rest[0], "", "list")


def is_discovery(request: Received) -> bool:
    """Tell whether a request asks for the resources of a group and version."""
    return len(request.path.strip("/").split("/")) == 3 and request.path.startswith("/apis/")


@pytest.mark.parametrize("name", ["preview", "run"])
def test_role_allows_exactly_what_is_asked(name: str) -> None:
    """As the log of the API server has it; only a run may try evictions."""
    with workloads.shop().serve() as server, reading(server.url) as reader:
        reader.read_snapshot(CancelScope())
        reader.nodes_with(CancelScope(), "a=b")
        if name == "run":
            reader.try_eviction(CancelScope(), Pod(namespace="shop", name="cart-0"))
            reader.read_workloads(CancelScope(), datetime.now(UTC), {"shop"})
        # Every identity may ask for the list of a group's resources.
        asked = {needed(request) for request in server.requests if not is_discovery(request)}
        assert {request.method for request in server.requests} == ({"GET"} if name == "preview" else {"GET", "POST"})
    assert rights(role(name)["rules"]) == asked


def test_remedies_are_the_rules_of_the_roles() -> None:
    """What a message tells to add is what the role would have had."""
    told = rights([yaml.safe_load(rbac_rule(resource)) for resource in (*ALL, *WATCHED, EVICTIONS)])
    assert told == rights(role("run")["rules"])
    assert rights([yaml.safe_load(rbac_rule(AWS_AUTH))]) == {("", "configmaps", "aws-auth", "get")}
