"""The parts of a component: what it declares, in which order, and its outputs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, cast

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Input, Output

from ocean_migration_pulumi.component.args import CheckedArgs
from ocean_migration_pulumi.component.resources.autoscaler import switch_off_autoscaler
from ocean_migration_pulumi.component.resources.cluster import Made, check_options, make_cluster
from ocean_migration_pulumi.component.resources.controller import install_controller
from ocean_migration_pulumi.component.resources.deployments import UNKNOWN, Deployments, find_deployments
from ocean_migration_pulumi.component.resources.retire import report_retirement
from ocean_migration_pulumi.component.resources.spot_provider import OCEAN, SpotAccess
from ocean_migration_pulumi.component.resources.waves import collect_report, count_nodes, make_waves
from ocean_migration_pulumi.functions import open_service
from ocean_migration_pulumi.host import one_line_errors
from ocean_migration_pulumi.migration.spec.input_readers import read_kubeconfig

_OF_KUBERNETES: Final = "kubernetes:core/v1:Namespace"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of one component; ``declare`` registers them."""

    name: str
    """Name of the component, with which the names of its resources begin."""
    declared: CheckedArgs
    """Its arguments."""
    component: pulumi.ComponentResource
    """The component, the parent of all parts."""
    spot: SpotAccess
    """Account and token of the migrations."""
    found: Deployments | None
    """The Deployments of the cluster, if its kubeconfig is known at once."""

    @classmethod
    def prepare(cls, name: str, declared: CheckedArgs, component: pulumi.ComponentResource) -> Self:
        """Read what can be read before the component is registered.

        Raises:
            InputError: The given kubeconfig, or its context, cannot be used.
            SettingsError: A setting cannot be used.
        """
        args = declared.args
        check_options(declared)
        found = None
        if isinstance(args.kubeconfig, str) and declared.changes_deployments:
            found = find_deployments(args.kubeconfig, args.kube_context if isinstance(args.kube_context, str) else None)
        spot = SpotAccess.load(args.account_id, os.environ)
        return cls(name=name, declared=declared, component=component, spot=spot, found=found)

    @property
    def preconditions(self) -> Output[list[pulumi.Resource]]:
        """No resource, once account and token are those of the provider; until then nothing is registered."""
        return Output.from_input(self._check_accounts())

    async def _check_accounts(self) -> list[pulumi.Resource]:
        if self.declared.makes_spot_resources:
            # The component is complete when this runs, and knows the providers that the program passes.
            await self.spot.check(self.component.get_provider(OCEAN))
        return []

    def declare(self) -> dict[str, Output[Any]]:
        """Register everything, and return the outputs of the component."""
        declared, component = self.declared, self.component
        spot = None
        if declared.makes_spot_resources and component.get_provider(OCEAN) is None:
            spot = self.spot.make_provider(self.name, component)
        made = make_cluster(self.name, declared, component, spot)
        waves = make_waves(
            self.name,
            declared,
            ocean_id=made.ocean_id,
            vngs=made.vngs,
            depends_on=self._prepare_cluster(made),
            parent=component,
        )
        reports = _by_name({wave: collect_report(migration) for wave, migration in waves.items()})
        return {
            "ocean_id": made.ocean_id,
            "virtual_node_group_ids": _by_name({key: vng.id for key, vng in made.vngs.items()}),
            "waves": reports,
            "totals": reports.apply(lambda found: count_nodes(list(found.values()))),
            "imported": Output.all(*made.lines).apply(lambda parts: [line for lines in parts for line in lines]),
            "retire": report_retirement(declared, made, waves, component),
        }

    def _prepare_cluster(self, made: Made) -> Input[list[pulumi.Resource]]:
        """Install the controller and switch the autoscaler off, after cluster and groups and before any migration."""
        declared, args = self.declared, self.declared.args
        prepared: list[pulumi.Resource] = made.resources
        if not declared.changes_deployments:
            return prepared
        provider, found = self._make_kubernetes_provider(), self._find_deployments()
        if declared.controller is not None:
            prepared = [
                *prepared,
                *install_controller(
                    self.name,
                    declared.controller,
                    cluster_identifier=_identifier(declared, made),
                    account=None if args.account_id is None else cast("Input[str]", self.spot.account_id),
                    parent=self.component,
                    provider=provider,
                    depends_on=made.resources,
                    protect=args.protect,
                    found=found,
                ),
            ]
        if declared.cluster_autoscaler is None:
            return prepared
        switched_off = switch_off_autoscaler(
            self.name,
            declared.cluster_autoscaler,
            parent=self.component,
            provider=provider,
            depends_on=prepared,
            found=found,
        )
        if isinstance(switched_off, Output):
            return switched_off.apply(lambda patches: [*prepared, *patches])
        return [*prepared, *switched_off]

    def _make_kubernetes_provider(self) -> pulumi.ProviderResource | None:
        """Return the provider for the controller and the autoscaler; None means the component's, or the default one."""
        args = self.declared.args
        if args.kubeconfig is None or self.component.get_provider(_OF_KUBERNETES) is not None:
            return None
        return kubernetes.Provider(
            self.name,
            kubeconfig=Output.secret(args.kubeconfig).apply(_kubeconfig_text),
            context=args.kube_context,
            opts=pulumi.ResourceOptions(parent=self.component),
        )

    def _find_deployments(self) -> Deployments | Output[Deployments]:
        """Return the cluster's Deployments, where that is surely the cluster of the provider."""
        args = self.declared.args
        if self.found is not None:
            return self.found
        if args.kubeconfig is not None:
            return Output.all(args.kubeconfig, args.kube_context).apply(_find_later)
        # The environment may have the access of another cluster than a provider that was passed.
        return find_deployments() if self.component.get_provider(_OF_KUBERNETES) is None else UNKNOWN


@one_line_errors
def _kubeconfig_text(kubeconfig: Any) -> str | None:
    """Return a kubeconfig as text: pulumi_eks has a map, and the provider takes none.

    Raises:
        InputError: It is empty, which the provider takes for ``KUBECONFIG``.
    """
    return None if kubeconfig is None else read_kubeconfig("kubeconfig", kubeconfig)


@one_line_errors
def _find_later(access: list[Any]) -> Deployments:
    """Find the Deployments once the kubeconfig is known: a secret is, from the start."""
    kubeconfig, context = access
    return find_deployments(_kubeconfig_text(kubeconfig), context)


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
