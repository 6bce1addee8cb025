"""A run of the lifecycle for a command: what the resource's provider makes for the engine."""

from __future__ import annotations

from typing import Final

from ocean_migration_pulumi.cli.console import Console
from ocean_migration_pulumi.cli.context import CliContext
from ocean_migration_pulumi.cli.plan_view import OWNER
from ocean_migration_pulumi.migration.reconcile.context import ReconcileContext
from ocean_migration_pulumi.migration.reconcile.events import EventSink, discard_event
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.migration.state.hints import Hints
from ocean_migration_pulumi.migration.state.resource_state import ResourceState

HINTS: Final = Hints(
    again="run `ocean-migration start` again",
    waits="`ocean-migration wait` waits for it",
    rest="`ocean-migration start` goes on with the rest",
    looks="Look into `ocean-migration history` before you start another",
)
"""The commands that messages name."""


def make_context(
    reach: CliContext, spec: MigrationSpec, *, seconds: float, speaker: Console, announce: EventSink = discard_event
) -> ReconcileContext:
    """Return a job on the cluster of the wish that may take so many seconds."""
    return ReconcileContext(
        api=reach.client,
        claims=reach.claims,
        scope=reach.scope.at_most(seconds),
        tell=speaker,
        owner=OWNER,
        spec=spec,
        record=ResourceState(planned=dict(spec.planned_nodes or {}), effective_account_id=reach.client.account_id),
        poll_policy=reach.poll_policy,
        sources=reach.sources(),
        words=HINTS,
        announce=announce,
        creating=True,
    )
