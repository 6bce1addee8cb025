"""Auto Scaling Groups, with the launch settings of their nodes."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

_USER_DATA = "#!/bin/bash\n/etc/eks/bootstrap.sh demo --kubelet-extra-args '--node-labels=pool={name}'\n"
_PROFILES = "arn:aws:iam::123456789012:instance-profile/"
_ROOT_VOLUME: dict[str, Any] = {
    "deviceName": "/dev/xvda",
    "ebs": {"deleteOnTermination": True, "encrypted": True, "volumeSize": 100, "volumeType": "gp3"},
}
_DEFAULTS_BY_NAME: dict[str, dict[str, Any]] = {
    "web": {"instance_types": ["m5.large", "m5a.large"]},
    # EKS made this instance profile for its node group, and deletes both together.
    "batch": {
        "instance_types": ["c5.xlarge"],
        "instance_profile": f"{_PROFILES}eks-5ac6b1f0-3a52-4d0e-9f57-2f3c1f1b7a90",
        "block_devices": [_ROOT_VOLUME],
    },
}


@dataclass(kw_only=True)
class SimAutoScalingGroup:
    """An Auto Scaling Group, which is also that of an EKS node group of the same name."""

    name: str
    """Its name, unique in the region."""
    region: str
    """The AWS region."""
    min_size: int = 0
    """The smallest number of its nodes."""
    max_size: int = 1000
    """The maximum number of instances."""
    image_id: str = "ami-0a1b2c3d4e5f60718"
    """The AMI of its nodes."""
    instance_types: list[str] = field(default_factory=lambda: ["m5.large"])
    """The instance types of its nodes."""
    instance_profile: str | None = f"{_PROFILES}workers"
    """The ARN of the instance profile, None without one."""
    subnet_ids: list[str] = field(default_factory=lambda: ["subnet-0a1b2c3d", "subnet-0b2c3d4e"])
    """The subnets of its nodes."""
    security_group_ids: list[str] = field(default_factory=lambda: ["sg-0a1b2c3d"])
    """The security groups of its nodes."""
    key_pair: str | None = "operators"
    """The name of the SSH key pair, None without one."""
    user_data: str | None = None
    """The user data in base64, None without any."""
    tags: dict[str, str] = field(default_factory=lambda: {"kubernetes.io/cluster/demo": "owned", "team": "shop"})
    """The tags of its nodes."""
    block_devices: list[dict[str, Any]] = field(default_factory=list)
    """The ``blockDeviceMappings`` of its nodes, in Spot's format."""


def build_default_group(name: str, region: str) -> SimAutoScalingGroup:
    """Return an Auto Scaling Group with default settings."""
    user_data = base64.b64encode(_USER_DATA.format(name=name).encode()).decode()
    return SimAutoScalingGroup(
        **{"name": name, "region": region, "user_data": user_data, **_DEFAULTS_BY_NAME.get(name, {})}
    )


def find_group(groups: Iterable[SimAutoScalingGroup], name: str, region: str) -> SimAutoScalingGroup | None:
    """Return a group, None when it does not exist."""
    return next((group for group in groups if (group.name, group.region) == (name, region)), None)


def ensure_group(groups: list[SimAutoScalingGroup], name: str, region: str) -> SimAutoScalingGroup:
    """Return a group; create it where it does not exist."""
    group = find_group(groups, name, region)
    if group is None:
        group = build_default_group(name, region)
        groups.append(group)
    return group
