"""Whether a preview can be merged: a verdict on each migration, and one on all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import Any, Final

from ocean_migration_pulumi.api.models.migration import TERMINAL_STATES
from ocean_migration_pulumi.common.text import count_noun, count_with_verb, list_some
from ocean_migration_pulumi.migration.planning.plan_report import covers_resume
from ocean_migration_pulumi.migration.planning.text.findings_text import render
from ocean_migration_pulumi.migration.spec.approval import PlanChange, approves, find_changes, plan_digest
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode, parse_planned, restore_reviewed_entries
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec, read_spec
from ocean_migration_pulumi.migration.state.resource_state import ResourceState
from ocean_migration_pulumi.report.markdown import code, prose
from ocean_migration_pulumi.report.pull_request.preview import (
    ParsedPreview,
    PreviewedMigration,
    PreviewOperation,
    is_hidden,
)

_MOST_NAMED: Final = 3
_NAME_WIDTH: Final = 40


class CommentTopic(StrEnum):
    """The list of the comment that a diagnostic belongs to; the value is its title."""

    BLOCKED = "Blocked"
    DOWNTIME = "Downtime"
    CHECKS = "Checks"
    UNKNOWN = "Not checked"
    WARNINGS = "Warnings"
    REMARKS = "Migration"
    NONE = ""
    """In no list: the comment shows its fields elsewhere."""


_TOPICS: Final[Mapping[str, CommentTopic]] = {
    Code.CHECKS_PASSED: CommentTopic.CHECKS,
    Code.CHECK_FAILED: CommentTopic.CHECKS,
    Code.CHECK_WARNING: CommentTopic.CHECKS,
    Code.CHECK_UNKNOWN: CommentTopic.CHECKS,
    Code.DOWNTIME: CommentTopic.DOWNTIME,
    Code.NODES_UNDECIDED: CommentTopic.UNKNOWN,
    Code.NOT_EVALUATED: CommentTopic.UNKNOWN,
    Code.PODS_PLACEMENT_UNKNOWN: CommentTopic.UNKNOWN,
    Code.PODS_PLACEMENT_UNKNOWN_MORE: CommentTopic.UNKNOWN,
    Code.DESTINATION: CommentTopic.NONE,
    Code.DESTINATIONS_MORE: CommentTopic.NONE,
    Code.PDB_SUGGESTION: CommentTopic.NONE,
    Code.PLAN_NOT_APPROVED: CommentTopic.NONE,
    Code.PLAN_SUMMARY: CommentTopic.NONE,
    Code.VNG_SUGGESTION: CommentTopic.NONE,
}
_STOPPED: Final = "stopped migration"
_WARNING: Final = "warning"
_ISSUES: Final[Mapping[str, str]] = {
    CommentTopic.BLOCKED: "blocker",
    CommentTopic.DOWNTIME: "downtime warning",
    Code.CHECK_FAILED: "failed check",
    Code.CHECK_WARNING: "check warning",
    Code.CHECK_UNKNOWN: "unknown check",
    CommentTopic.UNKNOWN: "unknown check",
    CommentTopic.WARNINGS: _WARNING,
}
_ORDER: Final = tuple(dict.fromkeys((*_ISSUES.values(), _STOPPED)))


class Level(IntEnum):
    """The verdict, the worst last."""

    NONE = 0
    READY = 1
    UNKNOWN = 2
    ATTENTION = 3
    FAIL = 4


_HEADS: Final = {Level.READY: "Ready", Level.UNKNOWN: "Unknown", Level.ATTENTION: "Needs attention"}


class Approval(StrEnum):
    """Whether the plan that `pulumi up` would start is approved."""

    NOT_NEEDED = "not-needed"
    """Nothing would start."""
    GIVEN = "given"
    MISSING = "missing"
    OTHER = "other"
    """Another plan is approved."""
    UNKNOWN = "unknown"
    """There is no plan that could be compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What the comment says about one migration."""

    migration: PreviewedMigration
    """The migration as previewed."""
    level: Level
    """The verdict."""
    waiting: int = 0
    """Nodes that would be migrated."""
    active: int = 0
    """Nodes that a running migration holds."""
    pods: int | None = None
    """Pods on the waiting nodes; None if unknown."""
    approval: Approval = Approval.NOT_NEEDED
    """Whether the plan is approved."""
    planned: Mapping[str, str] | None = None
    """Entries of the planned nodes as they were reviewed; None without a plan."""
    digest: str = ""
    """Plan digest; empty without a plan, and while an input that it covers is not known."""
    changes: tuple[PlanChange, ...] = ()
    """What changed since the approval, if another plan is approved and it is known."""
    refusals: tuple[str, ...] = ()
    """Why `pulumi up` would refuse to start, as Markdown."""
    issues: Mapping[str, int] = field(default_factory=dict)
    """Number of issues by noun."""
    unknown: str = ""
    """What is unknown about the plan; empty if nothing is."""


def find_topic(diagnostic: Diagnostic) -> CommentTopic:
    """Return the list that a diagnostic belongs to, also for a code of a newer version."""
    if diagnostic.is_blocker:
        return CommentTopic.BLOCKED
    default = CommentTopic.REMARKS if diagnostic.severity is Severity.INFO else CommentTopic.WARNINGS
    return _TOPICS.get(diagnostic.code, default)


def assess_migration(migration: PreviewedMigration) -> Assessment:
    """Assess one migration by its operation, inputs, and diagnostics."""
    planned = migration.planned if migration.is_run else None
    reviewed = None if planned is None else restore_reviewed_entries(planned, migration.old_planned)
    unmoved = [node for node in parse_planned(reviewed or {}).values() if node.migration_id is None]
    summaries = [each.fields for each in migration.select(Code.PLAN_SUMMARY) if migration.is_run]
    summary = next((fields for fields in summaries if _integer(fields.get("waiting")) is not None), {})
    waiting: int = summary.get("waiting", len(unmoved))
    spec = _read_spec(migration)
    # Only the provider sees secret inputs; those that are not known yet leave the recorded digest empty, too.
    digest = "" if reviewed is None else plan_digest(reviewed, spec) or migration.recorded_digest
    approval = _approval(migration, spec, reviewed, digest, waiting)
    changes: tuple[PlanChange, ...] = ()
    if approval is Approval.OTHER and reviewed is not None:
        changes = find_changes(
            reviewed,
            spec,
            old_planned=migration.old_planned,
            old_triggers=ResourceState.from_outputs(migration.old_outputs).triggers,
            old_stop_when=read_spec(migration.old_outputs)[0].stop_when,
        )
    refusals = _refusals(migration, approval, unmoved if waiting else [])
    issues = _count_issues(migration)
    unknown = _unknown(migration, is_summarized=bool(summary))
    if refusals:
        level = Level.FAIL
    elif not migration.is_run and not issues[_STOPPED]:
        level = Level.READY if migration.operation is PreviewOperation.DELETE else Level.NONE
    elif issues.keys() - {_WARNING} or (issues and not unknown):
        level = Level.ATTENTION
    else:
        level = Level.UNKNOWN if unknown else Level.READY
    return Assessment(
        migration=migration,
        level=level,
        waiting=waiting,
        active=_integer(summary.get("active")) or 0,
        pods=_integer(summary.get("pods")),
        approval=approval,
        planned=reviewed,
        digest=digest,
        changes=changes,
        refusals=tuple(refusals),
        issues=issues,
        unknown=unknown,
    )


def has_running_migration(migration: PreviewedMigration) -> bool:
    """Return whether a migration of this resource was running at the last `up` or `refresh`."""
    outputs = migration.old_outputs
    return bool(outputs.get("migration_id")) and outputs.get("status") not in TERMINAL_STATES


def is_refused(assessments: Sequence[Assessment]) -> bool:
    """Return whether `pulumi up` would start a known plan that is not approved."""
    return any(each.approval in {Approval.MISSING, Approval.OTHER} for each in assessments)


def is_judged(preview: ParsedPreview, assessments: Sequence[Assessment]) -> bool:
    """Return whether the preview succeeded and knows the plan of everything that `pulumi up` would start."""
    return not preview.has_failed and not any(each.approval is Approval.UNKNOWN for each in assessments)


def format_verdict(preview: ParsedPreview, assessments: Sequence[Assessment]) -> str:
    """Return the verdict on the whole preview as one line of Markdown."""
    if preview.has_failed:
        errors = len(preview.errors) + sum(len(migration.errors) for migration in preview.migrations)
        return f"Preview failed with {count_noun(errors, 'error')}."
    level = max((each.level for each in assessments), default=Level.NONE)
    if level is Level.NONE:
        return "No migration changes."
    names = {each.migration.name: code(each.migration.name, _NAME_WIDTH) for each in assessments}
    if level is Level.FAIL:
        refusals = [f"{names[each.migration.name]}: {text}" for each in assessments for text in each.refusals]
        return f"Will fail: {list_some(refusals, _MOST_NAMED)}."
    unknown = [f"{names[each.migration.name]} ({each.unknown})" for each in assessments if each.unknown]
    parts = _format_amounts(assessments) or ["no nodes to migrate"] * (not unknown)
    if unknown:
        parts.append(f"{'' if level is Level.UNKNOWN else 'unknown: '}{list_some(unknown, _MOST_NAMED)}")
    if level is Level.ATTENTION:
        total = sum((Counter(each.issues) for each in assessments if each.level is not Level.NONE), Counter())
        parts.append(", ".join(count_noun(total[noun], noun) for noun in _ORDER if total[noun]))
    return f"{_HEADS[level]}: {'; '.join(parts)}."


def _integer(value: Any) -> int | None:
    return value if type(value) is int else None


def _read_spec(migration: PreviewedMigration) -> MigrationSpec:
    """Return the inputs; those that the engine does not show, and those that cannot be read, are unknown."""
    hidden = frozenset(name for name, value in migration.inputs.items() if is_hidden(value))
    spec, problems = read_spec(migration.inputs, unknown=hidden)
    return replace(spec, unknown=hidden | {problem.property_name for problem in problems})


def _approval(
    migration: PreviewedMigration, spec: MigrationSpec, planned: Mapping[str, str] | None, digest: str, waiting: int
) -> Approval:
    if not migration.is_run:
        return Approval.NOT_NEEDED
    if planned is None:
        return Approval.UNKNOWN
    given = migration.inputs.get("approved_plan") is not None
    if migration.select(Code.PLAN_NOT_APPROVED):
        return Approval.OTHER if given else Approval.MISSING
    state = ResourceState.from_outputs(migration.old_outputs)
    if approves(spec.approved_plan, digest) or covers_resume(planned, spec, state.latest, state.remaining):
        return Approval.GIVEN
    if not waiting:
        return Approval.NOT_NEEDED
    if not digest:
        return Approval.UNKNOWN
    return Approval.OTHER if given else Approval.MISSING


def _refusals(migration: PreviewedMigration, approval: Approval, waiting: Sequence[PlannedNode]) -> list[str]:
    if not migration.is_run:
        return []
    refusals = [
        f"check {code(each.subject)} failed" if each.code == Code.CHECK_FAILED else prose(render(each))
        for each in migration.diagnostics
        if each.severity is Severity.ERROR and each.code != Code.PLAN_NOT_APPROVED
    ]
    if migration.inputs.get("prerequisites") == "off" and migration.inputs.get("unmatched_nodes", "fail") == "fail":
        # The preview runs no checks then, but `pulumi up` refuses to start all the same.
        unmatched = sum(node.virtual_node_group_id is None for node in waiting)
        refusals += [f"{count_with_verb(unmatched, 'node', 'match')} no Virtual Node Group"] if unmatched else []
    if approval is Approval.OTHER:
        refusals.append("a different plan is approved")
    elif migration.select(Code.PLAN_NOT_APPROVED):
        refusals.append("the plan is not approved")
    return refusals


def _count_issues(migration: PreviewedMigration) -> Counter[str]:
    nouns = (_ISSUES.get(each.code) or _ISSUES.get(find_topic(each)) for each in migration.diagnostics)
    issues = Counter(noun for noun in nouns if noun)
    ends = migration.operation in {PreviewOperation.REPLACE, PreviewOperation.DELETE} and not migration.is_retained
    if ends and has_running_migration(migration):
        issues[_STOPPED] = 1
    return issues


def _unknown(migration: PreviewedMigration, *, is_summarized: bool) -> str:
    if is_summarized or not migration.is_run:
        return ""
    if migration.planned is None:
        return "nodes not planned yet"
    # With a record, Spot could not be asked which nodes of the old plan are still to be migrated.
    return "remaining nodes not known" if migration.is_recorded else "no details"


def _format_amounts(assessments: Sequence[Assessment]) -> list[str]:
    known = [each for each in assessments if each.waiting and not each.unknown]
    texts = []
    if known:
        pods = [each.pods for each in known if each.pods is not None]
        with_pods = f" with {count_noun(sum(pods), 'pod')}" if len(pods) == len(known) else ""
        texts.append(f"{count_noun(sum(each.waiting for each in known), 'node')}{with_pods} will migrate")
    if active := sum(each.active for each in assessments):
        texts.append(f"{count_noun(active, 'node')} already migrating")
    return texts
