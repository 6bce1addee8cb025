"""What the cluster itself tells: named in the preview, judged again by the run, and its secrets kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.driver import Driver
from tests.scenarios.scene import Expression, Scene, everything_below, failed, plain, plan_of, said, warned

_SECRET = Expression('pulumi.Config().require_secret("kubeconfig")')


def token_of(kubeconfig: str) -> str:
    """Return the token in a kubeconfig."""
    return kubeconfig.partition("token: ")[2].splitlines()[0].strip("\"' ")


def give(scene: Scene, identity: str) -> str:
    """Give the stack a kubeconfig as a secret of its config, and return its token."""
    kubeconfig = scene.simulator.kubeconfig(identity=identity)
    scene.driver.configure(secret=True, kubeconfig=kubeconfig)
    return token_of(kubeconfig)


def test_a_preview_names_what_stands_in_the_way_and_only_reads(driver: Driver) -> None:
    """With the rights of a pull request; Spot is asked no more than six times, Kubernetes each thing once."""
    with Scene(driver, nodes=6, scenario="kubernetes-trouble") as scene:
        give(scene, "preview")
        scene.declare(kubeconfig=_SECRET)
        preview = scene.preview()
        assert warned(preview, "Blocked: PodDisruptionBudget", "allows 0 disruptions")
        assert warned(preview, "Blocked: Standalone pod")
        assert warned(preview, "Blocked: ", "fits no Virtual Node Group", "eks.amazonaws.com/nodegroup")
        assert warned(preview, "Check failed (pending pods)")
        assert said(preview, " pods: ", "blocked by PodDisruptionBudgets")
        assert said(preview, " checks passed")
        everything = scene.control.requests(api="all")
        assert {request["method"] for request in everything} == {"GET"}
        asked = [request["path"] for request in scene.control.requests(api="kubernetes")]
        assert len(asked) == len(set(asked))
        assert len(scene.control.requests()) <= 6


def test_what_was_named_is_refused_or_overruled_by_the_run(driver: Driver) -> None:
    """A pod that waits fails the first start; overruled, the trial of an eviction says what the budget does."""
    with Scene(driver, nodes=6, scenario="kubernetes-trouble") as scene:
        give(scene, "run")
        scene.declare(kubeconfig=_SECRET)
        assert failed(scene.up_fails(), "nothing was started", "waits for a node")
        assert not scene.writes()
        assert not [each for each in scene.control.requests(api="kubernetes") if each["method"] != "GET"]

        scene.control.remove_pod(scene.ocean_id, "forecast-0")
        homeless = next(
            node for node in scene.control.nodes(scene.ocean_id) if any(p["name"] == "images-0" for p in node["pods"])
        )
        scene.control.remove_pod(scene.ocean_id, "images-0", instance_id=homeless["instance_id"])
        scene.declare(kubeconfig=_SECRET, should_evict_stand_alone_pods=True)
        scene.hold()
        running = scene.driver.start("up")
        running.wait_until(lambda run: any("The API server confirms it" in text for text in run.warnings))
        tried = [each for each in scene.control.requests(api="kubernetes") if each["method"] == "POST"]
        assert [each["status"] for each in tried] == [429]
        running.interrupt()
        assert running.wait().exit_code != 0


def test_a_kubeconfig_is_nowhere_but_in_memory(driver: Driver, tmp_path: Path) -> None:
    """Not in the state, the events, the output, or in any file but those that the user wrote."""
    with Scene(driver) as scene:
        token = give(scene, "run")
        scene.declare(kubeconfig=_SECRET)
        preview = scene.preview()
        assert "kubeconfig" not in (preview.inputs("web") or {})
        run = scene.up()
        assert scene.outputs()["migrated_nodes"] == scene.asg()
        for text in (preview.output, run.output, plain(preview.events), plain(run.events)):
            assert token not in text
        assert token not in plain(scene.driver.state())
        assert token not in everything_below(tmp_path)
        scene.up_unchanged()
        # Another identity, or none, is no change of what was asked for.
        give(scene, "preview")
        scene.up_unchanged()
        scene.declare()
        scene.up_unchanged()


@pytest.mark.slow
def test_nodes_are_selected_by_labels_in_waves(driver: Driver) -> None:
    """As kubectl would; the later wave excludes by label what the first one took, and pods come and go meanwhile."""
    with Scene(driver, nodes=6) as scene:
        give(scene, "run")
        first = scene.resource("web", kubeconfig=_SECRET, nodes={"label_selector": "workload=web"})
        rest = scene.resource(
            "rest",
            kubeconfig=_SECRET,
            nodes={"all_nodes": True, "exclude": {"label_selector": "workload=web"}},
            opts="pulumi.ResourceOptions(depends_on=[web])",
        )
        scene.program(first, rest)
        preview = scene.preview()
        assert sorted(plan_of(preview, "web")) == scene.asg("web")
        others = sorted([*scene.asg("api"), *scene.asg("batch")])
        assert sorted(plan_of(preview, "rest")) == others
        scene.control.add_pod(scene.ocean_id, scene.asg("web")[0], name="another")
        scene.up()
        assert scene.outputs("web")["migrated_nodes"] == scene.asg("web")
        assert scene.outputs("rest")["migrated_nodes"] == others
        scene.up_unchanged("web", "rest")


@pytest.mark.slow
def test_labels_that_cannot_be_judged_leave_the_plan_as_it_was(driver: Driver) -> None:
    """A new resource is planned by the run; an existing one keeps its plan, and nothing is taken or let go by guess."""
    with Scene(driver) as scene:
        token = give(scene, "none")
        scene.declare(kubeconfig=_SECRET, nodes={"label_selector": "workload=web"})
        preview = scene.preview()
        assert "planned_nodes" not in (preview.inputs("web") or {})
        assert warned(preview, "Cannot evaluate label_selector", "403")
        run = scene.up_fails()
        assert failed(run, "cannot evaluate label_selector", "nothing was started")
        assert token not in run.output
        assert not scene.writes()
        give(scene, "run")
        scene.up()
        planned = scene.outputs()["planned_nodes"]
        assert sorted(planned) == scene.asg()
        give(scene, "none")
        scene.control.add_node(scene.ocean_id, "web")
        assert plan_of(scene.preview()) == planned
        scene.up_unchanged()


@pytest.mark.slow
def test_a_kubeconfig_of_another_cluster_is_refused_or_not_used(driver: Driver, tmp_path: Path) -> None:
    """Refused when the program names it; in the environment it is as none, with a warning."""
    with Scene(driver) as scene:
        other = scene.add_cluster(name="other")
        scene.driver.configure(secret=True, kubeconfig=scene.simulator.kubeconfig(other))
        scene.declare(kubeconfig=_SECRET)
        run = scene.driver.preview()
        assert run.exit_code != 0
        assert failed(run, "kubeconfig", "another cluster")
        path = tmp_path / "elsewhere"
        path.write_text(scene.simulator.kubeconfig(other), encoding="utf-8")
        scene.driver.environment["KUBECONFIG"] = str(path)
        scene.declare()
        assert warned(scene.preview(), "KUBECONFIG belongs to another cluster")
        scene.up()
        assert scene.outputs()["migrated_nodes"] == scene.asg()


def test_kubernetes_that_is_down_costs_a_preview_a_few_seconds_and_no_plan(driver: Driver) -> None:
    """What it would have told is unknown; the plan is Spot's."""
    with Scene(driver) as scene:
        give(scene, "preview")
        scene.control.fault("GET", "/kubernetes/*", "slow", times=1000, seconds=30)
        scene.program(*(scene.resource(f"wave{number}", kubeconfig=_SECRET) for number in range(5)))
        preview = scene.preview()
        assert sorted(plan_of(preview, "wave0")) == scene.asg()
        assert warned(preview, "Not checked (Kubernetes)", "did not respond in time")
        assert len(scene.control.requests(api="kubernetes")) <= 8
