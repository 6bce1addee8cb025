"""Plan once the service shows all that a plan needs: the controller of a new cluster, and a late list."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, timedelta
from typing import Final

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.text import count_noun, list_some
from ocean_migration_pulumi.common.times import format_elapsed
from ocean_migration_pulumi.errors import DeadlineError, OceanMigrationError, PlanError
from ocean_migration_pulumi.migration.checks import service
from ocean_migration_pulumi.migration.planning import planner
from ocean_migration_pulumi.migration.planning.empty_selection import may_nodes_be_hidden
from ocean_migration_pulumi.migration.planning.plan_report import report_plan
from ocean_migration_pulumi.migration.planning.selection import plan_nodes, plan_selection
from ocean_migration_pulumi.migration.planning.text.findings_text import render_cause, render_line
from ocean_migration_pulumi.migration.reconcile.adoption import catch_up
from ocean_migration_pulumi.migration.reconcile.context import ReconcileContext
from ocean_migration_pulumi.migration.reconcile.waiter import NEW, PollPolicy, Waiter, watch_list
from ocean_migration_pulumi.migration.snapshot.claims import ClusterClaims
from ocean_migration_pulumi.migration.snapshot.protocols import OceanApi, Reporter
from ocean_migration_pulumi.migration.snapshot.snapshot import ClusterSnapshot, PlanPreview, take_snapshot
from ocean_migration_pulumi.migration.snapshot.sources import DataSources
from ocean_migration_pulumi.migration.spec.diagnostic import Severity, UnplannedCause

NEW_CLUSTER: Final = 900.0
"""Seconds that a new cluster's controller may take to report."""

_Candidates = frozenset[tuple[str, str | None]]


def plan_now(context: ReconcileContext) -> None:
    """Wait until a new cluster's controller reports, and plan.

    Raises:
        PlanError: The plan cannot be made.
        OperationCancelled: Whoever asked for the operation wants it no more.
        OceanMigrationError: The service cannot be asked.
    """
    _await_controller(context)
    api, claims, scope, spec = context.api, context.claims, context.scope, context.spec
    snapshot = ClusterSnapshot()

    def preview() -> PlanPreview:
        nonlocal snapshot
        snapshot = take_snapshot(api, claims, scope, spec, context.sources)
        if refusal := planner.refuse_wrong_cluster(snapshot):
            msg = f"{refusal}; nothing was started"
            raise PlanError(msg)
        if planner.are_labels_unknown(snapshot, spec):
            unplanned = planner.report_unplanned(UnplannedCause.NO_LABELS, gap=snapshot.facts.absent)
            msg = f"{render_cause(unplanned)}; nothing was started"
            raise PlanError(msg, (unplanned,))
        return plan_selection(api, claims, scope, owner=context.owner, snapshot=snapshot, spec=spec, old=None)

    found = preview_when_listed(
        preview, api=api, claims=claims, scope=scope, reporter=context.reporter, policy=context.poll_policy
    )
    if found.planned is None:
        raise PlanError("; ".join(str(problem) for problem in found.problems))
    context.state.planned = found.planned
    summary, *others = report_plan(found.planned, snapshot, spec, {})
    for diagnostic in (summary, *found.diagnostics, *others):
        say = context.reporter.info if diagnostic.severity is Severity.INFO else context.reporter.warning
        say(render_line(diagnostic, context.vocabulary))


def preview_when_listed(
    preview: Callable[[], PlanPreview],
    *,
    api: OceanApi,
    claims: ClusterClaims,
    scope: CancelScope,
    reporter: Reporter,
    policy: PollPolicy,
    is_awaited: Callable[[], bool] = lambda: False,
) -> PlanPreview:
    """Preview, and again for a minute while nothing matches that a migration may hold which is not listed yet.

    A killed run may have started one: without this wait the next run would say that its nodes do not exist, or leave
    them out of the plan.

    Args:
        preview: Plans afresh.
        api: The service.
        claims: The claims on the cluster, with its cache.
        scope: The bounds of the operation.
        reporter: Takes the live line.
        policy: How to poll.
        is_awaited: Tells whether the list does not have a migration that a killed run is known to have started.

    Raises:
        OperationCancelled: Whoever asked for the operation wants it no more.
        OceanMigrationError: What ``preview`` raises.
    """

    def may_be_late(found: PlanPreview) -> bool:
        if found.may_be_held:
            return True
        with suppress(OceanMigrationError):  # the preview says what cannot be asked
            return is_awaited()
        return False

    found = preview()
    if not may_be_late(found):
        return found
    why = "; ".join(str(problem) for problem in found.problems) or "a killed run has sent a start"

    def preview_again() -> PlanPreview:
        claims.cache.changed()
        return preview()

    return watch_list(
        preview_again,
        lambda found: not may_be_late(found),
        now=api.server_now,
        scope=scope,
        reporter=reporter,
        policy=policy,
        line=_describe_watch(why, api),
    )


def ensure_nothing_is_hidden(context: ReconcileContext) -> None:
    """Watch the list for a minute when a new selection brings no work: a killed run may have started it already.

    Its migration hides the nodes at once, while the list may have it later. Kubernetes may prove that none is hidden.

    Raises:
        PlanError: A migration has appeared that holds selected nodes which are not planned, or one runs whose nodes are
            not known.
        OperationCancelled: Whoever asked for the operation wants it no more.
        OceanMigrationError: The service cannot be asked.
    """
    api, claims, scope, spec = context.api, context.claims, context.scope, context.spec
    snapshot = take_snapshot(api, claims, scope, spec, context.sources)
    is_listed = bool(context.state.planned) and context.state.planned.keys() <= snapshot.active
    if is_listed or not may_nodes_be_hidden(snapshot):
        return
    ended = {status.id for status in snapshot.recent if status.is_terminal}
    sources = context.sources if spec.nodes.label_selectors else DataSources()
    unknown: list[str] = []

    def find_hidden() -> dict[str, str]:
        nonlocal unknown
        claims.cache.changed()
        snapshot = take_snapshot(api, claims, scope, spec, sources)
        unknown = [status.id for status in snapshot.running if not status.instance_ids]
        found = plan_nodes(api, claims, scope, owner=context.owner, snapshot=snapshot, spec=spec, old=None)
        late = [status.instance_ids for status in snapshot.recent if status.id not in ended]
        hidden = frozenset[str]().union(*late) - context.state.planned.keys()
        return {name: entry for name, entry in (found.planned or {}).items() if name in hidden}

    hidden = watch_list(
        find_hidden,
        bool,
        now=api.server_now,
        scope=scope,
        reporter=context.reporter,
        policy=context.poll_policy,
        line=_describe_watch("no node to migrate", api),
    )
    if hidden:
        if not context.creating:
            # What a run has started is in the state from now on, so that a destruction stops it.
            context.state.planned |= hidden
            catch_up(context)
        msg = (
            f"a migration appeared after the plan was made and holds {list_some(hidden)}; nothing was started, "
            f"{context.hints.again}"
        )
        raise PlanError(msg)
    if unknown:
        msg = (
            f"{list_some(unknown)} is running, and Ocean does not report its nodes, which may be selected ones; "
            f"nothing was started, {context.hints.again}"
        )
        raise PlanError(msg)


def _describe_watch(why: str, api: OceanApi) -> str:
    until = (api.server_now() + timedelta(seconds=NEW)).astimezone(UTC)
    return f"{why}; looking until {until:%H:%M:%S} UTC for a migration that is not listed yet"


def _await_controller(context: ReconcileContext) -> None:
    """Wait until a new cluster's controller reports, and until discovery returns the same nodes for two polls."""
    cache, scope = context.claims.cache, context.scope.at_most(NEW_CLUSTER)
    if not service.never_reported(cache.heartbeat(context.api, context.scope, fresh=True)):
        return
    before: _Candidates | None = None

    def find_candidates() -> _Candidates | None:
        heartbeat = cache.heartbeat(context.api, scope, fresh=True)
        if heartbeat.status != "ACTIVE" or service.never_reported(heartbeat):
            return None
        found = cache.candidates(context.api, scope, fresh=True)
        return frozenset((node.instance_id, node.virtual_node_group_id) for node in found)

    def is_settled(found: _Candidates | None) -> bool:
        nonlocal before
        same, before = found == before, found
        return found is not None and same

    def describe(found: _Candidates | None) -> str:
        if found is None:
            return f"waiting for the Ocean Controller of {context.ocean_id} to report"
        return f"new cluster {context.ocean_id}: {count_noun(len(found), 'node')} seen, waiting for all"

    waiter = Waiter(
        find_candidates, scope=scope, reporter=context.reporter, policy=context.poll_policy, describe=describe
    )
    try:
        waiter.until(is_settled, hold_for=context.poll_policy.poll_interval)
    except DeadlineError:
        msg = (
            f"the Ocean Controller of {context.ocean_id} has not reported for {format_elapsed(waiter.elapsed)}; "
            "make sure that it runs in the cluster, then run `pulumi up` again"
        )
        raise PlanError(msg) from None
