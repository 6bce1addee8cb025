"""May it be merged: what a preview comes down to, for each migration and for all of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Final

from ocean_migration_pulumi.api.models.migration import TERMINAL_STATES
from ocean_migration_pulumi.common.text import count_noun, count_with_verb, list_some
from ocean_migration_pulumi.migration.checks.service import GROUPS, IDLE
from ocean_migration_pulumi.migration.spec.diagnostic import Kind
from ocean_migration_pulumi.migration.spec.planned_nodes import (
    is_approved,
    parse_planned,
    plan_digest,
    restore_reviewed_entries,
)
from ocean_migration_pulumi.report.markdown import code
from ocean_migration_pulumi.report.pull_request.preview import ParsedPreview, PreviewedMigration, PreviewOperation

_ALWAYS: Final = frozenset({GROUPS, IDLE})
"""Prerequisites that `unmatched_nodes` and `when_busy` decide, and not `prerequisites`."""

_NOT_APPROVED: Final = re.compile(r"plan [0-9a-f]{16} .* is not the approved plan ", re.DOTALL)
_STILL: Final = re.compile(r", (\d+) still to migrate\b")
_PODS: Final = re.compile(r", (\d+) pods?\b")
_BATCHES: Final = re.compile(r", (\d+) batch(?:es)? of \d+ node")
_ACTIVE: Final = re.compile(r", (\d+) being migrated now\b")
_NODES: Final = re.compile(r"plan [0-9a-f]{8}: (\d+) node")
_GONE: Final = "Ocean offers none of them any more"


class Level(IntEnum):
    """The verdict, the worst last."""

    NONE = 0
    READY = 1
    UNKNOWN = 2
    LOOK = 3
    REFUSED = 4


class Approval(StrEnum):
    """Whether the plan that `up` would run was approved; ``NEEDLESS`` when it would start nothing."""

    NEEDLESS = "needless"
    GIVEN = "given"
    MISSING = "missing"
    OTHER = "other"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """What moves: ``moving`` nodes, of which ``active`` ones do already. None is what was not told."""

    moving: int = 0
    active: int = 0
    pods: int | None = None
    batches: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What is to be said of one migration; ``digest`` is empty and ``planned`` None without a plan.

    ``refusals`` are why `up` will refuse it, as Markdown. ``in_the_way``, ``unchecked`` and ``warnings`` are counts.
    ``unknown`` is whether it cannot be told which nodes it would move, ``stopped`` whether a running migration is
    stopped.
    """

    migration: PreviewedMigration
    level: Level
    amounts: Amounts = field(default_factory=Amounts)
    approval: Approval = Approval.NEEDLESS
    planned: Mapping[str, str] | None = None
    digest: str = ""
    refusals: tuple[str, ...] = ()
    in_the_way: int = 0
    unchecked: int = 0
    warnings: int = 0
    unknown: bool = False
    stopped: bool = False


def judge_migration(migration: PreviewedMigration) -> Judgement:
    """Judge one migration."""
    planned = migration.planned
    reviewed = None if planned is None else restore_reviewed_entries(planned, migration.recorded)
    amounts = _amounts(migration, reviewed)
    approval = _approval(migration, reviewed, amounts)
    refusals = _refusals(migration, approval, reviewed, amounts)
    held = migration.of(Kind.FAILED, Kind.DOUBTED, Kind.BLOCKER)
    refused = sum(note.kind is Kind.FAILED and is_enforced(migration, note.name) for note in held)
    warnings = [note for note in migration.of(Kind.WARNING) if not is_refusal(note.text)]
    in_the_way, unchecked = len(held) - refused, len(migration.of(Kind.UNKNOWN))
    stopped = _stops(migration)
    # Without a line on the plan nobody could be asked what of an older one is still to be done.
    unasked = migration.operation is PreviewOperation.UPDATE and not migration.of(Kind.PLAN)
    unknown = migration.starts and (planned is None or unasked)
    if refusals:
        level = Level.REFUSED
    elif not migration.starts and not stopped:
        level = Level.READY if migration.operation is PreviewOperation.DELETE else Level.NONE
    elif in_the_way or unchecked or stopped or (warnings and not unknown):
        level = Level.LOOK
    else:
        level = Level.UNKNOWN if unknown else Level.READY
    return Judgement(
        migration=migration,
        level=level,
        amounts=amounts,
        approval=approval,
        planned=reviewed,
        digest="" if reviewed is None else plan_digest(reviewed),
        refusals=tuple(refusals),
        in_the_way=in_the_way,
        unchecked=unchecked,
        warnings=len(warnings),
        unknown=unknown,
        stopped=stopped,
    )


def is_enforced(migration: PreviewedMigration, name: str) -> bool:
    """Tell whether a prerequisite that is not met makes `up` refuse."""
    return name in _ALWAYS or migration.inputs.get("prerequisites", "enforce") == "enforce"


def is_refusal(text: str) -> bool:
    """Tell whether a warning says that the plan is not the approved one."""
    return _NOT_APPROVED.match(text) is not None


def is_running(migration: PreviewedMigration) -> bool:
    """Tell whether a migration of this resource ran when the last run, or the last refresh, looked."""
    return bool(migration.outputs.get("migration_id")) and migration.outputs.get("status") not in TERMINAL_STATES


def is_approved_whole(preview: ParsedPreview, judgements: Sequence[Judgement]) -> bool:
    """Tell whether everything that `up` would start was approved."""
    wanting = {Approval.MISSING, Approval.OTHER, Approval.UNKNOWN}
    return not preview.failed and not any(judgement.approval in wanting for judgement in judgements)


def sentence(preview: ParsedPreview, judgements: Sequence[Judgement]) -> str:
    """Return the verdict on all of it as one line of Markdown, without an end."""
    errors = len(preview.errors) + sum(len(migration.errors) for migration in preview.migrations)
    if preview.failed:
        return f"Will be refused: the preview failed with {count_noun(errors, 'error')}."
    level = max((judgement.level for judgement in judgements), default=Level.NONE)
    if level is Level.NONE:
        return "No migration changes."
    if level is Level.REFUSED:
        return f"Will be refused: {_named_refusals(judgements)}."
    moves, unknown = _moves(judgements), _unknown(judgements)
    if level is Level.UNKNOWN:
        return f"Not known yet: {'; '.join([unknown, *moves])}."
    if unknown:
        moves.append(f"{unknown} is not known yet")
    said = "; ".join(moves) or "no node moves"
    return f"Look first: {said}; {_trouble(judgements)}." if level is Level.LOOK else f"Ready: {said}."


def _amounts(migration: PreviewedMigration, planned: Mapping[str, str] | None) -> Amounts:
    if not migration.starts:
        return Amounts()
    for note in migration.of(Kind.PLAN):
        numbers = [_number(form, note.text) for form in (_NODES, _STILL, _ACTIVE, _PODS, _BATCHES)]
        nodes, still, active, pods, batches = numbers
        if nodes is None:
            continue
        if still is None:
            still = 0 if _GONE in note.text else max(0, nodes - (active or 0))
        return Amounts(moving=still, active=active or 0, pods=pods, batches=batches)
    nodes = sum(node.migration_id is None for node in parse_planned(planned or {}).values())
    return Amounts(moving=nodes)


def _number(form: re.Pattern[str], text: str) -> int | None:
    found = form.search(text)
    return int(found[1]) if found else None


def _approval(migration: PreviewedMigration, planned: Mapping[str, str] | None, amounts: Amounts) -> Approval:
    if not migration.starts:
        return Approval.NEEDLESS
    if planned is None:
        return Approval.UNKNOWN
    if any(is_refusal(note.text) for note in migration.of(Kind.WARNING)):
        return Approval.OTHER
    approved = migration.inputs.get("approved_plan")
    if isinstance(approved, str) and is_approved(planned, approved):
        return Approval.GIVEN
    if not amounts.moving:
        return Approval.NEEDLESS
    return Approval.MISSING if approved is None else Approval.OTHER


def _refusals(
    migration: PreviewedMigration, approval: Approval, planned: Mapping[str, str] | None, amounts: Amounts
) -> list[str]:
    if not migration.starts:
        return []
    found = [
        f"the prerequisite {code(note.name)} is not met"
        for note in migration.of(Kind.FAILED)
        if is_enforced(migration, note.name)
    ]
    if migration.inputs.get("prerequisites") == "off" and migration.inputs.get("unmatched_nodes", "fail") == "fail":
        # The preview looks for nothing then, and `up` refuses these all the same.
        nodes = parse_planned(planned or {}).values() if amounts.moving else ()
        if unmatched := sum(node.virtual_node_group_id is None and node.migration_id is None for node in nodes):
            found.append(f"{count_with_verb(unmatched, 'node', 'match')} no Virtual Node Group")
    if approval is Approval.OTHER:
        found.append("the plan is not the approved one")
    return found


def _stops(migration: PreviewedMigration) -> bool:
    ends = migration.operation in {PreviewOperation.REPLACE, PreviewOperation.DELETE} and not migration.retained
    return ends and is_running(migration)


def _named_refusals(judgements: Sequence[Judgement], most: int = 3) -> str:
    named = [
        refusal if len(judgements) == 1 else f"{code(judgement.migration.name, 40)}: {refusal}"
        for judgement in judgements
        for refusal in judgement.refusals
    ]
    return "; ".join(named[:most]) + (f"; and {len(named) - most} more" if len(named) > most else "")


def _moves(judgements: Sequence[Judgement]) -> list[str]:
    moving = [judgement.amounts for judgement in judgements if judgement.amounts.moving and not judgement.unknown]
    nodes = sum(amounts.moving for amounts in moving)
    pods = [amounts.pods for amounts in moving if amounts.pods is not None]
    said = []
    if nodes:
        subject = count_noun(nodes, "node")
        if len(pods) == len(moving):
            subject += f" with {count_noun(sum(pods), 'pod')}"
        where = ""
        if len(moving) > 1:
            where = f" in {len(moving)} migrations"
        elif moving[0].batches:
            where = f" in {count_noun(moving[0].batches, 'batch')}"
        said.append(f"{subject} {'moves' if nodes == 1 else 'move'} into Ocean{where}")
    if active := sum(judgement.amounts.active for judgement in judgements):
        said.append(f"{count_noun(active, 'node')} {'is' if active == 1 else 'are'} being migrated already")
    return said


def _unknown(judgements: Sequence[Judgement], most: int = 3) -> str:
    named = [code(judgement.migration.name, 40) for judgement in judgements if judgement.unknown]
    return f"which nodes {list_some(named, most)} {'moves' if len(named) == 1 else 'move'}" if named else ""


def _trouble(judgements: Sequence[Judgement]) -> str:
    in_the_way = sum(judgement.in_the_way for judgement in judgements)
    unchecked = sum(judgement.unchecked for judgement in judgements)
    warnings = sum(judgement.warnings for judgement in judgements if judgement.level > Level.NONE)
    stopped = sum(judgement.stopped for judgement in judgements)
    parts = []
    if in_the_way:
        parts.append(f"{count_with_verb(in_the_way, 'thing', 'stand')} in the way")
    if stopped:
        parts.append(f"{count_noun(stopped, 'running migration')} {'is' if stopped == 1 else 'are'} stopped")
    if unchecked:
        parts.append(f"{count_noun(unchecked, 'thing')} could not be checked")
    if warnings:
        parts.append(count_noun(warnings, "warning"))
    return ", ".join(parts)
