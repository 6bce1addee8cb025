"""What the service says for a while, and what is true all the time: the world is read through the control API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ocean_migration_pulumi.simulator import ControlError
from tests.testing.simulator.conftest import Api, Kubernetes


@pytest.fixture
def raw(simulate: Callable[..., Api]) -> Api:
    """Return a client whose answers are not checked."""
    return simulate(checked=False)


def true_state(api: Api, migration_id: str) -> str:
    """Return the state of a migration in the world."""
    return str(next(each["state"] for each in api.sim.control.migrations(api.ocean_id) if each["id"] == migration_id))


def true_pods(api: Api, instance_ids: list[str]) -> int:
    """Return how many pods are on nodes in the world."""
    nodes = api.sim.control.nodes(api.ocean_id)
    return sum(len(node["pods"]) for node in nodes if node["instance_id"] in instance_ids)


def listed(api: Api) -> dict[str, str]:
    """Return the state of each migration in the list, by id, in its order."""
    return {item["Id"]: item["state"] for item in api.send("GET", api.base).items}


def last_pods(api: Api, migration_id: str) -> int:
    """Return the number of pods on the last old node that the status has."""
    return int(api.status(migration_id)["oldInstances"][-1]["runningPods"])


def test_a_list_lags_behind_starts_and_ends(api: Api) -> None:
    """A migration is not listed at first, and later its state is that of the lag before; the status is true."""
    api.sim.control.quirk("list_lag", "25s")
    ids = api.offered()[:2]
    started = api.create(ids)
    assert listed(api) == {}
    assert api.status(started)["status"] == "STARTING"
    api.sim.control.advance(24)
    assert listed(api) == {}
    assert true_state(api, started) == "AWAIT_REPLACEMENTS"
    api.sim.control.advance(2)
    assert listed(api) == {started: "STARTING"}
    assert api.stop(started).status == 200
    api.run(started, step=1)
    assert listed(api) == {started: "RESCHEDULE_NODES"}
    api.sim.control.advance(26)
    assert listed(api) == {started: "STOPPED"}


def test_a_list_that_lags_has_no_time_of_an_end_that_it_does_not_know(api: Api) -> None:
    """It appears with the state."""
    started = api.create(api.offered()[:1])
    api.run(started, step=1)
    api.sim.control.quirk("list_lag", "5s")
    assert "completedAt" not in api.send("GET", api.base).items[0]
    api.sim.control.advance(6)
    assert listed(api) == {started: "FINISHED"}
    assert "completedAt" in api.send("GET", api.base).items[0]


def test_discovery_lags_behind_an_end(api: Api) -> None:
    """The nodes of a migration that has ended stay hidden for a while, with all their pods."""
    api.sim.control.quirk("discovery_lag", "17s")
    ids = api.offered()[:2]
    started = api.create(ids)
    api.sim.control.fail_migration(api.ocean_id, started)
    api.run(started, step=1)
    assert true_pods(api, ids) > 0
    assert not set(ids) & set(api.offered())
    api.sim.control.advance(17)
    assert set(ids) <= set(api.offered())


@pytest.mark.parametrize(
    ("name", "value"), [("list_lag", "soon"), ("list_lag", "-5s"), ("dates", "5s"), ("x_lag", "5s")]
)
def test_a_lag_is_a_number_of_seconds(api: Api, name: str, value: str) -> None:
    """Other values and other quirks are refused."""
    with pytest.raises(ControlError, match="list_lag: 0s"):
        api.sim.control.quirk(name, value)


def test_pods_of_daemon_sets_are_counted_or_not(api: Api) -> None:
    """A drained node has two pods where they are, in the status and in discovery; Kubernetes has them always."""
    (first, *_), kubernetes = api.offered(), Kubernetes(api.sim)
    started = api.create([first])
    before = last_pods(api, started)
    assert before == true_pods(api, [first])
    api.sim.control.quirk("count_daemonset_pods", "yes")
    assert last_pods(api, started) == before + 2
    offered = {each["instanceId"]: each["runningPods"] for each in api.discover()}
    assert offered == {name: true_pods(api, [name]) + 2 for name in offered}
    api.run(started)
    assert true_pods(api, [first]) == 0
    assert last_pods(api, started) == 2
    (name,) = [node["node_name"] for node in api.sim.control.nodes(api.ocean_id) if node["instance_id"] == first]
    assert len(kubernetes.names("/api/v1/pods", fieldSelector=f"spec.nodeName={name}")) == 2
    api.sim.control.terminate_node(api.ocean_id, first)
    assert last_pods(api, started) == 0


def test_a_number_of_pods_that_flaps(raw: Api) -> None:
    """Every second answer has one pod more on the last old node, in its own type; no pod moves."""
    ids = raw.offered()[:2]
    started = raw.create(ids)
    pods = true_pods(raw, ids[-1:])
    raw.sim.control.fault("GET", f"{raw.base}/*", "flap", times=4)
    assert [last_pods(raw, started) - pods for _ in range(6)] == [0, 1, 0, 1, 0, 0]
    raw.sim.control.quirk("runningPods", "string")
    raw.sim.control.fault("GET", f"{raw.base}/*", "flap", times=2)
    assert [raw.status(started)["oldInstances"][-1]["runningPods"] for _ in range(2)] == [str(pods), str(pods + 1)]
    assert true_pods(raw, ids[-1:]) == pods


@pytest.mark.parametrize(
    ("state", "time"), [("FINISHED", "completedAt"), ("FINISHED_ERROR", "erroredAt"), ("STOPPED", "stoppedAt")]
)
def test_an_early_end_has_its_time(raw: Api, state: str, time: str) -> None:
    """The status says so with all pods still there, and the migration goes on."""
    ids = raw.offered()[:2]
    started = raw.create(ids)
    raw.sim.control.fault("GET", f"{raw.base}/*", "contradict", state=state)
    item = raw.status(started)
    assert item["status"] == state
    assert {"completedAt", "erroredAt", "stoppedAt"} & item.keys() == {time}
    assert sum(entry["runningPods"] for entry in item["oldInstances"]) == true_pods(raw, ids)
    assert true_state(raw, started) == "STARTING"
    assert raw.run(started)[-1] == "FINISHED"


def test_a_status_without_old_nodes_in_its_true_state(raw: Api) -> None:
    """As a service that has lost them says it."""
    started = raw.create(raw.offered()[:1])
    raw.run(started)
    raw.sim.control.fault("GET", f"{raw.base}/*", "contradict", state=None, entries=False)
    item = raw.status(started)
    assert (item["status"], item["oldInstances"]) == ("FINISHED", [])
    assert item["completedAt"]
    assert raw.status(started)["oldInstances"]


def test_a_state_goes_backwards(raw: Api) -> None:
    """A migration that has ended seems to run again, without the time of its end."""
    started = raw.create(raw.offered()[:1])
    raw.run(started)
    raw.sim.control.fault("GET", f"{raw.base}*", "contradict", state="DRAIN_NODES", times=2)
    item = raw.status(started)
    assert (item["status"], item.get("completedAt")) == ("DRAIN_NODES", None)
    assert listed(raw) == {started: "DRAIN_NODES"}
    assert raw.status(started)["status"] == listed(raw)[started] == true_state(raw, started) == "FINISHED"


def test_a_migration_that_is_finished_with_its_pods(api: Api) -> None:
    """For good: it has ended in the world, too, and its nodes are offered again."""
    ids = api.offered()[:2]
    started = api.create(ids)
    before = true_pods(api, ids)
    api.sim.control.set_state(api.ocean_id, started, "FINISHED")
    item = api.status(started)
    assert {entry["state"] for entry in item["oldInstances"]} == {"RUNNING"}
    assert sum(entry["runningPods"] for entry in item["oldInstances"]) == true_pods(api, ids) == before
    assert listed(api) == {started: "FINISHED"}
    assert set(ids) <= set(api.offered())


def test_an_early_end_leaves_no_pod_without_a_node(api: Api) -> None:
    """What was evicted by then is scheduled on the new nodes."""
    started = api.create()
    api.run(started, until="DRAIN_NODES")
    api.sim.control.advance(16)
    assert api.status(started)["newUnscheduledPodIds"]
    api.sim.control.set_state(api.ocean_id, started, "FINISHED")
    assert not api.status(started)["newUnscheduledPodIds"]
    nodes = api.sim.control.nodes(api.ocean_id)
    assert sum(len(node["pods"]) for node in nodes if node["ocean_managed"]) > 0


def test_a_fault_lasts_for_a_time(raw: Api) -> None:
    """From its first strike on, in simulated seconds, however often it would strike."""
    raw.sim.control.fault("GET", raw.base, "forget", times=1000, lasts=60)
    started = raw.create(raw.offered()[:1])
    raw.sim.control.advance(1000)
    assert listed(raw) == {}
    raw.sim.control.advance(59)
    assert listed(raw) == {}
    raw.sim.control.advance(1)
    assert list(listed(raw)) == [started]


def test_migrations_of_others_that_have_ended(api: Api) -> None:
    """They are listed by age among ours, and each status is complete."""
    started = api.create(api.offered()[:1])
    api.sim.control.advance(1000)
    newer = api.sim.control.add_ended_migrations(api.ocean_id)
    older = api.sim.control.add_ended_migrations(api.ocean_id, 2, state="STOPPED", age_seconds=3600)
    states = listed(api)
    assert len(newer) == 25
    assert set(list(states)[:25]) == set(newer)
    assert list(states)[25] == started
    assert {states[each] for each in older} == {"STOPPED"}
    (entry,) = api.status(older[0])["oldInstances"]
    assert (entry["state"], entry["runningPods"]) == ("TERMINATED", 0)
    assert not set(newer) & {each["id"] for each in api.sim.control.migrations(api.ocean_id) if not each["terminal"]}
    with pytest.raises(ControlError, match="FINISHED_ERROR"):
        api.sim.control.add_ended_migrations(api.ocean_id, state="DRAIN_NODES")


def test_another_user_s_migration_overlaps_ours(api: Api) -> None:
    """With other flags, and never refused: the nodes are free when either has drained them."""
    ids = api.offered()[:4]
    started = api.create(ids[:3])
    other = api.sim.control.start_foreign_migration(api.ocean_id, ids[1:], terminate=True, force=True)
    assert set(api.offered()).isdisjoint(ids)
    api.run(started)
    api.run(other)
    ours, theirs = (api.status(each) for each in (started, other))
    assert [each["migrationConfig"]["shouldTerminateDrainedNodes"] for each in (ours, theirs)] == [False, True]
    assert true_pods(api, ids) == 0
    world: dict[str, Any] = {node["instance_id"]: node for node in api.sim.control.nodes(api.ocean_id)}
    assert not world[ids[0]]["terminated"]
    assert world[ids[3]]["terminated"]
