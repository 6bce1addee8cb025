"""Discovery: candidates, matching Virtual Node Groups, and the variants of the response."""

from __future__ import annotations

from collections.abc import Callable

from tests.testing.simulator.conftest import Api


def _match(api: Api, instance_id: str) -> str | None:
    matches: dict[str, str | None] = {one["instanceId"]: one["launchSpecId"] for one in api.discover()}
    return matches[instance_id]


def test_discovery_of_the_default_world(api: Api) -> None:
    """Sixteen nodes in three groups, with about six pods each, match two VNGs and Default."""
    nodes = api.discover()
    groups = {item["name"]: item["id"] for item in api.send("GET", "/ocean/aws/k8s/launchSpec").items}
    assert len(nodes) == 16
    assert {(one["asgName"], one["launchSpecId"]) for one in nodes} == {
        ("web", groups["web"]),
        ("api", "Default"),
        ("batch", groups["batch"]),
    }
    assert 5 * 16 <= sum(one["runningPods"] for one in nodes) <= 7 * 16
    assert all(5 <= one["runningPods"] <= 7 for one in nodes)


def test_pods_are_counted_only_on_request(api: Api) -> None:
    """Without ``shouldFetchPods`` there is no ``runningPods``."""
    assert not any("runningPods" in one for one in api.discover(pods=False))
    assert not any("runningPods" in one for one in api.send("GET", f"{api.base}/discovery").items[0]["instances"])


def test_a_node_matches_by_labels_and_taints(api: Api) -> None:
    """A VNG must have all user labels of the node and exactly its taints; built-in labels do not count."""
    control, ocean_id = api.sim.control, api.ocean_id
    groups = {item["name"]: item["id"] for item in api.send("GET", "/ocean/aws/k8s/launchSpec").items}
    taint = {"key": "dedicated", "value": "batch", "effect": "NoSchedule"}

    def added(labels: dict[str, str], *taints: dict[str, str]) -> str | None:
        node = control.add_node(ocean_id, None, labels=labels, taints=list(taints))
        return _match(api, node["instance_id"])

    assert added({}) == "Default"
    assert added({"node.kubernetes.io/pool": "a", "eks.amazonaws.com/nodegroup": "b"}) == "Default"
    assert added({"example.com/pool": "a"}) is None
    assert added({"workload": "web"}) == groups["web"]
    assert added({"workload": "web", "gpu": "true"}) is None
    assert added({"workload": "web"}, taint) is None
    assert added({"workload": "batch"}, taint) == groups["batch"]
    assert added({}, taint) == groups["batch"]
    assert added({"workload": "batch"}) is None


def test_the_first_matching_group_is_reported(api: Api) -> None:
    """A new group can match, an older one takes precedence, and a deleted one no longer matches."""
    control = api.sim.control
    node = control.add_node(api.ocean_id, "gpu", labels={"gpu": "true"})["instance_id"]
    assert _match(api, node) is None

    def create(name: str) -> str:
        body = {"oceanId": api.ocean_id, "name": name, "labels": [{"key": "gpu", "value": "true"}]}
        return str(api.send("POST", "/ocean/aws/k8s/launchSpec", {"launchSpec": body}).items[0]["id"])

    first, second = create("one"), create("two")
    assert _match(api, node) == first
    api.send("DELETE", f"/ocean/aws/k8s/launchSpec/{first}")
    assert _match(api, node) == second
    control.set_node(api.ocean_id, node, labels={"gpu": None})
    assert _match(api, node) == "Default"


def test_a_node_without_an_auto_scaling_group(api: Api) -> None:
    """Its ``asgName`` is null."""
    node = api.sim.control.add_node(api.ocean_id, None, instance_id="i-0aaaaaaaaaaaaaaaa", pods=2)
    assert node["instance_id"] == "i-0aaaaaaaaaaaaaaaa"
    assert api.discover()[-1]["asgName"] is None
    assert api.discover()[-1]["runningPods"] == 2
    api.sim.control.remove_node(api.ocean_id, "i-0aaaaaaaaaaaaaaaa")
    assert len(api.discover()) == 16


def test_the_variants_of_a_discovery_response(simulate: Callable[..., Api]) -> None:
    """Flat, in several items, with counts as strings, or with another casing of Default."""
    api = simulate(checked=False)
    control = api.sim.control
    nested = api.discover()
    path = f"{api.base}/discovery"
    control.quirk("discovery", "flat")
    assert api.send("GET", path, shouldFetchPods="true").items == nested
    control.quirk("discovery", "several")
    items = api.send("GET", path, shouldFetchPods="true").items
    assert [one for item in items for one in item["instances"]] == nested
    assert len(items) == 2
    control.quirk("discovery", "nested")
    control.quirk("runningPods", "string")
    control.quirk("default", "DEFAULT")
    assert {type(one["runningPods"]) for one in api.discover()} == {str}
    assert "DEFAULT" in {one["launchSpecId"] for one in api.discover()}


def test_the_variants_of_a_status_response(simulate: Callable[..., Api]) -> None:
    """Id or id, dates unpadded or with an offset, pod ids as string, list or null, and absent times as null."""
    api = simulate(checked=False)
    control = api.sim.control
    now = control.overview()["clock"]["now"]
    control.advance(-now % (86_400 * 31) + 86_400 * 5)
    migration = api.create()
    assert api.status(migration)["Id"] == migration
    control.quirk("idKey", "id")
    assert api.status(migration)["id"] == migration
    assert api.send("GET", api.base).items[0]["id"] == migration
    assert "erroredAt" not in api.status(migration)
    control.quirk("absent", "null")
    assert api.status(migration)["erroredAt"] is None
    control.quirk("dates", "offset")
    assert api.status(migration)["createdAt"].endswith("+0000")
    control.quirk("unscheduledPodIds", "null")
    assert api.status(migration)["unscheduledPodIds"] is None
    control.quirk("unscheduledPodIds", "list")
    assert api.status(migration)["unscheduledPodIds"] == []
    pod = control.add_pod(api.ocean_id, None, name="pending")
    control.advance(1)
    control.add_pod(api.ocean_id, None, name="later")
    assert pod["id"] in api.status(migration)["unscheduledPodIds"] + api.status(migration)["newUnscheduledPodIds"]
