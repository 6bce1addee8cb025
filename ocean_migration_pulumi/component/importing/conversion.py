"""A configuration of the service as the arguments of a resource of pulumi_spotinst."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ocean_migration_pulumi.component.importing.field_rules import ConversionProgress, Left, Table, convert
from ocean_migration_pulumi.component.importing.spotinst_fields import CLUSTER, GROUP, OF_THE_CLUSTER

NO_CONFIGURATION = frozenset({"id", "createdAt", "updatedAt"})
"""What a cluster or Virtual Node Group has, and nobody configures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """The keyword arguments, the paths of the wire that are in them, and what is not.

    No argument is invented, and no part of the configuration is in neither ``taken`` nor ``left``, unless it is empty.
    """

    arguments: dict[str, Any]
    taken: tuple[str, ...]
    left: tuple[Left, ...]


def convert_cluster(document: Mapping[str, Any]) -> Converted:
    """Return the arguments of ``pulumi_spotinst.aws.OceanArgs`` for a cluster as the service has it."""
    return _convert(document, CLUSTER)


def convert_group(document: Mapping[str, Any]) -> Converted:
    """Return the arguments of ``pulumi_spotinst.aws.OceanLaunchSpecArgs`` for a Virtual Node Group."""
    converted = _convert(document, GROUP)
    return replace(converted, left=tuple(map(_of_the_cluster, converted.left)))


def _convert(document: Mapping[str, Any], table: Table) -> Converted:
    configuration = {name: part for name, part in document.items() if name not in NO_CONFIGURATION}
    progress = ConversionProgress()
    arguments = convert(configuration, table, "", progress)
    taken = tuple(path for path, rule in table.items() if rule.argument in arguments)
    return Converted(arguments=arguments, taken=taken, left=tuple(progress.left))


def _of_the_cluster(left: Left) -> Left:
    if left.path.partition(".")[0] not in OF_THE_CLUSTER:
        return left
    reason = "a Virtual Node Group has none of its own"
    return replace(left, reason=reason, remedy="the cluster's is used: check that it fits")
