"""What a report says of a run in every form: the words, the figures, and which node comes first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import IntEnum
from itertools import pairwise
from typing import Final

from ocean_migration_pulumi.api.models.migration import (
    REQUIRES_MANUAL_MIGRATION,
    LogEntry,
    MigrationInstance,
    MigrationState,
)
from ocean_migration_pulumi.common.text import count_noun
from ocean_migration_pulumi.common.times import format_elapsed, parse_time
from ocean_migration_pulumi.migration.diagnosis.diagnosis import Outcome
from ocean_migration_pulumi.migration.views.run_report import Moment, RunReport

VERDICTS: Final[Mapping[str, str]] = {
    Outcome.RUNNING: "Running",
    Outcome.FINISHED: "Finished",
    Outcome.LEFTOVERS: "Finished, with leftovers",
    Outcome.STOPPED: "Stopped",
    Outcome.FAILED: "Failed",
    Outcome.STALLED: "Stalled",
}
"""The outcome in a word."""

NOT_RECORDED: Final = (
    "Recorded moments: none, so that only begin and end are known. Run `ocean-migration watch --record FILE` beside "
    "the next one, or give the stack that ran this one (`--stack`)."
)
"""What stands in the place of the course of a run that nobody wrote down."""

UNSEEN: Final = "not seen"
"""The state of a time that nobody looked at."""

WHOLE: Final = "from begin to end"
"""The state of the whole time of a run that nobody wrote down."""

NONE: Final = "-"
_GRAVE: Final = frozenset({"ERROR", "WARN", "WARNING"})
_DIGITS: Final = re.compile(r"[0-9]+|[^0-9]+")
_MOST_STATES: Final = 15


class ReportedStage(IntEnum):
    """How far an old node is; what needs somebody comes first."""

    MANUAL = 0
    PODS = 1
    UNTOLD = 2
    DONE = 3


REPORTED_STAGES: Final[Mapping[ReportedStage, str]] = {
    ReportedStage.MANUAL: "to move by hand",
    ReportedStage.PODS: "with pods left",
    ReportedStage.UNTOLD: "not told",
    ReportedStage.DONE: "done",
}
"""The stage of a node in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedOldNode:
    """An old node; ``pods`` is None when the service does not tell how many are left."""

    instance_id: str
    name: str
    group: str
    state: str
    pods: int | None
    stage: ReportedStage


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedNewNode:
    """A new node; ``virtual_node_group`` is empty when it is not known, ``pods`` None when they are not told."""

    instance_id: str
    name: str
    state: str
    pods: int | None
    virtual_node_group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A line of the table of facts; a ``name`` of someone else's choosing stands beside the text, or alone."""

    label: str
    text: str = ""
    names: tuple[str, ...] = ()


def facts(run_report: RunReport) -> list[Fact]:
    """Return the facts, each in a line."""
    status, progress = run_report.status, run_report.progress
    cluster = tuple(name for name in (run_report.cluster_name, run_report.ocean_id) if name)
    found = [
        Fact(label="Cluster", names=cluster),
        Fact(label="State", names=(status.state,)),
        Fact(label="Begun", text=time_of(run_report.begun)),
        Fact(label="Ended", text=time_of(run_report.ended) if status.is_terminal else "it still runs"),
        Fact(label="Duration", text=duration(run_report)),
        Fact(label="Nodes done", text=f"{progress.done} of {progress.total}"),
        Fact(label="Pods left on old nodes", text=str(progress.pods)),
        Fact(label="Unscheduled pods", text=str(progress.unscheduled)),
        Fact(label="New nodes", text=str(len(status.new_instances))),
    ]
    if progress.manual:
        found.insert(6, Fact(label="Nodes to move by hand", text=str(progress.manual)))
    flags = (
        ("Drained nodes", status.should_terminate_drained_nodes, "are terminated", "stay"),
        ("Stand-alone pods", status.should_evict_stand_alone_pods, "are evicted", "stay"),
    )
    found += [Fact(label=label, text=yes if flag else no) for label, flag, yes, no in flags if flag is not None]
    return found


def why(run_report: RunReport) -> tuple[str, str, tuple[str, ...], str]:
    """Return a title, and the reason, what shows it and the remedy, each empty when there is none."""
    explanation = run_report.explanation
    title = "Why, and what to do" if explanation.reason or explanation.remedy else "Where it stands"
    return title, explanation.reason, explanation.evidence, explanation.remedy


def old_nodes(run_report: RunReport) -> list[ReportedOldNode]:
    """Return the old nodes: first those that need somebody, then those with the most pods, at last what is done."""
    finished = run_report.status.state == MigrationState.FINISHED
    nodes = [
        ReportedOldNode(
            instance_id=instance.instance_id,
            name=instance.node_name,
            group=instance.asg_name or "",
            state=instance.state,
            pods=instance.running_pods,
            stage=_stage(instance, finished=finished),
        )
        for instance in run_report.status.old_instances
    ]
    return sorted(nodes, key=lambda node: (node.stage, -(node.pods or 0), *_by_number(node.name, node.instance_id)))


def new_nodes(run_report: RunReport) -> list[ReportedNewNode]:
    """Return the new nodes by Virtual Node Group and name."""
    nodes = [
        ReportedNewNode(
            instance_id=instance.instance_id,
            name=instance.node_name,
            state=instance.state,
            pods=instance.running_pods,
            virtual_node_group=run_report.virtual_node_groups.get(instance.instance_id, ""),
        )
        for instance in run_report.status.new_instances
    ]
    return sorted(nodes, key=lambda node: (node.virtual_node_group, *_by_number(node.name, node.instance_id)))


def notes(run_report: RunReport) -> list[str]:
    """Return what could not be known, and why, each once."""
    return list(dict.fromkeys((*run_report.explanation.notes, *run_report.notes)))


def unscheduled(run_report: RunReport) -> list[str]:
    """Return the ids of the unscheduled pods, each once."""
    return sorted({*run_report.status.unscheduled_pods, *run_report.status.new_unscheduled_pods})


def duration(run_report: RunReport) -> str:
    """Return how long it took, or has taken so far."""
    if run_report.seconds is None:
        return "not told"
    return format_elapsed(run_report.seconds) + ("" if run_report.status.is_terminal else " so far")


def time_of(moment: datetime | None) -> str:
    """Return a time as a reader in any time zone understands it."""
    return "not told" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def log_time(line: LogEntry) -> str:
    """Return the time of a line of the log; the service's own writing when it cannot be read."""
    moment = parse_time(line.created_at)
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else line.created_at or NONE


def excerpt(log: Sequence[LogEntry], most: int) -> list[LogEntry]:
    """Return at most so many lines of the log, in their order: what went wrong first of all, then the newest."""
    kept = sorted(enumerate(log), key=lambda line: (line[1].severity.upper() in _GRAVE, line[0]), reverse=True)[:most]
    return [line for _, line in sorted(kept, key=lambda line: line[0])]


def of_all(shown: int, total: int, noun: str) -> str:
    """Return ``3 lines``, or ``100 of 345 lines``."""
    return count_noun(total, noun) if shown == total else f"{shown} of {count_noun(total, noun)}"


def changes(moments: Iterable[Moment]) -> list[Moment]:
    """Return the moments that differ from the one before them, and the last one."""
    seen = list(moments)
    found = seen[:1] + [later for one, later in pairwise(seen) if replace(one, at=later.at) != later]
    return found if not seen or found[-1] == seen[-1] else [*found, seen[-1]]


def lanes(run_report: RunReport) -> dict[str, list[tuple[float, float]]]:
    """Return for each state, in the order of their first visit, the spans in seconds since the begin.

    Beyond 15 states, which only a service of another version has, the others share a lane without a name of its own.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for visit in run_report.visits():
        state = visit.state or (UNSEEN if run_report.is_recorded else WHOLE)
        if state not in found and len(found) >= _MOST_STATES:
            state = "other states"
        begun = (visit.begun - (run_report.begun or visit.begun)).total_seconds()
        found.setdefault(state, []).append((begun, begun + visit.seconds))
    return found


def summed(spans: Iterable[tuple[float, float]]) -> str:
    """Return how long the spans are together, and how many they are when they are several."""
    times = [end - begin for begin, end in spans]
    return format_elapsed(sum(times)) + (f", {len(times)} times" if len(times) > 1 else "")


def pods_of(pods: int | None) -> str:
    """Return a number of pods; a dash when it is not told."""
    return NONE if pods is None else str(pods)


def summary_of(nodes: Iterable[ReportedOldNode]) -> str:
    """Return how many of the nodes are at which stage, the most urgent first."""
    count = {stage: 0 for stage in ReportedStage}
    for node in nodes:
        count[node.stage] += 1
    return ", ".join(f"{number} {REPORTED_STAGES[stage]}" for stage, number in count.items() if number) or count_noun(
        0, "node"
    )


def _by_number(*names: str) -> list[list[tuple[int, str]]]:
    """Return what sorts names as people do: ``node-9`` before ``node-10``."""
    return [[(len(part), part) if part.isdigit() else (0, part) for part in _DIGITS.findall(name)] for name in names]


def _stage(instance: MigrationInstance, *, finished: bool) -> ReportedStage:
    if instance.state == REQUIRES_MANUAL_MIGRATION:
        return ReportedStage.MANUAL
    if finished or instance.running_pods == 0:
        return ReportedStage.DONE
    return ReportedStage.UNTOLD if instance.running_pods is None else ReportedStage.PODS
