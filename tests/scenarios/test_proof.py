"""What proves that a node is free: ends that reality contradicts, Kubernetes, and nodes that AWS takes away.

What is true is read from the simulator's world, not from the outputs.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.scenarios.driver import Driver, Run
from tests.scenarios.moments import ANSWERED, BEFORE, UNANSWERED, Moment, kill_unanswered_start
from tests.scenarios.scene import SPEED, STATUSES, Expression, Scene, failed, said, warned
from tests.scenarios.support import assert_done, assert_moved_once, eventually
from tests.scenarios.test_evidence import FOR_EVER, pods_left

KUBECONFIG = Expression('pulumi.Config().require_secret("kubeconfig")')


def with_kubernetes(scene: Scene) -> dict[str, Any]:
    """Return the input that gives the resource access to Kubernetes."""
    scene.driver.configure(secret=True, kubeconfig=scene.simulator.kubeconfig(identity="run"))
    return {"kubeconfig": KUBECONFIG}


def end_without_effect(scene: Scene) -> Run:
    """Run an `up` whose migration is FINISHED, for good, while all pods are where they were."""
    scene.hold()
    running = scene.up_waiting()
    scene.control.set_state(scene.ocean_id, scene.migrations()[0]["id"], "FINISHED")
    scene.hold(False)
    run = running.wait()
    assert run.exit_code != 0, run.output
    assert pods_left(scene)
    return run


def evictable_pods(scene: Scene, nodes: list[str]) -> int:
    """Return how many pods that a drain evicts are on these nodes."""
    world = {node["instance_id"]: node for node in scene.control.nodes(scene.ocean_id)}
    there = [world[name] for name in nodes if name in world and not world[name]["terminated"]]
    return sum(len(node["pods"]) for node in there)


def test_finished_is_contradicted_when_no_pod_has_gone(driver: Driver) -> None:
    """`up` fails and names the nodes; they are in no second start until triggers change."""
    with Scene(driver) as scene:
        scene.declare()
        run = end_without_effect(scene)
        assert failed(run, "FINISHED, but as many pods run", *scene.asg(), "triggers")
        outputs = scene.outputs()
        assert (outputs["succeeded"], outputs["migrated_nodes"]) == (False, [])
        assert outputs["remaining_reasons"] == dict.fromkeys(scene.asg(), "contradicted")
        scene.refresh()
        assert failed(scene.up_fails(), "FINISHED, but as many pods run", *scene.asg())
        assert len(scene.starts()) == 1
        scene.declare(triggers=["again"])
        scene.up()
        assert not pods_left(scene)
        assert [start["instanceIds"] for start in scene.starts()] == [scene.asg()] * 2
        assert_done(driver, scene.asg())
        scene.up_unchanged()


def test_kubernetes_shows_that_finished_has_moved_nothing(driver: Driver) -> None:
    """Also to a refresh, which has no kubeconfig; the next `up` migrates the nodes."""
    with Scene(driver) as scene:
        scene.declare(**with_kubernetes(scene))
        run = end_without_effect(scene)
        assert failed(run, "Kubernetes shows pods that the migration should have evicted", *scene.asg())
        assert scene.outputs()["remaining_reasons"] == dict.fromkeys(scene.asg(), "pods-left")
        scene.refresh()
        assert scene.outputs()["remaining_nodes"] == scene.asg()
        scene.up()
        assert not pods_left(scene)
        outputs = assert_done(driver, scene.asg())
        assert outputs["unverified_nodes"] == []
        scene.refresh()
        assert_done(driver, scene.asg())


@pytest.mark.parametrize("kubernetes", [False, True])
def test_finished_without_entries_proves_nothing(driver: Driver, kubernetes: bool) -> None:
    """Kubernetes does; without it `up` fails, and the next one that reads the entries is green without a start."""
    with Scene(driver) as scene:
        scene.control.fault("GET", STATUSES, "contradict", times=FOR_EVER, state=None, entries=False)
        scene.declare(**(with_kubernetes(scene) if kubernetes else {}))
        if not kubernetes:
            run = scene.up_fails()
            assert failed(run, "nothing proves that the pods have moved", *scene.asg())
            assert scene.outputs()["remaining_reasons"] == dict.fromkeys(scene.asg(), "unproven")
            assert scene.outputs()["succeeded"] is False
            scene.control.clear_faults()
        scene.up()
        assert not pods_left(scene)
        assert len(scene.starts()) == 1
        assert_done(driver, scene.asg())


@pytest.mark.parametrize("kubernetes", [False, True])
def test_a_service_that_counts_pods_of_daemonsets_is_believed(driver: Driver, kubernetes: bool) -> None:
    """Without access to Kubernetes the nodes are named as unverified; no second start, no difference later."""
    with Scene(driver) as scene:
        scene.control.quirk("count_daemonset_pods", "yes")
        scene.declare(**(with_kubernetes(scene) if kubernetes else {}))
        run = scene.up()
        assert_moved_once(scene.simulator, scene.asg())
        outputs = assert_done(driver, scene.asg())
        assert outputs["unverified_nodes"] == ([] if kubernetes else scene.asg())
        assert warned(run, "unverified", *scene.asg()) is not kubernetes
        assert warned(scene.preview(), "unverified", *scene.asg()) is not kubernetes
        scene.up_unchanged()
        scene.refresh()
        assert scene.outputs()["unverified_nodes"] == outputs["unverified_nodes"]
        assert len(scene.starts()) == 1


@pytest.mark.parametrize("kubernetes", [False, True])
@pytest.mark.parametrize("moment", ["before", "during", "after"])
@pytest.mark.parametrize(
    "loss", [{}, {"notice_seconds": 120}, {"replaced": False}], ids=["terminated", "interrupted", "scaled in"]
)
def test_a_node_that_aws_takes_away_fails_no_up(
    driver: Driver, moment: str, loss: dict[str, Any], kubernetes: bool
) -> None:
    """One `up` is green: the node is migrated if a migration held it, else gone; DaemonSets are counted as well."""
    with Scene(driver) as scene:
        scene.control.quirk("count_daemonset_pods", "no" if kubernetes else "yes")
        lost, *others = scene.asg()
        scene.declare(**(with_kubernetes(scene) if kubernetes else {}))
        if moment == "before":
            with BEFORE.hold(scene) as (held, wait):
                running = driver.start("up")
                wait()
                scene.control.terminate_node(scene.ocean_id, lost, **loss)
                eventually(lambda: is_terminated(scene, lost))
                held.release()
                running.wait()
        else:
            scene.hold()
            running = scene.up_waiting()
            if moment == "during":
                scene.control.terminate_node(scene.ocean_id, lost, **loss)
            scene.hold(False)
            running.wait_for_success()
        if moment == "after":
            scene.control.terminate_node(scene.ocean_id, lost, **loss)
            scene.refresh()
        outputs = scene.outputs()
        assert outputs["succeeded"] is True
        assert outputs["remaining_nodes"] == []
        gone = [lost] if moment == "before" and len(scene.starts()[0]["instanceIds"]) < 1 + len(others) else []
        assert outputs["gone_nodes"] == gone
        assert outputs["migrated_nodes"] == sorted({lost, *others} - {*gone})
        assert kubernetes is False or outputs["unverified_nodes"] == []
        assert not pods_left(scene)
        assert len(scene.starts()) == 1
        scene.up_unchanged()


def is_terminated(scene: Scene, name: str) -> bool:
    """Tell whether AWS has terminated a node."""
    return any(node["terminated"] for node in scene.control.nodes(scene.ocean_id) if node["instance_id"] == name)


def test_a_node_that_is_sent_in_the_moment_of_its_end_is_left_out(driver: Driver) -> None:
    """Ocean refuses the whole start because of it; the others are asked for without it."""
    with Scene(driver) as scene:
        gone, *others = scene.asg()
        scene.declare()
        with scene.control.barrier("POST", "*/migration", "before") as barrier:
            running = driver.start("up")
            assert barrier.wait(60)
            scene.control.terminate_node(scene.ocean_id, gone, replaced=False)
            barrier.release()
            run = running.wait_for_success()
        assert [start["instanceIds"] for start in scene.starts()] == [others]
        assert scene.outputs()["gone_nodes"] == [gone]
        assert warned(run, "1 planned node gone", gone)
        assert not pods_left(scene)


def find_late(scene: Scene, *, created: bool = True, lag: str = "86400s") -> Run:
    """Kill a start, let the list lag, and run the next `up`, which must adopt what the list shows within a minute."""
    scene.hold()
    kill_unanswered_start(scene)
    scene.control.clock(speed=0.2)  # the minute is five, for machines that are busy
    scene.control.quirk("list_lag", lag)
    running = scene.driver.start("up")
    running.wait_until(lambda run: any("a migration that is not listed yet" in line for line in run.statuses))
    scene.control.quirk("list_lag", "0s")
    if created:
        running.wait_until(lambda run: warned(run, "Adopted migration"))
    else:
        running.wait()
    scene.control.clock(speed=SPEED)
    scene.hold(False)
    return running.wait()


@pytest.mark.parametrize("by_id", [False, True])
def test_a_killed_start_is_found_although_the_list_lags(driver: Driver, by_id: bool) -> None:
    """The next `up` does not say that its nodes do not exist: it adopts the migration, and starts nothing again."""
    with Scene(driver) as scene:
        scene.declare(**({"nodes": {"instance_ids": scene.asg()}} if by_id else {}))
        run = find_late(scene)
        assert run.exit_code == 0, run.output
        assert len(scene.writes()) == 1
        assert_moved_once(scene.simulator, scene.asg())
        assert_done(driver, scene.asg())


def test_a_list_that_lags_for_longer_makes_no_up_green(driver: Driver) -> None:
    """Nothing selected is an error, and the `up` after the lag adopts the migration."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare()
        kill_unanswered_start(scene)
        scene.control.quirk("list_lag", "86400s")
        assert failed(scene.up_fails(), "no node matches")
        scene.control.quirk("list_lag", "0s")
        running = scene.driver.start("up")
        running.wait_until(lambda run: warned(run, "Adopted migration"))
        scene.hold(False)
        running.wait_for_success()
        assert len(scene.writes()) == 1
        assert_done(driver, scene.asg())


def test_an_empty_plan_is_no_success_while_the_list_lags(driver: Driver) -> None:
    """Also where an empty selection is allowed: `up` fails for what appears, and the next one adopts it."""
    with Scene(driver) as scene:
        scene.declare(when_no_nodes="succeed")
        run = find_late(scene, created=False)
        assert failed(run, "a migration appeared after the plan was made", *scene.asg())
        scene.up()
        assert len(scene.writes()) == 1
        assert_done(driver, scene.asg())


def test_a_later_wave_is_not_empty_while_the_list_lags(driver: Driver) -> None:
    """The nodes of the earlier wave, which match too, do not stand for those of the start that was killed."""
    with Scene(driver, nodes=6) as scene:
        web = scene.resource("web")
        scene.program(web)
        scene.up()
        rest = scene.resource(
            "rest",
            opts="pulumi.ResourceOptions(depends_on=[web])",
            nodes={"asg_names": ["web", "api"]},
            planned_elsewhere=Expression("web.planned_nodes.apply(lambda nodes: [*nodes])"),
        )
        scene.program(web, rest)
        scene.control.advance(7200)
        run = find_late(scene, created=False, lag="3600s")
        assert failed(run, "a migration appeared after the plan was made", *scene.asg("api"))
        scene.up()
        assert [start["instanceIds"] for start in scene.starts()] == [scene.asg(), scene.asg("api")]
        assert_done(driver, scene.asg("api"), "rest")


def test_a_changed_selection_is_not_done_while_the_list_lags(driver: Driver) -> None:
    """It brings no node to migrate, because the killed run's migration hides them: it is not lost for good."""
    with Scene(driver, nodes=6) as scene:
        scene.declare()
        scene.up()
        scene.control.advance(7200)
        scene.declare(nodes={"asg_names": ["web", "api"]})
        run = find_late(scene, created=False, lag="3600s")
        assert failed(run, "a migration appeared after the plan was made", *scene.asg("api"))
        assert scene.outputs()["succeeded"] is False
        scene.up()
        assert [start["instanceIds"] for start in scene.starts()] == [scene.asg(), scene.asg("api")]
        assert_done(driver, [*scene.asg(), *scene.asg("api")])
        scene.up_unchanged()


def test_a_killed_follow_up_is_found_although_the_list_lags(driver: Driver) -> None:
    """A change of triggers finds no node to migrate, because a migration that nobody lists yet hides them."""
    with Scene(driver) as scene:
        scene.declare()
        scene.up()
        for name in scene.asg():
            scene.control.add_pod(scene.ocean_id, name, name=f"again-{name}")
        scene.declare(triggers=["again"])
        scene.hold()
        kill_unanswered_start(scene)
        scene.control.quirk("list_lag", "86400s")
        running = driver.start("up")
        running.wait_until(lambda run: any("looking for a migration" in line for line in run.statuses))
        scene.control.quirk("list_lag", "0s")
        running.wait_until(lambda run: said(run, "adopted migration") or warned(run, "Adopted migration"))
        scene.hold(False)
        running.wait_for_success()
        assert len(scene.writes()) == 2
        assert not pods_left(scene)


def follow_late(scene: Scene, *, moment: Moment = UNANSWERED, victim: str = "all") -> Run:
    """Kill an `up` whose start took effect, and run the next one while the list lags: it must adopt the migration."""
    scene.control.advance(7200)
    scene.hold()
    with moment.hold(scene) as (held, wait):
        running = scene.driver.start("up")
        wait()
        scene.control.clock(speed=0.2)  # the minute is five, for machines that are busy
        scene.control.quirk("list_lag", "3600s")
        if victim == "plugin":
            running.kill_plugin()
            held.release()
            running.wait()
        else:
            running.kill_all()
            held.release()
            scene.driver.cancel()
    running = scene.driver.start("up")
    running.wait_until(lambda run: any("a migration that is not listed yet" in line for line in run.statuses))
    assert running.alive
    scene.control.quirk("list_lag", "0s")
    running.wait_until(lambda run: warned(run, "Adopted migration"))
    scene.control.clock(speed=SPEED)
    scene.hold(False)
    return running.wait()


@pytest.mark.parametrize(("moment", "victim"), [(UNANSWERED, "plugin"), (UNANSWERED, "all"), (ANSWERED, "all")])
def test_a_killed_follow_up_of_new_nodes_is_adopted_although_the_list_lags(
    driver: Driver, moment: Moment, victim: str
) -> None:
    """Nothing has changed but a node that has joined, which the migration hides: the next `up` is not `same`."""
    with Scene(driver) as scene:
        scene.declare(new_nodes="migrate")
        scene.up()
        scene.control.add_node(scene.ocean_id, "web")
        run = follow_late(scene, moment=moment, victim=victim)
        assert run.exit_code == 0, run.output
        first, second = (set(start["instanceIds"]) for start in scene.starts())
        assert second == {*scene.asg()} - first
        assert not pods_left(scene)
        assert_done(driver, scene.asg())
        scene.up_unchanged()


@pytest.mark.parametrize(
    "change",
    [
        {"nodes": {"asg_names": ["web", "api"]}},
        {"triggers": ["again"]},
        {"should_evict_stand_alone_pods": True},
    ],
    ids=["selection", "triggers", "flags"],
)
def test_a_killed_change_is_adopted_although_the_list_lags(driver: Driver, change: dict[str, Any]) -> None:
    """In one `up`, without a second start; nothing is green before."""
    with Scene(driver, nodes=6) as scene:
        if "should_evict_stand_alone_pods" in change:
            scene.control.add_pod(scene.ocean_id, scene.asg()[0], name="alone", controller=None)
        scene.declare()
        scene.up()
        if "triggers" in change:
            for name in scene.asg():
                scene.control.add_pod(scene.ocean_id, name, name=f"again-{name}")
        scene.declare(**change)
        run = follow_late(scene)
        assert run.exit_code == 0, run.output
        assert len(scene.writes()) == 2
        assert not pods_left(scene)
        assert scene.outputs()["succeeded"] is True
        scene.up_unchanged()


@pytest.mark.parametrize("moment", [UNANSWERED, ANSWERED])
def test_destroy_stops_what_a_killed_up_had_started_of_other_nodes(driver: Driver, moment: Moment) -> None:
    """The state of before the kill knows none of them: the journal of starts does."""
    with Scene(driver, nodes=6) as scene:
        scene.declare()
        scene.up()
        scene.declare(nodes={"asg_names": ["web", "api"]})
        scene.hold()
        with moment.hold(scene) as (held, wait):
            running = driver.start("up")
            wait()
            running.kill_all()
            held.release()
        driver.cancel()
        running = driver.start("destroy")
        eventually(lambda: bool(scene.stops()))
        scene.hold(False)
        running.wait_for_success()
        assert driver.resources() == []
        assert [each["state"] for each in scene.migrations()] == ["FINISHED", "STOPPED"]


def test_many_other_migrations_do_not_hide_an_ended_one(driver: Driver) -> None:
    """Of a run that was killed: it is found among all those of the last day, and nothing is started again."""
    with Scene(driver) as scene:
        scene.declare()
        kill_unanswered_start(scene)
        eventually(lambda: scene.migrations()[0]["terminal"])
        (ours,) = scene.migrations()
        scene.control.add_ended_migrations(scene.ocean_id, count=30, age_seconds=1)
        scene.up()
        outputs = assert_done(driver, scene.asg())
        assert [each["id"] for each in outputs["migrations"]] == [ours["id"]]
        assert len(scene.writes()) == 1
        assert not pods_left(scene)


def test_a_count_that_goes_up_and_down_stalls(driver: Driver) -> None:
    """A pod that comes and goes is no progress."""
    with Scene(driver) as scene:
        scene.hold()
        scene.control.fault("GET", STATUSES, "flap", times=FOR_EVER)
        scene.declare(stall_timeout="3s")
        assert failed(scene.up_fails(), "no progress for 3s", "continues in Ocean")
