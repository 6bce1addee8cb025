"""The objects of the Kubernetes API, which agree with Spot's API."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ocean_migration_pulumi.simulator import ControlError, Simulator
from ocean_migration_pulumi.testing.simulator.world.instance_types import (
    get_instance_type,
    parse_mebibytes,
    parse_milli_cpu,
)
from tests.testing.simulator.conftest import Api, Kubernetes

PODS, NODES = "/api/v1/pods", "/api/v1/nodes"
DAEMONS = ("aws-node", "kube-proxy")
BUDGETS, DEPLOYMENTS = "/apis/policy/v1/poddisruptionbudgets", "/apis/apps/v1/deployments"


@pytest.fixture
def kubernetes(api: Api) -> Kubernetes:
    """Return a client that may look."""
    return Kubernetes(api.sim)


def _owner(pod: Any) -> str | None:
    owners = pod["metadata"].get("ownerReferences", [])
    return str(owners[0]["kind"]) if owners else None


def _moved(pods: list[Any]) -> Counter[str]:
    """Return how many pods a drain would have to move, by node."""
    return Counter(pod["spec"]["nodeName"] for pod in pods if _owner(pod) != "DaemonSet" and "nodeName" in pod["spec"])


def _pod(kubernetes: Kubernetes, name: str) -> Any:
    (pod,) = kubernetes.items(PODS, fieldSelector=f"metadata.name={name}")
    return pod


def _deployment(kubernetes: Kubernetes, name: str) -> Any:
    (found,) = kubernetes.items(DEPLOYMENTS, fieldSelector=f"metadata.name={name}")
    return found


def test_discovery_and_kubernetes_agree_on_nodes_and_pods(api: Api, kubernetes: Kubernetes) -> None:
    """Instance ids are in the provider ids, names and pod counts agree; each node has the pods of DaemonSets."""
    discovered = {one["k8sNodeName"]: one for one in api.discover()}
    nodes = {node["metadata"]["name"]: node for node in kubernetes.items(NODES)}
    pods = kubernetes.items(PODS)
    assert nodes.keys() == discovered.keys()
    for name, node in nodes.items():
        provider, _, instance_id = node["spec"]["providerID"].rpartition("/")
        assert instance_id == discovered[name]["instanceId"]
        assert provider == f"aws:///{node['metadata']['labels']['topology.kubernetes.io/zone']}"
        assert node["metadata"]["labels"]["kubernetes.io/hostname"] == name
        assert node["metadata"]["labels"].get("eks.amazonaws.com/nodegroup") == discovered[name]["asgName"]
    assert _moved(pods) == {name: one["runningPods"] for name, one in discovered.items()}
    daemons = Counter(pod["spec"]["nodeName"] for pod in pods if _owner(pod) == "DaemonSet")
    assert set(daemons.values()) == {2}
    sets = {item["metadata"]["name"]: item["status"] for item in kubernetes.items("/apis/apps/v1/daemonsets")}
    assert {name: status["desiredNumberScheduled"] for name, status in sets.items()} == dict.fromkeys(DAEMONS, 16)


def test_spot_and_kubernetes_agree_during_a_migration(api: Api, kubernetes: Kubernetes) -> None:
    """Old nodes are cordoned, new ones appear with labels and taints, evicted pods are pending, terminated nodes go."""
    migration = api.create(shouldTerminateDrainedNodes=True)
    old = {one["k8sNodeName"] for one in api.status(migration)["oldInstances"]}
    assert {node["metadata"]["name"] for node in kubernetes.items(NODES) if node["spec"].get("unschedulable")} == old
    cordoned = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    assert all(cordoned in node["spec"]["taints"] for node in kubernetes.items(NODES))
    api.run(migration, until="DRAIN_NODES")
    api.sim.control.advance(15)
    status = api.status(migration)
    pods = kubernetes.items(PODS)
    pending = {pod["metadata"]["uid"] for pod in pods if pod["status"]["phase"] == "Pending"}
    assert pending
    assert pending == set(status["newUnscheduledPodIds"].split(","))
    running = {one["k8sNodeName"]: one["runningPods"] for one in status["oldInstances"] + status["newInstances"]}
    assert _moved(pods) == {name: count for name, count in running.items() if count}
    assert api.run(migration)[-1] == "FINISHED"
    nodes = kubernetes.items(NODES)
    new = {node["metadata"]["name"]: node for node in nodes}
    items = api.send("GET", f"/ocean/aws/k8s/cluster/{api.ocean_id}/nodes").items
    assert new.keys() == {item["nodeName"] for item in items}
    for item in items:
        node = new[item["nodeName"]]
        assert node["metadata"]["labels"]["spotinst.io/node-lifecycle"] == "spot"
        assert node["metadata"]["labels"]["kubernetes.io/arch"] == "amd64"
        assert parse_milli_cpu(node["status"]["allocatable"]["cpu"]) == item["allocatableMilliCpu"]
        assert parse_mebibytes(node["status"]["allocatable"]["memory"]) == item["allocatableMemoryInMiB"]
        if item["launchSpecName"] == "batch":
            assert node["spec"]["taints"] == [{"key": "dedicated", "value": "batch", "effect": "NoSchedule"}]


def test_spot_sums_the_requests_of_pods(api: Api, kubernetes: Kubernetes) -> None:
    """The sum for an Ocean node agrees with its pods, without those of DaemonSets."""
    node = api.sim.control.add_node(api.ocean_id, None, ocean_managed=True, pods=2)
    big = {"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": "1"}
    api.sim.control.add_pod(api.ocean_id, node["instance_id"], name="big", requests=big)
    (item,) = api.send("GET", f"/ocean/aws/k8s/cluster/{api.ocean_id}/nodes").items
    pods = kubernetes.items(PODS, fieldSelector=f"spec.nodeName={node['node_name']}")
    asked = [pod["spec"]["containers"][0]["resources"] for pod in pods if _owner(pod) != "DaemonSet"]
    assert sum(parse_milli_cpu(one["requests"]["cpu"]) for one in asked) == item["workloadRequestedMilliCpu"] == 1500
    assert (
        sum(parse_mebibytes(one["requests"]["memory"]) for one in asked) == item["workloadRequestedMemoryInMiB"] == 1536
    )
    assert item["workloadRequestedGpu"] == 1
    assert {"limits": {"nvidia.com/gpu": "1"}, "requests": big} in asked
    with pytest.raises(ControlError, match="'1Zi' is not a quantity"):
        api.sim.control.add_pod(api.ocean_id, None, name="x", requests={"memory": "1Zi"})


def test_every_field_of_a_pod(api: Api, kubernetes: Kubernetes) -> None:
    """The Kubernetes API shows each of them."""
    node = api.sim.control.nodes(api.ocean_id)[0]
    term = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}
    api.sim.control.add_pod(
        api.ocean_id,
        node["instance_id"],
        name="db-0",
        controller="StatefulSet",
        namespace="data",
        labels={"app": "db", "tier": "back"},
        node_selector={"disk": "ssd"},
        affinity=affinity,
        tolerations=[{"key": "dedicated", "operator": "Exists"}],
        annotations={"karpenter.sh/do-not-disrupt": "true"},
        empty_dir=True,
        claim_zone="us-west-2b",
        ready=False,
    )
    pod = _pod(kubernetes, "db-0")
    assert pod["metadata"]["labels"] == {"app": "db", "tier": "back"}
    assert pod["metadata"]["annotations"] == {"karpenter.sh/do-not-disrupt": "true"}
    (owner,) = pod["metadata"]["ownerReferences"]
    assert (owner["apiVersion"], owner["kind"], owner["name"], owner["controller"]) == (
        "apps/v1",
        "StatefulSet",
        "db",
        True,
    )
    spec = pod["spec"]
    assert (spec["nodeName"], spec["nodeSelector"]) == (node["node_name"], {"disk": "ssd"})
    assert spec["affinity"] == affinity
    assert spec["tolerations"][0] == {"key": "dedicated", "operator": "Exists"}
    assert {"name": "scratch", "emptyDir": {}} in spec["volumes"]
    conditions = {condition["type"]: condition["status"] for condition in pod["status"]["conditions"]}
    assert (pod["status"]["phase"], conditions["Ready"], conditions["PodScheduled"]) == ("Running", "False", "True")
    (claimed,) = (volume["persistentVolumeClaim"] for volume in spec["volumes"] if "persistentVolumeClaim" in volume)
    claim = kubernetes.get(f"/api/v1/namespaces/data/persistentvolumeclaims/{claimed['claimName']}")
    volume = kubernetes.get(f"/api/v1/persistentvolumes/{claim['spec']['volumeName']}")
    assert volume["spec"]["claimRef"]["name"] == claimed["claimName"]
    (required,) = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert required["matchExpressions"] == [
        {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["us-west-2b"]}
    ]
    for wrong in ({"phase": "Sleeping"}, {"colour": "red"}):
        with pytest.raises(ControlError):
            api.sim.control.call("add_pod", ocean_id=api.ocean_id, instance_id=None, name="x", **wrong)


def test_owners_of_every_kind(api: Api, kubernetes: Kubernetes) -> None:
    """A Deployment owns through a ReplicaSet, a static pod belongs to its node, and an orphan's DaemonSet is gone."""
    node = api.sim.control.nodes(api.ocean_id)[0]

    def add(name: str, controller: str | None, **facts: Any) -> Any:
        api.sim.control.add_pod(api.ocean_id, node["instance_id"], name=name, controller=controller, **facts)
        return _pod(kubernetes, name)

    running = {one["k8sNodeName"]: one["runningPods"] for one in api.discover()}[node["node_name"]]
    assert "ownerReferences" not in add("alone", None)["metadata"]
    web = add("front-1", "ReplicaSet")
    (owner,) = web["metadata"]["ownerReferences"]
    assert owner["name"] == f"front-{web['metadata']['labels']['pod-template-hash']}"
    assert (
        _deployment(kubernetes, "front")["spec"]["selector"]["matchLabels"].items() <= web["metadata"]["labels"].items()
    )
    job = add("job-1", "Job", phase="Succeeded")
    assert (job["metadata"]["ownerReferences"][0]["apiVersion"], job["status"]["phase"]) == ("batch/v1", "Succeeded")
    static = add("static-1", "Node")
    assert static["metadata"]["ownerReferences"][0]["name"] == node["node_name"]
    assert "kubernetes.io/config.mirror" in static["metadata"]["annotations"]
    add("agent-1", "DaemonSet")
    assert _owner(add("lost-1", "DaemonSet", orphaned=True)) == "DaemonSet"
    assert kubernetes.names("/apis/apps/v1/daemonsets") == ["agent", "aws-node", "kube-proxy"]
    # Neither what the kubelet and DaemonSets keep there nor what has ended is counted by Spot.
    assert {one["k8sNodeName"]: one["runningPods"] for one in api.discover()}[node["node_name"]] == running + 2


def test_a_pending_pod_has_no_node(api: Api, kubernetes: Kubernetes) -> None:
    """It reports that it could not be scheduled, and its Deployment lacks a replica."""
    pod = api.sim.control.add_pod(api.ocean_id, None, name="cart-x", namespace="shop", labels={"app": "cart"})
    shown = _pod(kubernetes, "cart-x")
    assert shown["metadata"]["uid"] == pod["id"]
    assert "nodeName" not in shown["spec"]
    (condition,) = shown["status"]["conditions"]
    assert (shown["status"]["phase"], condition["type"], condition["status"], condition["reason"]) == (
        "Pending",
        "PodScheduled",
        "False",
        "Unschedulable",
    )
    cart = _deployment(kubernetes, "cart")
    assert cart["status"]["readyReplicas"] == cart["spec"]["replicas"] - 1
    assert cart["status"]["unavailableReplicas"] == 1
    budget = kubernetes.get("/apis/policy/v1/namespaces/shop/poddisruptionbudgets/cart")["status"]
    assert budget["expectedPods"] == budget["currentHealthy"] + 1 == cart["spec"]["replicas"]


def test_a_nodes_taints_type_and_cordon_can_be_changed(api: Api, kubernetes: Kubernetes) -> None:
    """The instance type decides capacity and architecture in both APIs."""
    instance_id = api.sim.control.add_node(api.ocean_id, None, ocean_managed=True)["instance_id"]
    taint = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
    api.sim.control.set_node(api.ocean_id, instance_id, taints=[taint], instance_type="g5g.xlarge", cordoned=True)
    (node,) = kubernetes.items(NODES, labelSelector="kubernetes.io/arch=arm64")
    assert node["spec"]["taints"] == [taint, {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]
    assert node["metadata"]["labels"]["node.kubernetes.io/instance-type"] == "g5g.xlarge"
    assert node["status"]["allocatable"]["nvidia.com/gpu"] == "1"
    (item,) = api.send("GET", f"/ocean/aws/k8s/cluster/{api.ocean_id}/nodes").items
    assert (item["allocatableGpu"], item["allocatableMilliCpu"]) == (1, 3920)
    api.sim.control.set_node(api.ocean_id, instance_id, taints=[], cordoned=False)
    (node,) = kubernetes.items(NODES, labelSelector="kubernetes.io/arch=arm64")
    assert not node["spec"].keys() & {"taints", "unschedulable"}


@pytest.mark.parametrize(
    ("instance_type", "cpu", "memory", "architecture"),
    [
        ("m5.large", 1930, 7000, "amd64"),
        ("c6g.2xlarge", 7910, 15192, "arm64"),
        ("r5.xlarge", 3920, 31576, "amd64"),
        ("g4dn.xlarge", 3920, 15192, "amd64"),
        ("t3.medium", 1930, 3482, "amd64"),
        ("strange", 1930, 7000, "amd64"),
    ],
)
def test_the_capacity_of_instance_types(instance_type: str, cpu: int, memory: int, architecture: str) -> None:
    """The allocatable part is less than the capacity: the kubelet reserves some."""
    offered = get_instance_type(instance_type)
    assert (offered.usable_milli_cpu, offered.usable_memory_mib, offered.architecture) == (cpu, memory, architecture)
    assert (offered.gpus > 0) == instance_type.startswith("g")


def test_the_default_cluster_is_ready_for_a_migration(api: Api, kubernetes: Kubernetes) -> None:
    """Version 2 of the controller, a disabled autoscaler, and the mapped role of the nodes."""
    (controller,) = kubernetes.items(DEPLOYMENTS, labelSelector="app.kubernetes.io/name=ocean-kubernetes-controller")
    assert controller["metadata"]["name"] == "ocean-controller-ocean-kubernetes-controller"
    assert controller["metadata"]["namespace"] == "spot-system"
    assert controller["metadata"]["labels"]["app.kubernetes.io/version"] == "2.3.0"
    template = controller["spec"]["template"]
    assert "app.kubernetes.io/version" not in template["metadata"]["labels"]
    (container,) = template["spec"]["containers"]
    assert container["name"] == "ocean-kubernetes-controller"
    assert container["image"].endswith("/spotinst-kubernetes-controller:v2.3.0")
    assert (controller["spec"]["replicas"], controller["status"]["readyReplicas"]) == (2, 2)
    autoscaler = _deployment(kubernetes, "cluster-autoscaler")
    assert (autoscaler["metadata"]["namespace"], autoscaler["spec"]["replicas"]) == ("kube-system", 0)
    assert not autoscaler["status"].keys() & {"replicas", "readyReplicas"}
    roles = kubernetes.get("/api/v1/namespaces/kube-system/configmaps/aws-auth")["data"]["mapRoles"]
    assert "  rolearn: arn:aws:iam::123456789012:role/ocean-node\n" in roles
    profile = {"arn": "arn:aws:iam::123456789012:instance-profile/ocean-node"}
    (cluster,) = api.send("GET", "/ocean/aws/k8s/cluster").items
    assert cluster["compute"]["launchSpecification"]["iamInstanceProfile"] == profile
    groups = api.send("GET", "/ocean/aws/k8s/launchSpec").items
    assert [group["iamInstanceProfile"] for group in groups] == [profile, profile]


def test_the_controller_is_ready_while_it_reports(api: Api, kubernetes: Kubernetes) -> None:
    """A dead controller has no ready replica, and one that was never installed has no Deployment."""
    name = "ocean-controller-ocean-kubernetes-controller"
    api.sim.control.heartbeat(api.ocean_id, status="INACTIVE")
    status = _deployment(kubernetes, name)["status"]
    counts = {field: value for field, value in status.items() if field.lower().endswith("replicas")}
    assert counts == {"replicas": 2, "updatedReplicas": 2, "unavailableReplicas": 2}
    api.sim.control.heartbeat(api.ocean_id, status=None)
    assert name not in kubernetes.names(DEPLOYMENTS)
    api.sim.control.heartbeat(api.ocean_id)
    assert _deployment(kubernetes, name)["status"]["readyReplicas"] == 2


def test_a_cluster_that_the_api_creates_has_no_controller_yet(api: Api) -> None:
    """Its Kubernetes has only the autoscaler and aws-auth."""
    body = {**api.send("GET", "/ocean/aws/k8s/cluster").items[0], "name": "new", "controllerClusterId": "new"}
    for name in ("id", "createdAt", "updatedAt"):
        del body[name]
    ocean_id = api.send("POST", "/ocean/aws/k8s/cluster", {"cluster": body}).items[0]["id"]
    kubernetes = Kubernetes(api.sim, ocean_id=ocean_id)
    assert kubernetes.names(DEPLOYMENTS) == ["cluster-autoscaler"]
    for path in (NODES, PODS, BUDGETS, "/apis/apps/v1/daemonsets"):
        assert kubernetes.items(path) == []


def test_deployments_and_mapped_roles_can_be_changed(api: Api, kubernetes: Kubernetes) -> None:
    """Deployments are added, replaced and removed by name; the ConfigMap can be removed."""
    control, ocean_id = api.sim.control, api.ocean_id
    control.add_deployment(
        ocean_id, "as", namespace="ops", labels={"app.kubernetes.io/name": "aws-cluster-autoscaler"}, image="x:1"
    )
    control.add_deployment(ocean_id, "as", namespace="ops", image="x:2", replicas=3)
    added = _deployment(kubernetes, "as")
    assert (added["spec"]["replicas"], added["spec"]["template"]["spec"]["containers"]) == (
        3,
        [{"name": "as", "image": "x:2"}],
    )
    control.remove_deployment(ocean_id, "as", namespace="ops")
    assert "as" not in kubernetes.names(DEPLOYMENTS)
    with pytest.raises(ControlError, match="'ops/as' does not exist"):
        control.remove_deployment(ocean_id, "as", namespace="ops")
    path = "/api/v1/namespaces/kube-system/configmaps/aws-auth"
    control.aws_auth(ocean_id, ["arn:aws:iam::1:role/other"])
    assert "ocean-node" not in kubernetes.get(path)["data"]["mapRoles"]
    control.aws_auth(ocean_id, None)
    assert kubernetes.send("GET", path).status == 404


def test_the_kubernetes_trouble_scenario(simulate: Callable[..., Api]) -> None:
    """It has a pod of each kind: blocked, standalone, pinned, not safe to evict, pending."""
    api = simulate(scenario="kubernetes-trouble")
    kubernetes = Kubernetes(api.sim)
    pods = kubernetes.items(PODS)
    groups = {
        node["metadata"]["name"]: node["metadata"]["labels"].get("eks.amazonaws.com/nodegroup")
        for node in kubernetes.items(NODES)
    }
    (blocking,) = (item for item in kubernetes.items(BUDGETS) if item["status"]["disruptionsAllowed"] == 0)
    assert blocking["spec"]["selector"] == {"matchLabels": {"app": "ledger"}}
    held = kubernetes.items(PODS, labelSelector="app=ledger")
    assert [groups[pod["spec"]["nodeName"]] for pod in held] == ["web", "web"]
    assert [pod["metadata"]["name"] for pod in pods if _owner(pod) is None] == ["debug"]
    (pinned,) = (pod for pod in pods if "nodeSelector" in pod["spec"])
    assert pinned["spec"]["nodeSelector"] == {"eks.amazonaws.com/nodegroup": "web"}
    (precious,) = (pod for pod in pods if "annotations" in pod["metadata"])
    assert precious["metadata"]["annotations"] == {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}
    (waiting,) = (pod for pod in pods if pod["status"]["phase"] == "Pending")
    assert waiting["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "64"
    migration = api.create([one["instanceId"] for one in api.discover() if one["asgName"] == "web"])
    assert api.run(migration)[-1] == "FINISHED_ERROR"
    assert api.log(severity="ERROR")[0]["message"].endswith("failure to schedule pods on new nodes.")


def test_old_controllers_and_active_autoscalers(simulate: Callable[..., Api]) -> None:
    """The scenarios have version 1.0.44 only, and an active Cluster Autoscaler and Karpenter."""
    old = Kubernetes(simulate(scenario="old-controller").sim)
    (controller,) = old.items(DEPLOYMENTS, labelSelector="k8s-app=spotinst-kubernetes-cluster-controller")
    (container,) = controller["spec"]["template"]["spec"]["containers"]
    assert container == {
        "name": "spotinst-kubernetes-cluster-controller",
        "image": "gcr.io/spotinst-artifacts/kubernetes-cluster-controller:1.0.44",
    }
    assert "spot-system" not in {item["metadata"]["namespace"] for item in old.items(DEPLOYMENTS)}
    active = Kubernetes(simulate(scenario="autoscaler-on").sim)
    assert _deployment(active, "cluster-autoscaler")["spec"]["replicas"] == 1
    assert _deployment(active, "karpenter")["spec"]["template"]["spec"]["containers"][0]["image"].startswith(
        "public.ecr.aws/karpenter/controller:"
    )


def test_names_are_unique_in_a_namespace(simulate: Callable[..., Api]) -> None:
    """Also among tens of thousands of pods, which Kubernetes identifies by name."""
    pods = Kubernetes(simulate(nodes=2000).sim).items(PODS)
    names = {(pod["metadata"]["namespace"], pod["metadata"]["name"]) for pod in pods}
    assert len(names) == len(pods) > 15_000


def _picture(sim: Simulator) -> list[Any]:
    kubernetes = Kubernetes(sim)
    paths = (NODES, PODS, BUDGETS, DEPLOYMENTS, "/apis/apps/v1/daemonsets", "/api/v1/configmaps")
    lists = [kubernetes.items(path) for path in (*paths, "/api/v1/persistentvolumes")]
    return [*lists, kubernetes.send("GET", "/api/v1/persistentvolumeclaims").status, sim.kubeconfig().splitlines()[-1]]


def test_the_state_file_keeps_kubernetes_objects(tmp_path: Path) -> None:
    """Pods with all fields, budgets with selectors, Deployments, roles, and forbidden resources."""
    state = tmp_path / "state.json"
    with Simulator(scenario="kubernetes-trouble", state_file=state, seed=4) as sim:
        control, ocean_id = sim.control, sim.ocean_id
        control.clock(manual=True)
        node = control.nodes(ocean_id)[0]["instance_id"]
        control.add_pod(ocean_id, node, name="db-0", claim_zone="us-west-2a", phase="Failed", requests={"cpu": "2"})
        control.budget(ocean_id, "default/all", 3, selector={})
        control.add_deployment(ocean_id, "x", labels={"a": "b"})
        control.aws_auth(ocean_id, ["arn:aws:iam::1:role/other"])
        control.forbid_kubernetes(ocean_id, "persistentvolumeclaims")
        before = _picture(sim)
        assert before[-2] == 403
    with Simulator(state_file=state) as sim:
        assert _picture(sim) == before


def _without(plain: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in plain.items() if name not in names}


def test_an_older_state_file_is_loaded(tmp_path: Path) -> None:
    """Missing fields fit the rest: a reporting controller is installed, and pods tolerate the taints of their nodes."""
    state = tmp_path / "state.json"
    with Simulator(scenario="blocking-pdb", state_file=state) as sim:
        sim.control.clock(manual=True)
        sim.control.add_pod(sim.ocean_id, None, name="waiting-1")
        sim.control.add_cluster(1, scenario="never-heartbeat")
        discovered = Api(sim).discover()
    saved = json.loads(state.read_text())
    kept = ("id", "name", "namespace", "controller", "labels", "budget", "unschedulable")

    def old_pod(pod: dict[str, Any]) -> dict[str, Any]:
        # A budget held its pods whatever their namespace.
        return {name: pod[name] for name in kept} | ({"namespace": "default"} if pod["budget"] else {})

    for cluster in saved["world"]["clusters"].values():
        for node in cluster["nodes"].values():
            node["pods"] = [old_pod(pod) for pod in node["pods"]]
        cluster["pending"] = [{**waiting, "pod": old_pod(waiting["pod"])} for waiting in cluster["pending"]]
    saved["world"]["clusters"] = {
        ocean_id: _without(cluster, "selectors", "deployments", "mapped_roles", "forbidden_resources")
        for ocean_id, cluster in saved["world"]["clusters"].items()
    }
    saved["requests"] = [_without(entry, "api") for entry in saved["requests"]]
    state.write_text(json.dumps(saved))
    with Simulator(state_file=state) as sim:
        control, api, kubernetes = sim.control, Api(sim), Kubernetes(sim)
        assert api.discover() == discovered
        assert len(control.requests()) == len(saved["requests"]) + 1
        assert control.requests(api="kubernetes") == []
        assert _deployment(kubernetes, "ocean-controller-ocean-kubernetes-controller")["spec"]["replicas"] == 2
        other = Kubernetes(sim, ocean_id=control.overview()["clusters"][1]["id"])
        assert other.names(DEPLOYMENTS) == ["cluster-autoscaler", *other.names(DEPLOYMENTS)[1:]]
        assert "ocean-controller-ocean-kubernetes-controller" not in other.names(DEPLOYMENTS)
        tainted = {node["metadata"]["name"] for node in kubernetes.items(NODES) if "taints" in node["spec"]}
        pods = kubernetes.items(PODS)
        moved = [pod for pod in pods if pod["spec"].get("nodeName") in tainted and _owner(pod) != "DaemonSet"]
        assert moved
        assert {pod["spec"]["tolerations"][0]["key"] for pod in moved} == {"dedicated"}
        assert "waiting-1" in [pod["metadata"]["name"] for pod in pods]
        budgets = {item["metadata"]["name"]: item for item in kubernetes.items(BUDGETS)}
        assert budgets["ledger"]["spec"]["selector"] == {"matchLabels": {"pdb": "ledger"}}
        for name, budget in budgets.items():
            found = kubernetes.items("/api/v1/namespaces/shop/pods", labelSelector=f"pdb={name}")
            assert len(found) == budget["status"]["expectedPods"] > 0
