"""Wire JSON to dataclasses: every documented form, and nothing but ResponseError for the rest."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, VirtualNodeGroup
from ocean_migration_pulumi.api.models.migration import (
    TERMINAL_STATES,
    Candidate,
    Heartbeat,
    LogEntry,
    MigrationInstance,
    MigrationState,
    MigrationStatus,
    MigrationSummary,
    PodDetail,
)
from ocean_migration_pulumi.errors import ResponseError
from tests.support.properties import documents

READERS: list[Callable[[Any], Any]] = [
    Candidate.from_api,
    Cluster.from_api,
    ClusterNode.from_api,
    Heartbeat.from_api,
    LogEntry.from_api,
    MigrationInstance.from_api,
    MigrationStatus.from_api,
    MigrationSummary.from_api,
    PodDetail.from_api,
    VirtualNodeGroup.from_api,
]

KEYS = [
    "Id", "id", "state", "status", "instanceId", "k8sNodeName", "asgName", "launchSpecId", "runningPods", "podDetails",
    "name", "kind", "oldInstances", "newInstances", "unscheduledPodIds", "newUnscheduledPodIds",
    "migrationConfig", "shouldTerminateDrainedNodes", "createdAt", "message", "lastHeartbeat", "autoScaler", "oceanId",
    "isEnabled",
    "resourceLimits", "maxVCpu", "capacity", "maximum", "strategy", "spotPercentage", "scheduling", "shutdownHours",
    "timeWindows", "labels", "taints", "key", "value",
]  # fmt: skip
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=8)),
    max_leaves=25,
)


# A busy machine is no reason to fail.
PATIENT = documents()


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__self__.__name__)
@given(data=JSON)
@PATIENT
def test_garbage_is_read_or_refused(read: Callable[[Any], Any], data: Any) -> None:
    """Whatever JSON arrives, it is read or it is a ResponseError; nothing else escapes."""
    with suppress(ResponseError):
        hash(read(data))


@given(data=st.dictionaries(st.sampled_from(sorted({*KEYS} - {"oldInstances", "newInstances"})), JSON, max_size=8))
@PATIENT
def test_status_needs_only_id_and_state(data: dict[str, Any]) -> None:
    """With id and state, and no instance to stumble on, a status is read whatever the other fields are."""
    status = MigrationStatus.from_api(data | {"Id": "owm-1", "status": "STARTING"})
    assert (status.id, status.state) == ("owm-1", "STARTING")


@pytest.mark.parametrize(
    "data", [None, [], "owm-1", 7, {}, {"Id": "owm-1"}, {"state": "FINISHED"}, {"Id": 7, "state": "X"}]
)
def test_migration_without_id_or_state_is_refused(data: Any) -> None:
    """Nothing can work without an id and a state, so that is said loudly."""
    with pytest.raises(ResponseError):
        MigrationSummary.from_api(data)
    with pytest.raises(ResponseError):
        MigrationStatus.from_api(data)


def test_candidate() -> None:
    """A node of discovery, as the API reference shows it."""
    data = {
        "k8sNodeName": "ip-111-11-11-111.us-west-1.compute.internal",
        "asgName": "asg-name",
        "instanceId": "i-asdfjk3989",
        "launchSpecId": "ols-1234ascv",
        "runningPods": 6,
        "somethingNew": {"a": 1},
    }
    assert Candidate.from_api(data) == Candidate(
        instance_id="i-asdfjk3989",
        node_name="ip-111-11-11-111.us-west-1.compute.internal",
        asg_name="asg-name",
        virtual_node_group_id="ols-1234ascv",
        running_pods=6,
    )


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("Default", "Default"),
        ("DEFAULT", "Default"),
        ("default", "Default"),
        ("ols-1", "ols-1"),
        (None, None),
        ("", None),
    ],
)
def test_virtual_node_group_of_a_candidate(sent: str | None, read: str | None) -> None:
    """The casing of "Default" on the wire is not documented; null means that none matches."""
    assert Candidate.from_api({"instanceId": "i-1", "launchSpecId": sent}).virtual_node_group_id == read


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (6, 6),
        ("6", 6),
        (6.0, 6),
        (0, 0),
        ("0", 0),
        (None, None),
        ("many", None),
        (True, None),
        (float("inf"), None),
        ("9" * 999, None),
        (-1, None),
        ("-3", None),
        (0.4, None),
        ("0.9", None),
    ],
    ids=repr,
)
def test_running_pods_are_a_number_or_text(sent: Any, read: int | None) -> None:
    """The API reference types a number and shows a text."""
    assert Candidate.from_api({"instanceId": "i-1", "runningPods": sent}).running_pods == read


def test_a_node_with_two_entries_counts_once() -> None:
    """When they differ nobody knows its pods: the one without any proves nothing."""
    none, some = {"instanceId": "i-1", "runningPods": 0}, {"instanceId": "i-1", "runningPods": 3}
    for entries, pods in (([none, none], 0), ([none, some], None), ([some, none], None), ([some, none, some], None)):
        status = MigrationStatus.from_api({"Id": "owm-1", "status": "FINISHED", "oldInstances": entries})
        (found,) = status.old_instances
        assert found.running_pods == pods


def test_candidate_outside_of_any_group() -> None:
    """A node need not belong to an Auto Scaling Group."""
    assert Candidate.from_api({"instanceId": "i-1", "asgName": None}).asg_name is None


@pytest.mark.parametrize(
    "data",
    [
        {"Id": "owm-1234567", "state": "FINISHED", "createdAt": "2021-10-1T05:51:06.000Z"},
        {"id": "owm-1234567", "status": "FINISHED", "createdAt": "2021-10-1T05:51:06.000Z"},
    ],
)
def test_summary_takes_both_spellings(data: dict[str, str]) -> None:
    """`Id` and `id`, `state` and `status` mean the same."""
    summary = MigrationSummary.from_api(data)
    assert summary == MigrationSummary(id="owm-1234567", state="FINISHED", created_at="2021-10-1T05:51:06.000Z")
    assert summary.is_terminal


def test_status() -> None:
    """The whole status, as the API reference shows it."""
    status = MigrationStatus.from_api(
        {
            "Id": "owm-1234567",
            "oceanId": "o-abcd1234",
            "status": "DRAIN_NODES",
            "newInstances": [{"instanceId": "i-0new", "k8sNodeName": "ip-1", "asgName": None, "state": "RUNNING"}],
            "oldInstances": [
                {
                    "instanceId": "i-0old",
                    "k8sNodeName": "ip-2",
                    "asgName": "asg-name",
                    "state": "REQUIRES_MANUAL_MIGRATION",
                    "runningPods": "1",
                    "podDetails": [{"id": "abc123", "name": "podName", "kind": "STAND_ALONE_POD"}, {"name": "other"}],
                }
            ],
            "unscheduledPodIds": "o-abcd1234",
            "newUnscheduledPodIds": ["p-1", "p-2"],
            "migrationConfig": {"shouldTerminateDrainedNodes": True, "shouldEvictStandAlonePods": "false"},
            "createdAt": "2021-10-1T05:51:06.000Z",
            "erroredAt": None,
            "stoppedAt": "",
        }
    )
    assert status == MigrationStatus(
        id="owm-1234567",
        ocean_id="o-abcd1234",
        state="DRAIN_NODES",
        new_instances=(MigrationInstance(instance_id="i-0new", node_name="ip-1", state="RUNNING"),),
        old_instances=(
            MigrationInstance(
                instance_id="i-0old",
                node_name="ip-2",
                asg_name="asg-name",
                state="REQUIRES_MANUAL_MIGRATION",
                running_pods=1,
                pods=(PodDetail(id="abc123", name="podName", kind="STAND_ALONE_POD"), PodDetail(name="other")),
            ),
        ),
        unscheduled_pods=("o-abcd1234",),
        new_unscheduled_pods=("p-1", "p-2"),
        should_terminate_drained_nodes=True,
        should_evict_stand_alone_pods=False,
        created_at="2021-10-1T05:51:06.000Z",
    )
    assert status.instance_ids == {"i-0old"}
    assert not status.is_terminal


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (None, ()),
        ("", ()),
        ("p-1", ("p-1",)),
        ("p-1, p-2", ("p-1", "p-2")),
        ([], ()),
        (["p-1", None, "p-2"], ("p-1", "p-2")),
        ([{"id": "p-1"}, {"name": "web"}, {}], ("p-1", "web")),
        (7, ()),
    ],
    ids=repr,
)
def test_unscheduled_pods_are_text_or_list(sent: Any, read: tuple[str, ...]) -> None:
    """The API reference types one text and describes a list."""
    status = MigrationStatus.from_api({"Id": "owm-1", "status": "X", "unscheduledPodIds": sent})
    assert status.unscheduled_pods == read


def test_unknown_state_is_kept_and_not_terminal() -> None:
    """A state of a later version of the service is polled on."""
    status = MigrationStatus.from_api({"Id": "owm-1", "status": "REPLACING"})
    assert status.state == "REPLACING"
    assert not status.is_terminal


def test_states() -> None:
    """13 states, 3 of them terminal."""
    assert len(MigrationState) == 13
    assert {"FINISHED", "FINISHED_ERROR", "STOPPED"} == TERMINAL_STATES
    assert set(MigrationState) >= TERMINAL_STATES


def test_log_entry() -> None:
    """A line of the log, as the API reference shows it."""
    data = {"message": "Ocean o-1 created.", "severity": "INFO", "createdAt": "2020-10-07T09:51:12.000Z"}
    assert LogEntry.from_api(data) == LogEntry(
        message="Ocean o-1 created.", severity="INFO", created_at="2020-10-07T09:51:12.000Z"
    )


def test_heartbeat() -> None:
    """A heartbeat, and a controller that never sent one."""
    data = {"status": "ACTIVE", "lastHeartbeat": "2019-11-24T14:33:00.746Z"}
    assert Heartbeat.from_api(data) == Heartbeat(status="ACTIVE", last_heartbeat="2019-11-24T14:33:00.746Z")
    assert Heartbeat.from_api({"status": None, "lastHeartbeat": None}) == Heartbeat()


def test_node() -> None:
    """A node of Ocean's own."""
    data = {
        "instanceId": "i-123", "instanceType": "c3.large", "availabilityZone": "us-west-2b", "launchSpecId": "ols-123",
        "launchSpecName": "dev-vng", "lifeCycle": "OD (RI)", "workloadRequestedMilliCpu": 1320.0, "nodeName": "node-1",
        "registrationStatus": "Registered", "createdAt": "2021-10-1T05:51:06.000Z",
    }  # fmt: skip
    assert ClusterNode.from_api(data) == ClusterNode(
        instance_id="i-123",
        node_name="node-1",
        instance_type="c3.large",
        availability_zone="us-west-2b",
        virtual_node_group_id="ols-123",
        virtual_node_group_name="dev-vng",
        life_cycle="OD (RI)",
        registration_status="Registered",
        created_at="2021-10-1T05:51:06.000Z",
    )


def test_cluster() -> None:
    """What a migration needs of a cluster; the rest is kept as it came."""
    data = {
        "id": "o-1", "name": "demo", "controllerClusterId": "ocean-dev", "region": "us-west-2",
        "capacity": {"minimum": 0, "maximum": 1000}, "strategy": {"spotPercentage": 80, "fallbackToOd": True},
        "autoScaler": {"isEnabled": True, "resourceLimits": {"maxVCpu": 512, "maxMemoryGib": 2000}},
        "scheduling": {"shutdownHours": {"isEnabled": True, "timeWindows": ["Fri:15:30-Sat:13:30", None]}},
    }  # fmt: skip
    cluster = Cluster.from_api(data)
    assert cluster == Cluster(
        id="o-1",
        name="demo",
        controller_cluster_id="ocean-dev",
        region="us-west-2",
        autoscaler_enabled=True,
        capacity_maximum=1000,
        maximum_vcpu=512,
        maximum_memory_gib=2000,
        spot_percentage=80,
        fallback_to_od=True,
        shutdown_hours=("Fri:15:30-Sat:13:30",),
        shutdown_enabled=True,
    )


def test_cluster_that_tells_nothing() -> None:
    """What the service leaves out or sends as null is None, not a default of ours."""
    cluster = Cluster.from_api({"id": "o-1", "autoScaler": None, "capacity": None, "strategy": {}, "scheduling": None})
    assert cluster == Cluster(id="o-1")
    assert (cluster.autoscaler_enabled, cluster.capacity_maximum, cluster.fallback_to_od) == (None, None, None)


def test_virtual_node_group() -> None:
    """What a plan needs of a Virtual Node Group."""
    data = {
        "id": "ols-1", "name": "web", "oceanId": "o-1", "labels": [{"key": "env", "value": "test"}],
        "taints": [{"key": "gpu", "value": None, "effect": "NoSchedule"}], "strategy": {"spotPercentage": 50},
        "resourceLimits": {"maxInstanceCount": 20},
    }  # fmt: skip
    assert VirtualNodeGroup.from_api(data) == VirtualNodeGroup(
        id="ols-1",
        name="web",
        ocean_id="o-1",
        labels=(("env", "test"),),
        taints=(("gpu", "", "NoSchedule"),),
        spot_percentage=50,
        maximum_instance_count=20,
    )
