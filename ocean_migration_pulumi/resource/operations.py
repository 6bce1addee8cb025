"""Serve the calls of Pulumi's engine: plan, compare, create, update, refresh and destroy the resource."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NoReturn

from ocean_migration_pulumi import host
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import (
    EngineGoneError,
    InputError,
    OceanMigrationError,
    OperationCancelled,
    SettingsError,
    add_code,
)
from ocean_migration_pulumi.migration.diagnosis import failure_reasons
from ocean_migration_pulumi.migration.planning import planner
from ocean_migration_pulumi.migration.planning.drained_nodes import report_drained
from ocean_migration_pulumi.migration.planning.outcome_report import report_returned, report_unverified
from ocean_migration_pulumi.migration.planning.text.findings_text import render_cause, render_line
from ocean_migration_pulumi.migration.planning.text.outcomes_text import describe_unfinished
from ocean_migration_pulumi.migration.reconcile import reconcile
from ocean_migration_pulumi.migration.reconcile.adoption import (
    describe_adopted,
    find_left_by_killed_run,
    is_unlisted,
)
from ocean_migration_pulumi.migration.reconcile.context import ReconcileContext
from ocean_migration_pulumi.migration.reconcile.first_plan import preview_when_listed
from ocean_migration_pulumi.migration.reconcile.stop import destroy as stop_all
from ocean_migration_pulumi.migration.reconcile.waiter import PollPolicy
from ocean_migration_pulumi.migration.snapshot.claims import ClusterClaims
from ocean_migration_pulumi.migration.snapshot.snapshot import DrainedNodes, PlanPreview
from ocean_migration_pulumi.migration.snapshot.sources import DataSources
from ocean_migration_pulumi.migration.spec.approval import is_approved, plan_digest
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity
from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode
from ocean_migration_pulumi.migration.spec.planned_nodes import has_all_vngs, is_same_plan
from ocean_migration_pulumi.migration.spec.spec import INPUTS, ORDERING, MigrationSpec, changed_options, read_spec
from ocean_migration_pulumi.migration.spec.vocabulary import Vocabulary
from ocean_migration_pulumi.migration.state.migration_record import STARTED, UnansweredStart
from ocean_migration_pulumi.migration.state.resource_state import ResourceState
from ocean_migration_pulumi.migration.state.unfinished import find_unfinished, report_last_run
from ocean_migration_pulumi.resource.notifier import Notifier
from ocean_migration_pulumi.resource.preview_file import VARIABLE, PreviewRecord, append_preview
from ocean_migration_pulumi.resource.session import SESSION, make_scope, owner_of
from ocean_migration_pulumi.resource.start_journal import StartJournal, open_journal

if TYPE_CHECKING:
    from ocean_migration_pulumi.api.client import OceanClient

_COMPONENT: Final = "ocean-migration:index:OceanMigration$"
"""The type of the component, in the URNs of its waves."""

_LATER: Final = DataSources(absent=Gap(GapCode.KUBECONFIG_PENDING), is_named=True, explicit=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a comparison of inputs found."""

    changes: bool
    """Whether there is anything to do."""
    replaces: tuple[str, ...] = ()
    """The inputs that force a replacement."""


def plan(
    call: host.EngineCall, spec: MigrationSpec, olds: dict[str, Any], *, owner: str, kubeconfig_later: bool
) -> PlanPreview:
    """Plan from known inputs and report the plan; ``olds`` are the last inputs."""
    SESSION.unplanned.pop(owner, None)
    SESSION.previews.pop(owner, None)
    client, claims = _reach(spec)
    old = _with_account(read_spec(olds)[0], client.account_id) if olds.get("ocean_id") else None
    spec = replace(_with_account(spec, client.account_id), require_approval=client.settings.require_approval)
    scope = CancelScope(ended=call.ended, alive=call.is_active, short=True)
    start = _open_journal(client, spec, owner).find_start()
    try:
        sources = _LATER if kubeconfig_later else SESSION.sources(spec.kubeconfig, spec.kube_context)
        found = preview_when_listed(
            lambda: planner.preview_plan(client, claims, scope, owner=owner, spec=spec, old=old, sources=sources),
            api=client,
            claims=claims,
            scope=scope,
            reporter=call,
            policy=PollPolicy(poll_interval=client.settings.poll_interval),
            is_awaited=lambda: start is not None and is_unlisted(client, claims, scope, start),
        )
    except InputError as problem:
        return PlanPreview(problems=(problem,))
    except (OceanMigrationError, OperationCancelled) as error:
        _fail(error)
    if found.problems:
        return found
    if found.unplanned is not None:
        SESSION.unplanned[owner] = render_cause(found.unplanned)
    SESSION.adopts.pop(owner, None)
    if (adopted := found.adopts) is not None:
        nodes = sorted(adopted.instance_ids)
        SESSION.adopts[owner] = UnansweredStart(listed=[], instance_ids=nodes, migration_id=adopted.id)
    record = _show_preview(call, spec, found)
    SESSION.previews[owner] = record, found.drained
    return found


def _show_preview(call: host.EngineCall, spec: MigrationSpec, found: PlanPreview) -> PreviewRecord | None:
    """Say to the engine what a preview found, and append it to the file that the environment names, if any.

    Returns the record that was appended; None without such a file.
    """
    record = None
    rendered = [replace(diagnostic, text=_render(call, diagnostic)) for diagnostic in found.diagnostics]
    if path := os.environ.get(VARIABLE):
        planned, approved = found.planned, None
        digest = "" if planned is None else plan_digest(planned, spec)
        if spec.approved_plan is not None and planned is not None and digest and has_all_vngs(planned):
            approved = is_approved(planned, spec)
        record = PreviewRecord(
            urn=call.urn,
            planned_nodes=planned,
            plan_digest=digest,
            approved=approved,
            unplanned=None if found.unplanned is None else render_cause(found.unplanned),
            diagnostics=tuple(rendered),
        )
        try:
            append_preview(path, record)
        except OSError as error:
            fields = {"reason": error.strerror or str(error)}
            lost = Diagnostic.warning(Code.PREVIEW_FILE_NOT_WRITTEN, **fields)
            rendered.append(replace(lost, text=_render(call, lost)))
    for diagnostic in rendered:
        _say(call, diagnostic.severity, diagnostic.text)
    return record


def _say(call: host.EngineCall, severity: Severity, line: str) -> None:
    """Say a line to the engine, an error as a warning: it would end the preview that shows why `pulumi up` refuses."""
    (call.info if severity is Severity.INFO else call.warning)(line)


def _render(call: host.EngineCall, diagnostic: Diagnostic) -> str:
    """Return the line of a diagnostic; that of a component's wave names the wave.

    ``preview --diff`` shows the lines of all waves without their resources.
    """
    return f"{render_line(diagnostic, _vocabulary_of(call))}{_wave_of(call)}"


def _wave_of(call: host.EngineCall) -> str:
    return f" ({_vocabulary_of(call).resource})" if _COMPONENT in call.urn else ""


def _vocabulary_of(call: host.EngineCall) -> Vocabulary:
    return Vocabulary(resource=call.urn.rpartition("::")[2])


def compare(
    call: host.EngineCall, olds: dict[str, Any], news: dict[str, Any], *, unknown: frozenset[str]
) -> Comparison:
    """Compare inputs, of which some are ``unknown``, with the last ones, and look for work that the last run left."""
    old, new = read_spec(call.old_inputs or olds)[0], read_spec(news, unknown=unknown)[0]
    state = ResourceState.from_outputs(olds)
    replaces = [name for name in ("ocean_id", "account_id") if name in unknown]
    if "ocean_id" not in unknown and new.ocean_id != old.ocean_id:
        replaces.append("ocean_id")
    if "account_id" not in unknown and _is_account_changed(new, state):
        replaces.append("account_id")
    if replaces:
        return Comparison(changes=True, replaces=tuple(replaces))
    changes = bool(unknown - ORDERING) or bool(changed_options(old, new))
    changes = changes or not new.nodes.is_same_selection(old.nodes)
    changes = changes or not is_same_plan(
        new.planned_nodes, old.planned_nodes, state.migrated | state.gone | state.manual
    )
    pending = None if unknown - ORDERING else _find_if_possible(call, new, state, find_left_by_killed_run)
    if pending is None:
        with suppress(SettingsError):
            _recall_start(call, new, state)
    unfinished = find_unfinished(state, new)
    if unfinished is not None:
        call.info(f"unfinished: {describe_unfinished(unfinished)}{_wave_of(call)}")
    unverified = state.unverified & state.planned.keys()
    found = [
        *(describe_adopted(each) for each in state.migrations if each.origin != STARTED and not each.ended),
        pending,
        report_last_run(state),
        report_unverified(unverified) if unverified else None,
        None if state.gone.isdisjoint(state.planned) else _find_if_possible(call, new, state, _find_returned),
    ]
    for diagnostic in filter(None, found):
        _say(call, diagnostic.severity, _render(call, diagnostic))
    _show_drained(call, owner_of(call.urn, new), state)
    return Comparison(changes=changes or unfinished is not None or pending is not None)


def _show_drained(call: host.EngineCall, owner: str, state: ResourceState) -> None:
    """Say which drained nodes stay, and add it to the preview file: only the state, which ``check`` has not, knows."""
    record, found = SESSION.previews.pop(owner, (None, DrainedNodes()))
    drained = report_drained(found, state)
    if drained is None:
        return
    rendered = replace(drained, text=_render(call, drained))
    _say(call, rendered.severity, rendered.text)
    if record is not None and (path := os.environ.get(VARIABLE)):
        with suppress(OSError):  # that the file cannot be written has been said
            append_preview(path, replace(record, diagnostics=(*record.diagnostics, rendered)))


def create(call: host.EngineCall, props: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Start or adopt, wait, and return the id and the outputs."""
    spec = _with_hidden(call, read_spec(props)[0])
    id_ = f"{spec.ocean_id}/{call.urn.split('::', 3)[-1]}" if call.urn else spec.ocean_id
    return id_, _reconcile(call, spec, props, ResourceState(), id_, creating=True)


def update(call: host.EngineCall, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
    """Wait for what runs, follow up what remains, and return the outputs."""
    spec = _with_hidden(call, read_spec(news)[0])
    return _reconcile(call, spec, news, ResourceState.from_outputs(olds), id_, creating=False)


def refresh(call: host.EngineCall, props: dict[str, Any]) -> dict[str, Any] | None:
    """Return the outputs as the service has them now; None when the cluster is gone."""
    spec, state = read_spec(props)[0], ResourceState.from_outputs(props)
    try:
        context = _make_context(call, spec, state, reconcile.DELETE_DEADLINE)
        _recall_start(call, spec, state)
        there = reconcile.refresh(context)
    except (OceanMigrationError, OperationCancelled) as error:
        _fail(error)
    return _outputs(state, spec, props) if there else None


def destroy(call: host.EngineCall, props: dict[str, Any]) -> None:
    """Stop what still runs and wait for its end."""
    spec, state = read_spec(props)[0], ResourceState.from_outputs(props)
    try:
        context = _make_context(call, spec, state, reconcile.DELETE_DEADLINE)
        _recall_start(call, spec, state)
        stop_all(context)
        context.note_start(None)
    except (OceanMigrationError, OperationCancelled) as error:
        _fail(error)


def _reconcile(
    call: host.EngineCall,
    spec: MigrationSpec,
    props: dict[str, Any],
    state: ResourceState,
    id_: str,
    *,
    creating: bool,
) -> dict[str, Any]:
    """Run create or update; whatever ends it early, the engine saves the state with the reason."""
    # It brings httpx, which a preview of an unknown cluster does not need.
    from ocean_migration_pulumi.api.single_requests import probe

    notifier = Notifier(spec.notifications, tell=call.warning, alive=call.is_active)
    try:
        context = _make_context(call, spec, state, reconcile.DEADLINE, creating=creating)
        context.events = notifier.announce
        context.sources = SESSION.sources(spec.kubeconfig, spec.kube_context)
        context.probe = probe
        _recall_start(call, spec, state)
        unplanned = None if creating else SESSION.unplanned.pop(context.owner, None)
        reconcile.reconcile(context, unplanned=unplanned)
    except EngineGoneError as error:
        _fail(error)  # nobody listens, and nothing may be written any more
    except Exception as error:  # noqa: BLE001 - whatever it is, the id of a started migration must be saved
        if creating and not state.migrations and state.unanswered is None:
            state.unanswered = _find_unadopted(call, spec, state)
        remedy = failure_reasons.describe_interruption(state)
        line = add_code(failure_reasons.describe_failure(error, remedy), error)
        if creating and not state.migrations and state.unanswered is None:
            host.fail(line)
        if state.failure is None:
            state.failure = failure_reasons.make_failure_output(error, remedy)
        host.fail(line, id=id_, properties=_outputs(state, spec, props), inputs=props)
    finally:
        notifier.drain()
        if SESSION.record_trouble is not None:
            call.warning(f"the record is incomplete: {SESSION.record_trouble}")
    return _outputs(state, spec, props)


def _find_unadopted(call: host.EngineCall, spec: MigrationSpec, state: ResourceState) -> UnansweredStart | None:
    """Return the running migration that ``check`` found, and that ``create`` could not adopt before it ended.

    Without it no resource would be saved, and a destruction would stop nothing.
    """
    owner = owner_of(call.urn, spec)
    start = SESSION.adopts.get(owner)
    claims = SESSION.registry.claims(state.effective_account_id, spec.ocean_id)
    is_free = start is not None and claims.holder(start.migration_id or "") in {None, owner}
    return start if is_free else None


def _with_hidden(call: host.EngineCall, spec: MigrationSpec) -> MigrationSpec:
    return replace(spec, **SESSION.hidden.get(owner_of(call.urn, spec), {}))


def _reach(spec: MigrationSpec) -> tuple[OceanClient, ClusterClaims]:
    try:
        client = SESSION.client(spec.account_id)
    except SettingsError as error:
        _fail(error)
    return client, SESSION.registry.claims(client.account_id, spec.ocean_id)


def _with_account(spec: MigrationSpec, account_id: str | None) -> MigrationSpec:
    return replace(spec, account_id=spec.account_id or account_id)


def _is_account_changed(new: MigrationSpec, state: ResourceState) -> bool:
    try:
        account_id = new.account_id or SESSION.client(None).account_id
    except SettingsError:
        return False
    return None not in {account_id, state.effective_account_id} and account_id != state.effective_account_id


def _make_context(
    call: host.EngineCall, spec: MigrationSpec, state: ResourceState, deadline: float, *, creating: bool = False
) -> ReconcileContext:
    client = SESSION.client(spec.account_id or state.effective_account_id)
    state.effective_account_id = client.account_id
    return ReconcileContext(
        api=client,
        claims=SESSION.registry.claims(client.account_id, spec.ocean_id),
        scope=make_scope(call, client.settings, call.timeout or deadline),
        reporter=call,
        owner=owner_of(call.urn, spec),
        spec=replace(spec, require_approval=client.settings.require_approval),
        state=state,
        poll_policy=PollPolicy(poll_interval=client.settings.poll_interval, stall_timeout=spec.stall_timeout),
        vocabulary=_vocabulary_of(call),
        creating=creating,
        note_start=_open_journal(client, spec, owner_of(call.urn, spec)).note_start,
    )


def _open_journal(client: OceanClient, spec: MigrationSpec, owner: str) -> StartJournal:
    return open_journal(owner, client.settings.base_url, client.account_id, spec.ocean_id)


def _recall_start(call: host.EngineCall, spec: MigrationSpec, state: ResourceState) -> None:
    """Let the state have the last start of the resource that a killed run has sent and that no state knows."""
    client = SESSION.client(spec.account_id or state.effective_account_id)
    journal = _open_journal(client, spec, owner_of(call.urn, spec))
    start = journal.find_start()
    if start is None or start.migration_id in SESSION.registry.claims(client.account_id, spec.ocean_id).taken:
        return
    if any(migration.id == start.migration_id for migration in state.migrations):
        journal.note_start(None)
    elif state.unanswered is None or (start.at or "") > (state.unanswered.at or ""):
        state.unanswered = replace(start, is_recalled=True)
    elif start.at == state.unanswered.at:
        state.unanswered.migration_id = start.migration_id  # the state has the start, but perhaps not the answer


def _find_if_possible(
    call: host.EngineCall,
    spec: MigrationSpec,
    state: ResourceState,
    find: Callable[[ReconcileContext], Diagnostic | None],
) -> Diagnostic | None:
    """Return what a preview finds; None for nothing, and when Spot cannot be asked: the next run that can finds it."""
    try:
        return find(_make_context(call, spec, state, planner.BUDGET))
    except (OceanMigrationError, OperationCancelled):
        return None


def _find_returned(context: ReconcileContext) -> Diagnostic | None:
    return report_returned(context.state, context.claims.cache.candidates(context.api, context.scope))


def _outputs(state: ResourceState, spec: MigrationSpec, props: Mapping[str, Any]) -> dict[str, Any]:
    echo = {name: props[name] for name in INPUTS if props.get(name) is not None}
    return state.to_outputs(spec, echo, plan_digest(state.planned, spec))


def _fail(error: OceanMigrationError | OperationCancelled) -> NoReturn:
    host.fail(add_code(failure_reasons.describe_failure(error, "run the command again"), error))
