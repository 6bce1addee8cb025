"""Follow a migration to its end for an onlooker, and say how it ended."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

from ocean_migration_pulumi.api.models.cluster import ClusterNode
from ocean_migration_pulumi.api.models.migration import MigrationState, MigrationStatus, MigrationSummary
from ocean_migration_pulumi.cli.commands.inspect.explain import format_lines
from ocean_migration_pulumi.cli.console import Console
from ocean_migration_pulumi.cli.context import CliContext
from ocean_migration_pulumi.cli.dashboard.onlookers import ProgressDisplay
from ocean_migration_pulumi.cli.exit_codes import BLOCKED, CANCELLED, DONE, TIMED_OUT
from ocean_migration_pulumi.cli.jobs import make_reconcile_context
from ocean_migration_pulumi.cli.options import OPTIONS
from ocean_migration_pulumi.cli.output import say
from ocean_migration_pulumi.common.times import parse_time
from ocean_migration_pulumi.errors import (
    DeadlineError,
    InterruptedWaitError,
    MigrationNotFoundError,
    OceanMigrationError,
    OperationCancelled,
    StalledError,
    UnheardError,
)
from ocean_migration_pulumi.migration.diagnosis.diagnosis import STALL_TIMEOUT, Diagnosis, diagnose_migration
from ocean_migration_pulumi.migration.diagnosis.failure_reasons import OUTAGES
from ocean_migration_pulumi.migration.diagnosis.readiness import ReadinessObserver, WorkloadReadiness
from ocean_migration_pulumi.migration.health.baseline import HealthBaseline
from ocean_migration_pulumi.migration.health.look_thread import LookThread
from ocean_migration_pulumi.migration.planning.text.gaps_text import describe_gap
from ocean_migration_pulumi.migration.planning.text.sentences import capitalize
from ocean_migration_pulumi.migration.reconcile.events import ENDS, EventKind, EventSink, discard_event, emit
from ocean_migration_pulumi.migration.reconcile.waiter import MigrationListing, MigrationWaiter
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import NODES, PODS
from ocean_migration_pulumi.migration.snapshot.sources import DataSources
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.migration.state.migration_record import MigrationRecord
from ocean_migration_pulumi.migration.state.progress import Progress
from ocean_migration_pulumi.migration.views.live_view import LiveView
from ocean_migration_pulumi.migration.views.run_report import build_run_report

EXIT_STATUSES: Final = {
    BLOCKED: "the migration failed or was stopped",
    CANCELLED: "interrupted; the migration continues",
    TIMED_OUT: "timed out or stalled; the migration continues",
}
"""What the exit statuses of ``Follower.follow`` other than 0 mean."""

_NODES_SECONDS: Final = 10.0
_PODS_SECONDS: Final = 30.0
_PODS_INTERVAL: Final = 60.0
_EXPLAIN_SECONDS: Final = 30.0
_EVENT_SECONDS: Final = 60.0


class Follower:
    """Follows one migration for an onlooker.

    Args:
        context: What the command works with.
        migration_id: The migration.
        onlooker: Is shown each status, and what the wait has to report.
        timeout: Seconds; None means never.
        stall_timeout: Seconds; None means never.
        just_started: Whether the migration may still be missing from the service's responses.
        batch_size_percentage: The batch size; None if unknown.
        baseline: What the workloads were like before; None if unknown.
        to: Takes the event of the migration's end, or of that of the wait.
    """

    def __init__(
        self,
        context: CliContext,
        migration_id: str,
        onlooker: ProgressDisplay,
        *,
        timeout: float | None = None,
        stall_timeout: float | None = None,
        just_started: bool = False,
        batch_size_percentage: int | None = None,
        baseline: HealthBaseline | None = None,
        to: EventSink = discard_event,
    ) -> None:
        self._context = context
        self._migration_id = migration_id
        self._onlooker = onlooker
        self._scope = context.scope if timeout is None else context.scope.at_most(timeout)
        self._policy = replace(context.poll_policy, stall_timeout=stall_timeout)
        self._just_started = just_started
        self._to = to
        self._nodes: dict[str, ClusterNode] = {}
        self._batch_size_percentage = batch_size_percentage
        self._pod_names: dict[str, str] = {}
        self._pods_asked: set[str] = set()
        self._readiness: WorkloadReadiness | None = None
        self._readiness_observer = ReadinessObserver(baseline=baseline)
        self._looks = LookThread(_PODS_INTERVAL)

    def follow(self, reached: Callable[[MigrationStatus], bool] = lambda status: False) -> int:
        """Follow until the migration has ended or ``reached`` says so, print the end, and return the exit status."""
        waiter = MigrationWaiter(
            self._refresh,
            scope=self._scope,
            reporter=self._onlooker,
            policy=self._policy,
            observe=self._show,
            listed=MigrationListing(find=self._find_in_list, now=self._context.client.server_now),
        )
        try:
            with self._onlooker:
                status = waiter.until(lambda status: status.is_terminal or reached(status))
        except InterruptedWaitError:
            self._left(EventKind.INTERRUPTED, "interrupted", waiter)
            return CANCELLED
        except DeadlineError:
            self._left(EventKind.TIMED_OUT, "timed out", waiter)
            return TIMED_OUT
        except StalledError as stalled:
            self._left(EventKind.STALLED, str(stalled), waiter)
            if waiter.last is not None and self._onlooker.live_view is not None:
                self._explain(waiter.last, self._onlooker.live_view.changed_at)
            return TIMED_OUT
        except OUTAGES as error:
            self._announce(EventKind.UNHEARD, str(error), waiter.last)
            raise UnheardError(f"{error}; {self._goes_on()}") from error
        if not status.is_terminal:
            progress = Progress.from_status(status)
            say(f"{progress.counts}: migration {status.id} is {status.state}", err=False)
            return DONE
        found = self._explain(status)
        message = found.headline if found else f"Migration {status.id} is {status.state}"
        # Of a stop the reason is whose it was, which nobody here can know.
        reason = found.reason if found and status.state != MigrationState.STOPPED else ""
        self._announce(ENDS[status.state], message, status, reason=reason, remedy=found.remedy if found else "")
        self._fill_record()
        return DONE if status.state == MigrationState.FINISHED else BLOCKED

    def _refresh(self) -> MigrationStatus:
        self._onlooker.polled()
        try:
            return self._context.client.within(self._scope).get_migration(self._context.cluster_id, self._migration_id)
        except MigrationNotFoundError as error:
            if self._just_started or self._onlooker.live_view is not None:
                raise
            raise self._context.explain_unknown(error, self._migration_id) from error

    def _find_in_list(self) -> MigrationSummary | None:
        listed = self._context.client.within(self._scope).list_migrations(self._context.cluster_id)
        return next((summary for summary in listed if summary.id == self._migration_id), None)

    def _show(self, status: MigrationStatus) -> None:
        self._learn_nodes(status)
        self._learn_pod_names(status)
        self._learn_readiness(status)
        live_view = LiveView.from_status(
            status,
            at=self._context.client.server_now(),
            before=self._onlooker.live_view,
            ocean_nodes=self._nodes.values(),
            pod_names=self._pod_names,
            readiness=self._readiness,
            batch_size_percentage=self._batch_size_percentage,
        )
        self._onlooker.show(live_view)

    def _learn_nodes(self, status: MigrationStatus) -> None:
        """Ask for Ocean's nodes when there is one that is not known, or that has not joined yet."""
        new = [instance.instance_id for instance in status.new_instances]
        if all(name in self._nodes and _has_joined(self._nodes[name]) for name in new):
            return
        scope = replace(self._scope.at_most(_NODES_SECONDS), short=True)
        try:
            nodes = self._context.client.within(scope).list_nodes(self._context.cluster_id)
        except OceanMigrationError:
            return  # a view without these details is better than none
        self._nodes = {node.instance_id: node for node in nodes}

    def _learn_pod_names(self, status: MigrationStatus) -> None:
        """Ask Kubernetes for the names of unscheduled pods, of which Spot reports the ids; once for each id."""
        new = set(status.unscheduled_ids) - self._pods_asked
        if not new:
            return
        self._pods_asked |= new
        with suppress(OceanMigrationError):  # the id is better than nothing
            kubernetes = self._context.sources().kubernetes
            if kubernetes is not None:
                self._pod_names |= kubernetes.read_snapshot(self._scope.at_most(_NODES_SECONDS), fresh=True).pod_names

    def _learn_readiness(self, status: MigrationStatus) -> None:
        """Ask Kubernetes each minute which pods are ready, beside the polls: it may be slow."""
        if not status.is_terminal:
            self._looks.start_when_due(partial(self._read_readiness, status), self._scope.clock())

    def _read_readiness(self, status: MigrationStatus) -> None:
        try:
            kubernetes = self._context.sources().kubernetes
            if kubernetes is None:
                return
            found = kubernetes.read_workloads(
                self._scope.at_most(_PODS_SECONDS),
                self._context.client.server_now(),
                None,
                tuple(self._readiness_observer.workloads),
            )
        except OperationCancelled:
            return
        except OceanMigrationError as error:
            self._readiness = _unknown_readiness(str(error))
            return
        if gaps := [found.gaps[name] for name in (PODS, NODES) if name in found.gaps]:
            self._readiness = _unknown_readiness(describe_gap(gaps[0]).line)
            return
        self._readiness = self._readiness_observer.measure(
            found,
            old=status.instance_ids,
            new={node.instance_id for node in status.new_instances},
            ocean=self._nodes.keys(),
            since=parse_time(status.created_at),
        )

    def _explain(self, status: MigrationStatus, changed_at: datetime | None = None) -> Diagnosis | None:
        """Print what became of the migration, and why, and return that; None when it cannot be known.

        ``changed_at`` is when its status last changed, None for one that has ended.
        """
        scope = self._context.scope.at_most(_EXPLAIN_SECONDS)
        try:
            found = diagnose_migration(
                self._context.client.within(scope),
                scope,
                self._context.sources(),
                self._context.cluster_id,
                status,
                changed_at=changed_at,
                stall_timeout=self._policy.stall_timeout or STALL_TIMEOUT,
                vocabulary=OPTIONS,
            )
        except (OceanMigrationError, OperationCancelled) as error:
            say(f"Migration {status.id} is {status.state}; cannot explain it: {error}", err=False)
            return None
        for line in format_lines(found):
            say(line, err=False)
        return found

    def _left(self, kind: EventKind, why: str, waiter: MigrationWaiter) -> None:
        """Say why nobody waits any more."""
        say(f"{capitalize(why)}; {self._goes_on()}")
        self._announce(kind, f"{why}; migration {self._migration_id} continues in Ocean", waiter.last)

    def _announce(
        self, kind: EventKind, message: str, status: MigrationStatus | None, *, reason: str = "", remedy: str = ""
    ) -> None:
        """Post an event of the migration, which this command only follows."""
        if self._to is discard_event:
            return
        spec = MigrationSpec(ocean_id=self._context.cluster_id)
        reconcile_context = make_reconcile_context(
            self._context, spec, seconds=_EVENT_SECONDS, reporter=Console(), events=self._to
        )
        record = MigrationRecord(id=self._migration_id)
        emit(reconcile_context, kind, record, message, status=status, reason=reason, remedy=remedy)

    def _fill_record(self) -> None:
        """Ask for what a report of the whole needs, so that it stands in the record, if there is one."""
        if self._context.settings.record is None:
            return
        scope = self._context.scope.at_most(_EXPLAIN_SECONDS)
        with suppress(OceanMigrationError, OperationCancelled):
            build_run_report(
                self._context.client.within(scope), scope, DataSources(), self._context.cluster_id, self._migration_id
            )

    def _goes_on(self) -> str:
        stop = self._context.steering("stop", self._migration_id)
        return f"migration {self._migration_id} continues in Ocean. To stop it: `{stop}`"


def _unknown_readiness(reason: str) -> WorkloadReadiness:
    """Return what is shown instead of an older look, which may be better than the truth."""
    return WorkloadReadiness(summary="ready pods unknown", failing=(f"ready pods unknown: {reason}",))


def _has_joined(node: ClusterNode) -> bool:
    return node.registration_status.casefold() in {"", "registered"}
