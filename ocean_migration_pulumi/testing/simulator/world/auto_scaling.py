"""Auto Scaling Groups as AWS has them: what the nodes of each are made from, and so what an import can tell."""

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
_PARTS: dict[str, dict[str, Any]] = {
    "web": {"instance_types": ["m5.large", "m5a.large"]},
    # What EKS makes for a node group of its own: it goes when the node group goes.
    "batch": {
        "instance_types": ["c5.xlarge"],
        "instance_profile": f"{_PROFILES}eks-5ac6b1f0-3a52-4d0e-9f57-2f3c1f1b7a90",
        "block_devices": [_ROOT_VOLUME],
    },
}


@dataclass(kw_only=True)
class SimAutoScalingGroup:
    """An Auto Scaling Group, which may be that of an EKS node group of the same name.

    ``user_data`` is in base64, ``block_devices`` are as Spot has them; None and what is empty: it has none.
    """

    name: str
    region: str
    image_id: str = "ami-0a1b2c3d4e5f60718"
    instance_types: list[str] = field(default_factory=lambda: ["m5.large"])
    instance_profile: str | None = f"{_PROFILES}workers"
    subnet_ids: list[str] = field(default_factory=lambda: ["subnet-0a1b2c3d", "subnet-0b2c3d4e"])
    security_group_ids: list[str] = field(default_factory=lambda: ["sg-0a1b2c3d"])
    key_pair: str | None = "operators"
    user_data: str | None = None
    tags: dict[str, str] = field(default_factory=lambda: {"kubernetes.io/cluster/demo": "owned", "team": "shop"})
    block_devices: list[dict[str, Any]] = field(default_factory=list)


def usual(name: str, region: str) -> SimAutoScalingGroup:
    """Return an Auto Scaling Group as it is when nothing else is said."""
    user_data = base64.b64encode(_USER_DATA.format(name=name).encode()).decode()
    return SimAutoScalingGroup(**{"name": name, "region": region, "user_data": user_data, **_PARTS.get(name, {})})


def find(groups: Iterable[SimAutoScalingGroup], name: str, region: str) -> SimAutoScalingGroup | None:
    """Return a group, None when there is none."""
    return next((group for group in groups if (group.name, group.region) == (name, region)), None)


def ensure(groups: list[SimAutoScalingGroup], name: str, region: str) -> SimAutoScalingGroup:
    """Return a group, which is made where there is none."""
    group = find(groups, name, region)
    if group is None:
        group = usual(name, region)
        groups.append(group)
    return group
