"""A run of the lifecycle for a command: what the resource's provider makes for the engine."""

from __future__ import annotations

from typing import Final

from ocean_migration_pulumi.cli.console import Speaker
from ocean_migration_pulumi.cli.context import Reach
from ocean_migration_pulumi.cli.plan_view import OWNER
from ocean_migration_pulumi.migration.reconcile.context import Job
from ocean_migration_pulumi.migration.reconcile.events import Announce, to_nobody
from ocean_migration_pulumi.migration.spec.spec import Wish
from ocean_migration_pulumi.migration.state.hints import Words
from ocean_migration_pulumi.migration.state.resource_state import Record

WORDS: Final = Words(
    again="run `ocean-migration start` again",
    waits="`ocean-migration wait` waits for it",
    rest="`ocean-migration start` goes on with the rest",
    looks="Look into `ocean-migration history` before you start another",
)
"""The commands that messages name."""


def job_of(reach: Reach, wish: Wish, *, seconds: float, speaker: Speaker, announce: Announce = to_nobody) -> Job:
    """Return a job on the cluster of the wish that may take so many seconds."""
    return Job(
        api=reach.client,
        desk=reach.desk,
        scope=reach.scope.at_most(seconds),
        tell=speaker,
        owner=OWNER,
        wish=wish,
        record=Record(planned=dict(wish.planned_nodes or {}), effective_account_id=reach.client.account_id),
        patience=reach.patience,
        sources=reach.sources(),
        words=WORDS,
        announce=announce,
        creating=True,
    )
