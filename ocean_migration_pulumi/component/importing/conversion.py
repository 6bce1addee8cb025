"""Convert clusters and Virtual Node Groups of Spot's API into arguments of pulumi_spotinst."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ocean_migration_pulumi.component.importing.field_rules import Left, Table, convert
from ocean_migration_pulumi.component.importing.spotinst_fields import CLUSTER, GROUP, OF_THE_CLUSTER

NO_CONFIGURATION = frozenset({"id", "createdAt", "updatedAt"})
"""Fields that nobody configures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """A converted configuration: every field that is not empty is in ``taken`` or in ``left``."""

    arguments: dict[str, Any]
    """The keyword arguments."""
    taken: tuple[str, ...]
    """The paths of the fields that are in them."""
    left: tuple[Left, ...]
    """The fields that are not."""


def convert_cluster(document: Mapping[str, Any]) -> Converted:
    """Return the arguments of ``pulumi_spotinst.aws.OceanArgs`` for a cluster as the service has it."""
    from pulumi_spotinst import aws

    return _convert(document, CLUSTER, aws.OceanArgs)


def convert_vng(document: Mapping[str, Any]) -> Converted:
    """Return the arguments of ``pulumi_spotinst.aws.OceanLaunchSpecArgs`` for a Virtual Node Group."""
    from pulumi_spotinst import aws

    converted = _convert(document, GROUP, aws.OceanLaunchSpecArgs)
    return replace(converted, left=tuple(map(_of_the_cluster, converted.left)))


def _convert(document: Mapping[str, Any], table: Table, kind: type[Any]) -> Converted:
    configuration = {name: part for name, part in document.items() if name not in NO_CONFIGURATION}
    found = convert(configuration, table, kind, "")
    taken = tuple(path for path, rule in table.items() if rule.argument in found.value)
    return Converted(arguments=found.value, taken=taken, left=found.left)


def _of_the_cluster(left: Left) -> Left:
    if left.path.partition(".")[0] not in OF_THE_CLUSTER:
        return left
    reason = "a Virtual Node Group has none of its own"
    return replace(left, reason=reason, remedy="the cluster's is used: check that it fits")
