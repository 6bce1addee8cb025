"""What the last run left undone, judged from the outputs alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ocean_migration_pulumi.api.models.migration import MigrationState
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.migration.state.migration_record import BRAKE
from ocean_migration_pulumi.migration.state.resource_state import ResourceState


class UnfinishedCode(StrEnum):
    """What was left undone; the string under each member names the ``fields``."""

    MAY_HAVE_STARTED = "may-have-started"
    """A migration may have started, and its id is not known yet; no fields."""
    STILL_RUNNING = "still-running"
    """``migration`` by id."""
    NODES_REMAIN = "nodes-remain"
    """How many ``nodes``, and the latest ``migration`` (empty if there was none) with its ``status``."""
    NOT_READY = "not-ready"
    """The workloads were not ready; no fields."""
    NOT_SOAKED = "not-soaked"
    """The soak has not passed yet; no fields."""
    UP_FAILED = "up-failed"
    """The last `pulumi up` failed; no fields."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Why there is something to do although no input changed."""

    code: UnfinishedCode
    """What was left undone."""
    fields: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What the text names, as JSON-plain data."""


def find_unfinished(state: ResourceState, spec: MigrationSpec) -> Unfinished | None:
    """Return what is left to do although no input changed; None when nothing is."""
    latest = state.latest
    if state.unanswered is not None:
        return Unfinished(UnfinishedCode.MAY_HAVE_STARTED)
    running = next((migration for migration in reversed(state.migrations) if not migration.ended), None)
    if running is not None:
        return None if state.target_reached else Unfinished(UnfinishedCode.STILL_RUNNING, {"migration": running.id})
    stopped = latest is not None and latest.stopped_by in {"others", BRAKE} and not state.doubted
    if state.remaining and not stopped:
        ended = {"migration": latest.id, "status": latest.status} if latest else {"migration": "", "status": ""}
        return Unfinished(UnfinishedCode.NODES_REMAIN, {"nodes": len(state.remaining), **ended})
    if state.lacks_workloads and not stopped:
        return Unfinished(UnfinishedCode.NOT_READY)
    if spec.soak_time and latest is not None and latest.status == MigrationState.FINISHED and not state.soaked_until:
        return Unfinished(UnfinishedCode.NOT_SOAKED)
    return None


def report_last_run(state: ResourceState) -> Diagnostic | None:
    """Return what a preview shows of a migration that was stopped or has failed; None for any other end."""
    latest = state.latest
    if latest is None or not state.remaining:
        return None
    nodes = len(state.remaining)
    if latest.stopped_by in {"others", BRAKE}:
        by_brake = latest.stopped_by == BRAKE
        why = (latest.stop_cause if by_brake else None) or {}
        cause, check = why.get("cause") or "", why.get("check") or ""
        return Diagnostic.warning(
            Code.STOPPED_EARLIER, latest.id, by_brake=by_brake, cause=cause, check=check, nodes=nodes
        )
    if latest.status == MigrationState.FINISHED_ERROR and state.failure is not None:
        return Diagnostic.warning(Code.FAILED_EARLIER, latest.id, message=state.failure.get("message", ""), nodes=nodes)
    return None
