"""What only AWS knows of where Ocean's nodes will run; plain data, read elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .workloads import Gap, Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineType:
    """An EC2 instance type: what it has, and the architectures it runs, in Kubernetes' words (``amd64``, ``arm64``)."""

    resources: Resources
    architectures: tuple[str, ...] = ("amd64",)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudQuestion:
    """What is asked of AWS: only what the judgement needs. Empty fields ask nothing; None: the name is not known."""

    region: str
    instance_profiles: tuple[str, ...] = ()
    subnet_ids: tuple[str, ...] = ()
    instance_types: tuple[str, ...] = ()
    eks_cluster: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """What AWS answered.

    ``roles`` are role ARNs by instance profile, as it was asked for (name or ARN). ``access_entries`` are the principal
    ARNs of the EKS cluster's access entries, None when they could not be read. ``zones`` are availability zones by
    subnet, ``machines`` instance types by name. ``gaps`` names what could not be read: ``roles``, ``access_entries``,
    ``zones``, ``machines``.
    """

    roles: Mapping[str, str] = field(default_factory=dict)
    access_entries: frozenset[str] | None = None
    zones: Mapping[str, str] = field(default_factory=dict)
    machines: Mapping[str, MachineType] = field(default_factory=dict)
    gaps: Mapping[str, Gap] = field(default_factory=dict)
