"""The component OceanMigration: an EKS cluster that moves into Ocean."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Output

from ocean_migration_pulumi.component.args import (
    CheckedArgs,
    OceanMigrationArgs,
    OceanMigrationArgsDict,
    check_args,
)
from ocean_migration_pulumi.component.resources.autoscaler import switch_off_autoscaler
from ocean_migration_pulumi.component.resources.cluster import Made, make_cluster
from ocean_migration_pulumi.component.resources.controller import install_controller
from ocean_migration_pulumi.component.resources.deployments import Deployments, find_deployments
from ocean_migration_pulumi.component.resources.retire import (
    describe_retirement,
    find_old_group,
    profiles_in_use,
    role_of_profile,
)
from ocean_migration_pulumi.component.resources.waves import collect_report, count_nodes, make_waves
from ocean_migration_pulumi.errors import MigrationError
from ocean_migration_pulumi.functions import open_service
from ocean_migration_pulumi.provider import OceanWorkloadMigration
from ocean_migration_pulumi.resource.stack_config import one_line_errors

_OF_KUBERNETES: Final = "kubernetes:core/v1:Namespace"


class OceanMigration(pulumi.ComponentResource):
    """An EKS cluster on its way from node groups into Ocean: cluster, groups, controller, autoscaler and waves."""

    ocean_id: Output[str]
    """The Ocean cluster."""
    virtual_node_group_ids: Output[Mapping[str, str]]
    """The Virtual Node Groups that were made, by name."""
    waves: Output[Mapping[str, Mapping[str, Any]]]
    """By wave: ``migration_id``, ``status``, ``succeeded``, ``progress``, ``plan_digest`` and the lists of nodes."""
    totals: Output[Mapping[str, int]]
    """Of all waves together: ``planned``, ``migrated``, ``remaining``, ``manual`` and ``drained`` nodes."""
    imported: Output[Sequence[str]]
    """What was taken over from where, and what was left behind, a line each."""
    retire: Output[Sequence[str]]
    """For each old group, the exact change that retires it, or what is to be waited for."""

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
            InputError: Before anything is registered, when arguments are wrong or exclude each other.
        """
        declared = check_args(args)
        super().__init__("ocean-migration:index:OceanMigration", name, None, opts)
        provider = self._provider_of(name, declared)
        made = make_cluster(name, declared, self)
        prepared = [*made.resources, *self._prepared(name, declared, made, provider)]
        waves = make_waves(
            name,
            declared,
            ocean_id=made.ocean_id,
            virtual_node_group_ids=[group.id for group in made.groups.values()],
            depends_on=prepared,
            parent=self,
        )
        reports = {wave: collect_report(migration) for wave, migration in waves.items()}
        self.ocean_id = made.ocean_id
        self.virtual_node_group_ids = _by_name({key: group.id for key, group in made.groups.items()})
        self.waves = _by_name(reports)
        self.totals = self.waves.apply(lambda found: count_nodes(list(found.values())))
        self.imported = Output.all(*made.lines).apply(lambda all_lines: [line for lines in all_lines for line in lines])
        self.retire = self._retirement(declared, made, waves)
        self.register_outputs(
            {
                "ocean_id": self.ocean_id,
                "virtual_node_group_ids": self.virtual_node_group_ids,
                "waves": self.waves,
                "totals": self.totals,
                "imported": self.imported,
                "retire": self.retire,
            }
        )

    def _provider_of(self, name: str, declared: CheckedArgs) -> pulumi.ProviderResource | None:
        """Return the provider for the controller and the autoscaler; None means the component's, or the default one."""
        args = declared.args
        if args.kubeconfig is None or not (declared.controller or declared.cluster_autoscaler):
            return None
        if self.get_provider(_OF_KUBERNETES) is not None:
            return None
        return kubernetes.Provider(
            name,
            kubeconfig=Output.secret(args.kubeconfig).apply(_kubeconfig_text),
            context=args.kube_context,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _prepared(
        self, name: str, declared: CheckedArgs, made: Made, provider: pulumi.ProviderResource | None
    ) -> list[pulumi.Resource]:
        """Install the controller and switch the autoscaler off, after cluster and groups and before any migration."""
        args = declared.args
        if declared.controller is None and declared.cluster_autoscaler is None:
            return []
        found = self._deployments(declared)
        prepared: list[pulumi.Resource] = []
        if declared.controller is not None:
            prepared += install_controller(
                name,
                declared.controller,
                cluster_identifier=_identifier(declared, made),
                account=args.account_id,
                parent=self,
                provider=provider,
                depends_on=made.resources,
                protect=args.protect,
                found=found,
            )
        if declared.cluster_autoscaler is not None:
            prepared += switch_off_autoscaler(
                name,
                declared.cluster_autoscaler,
                parent=self,
                provider=provider,
                depends_on=[*made.resources, *prepared],
                found=found,
            )
        return prepared

    def _deployments(self, declared: CheckedArgs) -> Deployments | None:
        """Look at the cluster's Deployments, where that is surely the cluster of the provider."""
        kubeconfig, context = declared.args.kubeconfig, declared.args.kube_context
        if isinstance(kubeconfig, str):
            return find_deployments(kubeconfig, context if isinstance(context, str) else None)
        # What lies about in the environment may be of another cluster than a provider that was passed.
        if kubeconfig is not None or self.get_provider(_OF_KUBERNETES) is not None:
            return None
        return find_deployments()

    def _retirement(
        self, declared: CheckedArgs, made: Made, waves: Mapping[str, OceanWorkloadMigration]
    ) -> Output[list[str]]:
        if not declared.retire:
            return Output.from_input([])
        options = pulumi.InvokeOptions(parent=self)
        source = declared.import_from
        account_id = declared.args.account_id
        remaining = [migration.remaining_nodes for migration in waves.values()]

        def tell(known: Mapping[str, Any]) -> list[str]:
            with open_service(known["account_id"]) as service:
                cluster = service.get_cluster(known["ocean_id"])
                profiles = profiles_in_use(cluster, service.list_virtual_node_groups(known["ocean_id"]))
            left = [name for names in known["remaining"] for name in names or ()]
            lines = []
            # Many groups share few profiles: AWS is asked once for each.
            role_of = cache(partial(role_of_profile, opts=options))
            for old in declared.retire:
                group = find_old_group(old, known["eks_cluster"], options)
                try:
                    lines.append(describe_retirement(group, profiles, role_of, left))
                except MigrationError as error:
                    # Pulumi shows a RunError as one line, and anything else as a traceback.
                    raise pulumi.RunError(str(error)) from error
            for line in lines:
                pulumi.log.info(f"retire {line}", self)
            return lines

        return Output.all(
            ocean_id=made.ocean_id,
            # Groups that are made now must be there when the cluster is asked for them.
            groups=Output.all(*(group.id for group in made.groups.values())),
            account_id=account_id,
            eks_cluster=None if source is None else source.eks_cluster,
            remaining=Output.all(*remaining),
        ).apply(tell)


def _kubeconfig_text(kubeconfig: Any) -> Any:
    """Return a kubeconfig as text: pulumi_eks has a map, and the provider takes none."""
    return json.dumps(kubeconfig) if isinstance(kubeconfig, Mapping) else kubeconfig


def _by_name(outputs: Mapping[str, Output[Any]]) -> Output[dict[str, Any]]:
    """Return a dictionary of Outputs as one; without any entry `Output.all` would make a list of it."""
    return Output.all(**outputs) if outputs else Output.from_input({})


def _identifier(declared: CheckedArgs, made: Made) -> Output[str]:
    """Return the identifier by which the controller finds the Ocean cluster."""
    if made.resource is not None:
        return made.resource.controller_id.apply(lambda identifier: identifier or "")

    def ask(known: Mapping[str, Any]) -> str:
        with open_service(known["account_id"]) as service:
            return service.get_cluster(known["ocean_id"]).controller_cluster_id

    return Output.all(ocean_id=made.ocean_id, account_id=declared.args.account_id).apply(ask)
