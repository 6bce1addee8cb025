"""What only Kubernetes knows of a cluster: nodes, pods and what holds them; plain data, read elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ocean_migration_pulumi.migration.spec.gap import Gap

INSTANCE_TYPE_LABEL: Final = "node.kubernetes.io/instance-type"
ZONE_LABEL: Final = "topology.kubernetes.io/zone"
ARCHITECTURE_LABEL: Final = "kubernetes.io/arch"
SYSTEM_LABEL: Final = "kubernetes.io/os"

NODES: Final = "nodes"
PODS: Final = "pods"
BUDGETS: Final = "poddisruptionbudgets"
DEPLOYMENTS: Final = "deployments"
DAEMON_SETS: Final = "daemonsets"
CLAIMS: Final = "persistentvolumeclaims"
VOLUMES: Final = "persistentvolumes"
AWS_AUTH: Final = "configmaps"
EVICTIONS: Final = "pods/eviction"
SERVICES: Final = "services"
VALIDATING_WEBHOOKS: Final = "validatingwebhookconfigurations"
MUTATING_WEBHOOKS: Final = "mutatingwebhookconfigurations"
NODE_POOLS: Final = "nodepools"
CSI_NODES: Final = "csinodes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One condition on a label, as selectors and affinities have it.

    ``operator`` is In, NotIn, Exists, DoesNotExist, Gt or Lt. ``on_field`` marks a condition on a field of the node
    (``metadata.name``) instead of a label.
    """

    key: str
    operator: str = "In"
    values: tuple[str, ...] = ()
    on_field: bool = False


DEFAULT_GRACE: Final = 30
"""Seconds of ``terminationGracePeriodSeconds`` where a pod sets none."""

PROTECTIONS: Final[tuple[tuple[str, str | None], ...]] = (
    ("karpenter.sh/do-not-disrupt", "true"),
    ("karpenter.sh/do-not-evict", "true"),
    ("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"),
    ("spotinst.io/restrict-scale-down", "true"),
    ("autoscaling.cast.ai/removal-disabled", "true"),
    ("descheduler.alpha.kubernetes.io/prefer-no-eviction", None),
)
"""Annotations or labels, each with its value (None: any), by which pods ask autoscalers not to move them.

By the documentation of Karpenter (the second one before its API v1beta1), Cluster Autoscaler, Spot (a label), Cast AI
(an annotation or a label) and the Descheduler.
"""

Term = tuple[Requirement, ...]
"""Conditions that must all hold; of several terms one is enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taint:
    """A taint of a node or a Virtual Node Group; ``effect`` is NoSchedule, PreferNoSchedule or NoExecute."""

    key: str
    value: str = ""
    effect: str = "NoSchedule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Toleration:
    """What a pod tolerates: an empty ``key`` with Exists is every taint, an empty ``effect`` every effect."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a pod asks for, or a node has to give; memory in MiB."""

    milli_cpu: int = 0
    memory_mib: int = 0
    gpu: int = 0
    others: tuple[tuple[str, int], ...] = ()
    """Name and amount of every other resource, sorted: extended ones, huge pages and storage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesNode:
    """A node; ``instance_id`` is that of its ``providerID``, empty when it has none."""

    name: str
    instance_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    cordoned: bool = False
    cordoned_since: str = ""
    """When Kubernetes tainted it as unschedulable, as it writes times; empty when it is not, or not known."""
    allocatable: Resources | None = None
    """What it has to give to pods; None when it does not tell."""
    ready: bool = True
    """Whether its kubelet reports that it is ready; True when there is no such condition."""
    not_ready_since: str = ""
    """When it stopped to be ready, as Kubernetes writes times; empty when it is ready or not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The controller of a pod, or of the controller of a pod."""

    kind: str
    name: str
    group: str | None = None
    """The API group of the kind, such as ``apps``; None when it is not known: then the kind is Kubernetes' own."""


FINISHED_PHASES: Final = frozenset({"Succeeded", "Failed"})
"""Phases of pods that run no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BasePod:
    """What planning and health alike know of a pod."""

    namespace: str
    """Its namespace."""
    name: str
    """Its name."""
    uid: str = ""
    """Its uid; empty when it is not known."""
    node_name: str = ""
    """Its node; empty while it has none."""
    ready: bool = True
    """Whether it is ready."""
    deleting: bool = False
    """Whether it is being deleted."""
    claims: tuple[str, ...] = ()
    """The names of its PersistentVolumeClaims."""

    @property
    def full_name(self) -> str:
        """Namespace and name, as ``kubectl`` and messages write them."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod(BasePod):
    """A pod, as far as moving it is concerned.

    ``claims`` are those that stay when it is gone. ``controller`` is None for one that nothing brings back. ``terms``
    are those of its required node affinity (one is enough; none: anywhere). ``volume_terms`` has, for each of its
    volumes that is bound to a place, the terms of that volume. ``requests`` is what the scheduler counts: the larger of
    all containers and any init container, with overhead. ``finalizers`` are what keeps it when it is ``deleting``.
    """

    phase: str = "Running"
    controller: Owner | None = None
    mirror: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    terms: tuple[Term, ...] = ()
    volume_terms: tuple[tuple[Term, ...], ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    empty_dir: bool = False
    finalizers: tuple[str, ...] = ()
    deletion_deadline: str = ""
    """When a pod that is deleted should be gone, as Kubernetes writes times: its deletion and its grace period."""
    grace_seconds: int = DEFAULT_GRACE
    """``terminationGracePeriodSeconds``."""
    gated: bool = False
    """Whether scheduling gates keep the scheduler from looking at it."""
    system: str = ""
    """``spec.os.name``; empty when it is not set."""
    pod_affinity: bool = False
    """Whether it has to run beside other pods."""
    spread_keys: tuple[str, ...] = ()
    """The labels that its node has to have, for its pods must be spread over their values."""
    host_network: bool = False
    """Whether it has the address of its node."""
    ephemeral_claims: tuple[str, ...] = ()
    """The names of the claims of its generic ephemeral volumes, which go with it."""
    ebs_volumes: tuple[str, ...] = ()
    """The names of its PersistentVolumes in EBS, which its node has to attach."""
    requests: Resources = field(default_factory=Resources)

    @property
    def finished(self) -> bool:
        """Whether it runs no more: nothing has to be moved."""
        return self.phase in FINISHED_PHASES


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A PodDisruptionBudget and its status.

    ``selector`` are the conditions on a pod's labels, all of which must hold: empty for every pod of the namespace,
    None for no pod. ``always_allows_unhealthy`` is ``unhealthyPodEvictionPolicy: AlwaysAllow``.
    """

    namespace: str
    name: str
    selector: Term | None = ()
    disruptions_allowed: int = 0
    current_healthy: int = 0
    desired_healthy: int = 0
    expected_pods: int = 0
    always_allows_unhealthy: bool = False
    problem: str = ""
    """Why Kubernetes cannot compute it (its condition ``SyncFailed``), on one line; empty when it can."""
    is_closed: bool = False
    """Whether it allows no disruption, however many pods there are: ``maxUnavailable`` 0, or ``minAvailable`` 100%."""
    is_processed: bool = True
    """Whether its status is of its present generation; until then no eviction is allowed."""

    @property
    def full_name(self) -> str:
        """Namespace and name."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A Deployment, as far as controllers and autoscalers are told by it; ``replicas`` is what it asks for.

    ``annotations`` are only those by which tools mark what they apply. ``read_only`` says whether a container has
    ``SPOTINST_READONLY_MODE`` set to true, by which an Ocean Controller only reports.
    """

    namespace: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    images: tuple[str, ...] = ()
    replicas: int = 1
    ready_replicas: int = 0
    read_only: bool = False
    read_only_from: tuple[str, ...] = ()
    """The ConfigMaps and Secrets that may set that variable: what they have is not read."""
    selector: Term | None = None
    """The conditions on the labels of its pods; None when they are not known."""
    surges: bool = True
    """Whether a rollout starts a new pod before it ends an old one."""

    @property
    def full_name(self) -> str:
        """Namespace and name."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An admission webhook without whose answer pods are neither created nor evicted, or nodes do not register."""

    name: str
    """Name of the webhook."""
    service: tuple[str, str]
    """Namespace and name of the Service that answers."""
    namespace_selector: Term = ()
    """Conditions on the labels of the namespaces that it concerns; none: all."""
    object_selector: Term = ()
    """Conditions on the labels of the objects that it concerns; none: all."""
    sees_pods: bool = True
    """Whether it concerns pods that are created or deleted."""
    sees_evictions: bool = False
    """Whether it concerns evictions."""
    sees_nodes: bool = False
    """Whether it concerns nodes that register or are cordoned."""


class RunnerPod(NamedTuple):
    """The pod that this process runs in, of whatever cluster."""

    namespace: str
    """Its namespace."""
    name: str
    """Its name."""
    uid: str = ""
    """Its uid, by which it is told from a pod of the same name in another cluster; empty when it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePool:
    """A NodePool of Karpenter, which EKS Auto Mode has, too."""

    name: str
    """Name of the NodePool."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels that its nodes get."""
    taints: tuple[Taint, ...] = ()
    """Taints of its nodes; those that only start with a node are not among them."""
    requirements: Term = ()
    """What it demands of its nodes' labels."""
    is_closed: bool = False
    """Whether it starts no node now: its limits are used up, it is not ready, or it is off."""
    is_off: bool = False
    """Whether it starts no node whatever becomes of those that run: a limit is 0, or it is being deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CniSettings:
    """How the VPC CNI gives addresses to pods, by the environment of its DaemonSet ``aws-node``."""

    warm_interfaces: int = 1
    """``WARM_ENI_TARGET``: network interfaces that are kept free on each node."""
    warm_addresses: int = 0
    """``WARM_IP_TARGET``: addresses that are kept free on each node; 0 when it is not set."""
    minimum_addresses: int = 0
    """``MINIMUM_IP_TARGET``: addresses that each node has at least; 0 when it is not set."""
    warm_prefixes: int = 0
    """``WARM_PREFIX_TARGET``: blocks of 16 addresses that are kept free on each node; 0 when it is not set."""
    uses_prefixes: bool = False
    """``ENABLE_PREFIX_DELEGATION``: nodes take whole blocks of 16 addresses."""
    uses_other_subnets: bool = False
    """``AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG``: pods get addresses of the subnets that ENIConfigs name."""
    is_ipv6: bool = False
    """``ENABLE_IPv6``: pods get no IPv4 addresses of a subnet."""
    unread: tuple[str, ...] = ()
    """Those of these variables whose value another object has, or that cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedRole:
    """An entry of ``mapRoles`` in the ConfigMap ``aws-auth``."""

    arn: str
    """ARN of the IAM role, as it is written."""
    username: str = ""
    """Kubernetes user of the role; a template such as ``system:node:{{EC2PrivateDNSName}}``."""
    groups: tuple[str, ...] = ()
    """Kubernetes groups of the role."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesSnapshot:
    """Everything that was read of a cluster at one moment.

    ``gaps`` names, by resource (``PODS``, ``BUDGETS``, ...), what could not be read: its part is then empty or
    incomplete, and stands for nothing. ``nodes`` are by instance id, ``unidentified`` the names of nodes without one.
    ``other_names`` has, by instance id, the other names of an instance that is registered more than once.
    ``daemon_sets`` are (namespace, name).
    ``mapped_roles`` are the entries of the ConfigMap ``aws-auth`` that count, one for each ARN: None when there is no
    such ConfigMap. ``services`` are the selectors of Services by (namespace, name), ``webhooks`` those whose failure
    policy is Fail and that concern pods or nodes. ``node_pools`` are empty where Karpenter is not installed. ``cni`` is
    None without the VPC CNI, ``attachment_limits`` has by the name of a node how many volumes its EBS driver attaches.
    ``source`` says where the access comes from, for messages: the input, KUBECONFIG, or the cluster itself.
    """

    nodes: Mapping[str, KubernetesNode] = field(default_factory=dict)
    unidentified: frozenset[str] = frozenset()
    other_names: Mapping[str, frozenset[str]] = field(default_factory=dict)
    pods: tuple[Pod, ...] = ()
    budgets: tuple[Budget, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    daemon_sets: frozenset[tuple[str, str]] = frozenset()
    mapped_roles: tuple[MappedRole, ...] | None = None
    services: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    webhooks: tuple[Webhook, ...] = ()
    node_pools: tuple[NodePool, ...] = ()
    cni: CniSettings | None = None
    attachment_limits: Mapping[str, int] = field(default_factory=dict)
    gaps: Mapping[str, Gap] = field(default_factory=dict)
    source: str = ""

    def knows(self, *resources: str) -> bool:
        """Tell whether all of these were read."""
        return not any(resource in self.gaps for resource in resources)

    @property
    def pod_names(self) -> dict[str, str]:
        """The full names of the pods by uid."""
        return {pod.uid: pod.full_name for pod in self.pods if pod.uid}

    def pods_on(self, node_names: frozenset[str]) -> list[Pod]:
        """Return the pods on these nodes."""
        return [pod for pod in self.pods if pod.node_name in node_names]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvictionTrial:
    """What the API server answered to an eviction with ``dryRun=All``."""

    allowed: bool | None
    """Whether it would evict the pod; None when that is not known."""
    said: str = ""
    """Its own words, on one line; empty for none."""
    gap: Gap | None = None
    """Why it could not be asked; None when it answered."""
    vanished: bool = False
    """Whether the pod is gone, which tells nothing of its budget."""
