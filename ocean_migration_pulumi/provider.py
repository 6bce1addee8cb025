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
from ocean_migration_pulumi.errors import SettingsError, add_code
from ocean_migration_pulumi.inputs import NodeSelectorArgs, NodeSelectorArgsDict, resource_properties
from ocean_migration_pulumi.migration.spec.spec import (
    HIDDEN,
    KUBECONFIG,
    ORDERING,
    MigrationSpec,
    keeps_plan,
    read_spec,
)
from ocean_migration_pulumi.resource.session import SESSION, owner_of
from ocean_migration_pulumi.resource.stack_config import approved_plan_for, check_stack_config

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
            return CheckResult(inputs, host.check_failures(problems))
        try:
            SESSION.check_settings(spec.account_id, account_later="account_id" in unknown)
        except SettingsError as error:
            # Shorter than a check failure, which names the type and the resource once more.
            host.fail(add_code(str(error), error))
        if spec.planned_nodes is not None:
            return CheckResult(inputs, [])  # kept by ignore_changes
        needs = _PLAN_NEEDS - ORDERING if keeps_plan(olds, spec) else _PLAN_NEEDS
        if unknown & needs or (KUBECONFIG in unknown and spec.nodes.label_selectors):
            inputs["planned_nodes"] = host.unknown()
            return CheckResult(inputs, [])
        from ocean_migration_pulumi.resource import operations

        found = operations.plan(call, spec, olds, owner=owner, kubeconfig_later=KUBECONFIG in unknown)
        if found.planned is not None:
            inputs["planned_nodes"] = found.planned
        return CheckResult(inputs, host.check_failures(found.problems))

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
    """Ensure that the workloads of the selected nodes run on Ocean nodes; each ``pulumi up`` continues."""

    migration_id: Output[str | None]
    """Id of the latest migration; None before the first one."""
    status: Output[str | None]
    """State of the latest migration, as Ocean reports it; None before the first one."""
    succeeded: Output[bool]
    """Whether nothing failed, no planned node remains, and no migration is running."""
    progress: Output[float]
    """Percentage of planned nodes that are done, 0 to 100."""
    planned_nodes: Output[Mapping[str, str]]
    """Plan by instance id: node, Auto Scaling Group, and the Virtual Node Group that it moves to."""
    plan_digest: Output[str]
    """Digest of the plan, for ``approved_plan``."""
    migrated_nodes: Output[Sequence[str]]
    """Planned nodes whose workloads have moved."""
    remaining_nodes: Output[Sequence[str]]
    """Planned nodes still to migrate, or not proven to be migrated."""
    remaining_reasons: Output[Mapping[str, str]]
    """Why each remaining node remains, by instance id; see "Evidence and success"."""
    gone_nodes: Output[Sequence[str]]
    """Planned nodes that no longer exist, and that no migration held."""
    unverified_nodes: Output[Sequence[str]]
    """Migrated nodes on which their finished migration still counts pods; access to Kubernetes verifies them."""
    missing_since: Output[Mapping[str, str]]
    """When discovery first did not return a remaining node that no migration held, by Spot's clock."""
    manual_nodes: Output[Sequence[str]]
    """Nodes with pods that you have to move by hand."""
    manual_pods: Output[Sequence[Mapping[str, str]]]
    """Pods that you have to move by hand, each with ``node``, ``pod`` and ``kind``."""
    drained_nodes: Output[Sequence[str]]
    """Drained nodes that still run: cordoned, and billed."""
    drained_since: Output[str | None]
    """End of the first migration whose drained nodes still run; None without one."""
    drained_usd_per_hour: Output[float | None]
    """US dollars per hour, at On-Demand prices, of the drained nodes whose price AWS reported; None without one."""
    asg_started_nodes: Output[Sequence[str] | None]
    """Nodes started meanwhile by Auto Scaling Groups of planned nodes, whether or not they match; None without one."""
    joined_nodes: Output[Sequence[str]]
    """New nodes that match and are not in the plan."""
    ocean_nodes: Output[Sequence[str]]
    """Instances that Ocean launched."""
    unscheduled_pods: Output[Sequence[str]]
    """Pods without a node at the last poll."""
    failure: Output[Mapping[str, str] | None]
    """``message``, ``reason`` and ``remedy`` of the latest failure; None without one."""
    effective_account_id: Output[str | None]
    """Spot account in use."""
    migrations: Output[Sequence[Mapping[str, Any]]]
    """All migrations that this resource started or adopted."""
    timeline: Output[Sequence[Mapping[str, Any]]]
    """Latest state changes, with times and counts."""
    soaked_until: Output[str | None]
    """End of the passed soak; None without ``soak_time``, or before the soak has passed."""
    workload_health: Output[Mapping[str, Any] | None]
    """Whether the workloads are as ready as before: ``state`` (``"ready"``, ``"not ready"``, ``"still starting"`` or
    ``"unknown"``), counts, and at most 50 that are not ready; None before a migration ended."""
    workload_baseline: Output[Mapping[str, Any] | None]
    """What the workloads were like before the latest migration, for the gate; None when that is not known."""
    created_at: Output[str | None]
    """Creation of the latest migration, by Spot's clock."""
    completed_at: Output[str | None]
    """End of the latest migration; None if it has not finished."""
    stopped_at: Output[str | None]
    """Stop of the latest migration; None if it was not stopped."""
    errored_at: Output[str | None]
    """Failure of the latest migration; None if it has not failed."""

    @host.one_line_errors
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
        when_no_nodes: Input[str] | None = None,
        virtual_node_group_ids: Input[Sequence[Input[str]]] | None = None,
        planned_elsewhere: Input[Sequence[Input[str]]] | None = None,
        later_migrations: Input[Sequence[Input[str]]] | None = None,
        prerequisites: Input[str] | None = None,
        approved_plan: Input[str] | None = None,
        when_busy: Input[str] | None = None,
        wait_for: Input[str] | None = None,
        wait_for_percentage: Input[int] | None = None,
        stall_timeout: Input[str] | None = None,
        soak_time: Input[str] | None = None,
        on_timeout: Input[str] | None = None,
        terminate_drained_nodes_on_stop: Input[bool] | None = None,
        freeze: Input[Mapping[str, Any]] | None = None,
        health: Input[str] | None = None,
        settle_timeout: Input[str] | None = None,
        stop_when: Input[Mapping[str, Any]] | None = None,
        triggers: Input[Sequence[Any]] | None = None,
        account_id: Input[str] | None = None,
        kubeconfig: Input[str | Mapping[str, Any]] | None = None,
        kube_context: Input[str] | None = None,
        notifications: Input[str | Sequence[Input[str]]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare a migration.

        Args:
            resource_name: Name of the resource in the program.
            ocean_id: Ocean cluster, ``o-...``.
            nodes: Nodes to migrate.
            new_nodes: Nodes that match later: ``"report"`` lists them, ``"migrate"`` adds them to the plan. Default:
                ``"report"``.
            batch_size_percentage: Percentage of the nodes to drain at once, 1 to 50. Default: ``20``.
            should_terminate_drained_nodes: Terminate drained nodes. Default: ``False``.
            should_evict_stand_alone_pods: Delete standalone pods, which no controller recreates. Default: ``False``.
            force_pod_eviction_on_pdb_failure: Delete pods that PodDisruptionBudgets protect. Default: ``False``.
            unmatched_nodes: Nodes that match no Virtual Node Group: ``"fail"`` the plan, ``"skip"`` them, or
                ``"allow"`` them. Default: ``"fail"``.
            when_no_nodes: If no node matches and none ever did: ``"fail"``, or ``"succeed"`` without a migration.
                Default: ``"fail"``.
            virtual_node_group_ids: Virtual Node Groups of the stack that must exist before the migration.
            planned_elsewhere: Instance ids that other migrations plan, such as earlier waves; never added to this plan.
            later_migrations: Names of the migrations that follow, such as later waves: the preview names them, as pods
                can land on their nodes.
            prerequisites: Failed pre-flight checks: ``"enforce"`` prevents the start, ``"warn"`` warns, ``"off"`` skips
                the checks. Default: ``"enforce"``.
            approved_plan: Digest of the reviewed plan, at least 16 digits of it; another plan is refused. None means
                the digest in ``ocean-migration:approvedPlan``.
            when_busy: If another migration is running on the cluster: ``"wait"`` for its end, or ``"fail"``. Default:
                ``"wait"``.
            wait_for: When ``up`` continues: ``"finished"``, ``"started"``, or ``"progress"`` with
                ``wait_for_percentage``. Default: ``"finished"``.
            wait_for_percentage: Percentage of migrated nodes for ``wait_for="progress"``, 1 to 100.
            stall_timeout: Fail after this long without any progress, or ``"never"``. Default: ``"30m"``.
            soak_time: After the end, require scheduled pods and an active Ocean Controller for this long. Default:
                ``"0s"``.
            on_timeout: After a deadline or stall, ``"leave"`` the migration running or ``"stop"`` it. Default:
                ``"leave"``.
            terminate_drained_nodes_on_stop: Terminate nodes that are already drained when a migration is stopped.
                Default: ``False``.
            freeze: When no migration starts: a map of ``not_before``, ``not_after``, ``weekly`` and ``time_zone``.
            health: Workloads that are not as ready as before when the nodes are drained, with access to Kubernetes:
                ``"enforce"`` fails ``up``, ``"warn"`` warns, ``"off"`` skips the check. Default: ``"enforce"``.
            settle_timeout: How long workloads may take to become ready; extended while more pods become ready, by
                startup probes and for volumes that one node uses at a time. Default: ``"15m"``.
            stop_when: Stop the migration when it breaks workloads: ``broken_workloads`` (true), ``below_required_for``,
                ``unscheduled_for`` (durations of at least 15m), ``kubernetes_conditions`` and ``http_checks``, as a
                gate has them, with ``for`` and ``no_answer``. All but HTTP checks need access to Kubernetes. None means
                that nothing stops it.
            triggers: Any change migrates planned nodes again that still have pods.
            account_id: Spot account, ``act-...``. None means the account of the settings.
            kubeconfig: Kubeconfig of the cluster, content (text or map) or path. Never stored in state. None means
                ``KUBECONFIG``, or the pod that Pulumi runs in.
            kube_context: Context of the kubeconfig. None means its current context.
            notifications: URLs that receive start, end and problems. Never stored in state.
            opts: Options of the resource. Deadlines are ``custom_timeouts``, by default 50 minutes for create and
                update and 15 minutes for delete. ``retain_on_delete`` leaves a running migration alone on destroy.

        Raises:
            SettingsError: The token in the stack's config is not a secret.
        """
        check_stack_config()
        approved_in_config = approved_plan_for(resource_name)
        if approved_plan is None:
            approved_plan = approved_in_config
        # The parameters are the declared inputs, which a test compares; to list them all once more adds nothing.
        properties = resource_properties(OceanWorkloadMigration, MigrationSpec, locals())
        super().__init__(OceanWorkloadMigrationProvider(), resource_name, properties, opts)
