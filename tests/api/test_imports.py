"""The import calls of OceanClient: what they ask, and that they may be repeated as they change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.settings import Settings
from ocean_migration_pulumi.errors import (
    ClusterNotFoundError,
    InputError,
    PermissionDeniedError,
    RequestRejectedError,
    ResponseError,
    ServiceError,
)
from ocean_migration_pulumi.simulator import Simulator
from tests.support.fake_clock import FakeClock

LABELS = [{"key": "workload", "value": "web"}]
TAINTS = [{"key": "dedicated", "value": "web", "effect": "NoSchedule"}]


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """Return a simulator whose clock stands still."""
    with Simulator(nodes=8) as simulator:
        simulator.control.clock(manual=True)
        yield simulator


@pytest.fixture
def client(sim: Simulator) -> Iterator[OceanClient]:
    """Return a client of the simulator that never really sleeps."""
    with OceanClient(Settings.load(None, sim.environment), base_scope=FakeClock().scope()) as opened:
        yield opened


def test_cluster_like_an_asg(sim: Simulator, client: OceanClient) -> None:
    """The configuration comes as the service has it, and no cluster is made."""
    before = client.list_clusters()
    found = client.import_cluster_from_asg("web", "us-west-2")
    assert found["region"] == "us-west-2"
    assert found["compute"]["launchSpecification"]["imageId"].startswith("ami-")
    assert client.list_clusters() == before


def test_group_like_an_asg(sim: Simulator, client: OceanClient) -> None:
    """Name, labels and taints are part of the question, and no Virtual Node Group is made."""
    before = client.list_virtual_node_groups(sim.ocean_id)
    found = client.import_vng_from_asg("web", sim.ocean_id, name="front", labels=LABELS, taints=TAINTS)
    assert (found["oceanId"], found["name"]) == (sim.ocean_id, "front")
    assert (found["labels"], found["taints"]) == (LABELS, TAINTS)
    assert client.list_virtual_node_groups(sim.ocean_id) == before


@pytest.mark.parametrize("by_region", [True, False])
def test_group_like_a_node_group(sim: Simulator, client: OceanClient, by_region: bool) -> None:
    """Either the region or the cluster says where to look."""
    where = {"region": "us-west-2"} if by_region else {"ocean_id": sim.ocean_id}
    found = client.import_vng_from_node_group("demo", "web", labels=LABELS, **where)
    assert found.get("oceanId") == where.get("ocean_id")
    assert found["labels"] == LABELS


def test_account_is_sent_when_known(sim: Simulator, client: OceanClient) -> None:
    """Without one the service is asked nevertheless, as nothing is written."""
    client.import_cluster_from_asg("web", "us-west-2")
    (request,) = sim.control.requests()
    assert request["query"]["accountId"] == sim.account_id
    unknown = {key: value for key, value in sim.environment.items() if key != "SPOTINST_ACCOUNT"}
    with (
        OceanClient(Settings.load(None, unknown)) as anonymous,
        pytest.raises(PermissionDeniedError, match="check the account"),
    ):
        anonymous.import_cluster_from_asg("web", "us-west-2")


@pytest.mark.parametrize("kind", ["500", "502", "503", "reset-before", "reset-after", "truncate", "429"])
def test_repeated_like_a_get(sim: Simulator, client: OceanClient, kind: str) -> None:
    """An import that failed on the way, or whose answer was lost, is asked again: it changes nothing."""
    sim.control.fault("POST", "*/import", kind, seconds=1)
    assert client.import_cluster_from_asg("web", "us-west-2")["name"] == "web"
    assert len(sim.control.requests(method="POST")) == 2


def test_gives_up_as_what_it_is(sim: Simulator, client: OceanClient) -> None:
    """What stays is not told as a write that may have had its effect."""
    sim.control.fault("POST", "*/import", "502", times=99)
    with pytest.raises(ServiceError):
        client.import_cluster_from_asg("web", "us-west-2")
    sim.control.clear_faults()
    sim.control.fault("POST", "*/import", "shape")
    with pytest.raises(ResponseError):
        client.import_cluster_from_asg("web", "us-west-2")


def test_refusals(sim: Simulator, client: OceanClient) -> None:
    """What the service does not know is an error of its own kind."""
    with pytest.raises(RequestRejectedError, match="'nowhere' does not exist"):
        client.import_cluster_from_asg("nowhere", "us-west-2")
    with pytest.raises(ClusterNotFoundError, match="o-00000000"):
        client.import_vng_from_asg("web", "o-00000000")


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda client: client.import_cluster_from_asg("", "us-west-2"), "asg_name"),
        (lambda client: client.import_cluster_from_asg("web", ""), "region"),
        (lambda client: client.import_vng_from_asg("web", ""), "ocean_id"),
        (lambda client: client.import_vng_from_node_group("", "web", region="us-west-2"), "eks_cluster"),
        (lambda client: client.import_vng_from_node_group("demo", "", region="us-west-2"), "node_group"),
        (lambda client: client.import_vng_from_node_group("demo", "web"), "region"),
        (lambda client: client.import_vng_from_node_group("demo", "web", region="r", ocean_id="o-1"), "region"),
    ],
    ids=["no-asg", "no-region", "no-cluster", "no-eks-cluster", "no-node-group", "no-place", "two-places"],
)
def test_bad_questions_are_not_asked(
    sim: Simulator, client: OceanClient, call: Callable[[OceanClient], Any], name: str
) -> None:
    """What names nothing, or both places, is refused by name."""
    with pytest.raises(InputError) as caught:
        call(client)
    assert caught.value.property_name == name
    assert sim.control.requests() == []
