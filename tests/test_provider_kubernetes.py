"""Access to Kubernetes, through the real plugin process: what it adds to a preview and a run, and where it never is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from pulumi.runtime import rpc

from ocean_migration_pulumi.simulator import Simulator
from tests.support.plugin import PluginProcess, plain
from tests.support.plugin_clock import PluginClock
from tests.support.resource_plugin import Cluster, Resource, config_of, without_settings
from tests.support.timing import until

WEB = {"asg_names": ["web"]}


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> PluginClock:
    """Make the clock of the plugin."""
    return PluginClock(tmp_path_factory.mktemp("clock") / "ahead")


@pytest.fixture(scope="module")
def running(clock: PluginClock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Simulator, PluginProcess]]:
    """Run a fast simulator, and a plugin on a machine without any settings and without AWS."""
    with pytest.MonkeyPatch.context() as patch:
        without_settings(patch, tmp_path_factory.mktemp("home"))
        with Simulator(nodes=1, speed=600) as simulator, PluginProcess(before=clock.source) as plugin:
            plugin.configure(config_of(simulator))
            yield simulator, plugin


@pytest.fixture
def sim(running: tuple[Simulator, PluginProcess]) -> Iterator[Cluster]:
    """Add a cluster with things in the way of a migration."""
    simulator, _ = running
    cluster = Cluster(simulator, str(simulator.control.add_cluster(6, scenario="kubernetes-trouble")["id"]))
    simulator.control.clear_requests()
    yield cluster
    simulator.control.clear_faults()


@pytest.fixture
def plugin(running: tuple[Simulator, PluginProcess]) -> PluginProcess:
    """Return the plugin; what it has logged before is forgotten."""
    _, plugin = running
    plugin.engine.lines.clear()
    return plugin


def token_of(kubeconfig: str) -> str:
    """Return the token in a kubeconfig, which must be nowhere else."""
    return kubeconfig.partition("token: ")[2].splitlines()[0].strip("\"' ")


def everything_said(plugin: PluginProcess) -> str:
    """Return all that the plugin has logged."""
    return "\n".join(line.message for line in plugin.engine.lines)


def asked(sim: Cluster) -> list[dict[str, Any]]:
    """Return what Kubernetes was asked."""
    return sim.control.requests(api="kubernetes")


def test_preview_names_what_stands_in_the_way_and_only_reads(sim: Cluster, plugin: PluginProcess) -> None:
    """With the identity of a pull request, which may not evict."""
    web = Resource(plugin)
    web.checked(ocean_id=sim.ocean_id, nodes=WEB, kubeconfig=sim.kubeconfig(identity="preview"))
    warnings = "\n".join(web.said("WARNING"))
    assert "Blocked: PodDisruptionBudget" in warnings
    assert "Blocked: Standalone pod" in warnings
    assert "eks.amazonaws.com/nodegroup" in warnings
    assert "No access to Kubernetes" not in warnings
    (passed,) = [line for line in web.said("INFO") if line.endswith(" checks passed")]
    assert int(passed.split()[0]) >= 5
    assert {request["method"] for request in (*asked(sim), *sim.control.requests())} == {"GET"}
    # Karpenter is not installed.
    assert {request["status"] for request in asked(sim) if not request["path"].endswith("/nodepools")} == {200}


def test_kubeconfig_is_in_no_input_output_state_or_line(sim: Cluster, plugin: PluginProcess) -> None:
    """It stays in the memory of this process, and the run has it from there."""
    homeless = next(
        node for node in sim.control.nodes(sim.ocean_id) if any(p["name"] == "images-0" for p in node["pods"])
    )
    sim.control.remove_pod(sim.ocean_id, "images-0", instance_id=homeless["instance_id"])
    sim.control.remove_pod(sim.ocean_id, "forecast-0")
    kubeconfig = sim.kubeconfig(identity="run")
    given: dict[str, Any] = {
        "ocean_id": sim.ocean_id,
        "nodes": WEB,
        "kubeconfig": kubeconfig,
        "prerequisites": "warn",
        "should_evict_stand_alone_pods": True,
        "force_pod_eviction_on_pdb_failure": True,
    }
    web = Resource(plugin)
    web.create(**given)
    assert web.outputs["succeeded"] is True
    token = token_of(kubeconfig)
    assert len(token) >= 16
    for text in (json.dumps(web.inputs), json.dumps(web.outputs), everything_said(plugin)):
        assert token not in text
        assert "kubeconfig" not in text
    assert not web.has_changes(**given)
    without = {name: value for name, value in given.items() if name != "kubeconfig"}
    assert not web.has_changes(**without)


def test_run_tries_the_eviction_that_a_budget_seems_to_forbid(
    sim: Cluster, plugin: PluginProcess, clock: PluginClock
) -> None:
    """The API server confirms it, and nothing is evicted by the trial."""
    before = sum(len(node["pods"]) for node in sim.control.nodes(sim.ocean_id))
    web = Resource(plugin)

    def pass_deadline() -> None:
        until(lambda: web.has_said("WARNING", "The API server confirms it"))
        clock.advance(3600.0)

    web.fails_to_create(
        ocean_id=sim.ocean_id,
        nodes=WEB,
        kubeconfig=sim.kubeconfig(identity="run"),
        prerequisites="warn",
        timeout=3600.0,
        meanwhile=pass_deadline,
    )
    (trial,) = [request for request in asked(sim) if request["method"] == "POST"]
    assert trial["path"].endswith("/eviction")
    assert trial["status"] == 429
    assert any("The API server confirms it" in line for line in web.said("WARNING"))
    assert before == sum(len(node["pods"]) for node in sim.control.nodes(sim.ocean_id)) or sim.control.migrations(
        sim.ocean_id
    )


def test_nodes_are_selected_by_label(sim: Cluster, plugin: PluginProcess) -> None:
    """As kubectl would select them."""
    web = Resource(plugin)
    inputs = web.checked(
        ocean_id=sim.ocean_id,
        nodes={"label_selector": "workload in (web),!never"},
        kubeconfig=sim.kubeconfig(identity="preview"),
    )
    nodes = sim.control.nodes(sim.ocean_id)
    assert sorted(inputs["planned_nodes"]) == sorted(
        node["instance_id"] for node in nodes if node["labels"].get("workload") == "web"
    )


@pytest.mark.parametrize(
    ("given", "name", "message"),
    [
        ({"nodes": {"label_selector": "a in"}}, "nodes.label_selector", "a in"),
        ({"kubeconfig": "no: kubeconfig"}, "kubeconfig", "kubeconfig"),
        ({"kubeconfig": 7}, "kubeconfig", "the content of a kubeconfig"),
        ({"kube_context": "nowhere"}, "kube_context", "nowhere"),
    ],
    ids=repr,
)
def test_bad_access_is_bad_input(
    sim: Cluster, plugin: PluginProcess, given: dict[str, Any], name: str, message: str
) -> None:
    """Named, in one line, and without what is secret."""
    complete = {"ocean_id": sim.ocean_id, "nodes": WEB, "kubeconfig": sim.kubeconfig(), **given}
    answer = Resource(plugin).check(**complete)
    (reason,) = [failure.reason for failure in answer.failures]
    assert reason.startswith(name)
    assert message in reason
    assert "\n" not in reason
    assert token_of(sim.kubeconfig()) not in reason
    assert "kubeconfig" not in plain(answer.inputs)


def test_kubeconfig_of_another_cluster_is_refused(sim: Cluster, plugin: PluginProcess) -> None:
    """Before anything is planned."""
    other = sim.control.add_cluster(4, name="other")["id"]
    answer = Resource(plugin).check(ocean_id=sim.ocean_id, nodes=WEB, kubeconfig=sim.kubeconfig(other))
    (reason,) = [failure.reason for failure in answer.failures]
    assert reason.startswith("kubeconfig: ")
    assert "another cluster" in reason


def test_kubeconfig_that_is_known_only_later_leaves_labels_unknown(sim: Cluster, plugin: PluginProcess) -> None:
    """As when the cluster is made in the same stack; what needs no label is planned all the same."""
    by_label = Resource(plugin, name="labels").checked(
        ocean_id=sim.ocean_id, nodes={"label_selector": "workload=web"}, kubeconfig=rpc.UNKNOWN
    )
    assert "kubeconfig" not in by_label
    assert by_label["planned_nodes"] != {}
    assert not isinstance(by_label["planned_nodes"], dict)
    by_group = Resource(plugin, name="groups")
    assert len(by_group.checked(ocean_id=sim.ocean_id, nodes=WEB, kubeconfig=rpc.UNKNOWN)["planned_nodes"]) == 3


def test_right_that_is_missing_is_told_with_its_rule(sim: Cluster, plugin: PluginProcess) -> None:
    """And its check is unknown, not passed."""
    sim.control.forbid_kubernetes(sim.ocean_id, "poddisruptionbudgets")
    web = Resource(plugin)
    web.checked(ocean_id=sim.ocean_id, nodes=WEB, kubeconfig=sim.kubeconfig())
    warnings = "\n".join(web.said("WARNING"))
    assert "403" in warnings
    assert "poddisruptionbudgets" in warnings
    assert "; PodDisruptionBudgets unknown" in "\n".join(web.said("INFO"))


def test_many_resources_of_a_cluster_ask_kubernetes_once(sim: Cluster, plugin: PluginProcess) -> None:
    """However many share it, and the service at most six times."""
    kubeconfig = sim.kubeconfig()
    for number, node in enumerate(sim.control.nodes(sim.ocean_id)):
        resource = Resource(plugin, name=f"wave{number}")
        nodes = {"instance_ids": [node["instance_id"]]}
        resource.checked(ocean_id=sim.ocean_id, nodes=nodes, kubeconfig=kubeconfig)
    paths = [request["path"] for request in asked(sim)]
    assert len(paths) == len(set(paths))
    assert len(sim.control.requests()) <= 6


def test_kubernetes_that_hangs_costs_a_preview_a_few_seconds_once(sim: Cluster, plugin: PluginProcess) -> None:
    """And leaves its checks unknown; the plan is there."""
    sim.control.fault("GET", "/kubernetes/*", "slow", times=1000, seconds=20)
    first = Resource(plugin, name="first")
    assert len(first.checked(ocean_id=sim.ocean_id, nodes=WEB, kubeconfig=sim.kubeconfig())["planned_nodes"]) == 3
    assert "did not respond in time" in "\n".join(first.said("WARNING"))
    second = Resource(plugin, name="second")
    before = len(asked(sim))
    second.checked(
        ocean_id=sim.ocean_id, nodes={"all_nodes": True}, kubeconfig=sim.kubeconfig(), unmatched_nodes="allow"
    )
    assert len(asked(sim)) == before


def test_refused_rpc_never_carries_the_kubeconfig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A token that Spot refuses fails the preview; the reason is that alone."""
    without_settings(monkeypatch, tmp_path)
    with Simulator(nodes=2) as sim, PluginProcess() as plugin:
        plugin.configure(config_of(sim))
        sim.control.rotate_token()
        kubeconfig = sim.kubeconfig()
        with pytest.raises(grpc.RpcError) as caught:
            Resource(plugin).check(ocean_id=sim.ocean_id, nodes=WEB, kubeconfig=kubeconfig)
    assert "refuses the token" in str(caught.value.details())
    assert token_of(kubeconfig) not in str(caught.value)
