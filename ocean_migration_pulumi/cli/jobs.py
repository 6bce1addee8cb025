"""The context of a run for a command, as the resource's operations make it for the engine."""

from __future__ import annotations

from typing import Final

from ocean_migration_pulumi.cli.console import Console
from ocean_migration_pulumi.cli.context import CliContext
from ocean_migration_pulumi.cli.options import OPTIONS
from ocean_migration_pulumi.cli.plan_view import OWNER
from ocean_migration_pulumi.migration.reconcile.context import ReconcileContext
from ocean_migration_pulumi.migration.reconcile.events import EventSink, discard_event
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.migration.state.hints import Hints
from ocean_migration_pulumi.migration.state.resource_state import ResourceState

HINTS: Final = Hints(
    again="run `ocean-migration start` again",
    waits="`ocean-migration wait` waits for it",
    rest="`ocean-migration start` migrates the remaining nodes",
    looks="Check `ocean-migration history` before you start another one",
)
"""The commands that messages name."""


def make_reconcile_context(
    context: CliContext, spec: MigrationSpec, *, seconds: float, reporter: Console, events: EventSink = discard_event
) -> ReconcileContext:
    """Return the context of a run on the cluster of a spec that may take so many seconds."""
    return ReconcileContext(
        api=context.client,
        claims=context.claims,
        scope=context.scope.at_most(seconds),
        reporter=reporter,
        owner=OWNER,
        spec=spec,
        state=ResourceState(planned=dict(spec.planned_nodes or {}), effective_account_id=context.client.account_id),
        poll_policy=context.poll_policy,
        sources=context.sources(),
        hints=HINTS,
        vocabulary=OPTIONS,
        events=events,
        creating=True,
    )
