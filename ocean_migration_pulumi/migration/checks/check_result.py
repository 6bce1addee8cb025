"""The result of one pre-flight check: a status and a typed finding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity
from ocean_migration_pulumi.migration.spec.gap import Gap


class CheckStatus(StrEnum):
    """The outcome of one check."""

    PASS = "pass"  # noqa: S105 - a status, not a password
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


class Finding(StrEnum):
    """What a check can find; the string under each member names its fields, ``?`` those that may be None."""

    NOT_READ = "not-read"
    """``gap``."""

    CONTROLLER_REPORTS = "controller-reports"
    CONTROLLER_NEVER_REPORTED = "controller-never-reported"
    CONTROLLER_SILENT = "controller-silent"
    """``status`` as the service has it (may be empty), ``seconds`` since the last heartbeat."""

    KUBERNETES_READ = "kubernetes-read"
    KUBERNETES_NOT_READ = "kubernetes-not-read"
    """``gap``?: why access that exists is of no use, the ``input``? to set."""
    KUBERNETES_WRONG_CLUSTER = "kubernetes-wrong-cluster"
    """``gap``."""
    KUBERNETES_NOT_RECOGNIZED = "kubernetes-not-recognized"
    """There is no node to recognize the cluster by; no fields."""

    CONTROLLER_V2 = "controller-v2"
    """``version``?"""
    CONTROLLER_NOT_READY = "controller-not-ready"
    """``version``?, ``deployment``."""
    CONTROLLER_SCALED_DOWN = "controller-scaled-down"
    """``deployment``."""
    CONTROLLER_NOT_FOUND = "controller-not-found"
    CONTROLLER_V1 = "controller-v1"
    """``version``?, ``deployment``, ``too_old`` (it evicts no pods for migrations), ``blocks_v2`` (both are there)."""
    CONTROLLER_READ_ONLY = "controller-read-only"
    """``deployment``."""
    CONTROLLER_MODE_UNKNOWN = "controller-mode-unknown"
    """``version``?, ``deployment``, ``sources``: ConfigMaps and Secrets that may switch it to reporting only."""
    SEVERAL_CONTROLLERS = "several-controllers"
    """``deployments`` of the same version."""

    NO_OTHER_AUTOSCALER = "no-other-autoscaler"
    CLUSTER_AUTOSCALER_RUNS = "cluster-autoscaler-runs"
    """``namespace``, ``name``, ``replicas``."""
    KARPENTER_RUNS = "karpenter-runs"
    """``deployment``."""
    VENDOR_AUTOSCALER_RUNS = "vendor-autoscaler-runs"
    """``vendor``, ``deployments``."""
    EKS_AUTO_MODE_RUNS = "eks-auto-mode-runs"
    """``nodes``: names."""

    NODE_POOLS_TAKE_PODS = "node-pools-take-pods"
    """``pools``: NodePools of Karpenter or EKS Auto Mode that would take evicted ``pods``."""
    KARPENTER_OWNS_NODES = "karpenter-owns-nodes"
    """``pools`` and the planned ``nodes`` that belong to them."""

    CLUSTER_SERVICES_STAY = "cluster-services-stay"
    DNS_ON_PLANNED_NODES = "dns-on-planned-nodes"
    """``pods``, ``nodes`` (their names)."""
    CONTROLLER_ON_PLANNED_NODES = "controller-on-planned-nodes"
    """``pods``, ``nodes`` (their names)."""
    WEBHOOKS_ON_PLANNED_NODES = "webhooks-on-planned-nodes"
    """``webhooks``, ``pods``, ``nodes`` (their names), and ``refuses_nodes``: whether new nodes need an answer, too."""
    RUNNER_STAYS = "runner-stays"
    RUNNER_ON_PLANNED_NODE = "runner-on-planned-node"
    """``pod``, ``node``."""

    NO_PENDING_PODS = "no-pending-pods"
    """``gated``: how many pods scheduling gates hold."""
    PENDING_PODS = "pending-pods"
    """``pods``, and ``gated`` as for ``NO_PENDING_PODS``."""

    ROLES_MAPPED = "roles-mapped"
    NO_INSTANCE_PROFILE = "no-instance-profile"
    """``targets``: each with ``id`` of a VNG or cluster, and ``name`` (empty for the cluster's own template)."""
    ROLE_NOT_READ = "role-not-read"
    """``profile``, ``targets``, ``gap``?."""
    ROLE_NOT_MAPPED = "role-not-mapped"
    """``role``, ``targets``; as all that have a ``role`` also ``windows`` (if the nodes run it) and ``by_id`` (if nodes
    are named by their instance id)."""
    ROLE_MAPPED_WITH_PATH = "role-mapped-with-path"
    """``role``, ``targets``, ``mapped``: the ARN in aws-auth, which has the role's path."""
    ROLE_MAPPED_WRONG = "role-mapped-wrong"
    """``role``, ``targets``, ``username``? that is none of a node (may be empty), ``missing`` groups of nodes."""
    ROLE_USERNAME_UNSURE = "role-username-unsure"
    """``role``, ``targets``, ``username``, which only nodes have that are named by their instance id."""
    ROLE_WITHOUT_ENTRY = "role-without-entry"
    """``role``, ``targets``: it has no access entry, and the cluster ignores aws-auth."""
    ACCESS_ENTRY_OF_OTHER_TYPE = "access-entry-of-other-type"
    """``role``, ``targets``, ``type``."""
    ACCESS_ENTRY_NOT_READ = "access-entry-not-read"
    """``role``, ``targets``, ``gap``?."""
    AUTHENTICATION_MODE_NOT_READ = "authentication-mode-not-read"
    """As ``ACCESS_ENTRY_NOT_READ``: it is in aws-auth, which counts only in some modes."""
    AWS_AUTH_NOT_READ = "aws-auth-not-read"
    """``role``, ``targets``, ``gap``."""
    ACCESS_ENTRIES_NOT_READ = "access-entries-not-read"
    """``role``, ``targets``, ``gap``?."""

    NODES_MATCHED = "nodes-matched"
    NODES_UNMATCHED = "nodes-unmatched"
    """``nodes``, ``allowed`` (by ``unmatched_nodes``)."""
    GROUPS_GONE = "groups-gone"
    """``groups``: ids of VNGs, and ``nodes`` that were planned for them."""

    LABELS_NOT_SET = "labels-not-set"
    """``group`` and its ``name``, the ``labels`` and ``taints`` that it declares and its nodes do not get."""
    LABELS_NOT_DECLARED = "labels-not-declared"
    """``group`` and its ``name``, the ``labels`` and ``taints`` that its user data sets and it does not declare.

    ``default`` is set for the cluster's own template, which can declare none; the group is then the cluster."""
    LABELS_REFUSED = "labels-refused"
    """``group`` and its ``name``, the ``labels`` (without values) that kubelets refuse, and ``starts``: whether a
    kubelet does, which it does not if its user data sets these labels."""
    USER_DATA_NOT_READ = "user-data-not-read"
    """``group`` and its ``name``: whether its nodes get what it declares is unknown."""

    SCALING_ENABLED = "scaling-enabled"
    AUTOSCALER_DISABLED = "autoscaler-disabled"
    """``cluster``."""
    CAPACITY_ZERO = "capacity-zero"
    """``cluster``."""
    SHUTDOWN_HOURS = "shutdown-hours"
    """``cluster``, ``window``."""

    NO_OTHER_MIGRATION = "no-other-migration"
    OTHER_MIGRATION_RUNS = "other-migration-runs"
    """``migration``, ``state``, ``nodes`` (how many), ``waits`` (whether `pulumi up` waits for its end)."""

    AWS_CAPACITY_FREE = "aws-capacity-free"
    ADDRESSES_TIGHT = "addresses-tight"
    """``subnets``, ``free`` addresses, the new ``nodes`` and their ``pods``, and how many addresses are ``needed``.

    ``complete`` tells whether what the CNI keeps warm is among them, ``blocks`` of 16 addresses (0 without prefixes).
    """
    ADDRESSES_UNKNOWN = "addresses-unknown"
    """As ``ADDRESSES_TIGHT`` without ``complete``, and the ``cause``: ``not-read``, ``other-subnets``,
    ``other-network``, ``prefixes``, ``settings`` or ``instance-types``."""
    ATTACHMENTS_FREE = "attachments-free"
    ATTACHMENTS_TIGHT = "attachments-tight"
    """The ``target`` (``id`` and ``name``), planned ``nodes`` whose pods have more volumes than the ``least`` that a
    new node attaches (``most``: at most), and the ``volumes`` of the one that has most."""
    ATTACHMENTS_UNKNOWN = "attachments-unknown"
    """As ``ATTACHMENTS_TIGHT``, without the limits."""
    QUOTA_TIGHT = "quota-tight"
    """``market``, and vCPUs: ``quota``, ``used``, ``needed`` by new nodes."""
    QUOTAS_NOT_CHECKED = "quotas-not-checked"
    """``instance_types`` of planned nodes whose families have quotas of their own."""
    INSTANCES_NOT_FOUND = "instances-not-found"
    """``nodes`` that do not run in the account that was asked for its quotas."""
    SPOT_WITHOUT_FALLBACK = "spot-without-fallback"
    """``targets``: each with ``id`` and ``name`` of a VNG."""

    CAPACITY_FREE = "capacity-free"
    OCEAN_NODES_NOT_READ = "ocean-nodes-not-read"
    """``cluster``."""
    LIMIT_REACHED = "limit-reached"
    """``setting``, ``owner_id`` and ``owner_name`` (empty for a cluster), ``limit``, ``used``, ``unit``."""
    LIMIT_TIGHT = "limit-tight"
    """As ``LIMIT_REACHED``, and ``needed``."""


_CODES: Final = {
    CheckStatus.FAIL: Code.CHECK_FAILED,
    CheckStatus.WARN: Code.CHECK_WARNING,
    CheckStatus.UNKNOWN: Code.CHECK_UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one pre-flight check."""

    name: str
    """The name of the check; one check can have several results."""
    status: CheckStatus
    finding: Finding
    fields: Mapping[str, Any] = field(default_factory=dict)
    """What the finding names, as JSON-plain data."""

    @classmethod
    def from_gap(cls, name: str, gap: Gap) -> Self:
        """Return the result for something that could not be read."""
        return cls(name, CheckStatus.UNKNOWN, Finding.NOT_READ, {"gap": gap.to_json()})

    def to_diagnostic(self, *, enforced: bool) -> Diagnostic:
        """Return the diagnostic of a result that has not passed.

        Args:
            enforced: Whether a failed check makes `pulumi up` refuse to start.
        """
        return Diagnostic(
            code=_CODES[self.status],
            severity=Severity.ERROR if enforced and self.status is CheckStatus.FAIL else Severity.WARNING,
            subject=self.name,
            fields={"finding": str(self.finding), **self.fields},
        )
