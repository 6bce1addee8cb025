"""The text of what checks find: one template for each finding."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from ocean_migration_pulumi.common.text import all_of, count_noun, count_with_verb, list_some
from ocean_migration_pulumi.common.times import format_elapsed
from ocean_migration_pulumi.migration.checks.check_result import Finding
from ocean_migration_pulumi.migration.checks.iam_roles import WINDOWS_GROUP
from ocean_migration_pulumi.migration.planning.text.sentences import capitalize, join_sentences
from ocean_migration_pulumi.migration.planning.text.templates import Fields
from ocean_migration_pulumi.migration.scheduling.aws_facts import without_path
from ocean_migration_pulumi.migration.spec.spec import KUBECONFIG
from ocean_migration_pulumi.migration.spec.vocabulary import Vocabulary

_BUILT_IN_POOLS: Final = frozenset({"general-purpose", "system"})
"""Names of the NodePools of EKS Auto Mode."""
_FIRST_VERSION: Final = "version 2 (or at least 1.0.46)"


class CheckText(NamedTuple):
    """The text of a finding."""

    seen: str
    """What the check found."""
    remedy: str = ""
    """What to do about it; empty when there is nothing to do."""

    @property
    def line(self) -> str:
        """Both in one line."""
        return join_sentences(self)


def describe_finding(finding: str, fields: Fields, vocabulary: Vocabulary) -> CheckText:
    """Return the text of a finding; ``fields`` are printable."""
    if naming := _NAMING_TEMPLATES.get(Finding(finding)):
        return naming(fields, vocabulary)
    template = _TEMPLATES[Finding(finding)]
    if isinstance(template, tuple):
        return CheckText(*(part.format_map(fields) for part in template))
    return template(fields)


def _targets(fields: Fields) -> str:
    targets: Sequence[Mapping[str, str]] = fields["targets"]
    return ", ".join(map(_target, targets))


def _target(target: Mapping[str, str]) -> str:
    return f"{target['name']} ({target['id']})" if target["name"] else f"cluster {target['id']}"


def _volumes(fields: Fields) -> str:
    nodes, volumes = fields["nodes"], count_noun(fields["volumes"], "EBS volume")
    if len(nodes) == 1:
        return f"Pods of planned node {nodes[0]} have {volumes}"
    return f"Pods of {len(nodes)} planned nodes ({list_some(nodes, 3)}) have up to {volumes} each"


def _free_addresses(fields: Fields) -> str:
    return (
        f"{count_noun(fields['free'], 'free address')} in {list_some(fields['subnets'])}: "
        f"{count_noun(fields['nodes'], 'new node')} with {count_noun(fields['pods'], 'pod')}"
    )


def _need_addresses(fields: Fields) -> str:
    return f"{_free_addresses(fields)} {'needs' if fields['nodes'] == 1 else 'need'}"


def _addresses_unknown(fields: Fields) -> CheckText:
    pods, subnets = count_noun(fields["pods"], "pod"), list_some(fields["subnets"])
    match fields["cause"]:
        case "other-subnets":
            return CheckText(
                f"Whether subnets have addresses for {pods} is unknown: the VPC CNI takes those of the subnets that "
                "ENIConfigs name",
                "Compare the free addresses of these subnets",
            )
        case "other-network":
            return CheckText(
                f"{_free_addresses(fields)} may need up to {fields['needed']}: the network plugin is not the VPC CNI",
                "Make sure that its pods do not get addresses of these subnets",
            )
        case "prefixes":
            return CheckText(
                f"{_need_addresses(fields)} {count_noun(fields['blocks'], 'contiguous block')} of 16 (prefix "
                "delegation), and how many such blocks are free is unknown",
                "Make sure that the subnets are not fragmented, or reserve a CIDR block for prefixes",
            )
        case "settings":
            return CheckText(
                f"{_need_addresses(fields)} at least {fields['needed']}: what the CNI keeps warm cannot be read",
                "Set the variables of the DaemonSet kube-system/aws-node as plain values",
            )
        case "instance-types":
            return CheckText(
                f"{_need_addresses(fields)} at least {fields['needed']}: what the CNI keeps warm is unknown, like "
                "the instance types of new nodes",
                "Compare the free addresses with WARM_ENI_TARGET and the size of the new nodes",
            )
    return CheckText(f"Unknown how many addresses are free in {subnets}", "Compare them with the new nodes and pods")


def _because(fields: Fields) -> str:
    return f": {fields['reason']}" if fields["reason"] else ""


def _to_check(fields: Fields) -> str:
    return f" (to have it checked: {fields['remedy']})" if fields["remedy"] else ""


def _kubernetes_not_read(fields: Fields, vocabulary: Vocabulary) -> CheckText:
    why = f" ({fields['reason']})" if fields["reason"] else ""
    otherwise = f"make sure that Cluster Autoscaler is off and the Ocean Controller is {_FIRST_VERSION}"
    remedy = f"set {vocabulary.name(fields['input'])}" if fields.get("input") else fields["remedy"]
    return CheckText(
        f"No access to Kubernetes{why}: the Ocean Controller's version, other node autoscalers, PodDisruptionBudgets "
        "and standalone pods are unknown",
        capitalize(f"{remedy}, or {otherwise}" if remedy else otherwise),
    )


def _version(fields: Fields, unknown: str) -> str:
    return f"version {fields['version']}" if fields["version"] else unknown


def _controller_v1(fields: Fields) -> CheckText:
    seen = f"Ocean Controller {_version(fields, 'version 1, patch level unknown')}"
    if fields["too_old"]:
        seen += " is too old: 1.0.46 is the first version that evicts pods for migrations"
    elif fields["version"]:
        seen += " is deprecated"
    if fields["blocks_v2"]:
        return CheckText(f"{seen}; version 2 waits until it is gone", f"Scale {fields['deployment']} to zero")
    return CheckText(seen, "Install version 2, and scale version 1 to zero")


def _nodes_unmatched(fields: Fields, vocabulary: Vocabulary) -> CheckText:
    nodes = fields["nodes"]
    match = count_with_verb(len(nodes), "planned node", "match")
    name = vocabulary.name("unmatched_nodes")
    remedy = f'Add a Virtual Node Group for {_them(nodes)}, or set {name} to "skip" or "allow"'
    if fields["allowed"]:
        remedy = f"{'Its' if len(nodes) == 1 else 'Their'} pods may find no new node"
    return CheckText(f"{match} no Virtual Node Group: {list_some(nodes)}", remedy)


def _them(items: Sequence[object]) -> str:
    return "it" if len(items) == 1 else "them"


def _groups_gone(fields: Fields) -> CheckText:
    vngs, nodes = fields["groups"], fields["nodes"]
    gone = count_with_verb(len(vngs), "planned Virtual Node Group", "no longer exist")
    return CheckText(
        f"{gone}: {list_some(vngs)} (for {list_some(nodes)})",
        "Plan again",
    )


def _these_node_pools(fields: Fields) -> str:
    return "this NodePool" if len(fields["pools"]) == 1 else "these NodePools"


def _except_built_in(fields: Fields) -> str:
    """Return what to do about NodePools that EKS Auto Mode may have made, which nobody can change."""
    if _BUILT_IN_POOLS.isdisjoint(fields["pools"]):
        return ""
    return "; disable those that EKS Auto Mode made in the compute configuration of the cluster"


def _besides_gated(fields: Fields) -> str:
    gated = fields["gated"]
    return f" ({count_noun(gated, 'pod')} held by scheduling gates)" if gated else ""


def _on_planned_nodes(fields: Fields, whose: str, effect: str) -> CheckText:
    pods, nodes = fields["pods"], fields["nodes"]
    where = f"planned node {nodes[0]}" if len(nodes) == 1 else f"planned nodes ({list_some(nodes, 3)})"
    if len(pods) == 1:
        return CheckText(
            f"The only ready pod {whose} runs on {where}: {effect} while it restarts",
            "Run a second pod on a node that is not in the plan",
        )
    return CheckText(
        f"{capitalize(all_of(len(pods), 'ready pods'))} {whose} run on {where}: {effect} while they restart",
        "Add a PodDisruptionBudget that keeps one pod, or migrate these nodes in separate waves",
    )


def _vng(fields: Fields) -> str:
    return f"{fields['name']} ({fields['group']})" if fields["name"] else str(fields["group"])


def _labels_and_taints(fields: Fields) -> str:
    parts = []
    for noun in ("label", "taint"):
        if names := fields[f"{noun}s"]:
            parts.append(f"{noun}{'' if len(names) == 1 else 's'} {list_some(names)}")
    return " and ".join(parts)


def _labels_not_declared(fields: Fields) -> CheckText:
    sets = f"sets {_labels_and_taints(fields)}"
    if fields.get("default"):
        return CheckText(
            f"User data of cluster {fields['group']} {sets}, which its own template cannot declare, so Ocean launches "
            "nodes for pods that do not tolerate it",
            f"Remove {_them(fields['taints'])} from the user data, or add a Virtual Node Group with the same taints",
        )
    return CheckText(
        f"User data of {_vng(fields)} {sets}, which the Virtual Node Group does not declare, so Ocean does not take it "
        "into account",
        "Declare the same labels and taints in the Virtual Node Group",
    )


def _labels_refused(fields: Fields) -> CheckText:
    labels = f"the label{'' if len(fields['labels']) == 1 else 's'} {list_some(fields['labels'])}"
    if fields["starts"]:
        return CheckText(
            f"No kubelet can set {labels} that {_vng(fields)} declares: pods that need {_them(fields['labels'])} stay "
            "pending, unless something else labels the nodes",
            "Use another label in the Virtual Node Group, its user data and the pods",
        )
    return CheckText(
        f"Nodes of {_vng(fields)} do not register: kubelets refuse to start with {labels} in --node-labels",
        f"Remove {_them(fields['labels'])} from the user data",
    )


def _limit(fields: Fields) -> str:
    name = f"{fields['owner_name']} ({fields['owner_id']})" if fields["owner_name"] else fields["owner_id"]
    return f"{fields['setting']} of {name} is {fields['limit']}"


def _amount(fields: Fields, name: str) -> str:
    unit = fields["unit"]
    return count_noun(fields[name], unit) if unit == "node" else f"{fields[name]} {unit}"


def _map_role(fields: Fields) -> str:
    role = without_path(fields["role"])
    return f"{_create_entry(fields)}, or map {role} in aws-auth with {_needed_by_nodes(fields)}"


def _create_entry(fields: Fields) -> str:
    return f"Create an access entry of type {_entry_type(fields)}"


def _entry_type(fields: Fields) -> str:
    return "EC2_WINDOWS" if fields.get("windows") else "EC2_LINUX"


def _needed_by_nodes(fields: Fields) -> str:
    """Return what aws-auth has to say of the role of nodes."""
    groups = "system:bootstrappers and system:nodes"
    if fields.get("windows"):
        groups = f"system:bootstrappers, system:nodes and {WINDOWS_GROUP}"
    name = "SessionName" if fields.get("by_id") else "EC2PrivateDNSName"
    return f"the groups {groups} and the username `system:node:{{{{{name}}}}}`"


def _cannot_register(fields: Fields) -> str:
    return f"Nodes of {_targets(fields)} cannot register"


def _lack_network(fields: Fields) -> str:
    return f"Pods on Windows nodes of {_targets(fields)} cannot reach Services"


def _entry_of_other_type(fields: Fields) -> CheckText:
    problem = _lack_network(fields) if fields["type"] == "EC2_LINUX" else _cannot_register(fields)
    return CheckText(
        f"{problem}: the access entry of {fields['role']} has the type {fields['type']}",
        f"Delete it and create one of type {_entry_type(fields)}: the type cannot be changed, and an access entry "
        "takes precedence over aws-auth",
    )


def _role_mapped_wrong(fields: Fields) -> CheckText:
    wrong = [f"without the group {group}" for group in fields["missing"]]
    if fields["username"] is not None:
        wrong.append(f"with the username `{fields['username']}`" if fields["username"] else "without a username")
    # Nodes that lack only the group of Windows do register.
    problem = _lack_network(fields) if len(wrong) == 1 and fields["missing"] == [WINDOWS_GROUP] else None
    return CheckText(
        f"{problem or _cannot_register(fields)}: aws-auth maps {fields['role']} {' and '.join(wrong)}",
        f"Map it with {_needed_by_nodes(fields)}; of several entries for a role the last one counts",
    )


_REACHES_SPOT: Final = "Make sure that it runs in the cluster and reaches Spot"

_TEMPLATES: Final[Mapping[Finding, tuple[str, ...] | Callable[[Fields], CheckText]]] = {
    Finding.NOT_READ: lambda fields: CheckText(capitalize(fields["reason"]), capitalize(fields["remedy"])),
    Finding.CONTROLLER_REPORTS: ("Ocean Controller is connected",),
    Finding.CONTROLLER_NEVER_REPORTED: ("Ocean Controller has never reported", _REACHES_SPOT),
    Finding.CONTROLLER_SILENT: lambda fields: CheckText(
        f"Ocean Controller is {fields['status'] or 'in an unknown state'} "
        f"(last heartbeat {format_elapsed(fields['seconds'])} ago)",
        _REACHES_SPOT,
    ),
    Finding.KUBERNETES_READ: ("Kubernetes has the nodes that Ocean lists",),
    Finding.KUBERNETES_NOT_RECOGNIZED: (
        "Unknown whether the kubeconfig belongs to this cluster: no node can be compared with those that Ocean lists",
    ),
    Finding.CONTROLLER_READ_ONLY: (
        "Ocean Controller {deployment} is read-only: SPOTINST_READONLY_MODE is true",
        "Remove the variable: a migration needs a controller that evicts pods",
    ),
    Finding.CONTROLLER_MODE_UNKNOWN: lambda fields: CheckText(
        f"Whether Ocean Controller {fields['deployment']} ({_version(fields, 'version 2')}) evicts pods or only "
        f"reports is unknown: {list_some(fields['sources'])} may set SPOTINST_READONLY_MODE",
        "Make sure that it is not true, or set it as a plain value of the Deployment",
    ),
    Finding.SEVERAL_CONTROLLERS: lambda fields: CheckText(
        f"{len(fields['deployments'])} Ocean Controllers are running: {list_some(fields['deployments'])}",
        "Keep the one that is configured for this cluster, and scale the "
        f"{'other' if len(fields['deployments']) == 2 else 'others'} to zero",
    ),
    Finding.CONTROLLER_V2: lambda fields: CheckText(f"Ocean Controller {_version(fields, 'version 2')}"),
    Finding.CONTROLLER_NOT_READY: lambda fields: CheckText(
        f"Ocean Controller {_version(fields, 'version 2')}: no pod of {fields['deployment']} is ready",
        "Check the pods of this Deployment: a migration needs them",
    ),
    Finding.CONTROLLER_SCALED_DOWN: ("{deployment} is scaled to zero", "Scale it up: a migration needs it"),
    Finding.CONTROLLER_NOT_FOUND: (
        "No Deployment of the Ocean Controller found",
        f"Make sure that it is {_FIRST_VERSION}",
    ),
    Finding.CONTROLLER_V1: _controller_v1,
    Finding.NO_OTHER_AUTOSCALER: ("No other node autoscaler is active",),
    Finding.CLUSTER_AUTOSCALER_RUNS: lambda fields: CheckText(
        f"Cluster Autoscaler {fields['namespace']}/{fields['name']} is running "
        f"({count_noun(fields['replicas'], 'replica')})",
        f"Scale it to zero: `kubectl scale deployment {fields['name']} --namespace {fields['namespace']} --replicas=0`",
    ),
    Finding.KARPENTER_RUNS: (
        "Karpenter {deployment} is running and may launch nodes for the same pods",
        "Limit its node pools, or scale it to zero",
    ),
    Finding.VENDOR_AUTOSCALER_RUNS: lambda fields: CheckText(
        f"{fields['vendor']} is running ({list_some(fields['deployments'])}) and may launch or remove nodes",
        "Switch its node autoscaling off for this cluster, or scale it to zero",
    ),
    Finding.EKS_AUTO_MODE_RUNS: lambda fields: CheckText(
        f"EKS Auto Mode runs {count_noun(len(fields['nodes']), 'node')} ({list_some(fields['nodes'], 3)}) "
        "and may launch more for the same pods",
        "Remove its node pools",
    ),
    Finding.NODE_POOLS_TAKE_PODS: lambda fields: CheckText(
        f"{count_with_verb(len(fields['pools']), 'NodePool', 'race')} with Ocean for "
        f"{count_noun(len(fields['pods']), 'evicted pod')}: {list_some(fields['pools'])}",
        f"Set a taint or a limit of 0 on {_these_node_pools(fields)}, or a node selector on the "
        f"{'pod' if len(fields['pods']) == 1 else 'pods'}{_except_built_in(fields)}",
    ),
    Finding.KARPENTER_OWNS_NODES: lambda fields: CheckText(
        f"{count_with_verb(len(fields['nodes']), 'planned node', 'belong')} to Karpenter "
        f"({list_some(fields['pools'])}), which replaces drained nodes: {list_some(fields['nodes'])}",
        f"Set a limit of 0 on {_these_node_pools(fields)} first{_except_built_in(fields)}",
    ),
    Finding.CLUSTER_SERVICES_STAY: ("Cluster DNS, the Ocean Controller and webhooks keep a ready pod",),
    Finding.DNS_ON_PLANNED_NODES: lambda fields: _on_planned_nodes(
        fields, "of the cluster DNS", "names may not resolve"
    ),
    Finding.CONTROLLER_ON_PLANNED_NODES: lambda fields: _on_planned_nodes(
        fields, "of the Ocean Controller", "the migration pauses"
    ),
    Finding.WEBHOOKS_ON_PLANNED_NODES: lambda fields: _on_planned_nodes(
        fields,
        f"behind webhooks with failurePolicy Fail ({list_some(fields['webhooks'])})",
        f"the API server may refuse new pods{' and nodes' if fields.get('refuses_nodes') else ''}",
    ),
    Finding.RUNNER_STAYS: ("Pulumi does not run on a planned node",),
    Finding.RUNNER_ON_PLANNED_NODE: lambda fields: CheckText(
        f"Pulumi runs in pod {fields['pod']} on planned node {fields['node']}: its eviction ends this run",
        "Run it elsewhere, or exclude the node",
    ),
    Finding.NO_PENDING_PODS: lambda fields: CheckText(f"No pod is pending{_besides_gated(fields)}"),
    Finding.PENDING_PODS: lambda fields: CheckText(
        f"{count_with_verb(len(fields['pods']), 'pod', 'wait')} for a node: {list_some(fields['pods'])}"
        f"{_besides_gated(fields)}",
        f"Run `kubectl describe pod` to see why, or delete {_them(fields['pods'])}",
    ),
    Finding.ROLES_MAPPED: ("New nodes can register",),
    Finding.NO_INSTANCE_PROFILE: lambda fields: CheckText(
        f"No instance profile is set for {_targets(fields)}",
        "Make sure that its nodes get a role that may join the cluster",
    ),
    Finding.ROLE_NOT_READ: lambda fields: CheckText(
        f"The role of instance profile {fields['profile']} ({_targets(fields)}) is unknown{_because(fields)}",
        f"Make sure that it is in the ConfigMap aws-auth or has an access entry{_to_check(fields)}",
    ),
    Finding.ROLE_NOT_MAPPED: lambda fields: CheckText(
        f"{_cannot_register(fields)}: {fields['role']} is not in aws-auth and has no access entry",
        _map_role(fields),
    ),
    Finding.ROLE_MAPPED_WITH_PATH: lambda fields: CheckText(
        f"{_cannot_register(fields)}: aws-auth maps {fields['mapped']}, and EKS looks for the role without its path",
        f"Write {without_path(fields['role'])} in aws-auth, or create an access entry of type {_entry_type(fields)}",
    ),
    Finding.ROLE_MAPPED_WRONG: _role_mapped_wrong,
    Finding.ROLE_USERNAME_UNSURE: lambda fields: CheckText(
        f"aws-auth maps {fields['role']} with the username `{fields['username']}`, with which only nodes named by "
        f"their instance id can register. It is unknown whether nodes of {_targets(fields)} are named that way",
        "Use the username `system:node:{{EC2PrivateDNSName}}`, or set the feature gate InstanceIdNodeName in their "
        "user data",
    ),
    Finding.ROLE_WITHOUT_ENTRY: lambda fields: CheckText(
        f"{_cannot_register(fields)}: {fields['role']} has no access entry, and the cluster's authentication mode API "
        "ignores aws-auth",
        _create_entry(fields),
    ),
    Finding.ACCESS_ENTRY_OF_OTHER_TYPE: _entry_of_other_type,
    Finding.ACCESS_ENTRY_NOT_READ: lambda fields: CheckText(
        f"The type of the access entry of {fields['role']} ({_targets(fields)}) is unknown{_because(fields)}",
        f"Make sure that it is {_entry_type(fields)}{_to_check(fields)}",
    ),
    Finding.AUTHENTICATION_MODE_NOT_READ: lambda fields: CheckText(
        f"{fields['role']} ({_targets(fields)}) is in aws-auth only, and the cluster's authentication mode is "
        f"unknown{_because(fields)}",
        f"Make sure that it is not API{_to_check(fields)}",
    ),
    Finding.AWS_AUTH_NOT_READ: lambda fields: CheckText(
        f"{fields['role']} ({_targets(fields)}) has no known access entry, and aws-auth is unknown{_because(fields)}",
        capitalize(fields["remedy"]) or _map_role(fields),
    ),
    Finding.ACCESS_ENTRIES_NOT_READ: lambda fields: CheckText(
        f"{fields['role']} ({_targets(fields)}) is not in aws-auth, and access entries are unknown{_because(fields)}",
        f"Make sure that it has one{_to_check(fields)}",
    ),
    Finding.NODES_MATCHED: ("Every planned node matches a Virtual Node Group",),
    Finding.GROUPS_GONE: _groups_gone,
    Finding.LABELS_NOT_SET: lambda fields: CheckText(
        f"Nodes of {_vng(fields)} do not get {_labels_and_taints(fields)}: Ocean launches them for pods that need "
        "them, and these pods stay pending",
        f"Set {_them([*fields['labels'], *fields['taints']])} in the user data, as kubelet arguments",
    ),
    Finding.LABELS_NOT_DECLARED: _labels_not_declared,
    Finding.LABELS_REFUSED: _labels_refused,
    Finding.USER_DATA_NOT_READ: lambda fields: CheckText(
        f"Whether nodes of {_vng(fields)} get the labels and taints that it declares is unknown: its user data "
        "contains variables or has an unknown format",
        "Make sure that its user data sets the same labels and taints",
    ),
    Finding.SCALING_ENABLED: ("Ocean can launch nodes",),
    Finding.AUTOSCALER_DISABLED: ("The autoscaler of {cluster} is off", "Enable it: a migration needs new nodes"),
    Finding.CAPACITY_ZERO: ("capacity.maximum of {cluster} is 0", "Raise it"),
    Finding.SHUTDOWN_HOURS: ("{cluster} is within its shutdown hours ({window})", "Wait, or change them"),
    Finding.NO_OTHER_MIGRATION: ("No other migration is running",),
    Finding.OTHER_MIGRATION_RUNS: lambda fields: CheckText(
        f"Migration {fields['migration']} of {count_noun(fields['nodes'], 'node')} is already running "
        f"({fields['state']})",
        "The new one waits for its end" if fields["waits"] else "Wait for its end",
    ),
    Finding.AWS_CAPACITY_FREE: ("Subnets and vCPU quotas have room for the new nodes",),
    Finding.ADDRESSES_TIGHT: lambda fields: CheckText(
        f"{_need_addresses(fields)} {'' if fields['complete'] else 'at least '}{fields['needed']}, "
        f"{'with' if fields['complete'] else 'and more for'} what the CNI keeps warm",
        "Add a subnet, or migrate fewer nodes at once",
    ),
    Finding.ADDRESSES_UNKNOWN: _addresses_unknown,
    Finding.ATTACHMENTS_FREE: ("New nodes attach the volumes of their pods",),
    Finding.ATTACHMENTS_TIGHT: lambda fields: CheckText(
        f"{_volumes(fields)}, and a new node of {_target(fields['target'])} attaches "
        + (str(fields["least"]) if fields["least"] == fields["most"] else f"{fields['least']} to {fields['most']}"),
        "Allow instance types with more attachments, or make sure that Ocean launches another node",
    ),
    Finding.ATTACHMENTS_UNKNOWN: lambda fields: CheckText(
        f"{_volumes(fields)}, and how many a new node of {_target(fields['target'])} attaches is unknown",
        "To have it checked, grant list csinodes, or ec2:DescribeInstanceTypes",
    ),
    Finding.QUOTA_TIGHT: lambda fields: CheckText(
        f"{max(0, fields['quota'] - fields['used']):g} of {fields['quota']:g} vCPUs left in the quota of "
        f"{'Spot' if fields['market'] == 'spot' else 'On-Demand'} instances: new nodes need {fields['needed']} while "
        "the old ones run",
        "Raise the quota of standard instances in Service Quotas, or migrate fewer nodes at once",
    ),
    Finding.QUOTAS_NOT_CHECKED: lambda fields: CheckText(
        f"Only quotas of standard instances are checked, not those of {list_some(fields['instance_types'])}",
        "Compare them in Service Quotas",
    ),
    Finding.INSTANCES_NOT_FOUND: lambda fields: CheckText(
        f"{count_with_verb(len(fields['nodes']), 'planned node', 'run')} outside of the AWS account that was asked for "
        f"its quotas ({list_some(fields['nodes'])})",
        "Use AWS credentials of the cluster's account",
    ),
    Finding.SPOT_WITHOUT_FALLBACK: lambda fields: CheckText(
        f"{_targets(fields)} may launch only Spot instances, and fallbackToOd is off: pods wait while AWS has none",
        "Set strategy.fallbackToOd of the cluster, or lower spotPercentage",
    ),
    Finding.CAPACITY_FREE: ("The limits have room for the new nodes",),
    Finding.OCEAN_NODES_NOT_READ: ("The Ocean nodes of {cluster} could not be listed", "Try again"),
    Finding.LIMIT_REACHED: lambda fields: CheckText(
        f"{_limit(fields)}, all of it in use ({_amount(fields, 'used')})", "Raise it"
    ),
    Finding.LIMIT_TIGHT: lambda fields: CheckText(
        f"{_limit(fields)}: {_amount(fields, 'used')} in use, up to {_amount(fields, 'needed')} more needed",
        "Raise it, or migrate fewer nodes at once",
    ),
}

_NAMING_TEMPLATES: Final[Mapping[Finding, Callable[[Fields, Vocabulary], CheckText]]] = {
    Finding.KUBERNETES_NOT_READ: _kubernetes_not_read,
    Finding.KUBERNETES_WRONG_CLUSTER: lambda fields, vocabulary: CheckText(
        capitalize(fields["reason"]), f"Set {vocabulary.name(KUBECONFIG)} to the kubeconfig of this cluster"
    ),
    Finding.NODES_UNMATCHED: _nodes_unmatched,
}
"""The templates of texts that name inputs."""
