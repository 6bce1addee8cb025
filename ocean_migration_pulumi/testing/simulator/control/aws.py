"""The control verbs of Auto Scaling Groups."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from ocean_migration_pulumi.testing.simulator.control.base import ControlBase
from ocean_migration_pulumi.testing.simulator.world import auto_scaling
from ocean_migration_pulumi.testing.simulator.world.auto_scaling import SimAutoScalingGroup
from ocean_migration_pulumi.testing.simulator.world.nodes import terminate_node

_SETTINGS = frozenset(field.name for field in fields(SimAutoScalingGroup)) - {"name", "region"}


class AwsControls(ControlBase):
    """The control verbs of Auto Scaling Groups."""

    def auto_scaling_groups(self) -> list[dict[str, Any]]:
        """Return every Auto Scaling Group."""
        return [vars(group) for group in self._world.auto_scaling_groups]

    def auto_scaling_group(self, *, name: str, region: str, **parts: Any) -> dict[str, Any]:
        """Change settings of an Auto Scaling Group, or add one, and return it."""
        unknown = sorted(parts.keys() - _SETTINGS)
        if unknown:
            raise ValueError(f"unknown part {unknown[0]!r}: one of {', '.join(sorted(_SETTINGS))}")
        groups = self._world.auto_scaling_groups
        changed = replace(auto_scaling.ensure_group(groups, name, region), **parts)
        self._world.auto_scaling_groups = [
            changed if (group.name, group.region) == (name, region) else group for group in groups
        ]
        return vars(changed)

    def remove_auto_scaling_group(self, *, name: str, region: str) -> None:
        """Remove an Auto Scaling Group, and terminate its nodes without replacement."""
        group = auto_scaling.find_group(self._world.auto_scaling_groups, name, region)
        if group is None:
            raise KeyError(name)
        self._world.auto_scaling_groups.remove(group)
        for cluster in self._world.clusters.values():
            if cluster.body["region"] == region:
                cluster.refilling = [other for other in cluster.refilling if other != name]
                cluster.refills = [refill for refill in cluster.refills if refill.asg_name != name]
                for node in cluster.nodes.values():
                    if node.asg_name == name and not node.terminated:
                        terminate_node(cluster, node, self._now)
