"""Refresh, destroy and replace: what happens to a migration that runs, has ended, or is no longer there."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scenarios.driver import Driver, Run
from tests.scenarios.scene import STATUSES, Scene, assert_failed, failed, plan_of, said, warned


def started(scene: Scene, **inputs: Any) -> None:
    """Bring a migration under way that stands still."""
    scene.hold()
    scene.declare(wait_for="started", **inputs)
    scene.up()


def released(scene: Scene, command: str) -> Run:
    """Run a command that stops the migration, which stands still until then."""
    running = scene.driver.start(command)
    running.wait_until(lambda run: said(run, "stopping migration"))
    scene.hold(False)
    return running.wait()


def test_a_refresh_follows_the_service(driver: Driver) -> None:
    """A migration that has ended since is in the outputs afterwards, and there is no diff."""
    with Scene(driver) as scene:
        started(scene)
        scene.refresh()
        assert scene.outputs()["status"] == "STARTING"
        scene.hold(False)
        scene.control.advance(3600)
        scene.refresh()
        outputs = scene.outputs()
        assert outputs["status"] == "FINISHED"
        assert outputs["progress"] == 100
        assert outputs["migrated_nodes"] == scene.asg()
        assert outputs["completed_at"]
        run = scene.up(refresh=True)
        assert run.ops["web"] == "same"
        assert len(scene.writes()) == 1


def test_a_refresh_removes_a_migration_only_with_its_cluster(driver: Driver) -> None:
    """Refusals and strange answers fail the refresh and keep the state; a cluster that is gone takes it along."""
    with Scene(driver) as scene:
        scene.declare()
        scene.up()
        before = scene.outputs()
        cluster = f"*/cluster/{scene.ocean_id}"
        for kind, status in (("status", 401), ("status", 403), ("html-404", None)):
            scene.control.fault("GET", cluster, kind, status=status, times=1_000)
            run = scene.driver.refresh()
            assert run.exit_code != 0, run.output
            assert failed(run, str(status or 404)), run.output
            scene.control.clear_faults()
        # A missing right comes as an error without a name.
        scene.control.forbid(scene.simulator.account_id)
        assert scene.driver.refresh().exit_code != 0
        scene.control.forbid(scene.simulator.account_id, forbidden=False)
        assert scene.outputs() == before

        scene.control.delete_cluster(scene.ocean_id)
        scene.refresh()
        assert scene.driver.resource("web") is None


def test_a_migration_that_is_no_longer_listed_keeps_its_outputs(driver: Driver) -> None:
    """The service's history ends somewhere: what was known stays, and nothing more is concluded."""
    with Scene(driver) as scene:
        started(scene)
        migration_id = scene.outputs()["migration_id"]
        scene.hold(False)
        scene.control.advance(3600)
        scene.control.forget_migrations(scene.ocean_id)
        scene.refresh()
        outputs = scene.outputs()
        assert outputs["migration_id"] == migration_id
        assert outputs["migrated_nodes"] == []
        assert outputs["remaining_nodes"] == scene.asg()
        scene.declare()
        assert failed(scene.up_fails(), f"Migration {migration_id} is lost")
        run = scene.destroy()
        assert warned(run, f"Migration {migration_id} is lost")
        assert len(scene.starts()) == 1


@pytest.mark.parametrize("terminate", [False, True])
def test_destroy_stops_what_runs(driver: Driver, terminate: bool) -> None:
    """One PUT, and STOPPED is waited for; the drained nodes are terminated only when asked."""
    with Scene(driver, scenario="stall") as scene:
        scene.declare(wait_for="progress", wait_for_percentage=50, terminate_drained_nodes_on_stop=terminate)
        scene.up()
        run = scene.destroy()
        (migration,) = scene.migrations()
        assert migration["state"] == "STOPPED"
        assert scene.stops() == [{"state": "STOPPED", "shouldTerminateDrainedNodes": terminate}]
        assert said(run, "stopping migration", migration["id"])
        assert said(run, migration["id"], "STOPPED", "1 of 2 nodes done")
        assert said(run, "the workloads of 1 node stay on Ocean's nodes")
        assert scene.driver.resource("web") is None
        gone = {node["instance_id"] for node in scene.control.nodes(scene.ocean_id) if node["terminated"]}
        assert gone == ({*migration["drained"]} if terminate else set())


def test_destroy_waits_for_what_is_stopping_already(driver: Driver) -> None:
    """STOPPING needs no second PUT."""
    with Scene(driver) as scene:
        started(scene)
        (migration,) = scene.migrations()
        scene.control.stop_foreign(scene.ocean_id, migration["id"])
        running = scene.driver.start("destroy")
        running.wait_until(lambda run: any("STOPPING" in status for status in run.statuses))
        scene.hold(False)
        assert running.wait().exit_code == 0
        assert scene.stops() == []
        assert scene.migrations()[0]["state"] == "STOPPED"
        assert scene.driver.resource("web") is None


def test_destroy_after_the_end_writes_nothing(driver: Driver) -> None:
    """A migration that has ended is left as it is, and the log says that the workloads stay."""
    with Scene(driver) as scene:
        scene.declare()
        scene.up()
        assert said(scene.destroy(), "the workloads of 2 nodes stay on Ocean's nodes")
        assert len(scene.writes()) == 1
        assert scene.driver.resource("web") is None


def test_destroy_of_a_cluster_that_is_gone_is_a_success(driver: Driver) -> None:
    """There is nothing left to stop."""
    with Scene(driver) as scene:
        started(scene)
        scene.control.delete_cluster(scene.ocean_id)
        assert said(scene.destroy(), scene.ocean_id, "is gone")
        assert scene.driver.resource("web") is None
        assert scene.stops() == []


@pytest.mark.slow
def test_a_destroy_that_is_refused_keeps_the_state(driver: Driver) -> None:
    """A missing right is no reason to forget a migration that runs."""
    with Scene(driver) as scene:
        started(scene)
        scene.control.forbid(scene.simulator.account_id)
        run = scene.driver.destroy()
        assert run.exit_code != 0
        assert run.failed == {"web"}
        assert scene.driver.resource("web") is not None
        scene.control.forbid(scene.simulator.account_id, forbidden=False)
        run = released(scene, "destroy")
        assert run.exit_code == 0, run.output
        assert scene.migrations()[0]["state"] == "STOPPED"


def test_a_destroy_whose_deadline_passes_is_gone_on_with(driver: Driver) -> None:
    """It fails and keeps the resource; the next one waits for the same stop, without a second PUT."""
    with Scene(driver) as scene:
        started(scene, opts='pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(delete="6s"))')
        run = scene.driver.destroy()
        assert run.exit_code != 0
        assert failed(run, "deadline", "stopping", "run it again"), run.output
        assert scene.driver.resource("web") is not None
        scene.hold(False)
        scene.destroy()
        assert len(scene.stops()) == 1
        assert scene.migrations()[0]["state"] == "STOPPED"


def test_a_migration_that_was_adopted_in_part_is_left_alone(driver: Driver) -> None:
    """It also moves nodes that are not planned: `destroy` names it and does not stop it."""
    with Scene(driver) as scene:
        scene.hold()
        theirs = scene.control.start_foreign_migration(scene.ocean_id, scene.asg())
        scene.declare(nodes={"asg_names": ["web"], "limit": "1"}, wait_for="started")
        scene.up()
        (migration,) = scene.outputs()["migrations"]
        assert (migration["id"], migration["origin"]) == (theirs, "adopted_part")
        assert len(scene.outputs()["planned_nodes"]) == 1
        assert warned(scene.preview(), f"Adopted migration {theirs}", "`pulumi destroy` will not stop it")
        assert warned(scene.destroy(), theirs, "also holds nodes that were not planned, so it continues")
        assert not scene.writes()
        assert not scene.migrations()[0]["terminal"]


@pytest.mark.slow
def test_another_cluster_replaces(driver: Driver) -> None:
    """The migration of the old cluster is stopped first; then the new cluster's nodes are planned and migrated."""
    with Scene(driver) as scene:
        started(scene)
        other = scene.add_cluster()
        scene.program(scene.resource(ocean_id=other))
        preview = scene.preview()
        assert preview.ops["web"] == "replace"
        theirs = [node["instance_id"] for node in scene.control.nodes(other) if node["asg_name"] == "web"]
        assert sorted(plan_of(preview)) == sorted(theirs)
        run = released(scene, "up")
        assert run.exit_code == 0, run.output
        assert run.ops["web"] == "replace"
        assert [write["method"] for write in scene.writes()] == ["POST", "PUT", "POST"]
        assert scene.migrations()[0]["state"] == "STOPPED"
        (migration,) = scene.control.migrations(other)
        assert migration["created_at"] >= scene.migrations()[0]["stopped_at"]
        assert scene.outputs()["migrated_nodes"] == sorted(theirs)
        scene.up_unchanged()


def test_a_new_name_takes_the_running_migration_along(driver: Driver) -> None:
    """The engine creates under the new name first: that adopts the migration, and the delete leaves it alone."""
    with Scene(driver) as scene:
        started(scene)
        scene.declare("shop", wait_for="started")
        run = scene.up()
        assert (run.ops["shop"], run.ops["web"]) == ("create", "delete")
        assert said(run, "continues: another resource has adopted it")
        assert len(scene.writes()) == 1
        (migration,) = scene.outputs("shop")["migrations"]
        assert (migration["id"], migration["origin"]) == (scene.migrations()[0]["id"], "adopted")
        scene.up_unchanged("shop")


@pytest.mark.slow
@pytest.mark.parametrize("way", ["input", "settings"])
def test_another_account_replaces(driver: Driver, way: str) -> None:
    """The effective account is what counts: of the input, or of the settings."""
    with Scene(driver) as scene:
        scene.declare()
        scene.up()
        account_id = scene.control.add_account()
        other = scene.add_cluster(account_id=account_id)
        # Naming the account that was in force is no change.
        scene.declare(account_id=scene.simulator.account_id)
        scene.up_unchanged()
        if way == "input":
            scene.program(scene.resource(ocean_id=other, account_id=account_id))
        else:
            scene.driver.environment["SPOTINST_ACCOUNT"] = account_id
            scene.program(scene.resource(ocean_id=other))
        assert scene.up().ops["web"] == "replace"
        assert scene.outputs()["effective_account_id"] == account_id
        assert scene.writes()[-1]["query"]["accountId"] == account_id
        assert len(scene.writes()) == 2


def test_protect_is_the_engines_affair(driver: Driver) -> None:
    """A protected migration is neither destroyed nor stopped."""
    with Scene(driver) as scene:
        started(scene, opts="pulumi.ResourceOptions(protect=True)")
        run = scene.driver.destroy()
        assert run.exit_code != 0
        assert "protected" in run.output
        assert scene.driver.resource("web") is not None
        assert scene.stops() == []


@pytest.mark.slow
def test_retain_on_delete_leaves_the_migration_running(driver: Driver) -> None:
    """It runs on without the stack, and the next `up` adopts it."""
    with Scene(driver) as scene:
        started(scene, opts="pulumi.ResourceOptions(retain_on_delete=True)")
        (migration,) = scene.migrations()
        scene.destroy()
        assert scene.driver.resource("web") is None
        assert scene.stops() == []
        scene.declare()
        running = scene.up_waiting()
        scene.hold(False)
        running.wait_for_success()
        assert [(each["id"], each["origin"]) for each in scene.outputs()["migrations"]] == [
            (migration["id"], "adopted")
        ]
        assert len(scene.writes()) == 1


def test_a_stop_that_is_refused_because_the_migration_has_ended_is_none(driver: Driver) -> None:
    """Between the status and the PUT a migration may end: that is an end, too."""
    with Scene(driver) as scene:
        started(scene)
        scene.control.clock(manual=True)
        with scene.control.barrier("PUT", STATUSES) as barrier:
            running = scene.driver.start("destroy")
            assert barrier.wait(60)
            scene.hold(False)
            scene.control.advance(3600)
        running.wait_for_success()
        assert scene.migrations()[0]["state"] == "FINISHED"
        assert scene.driver.resource("web") is None


def test_bad_setting_fails_a_refresh_and_a_destroy_in_one_line(driver: Driver) -> None:
    """As it does a preview; a deadline that has passed leaves previews alone, and ends the others."""
    with Scene(driver) as scene:
        scene.declare()
        scene.up()
        for value, message in (
            ("tomorrow", "OCEAN_MIGRATION_DEADLINE: 'tomorrow' is not a time with its zone"),
            ("2020-01-01T00:00:00Z", "OCEAN_MIGRATION_DEADLINE is reached; run the command again"),
        ):
            scene.driver.environment["OCEAN_MIGRATION_DEADLINE"] = value
            for run in (scene.driver.refresh(), scene.driver.destroy()):
                assert_failed(run)
                assert failed(run, message), run.output
        assert scene.preview().ops["web"] == "same"
        assert scene.outputs()["migrated_nodes"] == scene.asg()
