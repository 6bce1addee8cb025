"""spotinst-sdk2 and our own client, which must send the same requests and see the same responses."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from spotinst_sdk2 import SpotinstSession
from spotinst_sdk2.client import SpotinstClientException
from spotinst_sdk2.models.ocean.aws import Migration

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.models.migration import MigrationInstance, MigrationStatus, MigrationSummary
from ocean_migration_pulumi.api.settings import Settings
from ocean_migration_pulumi.errors import ClusterNotFoundError, MigrationNotFoundError, OceanMigrationError
from ocean_migration_pulumi.simulator import Simulator
from tests.support.timing import PATIENCE

FLAGS = {
    "should_terminate_drained_nodes": True,
    "should_evict_stand_alone_pods": False,
    "force_pod_eviction_on_pdb_failure": True,
}


@dataclass(frozen=True)
class Both:
    """A simulator whose clock stands still, and its two clients."""

    sim: Simulator
    ours: OceanClient
    sdk: Any

    @property
    def ocean_id(self) -> str:
        """The id of the first cluster."""
        return self.sim.ocean_id

    def offered(self) -> list[str]:
        """Return the ids of the nodes that can be migrated."""
        return [candidate.instance_id for candidate in self.ours.discover(self.ocean_id)]

    def start(self, count: int = 4, **flags: Any) -> str:
        """Start a migration and return its id."""
        return self.ours.create_migration(
            self.ocean_id, self.offered()[:count], **({"batch_size_percentage": 50, **FLAGS} | flags)
        )

    def writes(self) -> list[dict[str, Any]]:
        """Return what the two clients wrote, without what tells them apart."""
        kept = ("method", "path", "query", "body", "status")
        return [
            {key: request[key] for key in kept} for request in self.sim.control.requests() if request["method"] != "GET"
        ]


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep the SDK from silencing the log of all tests, and the proxies of the machine from both."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def pair(quiet: None) -> Iterator[Callable[..., Both]]:
    """Return a function that starts a simulator and both clients."""
    opened: list[Any] = []

    def start(**options: Any) -> Both:
        sim = Simulator(**options)
        opened.append(sim)
        sim.__enter__()
        sim.control.clock(manual=True)
        ours = OceanClient(Settings.load(None, sim.environment))
        opened.append(ours)
        session = SpotinstSession(base_url=sim.url, auth_token=sim.token, account_id=sim.account_id)
        return Both(sim=sim, ours=ours, sdk=session.client("ocean_aws", print_output=False, timeout=PATIENCE))

    yield start
    for context in reversed(opened):
        context.__exit__(None, None, None)


def summary_of(data: dict[str, Any]) -> MigrationSummary:
    """Return what the SDK saw as ours."""
    return MigrationSummary(
        id=data.get("_id") or data["id"],
        state=data["state"],
        created_at=data.get("created_at"),
        completed_at=data.get("completed_at"),
    )


def ids_of(value: Any) -> tuple[str, ...]:
    """Return pod ids, which the SDK passes on as it got them: as a list, a text or nothing."""
    return tuple(value if isinstance(value, list) else value.split(",") if value else ())


def instance_of(data: dict[str, Any]) -> dict[str, Any]:
    """Return what the SDK saw of an instance as ours."""
    return {
        "instance_id": data["instance_id"],
        "node_name": data["k8s_node_name"],
        "asg_name": data.get("asg_name"),
        "state": data["state"],
        "running_pods": int(data["running_pods"]),
        "pods": tuple(
            {"id": pod["id"], "name": pod["name"], "kind": pod["kind"]} for pod in data.get("pod_details") or ()
        ),
    }


def assert_same_status(ours: MigrationStatus, sdk: dict[str, Any]) -> None:
    """Compare every field of a status."""

    def instances(found: tuple[MigrationInstance, ...]) -> list[dict[str, Any]]:
        return [asdict(instance) for instance in found]

    config = sdk["migration_config"]
    assert instances(ours.old_instances) == [instance_of(data) for data in sdk["old_instances"]]
    assert instances(ours.new_instances) == [instance_of(data) for data in sdk["new_instances"]]
    seen = {
        "id": sdk.get("_id") or sdk["id"],
        "ocean_id": sdk["ocean_id"],
        "state": sdk["status"],
        "unscheduled_pods": ids_of(sdk.get("unscheduled_pod_ids")),
        "new_unscheduled_pods": ids_of(sdk.get("new_unscheduled_pod_ids")),
        "should_terminate_drained_nodes": config["should_terminate_drained_nodes"],
        "should_evict_stand_alone_pods": config["should_evict_stand_alone_pods"],
        **{key: sdk.get(key) for key in ("created_at", "errored_at", "stopped_at", "completed_at")},
    }
    assert {key: getattr(ours, key) for key in seen} == seen


QUIRKS = [
    {},
    {"runningPods": "string"},
    {"discovery": "flat", "default": "default"},
    {"discovery": "several", "default": "DEFAULT"},
    {"unscheduledPodIds": "list", "idKey": "id"},
    {"unscheduledPodIds": "null", "absent": "null"},
    {"dates": "unpadded"},
    {"dates": "offset"},
]


@pytest.mark.parametrize("quirks", QUIRKS, ids=lambda quirks: ",".join(quirks.values()) or "none")
def test_both_clients_see_the_same_migration(quirks: dict[str, str], pair: Callable[..., Both]) -> None:
    """From discovery to the end both clients see the same nodes, states, pods and times, with every quirk."""
    both = pair(nodes=6, scenario="stand-alone-pods")
    for name, value in quirks.items():
        both.sim.control.quirk(name, value)
    found = both.sdk.get_migration_discovery(both.ocean_id, "true")
    nodes = [node for item in found for node in item.get("instances", [item])]
    ours = both.ours.discover(both.ocean_id)
    assert len(ours) == 6
    assert [
        (node.instance_id, node.node_name, node.asg_name, node.virtual_node_group_id, node.running_pods)
        for node in ours
    ] == [
        (
            node["instance_id"],
            node["k8s_node_name"],
            node.get("asg_name"),
            "Default" if (node.get("launch_spec_id") or "").lower() == "default" else node.get("launch_spec_id"),
            int(node["running_pods"]),
        )
        for node in nodes
    ]

    migration_id = both.start(6)
    seen = []
    for _ in range(200):
        status = both.ours.get_migration(both.ocean_id, migration_id)
        assert_same_status(status, both.sdk.get_migration_status(both.ocean_id, migration_id))
        summaries = [summary_of(data) for data in both.sdk.get_all_migrations_summary(both.ocean_id)]
        assert list(both.ours.list_migrations(both.ocean_id)) == summaries
        assert [summary.state for summary in summaries] == [status.state]
        seen.append(status.state)
        if status.is_terminal:
            break
        both.sim.control.advance(15)
    assert seen[-1] == "FINISHED"
    assert {"DRAIN_NODES", "TERMINATE_NODES"} <= set(seen)
    assert any(instance.pods for instance in status.old_instances)


@pytest.mark.parametrize("fetch_pods", [True, False])
def test_both_clients_count_pods_on_request(fetch_pods: bool, pair: Callable[..., Both]) -> None:
    """Both clients get pod counts if they ask for them, and none otherwise."""
    both = pair(nodes=2)
    (item,) = both.sdk.get_migration_discovery(both.ocean_id, str(fetch_pods).lower())
    ours = [candidate.running_pods for candidate in both.ours.discover(both.ocean_id, fetch_pods=fetch_pods)]
    assert ours == [node.get("running_pods") for node in item["instances"]]
    assert all((count is not None) == fetch_pods for count in ours)


def test_both_clients_see_unmatched_nodes(pair: Callable[..., Both]) -> None:
    """The VNG of a node that matches none is None for both clients."""
    both = pair(scenario="unmatched-nodes")
    (item,) = both.sdk.get_migration_discovery(both.ocean_id, "true")
    ours = [candidate.virtual_node_group_id for candidate in both.ours.discover(both.ocean_id)]
    assert None in ours
    assert ours == [node["launch_spec_id"] for node in item["instances"]]


def test_both_clients_start_the_same_migration(pair: Callable[..., Both]) -> None:
    """Both clients send the same request to start a migration, and get an id."""
    both = pair(nodes=4)
    both.sim.control.quirk("concurrent_migrations", "allow")
    both.sim.control.quirk("offer_migrating", "yes")
    nodes = both.offered()
    ours = both.ours.create_migration(both.ocean_id, nodes, batch_size_percentage=20, **FLAGS)
    sdk = both.sdk.create_migration(both.ocean_id, Migration(instance_ids=nodes, batch_size_percentage=20, **FLAGS))
    first, second = both.writes()
    assert first == second
    assert first["status"] == 200
    assert {ours, sdk["id"]} == {summary.id for summary in both.ours.list_migrations(both.ocean_id)}


@pytest.mark.parametrize("terminate", [False, True])
def test_both_clients_stop_in_the_same_way(terminate: bool, pair: Callable[..., Both]) -> None:
    """Both clients send the same request to stop a migration, and get the same response, also for a second stop."""
    both = pair(nodes=4)
    migration_id = both.start()
    both.sim.control.clear_requests()
    ours = both.ours.stop_migration(both.ocean_id, migration_id, should_terminate_drained_nodes=terminate)
    sdk = both.sdk.stop_migration(
        both.ocean_id, migration_id, Migration(state="STOPPED", should_terminate_drained_nodes=terminate)
    )
    first, second = both.writes()
    assert first == second
    assert ours == summary_of(sdk) == MigrationSummary(id=migration_id, state="STOPPED")


def test_both_clients_see_the_same_clusters_and_groups(pair: Callable[..., Both]) -> None:
    """Both clients see the same clusters and Virtual Node Groups."""
    both = pair()
    other = both.sim.control.add_cluster(nodes=2)
    ours = both.ours.list_clusters()
    assert [cluster.id for cluster in ours] == [both.ocean_id, other["id"]]
    seen = both.sdk.get_all_ocean_cluster()
    assert [(cluster.id, cluster.name, cluster.controller_cluster_id, cluster.region) for cluster in ours] == [
        (data["id"], data["name"], data["controller_cluster_id"], data["region"]) for data in seen
    ]
    cluster, data = both.ours.get_cluster(both.ocean_id), both.sdk.get_ocean_cluster(both.ocean_id)
    assert cluster == ours[0]
    assert (cluster.autoscaler_enabled, cluster.capacity_maximum, cluster.spot_percentage, cluster.fallback_to_od) == (
        data["auto_scaler"]["is_enabled"],
        data["capacity"]["maximum"],
        data["strategy"]["spot_percentage"],
        data["strategy"]["fallback_to_od"],
    )
    groups = both.ours.list_virtual_node_groups(both.ocean_id)
    assert len(groups) == 2
    assert [(group.id, group.name, group.ocean_id, group.labels, group.taints) for group in groups] == [
        (
            data["id"],
            data["name"],
            data["ocean_id"],
            tuple((label["key"], label["value"]) for label in data["labels"]),
            tuple((taint["key"], taint["value"], taint["effect"]) for taint in data.get("taints") or ()),
        )
        for data in both.sdk.get_all_virtual_node_groups(both.ocean_id)
    ]


def test_both_clients_see_the_same_ocean_nodes(pair: Callable[..., Both]) -> None:
    """Both clients see the same Ocean nodes after a migration, with and without filters."""
    both = pair(nodes=4)
    both.start()
    both.sim.control.advance(1200)
    ours = both.ours.list_nodes(both.ocean_id)
    assert ours
    group = ours[0].virtual_node_group_id
    assert group is not None
    filters: list[dict[str, str]] = [{}, {"virtual_node_group_id": group}]
    for wanted in filters:
        sdk = {{"virtual_node_group_id": "launch_spec_id"}.get(key, key): value for key, value in wanted.items()}
        assert [
            (
                node.instance_id,
                node.node_name,
                node.instance_type,
                node.availability_zone,
                node.virtual_node_group_id,
                node.virtual_node_group_name,
                node.life_cycle,
                node.registration_status,
                node.created_at,
            )
            for node in both.ours.list_nodes(both.ocean_id, **wanted)
        ] == [
            (
                data["instance_id"],
                data["node_name"],
                data["instance_type"],
                data["availability_zone"],
                data["launch_spec_id"],
                data["launch_spec_name"],
                data["life_cycle"],
                data["registration_status"],
                data["created_at"],
            )
            for data in both.sdk.get_cluster_nodes(both.ocean_id, **sdk)
        ]


@pytest.mark.parametrize("scenario", ["success", "dead-controller", "never-heartbeat"])
def test_both_clients_see_the_same_heartbeat(scenario: str, pair: Callable[..., Both]) -> None:
    """Both clients see the same heartbeat, or none."""
    both = pair(scenario=scenario, nodes=2)
    ours = both.ours.get_heartbeat(both.ocean_id)
    if scenario == "never-heartbeat":
        assert (ours.status, ours.last_heartbeat) == (None, None)
    else:
        sdk = both.sdk.get_heartbeat_status(both.ocean_id)
        data = sdk[0] if isinstance(sdk, list) else sdk
        assert (ours.status, ours.last_heartbeat) == (data["status"], data["last_heartbeat"])


def test_both_clients_read_the_same_log(pair: Callable[..., Both]) -> None:
    """Both clients read the same log lines of a time span, and of one severity."""
    both = pair(scenario="failure-connectivity", nodes=4)
    migration_id = both.start()
    for _ in range(100):
        both.sim.control.advance(60)
        if both.ours.get_migration(both.ocean_id, migration_id).is_terminal:
            break
    since, until = datetime.fromtimestamp(0, UTC), datetime.fromtimestamp(9_999_999_999, UTC)
    for severity in ("ALL", "ERROR"):
        ours = both.ours.get_log(both.ocean_id, since=since, until=until, severity=severity)
        sdk = both.sdk.fetch_elastilog(both.ocean_id, "0", "9999999999000", severity=severity, limit=1000)
        assert ours
        assert [(line.message, line.severity, line.created_at) for line in ours] == [
            (data["message"], data["severity"], data["created_at"]) for data in sdk
        ]


def test_both_clients_are_refused(pair: Callable[..., Both]) -> None:
    """Where the SDK only reports a failure, our client reports the reason."""
    both = pair(nodes=2)
    migration = Migration(instance_ids=["i-none"], batch_size_percentage=99, **FLAGS)
    refusals: list[tuple[Callable[[], Any], Callable[[], Any], type[OceanMigrationError]]] = [
        (
            lambda: both.ours.list_migrations("o-none"),
            lambda: both.sdk.get_all_migrations_summary("o-none"),
            ClusterNotFoundError,
        ),
        (lambda: both.ours.get_cluster("o-none"), lambda: both.sdk.get_ocean_cluster("o-none"), ClusterNotFoundError),
        (
            lambda: both.ours.get_migration(both.ocean_id, "owm-none"),
            lambda: both.sdk.get_migration_status(both.ocean_id, "owm-none"),
            MigrationNotFoundError,
        ),
        (
            lambda: both.ours.create_migration(both.ocean_id, ["i-none"], batch_size_percentage=99, **FLAGS),
            lambda: both.sdk.create_migration(both.ocean_id, migration),
            OceanMigrationError,
        ),
    ]
    for ours, sdk, kind in refusals:
        with pytest.raises(kind):
            ours()
        with pytest.raises(SpotinstClientException):
            sdk()
    assert both.ours.list_migrations(both.ocean_id) == ()
