"""Wait for the proof of what became of nodes, or of their cluster, and fail for nodes that nothing proves."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from ocean_migration_pulumi.common.times import parse_time
from ocean_migration_pulumi.errors import ClusterNotFoundError, DeadlineError, MigrationError
from ocean_migration_pulumi.migration.planning.outcome_report import describe_remaining
from ocean_migration_pulumi.migration.planning.text.findings_text import render
from ocean_migration_pulumi.migration.planning.text.sentences import join_sentences
from ocean_migration_pulumi.migration.reconcile.context import ReconcileContext
from ocean_migration_pulumi.migration.reconcile.waiter import Denial, PollPolicy, Waiter
from ocean_migration_pulumi.migration.state.evidence import SECOND_LOOK, OutcomeReason

PROOF_WAIT: Final = SECOND_LOOK.total_seconds() + 30.0
"""Seconds that a run waits for the proof of what became of nodes."""

_CLUSTER_SECONDS: Final = 120.0
_CLUSTER_INTERVAL: Final = 15.0
_LEFT_BEHIND: Final = frozenset({OutcomeReason.NOT_DRAINED, OutcomeReason.UNPROVEN, OutcomeReason.WAITING})


def ensure_none_remains(context: ReconcileContext) -> None:
    """Fail when a node remains and no migration of ours runs: nothing proves that its workloads have moved.

    Raises:
        MigrationError: There is such a node.
    """
    state = context.state
    if not state.remaining or (state.latest is not None and not state.latest.ended):
        return
    found = tuple(describe_remaining(state, context.offered, context.verified))
    message = join_sentences([render(diagnostic) for diagnostic in found])
    state.failure = {"message": message, "reason": "unproven", "remedy": ""}
    raise MigrationError(message, found)


def is_cluster_gone(context: ReconcileContext) -> bool:
    """Tell whether the service denies the cluster for a minute throughout: one response proves nothing.

    Raises:
        OperationCancelled: Whoever asked for the operation wants it no more.
        OceanMigrationError: The service cannot be asked.
    """
    # A shorter deadline would fail each run on a cluster that is gone.
    scope = context.bounded(_CLUSTER_SECONDS).scope
    denial = Denial(since=scope.clock(), at=context.now())

    def is_there() -> bool:
        try:
            context.claims.cache.cluster(context.api, scope, fresh=True)
        except ClusterNotFoundError:
            denial.add(scope.clock(), context.now())
            return False
        return True

    return not Waiter(
        is_there,
        scope=scope,
        reporter=context.reporter,
        policy=PollPolicy(poll_interval=min(context.poll_policy.poll_interval, _CLUSTER_INTERVAL)),
        describe=lambda found: "" if found else f"cluster {context.ocean_id} not found; asking for a minute",
    ).until(lambda found: found or denial.is_lost)


def await_discovery(context: ReconcileContext) -> None:
    """Wait until discovery returns the nodes again that a migration left when it ended: it may lag behind."""

    def is_lagging() -> bool:
        now, state = context.now(), context.state
        ends = [end for each in context.ended.values() if (end := parse_time(each.status.ended_at))]
        late = {name for name in state.remaining - context.offered.keys() if state.reasons.get(name) in _LEFT_BEHIND}
        return bool(late) and any(now - end < SECOND_LOOK for end in ends)

    _observe_while(context, is_lagging, "waiting for discovery to return the nodes that remain")


def await_proof(context: ReconcileContext) -> None:
    """Wait until remaining nodes are proven that a moment may prove.

    A node that discovery does not return is gone after a second look, and pods that were evicted may be terminating.
    """
    state = context.state
    if state.latest is not None and not state.latest.ended:
        return

    later = {OutcomeReason.MISSING}
    if context.sources.kubernetes is not None:
        later.add(OutcomeReason.PODS_LEFT)

    def is_pending() -> bool:
        return not later.isdisjoint(state.reasons.get(name) for name in state.remaining)

    _observe_while(context, is_pending, "waiting for proof of what became of the nodes that remain")


def _observe_while(context: ReconcileContext, predicate: Callable[[], bool], line: str) -> None:
    """Observe as long as a predicate holds, for a little more than two minutes at most."""
    if not predicate():
        return
    started = context.now()
    waiter: Waiter[None] = Waiter(
        context.observe,
        scope=context.scope,
        reporter=context.reporter,
        policy=context.poll_policy,
        describe=lambda _: line,
    )

    def is_over(_: None) -> bool:
        # Both clocks count: a simulated service may be faster, a clock that was set back may stand still.
        waited = max(waiter.elapsed, (context.now() - started).total_seconds())
        return not predicate() or waited >= PROOF_WAIT

    with suppress(DeadlineError):  # what is not proven by then is named
        waiter.until(is_over)
