"""The routes of nodes, log and heartbeat, detaching instances, and rolls."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.testing.simulator.conftest import Api


def _cluster(api: Api, rest: str) -> str:
    return f"/ocean/aws/k8s/cluster/{api.ocean_id}/{rest}"


def test_the_list_of_nodes_has_ocean_nodes_only(api: Api) -> None:
    """It is empty until a migration launches nodes, and can be filtered."""
    assert api.send("GET", _cluster(api, "nodes")).items == []
    api.run(api.create())
    nodes = api.send("GET", _cluster(api, "nodes")).items
    assert len(nodes) == 16
    assert nodes[0]["workloadRequestedMilliCpu"] > 0
    group = nodes[0]["launchSpecId"]
    chosen = api.send("GET", _cluster(api, "nodes"), launchSpecId=group).items
    assert {node["launchSpecId"] for node in chosen} == {group}
    one = api.send("GET", _cluster(api, "nodes"), instanceId=nodes[3]["instanceId"]).items
    assert one == [nodes[3]]


def test_detached_instances_leave_ocean(api: Api) -> None:
    """They are terminated or become candidates; only Ocean nodes can be detached."""
    api.run(api.create(api.offered()[:2]))
    ids = [node["instanceId"] for node in api.send("GET", _cluster(api, "nodes")).items]
    path = _cluster(api, "detachInstances")
    assert api.send("PUT", path, {"instancesToDetach": ids[:1], "shouldTerminateInstances": True}).status == 200
    assert api.send("PUT", path, {"instancesToDetach": ids[1:]}).status == 200
    assert api.send("GET", _cluster(api, "nodes")).items == []
    assert ids[1] in api.offered()
    assert ids[0] not in api.offered()
    assert api.send("PUT", path, {"instancesToDetach": ids}).code == "INSTANCE_DOESNT_EXIST"
    assert api.send("PUT", path, {}).code == "ValidationError"


def test_log_by_time_severity_resource_and_limit(api: Api) -> None:
    """Newest first, within the span, of one severity or resource, up to the limit."""
    control = api.sim.control
    control.write_log(api.ocean_id, "an hour ago", severity="WARN", age_seconds=3600)
    now = control.overview()["clock"]["now"]
    assert api.log(severity="WARN")[0]["message"] == "an hour ago"
    recent = api.log(fromDate=str(int((now - 60) * 1000)))
    assert [line["message"] for line in recent] == [f"Ocean {api.ocean_id} successfully created."]
    yesterday = time.strftime("%Y-%m-%d", time.gmtime(now - 86_400))
    tomorrow = time.strftime("%Y-%m-%d", time.gmtime(now + 86_400))
    assert len(api.log(fromDate=yesterday, toDate=tomorrow)) == 2
    assert api.log(fromDate=tomorrow) == []
    api.run(api.create(shouldTerminateDrainedNodes=True))
    assert len(api.log(limit="3")) == 3
    old = control.nodes(api.ocean_id)[0]["instance_id"]
    assert [line["message"] for line in api.log(resourceId=old)] == [
        f"Instance {old} was terminated.",
        f"Instance {old} was drained.",
    ]


def test_the_log_route_accepts_the_controller_id(api: Api) -> None:
    """Spot documents that id, though clients send the Ocean id."""
    span = {"fromDate": "0", "toDate": "99999999999999"}
    assert api.send("GET", "/ocean/aws/k8s/cluster/demo/log", **span).items == api.log()


@pytest.mark.parametrize(
    "query",
    [
        {"fromDate": "0"},
        {"toDate": "0"},
        {"fromDate": "yesterday", "toDate": "0"},
        {"fromDate": "2020-13-01", "toDate": "0"},
        {"fromDate": "0", "toDate": "0", "limit": "1001"},
        {"fromDate": "0", "toDate": "0", "severity": "LOUD"},
    ],
)
def test_an_invalid_log_query_is_refused(api: Api, query: dict[str, str]) -> None:
    """Both dates are required; dates, limit and severity are checked."""
    assert api.send("GET", _cluster(api, "log"), **query).code == "ValidationError"


def test_heartbeats(simulate: Callable[..., Api]) -> None:
    """The heartbeat follows the simulated time, can be old or inactive, or may never have existed."""
    api = simulate(checked=False)
    path = f"/ocean/k8s/cluster/{api.ocean_id}/controllerHeartbeat"
    first = api.send("GET", path).items[0]
    api.sim.control.advance(3600)
    assert api.send("GET", path).items[0]["lastHeartbeat"] > first["lastHeartbeat"]
    api.sim.control.heartbeat(api.ocean_id, status="INACTIVE", age_seconds=7200)
    old = api.send("GET", path).items[0]
    assert old["status"] == "INACTIVE"
    assert old["lastHeartbeat"] < first["lastHeartbeat"]
    api.sim.control.heartbeat(api.ocean_id, status=None)
    assert api.send("GET", path).items == []
    api.sim.control.quirk("heartbeat", "null")
    assert api.send("GET", path).items == [{"status": None, "lastHeartbeat": None}]


def test_the_date_header_agrees_with_the_times_in_bodies(api: Api) -> None:
    """Both follow the simulated clock, so that a client can compute a span of the log."""
    api.sim.control.advance(86_400)
    reply = api.send("GET", api.base)
    stamped = reply.body["request"]["timestamp"]
    assert (
        time.strftime("%Y-%m-%dT%H:%M", time.strptime(reply.headers["date"], "%a, %d %b %Y %H:%M:%S GMT"))
        == (stamped[:16])
    )


def test_a_roll_runs_and_ends(api: Api) -> None:
    """It needs nodes, only one can run, it can be stopped, and it ends by itself."""
    path = _cluster(api, "roll")
    spec = {"roll": {"batchSizePercentage": 20, "respectPdb": False}}
    assert api.send("POST", path, spec).code == "CLUSTER_HAS_NO_ACTIVE_INSTANCES"
    api.run(api.create())
    first = api.send("POST", path, spec).items[0]
    assert (first["status"], first["numOfBatches"], first["scope"]) == ("IN_PROGRESS", 5, "Cluster")
    again = api.send("POST", path, spec)
    assert again.body["response"]["errors"][0]["message"].startswith("Can't have 2 Rolls at the same time.")
    api.sim.control.advance(300)
    assert api.send("GET", f"{path}/{first['id']}").items[0]["progress"]["value"] == 50
    stopped = api.send("PUT", f"{path}/{first['id']}", {"roll": {"status": "STOPPED"}}).items[0]
    assert stopped["status"] == "STOPPED"
    second = api.send("POST", path, {"roll": {"launchSpecIds": ["ols-1"]}}).items[0]
    api.sim.control.advance(600)
    assert [(roll["id"], roll["status"], roll["scope"]) for roll in api.send("GET", path).items] == [
        (first["id"], "STOPPED", "Cluster"),
        (second["id"], "COMPLETED", "Vngs"),
    ]
    assert api.send("GET", f"{path}/scr-00000000").code == "CANT_GET_CLUSTER_ROLL"
