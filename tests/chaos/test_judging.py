"""False claims are found: what the outputs say is compared with the simulator's world, and with nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.chaos.judging import Judge
from tests.chaos.schedule import Command, Lie, LieKind, Schedule, decide
from tests.chaos.service import Service
from tests.chaos.stories import Story
from tests.scenarios.offline_driver import OfflineDriver

SCHEDULE = replace(
    decide(0, nodes=(6, 6), strikes=1, lies=0), story="two", count_daemonset_pods=False, standalone=False
)
COUNTING = replace(SCHEDULE, count_daemonset_pods=True)
FINISHED_WITH_PODS = Lie(
    kind=LieKind.FINISHED_WITH_PODS, after=0, times=1, lasts=5.0, state="-", share=0.0, flags=(False, False, False)
)
STORY = Story(programs=(), planned={"web": ("web",), "rest": ("api",)}, after={"rest": "web"})


class Claiming(OfflineDriver):
    """A stack whose state is given."""

    claims: dict[str, dict[str, Any]]

    def resources(self) -> list[dict[str, Any]]:
        """Return the resources."""
        return [{"urn": f"urn:pulumi:dev::test::type::{name}", "outputs": each} for name, each in self.claims.items()]


class Scene:
    """A simulator whose clock stands still, and what a stack claims about it."""

    def __init__(self, service: Service, directory: Path) -> None:
        self.service, self.control, self.ocean_id = service, service.control, service.ocean_id
        self.control.clock(manual=True)
        self.nodes = service.nodes("web")
        self.driver = Claiming(directory)
        self.driver.claims = {}
        self.claim("web", self.nodes)
        self.judge = Judge(self.driver, service, STORY, kubernetes=False)

    def claim(self, name: str, planned: list[str], **outputs: Any) -> None:
        """Let a migration claim that it has succeeded."""
        empty = {"manual_nodes": [], "manual_pods": [], "planned_nodes": dict.fromkeys(planned, "-")}
        self.driver.claims[name] = {"succeeded": True, **empty, **outputs}

    def start(self, nodes: list[str]) -> str:
        """Start a migration of ours, through the API."""
        environment = self.service.environment
        flags = ("shouldTerminateDrainedNodes", "shouldEvictStandAlonePods", "forcePodEvictionOnPdbFailure")
        response = httpx.post(
            f"{environment['SPOTINST_BASE_URL']}/ocean/aws/k8s/cluster/{self.ocean_id}/migration",
            params={"accountId": environment["SPOTINST_ACCOUNT"]},
            headers={"Authorization": f"Bearer {environment['SPOTINST_TOKEN']}"},
            json={"migration": {"instanceIds": nodes, "batchSizePercentage": 50, **dict.fromkeys(flags, False)}},
        )
        return str(response.json()["response"]["items"][0]["id"])

    def find(self, command: Command = Command.REFRESH, exit_code: int = 0) -> list[str]:
        """Return what the judge finds now."""
        now = float(self.control.clock()["now"])
        return self.judge.find_lies(command, exit_code, now)

    def find_needless(self, reason: str, schedule: Schedule = SCHEDULE) -> list[str]:
        """Return which nodes of the first wave need no remedy when they all remain for a reason."""
        self.claim("web", self.nodes, succeeded=False, remaining_reasons=dict.fromkeys(self.nodes, reason))
        return [text.partition(" ")[0] for text in self.judge.find_needless_remedies(schedule)]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Return a scene of six nodes."""
    with Service(SCHEDULE, tmp_path / "simulator.json") as service:
        yield Scene(service, tmp_path / "stack")


def test_a_success_with_pods_is_none(scene: Scene) -> None:
    """Until every node is drained or gone, whatever nodes the state says are migrated."""
    first, *others = scene.nodes
    assert [text.partition(" has pods")[0].rpartition(" ")[2] for text in scene.find()] == scene.nodes
    scene.control.start_foreign_migration(scene.ocean_id, [first])
    scene.control.advance(1000)
    for name in others:
        scene.control.terminate_node(scene.ocean_id, name)
    assert scene.find() == []


def test_a_success_before_its_time_is_none(scene: Scene) -> None:
    """Nodes that were drained later do not prove it."""
    before = float(scene.control.clock()["now"])
    scene.control.start_foreign_migration(scene.ocean_id, scene.nodes)
    scene.control.advance(1000)
    assert scene.find() == []
    found = scene.judge.find_lies(Command.REFRESH, 0, before)
    assert len(found) == len(scene.nodes)
    assert all("at that time some" in text for text in found)


def test_an_unverified_node_is_no_lie_without_access(scene: Scene) -> None:
    """With access to Kubernetes it is one."""
    scene.claim("web", scene.nodes, unverified_nodes=scene.nodes)
    assert scene.find() == []
    scene.judge.kubernetes = True
    assert len(scene.find()) == len(scene.nodes)


def test_a_manual_node_has_only_the_pods_that_are_named(scene: Scene) -> None:
    """One more is a lie."""
    first, *others = scene.nodes
    for name in others:
        scene.control.terminate_node(scene.ocean_id, name)
    (node,) = [each for each in scene.control.nodes(scene.ocean_id) if each["instance_id"] == first]
    pods = [{"node": node["node_name"], "pod": pod["name"], "kind": "UNKNOWN"} for pod in node["pods"]]
    scene.claim("web", scene.nodes, manual_nodes=[first], manual_pods=pods)
    assert scene.find() == []
    scene.claim("web", scene.nodes, manual_nodes=[first], manual_pods=pods[1:])
    assert scene.find() == [f"web has succeeded, but {first} has pods: {', '.join(sorted(p['pod'] for p in pods))}"]


def test_nothing_of_ours_runs_after_a_success_or_a_destruction(scene: Scene) -> None:
    """Neither after nor while it is destroyed."""
    migration = scene.start(scene.nodes)
    assert f"web has succeeded, but {migration} runs" in scene.find()
    assert f"destroy succeeds while {migration} runs" in scene.find(Command.DESTROY)
    assert not any("destroy" in text for text in scene.find(Command.DESTROY, 1))
    scene.control.advance(3600)
    assert scene.find(Command.DESTROY) == []


def test_a_gate_that_opens_too_early(scene: Scene) -> None:
    """The second wave starts while the first one has pods, though it is free at the end."""
    scene.start(scene.service.nodes("api"))
    scene.control.start_foreign_migration(scene.ocean_id, scene.nodes)
    scene.control.advance(3600)
    found = scene.find()
    assert len(found) == len(scene.nodes)
    assert all(text.startswith("rest starts after web, but i-") for text in found)
    scene.driver.claims = {}
    assert scene.find(Command.DESTROY) == found


def test_a_gate_that_opens_in_time(scene: Scene) -> None:
    """The first wave is free when the second starts."""
    scene.control.start_foreign_migration(scene.ocean_id, scene.nodes)
    scene.control.advance(3600)
    scene.start(scene.service.nodes("api"))
    assert scene.find() == []


def test_an_up_that_ends_well_claims_every_migration(scene: Scene) -> None:
    """Also those that are not in the state, and nodes that are not in the plan."""
    scene.claim("web", [])
    assert scene.find() == []
    found = scene.find(Command.UP)
    assert len(found) == len(scene.nodes) + 1
    assert found[-1] == "up succeeds, but rest does not say that it has"


def test_a_failed_migration_needs_a_remedy_where_daemonset_pods_are_counted(scene: Scene) -> None:
    """Its nodes must be drained, and exist: a node with pods is started again, and a gone one has no pod to count."""
    migration = scene.start(scene.nodes)
    scene.control.advance(3600)
    assert scene.find_needless("not-drained", COUNTING) == scene.nodes, "a finished migration"
    scene.control.set_state(scene.ocean_id, migration, "FINISHED_ERROR")
    assert scene.find_needless("not-drained", COUNTING) == []
    assert scene.find_needless("not-drained") == scene.nodes, "the count is 0"
    assert scene.find_needless("unproven", COUNTING) == scene.nodes
    first, *_ = scene.nodes
    scene.control.terminate_node(scene.ocean_id, first)
    assert scene.find_needless("not-drained", COUNTING) == [first]
    scene.judge.kubernetes = True
    assert scene.find_needless("not-drained", COUNTING) == scene.nodes


def test_a_failed_migration_that_left_pods_needs_no_remedy(scene: Scene) -> None:
    """The nodes are candidates: the next `up` starts them again."""
    migration = scene.start(scene.nodes)
    scene.control.set_state(scene.ocean_id, migration, "FINISHED_ERROR")
    assert scene.find_needless("not-drained", COUNTING) == scene.nodes


def test_only_a_migration_that_is_finished_with_pods_is_contradicted(scene: Scene) -> None:
    """It needs a remedy only in a run that tells this lie, and as long as pods are left."""
    lying = replace(SCHEDULE, lies=(FINISHED_WITH_PODS,))
    assert scene.find_needless("contradicted", lying) == scene.nodes, "no migration"
    migration = scene.start(scene.nodes)
    scene.control.set_state(scene.ocean_id, migration, "FINISHED")
    assert scene.find_needless("contradicted", lying) == []
    assert scene.find_needless("contradicted") == scene.nodes
    assert scene.find_needless("lost", lying) == scene.nodes
    scene.start(scene.nodes)
    scene.control.advance(3600)
    assert scene.find_needless("contradicted", lying) == scene.nodes


def test_an_up_that_fails_with_nothing_left_needs_no_remedy(scene: Scene) -> None:
    """Neither does a migration that the program does not plan."""
    scene.claim("elsewhere", scene.nodes, remaining_reasons=dict.fromkeys(scene.nodes, "not-drained"))
    assert scene.judge.find_needless_remedies(COUNTING) == ["`up` fails, but no node remains that a remedy could help"]
