"""A rehearsal as a part of the comment on a pull request, and by itself: a prediction, and marked as one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.plan import counted, some

from .layout import Part, Weight
from .markdown import code, heading, item, prose, row

_COLUMNS: Final = ("After", "State", "Nodes done", "Pods left", "Unscheduled", "By hand")
_NUMBERS: Final = ("nodes_done", "nodes", "pods_left", "unscheduled", "manual")
_MOST: Final = 100


def read(text: str) -> dict[str, Any]:
    """Return what ``rehearse --json`` printed.

    Raises InputError when it is something else.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict) or data.get("prediction") is not True:
        raise InputError("--rehearsal", "is not what `ocean-migration rehearse --json` prints")
    return data


def section(data: Mapping[str, Any]) -> list[Part]:
    """Return the parts of a rehearsal; what is missing in ``data`` or of another form is left out."""
    parts = [Part(rows=tuple(_opening(data)), between="\n\n")]
    if left := tuple(_left(data)):
        head = "**Predicted to be left**\n\n"
        parts.append(Part(rows=left, head=head, weight=Weight.WARNING, noun="pod", most=_MOST))
    if steps := tuple(_steps(data)):
        head = f"<details><summary>The predicted order of things</summary>\n\n{heading(_COLUMNS)}\n"
        tail = "\n\n" + "\n".join(_invented(data)) + "\n\n</details>"
        parts.append(Part(rows=steps, head=head, tail=tail, weight=Weight.LIST, noun="step", most=_MOST))
    return parts


def unreadable(problem: str) -> list[Part]:
    """Return what stands in the place of a rehearsal that cannot be read."""
    return [Part(rows=(f"**Rehearsal: not known.** {prose(problem)}.",))]


def markdown(data: Mapping[str, Any]) -> str:
    """Return a rehearsal by itself; it can be folded."""
    return "\n\n".join(part.text(part.full) for part in section(data))


def _opening(data: Mapping[str, Any]) -> Iterator[str]:
    cluster = _text(data.get("cluster_name")) or _text(data.get("ocean_id"))
    yield f"### Rehearsal on {code(cluster)}: {prose(_text(data.get('headline')) or 'no outcome')}"
    yield f"**{prose(_text(data.get('warning')) or 'A prediction')}**"
    batches = counted(_number(data.get("batches")), "batch")
    size = counted(_number(data.get("batch_size")), "node")
    yield f"Predicted: {batches} of up to {size}, {prose(_text(data.get('duration')) or '0s')} in all."
    failure = data.get("failure")
    if isinstance(failure, dict):
        yield f"What to do: {prose(_text(failure.get('remedy')) or 'not known')}."
    yield from (item(prose(note)) for note in map(_text, _list(data.get("notes"))) if note)


def _left(data: Mapping[str, Any]) -> Iterator[str]:
    nodes = _objects(data.get("left"))
    for node in nodes:
        if node.get("drained") is False:
            continue
        where = code(_text(node.get("node_name")) or _text(node.get("instance_id")))
        for pod in _objects(node.get("pods")):
            yield item(f"{code(_text(pod.get('name')))} on {where}: {prose(_text(pod.get('why')))}")
    if untouched := [_text(node.get("node_name")) for node in nodes if node.get("drained") is False]:
        yield item(f"{counted(len(untouched), 'node')} not drained before the end: {prose(some(untouched))}")
    waiting = set(map(_text, _list(data.get("waiting_pods"))))
    for name in map(_text, _list(data.get("unscheduled_pods"))):
        yield item(f"{code(name)} finds no node" + (", and has none today" if name in waiting else ""))


def _steps(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield a row for each state, with what it was at its end."""
    steps = _objects(data.get("timeline"))
    for number, step in enumerate(steps):
        following = steps[number + 1] if number + 1 < len(steps) else None
        begins = number == 0 or steps[number - 1].get("state") != step.get("state")
        if begins:
            after = _number(step.get("after_seconds"))
        if following is not None and following.get("state") == step.get("state"):
            continue
        done, nodes, pods, unscheduled, manual = (str(_number(step.get(name))) for name in _NUMBERS)
        state = prose(_text(step.get("state")))
        yield row((_clock(after), state, f"{done}/{nodes}", pods, unscheduled, manual))


def _invented(data: Mapping[str, Any]) -> Iterator[str]:
    yield "Invented by the simulator, as nothing documents it:\n"
    yield from (item(prose(each)) for each in map(_text, _list(data.get("invented"))) if each)


def _clock(seconds: int) -> str:
    return f"{seconds // 3600}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in _list(value) if isinstance(each, dict)]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int:
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e9 else 0
