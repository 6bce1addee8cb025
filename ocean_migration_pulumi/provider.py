"""OceanWorkloadMigration and its dynamic provider: thin adapters between Pulumi's engine and the operations.

Module path and class name of the provider are part of every state: never move or rename them. The operations are
imported when they are first needed: a program declares resources, and a preview of an unknown cluster plans nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pulumi
from pulumi import Input, Output
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from ocean_migration_pulumi import host
from ocean_migration_pulumi.inputs import NodeSelectorArgs, NodeSelectorArgsDict
from ocean_migration_pulumi.migration.spec.spec import HIDDEN, KUBECONFIG, read_spec
from ocean_migration_pulumi.resource.session import SESSION, owner_of
from ocean_migration_pulumi.resource.stack_config import approved_plan_for, refuse_plain_token

_PLAN_NEEDS: Final = frozenset({"ocean_id", "account_id", "nodes", "virtual_node_group_ids", "planned_elsewhere"})
_PROVIDER: Final = "__provider"


class OceanWorkloadMigrationProvider(ResourceProvider):
    """Serves the engine; holds no state of its own, for what it held would stand in every stack's state."""

    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Take over the stack's config, and make the host fit for long waits."""
        host.prepare()
        SESSION.configure(req.config.get)

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Validate the inputs and add ``planned_nodes``, so that the preview shows them; only reads."""
        call = host.current_call()
        inputs = {name: value for name, value in news.items() if name != _PROVIDER}
        unknown = frozenset(name for name, value in inputs.items() if host.contains_unknown(value))
        spec, problems = read_spec(inputs, unknown=unknown)
        owner = owner_of(call.urn, spec)
        for name in HIDDEN:
            inputs.pop(name, None)
        SESSION.hidden[owner] = {name: getattr(spec, name) for name in HIDDEN}
        if problems:
            return CheckResult(inputs, [CheckFailure(problem.property_name, problem.message) for problem in problems])
        if spec.planned_nodes is not None:
            return CheckResult(inputs, [])  # kept by ignore_changes
        if unknown & _PLAN_NEEDS or (KUBECONFIG in unknown and spec.nodes.label_selectors):
            inputs["planned_nodes"] = host.unknown()
            return CheckResult(inputs, [])
        from ocean_migration_pulumi.resource import operations

        found = operations.plan(call, spec, olds, owner=owner, kubeconfig_later=KUBECONFIG in unknown)
        if found.planned is not None:
            inputs["planned_nodes"] = found.planned
        return CheckResult(inputs, [CheckFailure(each.property_name, each.message) for each in found.problems])

    def diff(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare inputs with the last ones, and look for work that the last run left."""
        from ocean_migration_pulumi.resource import operations

        call = host.current_call()
        unknown = frozenset(name for name, value in news.items() if host.contains_unknown(value))
        found = operations.compare(call, olds, news, unknown=unknown - {_PROVIDER})
        return DiffResult(changes=found.changes, replaces=list(found.replaces), delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Start or adopt, wait, and return the outputs."""
        from ocean_migration_pulumi.resource import operations

        return CreateResult(*operations.create(host.current_call(), props))

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Wait for what runs, follow up what remains, and return the outputs."""
        from ocean_migration_pulumi.resource import operations

        return UpdateResult(operations.update(host.current_call(), id_, olds, news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Bring the outputs up to what the service says; a cluster that is gone takes the resource with it."""
        from ocean_migration_pulumi.resource import operations

        outputs = operations.refresh(host.current_call(), props)
        return ReadResult("", {}) if outputs is None else ReadResult(id_, outputs)

    def delete(self, id_: str, props: dict[str, Any]) -> None:
        """Stop what still runs and wait for its end."""
        from ocean_migration_pulumi.resource import operations

        operations.destroy(host.current_call(), props)


class OceanWorkloadMigration(Resource, module="ocean-migration", name="OceanWorkloadMigration"):
    """The wish that the workloads of some nodes live in Spot Ocean; each ``pulumi up`` converges to it."""

    migration_id: Output[str | None]
    """The latest migration; None before the first."""
    status: Output[str | None]
    """The latest migration's state, in the service's words; None before the first."""
    succeeded: Output[bool]
    """Whether nothing failed, nothing remains and no migration goes on."""
    progress: Output[float]
    """The share of planned nodes that are done, 0 to 100."""
    planned_nodes: Output[Mapping[str, str]]
    """The plan: by instance id, the node, its Auto Scaling Group and the Virtual Node Group it moves to."""
    plan_digest: Output[str]
    """The digest of the plan, for ``approved_plan``."""
    migrated_nodes: Output[Sequence[str]]
    """Planned nodes whose workloads live in Ocean now."""
    remaining_nodes: Output[Sequence[str]]
    """Planned nodes still to migrate."""
    manual_nodes: Output[Sequence[str]]
    """Nodes with pods that have to be moved by hand."""
    manual_pods: Output[Sequence[Mapping[str, str]]]
    """Those pods: ``node``, ``pod`` and ``kind``."""
    drained_nodes: Output[Sequence[str]]
    """Nodes that were drained but not terminated: they stay cordoned, and are billed."""
    joined_nodes: Output[Sequence[str]]
    """Nodes that match but joined later and are not planned."""
    ocean_nodes: Output[Sequence[str]]
    """The new instances that Ocean started."""
    unscheduled_pods: Output[Sequence[str]]
    """Pods without a node, at the last look."""
    failure: Output[Mapping[str, str] | None]
    """``message``, ``reason`` and ``remedy`` of what went wrong last; None when nothing did."""
    effective_account_id: Output[str | None]
    """The Spot account that was used."""
    migrations: Output[Sequence[Mapping[str, Any]]]
    """Every migration that this resource started or adopted."""
    timeline: Output[Sequence[Mapping[str, Any]]]
    """The latest changes of state, with time and counts."""
    soaked_until: Output[str | None]
    """When the soak had passed; None when none was asked for, or it has not passed."""
    created_at: Output[str | None]
    """When the latest migration was created, by the service's clock."""
    completed_at: Output[str | None]
    """When the latest migration finished; None when it did not."""
    stopped_at: Output[str | None]
    """When the latest migration was stopped; None when it was not."""
    errored_at: Output[str | None]
    """When the latest migration failed; None when it did not."""

    def __init__(
        self,
        resource_name: str,
        ocean_id: Input[str],
        nodes: Input[NodeSelectorArgs | NodeSelectorArgsDict],
        *,
        new_nodes: Input[str] | None = None,
        batch_size_percentage: Input[int] | None = None,
        should_terminate_drained_nodes: Input[bool] | None = None,
        should_evict_stand_alone_pods: Input[bool] | None = None,
        force_pod_eviction_on_pdb_failure: Input[bool] | None = None,
        unmatched_nodes: Input[str] | None = None,
        virtual_node_group_ids: Input[Sequence[Input[str]]] | None = None,
        planned_elsewhere: Input[Sequence[Input[str]]] | None = None,
        prerequisites: Input[str] | None = None,
        approved_plan: Input[str] | None = None,
        when_busy: Input[str] | None = None,
        wait_for: Input[str] | None = None,
        wait_for_percentage: Input[int] | None = None,
        stall_timeout: Input[str] | None = None,
        soak_time: Input[str] | None = None,
        on_timeout: Input[str] | None = None,
        terminate_drained_nodes_on_stop: Input[bool] | None = None,
        triggers: Input[Sequence[Any]] | None = None,
        account_id: Input[str] | None = None,
        kubeconfig: Input[str] | None = None,
        kube_context: Input[str] | None = None,
        notifications: Input[str | Sequence[Input[str]]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare a migration.

        Deadlines are ``custom_timeouts`` (50 min for create and update, 15 min for delete); to leave a running
        migration alone on destroy is ``retain_on_delete``.

        :param ocean_id: the Ocean cluster, ``o-...``.
        :param nodes: which nodes.
        :param new_nodes: nodes that match and join later are told of (``"report"``, the default) or followed
            (``"migrate"``).
        :param batch_size_percentage: how many of the nodes are drained at once, 1 to 50 percent; None means 20.
        :param should_terminate_drained_nodes: whether Ocean terminates the old instances that it has drained; None
            means False.
        :param should_evict_stand_alone_pods: whether Ocean deletes pods that no controller brings back; None means
            False.
        :param force_pod_eviction_on_pdb_failure: whether pods go although a PodDisruptionBudget forbids it; None means
            False.
        :param unmatched_nodes: what becomes of nodes that match no Virtual Node Group: ``"fail"`` (the default),
            ``"skip"`` or ``"allow"``.
        :param virtual_node_group_ids: Virtual Node Groups that have to exist first, those of the same stack.
        :param planned_elsewhere: instance ids that other migrations of the stack plan, such as earlier waves: never
            added to this plan. A change of them is no change of this resource.
        :param prerequisites: ``"enforce"`` (the default), ``"warn"`` or ``"off"``.
        :param approved_plan: the digest of the reviewed plan: any other plan is refused. None means the config
            ``ocean-migration:approvedPlan`` of this resource's name, if any.
        :param when_busy: another migration on the cluster is waited for (``"wait"``, the default) or an error
            (``"fail"``).
        :param wait_for: when ``up`` goes on: ``"finished"`` (the default), ``"started"`` or ``"progress"``.
        :param wait_for_percentage: with ``wait_for="progress"``, how much, 1 to 100.
        :param stall_timeout: no progress for so long is a failure, ``"30m"`` by default, or ``"never"``.
        :param soak_time: after the end, watch for so long that all pods are scheduled and the controller reports;
            ``"0s"`` by default.
        :param on_timeout: a migration whose deadline or stall ends the wait goes on (``"leave"``, the default) or is
            stopped (``"stop"``).
        :param terminate_drained_nodes_on_stop: whether a stop terminates the nodes that are drained by then; None means
            False.
        :param triggers: any change takes planned nodes that still have pods once more.
        :param account_id: the Spot account; None means that of the settings.
        :param kubeconfig: access to the cluster's Kubernetes API, as text or as the path of a file: for what only the
            cluster can answer. It is a secret, and in no state. None means KUBECONFIG, or the pod that this runs in.
        :param kube_context: the context of the kubeconfig; None means its current one.
        :param notifications: a URL, or a list of them, to which start, end and what needs a look are posted: as JSON,
            or as Slack wants it. They are a secret, and in no state. None means that nobody is told.

        Raises SettingsError when the stack's config holds a token that is not a secret.
        """
        refuse_plain_token()
        inputs: dict[str, Any] = {
            "ocean_id": ocean_id,
            "nodes": nodes,
            "new_nodes": new_nodes,
            "batch_size_percentage": batch_size_percentage,
            "should_terminate_drained_nodes": should_terminate_drained_nodes,
            "should_evict_stand_alone_pods": should_evict_stand_alone_pods,
            "force_pod_eviction_on_pdb_failure": force_pod_eviction_on_pdb_failure,
            "unmatched_nodes": unmatched_nodes,
            "virtual_node_group_ids": virtual_node_group_ids,
            "planned_elsewhere": planned_elsewhere,
            "prerequisites": prerequisites,
            "approved_plan": approved_plan if approved_plan is not None else approved_plan_for(resource_name),
            "when_busy": when_busy,
            "wait_for": wait_for,
            "wait_for_percentage": wait_for_percentage,
            "stall_timeout": stall_timeout,
            "soak_time": soak_time,
            "on_timeout": on_timeout,
            "terminate_drained_nodes_on_stop": terminate_drained_nodes_on_stop,
            "triggers": triggers,
            "account_id": account_id,
            "kubeconfig": None if kubeconfig is None else Output.secret(kubeconfig),
            "kube_context": kube_context,
            "notifications": None if notifications is None else Output.secret(notifications),
        }
        # An input that is None must not be sent, an output has to be named to be there for the program.
        props = dict.fromkeys(name for name in type(self).__annotations__) | {
            name: value for name, value in inputs.items() if value is not None
        }
        super().__init__(OceanWorkloadMigrationProvider(), resource_name, props, opts)
