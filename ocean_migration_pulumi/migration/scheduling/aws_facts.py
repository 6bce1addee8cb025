"""What only AWS knows of where Ocean's nodes will run; plain data, read elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import Resources
from ocean_migration_pulumi.migration.spec.gap import Gap

SPOT: Final = "spot"
ON_DEMAND: Final = "on-demand"

_ROLE: Final = re.compile(
    r"arn:(?P<partition>aws[a-z0-9-]*):iam::(?P<account>\d+):role/(?:[!-~]+/)?(?P<name>[\w+=,.@-]+)", re.ASCII
)
_STANDARD: Final = re.compile(r"(?:[acdhimrtz]|im|is)\d")
_PATH: Final = re.compile(r":role/(?:.+/)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceTypeSpec:
    """An EC2 instance type: what it has, and the architectures it runs, in Kubernetes' words (``amd64``, ``arm64``)."""

    resources: Resources
    architectures: tuple[str, ...] = ("amd64",)
    interfaces: int | None = None
    """How many network interfaces it has at most; None when it is not known."""
    addresses_per_interface: int | None = None
    """How many IPv4 addresses each of them has at most; None when it is not known."""
    attachments: int | None = None
    """How many volumes, or volumes and what shares their limit, it attaches; None when it is not known."""
    shares_attachments: bool = True
    """Whether network interfaces and instance stores share that limit."""
    instance_stores: int = 0
    """How many instance stores it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsQuery:
    """What is asked of AWS: only what the judgement needs. Empty fields ask nothing; None: the name is not known."""

    region: str
    instance_profiles: tuple[str, ...] = ()
    subnet_ids: tuple[str, ...] = ()
    instance_types: tuple[str, ...] = ()
    eks_cluster: str | None = None
    markets: tuple[str, ...] = ()
    """``SPOT`` and ``ON_DEMAND``: those whose vCPU quotas matter."""
    priced_types: tuple[str, ...] = ()
    """Instance types whose price is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsFacts:
    """What AWS answered.

    ``roles`` are role ARNs by instance profile, as it was asked for (name or ARN). ``access_entries`` are the principal
    ARNs of the EKS cluster's access entries, None when they could not be read; ``entry_types`` has the type of those
    whose principal is one of the roles. ``authentication_mode`` is that of the EKS cluster, read when a role has no
    entry, else empty.
    ``zones`` are availability zones by subnet, ``machines`` instance types by name. ``gaps`` names what could not be
    read: ``roles``, ``access_entries``, ``entry_types``, ``authentication_mode``, ``zones``, ``machines``, ``quotas``,
    ``running``, ``prices``.
    """

    roles: Mapping[str, str] = field(default_factory=dict)
    access_entries: frozenset[str] | None = None
    entry_types: Mapping[str, str] = field(default_factory=dict)
    authentication_mode: str = ""
    zones: Mapping[str, str] = field(default_factory=dict)
    free_addresses: Mapping[str, int] = field(default_factory=dict)
    """Free IPv4 addresses by subnet."""
    subnet_sizes: Mapping[str, int] = field(default_factory=dict)
    """All IPv4 addresses by subnet, those in use included."""
    machines: Mapping[str, InstanceTypeSpec] = field(default_factory=dict)
    quotas: Mapping[str, float] = field(default_factory=dict)
    """vCPUs that the account may run at once, by market, of the standard families (A, C, D, H, I, M, R, T, Z)."""
    running: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """Market and vCPUs of each running instance of the standard families, by id."""
    prices: Mapping[str, float] = field(default_factory=dict)
    """US dollars per hour by instance type: On-Demand, Linux, shared tenancy."""
    gaps: Mapping[str, Gap] = field(default_factory=dict)


def is_standard_type(instance_type: str) -> bool:
    """Tell whether an instance type is of the families that share the vCPU quotas of standard instances."""
    return _STANDARD.match(instance_type) is not None


def is_same_role(one: str, other: str) -> bool:
    """Tell whether two ARNs are of the same IAM role, whether or not they have its path.

    ``aws-auth`` has to leave the path out (``role/team/nodes`` is written ``role/nodes``), access entries keep it. A
    name belongs to one role of an account, whatever the path, and its case does not matter. Anything that is not the
    ARN of a role is the same as nothing.
    """
    role = _role(one)
    return role is not None and role == _role(other)


def without_path(arn: str) -> str:
    """Return the ARN of a role without its path, as ``aws-auth`` has to have it; anything else as it is."""
    return _PATH.sub(":role/", arn)


def _role(arn: str) -> tuple[str, str, str] | None:
    """Return partition, account and name of a role."""
    match = _ROLE.fullmatch(arn.strip())
    return (match["partition"], match["account"], match["name"].casefold()) if match else None
