"""What the last run left undone, judged from the outputs alone."""

from __future__ import annotations

from ocean_migration_pulumi.api.models.migration import MigrationState
from ocean_migration_pulumi.common.text import count_with_verb
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.migration.state.migration_record import BRAKE, describe_stop_cause
from ocean_migration_pulumi.migration.state.resource_state import ResourceState


def find_unfinished(state: ResourceState, spec: MigrationSpec) -> str | None:
    """Return why there is something to do although no input changed; None when nothing is left."""
    latest = state.latest
    if state.unanswered is not None:
        return "a migration may have started, and its id is not known yet"
    if latest is not None and not latest.ended:
        return None if state.target_reached else f"migration {latest.id} was still running"
    stopped = latest is not None and latest.stopped_by in {"others", BRAKE} and not state.doubted
    if state.remaining and not stopped:
        ended = f" after {latest.id} ({latest.status})" if latest else ""
        return f"{count_with_verb(len(state.remaining), 'node', 'remain')}{ended}"
    if state.lacks_workloads and not stopped:
        return "the workloads were not ready"
    if spec.soak_time and latest is not None and latest.status == MigrationState.FINISHED and not state.soaked_until:
        return "the soak has not passed yet"
    return None


def collect_reminders(state: ResourceState) -> list[str]:
    """Return the lines that a preview shows of the last run."""
    latest = state.latest
    if latest is None or not state.remaining:
        return []
    left = count_with_verb(len(state.remaining), "node", "remain")
    if latest.stopped_by == "others":
        return [f"migration {latest.id} was stopped by someone else; {left} until triggers or nodes change"]
    if latest.stopped_by == BRAKE:
        why = describe_stop_cause(latest.stop_cause)
        return [f"migration {latest.id} was stopped because {why}; {left} until triggers or nodes change"]
    if latest.status == MigrationState.FINISHED_ERROR and state.failure is not None:
        return [f"migration {latest.id} failed: {state.failure.get('message', '')}; {left}"]
    return []
