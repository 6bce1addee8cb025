"""The component OceanMigration: an EKS cluster that moves into Ocean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Final

import pulumi
from pulumi import Output

from ocean_migration_pulumi.common.installation import install_command
from ocean_migration_pulumi.component.args import OceanMigrationArgs, OceanMigrationArgsDict, check_args
from ocean_migration_pulumi.errors import SettingsError
from ocean_migration_pulumi.host import one_line_errors
from ocean_migration_pulumi.inputs import check_resource

_PACKAGES: Final = ("pulumi_spotinst", "pulumi_kubernetes", "pulumi_aws")
"""The packages of the extra ``stack``."""


class OceanMigration(pulumi.ComponentResource):
    """Move an EKS cluster to Ocean: cluster, Virtual Node Groups, controller, Cluster Autoscaler and waves."""

    ocean_id: Output[str]
    """Id of the Ocean cluster."""
    virtual_node_group_ids: Output[Mapping[str, str]]
    """Ids of the created Virtual Node Groups, by name."""
    waves: Output[Mapping[str, Mapping[str, Any]]]
    """Outputs of each wave: id, status and progress of its migration, plan digest, and lists of nodes."""
    totals: Output[Mapping[str, int]]
    """Numbers of nodes of all waves: ``planned``, ``migrated``, ``remaining``, ``manual`` and ``drained``."""
    imported: Output[Sequence[str]]
    """One line for each part of the configuration that was copied or left out."""
    retire: Output[Sequence[str]]
    """For each old group the change that retires it, or what prevents it."""

    @one_line_errors
    def __init__(
        self,
        name: str,
        args: OceanMigrationArgs | OceanMigrationArgsDict,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the migration of a cluster.

        Args:
            name: The name of the component, with which the names of its resources begin.
            args: What exists, what is to be made, and in which waves.
            opts: Options of the component. Providers of ``spotinst``, ``kubernetes`` and ``aws`` reach all that it
                makes; its ``custom_timeouts`` reach nothing, each wave has its own.

        Raises:
            RunError: Before anything is registered, when arguments are wrong or exclude each other, when a setting
                cannot be used, or when a package of the extra ``stack`` is not installed.
        """
        check_resource("name", name, opts)
        _require_packages()
        # Imported late: the packages of the extra are needed by those who declare a component, and by nobody else.
        from ocean_migration_pulumi.component.resources.parts import Parts

        parts = Parts.prepare(name, check_args(args), self)
        super().__init__(
            "ocean-migration:index:OceanMigration",
            name,
            None,
            pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=parts.preconditions)),
        )
        outputs = parts.declare()
        for key, value in outputs.items():
            setattr(self, key, value)
        self.register_outputs(outputs)


def _require_packages() -> None:
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        remedy = f"run `{install_command('stack')}`"
        raise SettingsError(f"OceanMigration: {', '.join(missing)} {verb} not installed; {remedy}")
