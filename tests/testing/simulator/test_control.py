"""The control API: changes of the world, and refused arguments."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

from ocean_migration_pulumi.simulator import ControlError, SimulatorControl
from tests.support.timing import PATIENCE
from tests.testing.simulator.conftest import Api


def test_overview_describes_the_world(api: Api) -> None:
    """The overview has accounts, clusters, scenario and clock."""
    migration = api.create()
    overview = api.sim.control.overview()
    assert overview["accounts"] == [api.sim.account_id]
    assert overview["clusters"] == [
        {
            "id": api.ocean_id,
            "name": "demo",
            "controller_id": "demo",
            "account_id": api.sim.account_id,
            "heartbeat": "ACTIVE",
            "nodes": 16,
            "running_migrations": [migration],
        }
    ]
    assert (overview["scenario"], overview["seed"]) == ("success", 0)
    assert overview["clock"]["manual"]


def test_a_held_cluster_freezes_its_migrations(api: Api) -> None:
    """Neither a migration nor a stop makes progress, and the held time does not count."""
    migration = api.create()
    api.run(migration, until="AWAIT_REPLACEMENTS")
    api.sim.control.advance(50)
    api.sim.control.hold(api.ocean_id)
    api.sim.control.hold(api.ocean_id)
    api.sim.control.advance(5000)
    assert api.status(migration)["status"] == "AWAIT_REPLACEMENTS"
    api.sim.control.hold(api.ocean_id, False)
    api.sim.control.advance(30)
    assert api.status(migration)["status"] == "AWAIT_REPLACEMENTS"
    api.sim.control.advance(10)
    assert api.status(migration)["status"] == "HANDLE_UNSCHEDULE"
    api.sim.control.hold(api.ocean_id)
    api.stop(migration)
    api.sim.control.advance(5000)
    assert api.status(migration)["status"] == "STOPPING"
    api.sim.control.hold(api.ocean_id, False)
    assert api.run(migration)[-1] == "STOPPED"


def test_a_foreign_migration_is_not_in_the_request_log(api: Api) -> None:
    """It is started and stopped as in the console, with its flags, and never refused."""
    api.create(api.offered()[:4])
    ids = api.offered()[:2]
    foreign = api.sim.control.start_foreign_migration(api.ocean_id, ids, terminate=True, batch_size_percentage=10)
    assert [entry["migration_id"] for entry in api.sim.control.requests(effective=True)] != [foreign]
    record = api.sim.control.migrations(api.ocean_id)[-1]
    assert (record["id"], record["foreign"], record["terminate"], record["batches"]) == (foreign, True, True, 2)
    api.sim.control.stop_foreign(api.ocean_id, foreign, terminate=True)
    assert api.run(foreign)[-1] == "STOPPED"
    with pytest.raises(ControlError, match="has ended"):
        api.sim.control.stop_foreign(api.ocean_id, foreign)
    with pytest.raises(ControlError, match="does not exist"):
        api.sim.control.start_foreign_migration(api.ocean_id, ["i-nowhere"])


def test_states_can_be_set_and_migrations_failed(api: Api) -> None:
    """A known state is entered, an unknown one only shown until the next change; a failure writes its log line."""
    migration = api.create()
    api.sim.control.set_state(api.ocean_id, migration, "DRAIN_NODES")
    assert api.status(migration)["oldInstances"][0]["state"] == "DRAINING"
    api.sim.control.set_state(api.ocean_id, migration, "SHUFFLING")
    api.sim.control.advance(1)
    record = api.sim.control.migrations(api.ocean_id)[0]
    assert (record["state"], record["shown_state"], record["terminal"]) == ("DRAIN_NODES", "SHUFFLING", False)
    api.sim.control.fail_migration(api.ocean_id, migration, "schedule")
    assert api.status(migration)["status"] == "ERROR"
    assert api.run(migration) == ["ERROR", "FINISHED_ERROR"]
    assert api.log(severity="ERROR")[0]["message"].endswith("failure to schedule pods on new nodes.")
    with pytest.raises(ControlError, match="has ended"):
        api.sim.control.fail_migration(api.ocean_id, migration)
    second = api.create()
    api.sim.control.set_state(api.ocean_id, second, "FINISHED_ERROR")
    assert "erroredAt" in api.status(second)


def test_ended_migrations_can_be_forgotten(api: Api) -> None:
    """They are neither listed nor found, but their nodes stay migrated."""
    ids = api.offered()
    first = api.create(ids[:2])
    api.run(first)
    second = api.create(ids[2:])
    api.sim.control.forget_migrations(api.ocean_id)
    assert [item["Id"] for item in api.send("GET", api.base).items] == [second]
    assert api.send("GET", f"{api.base}/{first}").code == "MIGRATION_DOESNT_EXIST"
    assert [record["forgotten"] for record in api.sim.control.migrations(api.ocean_id)] == [True, False]


def test_clusters_can_be_added_and_deleted(api: Api) -> None:
    """Each cluster has its own nodes and scenario."""
    other = api.sim.control.add_cluster(5, name="second", scenario="never-heartbeat")
    assert len(api.sim.control.nodes(other["id"])) == 5
    assert api.send("GET", f"/ocean/k8s/cluster/{other['id']}/controllerHeartbeat").items == []
    api.sim.control.delete_cluster(api.ocean_id)
    assert api.send("GET", api.base).code == "CLUSTER_DOESNT_EXIST"
    assert api.sim.ocean_id == other["id"]


def test_nodes_and_pods_can_be_changed(api: Api) -> None:
    """They are added, changed and removed; unknown names are refused."""
    control, ocean_id = api.sim.control, api.ocean_id
    node = control.add_node(ocean_id, "web", pods=1)["instance_id"]
    control.set_node(ocean_id, node, cordoned=True)
    pod = control.add_pod(ocean_id, node, name="x", namespace="n", labels={"a": "b"})
    found = control.nodes(ocean_id)[-1]
    assert (found["asg_name"], found["labels"]["workload"], found["cordoned"]) == ("web", "web", True)
    assert pod in found["pods"]
    control.remove_pod(ocean_id, "x", instance_id=node)
    assert len(control.nodes(ocean_id)[-1]["pods"]) == 1
    with pytest.raises(ControlError, match="exists already"):
        control.add_node(ocean_id, "web", instance_id=node)
    for name, instance_id in (("x", node), ("x", None), ("x", "i-nowhere")):
        with pytest.raises(ControlError, match="does not exist"):
            control.remove_pod(ocean_id, name, instance_id=instance_id)
    with pytest.raises(ControlError, match="does not exist"):
        control.remove_node(ocean_id, "i-nowhere")


def test_a_removed_node_stays_in_the_status_of_its_migration(api: Api) -> None:
    """The other nodes are migrated."""
    ids = api.offered()[:4]
    migration = api.create(ids, batchSizePercentage=50)
    api.sim.control.remove_node(api.ocean_id, ids[0])
    assert api.run(migration)[-1] == "FINISHED"
    states = {one["instanceId"]: one["state"] for one in api.status(migration)["oldInstances"]}
    assert states == {ids[0]: "TERMINATED", **dict.fromkeys(ids[1:], "DRAINED")}


def test_unknown_names_and_invalid_values_are_refused(api: Api) -> None:
    """The message lists the valid values."""
    control, ocean_id = api.sim.control, api.ocean_id
    migration = api.create()
    for arguments, message in (
        (("unheard_of",), "unknown verb"),
        (("_cluster",), "unknown verb"),
    ):
        with pytest.raises(ControlError, match=message):
            control.call(*arguments)
    with pytest.raises(ControlError, match="unknown reason"):
        control.fail_migration(ocean_id, migration, "earthquake")
    with pytest.raises(ControlError, match="unknown reason"):
        control.arm_failure(ocean_id, "earthquake")
    with pytest.raises(ControlError, match="no quirk"):
        control.quirk("runningPods", "roman")
    with pytest.raises(ControlError, match="unknown scenario"):
        control.add_cluster(scenario="earthquake")
    with pytest.raises(ControlError, match="does not exist"):
        control.add_cluster(account_id="act-00000000")
    with pytest.raises(ControlError, match="speed must be"):
        control.clock(speed=-1)
    with pytest.raises(ControlError, match="must not be negative"):
        control.rate_limit("*", "GET", -1)
    with pytest.raises(ControlError, match="o-00000000"):
        control.nodes("o-00000000")
    with pytest.raises(ControlError, match="unexpected keyword"):
        control.call("advance", hours=1)


def test_only_reading_verbs_accept_get(api: Api) -> None:
    """A verb without effect can be called with curl alone."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{api.sim.url}/simulator/nodes?ocean_id={api.ocean_id}", timeout=PATIENCE) as response:
        assert len(json.load(response)["result"]) == 16
    api.create()
    with opener.open(f"{api.sim.url}/simulator/requests?effective=true&since=0", timeout=PATIENCE) as response:
        assert len(json.load(response)["result"]) == 1
    with opener.open(f"{api.sim.url}/simulator/environment", timeout=PATIENCE) as response:
        assert json.load(response)["result"]["OCEAN_ID"] == api.ocean_id
    with pytest.raises(urllib.error.HTTPError) as caught:
        opener.open(f"{api.sim.url}/simulator/rotate_token", timeout=PATIENCE)
    with caught.value as error:
        assert error.code == 405


def test_invalid_json_is_refused(api: Api) -> None:
    """A response that is not JSON is a ControlError, too."""
    control = api.sim.control
    for body in (b"{", b"[]", b"7"):
        request = urllib.request.Request(f"{api.sim.url}/simulator/advance", body)
        with (
            pytest.raises(urllib.error.HTTPError) as caught,
            urllib.request.build_opener().open(request, timeout=PATIENCE),
        ):
            pass
        with caught.value as error:
            assert error.code == 400
    with pytest.raises(ControlError, match="HTTP Error 40"):
        control.get("barrier/none")


def test_labels_of_a_node_can_be_changed(api: Api) -> None:
    """One label is replaced, one removed, and the others stay."""
    node = api.sim.control.nodes(api.ocean_id)[0]
    changed = api.sim.control.set_node(api.ocean_id, node["instance_id"], labels={"workload": "new", "x": None})
    assert changed["labels"] == {**node["labels"], "workload": "new"}


def test_the_control_client_ignores_proxies(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulator may be that proxy itself."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert SimulatorControl(api.sim.url + "/").overview()["seed"] == 0
