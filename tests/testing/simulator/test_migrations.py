"""The routes of migrations, and the 13 states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.testing.simulator import schemas
from tests.testing.simulator.conftest import OPTIONS, Api

BATCH = ["STARTING", "AWAIT_REPLACEMENTS", "HANDLE_UNSCHEDULE", "DRAIN_NODES", "VALIDATE_DRAIN"]
STOPPED_DUE_TO = "The migration has stopped due to "
FAILURES = {
    "connectivity": "connectivity issues. Make sure the Spotinst controller is installed and working properly.",
    "instances": "inability to spin up enough new instances. "
    "Make sure all required Virtual Node Groups are configured.",
    "timeout": "technical timeout.",
    "schedule": "failure to schedule pods on new nodes.",
    "terminate": "failure to terminate old instances.",
    "stop-terminate": "failure to terminate old instances during migration stop process.",
    "stop-reschedule": "failure to reschedule old instances during migration stop process.",
}


def test_a_migration_goes_through_its_batches(api: Api) -> None:
    """Four batches of the per-batch states, then the termination, then FINISHED with every node gone."""
    migration = api.create(shouldTerminateDrainedNodes=True)
    assert api.run(migration) == [*BATCH * 4, "TERMINATE_NODES", "AWAIT_TERMINATION", "FINISHED"]
    status = api.status(migration)
    assert {instance["state"] for instance in status["oldInstances"]} == {"TERMINATED"}
    assert len(status["newInstances"]) == 16
    assert status["completedAt"] > status["createdAt"]
    assert "erroredAt" not in status
    assert "stoppedAt" not in status
    assert api.offered() == []


def test_a_migration_of_the_default_world_takes_twenty_minutes(api: Api) -> None:
    """Sixteen nodes at 20 % take about 20 simulated minutes: at speed 60 a demo stays below 25 s."""
    migration = api.create(shouldTerminateDrainedNodes=True)
    before = api.sim.control.overview()["clock"]["now"]
    api.run(migration)
    assert 15 * 60 < api.sim.control.overview()["clock"]["now"] - before <= 25 * 60


def test_all_thirteen_states_are_seen(simulate: Callable[..., Api]) -> None:
    """A finished, a stopped and a failed migration together show every state of the enum."""
    api = simulate()
    seen = set(api.run(api.create(api.offered()[:4])))
    second = api.create(api.offered()[:4])
    seen |= set(api.run(second, until="DRAIN_NODES"))
    api.sim.control.advance(200)
    api.stop(second, shouldTerminateDrainedNodes=True)
    seen |= set(api.run(second))
    api.sim.control.arm_failure(api.ocean_id, "timeout")
    seen |= set(api.run(api.create()))
    assert seen == set(schemas.STATES)


def test_all_nodes_are_cordoned_at_the_start_and_pods_move(api: Api) -> None:
    """Every chosen node is cordoned at once; running pods go down on the old nodes and up on the new ones."""
    migration = api.create()
    assert all(node["cordoned"] for node in api.sim.control.nodes(api.ocean_id))
    before = sum(instance["runningPods"] for instance in api.status(migration)["oldInstances"])
    api.run(migration, until="DRAIN_NODES")
    api.sim.control.advance(40)
    during = api.status(migration)
    assert {instance["state"] for instance in during["oldInstances"]} == {"DRAINING", "RUNNING"}
    assert during["newUnscheduledPodIds"] != ""
    api.run(migration)
    after = api.status(migration)
    assert sum(instance["runningPods"] for instance in after["oldInstances"]) == 0
    assert sum(instance["runningPods"] for instance in after["newInstances"]) == before
    assert after["unscheduledPodIds"] == after["newUnscheduledPodIds"] == ""


def test_without_termination_the_drained_nodes_stay_and_are_not_offered(api: Api) -> None:
    """Drained nodes that are kept stay cordoned, and discovery does not offer them again."""
    migration = api.create()
    assert api.run(migration)[-1] == "FINISHED"
    assert {instance["state"] for instance in api.status(migration)["oldInstances"]} == {"DRAINED"}
    assert api.offered() == []
    node = api.sim.control.nodes(api.ocean_id)[0]
    assert node["drained"]
    assert node["cordoned"]
    assert not node["terminated"]


def test_a_migration_of_drained_nodes_drains_none_of_them_again(api: Api) -> None:
    """They have been free since the first one; a node that took a pod since then is drained anew."""

    def drained_at() -> list[float]:
        nodes = api.sim.control.nodes(api.ocean_id)
        return [node["drained_at"] for node in nodes if node["instance_id"] in migrated]

    migrated = api.offered()[:2]
    api.run(api.create(migrated))
    before = drained_at()
    api.sim.control.add_pod(api.ocean_id, migrated[0], name="late")
    api.run(api.sim.control.start_foreign_migration(api.ocean_id, migrated))
    after = drained_at()
    assert after[0] > before[0]
    assert after[1] == before[1]


@pytest.mark.parametrize(("percentage", "batches"), [(1, 16), (6, 16), (7, 8), (20, 4), (50, 2)])
def test_the_batch_size_is_rounded_up(api: Api, percentage: int, batches: int) -> None:
    """A batch is the percentage of the nodes, rounded up, at least one."""
    api.create(batchSizePercentage=percentage)
    assert api.sim.control.migrations(api.ocean_id)[0]["batches"] == batches


@pytest.mark.parametrize("reason", ["connectivity", "instances", "timeout", "schedule", "terminate"])
def test_a_failure_ends_in_finished_error_with_its_log_line(simulate: Callable[..., Api], reason: str) -> None:
    """A failure passes ERROR, ends in FINISHED_ERROR, and only the log has the reason, at ``erroredAt``."""
    api = simulate(scenario=f"failure-{reason}")
    migration = api.create(shouldTerminateDrainedNodes=True)
    assert api.run(migration)[-2:] == ["ERROR", "FINISHED_ERROR"]
    line = api.log(severity="ERROR")[0]
    assert line["message"] == STOPPED_DUE_TO + FAILURES[reason]
    status = api.status(migration)
    assert line["createdAt"] == status["erroredAt"]
    assert "completedAt" not in status
    migrated = {"connectivity": 4, "instances": 4, "timeout": 8, "schedule": 8, "terminate": 16}[reason]
    assert [instance["state"] for instance in status["oldInstances"]].count("DRAINED") == migrated
    assert len(api.offered()) == 16 - migrated


@pytest.mark.parametrize("reason", ["stop-terminate", "stop-reschedule"])
def test_a_stop_can_fail(simulate: Callable[..., Api], reason: str) -> None:
    """The two failures of a stop happen on its way, with their own log lines."""
    api = simulate(scenario=f"failure-{reason}")
    migration = api.create()
    api.run(migration, until="VALIDATE_DRAIN")
    assert api.stop(migration, shouldTerminateDrainedNodes=True).items[0]["state"] == "STOPPED"
    assert api.run(migration)[-2:] == ["ERROR", "FINISHED_ERROR"]
    assert api.log(severity="ERROR")[0]["message"] == STOPPED_DUE_TO + FAILURES[reason]


def test_a_failure_of_a_scenario_happens_once(simulate: Callable[..., Api]) -> None:
    """The next migration finishes."""
    api = simulate(scenario="failure-instances")
    api.run(api.create())
    assert api.run(api.create())[-1] == "FINISHED"


@pytest.mark.parametrize("terminate", [False, True])
def test_a_stop_keeps_drained_nodes_and_uncordons_the_rest(api: Api, terminate: bool) -> None:
    """STOPPING, RESCHEDULE_NODES, with the flag the termination, then STOPPED; undrained nodes are offered again."""
    migration = api.create(shouldTerminateDrainedNodes=True)
    api.run(migration, until="VALIDATE_DRAIN")
    reply = api.stop(migration, shouldTerminateDrainedNodes=terminate)
    assert reply.items == [{"id": migration, "oceanId": api.ocean_id, "state": "STOPPED"}]
    ending = ["TERMINATE_NODES", "AWAIT_TERMINATION"] if terminate else []
    assert api.run(migration) == ["STOPPING", "RESCHEDULE_NODES", *ending, "STOPPED"]
    status = api.status(migration)
    states = [instance["state"] for instance in status["oldInstances"]]
    assert states.count("TERMINATED" if terminate else "DRAINED") == 4
    assert states.count("RUNNING") == 12
    assert "stoppedAt" in status
    assert len(api.offered()) == 12
    undrained = [
        node for node in api.sim.control.nodes(api.ocean_id) if not node["ocean_managed"] and not node["drained"]
    ]
    assert not any(node["cordoned"] for node in undrained)
    assert api.sim.control.migrations(api.ocean_id)[0]["drained_before_stop"]


def test_a_stop_in_the_middle_of_a_batch_schedules_its_pods(api: Api) -> None:
    """No pod stays unscheduled when the stop is over."""
    migration = api.create()
    api.run(migration, until="DRAIN_NODES")
    api.sim.control.advance(40)
    assert api.status(migration)["newUnscheduledPodIds"]
    api.stop(migration)
    api.run(migration)
    assert api.status(migration)["newUnscheduledPodIds"] == ""
    assert not api.sim.control.migrations(api.ocean_id)[0]["drained_before_stop"]


def test_stopping_twice_changes_nothing_and_an_ended_one_is_refused(api: Api) -> None:
    """A second PUT while it stops is answered like the first; one after the end is HTTP 400."""
    migration = api.create()
    api.stop(migration)
    api.sim.control.advance(5)
    assert api.stop(migration).status == 200
    assert api.run(migration)[-1] == "STOPPED"
    assert api.stop(migration).code == "MIGRATION_ALREADY_ENDED"


def test_migrations_are_listed_newest_first(api: Api) -> None:
    """Every migration is listed with its state; ``completedAt`` only once it is completed."""
    first = api.create(api.offered()[:2])
    api.run(first)
    second = api.create(api.offered()[:2])
    items = api.send("GET", api.base).items
    assert [item["Id"] for item in items] == [second, first]
    assert [item["state"] for item in items] == ["STARTING", "FINISHED"]
    assert ["completedAt" in item for item in items] == [False, True]


def test_a_second_migration_is_refused_by_default(api: Api) -> None:
    """One migration at a time by default; the quirk allows more, even of the same nodes."""
    ids = api.offered()
    api.create(ids[:8])
    reply = api.post(ids[8:])
    assert (reply.status, reply.code) == (400, "MIGRATION_ALREADY_RUNNING")
    api.sim.control.quirk("concurrent_migrations", "allow")
    assert api.post(ids[4:]).status == 200
    assert len(api.sim.control.requests(effective=True)) == 2


def test_nodes_of_a_running_migration_are_not_offered(api: Api) -> None:
    """They are offered again once it has ended without them; the quirk offers them meanwhile."""
    ids = api.offered()
    migration = api.create(ids[:8])
    assert api.offered() == ids[8:]
    api.sim.control.quirk("offer_migrating", "yes")
    assert api.offered() == ids
    api.stop(migration)
    api.run(migration)
    assert api.offered() == ids


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"batchSizePercentage": 0}, "batchSizePercentage", "must be larger than or equal to 1"),
        ({"batchSizePercentage": 51}, "batchSizePercentage", "must be less than or equal to 50"),
        ({"batchSizePercentage": 12.5}, "batchSizePercentage", "must be an integer"),
        ({"batchSizePercentage": True}, "batchSizePercentage", "must be an integer"),
        ({"batchSizePercentage": None}, "batchSizePercentage", "must be an integer"),
        ({"shouldEvictStandAlonePods": "yes"}, "shouldEvictStandAlonePods", "must be a boolean"),
        ({"instanceIds": []}, "instanceIds", "must contain at least 1"),
        ({"instanceIds": [7]}, "instanceIds.0", "must be a string"),
        ({"batchSize": 20}, "batchSize", "is not allowed"),
    ],
)
def test_a_bad_body_is_a_validation_error(api: Api, spec: dict[str, Any], field: str, message: str) -> None:
    """The error names the field; nothing is started."""
    reply = api.post(api.offered(), **spec)
    assert reply.status == 400
    error = reply.body["response"]["errors"][0]
    assert (error["code"], error["field"]) == ("ValidationError", f"body:migration.{field}")
    assert error["message"].endswith(message)
    assert api.sim.control.migrations(api.ocean_id) == []
    assert api.sim.control.requests(effective=True) == []


@pytest.mark.parametrize("missing", [*OPTIONS, "instanceIds"])
def test_every_field_of_a_create_is_required(api: Api, missing: str) -> None:
    """All five fields must be there."""
    spec = {**OPTIONS, "instanceIds": api.offered()}
    del spec[missing]
    reply = api.send("POST", api.base, {"migration": spec})
    assert reply.body["response"]["errors"] == [
        {"code": "ValidationError", "message": f'"{missing}" is required', "field": f"body:migration.{missing}"}
    ]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"migration": []}', b'{"other": 1}'])
def test_a_body_without_a_migration_is_refused(api: Api, body: bytes) -> None:
    """Invalid JSON, no object, or no ``migration``: all HTTP 400."""
    assert api.send("POST", api.base, body).code == "ValidationError"


def test_an_invalid_stop_is_refused(api: Api) -> None:
    """The only state that can be asked for is STOPPED."""
    migration = api.create()
    path = f"{api.base}/{migration}"
    assert api.send("PUT", path, {"migration": {"state": "FINISHED"}}).code == "ValidationError"
    assert api.send("PUT", path, {"migration": {}}).code == "ValidationError"
    assert api.status(migration)["status"] == "STARTING"


def test_only_candidates_can_be_migrated(api: Api) -> None:
    """An unknown, a terminated and one of Ocean's own instances are refused."""
    assert api.post(["i-0123456789abcdef0"]).code == "INSTANCE_DOESNT_EXIST"
    own = api.sim.control.add_node(api.ocean_id, None, ocean_managed=True)["instance_id"]
    assert own not in api.offered()
    assert api.post([own]).code == "CANT_MIGRATE_OCEAN_INSTANCE"
    ids = api.offered()[:1]
    api.run(api.create(ids, shouldTerminateDrainedNodes=True))
    assert api.post(ids).code == "INSTANCE_DOESNT_EXIST"


def test_unknown_objects_are_http_400_with_a_code(api: Api) -> None:
    """A migration and a cluster that do not exist are told by code, not by HTTP status."""
    assert api.send("GET", f"{api.base}/owm-00000000").code == "MIGRATION_DOESNT_EXIST"
    assert api.stop("owm-00000000").code == "MIGRATION_DOESNT_EXIST"
    assert api.send("GET", "/ocean/aws/k8s/cluster/o-00000000/migration").code == "CLUSTER_DOESNT_EXIST"


def test_one_long_advance_equals_many_short_ones(simulate: Callable[..., Api]) -> None:
    """The state depends on the time alone, not on how often somebody looked."""
    leap, steps = simulate(), simulate()
    for api in (leap, steps):
        migration = api.create()
    leap.sim.control.advance(700)
    for _ in range(100):
        steps.sim.control.advance(7)

    def live_view(api: Api) -> Any:
        status = api.status(migration)
        return [
            (status["status"], [(one["instanceId"], one["runningPods"]) for one in status[key]])
            for key in ("oldInstances", "newInstances")
        ]

    assert live_view(leap) == live_view(steps)


def test_the_same_seed_makes_the_same_world(simulate: Callable[..., Api]) -> None:
    """Ids, nodes and pods follow from the seed; another seed makes others."""
    first, second, other = simulate(seed=7), simulate(seed=7), simulate(seed=8)
    assert first.discover() == second.discover()
    assert first.sim.environment["SPOTINST_TOKEN"] == second.sim.environment["SPOTINST_TOKEN"]
    assert first.offered() != other.offered()
