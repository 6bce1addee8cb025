"""What the engine's calls come to, once it is known what is asked for: from inputs and state to the lifecycle."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn

from ocean_migration_pulumi import host
from ocean_migration_pulumi.common.cancellation import Scope
from ocean_migration_pulumi.errors import EngineGoneError, InputError, OceanMigrationError, SettingsError
from ocean_migration_pulumi.migration.diagnosis import failure_reasons
from ocean_migration_pulumi.migration.planning import planner
from ocean_migration_pulumi.migration.reconcile import reconcile
from ocean_migration_pulumi.migration.reconcile.context import Job
from ocean_migration_pulumi.migration.reconcile.waiter import Patience
from ocean_migration_pulumi.migration.snapshot.snapshot import Preview
from ocean_migration_pulumi.migration.snapshot.sources import Sources
from ocean_migration_pulumi.migration.spec.planned_nodes import plan_digest
from ocean_migration_pulumi.migration.spec.spec import INPUTS, Wish, changed_options, read
from ocean_migration_pulumi.migration.state.resource_state import Record
from ocean_migration_pulumi.resource.notifier import Notifier
from ocean_migration_pulumi.resource.session import SESSION, owner_of

_LATER: Final = Sources(absent="the kubeconfig is known only later", explicit=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Whether there is anything to do, and the inputs that force a replacement."""

    changes: bool
    replaces: tuple[str, ...] = ()


def plan(call: host.Call, wish: Wish, olds: dict[str, Any], *, owner: str, kubeconfig_later: bool) -> Preview:
    """Plan a wish whose inputs are known, and say what there is to say; ``olds`` are the last inputs."""
    SESSION.unplanned.pop(owner, None)
    client, desk = _reach(wish)
    old = _with_account(read(olds)[0], client.account_id) if olds.get("ocean_id") else None
    wish = _with_account(wish, client.account_id)
    scope = Scope(ended=call.ended, alive=call.is_active, short=True)
    try:
        sources = _LATER if kubeconfig_later else SESSION.sources(wish.kubeconfig, wish.kube_context)
        found = planner.preview(client, desk, scope, owner=owner, wish=wish, old=old, sources=sources)
    except InputError as problem:
        return Preview(problems=[problem])
    except OceanMigrationError as error:
        _fail(error)
    if found.problems:
        return Preview(problems=found.problems)
    if found.unplanned is not None:
        SESSION.unplanned[owner] = found.unplanned
    for line in found.info:
        call.info(line)
    for line in found.warnings:
        call.warning(line)
    return found


def compare(call: host.Call, olds: dict[str, Any], news: dict[str, Any], *, unknown: frozenset[str]) -> Comparison:
    """Compare inputs, of which some are ``unknown``, with the last ones, and look for work that the last run left."""
    old, new = read(call.old_inputs or olds)[0], read(news, unknown=unknown)[0]
    record = Record.from_outputs(olds)
    replaces = [name for name in ("ocean_id", "account_id") if name in unknown]
    if "ocean_id" not in unknown and new.ocean_id != old.ocean_id:
        replaces.append("ocean_id")
    if "account_id" not in unknown and _account_changed(new, record):
        replaces.append("account_id")
    if replaces:
        return Comparison(changes=True, replaces=tuple(replaces))
    changes = bool(unknown) or bool(changed_options(old, new))
    changes = changes or not new.nodes.same_wish(old.nodes) or new.planned_nodes != old.planned_nodes
    why = reconcile.unfinished(record, new)
    if why is None and not unknown:
        why = _left_by_killed_run(call, new, record)
    if why is not None:
        call.info(f"unfinished: {why.why}")
    for line in reconcile.reminders(record):
        call.warning(line)
    return Comparison(changes=changes or why is not None)


def create(call: host.Call, props: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Start or adopt, wait, and return the id and the outputs."""
    wish = _with_hidden(call, read(props)[0])
    id_ = f"{wish.ocean_id}/{call.urn.split('::', 3)[-1]}" if call.urn else wish.ocean_id
    return id_, _converge(call, wish, props, Record(), id_, creating=True)


def update(call: host.Call, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
    """Wait for what runs, follow up what remains, and return the outputs."""
    wish = _with_hidden(call, read(news)[0])
    return _converge(call, wish, news, Record.from_outputs(olds), id_, creating=False)


def refresh(call: host.Call, props: dict[str, Any]) -> dict[str, Any] | None:
    """Return the outputs as the service has them now; None when the cluster is gone."""
    wish, record = read(props)[0], Record.from_outputs(props)
    job = _job(call, wish, record, reconcile.DELETE_DEADLINE)
    try:
        there = reconcile.refresh(job)
    except OceanMigrationError as error:
        _fail(error)
    return _outputs(record, wish, props) if there else None


def destroy(call: host.Call, props: dict[str, Any]) -> None:
    """Stop what still runs and wait for its end."""
    wish, record = read(props)[0], Record.from_outputs(props)
    try:
        reconcile.destroy(_job(call, wish, record, reconcile.DELETE_DEADLINE))
    except OceanMigrationError as error:
        _fail(error)


def _converge(
    call: host.Call, wish: Wish, props: dict[str, Any], record: Record, id_: str, *, creating: bool
) -> dict[str, Any]:
    notifier = Notifier(wish.notifications, tell=call.warning, alive=call.is_active)
    try:
        job = _job(call, wish, record, reconcile.DEADLINE, creating=creating)
        job.announce = notifier.announce
        job.sources = SESSION.sources(wish.kubeconfig, wish.kube_context)
        unplanned = None if creating else SESSION.unplanned.pop(job.owner, None)
        reconcile.converge(job, unplanned=unplanned)
    except EngineGoneError as error:
        _fail(error)  # nobody listens, and nothing may be written any more
    except Exception as error:  # noqa: BLE001 - whatever it is, the id of a started migration must be saved
        remedy = failure_reasons.after_outage(record)
        message = failure_reasons.describe(error, remedy)
        if creating and not record.runs and record.unanswered is None:
            host.fail(message)
        if record.failure is None:
            record.failure = failure_reasons.failure_of(error, remedy)
        host.fail(message, id=id_, properties=_outputs(record, wish, props), inputs=props)
    finally:
        notifier.drain()
        if SESSION.record_trouble is not None:
            call.warning(f"the record is not complete: {SESSION.record_trouble}")
    return _outputs(record, wish, props)


def _with_hidden(call: host.Call, wish: Wish) -> Wish:
    return replace(wish, **SESSION.hidden.get(owner_of(call.urn, wish), {}))


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
        owner=owner_of(call.urn, wish),
        wish=wish,
        record=record,
        patience=Patience(poll_interval=client.settings.poll_interval, stall_timeout=wish.stall_timeout),
        creating=creating,
    )


def _left_by_killed_run(call: host.Call, wish: Wish, record: Record) -> reconcile.Unfinished | None:
    try:
        return reconcile.left_by_killed_run(_job(call, wish, record, planner.BUDGET))
    except OceanMigrationError:
        return None  # what cannot be asked now is found by the next run that can


def _outputs(record: Record, wish: Wish, props: Mapping[str, Any]) -> dict[str, Any]:
    echo = {name: props[name] for name in INPUTS if props.get(name) is not None}
    return record.to_outputs(wish, echo, plan_digest(record.planned))


def _fail(error: OceanMigrationError) -> NoReturn:
    host.fail(failure_reasons.describe(error, "run the command again"))
