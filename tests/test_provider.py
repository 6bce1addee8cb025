"""The provider through the real plugin process: create, update, read and delete."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from ocean_migration_pulumi.simulator import Simulator
from tests.support.plugin import PluginProcess, init_failure_of
from tests.support.plugin_clock import PluginClock
from tests.support.resource_plugin import Resource, config_of, message_of, sent
from tests.support.timing import PATIENCE, until

WEB = {"asg_names": ["web"]}
HOUR = 3600.0


class Shop:
    """A cluster of its own on a simulator that several tests share, and the plugin that is pointed at it."""

    def __init__(
        self,
        sim: Simulator,
        *plugins: PluginProcess,
        clock: PluginClock | None = None,
        scenario: str = "success",
        nodes: int = 6,
    ) -> None:
        plugin, *self._later = plugins
        self.sim = sim
        self.clock = clock
        self.control = sim.control
        self.plugin = plugin
        self.ocean_id = str(self.control.add_cluster(nodes, scenario=scenario)["id"])
        self.web = Resource(plugin)
        self.plugin.engine.lines.clear()

    def spec(self, **inputs: Any) -> dict[str, Any]:
        """Return inputs for the nodes of the group ``web``."""
        return {"ocean_id": self.ocean_id, "nodes": WEB, **inputs}

    def ids(self, asg_name: str = "web") -> list[str]:
        """Return the ids of the nodes of a group."""
        nodes = self.control.nodes(self.ocean_id)
        return sorted(node["instance_id"] for node in nodes if node["asg_name"] == asg_name and not node["terminated"])

    def writes(self) -> list[str]:
        """Return the methods of the writes to this cluster."""
        return [
            request["method"]
            for request in self.control.requests()
            if request["method"] != "GET" and self.ocean_id in request["path"]
        ]

    def next_up(self) -> None:
        """Go on in another process, as every `up` does."""
        self.web.plugin = self._later.pop()
        self.web.plugin.engine.lines.clear()

    def pass_deadline(self) -> None:
        """Wait until a migration has started, and set the clock forward by an hour."""
        assert self.clock is not None
        until(lambda: self.web.has_said("INFO", "has started"))
        self.clock.advance(HOUR)

    def held(self) -> Callable[[], None]:
        """Freeze the cluster's migrations as soon as one has started to drain; return what lets them go on."""
        self.control.hold(self.ocean_id)
        return lambda: self.control.hold(self.ocean_id, held=False)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, ...]]:
    """Run one simulator, 10,000 times as fast as the world, and two plugins that are pointed at it."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        for name in ("SPOTINST_TOKEN", "SPOTINST_ACCOUNT", "SPOTINST_BASE_URL"):
            patch.delenv(name, raising=False)
        sim = stack.enter_context(Simulator(nodes=1, speed=10_000))
        clock = PluginClock(tmp_path_factory.mktemp("clock") / "ahead")
        plugins = [stack.enter_context(PluginProcess(before=clock.source)), stack.enter_context(PluginProcess())]
        for plugin in plugins:
            plugin.configure(config_of(sim))
        yield clock, sim, *plugins


@pytest.fixture
def shops(running: tuple[Any, ...]) -> Callable[..., Shop]:
    """Return a function that opens a shop on a cluster of the given scenario."""
    clock, *others = running
    return lambda scenario="success": Shop(*others, clock=clock, scenario=scenario)


@pytest.fixture
def shop(shops: Callable[..., Shop]) -> Shop:
    """Return a shop with six nodes, three of them in the group ``web``."""
    return shops()


def test_create_migrates_and_the_next_up_has_nothing_to_do(shop: Shop) -> None:
    """Inputs echo, the plan is in both, the id is made of cluster and name."""
    shop.web.create(**shop.spec(batch_size_percentage=50, triggers=["a", 1]))
    assert shop.web.id == f"{shop.ocean_id}/web"
    outputs = shop.web.outputs
    assert sorted(outputs["planned_nodes"]) == shop.ids()
    assert outputs["planned_nodes"] == shop.web.inputs["planned_nodes"]
    assert outputs["migrated_nodes"] == shop.ids()
    assert (outputs["status"], outputs["succeeded"], outputs["progress"]) == ("FINISHED", True, 100.0)
    assert (outputs["batch_size_percentage"], outputs["triggers"], outputs["nodes"]) == (50, ["a", 1], WEB)
    assert outputs["effective_account_id"] == shop.sim.account_id
    assert shop.writes() == ["POST"]
    assert not shop.web.has_changes(**shop.spec(batch_size_percentage=50.0, triggers=["a", 1.0]))
    assert shop.writes() == ["POST"]


def test_preview_says_the_plan_in_the_row(shop: Shop) -> None:
    """One INFO line with the digest, and a warning for each blocker and check; nothing is written."""
    shop.web.checked(**shop.spec())
    assert any(line.startswith("Plan ") and "3 nodes" in line for line in shop.web.said("INFO"))
    assert any("Kubernetes" in line for line in shop.web.said("WARNING"))
    assert shop.writes() == []


def test_lines_of_a_run_reach_the_row(shop: Shop) -> None:
    """Live lines that are replaced, and a few that stay."""
    shop.web.create(**shop.spec())
    live = [line.message for line in shop.plugin.engine.lines if line.ephemeral and line.urn == shop.web.urn]
    assert any("/3 nodes" in line for line in live)
    assert any("has started" in line for line in shop.web.said("INFO"))
    assert len(shop.web.said("INFO")) < 40


def test_joined_node_is_no_diff_until_it_is_followed(shop: Shop) -> None:
    """The preview then shows exactly that node."""
    shop.web.create(**shop.spec())
    new = shop.control.add_node(shop.ocean_id, "web")["instance_id"]
    shop.next_up()
    assert not shop.web.has_changes(**shop.spec())
    assert any(line.startswith(f"1 new node matches but is not in the plan ({new})") for line in shop.web.said("INFO"))
    following = shop.spec(new_nodes="migrate")
    added = set(shop.web.checked(**following)["planned_nodes"]) - set(shop.web.inputs["planned_nodes"])
    assert added == {new}
    shop.web.update(**following)
    assert new in shop.web.outputs["migrated_nodes"]
    assert shop.writes() == ["POST", "POST"]


def test_interrupted_create_saves_id_and_outputs_and_update_resumes(shop: Shop) -> None:
    """A deadline stands for any end of a wait; the engine then calls `update` by itself."""
    release = shop.held()
    reason = shop.web.fails_to_create(timeout=HOUR, meanwhile=shop.pass_deadline, **shop.spec())
    assert "the deadline passed after" in reason
    assert "continues in Ocean" in reason
    assert shop.web.id == f"{shop.ocean_id}/web"
    assert reason == f"{shop.web.outputs['failure']['message']} [deadline]"
    assert shop.web.outputs["succeeded"] is False
    assert shop.web.outputs["planned_nodes"] == shop.web.inputs["planned_nodes"]
    assert shop.web.has_changes(**shop.spec())
    assert any("unfinished: migration owm-" in line for line in shop.web.said("INFO"))
    release()
    shop.web.update(**shop.spec())
    assert shop.web.outputs["succeeded"] is True
    assert "failure" not in shop.web.outputs
    assert shop.writes() == ["POST"]


def test_failed_migration_is_a_partial_failure_with_reason_and_remedy(shops: Callable[..., Shop]) -> None:
    """The next `up` follows up."""
    shop = shops("failure-instances")
    reason = shop.web.fails_to_create(**shop.spec())
    assert "Ocean could not start enough new instances" in reason
    assert shop.web.outputs["failure"]["reason"] == "instances"
    assert shop.web.outputs["failure"]["remedy"]
    assert shop.web.outputs["remaining_nodes"]
    assert shop.web.has_changes(**shop.spec())
    shop.web.update(**shop.spec())
    assert shop.web.outputs["succeeded"] is True
    assert len(shop.web.outputs["migrations"]) == 2


def test_failed_update_keeps_what_is_pending(shops: Callable[..., Shop]) -> None:
    """The engine keeps the old inputs: the change of nodes is seen again, and nothing is lost."""
    shop = shops()
    shop.web.create(**shop.spec())
    shop.control.arm_failure(shop.ocean_id, "timeout")
    wider = shop.spec(nodes={"asg_names": ["web", "api"]})
    assert "took longer than Ocean allows" in shop.web.fails_to_update(**wider)
    assert shop.web.inputs["nodes"] == WEB
    assert shop.web.has_changes(**wider)
    shop.web.update(**wider)
    assert set(shop.web.outputs["migrated_nodes"]) >= set(shop.ids("api"))


def test_create_that_is_refused_saves_nothing(shops: Callable[..., Shop]) -> None:
    """What only a run can refuse is a warning in the preview, and an error before the POST."""
    shop = shops("unmatched-nodes")
    reason = shop.web.fails_to_create(**shop.spec())
    assert reason.startswith("nothing was started: 2 planned nodes match no Virtual Node Group")
    assert any("2 planned nodes match no Virtual Node Group" in line for line in shop.web.said("WARNING"))
    assert shop.web.id == ""
    dead = shops("dead-controller")
    assert "Ocean Controller is INACTIVE" in dead.web.fails_to_create(**dead.spec())
    assert any("Ocean Controller is INACTIVE" in line for line in dead.web.said("WARNING"))
    other = shops()
    assert "is not the approved plan feedbeeffeedbeef" in other.web.fails_to_create(
        **other.spec(approved_plan="feedbeeffeedbeef")
    )
    assert any("is not the approved plan feedbeeffeedbeef" in line for line in other.web.said("WARNING"))
    assert [*shop.writes(), *dead.writes(), *other.writes()] == []


def test_ctrl_c_ends_the_wait_with_the_id_in_the_answer(running: tuple[Any, ...]) -> None:
    """Cancel holds for the whole process, so this test has one of its own."""
    sim = running[1]
    with PluginProcess() as plugin:
        plugin.configure(config_of(sim))
        shop = Shop(sim, plugin)
        shop.held()
        inputs = shop.web.checked(**shop.spec())
        request = provider_pb2.CreateRequest(urn=shop.web.urn, properties=sent(inputs))
        answer = plugin.stub.Create.future(request, timeout=PATIENCE)
        until(lambda: "POST" in shop.writes())
        until(lambda: shop.web.has_said("INFO", "has started"))
        plugin.cancel()
        with pytest.raises(grpc.RpcError) as caught:
            answer.result(PATIENCE)
    failure = init_failure_of(caught.value)
    assert failure.id == f"{shop.ocean_id}/web"
    assert message_of(caught.value).startswith("interrupted after ")


def test_read_follows_the_service_and_drops_what_is_gone(shop: Shop) -> None:
    """A cluster that no longer exists takes the resource with it; an answer of a proxy does not."""
    shop.web.create(**shop.spec(wait_for="started"))
    assert not shop.web.has_changes(**shop.spec(wait_for="started"))
    until(lambda: shop.web.read() and shop.web.outputs["status"] == "FINISHED")
    assert shop.web.outputs["succeeded"] is True
    assert not shop.web.has_changes(**shop.spec(wait_for="started"))
    shop.control.fault("GET", f"*/cluster/{shop.ocean_id}", "html-404", times=20)
    with pytest.raises(grpc.RpcError) as caught:
        shop.web.read()
    assert message_of(caught.value)
    shop.control.clear_faults()
    shop.control.delete_cluster(shop.ocean_id)
    assert shop.web.read() is False


def test_preview_warns_of_nodes_that_count_as_gone_and_are_there(shop: Shop) -> None:
    """As they are in the state; where nothing counts as gone, nothing is asked."""
    spec = shop.spec(nodes={"asg_names": ["nope"]}, when_no_nodes="succeed")
    shop.web.create(**spec)
    there = sorted(node["instance_id"] for node in shop.control.nodes(shop.ocean_id) if node["asg_name"] == "web")
    assert not shop.web.has_changes(**spec)
    assert not shop.web.has_said("WARNING", "count as gone")
    planned = dict.fromkeys(there, "node web -> web (ols-1)")
    shop.web.inputs["planned_nodes"] = shop.web.outputs["planned_nodes"] = planned
    shop.web.outputs["gone_nodes"] = there
    assert not shop.web.has_changes(**spec)
    assert shop.web.has_said("WARNING", "count as gone, but discovery returns them again")


def test_delete_stops_what_runs(shop: Shop) -> None:
    """And waits for its end; a cluster that is gone is success."""
    release = shop.held()
    shop.web.create(**shop.spec(wait_for="started"))
    shop.next_up()

    def release_when_stopping() -> None:
        until(lambda: "PUT" in shop.writes())
        release()

    threading.Thread(target=release_when_stopping, daemon=True).start()
    shop.web.delete()
    assert shop.writes() == ["POST", "PUT"]
    assert [migration["state"] for migration in shop.control.migrations(shop.ocean_id)] == ["STOPPED"]
    shop.control.delete_cluster(shop.ocean_id)
    shop.web.delete()


def test_replacement_under_the_same_name_keeps_what_it_adopted(shop: Shop) -> None:
    """`--replace` creates first: the delete of the old one must not stop what the new one waits for."""
    release = shop.held()
    shop.web.create(**shop.spec(wait_for="started"))
    shop.next_up()
    old = dict(shop.web.outputs)
    shop.web.inputs = {}
    shop.web.create(**shop.spec(wait_for="started"))
    assert [run["origin"] for run in shop.web.outputs["migrations"]] == ["adopted"]
    shop.web.outputs = old
    shop.web.delete()
    assert shop.writes() == ["POST"]
    release()


def test_delete_that_is_refused_says_why(shop: Shop) -> None:
    """One line, and the resource stays in the state."""
    shop.held()
    shop.web.create(**shop.spec(wait_for="started"))
    shop.next_up()
    shop.control.fault("PUT", f"*/{shop.ocean_id}/migration/*", "status", status=403, times=5)
    with pytest.raises(grpc.RpcError) as caught:
        shop.web.delete()
    assert "HTTP 403" in message_of(caught.value)


def test_replacement_is_always_delete_before_create(shop: Shop) -> None:
    """Another cluster, or another account than the one that was used."""
    shop.web.create(**shop.spec(wait_for="started"))
    other = shop.control.add_cluster(2)["id"]
    answer = shop.web.diff(shop.web.checked(ocean_id=other, nodes=WEB))
    assert (list(answer.replaces), answer.deleteBeforeReplace) == (["ocean_id"], True)
    account = shop.control.add_account()
    answer = shop.web.diff({**shop.web.inputs, "account_id": account})
    assert (list(answer.replaces), answer.deleteBeforeReplace) == (["account_id"], True)
    same = shop.web.diff({**shop.web.inputs, "account_id": shop.sim.account_id})
    assert same.changes == provider_pb2.DiffResponse.DIFF_NONE


def test_killed_update_is_found_by_diff(shop: Shop) -> None:
    """A migration that is ours and that the outputs do not know."""
    shop.web.create(**shop.spec())
    known = json.loads(json.dumps(shop.web.outputs))
    shop.control.add_node(shop.ocean_id, "web")
    shop.next_up()
    shop.web.update(**shop.spec(new_nodes="migrate"))
    shop.web.outputs = known
    assert shop.web.has_changes(**shop.spec(new_nodes="migrate"))
    assert any("`pulumi up` adopts migration owm-" in line for line in shop.web.said("INFO"))
