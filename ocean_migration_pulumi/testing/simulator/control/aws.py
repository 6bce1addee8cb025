"""What the control API can do to the Auto Scaling Groups in AWS; the names are those of ``SimulatorControl``."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from ocean_migration_pulumi.testing.simulator.control.kubernetes import KubernetesControls
from ocean_migration_pulumi.testing.simulator.world import auto_scaling, state_machine
from ocean_migration_pulumi.testing.simulator.world.auto_scaling import SimAutoScalingGroup

_PARTS = frozenset(part.name for part in fields(SimAutoScalingGroup)) - {"name", "region"}


class AwsControls(KubernetesControls):
    """One method for each verb, as in ``Controls``."""

    def auto_scaling_groups(self) -> list[dict[str, Any]]:
        """Return every Auto Scaling Group."""
        return [vars(group) for group in self._world.auto_scaling_groups]

    def auto_scaling_group(self, *, name: str, region: str, **parts: Any) -> dict[str, Any]:
        """Change parts of an Auto Scaling Group, or add one, and return it."""
        unknown = sorted(parts.keys() - _PARTS)
        if unknown:
            raise ValueError(f"unknown part {unknown[0]!r}: one of {', '.join(sorted(_PARTS))}")
        groups = self._world.auto_scaling_groups
        changed = replace(auto_scaling.ensure(groups, name, region), **parts)
        self._world.auto_scaling_groups = [
            changed if (group.name, group.region) == (name, region) else group for group in groups
        ]
        return vars(changed)

    def remove_auto_scaling_group(self, *, name: str, region: str) -> None:
        """Remove an Auto Scaling Group with its nodes, which nothing replaces."""
        group = auto_scaling.find(self._world.auto_scaling_groups, name, region)
        if group is None:
            raise KeyError(name)
        self._world.auto_scaling_groups.remove(group)
        now = self._simulation.clock.now()
        for cluster in self._world.clusters.values():
            if cluster.body["region"] == region:
                cluster.refilling = [known for known in cluster.refilling if known != name]
                cluster.refills = [refill for refill in cluster.refills if refill.asg_name != name]
                for node in cluster.nodes.values():
                    if node.asg_name == name and not node.terminated:
                        state_machine.terminate(cluster, node, now)
