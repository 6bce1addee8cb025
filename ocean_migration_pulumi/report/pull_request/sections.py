"""The section of one migration in the comment, the most urgent parts first."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from ocean_migration_pulumi.api.models.migration import DEFAULT_VIRTUAL_NODE_GROUP
from ocean_migration_pulumi.common.json_values import as_map
from ocean_migration_pulumi.common.text import count_noun, list_some, natural_key
from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.planning.text.findings_text import render
from ocean_migration_pulumi.migration.planning.text.plan_text import describe_changes, describe_market
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity
from ocean_migration_pulumi.migration.spec.input_readers import SHORTEST_DIGEST
from ocean_migration_pulumi.migration.spec.planned_nodes import UNKNOWN_VNG, PlannedNode, count_moved, parse_planned
from ocean_migration_pulumi.migration.spec.stop_conditions import read_stop_conditions
from ocean_migration_pulumi.migration.spec.vocabulary import write_approval_command
from ocean_migration_pulumi.report.markdown import NAME, code, fence, heading, item, prose, row
from ocean_migration_pulumi.report.pull_request.layout import Part, Section, Weight
from ocean_migration_pulumi.report.pull_request.preview import HIDDEN, UNKNOWN, PreviewedMigration, PreviewOperation
from ocean_migration_pulumi.report.pull_request.verdict import (
    Approval,
    Assessment,
    CommentTopic,
    find_topic,
    has_running_migration,
)
from ocean_migration_pulumi.resource.preview_file import VARIABLE

_HEADS: Final[Mapping[PreviewOperation, str]] = {
    PreviewOperation.CREATE: "will be created",
    PreviewOperation.REPLACE: "will be replaced",
    PreviewOperation.UPDATE: "will be updated",
    PreviewOperation.DELETE: "will be deleted",
    PreviewOperation.SAME: "does not change",
}
_DESTRUCTIVE: Final[Mapping[str, str]] = {
    "should_terminate_drained_nodes": "drained nodes are terminated",
    "should_evict_stand_alone_pods": "standalone pods are deleted and not recreated",
    "force_pod_eviction_on_pdb_failure": "pods are deleted although a PodDisruptionBudget protects them",
    "terminate_drained_nodes_on_stop": "stopping the migration terminates the nodes drained so far",
}
_WEIGHTS: Final[Mapping[CommentTopic, tuple[Weight, str]]] = {
    CommentTopic.BLOCKED: (Weight.BLOCKER, "blocker"),
    CommentTopic.DOWNTIME: (Weight.BLOCKER, "downtime warning"),
    CommentTopic.CHECKS: (Weight.CHECK, "check"),
    CommentTopic.UNKNOWN: (Weight.WARNING, "line"),
    CommentTopic.WARNINGS: (Weight.WARNING, "warning"),
    CommentTopic.REMARKS: (Weight.REMARK, "line"),
}
_URGENT: Final = (
    CommentTopic.BLOCKED,
    CommentTopic.DOWNTIME,
    CommentTopic.CHECKS,
    CommentTopic.UNKNOWN,
    CommentTopic.WARNINGS,
)
_CHECKS: Final[Mapping[str, str]] = {
    Code.CHECK_FAILED: "failed",
    Code.CHECK_WARNING: "warning",
    Code.CHECK_UNKNOWN: "unknown",
    Code.CHECKS_PASSED: "",
}
_NONE: Final = "-"
_UNKNOWN_PART: Final = "[unknown]"
_STOP_WHEN: Final = "stop_when"
_PLAIN_STOPS: Final = {f"{_STOP_WHEN}.{name}" for name in ("broken_workloads", "below_required_for", "unscheduled_for")}
_MOST_NAMED: Final = 10
_MOST_ROWS: Final = 50


def build_section(assessment: Assessment) -> Section:
    """Return the section of one migration, its parts in the order of the comment."""
    migration = assessment.migration
    parts = [_paragraphs(_opening(assessment))]
    for topic in _URGENT:
        parts += _diagnostics(migration, topic)
    if assessment.planned:
        parts.append(_vngs(migration, assessment.planned))
    parts += _diagnostics(migration, CommentTopic.REMARKS, _without_watch(assessment))
    parts += _suggestions(migration)
    parts += _approval(assessment)
    if assessment.planned:
        parts.append(_nodes(assessment.planned))
    return Section(parts=tuple(parts), urgency=assessment.level)


def _paragraphs(rows: Iterable[str]) -> Part:
    return Part(rows=tuple(rows), between="\n\n")


def _opening(assessment: Assessment) -> Iterable[str]:
    migration, planned = assessment.migration, assessment.planned
    yield f"### {code(migration.name)} {_HEADS[migration.operation]}"
    if migration.is_run:
        if planned is None:
            yield f"Plan: {_explain_missing_plan(migration)}."
        else:
            moved = count_moved(planned)
            apart = f" ({moved} of them migrated earlier)" if moved else ""
            digest = f", digest {code(assessment.digest) if assessment.digest else 'not known yet'}"
            yield f"Plan: {count_noun(len(planned), 'node')}{apart}{digest if moved < len(planned) else ''}."
        if not migration.is_recorded and migration.inputs.get("planned_nodes") != UNKNOWN:
            yield (
                f"Details are missing: set {code(VARIABLE)} for `pulumi preview`, and pass that file with "
                f"{code('--preview-file')}."
            )
    yield from _changes(migration)
    if migration.is_run:
        yield _destruction(migration)


def _explain_missing_plan(migration: PreviewedMigration) -> str:
    planned = migration.inputs.get("planned_nodes")
    if planned == UNKNOWN:
        return "depends on resources that do not exist yet; made by `pulumi up`"
    if planned == HIDDEN:
        return "hidden, because it is a secret"
    return "not made yet; see the warnings"


def _changes(migration: PreviewedMigration) -> Iterable[str]:
    end = "No migration is running; migrated workloads stay on Ocean."
    if has_running_migration(migration):
        running = code(str(migration.old_outputs["migration_id"]))
        end = f"The running migration {running} {'keeps running' if migration.is_retained else 'will be stopped'}."
    if migration.operation is PreviewOperation.DELETE:
        yield end
    if migration.operation is PreviewOperation.REPLACE:
        why = f" because of {list_some(map(code, migration.replace_reasons), _MOST_NAMED)}"
        yield f"Deleted first, then created{why if migration.replace_reasons else ''}. {end}"
    if migration.operation is PreviewOperation.UPDATE:
        yield from _changed_nodes(migration)
        yield from _changed_inputs(migration)


def _changed_nodes(migration: PreviewedMigration) -> Iterable[str]:
    planned, old = migration.planned, migration.old_planned
    if planned is None or not old:
        return
    for verb, names in (("Added", planned.keys() - old.keys()), ("Removed", old.keys() - planned.keys())):
        if names:
            yield f"{verb}: {count_noun(len(names), 'node')} ({list_some(map(code, sorted(names)), _MOST_NAMED)})."


def _changed_inputs(migration: PreviewedMigration) -> Iterable[str]:
    new, old = migration.inputs, migration.old_inputs
    names = (new.keys() | old.keys()) - {"__provider", "planned_nodes"}
    changed = [
        text for name in sorted(names) for text in _changed_value(name, old.get(name), new.get(name), "its default")
    ]
    if changed:
        yield f"Changed: {list_some(changed, _MOST_NAMED)}."


def _changed_value(name: str, old: Any, new: Any, absent: str) -> Iterator[str]:
    """Yield each difference of two values, that of maps with the path of its key: a whole map would be cut."""
    if old == new:
        return
    maps = [value for value in (old, new) if value is not None]
    if all(isinstance(value, dict) for value in maps):
        for key in sorted({key for value in maps for key in value}):
            yield from _changed_value(f"{name}.{key}", as_map(old).get(key), as_map(new).get(key), "unset")
        return
    before, after = _value(name, old, absent), _value(name, new, absent)
    if isinstance(old, list) and isinstance(new, list) and not _is_check(name) and _is_long(old, new):
        yield f"{code(name)} ({_list_changes(old, new)})"
    elif before == after:
        yield f"{code(name)}, in a part that is not shown"
    else:
        yield f"{code(name)} from {before} to {after}"


def _is_long(*values: Any) -> bool:
    return any(len(_to_json(value)) > NAME for value in values)


def _is_check(name: str) -> bool:
    """Tell whether an input may have a secret that the program does not mark as one, such as the query of a URL."""
    return name.partition(".")[0] == _STOP_WHEN and name not in _PLAIN_STOPS


def _list_changes(old: list[Any], new: list[Any]) -> str:
    changes = []
    for verb, entries, others in (("added", new, old), ("removed", old, new)):
        names = [code(_to_json(entry)) for entry in entries if entry not in others]
        if names:
            changes.append(f"{verb} {list_some(names, _MOST_NAMED)}")
    return ", ".join(changes) or "in another order"


def _value(name: str, value: Any, absent: str) -> str:
    if value is None:
        return absent
    if value == UNKNOWN:
        return "a value not known yet"
    if _is_check(name):
        value = _describe_checks(name, value)
    if value == HIDDEN:
        return "a value that is not shown"
    if isinstance(value, dict | list | bool):
        return code(_to_json(value))
    return code(str(value))


def _to_json(value: Any) -> str:
    return json.dumps(_name_unknown(value), ensure_ascii=False)


def _describe_checks(name: str, value: Any) -> str:
    """Return checks of ``stop_when`` without what may be a secret."""
    try:
        return str(read_stop_conditions(_STOP_WHEN, {name.removeprefix(f"{_STOP_WHEN}."): value}) or "none")
    except InputError:
        return HIDDEN


def _name_unknown(value: Any) -> Any:
    """Return a value in which every unknown part, however deep, is called that."""
    if isinstance(value, dict):
        return {key: _name_unknown(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_name_unknown(part) for part in value]
    return _UNKNOWN_PART if value == UNKNOWN else value


def _destruction(migration: PreviewedMigration) -> str:
    """Return what cannot be undone; an option whose value is not known counts as on."""
    risks = [
        f"**{text}** ({code(name)}{'' if migration.inputs[name] is True else ', not known yet'})"
        for name, text in _DESTRUCTIVE.items()
        if migration.inputs.get(name) not in (None, False)
    ]
    return f"Destructive: {'; '.join(risks)}." if risks else "Nothing is terminated, deleted, or forced."


def _without_watch(assessment: Assessment) -> list[Diagnostic]:
    """Return the line about workload health when the preview had no access to Kubernetes."""
    migration = assessment.migration
    is_summarized = migration.is_recorded and not assessment.unknown
    if not (assessment.waiting and is_summarized) or migration.select(Code.HEALTH_PLANNED):
        return []
    inputs = migration.inputs
    waits = inputs.get("wait_for") or "finished"
    unwatched = inputs.get("health") == "off" or waits != "finished"
    if waits == "started" or (unwatched and inputs.get("stop_when") is None):
        return []
    fields = {"workloads": None, "reason": "no access to Kubernetes in the preview"}
    return [Diagnostic.info(Code.HEALTH_PLANNED, **fields)]


def _diagnostics(migration: PreviewedMigration, topic: CommentTopic, more: Iterable[Diagnostic] = ()) -> list[Part]:
    chosen = [*(each for each in migration.diagnostics if find_topic(each) is topic), *more]
    rows = [item(prose(render(each))) for each in chosen]
    if topic is CommentTopic.CHECKS:
        rows = [_check(each) for each in sorted(chosen, key=_urgency)]
    weight, noun = _WEIGHTS[topic]
    part = Part(rows=tuple(rows), head=f"**{topic}**\n\n", weight=weight, noun=noun, most=_MOST_ROWS)
    return [part] if rows else []


def _check(diagnostic: Diagnostic) -> str:
    status, text = _CHECKS[diagnostic.code], prose(render(diagnostic))
    return item(f"[ ] {code(diagnostic.subject)} **{status}**: {text}" if status else f"[x] {text}")


def _urgency(check: Diagnostic) -> tuple[bool, int]:
    """Sort those checks first that make `pulumi up` refuse, and the passed ones last."""
    return check.severity is not Severity.ERROR, list(_CHECKS).index(check.code)


def _vngs(migration: PreviewedMigration, planned: Mapping[str, str]) -> Part:
    capacity = {each.subject: _capacity(each.fields) for each in migration.select(Code.DESTINATION)}
    counts = Counter(
        (node.asg_name or "", _target(node), capacity.get(node.virtual_node_group_id or "", ""))
        for node in parse_planned(planned).values()
    )
    rows = tuple(
        row((code(asg) if asg else _NONE, target, str(count), text or _NONE))
        for (asg, target, text), count in sorted(
            counts.items(), key=lambda entry: (-entry[1], *map(natural_key, entry[0]))
        )
    )
    head = "**Nodes**\n\n" + heading(("Auto Scaling Group", "Virtual Node Group", "Nodes", "New capacity")) + "\n"
    return Part(rows=rows, head=head, weight=Weight.TABLE, noun="group", most=_MOST_ROWS)


def _capacity(fields: Mapping[str, Any]) -> str:
    """Return what a Virtual Node Group launches, as Markdown; empty if unknown."""
    try:
        return prose(describe_market(fields)) if fields.get("known") else ""
    except (KeyError, TypeError):  # fields of another version
        return ""


def _target(node: PlannedNode) -> str:
    if node.migration_id:
        return f"migrated by {code(node.migration_id)}"
    if node.virtual_node_group_id is None:
        return "**none**"
    if node.virtual_node_group_id == DEFAULT_VIRTUAL_NODE_GROUP:
        return f"any ({code(DEFAULT_VIRTUAL_NODE_GROUP)})"
    if node.virtual_node_group_id == UNKNOWN_VNG:
        return UNKNOWN_VNG
    name = code(node.virtual_node_group_name)
    same = node.virtual_node_group_name == node.virtual_node_group_id
    return name if same else f"{name} {code(node.virtual_node_group_id)}"


def _budgets_of(workloads: Sequence[str]) -> str:
    budgets = "PodDisruptionBudget" if len(workloads) == 1 else "PodDisruptionBudgets"
    return f"{budgets} for {list_some(map(code, workloads), _MOST_NAMED)}"


def _suggestions(migration: PreviewedMigration) -> list[Part]:
    rows = tuple(
        f"Suggested Virtual Node Group {code(each.subject)}:\n\n{fence(str(each.fields.get('source', '')), 'python')}"
        for each in migration.select(Code.VNG_SUGGESTION)
    )
    budgets = tuple(
        f"Suggested {_budgets_of(each.fields.get('workloads', ()))}:\n\n"
        f"{fence(str(each.fields.get('source', '')), 'yaml')}"
        for each in migration.select(Code.PDB_SUGGESTION)
    )
    return [
        Part(rows=found, between="\n\n", weight=Weight.SUGGESTION, noun=f"suggested {noun}")
        for found, noun in ((budgets, "PodDisruptionBudget"), (rows, "Virtual Node Group"))
        if found
    ]


def _approval(assessment: Assessment) -> list[Part]:
    migration, approval = assessment.migration, assessment.approval
    if approval is Approval.GIVEN:
        return [_paragraphs(["**Approved**: `pulumi up` starts no other plan."])]
    if approval is Approval.UNKNOWN and assessment.planned is not None:
        return [_paragraphs(["The plan cannot be approved yet: some of its inputs are not known."])]
    if approval is Approval.UNKNOWN:
        return [_paragraphs(["There is no plan to approve yet."])]
    if approval is Approval.NOT_NEEDED:
        return []
    approved = migration.inputs.get("approved_plan")
    known = isinstance(approved, str) and approved not in (HIDDEN, UNKNOWN)
    state = f"**A different plan is approved**, {code(str(approved))}." if known else "**Not approved.**"
    # The digest is in the opening, too: without room for the command the state is enough.
    part = partial(Part, between="\n\n", weight=Weight.APPROVAL, short=state)
    if known and len(str(approved)) >= SHORTEST_DIGEST:
        # Names and values of inputs, which need no escape.
        changes = describe_changes([change.to_json() for change in assessment.changes])
        state += f" Changed since the approval: {changes}."
    command = write_approval_command(migration.name, assessment.digest)
    if command is None:
        text = f"{state} To approve this plan, set the input {code('approved_plan')} to {code(assessment.digest)}."
        return [part(rows=(text,))]
    where = f" in the config of stack {code(migration.stack)}" if migration.stack else ""
    if known:
        where += f", or in the program if that sets {code('approved_plan')}"
    return [part(rows=(f"{state} To approve this plan, set its digest{where}:\n\n{fence(command, 'sh')}",))]


def _nodes(planned: Mapping[str, str]) -> Part:
    rows = tuple(_node(node) for _, node in sorted(parse_planned(planned).items()))
    head = f"<details><summary>{count_noun(len(rows), 'planned node')}</summary>\n\n"
    head += heading(("Instance", "Node", "Auto Scaling Group", "Virtual Node Group")) + "\n"
    return Part(rows=rows, head=head, tail="\n\n</details>", weight=Weight.LIST, noun="node")


def _node(node: PlannedNode) -> str:
    asg = code(node.asg_name) if node.asg_name else _NONE
    return row((code(node.instance_id), code(node.node_name) if node.node_name else _NONE, asg, _target(node)))
