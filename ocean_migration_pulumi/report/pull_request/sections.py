"""The section of one migration in the comment: what changes, what stands in the way, which nodes go where."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from ocean_migration_pulumi.common.text import count_noun, count_with_verb, list_some
from ocean_migration_pulumi.migration.spec.diagnostic import Kind, Note
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode, parse_planned, shorten_digest
from ocean_migration_pulumi.report.markdown import code, fence, heading, item, prose, row
from ocean_migration_pulumi.report.pull_request.layout import Part, Weight
from ocean_migration_pulumi.report.pull_request.preview import HIDDEN, UNKNOWN, PreviewedMigration, PreviewOperation
from ocean_migration_pulumi.report.pull_request.verdict import Approval, Judgement, is_enforced, is_refusal, is_running

_HEADS: Final[Mapping[PreviewOperation, str]] = {
    PreviewOperation.CREATE: "is new",
    PreviewOperation.REPLACE: "is replaced",
    PreviewOperation.UPDATE: "is updated",
    PreviewOperation.DELETE: "is removed from the stack",
    PreviewOperation.SAME: "does not change",
    PreviewOperation.UNTOLD: "could not be previewed",
}
_DESTROYS: Final[Mapping[str, str]] = {
    "should_terminate_drained_nodes": "old instances are terminated once they are drained",
    "should_evict_stand_alone_pods": "pods that no controller brings back are deleted",
    "force_pod_eviction_on_pdb_failure": "pods go although a PodDisruptionBudget forbids it",
    "terminate_drained_nodes_on_stop": "a stop terminates the nodes that are drained by then",
}
_OPEN: Final[Mapping[Kind, str]] = {
    Kind.FAILED: "not met",
    Kind.DOUBTED: "in doubt",
    Kind.UNKNOWN: "unknown",
}
_DESTINATION: Final = re.compile(r".+ \((?P<group>\S+)\): \d+ nodes?(?:, \d+ pods?)?(?:, (?P<market>.+))?")
_BATCHES: Final = re.compile(r"(?P<count>\d+) batch(?:es)? (?P<size>of \d+ nodes?\b.*)")
_SIMPLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_QUOTABLE: Final = re.compile(r"[A-Za-z0-9 _.:/@+=,-]+")
_NONE: Final = "-"
_FEW: Final = 10  # names in a sentence
_MANY: Final = 50  # rows that a reader is not asked to unfold


def section(judgement: Judgement) -> list[Part]:
    """Return the parts of one migration, the most urgent ones first."""
    migration = judgement.migration
    parts = [_paragraphs(_opening(judgement))]
    parts += _listed("In the way", migration.of(Kind.BLOCKER), Weight.BLOCKER, "blocker")
    parts += _prerequisites(migration)
    warnings = [note for note in migration.of(Kind.WARNING) if not is_refusal(note.text)]
    parts += _listed("Warnings", warnings, Weight.WARNING, "warning")
    if judgement.planned:
        parts.append(_groups(migration, judgement.planned))
    parts += _moves(migration)
    parts += _snippets(migration)
    if approval := list(_approval(judgement)):
        parts.append(_paragraphs(approval))
    if judgement.planned:
        parts.append(_nodes(judgement.planned))
    return parts


def _paragraphs(rows: Iterable[str]) -> Part:
    return Part(rows=tuple(rows), between="\n\n")


def _opening(judgement: Judgement) -> Iterable[str]:
    migration = judgement.migration
    yield f"### {code(migration.name)} {_HEADS[migration.operation]}"
    if judgement.planned is not None and migration.starts:
        digest = judgement.digest
        gone = sum(node.migration_id is not None for node in parse_planned(judgement.planned).values())
        apart = f"; {gone} of them moved before and are no part of it" if gone else ""
        yield (
            f"Plan {code(shorten_digest(digest))} of {count_noun(len(judgement.planned), 'node')}, in "
            f"full {code(digest)}{apart}."
        )
    elif migration.starts:
        yield f"Which nodes: {_unplanned(migration)}."
    yield from _changes(migration)
    if migration.starts:
        yield _destruction(migration)


def _unplanned(migration: PreviewedMigration) -> str:
    planned = migration.inputs.get("planned_nodes")
    if planned == UNKNOWN:
        return "not known before something else of the stack is there; `up` plans them then"
    if planned == HIDDEN:
        return "not shown, for they are a secret"
    return "not planned yet; the warnings say why"


def _changes(migration: PreviewedMigration) -> Iterable[str]:
    end = "Nothing of it runs; what has moved stays where it is."
    if is_running(migration):
        running = code(str(migration.outputs["migration_id"]))
        end = f"Its migration {running}, which runs, {'is left alone' if migration.retained else 'is stopped'}."
    if migration.operation is PreviewOperation.DELETE:
        yield end
    if migration.operation is PreviewOperation.REPLACE:
        why = f", because of {', '.join(map(code, migration.reasons[:_FEW]))}" if migration.reasons else ""
        yield f"The old one is deleted first{why}. {end}"
    if migration.operation is PreviewOperation.UPDATE:
        yield from _joined(migration)
        yield from _options(migration)


def _joined(migration: PreviewedMigration) -> Iterable[str]:
    planned, before = migration.planned, migration.recorded
    if planned is None or not before:
        return
    joined, left = sorted(planned.keys() - before.keys()), sorted(before.keys() - planned.keys())
    if joined:
        yield f"{count_with_verb(len(joined), 'node', 'join')} the plan: {_some(joined)}."
    if left:
        yield f"{count_with_verb(len(left), 'node', 'leave')} the plan: {_some(left)}."


def _options(migration: PreviewedMigration) -> Iterable[str]:
    names = (migration.inputs.keys() | migration.before.keys()) - {"__provider", "planned_nodes"}
    changed = [name for name in sorted(names) if migration.inputs.get(name) != migration.before.get(name)]
    shown = [
        f"{code(name)} from {_value(migration.before.get(name))} to {_value(migration.inputs.get(name))}"
        for name in changed[:_FEW]
    ]
    more = f" and {len(changed) - _FEW} more" if len(changed) > _FEW else ""
    if shown:
        yield f"Changed: {'; '.join(shown)}{more}."


def _value(value: Any) -> str:
    if value is None:
        return "its default"
    if value == UNKNOWN:
        return "what is not known yet"
    return code(str(value).lower() if isinstance(value, bool) else str(value))


def _destruction(migration: PreviewedMigration) -> str:
    """Say what cannot be undone; an option that is not known counts as on."""
    told_of = [
        f"**{text}** ({code(name)}{'' if migration.inputs[name] is True else ', not known yet'})"
        for name, text in _DESTROYS.items()
        if migration.inputs.get(name) not in (None, False)
    ]
    return f"Careful: {'; '.join(told_of)}." if told_of else "Nothing is terminated, deleted or forced."


def _approval(judgement: Judgement) -> Iterable[str]:
    migration, approval = judgement.migration, judgement.approval
    approved = migration.inputs.get("approved_plan")
    if approval is Approval.GIVEN:
        yield "**Approved**: `up` starts this plan and no other."
    elif approval is Approval.UNKNOWN:
        yield "There is no plan yet that could be approved."
    elif approval in {Approval.MISSING, Approval.OTHER}:
        known = isinstance(approved, str) and approved not in (HIDDEN, UNKNOWN)
        state = f"**Approved is another plan**, {code(str(approved))}." if known else "**Not approved.**"
        command = _command(migration.name, judgement.digest)
        if command is None:
            yield f"{state} To approve this one, set the input {code('approved_plan')} to {code(judgement.digest)}."
        else:
            where = f" in the config of stack {code(migration.stack)}" if migration.stack else ""
            yield f"{state} To approve this one, after the review, set its digest{where}:"
            yield fence(command, "sh")


def _command(name: str, digest: str) -> str | None:
    """Return the command that approves a plan; None for a name that a shell or the path could read otherwise."""
    if _SIMPLE.fullmatch(name):
        path = f"ocean-migration:approvedPlan.{name}"
    elif _QUOTABLE.fullmatch(name):
        path = f'ocean-migration:approvedPlan["{name}"]'
    else:
        return None
    quoted = shlex.quote(path)
    return f"pulumi config set --path {quoted if quoted != path else repr(path)} {digest}"


def _listed(title: str, notes: Iterable[Note], weight: Weight, noun: str) -> list[Part]:
    return _titled(title, [item(prose(note.text)) for note in notes], weight, noun)


def _titled(title: str, items: Sequence[str], weight: Weight, noun: str) -> list[Part]:
    head = f"**{title}**\n\n"
    return [Part(rows=tuple(items), head=head, weight=weight, noun=noun, most=_MANY)] if items else []


def _prerequisites(migration: PreviewedMigration) -> list[Part]:
    rows = []
    for note in sorted(migration.of(*_OPEN), key=lambda note: list(_OPEN).index(note.kind)):
        state = _OPEN[note.kind]
        if note.kind is Kind.FAILED and is_enforced(migration, note.name):
            state += ", `up` will refuse"
        rows.append(item(f"[ ] {code(note.name)} **{state}**: {prose(note.text)}"))
    rows += [item(f"[x] {code(note.name)}: {prose(note.text)}") for note in migration.of(Kind.MET)]
    return _titled("Prerequisites", rows, Weight.PREREQUISITE, "prerequisite")


def _groups(migration: PreviewedMigration, planned: Mapping[str, str]) -> Part:
    markets = {}
    for note in migration.of(Kind.DESTINATION):
        found = _DESTINATION.fullmatch(note.text)
        if found and found["market"]:
            markets[found["group"]] = found["market"]
    counts = Counter(
        (node.asg_name or "", _target(node), markets.get(node.virtual_node_group_id or "", ""))
        for node in parse_planned(planned).values()
    )
    rows = tuple(
        row((code(asg) if asg else _NONE, target, str(count), prose(market) if market else _NONE))
        for (asg, target, market), count in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    )
    head = heading(("Auto Scaling Group", "Virtual Node Group", "nodes", "new nodes are")) + "\n"
    return Part(rows=rows, head=head, weight=Weight.TABLE, noun="group", most=_MANY)


def _target(node: PlannedNode) -> str:
    if node.migration_id:
        return f"moved by {code(node.migration_id)}"
    if node.virtual_node_group_id is None:
        return "**none**"
    name = code(node.virtual_node_group_name)
    same = node.virtual_node_group_name == node.virtual_node_group_id
    return name if same else f"{name} {code(node.virtual_node_group_id)}"


def _moves(migration: PreviewedMigration) -> list[Part]:
    batches = [note.text for note in migration.of(Kind.BATCHES)]
    if not batches:
        batches = [
            f"{found['count']} {found['size']}"
            for note in migration.of(Kind.PLAN)
            if (found := _BATCHES.search(note.text))
        ]
    rows = [item(f"Batches: {prose(text)}") for text in batches]
    rows += [item(f"Pods: {prose(note.text)}") for note in migration.of(Kind.PODS)]
    rows += [item(prose(note.text)) for note in migration.of(Kind.REMARK)]
    return _titled("What moves" if migration.starts else "Remarks", rows, Weight.REMARK, "line")


def _snippets(migration: PreviewedMigration) -> list[Part]:
    rows = []
    for note in migration.of(Kind.GROUP):
        which, _, source = note.text.partition("\n")
        rows.append(f"A Virtual Node Group for {prose(which)}\n\n{fence(source, 'python')}")
    if not rows:
        return []
    return [Part(rows=tuple(rows), between="\n\n", weight=Weight.SNIPPET, noun="missing Virtual Node Group")]


def _nodes(planned: Mapping[str, str]) -> Part:
    rows = tuple(_node(node) for _, node in sorted(parse_planned(planned).items()))
    head = f"<details><summary>All {count_noun(len(rows), 'node')} of the plan</summary>\n\n"
    if len(rows) == 1:
        head = "<details><summary>The node of the plan</summary>\n\n"
    head += heading(("instance", "node", "Auto Scaling Group", "Virtual Node Group")) + "\n"
    return Part(rows=rows, head=head, tail="\n\n</details>", weight=Weight.LIST, noun="node")


def _node(node: PlannedNode) -> str:
    asg = code(node.asg_name) if node.asg_name else _NONE
    return row((code(node.instance_id), code(node.node_name) if node.node_name else _NONE, asg, _target(node)))


def _some(names: list[str]) -> str:
    return list_some(map(code, names), _FEW)
