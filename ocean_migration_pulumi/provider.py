"""OceanWorkloadMigration and its dynamic provider: thin adapters between Pulumi's engine and the lifecycle.

Module path and class name of the provider are part of every state: never move or rename them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NoReturn

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
from ocean_migration_pulumi.api.scope import Scope
from ocean_migration_pulumi.errors import EngineGoneError, InputError, OceanMigrationError, SettingsError
from ocean_migration_pulumi.inputs import NodeSelectorArgs, NodeSelectorArgsDict
from ocean_migration_pulumi.migration import failures, lifecycle, planning
from ocean_migration_pulumi.migration.job import Job
from ocean_migration_pulumi.migration.plan import plan_digest
from ocean_migration_pulumi.migration.record import Record
from ocean_migration_pulumi.migration.sources import Sources
from ocean_migration_pulumi.migration.waiter import Patience
from ocean_migration_pulumi.migration.wish import HIDDEN, INPUTS, KUBECONFIG, Wish, changed_options, digest_of, read
from ocean_migration_pulumi.notifications import Notifier
from ocean_migration_pulumi.session import SESSION
from ocean_migration_pulumi.stackconfig import approved_plan_of, refuse_plain_token

_PLAN_NEEDS: Final = frozenset({"ocean_id", "account_id", "nodes", "virtual_node_group_ids", "planned_elsewhere"})
_PROVIDER: Final = "__provider"
_LATER: Final = Sources(absent="the kubeconfig is known only later", explicit=True)


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
        wish, problems = read(inputs, unknown=unknown)
        owner = _owner(call, wish)
        for name in HIDDEN:
            inputs.pop(name, None)
        SESSION.hidden[owner] = {name: getattr(wish, name) for name in HIDDEN}
        if problems:
            return CheckResult(inputs, [CheckFailure(problem.property_name, problem.message) for problem in problems])
        if wish.planned_nodes is not None:
            return CheckResult(inputs, [])  # kept by ignore_changes
        if unknown & _PLAN_NEEDS or (KUBECONFIG in unknown and wish.nodes.label_selectors):
            inputs["planned_nodes"] = host.unknown()
            return CheckResult(inputs, [])
        SESSION.unplanned.pop(owner, None)
        client, desk = _reach(wish)
        old = _with_account(read(olds)[0], client.account_id) if olds.get("ocean_id") else None
        wish = _with_account(wish, client.account_id)
        scope = Scope(ended=call.ended, alive=call.is_active, short=True)
        try:
            sources = _LATER if KUBECONFIG in unknown else SESSION.sources(wish.kubeconfig, wish.kube_context)
            preview = planning.preview(client, desk, scope, owner=owner, wish=wish, old=old, sources=sources)
        except InputError as problem:
            return CheckResult(inputs, [CheckFailure(problem.property_name, problem.message)])
        except OceanMigrationError as error:
            _fail(error)
        if preview.problems:
            return CheckResult(
                inputs, [CheckFailure(problem.property_name, problem.message) for problem in preview.problems]
            )
        if preview.planned is not None:
            inputs["planned_nodes"] = preview.planned
        if preview.unplanned is not None:
            SESSION.unplanned[owner] = preview.unplanned
        for line in preview.info:
            call.info(line)
        for line in preview.warnings:
            call.warning(line)
        return CheckResult(inputs, [])

    def diff(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare inputs with the last ones, and look for work that the last run left."""
        call = host.current_call()
        unknown = frozenset(name for name, value in news.items() if host.contains_unknown(value))
        before = call.old_inputs or olds
        old, new = read(before)[0], read(news, unknown=unknown)[0]
        record = Record.from_outputs(olds)
        replaces: list[str] = [name for name in ("ocean_id", "account_id") if name in unknown]
        if "ocean_id" not in unknown and new.ocean_id != old.ocean_id:
            replaces.append("ocean_id")
        if "account_id" not in unknown and _account_changed(new, record):
            replaces.append("account_id")
        if replaces:
            return DiffResult(changes=True, replaces=replaces, delete_before_replace=True)
        changes = bool(unknown - {_PROVIDER}) or bool(changed_options(old, new))
        changes = changes or not new.nodes.same_wish(old.nodes) or new.planned_nodes != old.planned_nodes
        why = lifecycle.unfinished(record, new)
        if why is None and not unknown:
            why = _left_by_killed_run(call, new, record)
        if why is not None:
            call.info(f"unfinished: {why.why}")
        for line in lifecycle.reminders(record):
            call.warning(line)
        return DiffResult(changes=changes or why is not None, replaces=[], delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Start or adopt, wait, and return the outputs."""
        call = host.current_call()
        wish = _with_hidden(call, read(props)[0])
        id_ = f"{wish.ocean_id}/{call.urn.split('::', 3)[-1]}" if call.urn else wish.ocean_id
        outputs = self._converge(call, wish, props, Record(), id_, creating=True)
        return CreateResult(id_, outputs)

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Wait for what runs, follow up what remains, and return the outputs."""
        call = host.current_call()
        wish = _with_hidden(call, read(news)[0])
        return UpdateResult(self._converge(call, wish, news, Record.from_outputs(olds), id_, creating=False))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Bring the outputs up to what the service says; a cluster that is gone takes the resource with it."""
        call = host.current_call()
        wish, record = read(props)[0], Record.from_outputs(props)
        job = _job(call, wish, record, lifecycle.DELETE_DEADLINE)
        try:
            there = lifecycle.refresh(job)
        except OceanMigrationError as error:
            _fail(error)
        return ReadResult(id_, _outputs(record, wish, props)) if there else ReadResult("", {})

    def delete(self, id_: str, props: dict[str, Any]) -> None:
        """Stop what still runs and wait for its end."""
        call = host.current_call()
        wish, record = read(props)[0], Record.from_outputs(props)
        try:
            lifecycle.destroy(_job(call, wish, record, lifecycle.DELETE_DEADLINE))
        except OceanMigrationError as error:
            _fail(error)

    def _converge(
        self, call: host.Call, wish: Wish, props: dict[str, Any], record: Record, id_: str, *, creating: bool
    ) -> dict[str, Any]:
        notifier = Notifier(wish.notifications, tell=call.warning, alive=call.is_active)
        try:
            job = _job(call, wish, record, lifecycle.DEADLINE, creating=creating)
            job.announce = notifier.announce
            job.sources = SESSION.sources(wish.kubeconfig, wish.kube_context)
            unplanned = None if creating else SESSION.unplanned.pop(job.owner, None)
            lifecycle.converge(job, unplanned=unplanned)
        except EngineGoneError as error:
            _fail(error)  # nobody listens, and nothing may be written any more
        except Exception as error:  # noqa: BLE001 - whatever it is, the id of a started migration must be saved
            remedy = failures.after_outage(record)
            message = failures.describe(error, remedy)
            if creating and not record.runs and record.unanswered is None:
                host.fail(message)
            if record.failure is None:
                record.failure = failures.failure_of(error, remedy)
            host.fail(message, id=id_, properties=_outputs(record, wish, props), inputs=props)
        finally:
            notifier.drain()
            if SESSION.record_trouble is not None:
                call.warning(f"the record is not complete: {SESSION.record_trouble}")
        return _outputs(record, wish, props)


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
            "approved_plan": approved_plan if approved_plan is not None else approved_plan_of(resource_name),
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


def _owner(call: host.Call, wish: Wish) -> str:
    return call.urn or f"{wish.ocean_id}#{digest_of(wish.nodes.to_inputs())}"


def _with_hidden(call: host.Call, wish: Wish) -> Wish:
    return replace(wish, **SESSION.hidden.get(_owner(call, wish), {}))


def _reach(wish: Wish) -> tuple[Any, Any]:
    try:
        client = SESSION.client(wish.account_id)
    except SettingsError as error:
        _fail(error)
    return client, SESSION.registry.desk(client.account_id, wish.ocean_id)


def _with_account(wish: Wish, account_id: str | None) -> Wish:
    return replace(wish, account_id=wish.account_id or account_id)


def _account_changed(new: Wish, record: Record) -> bool:
    try:
        account_id = new.account_id or SESSION.client(None).account_id
    except SettingsError:
        return False
    return None not in {account_id, record.effective_account_id} and account_id != record.effective_account_id


def _job(call: host.Call, wish: Wish, record: Record, deadline: float, *, creating: bool = False) -> Job:
    client = SESSION.client(wish.account_id or record.effective_account_id)
    record.effective_account_id = client.account_id
    return Job(
        api=client,
        desk=SESSION.registry.desk(client.account_id, wish.ocean_id),
        scope=Scope(deadline=time.monotonic() + (call.timeout or deadline), ended=call.ended, alive=call.is_active),
        tell=call,
        owner=_owner(call, wish),
        wish=wish,
        record=record,
        patience=Patience(poll_interval=client.settings.poll_interval, stall_timeout=wish.stall_timeout),
        creating=creating,
    )


def _left_by_killed_run(call: host.Call, wish: Wish, record: Record) -> lifecycle.Unfinished | None:
    try:
        return lifecycle.left_by_killed_run(_job(call, wish, record, planning.BUDGET))
    except OceanMigrationError:
        return None  # what cannot be asked now is found by the next run that can


def _outputs(record: Record, wish: Wish, props: Mapping[str, Any]) -> dict[str, Any]:
    echo = {name: props[name] for name in INPUTS if props.get(name) is not None}
    return record.to_outputs(wish, echo, plan_digest(record.planned))


def _fail(error: OceanMigrationError) -> NoReturn:
    host.fail(failures.describe(error, "run the command again"))
