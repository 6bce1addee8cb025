"""A planned migration, tried out in a simulator of another simulator's cluster."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.scope import Scope
from ocean_migration_pulumi.api.settings import Settings
from ocean_migration_pulumi.errors import InputError, InterruptedWaitError
from ocean_migration_pulumi.migration.sources import Sources
from ocean_migration_pulumi.migration.workloads import BUDGETS, PODS, Gap, Workloads
from ocean_migration_pulumi.rehearsal import INVENTED, PREDICTION, Described, Rehearsal, describe, rehearse, running
from ocean_migration_pulumi.rehearsal.prediction import ENDLESS, STALLED
from ocean_migration_pulumi.session import Session
from ocean_migration_pulumi.simulator import Simulator
from tests.migration import builders
from tests.migration.known import KnownKubernetes
from tests.simulator.conftest import Api


class Theatre:
    """A simulator that stands for the real service, and what is asked of it."""

    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        self.client = client_of(sim)
        self.session = Session()

    @property
    def instance_ids(self) -> list[str]:
        """The nodes that can be migrated."""
        return sorted(candidate.instance_id for candidate in self.client.discover(self.sim.ocean_id))

    def sources(self) -> Sources:
        """Access to its Kubernetes."""
        return self.session.sources(self.sim.kubeconfig(), None)

    def describe(self, sources: Sources | None = None) -> Described:
        """Describe its cluster."""
        return describe(self.client, Scope(), sources or Sources(), self.sim.ocean_id)

    def rehearse(self, sources: Sources | None = None, **options: Any) -> Rehearsal:
        """Rehearse the migration of all its nodes, in two batches."""
        wish = builders.wish(**{"batch_size_percentage": 50, **options})
        return rehearse(self.describe(sources), wish, self.instance_ids)


def client_of(sim: Simulator) -> OceanClient:
    """Return a client of a simulator."""
    return OceanClient(Settings(base_url=sim.url, token=sim.token, account_id=sim.account_id))


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run without the proxies and certificates of whoever runs the tests."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("SSL_CERT"):
            monkeypatch.delenv(name)


@pytest.fixture
def theatres() -> Iterator[Callable[..., Theatre]]:
    """Return a function that opens a theatre with a scenario."""
    with ExitStack() as stack:

        def start(scenario: str = "success", nodes: int = 6) -> Theatre:
            theatre = Theatre(stack.enter_context(Simulator(scenario=scenario, nodes=nodes)))
            stack.callback(theatre.client.close)
            stack.callback(theatre.session.close)
            return theatre

        yield start


@pytest.mark.parametrize("scenario", ["success", "unmatched-nodes", "kubernetes-trouble"])
def test_seeded_cluster_answers_as_the_described_one(theatres: Callable[..., Theatre], scenario: str) -> None:
    """The same candidates with the same matches and pods, the same groups, nodes and heartbeat, under the same ids."""
    theatre = theatres(scenario)
    ocean_id = theatre.sim.ocean_id
    for sources in (Sources(), theatre.sources()):
        described = theatre.describe(sources)
        with Simulator(world=json.loads(json.dumps(described.world))) as copy, client_of(copy) as client:
            assert client.account_id == theatre.client.account_id
            assert client.discover(ocean_id) == theatre.client.discover(ocean_id)
            assert client.list_nodes(ocean_id) == theatre.client.list_nodes(ocean_id)
            groups = zip(
                client.list_virtual_node_groups(ocean_id),
                theatre.client.list_virtual_node_groups(ocean_id),
                strict=True,
            )
            for ours, theirs in groups:
                assert (ours.id, ours.name, ours.labels, ours.taints) == (
                    theirs.id,
                    theirs.name,
                    theirs.labels,
                    theirs.taints,
                )
            assert client.get_heartbeat(ocean_id).status == "ACTIVE"
            assert client.get_cluster(ocean_id).name == "demo"


def test_ocean_has_its_own_nodes_in_the_copy(theatres: Callable[..., Theatre]) -> None:
    """With their pods, where Kubernetes tells them; one that is silent since long stays silent."""
    theatre = theatres()
    control, ocean_id = theatre.sim.control, theatre.sim.ocean_id
    control.heartbeat(ocean_id, status="INACTIVE", age_seconds=900)
    added = control.add_node(ocean_id, asg_name=None, pods=4, ocean_managed=True)
    for sources, pods in ((Sources(), 0), (theatre.sources(), 4)):
        described = theatre.describe(sources)
        with Simulator(world=described.world) as copy, client_of(copy) as client:
            [ours], [theirs] = client.list_nodes(ocean_id), theatre.client.list_nodes(ocean_id)
            assert (ours.instance_id, ours.node_name, ours.instance_type, ours.availability_zone) == (
                theirs.instance_id,
                theirs.node_name,
                theirs.instance_type,
                theirs.availability_zone,
            )
            nodes = {node["instance_id"]: node for node in copy.control.nodes(ocean_id)}
            moving = [pod for pod in nodes[added["instance_id"]]["pods"] if pod["controller"] != "DaemonSet"]
            assert len(moving) == pods
            assert client.get_heartbeat(ocean_id).status == "INACTIVE"


def test_cluster_without_a_controller_stays_so(theatres: Callable[..., Theatre]) -> None:
    """A heartbeat that never was is none in the copy."""
    assert theatres("never-heartbeat").describe().world["heartbeat"] == {"status": None}


def test_budgets_allow_in_the_copy_what_they_allow_here(theatres: Callable[..., Theatre]) -> None:
    """Read by the same reader of Kubernetes, from either."""
    theatre = theatres("blocking-pdb")
    described = theatre.describe(theatre.sources())
    with Simulator(world=described.world) as copy:
        there = theatre.sources().kubernetes
        here = theatre.session.sources(copy.kubeconfig(), None).kubernetes
        assert there is not None
        assert here is not None
        found = [
            {
                budget.full_name: (budget.disruptions_allowed, budget.current_healthy)
                for budget in reader.read(Scope()).budgets
            }
            for reader in (there, here)
        ]
    assert found[0] == found[1]
    assert found[0]["shop/ledger"] == (0, 2)


def test_nothing_but_gets_reach_the_real_service(theatres: Callable[..., Theatre]) -> None:
    """Neither Spot's nor Kubernetes'; of the first only six."""
    theatre = theatres("kubernetes-trouble")
    theatre.sim.control.clear_requests()
    described = theatre.describe(theatre.sources())
    assert len(theatre.sim.control.requests()) == 6
    rehearse(described, builders.wish(), [described.world["nodes"][0]["instance_id"]])
    assert {request["method"] for request in theatre.sim.control.requests(api="all")} == {"GET"}
    assert theatre.sim.control.migrations(theatre.sim.ocean_id) == []


def test_no_user_data_in_a_description(theatres: Callable[..., Theatre]) -> None:
    """It decides nothing, and may hold secrets."""
    theatre = theatres()
    change = {"cluster": {"compute": {"launchSpecification": {"userData": "Y2FuYXJ5"}}}}
    path = f"/ocean/aws/k8s/cluster/{theatre.sim.ocean_id}"
    assert Api(theatre.sim).send("PUT", path, change).status == 200
    assert "Y2FuYXJ5" in json.dumps(theatre.client.get_cluster(theatre.sim.ocean_id).raw)
    described = json.dumps(theatre.describe().world)
    assert "Y2FuYXJ5" not in described
    assert theatre.sim.token not in described


def test_success_is_predicted_state_by_state(theatres: Callable[..., Theatre]) -> None:
    """In the order of the states, twice for two batches, and the same each time."""
    theatre = theatres()
    first, second = (theatre.rehearse(theatre.sources()) for _ in range(2))
    batch = ["STARTING", "AWAIT_REPLACEMENTS", "HANDLE_UNSCHEDULE", "DRAIN_NODES", "VALIDATE_DRAIN"]
    assert [step.state for step in first.steps] == [*batch, *batch, "FINISHED"]
    assert first.succeeds
    assert (first.left, first.unscheduled, first.notes) == ((), (), ())
    assert (first.nodes, first.batches, first.batch_size, first.done, first.new_nodes) == (6, 2, 3, 6, 6)
    assert first.moments[0].at < first.moments[-1].at
    assert first.headline == "the migration of 6 nodes finishes; 6 of them done"
    assert first.to_json() == second.to_json()


def test_prediction_is_marked_as_one(theatres: Callable[..., Theatre]) -> None:
    """In its JSON, with what is invented."""
    data = theatres().rehearse().to_json()
    assert data["prediction"] is True
    assert data["warning"] == PREDICTION
    assert data["invented"] == list(INVENTED)
    assert "guess" in PREDICTION
    assert "order of things" in PREDICTION


def test_blocking_budget_is_predicted(theatres: Callable[..., Theatre]) -> None:
    """Its pods stay by name, unless they are forced."""
    theatre = theatres("blocking-pdb")
    found = theatre.rehearse(theatre.sources())
    assert not found.succeeds
    assert found.end == "FINISHED"
    assert [len(node.pods) for node in found.left] == [1, 1]
    assert all(pod.name.startswith("shop/ledger-") for node in found.left for pod in node.pods)
    assert {pod.why for node in found.left for pod in node.pods} == {
        "a PodDisruptionBudget does not let it go, and force_pod_eviction_on_pdb_failure is not set"
    }
    assert found.headline == "the migration of 6 nodes finishes; 4 of them done; 2 pods stay on 2 nodes"
    assert theatre.rehearse(theatre.sources(), force_pod_eviction_on_pdb_failure=True).succeeds


def test_stand_alone_pods_are_predicted(theatres: Callable[..., Theatre]) -> None:
    """They stay by name, unless they are evicted."""
    theatre = theatres("stand-alone-pods")
    found = theatre.rehearse(theatre.sources())
    assert {pod.name for node in found.left for pod in node.pods} == {f"tools/debug-{number}" for number in (1, 2, 3)}
    assert {pod.why for node in found.left for pod in node.pods} == {
        "nothing starts it again, and should_evict_stand_alone_pods is not set"
    }
    assert {node.instance_id for node in found.left} <= set(theatre.instance_ids)
    assert theatre.rehearse(theatre.sources(), should_evict_stand_alone_pods=True).succeeds


def test_unmatched_nodes_are_predicted(theatres: Callable[..., Theatre]) -> None:
    """They fail the migration, or are skipped."""
    theatre = theatres("unmatched-nodes")
    found = theatre.rehearse(unmatched_nodes="allow")
    assert found.end == "FINISHED_ERROR"
    assert found.failure is not None
    assert found.failure.reason == "instances"
    assert found.headline.startswith("the migration of 6 nodes fails: Ocean could not start enough new instances;")
    assert len(found.left) == 6 - found.done
    assert not any(node.drained for node in found.left)
    assert "2 nodes match no Virtual Node Group: " in found.notes[-1]
    skipped = theatre.rehearse(unmatched_nodes="skip")
    assert (skipped.nodes, skipped.end) == (4, "FINISHED")
    assert "2 nodes match no Virtual Node Group, skipped: " in skipped.notes[-1]


def test_pods_that_fit_nowhere_are_predicted(theatres: Callable[..., Theatre]) -> None:
    """What the plan knows of their demands decides, and those that wait today are told apart."""
    theatre = theatres("kubernetes-trouble", nodes=8)
    found = theatre.rehearse(theatre.sources())
    assert found.end == "FINISHED_ERROR"
    assert found.failure is not None
    assert found.failure.reason == "schedule"
    assert set(found.unscheduled) == {"shop/forecast-0", "shop/images-0"}
    assert found.waiting == ("shop/forecast-0",)
    assert "2 pods find no node" in found.headline


def test_dead_controller_is_predicted(theatres: Callable[..., Theatre]) -> None:
    """Without a controller the first step fails."""
    found = theatres("dead-controller").rehearse()
    assert found.failure is not None
    assert found.failure.reason == "connectivity"
    assert found.done == 0


def test_without_kubernetes_only_numbers_of_pods_are_known(theatres: Callable[..., Theatre]) -> None:
    """It says so, and predicts nothing of budgets."""
    theatre = theatres("blocking-pdb")
    found = theatre.rehearse()
    assert found.succeeds
    assert "there is no access to Kubernetes" in found.notes[0]
    assert "nothing is known of pods but their number" in found.notes[0]


def test_what_kubernetes_does_not_tell_is_noted(theatres: Callable[..., Theatre]) -> None:
    """Each gap with what it means for the prediction."""
    theatre = theatres()
    gaps = {PODS: Gap(reason="may not be listed"), BUDGETS: Gap(reason="may not be listed")}
    found = theatre.describe(Sources(kubernetes=KnownKubernetes(Workloads(gaps=gaps))))
    assert [note.partition(";")[0] for note in found.notes] == [
        "pods could not be read: may not be listed",
        "poddisruptionbudgets could not be read: may not be listed",
    ]
    assert found.world["budgets"] == found.world["pending"] == []
    assert all(isinstance(node["pods"], int) for node in found.world["nodes"])


def test_running_migration_is_noted(theatres: Callable[..., Theatre]) -> None:
    """Its nodes are not offered, and it is not rehearsed."""
    theatre = theatres("busy-cluster", nodes=8)
    [running] = theatre.sim.control.migrations(theatre.sim.ocean_id)
    assert theatre.describe().notes[-1] == (
        f"{running['id']} still runs on the cluster: the rehearsal begins as if it had ended"
    )


def test_stall_is_predicted(theatres: Callable[..., Theatre]) -> None:
    """A drain that waits longer for a budget than the wait is patient ends as a stall."""
    theatre = theatres("blocking-pdb")
    found = theatre.rehearse(theatre.sources(), stall_timeout=90.0)
    assert found.end == STALLED
    assert found.headline.startswith("the migration of 6 nodes stalls; ")


def test_rehearsal_without_an_end_is_given_up(
    theatres: Callable[..., Theatre], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody may be patient without end, and the drain, too."""
    monkeypatch.setattr(running, "LONGEST", 600.0)
    theatre = theatres("blocking-pdb")
    described = theatre.describe(theatre.sources())
    described.world["cluster"]["strategy"]["drainingTimeout"] = 10**6
    found = rehearse(described, builders.wish(stall_timeout=None), theatre.instance_ids)
    assert found.end == ENDLESS
    assert found.headline.startswith("the migration of 6 nodes does not end; ")
    assert found.seconds == pytest.approx(600.0)


def test_planned_nodes_that_are_gone_are_left_out(theatres: Callable[..., Theatre]) -> None:
    """With none left there is nothing to rehearse."""
    theatre = theatres()
    described, ids = theatre.describe(), theatre.instance_ids
    found = rehearse(described, builders.wish(), [*ids[:2], "i-gone"])
    assert found.nodes == 2
    assert found.notes[-1] == "1 planned node not offered any more, left out: i-gone"
    with pytest.raises(InputError, match="there is no node to rehearse"):
        rehearse(described, builders.wish(), ["i-gone"])


def test_rehearsal_can_be_interrupted(theatres: Callable[..., Theatre]) -> None:
    """Ctrl-C ends it at once."""
    theatre = theatres()
    ended = threading.Event()
    ended.set()
    with pytest.raises(InterruptedWaitError):
        rehearse(theatre.describe(), builders.wish(), theatre.instance_ids, scope=Scope(ended=ended))
