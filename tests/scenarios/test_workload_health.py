"""Did the workloads arrive? What is waited for, what is excused, and when the brake stops a migration."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.scenarios.driver import Driver
from tests.scenarios.moments import STOP_UNANSWERED, kill_at
from tests.scenarios.scene import Expression, Scene, assert_failed, failed, said, warned
from tests.scenarios.support import eventually
from tests.scenarios.test_kubernetes import give

_ACCESS: dict[str, Any] = {"kubeconfig": Expression('pulumi.Config().require_secret("kubeconfig")')}
_BRAKE: dict[str, Any] = {**_ACCESS, "stop_when": {"broken_workloads": True}}


def first_batch_drained(scene: Scene) -> bool:
    """Tell whether a node is drained."""
    return any(each["drained"] for each in scene.migrations())


def start_held(scene: Scene, **inputs: Any) -> Any:
    """Start an update, and return when its migration has started and is held: the baseline is taken by then."""
    give(scene, "run")
    scene.declare(**inputs)
    scene.hold()
    running = scene.up_waiting()
    eventually(lambda: bool(scene.migrations()))
    return running


def health(scene: Scene) -> dict[str, Any]:
    """Return the output that tells of the workloads."""
    found = scene.outputs()["workload_health"]
    assert isinstance(found, dict)
    return found


def test_workloads_that_arrive_are_ready(driver: Driver) -> None:
    """The output says so, and so does a line; the row shows the pods on Ocean nodes."""
    with Scene(driver, nodes=6) as scene:
        give(scene, "run")
        scene.declare(**_ACCESS)
        run = scene.up()
        assert said(run, "Watching 3 workloads")
        assert said(run, "3 workloads ready")
        assert any("ready on Ocean" in status for status in run.statuses)
        assert (health(scene)["state"], health(scene)["final"]) == ("ready", True)
        assert health(scene)["not_ready"] == []
        scene.up_unchanged()


def test_without_access_health_is_unknown_and_changes_nothing(driver: Driver) -> None:
    """The output says it, and no line does."""
    with Scene(driver) as scene:
        scene.declare()
        run = scene.up()
        assert not said(run, "workload")
        assert health(scene)["state"] == "unknown"
        assert health(scene)["reason"].startswith("no access to Kubernetes")
        assert scene.outputs()["succeeded"]
        scene.up_unchanged()


def test_pods_of_a_canary_that_land_on_old_nodes_are_counted(driver: Driver) -> None:
    """They are ready, and move again if those are migrated: the preview warned of it."""
    with Scene(driver, nodes=8) as scene:
        give(scene, "run")
        for node in scene.control.nodes(scene.ocean_id):
            for pod in node["pods"][2:]:
                scene.control.remove_pod(scene.ocean_id, pod["name"], instance_id=node["instance_id"])
        canary = scene.asg()[0]
        for number in range(6):
            scene.control.add_pod(scene.ocean_id, canary, name=f"extra-{number}", labels={"app": "extra"})
        scene.declare(nodes={"instance_ids": [canary]}, later_migrations=["rest"], **_ACCESS)
        assert warned(scene.preview(), "other nodes (including later waves: rest) stay schedulable", "small batches")
        run = scene.up()
        assert said(run, "on other old nodes (moved again if those are migrated)")
        assert health(scene)["landed_elsewhere"] > 0
        assert health(scene)["state"] == "ready"


def break_one_pod(scene: Scene, kind: str) -> None:
    """Let a pod of shop/cart fail on a node that is not migrated."""
    (node,) = [each for each in scene.control.nodes(scene.ocean_id) if each["instance_id"] == scene.asg()[1]]
    name = next(pod["name"] for pod in node["pods"] if pod["labels"]["app"] == "cart")
    scene.control.trouble(scene.ocean_id, kind, name=name, ocean_only=False, running=True)


def test_workload_that_is_not_ready_fails_the_update(driver: Driver) -> None:
    """A partial failure that names workload, pod and reason; the next `up` only looks again."""
    with Scene(driver, nodes=6) as scene:
        nodes = {"instance_ids": [scene.asg()[0]]}
        running = start_held(scene, nodes=nodes, settle_timeout="5m", **_ACCESS)
        break_one_pod(scene, "image")
        scene.hold(False)
        run = running.wait()
        assert_failed(run)
        assert failed(
            run, "1 workload not ready: Deployment shop/cart has ", "image, shop/cart-", "Back-off pulling image"
        )
        assert scene.init_errors()
        outputs = scene.outputs()
        assert not outputs["succeeded"]
        assert outputs["remaining_nodes"] == []
        assert outputs["failure"]["reason"] == "workloads"
        assert [each["workload"] for each in health(scene)["not_ready"]] == ["Deployment shop/cart"]
        scene.refresh()
        assert not scene.outputs()["succeeded"]

        scene.control.trouble(scene.ocean_id, None)
        mark = scene.mark()
        run = scene.up()
        assert said(run, "workloads ready")
        assert not scene.writes(mark)
        assert scene.outputs()["succeeded"]
        # A pass is final.
        break_one_pod(scene, "image")
        scene.up_unchanged()


def test_slow_workload_is_waited_for(driver: Driver) -> None:
    """As long as its startup takes; still starting is not failed."""
    with Scene(driver, nodes=6) as scene:
        running = start_held(scene, nodes={"instance_ids": [scene.asg()[0]]}, settle_timeout="2m", **_ACCESS)
        break_one_pod(scene, "slow")
        scene.hold(False)
        run = running.wait()
        assert failed(run, "1 workload still starting: Deployment shop/cart")
        assert health(scene)["state"] == "still starting"


def test_warn_only_warns(driver: Driver) -> None:
    """The update succeeds, and nobody looks again."""
    with Scene(driver, nodes=6) as scene:
        inputs = {"settle_timeout": "2m", "health": "warn", **_ACCESS}
        running = start_held(scene, nodes={"instance_ids": [scene.asg()[0]]}, **inputs)
        break_one_pod(scene, "image")
        scene.hold(False)
        run = running.wait_for_success()
        assert warned(run, "1 workload not ready")
        assert scene.outputs()["succeeded"]
        scene.up_unchanged()


def test_workload_that_was_broken_before_is_excused(driver: Driver) -> None:
    """It fails nothing, and stops nothing."""
    with Scene(driver, nodes=6) as scene:
        scene.control.trouble(scene.ocean_id, "image", app="search", ocean_only=False, running=True)
        give(scene, "run")
        scene.declare(**_BRAKE)
        run = scene.up()
        assert said(run, "1 workload already unhealthy, and not checked")
        assert health(scene)["state"] == "ready"
        assert health(scene)["workloads"] == {"excused": 1, "well": 2}


@pytest.mark.parametrize("what", ["rollout", "scale-down"])
def test_changes_of_somebody_else_are_no_failure(driver: Driver, what: str) -> None:
    """A rollout under way is unknown, and scaled down the new number counts."""
    with Scene(driver, nodes=6) as scene:
        running = start_held(scene, **_BRAKE)
        if what == "rollout":
            scene.control.roll_out(scene.ocean_id, "web", "search", pods=1)
        else:
            scene.control.scale(scene.ocean_id, "web", "search", 1)
        scene.hold(False)
        running.wait_for_success()
        assert health(scene)["workloads"] == ({"unknown": 1, "well": 2} if what == "rollout" else {"well": 3})


@pytest.mark.parametrize("kind", ["image", "no-address"])
def test_brake_stops_a_migration_that_breaks_workloads(driver: Driver, kind: str) -> None:
    """In mid-batch: later batches are spared, drained nodes stay, and nothing starts until triggers change."""
    with Scene(driver, nodes=8) as scene:
        scene.control.draining_timeout(scene.ocean_id, 36_000)
        scene.control.trouble(scene.ocean_id, kind, namespace="shop", app="cart")
        give(scene, "run")
        scene.declare(**_BRAKE)
        run = scene.up_fails()
        cause = {"image": "image", "no-address": "no address"}[kind]
        assert failed(run, "was stopped because it broke Deployment shop/cart", cause, "cordoned", "change triggers")
        (stop,) = scene.stops()
        assert stop["shouldTerminateDrainedNodes"] is False
        (migration,) = scene.migrations()
        assert migration["state"] == "STOPPED"
        (record,) = scene.outputs()["migrations"]
        assert record["stopped_by"] == "brake"
        assert record["stop_cause"]["cause"] == cause
        assert scene.outputs()["remaining_nodes"]

        mark = scene.mark()
        scene.driver.up()
        assert not scene.writes(mark)
        scene.control.trouble(scene.ocean_id, None)
        scene.declare(triggers=["repaired"], **_BRAKE)
        scene.up()
        assert scene.outputs()["remaining_nodes"] == []
        assert scene.outputs()["succeeded"]


def test_failure_of_ocean_names_the_workloads(driver: Driver) -> None:
    """Ocean gives up after the drain threshold, and tells neither which pods nor why."""
    with Scene(driver, nodes=6) as scene:
        scene.control.trouble(scene.ocean_id, "image", namespace="shop", app="cart")
        give(scene, "run")
        scene.declare(**_ACCESS)
        run = scene.up_fails()
        assert failed(run, "failed after", "1 workload not ready: Deployment shop/cart", "image, shop/cart-")
        assert health(scene)["state"] == "not ready"
        (migration,) = scene.migrations()
        told = explain(scene, migration["id"])
        assert "not ready on Ocean nodes (image): shop/cart-" in told
        assert "Back-off pulling image" in told


def explain(scene: Scene, migration_id: str) -> str:
    """Return what `ocean-migration explain` says of a migration, with access to Kubernetes."""
    path = scene.driver.directory / "kubeconfig"
    path.write_text(scene.simulator.kubeconfig(identity="run"))
    path.chmod(0o600)
    arguments = ["explain", migration_id, "--cluster", scene.ocean_id, "--kubeconfig", str(path)]
    command = [sys.executable, "-m", "ocean_migration_pulumi", *arguments]
    return subprocess.run(command, env=scene.driver.environment, capture_output=True, text=True, check=False).stdout


def test_access_lost_in_the_middle_stops_and_fails_nothing(driver: Driver) -> None:
    """What cannot be seen is unknown, and said so."""
    with Scene(driver, nodes=6) as scene:
        running = start_held(scene, settle_timeout="2m", **_BRAKE)
        scene.control.forbid_kubernetes(scene.ocean_id, "pods")
        scene.hold(False)
        run = running.wait_for_success()
        assert warned(
            run, "Unknown whether the workloads are ready", "Add to its role", "resources: [pods], verbs: [list]"
        )
        assert health(scene)["state"] == "unknown"


@pytest.mark.slow
def test_up_that_is_killed_while_the_brake_stops_does_not_go_on(driver: Driver) -> None:
    """The stop reads as that of somebody else, and blocks, too."""
    with Scene(driver, nodes=8) as scene:
        scene.control.draining_timeout(scene.ocean_id, 36_000)
        scene.control.trouble(scene.ocean_id, "image", namespace="shop", app="cart")
        give(scene, "run")
        scene.declare(**_BRAKE)
        kill_at(STOP_UNANSWERED, scene, "engine")
        mark = scene.mark()
        scene.driver.up()
        assert not scene.starts(mark)


class Shop(http.server.BaseHTTPRequestHandler):
    """A health check that fails when the test says so."""

    broken = threading.Event()

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(503 if self.broken.is_set() else 200)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Stay silent."""


@contextmanager
def serve_shop() -> Iterator[str]:
    """Serve the health check, and yield its URL."""
    Shop.broken.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/health"
        finally:
            server.shutdown()


def test_brake_stops_a_migration_when_a_health_check_fails(driver: Driver) -> None:
    """Without access to Kubernetes; no text and no output but the input has the query of the URL."""
    with serve_shop() as url, Scene(driver, nodes=8) as scene:
        scene.declare(stop_when={"http_checks": [{"url": f"{url}?key=canary", "for": "1m"}]})
        running = scene.up_waiting()
        eventually(lambda: first_batch_drained(scene))
        scene.hold()
        Shop.broken.set()
        eventually(lambda: bool(scene.stops()))
        scene.hold(False)
        run = running.wait()
        assert_failed(run)
        assert said(run, f"Watching {url}: the migration is stopped when it fails")
        assert failed(
            run,
            f"was stopped because HTTP check {url} failed for",
            "responds with 503 instead of 200",
            "change triggers",
        )
        (stop,) = scene.stops()
        assert stop["shouldTerminateDrainedNodes"] is False
        (record,) = scene.outputs()["migrations"]
        assert (record["stopped_by"], record["passed_checks"]) == ("brake", [url])
        assert "canary" not in run.output
        mark = scene.mark()
        scene.driver.up()
        assert not scene.writes(mark)
