"""Facts and tables of a run report, shared by its formats."""

from __future__ import annotations

import re
from collections import Counter
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
from ocean_migration_pulumi.migration.diagnosis.stuck_pods_text import describe_blocker
from ocean_migration_pulumi.migration.views.run_report import Moment, RunHealth, RunReport

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
    "Only start and end are known: Spot keeps no history of states. Use --stack with the stack that ran the migration, "
    "or run `ocean-migration watch --record FILE` during the next one."
)
"""What stands in the place of the course of a run that nobody wrote down."""

UNSEEN: Final = "not observed"
"""The state of a time that nobody looked at."""

WHOLE: Final = "whole migration"
"""The state of the whole time of a run that nobody wrote down."""

NONE: Final = "-"
_GRAVE: Final = frozenset({"ERROR", "WARN", "WARNING"})
_DIGITS: Final = re.compile(r"[0-9]+|[^0-9]+")
_MOST_STATES: Final = 15
_MOST_BROKEN: Final = 3


class ReportedStage(IntEnum):
    """How far an old node is; what needs somebody comes first."""

    MANUAL = 0
    PODS = 1
    UNTOLD = 2
    DONE = 3


REPORTED_STAGES: Final[Mapping[ReportedStage, str]] = {
    ReportedStage.MANUAL: "manual",
    ReportedStage.PODS: "with pods left",
    ReportedStage.UNTOLD: "unknown",
    ReportedStage.DONE: "done",
}
"""The stage of a node in words."""


class Name(str):
    """A name of someone else's choosing."""

    __slots__ = ()


class Message(str):
    """A sentence that may hold names of someone else's choosing."""

    __slots__ = ()


Cell = str | int | ReportedStage | None
"""A cell of a table: a Name, a Message, text of ours, a number, or a stage; None is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTable:
    """A table of a report."""

    columns: tuple[str, ...]
    """The headings."""
    rows: list[tuple[Cell, ...]]
    """The cells of each row."""
    numbers: frozenset[str] = frozenset()
    """The columns that hold numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A fact of a report."""

    label: str
    """What it is about."""
    text: str = ""
    """The fact in our words, may be empty."""
    names: tuple[str, ...] = ()
    """Names of someone else's choosing, after the text."""
    is_figure: bool = False
    """Whether it is one of the key figures of the run."""


def describe_cell(value: Cell) -> str | int | None:
    """Return a cell as plain text or a number."""
    return REPORTED_STAGES[value] if isinstance(value, ReportedStage) else value


def list_facts(run_report: RunReport) -> list[Fact]:
    """Return the facts, each in a line."""
    status, progress = run_report.status, run_report.progress
    cluster = tuple(name for name in (run_report.cluster_name, run_report.ocean_id) if name)
    found = [
        Fact(label="Cluster", names=cluster),
        Fact(label="State", names=(status.state,)),
        Fact(label="Started", text=format_moment(run_report.started)),
        Fact(label="Ended", text=format_moment(run_report.ended) if status.is_terminal else "running"),
        Fact(label="Duration", text=format_duration(run_report), is_figure=True),
        Fact(label="Nodes done", text=f"{progress.done} of {progress.total}", is_figure=True),
        Fact(label="Pods left on old nodes", text=str(progress.pods), is_figure=True),
        Fact(label="Unscheduled pods", text=str(progress.unscheduled), is_figure=True),
        Fact(label="New nodes", text=str(len(status.new_instances)), is_figure=True),
    ]
    if progress.manual:
        found.insert(6, Fact(label="Nodes to move by hand", text=str(progress.manual)))
    if (health := run_report.health) is not None:
        found.append(Fact(label="Workload health", text=_describe_health(health)))
        if health.brake_cause:
            broken = (health.failed_check,) if health.failed_check else health.broken[:_MOST_BROKEN]
            names = (health.brake_cause, *broken)
            found.append(Fact(label="Stopped by", text="the brake", names=names))
    flags = (
        ("Drained nodes", status.should_terminate_drained_nodes, "are terminated", "stay"),
        ("Standalone pods", status.should_evict_stand_alone_pods, "are evicted", "stay"),
    )
    found += [Fact(label=label, text=yes if flag else no) for label, flag, yes, no in flags if flag is not None]
    return found


def explain(run_report: RunReport) -> tuple[str, str, tuple[str, ...], str]:
    """Return a title, the reason, its evidence, and the remedy; each is empty if unknown."""
    explanation = run_report.explanation
    if explanation.reason or explanation.remedy:
        title = "Reason and remedy"
    else:
        title = "Left to do" if explanation.outcome is Outcome.FINISHED else "Status"
    return title, explanation.reason, explanation.evidence, explanation.remedy


def old_nodes(run_report: RunReport) -> list[tuple[ReportedStage, MigrationInstance]]:
    """Return the old nodes by urgency: stage, then pods left, then name."""
    finished = run_report.status.state == MigrationState.FINISHED
    staged = [(_stage(instance, finished=finished), instance) for instance in run_report.status.old_instances]
    return sorted(staged, key=lambda each: (each[0], -(each[1].running_pods or 0), *_by_number(each[1])))


def new_nodes(run_report: RunReport) -> list[tuple[str, MigrationInstance]]:
    """Return the new nodes by Virtual Node Group (empty when it is not known) and name."""
    vngs = run_report.virtual_node_groups
    grouped = [(vngs.get(each.instance_id, ""), each) for each in run_report.status.new_instances]
    return sorted(grouped, key=lambda each: (each[0], *_by_number(each[1])))


def tabulate_old_nodes(nodes: Iterable[tuple[ReportedStage, MigrationInstance]]) -> ReportTable:
    """Return a row for each old node."""
    return ReportTable(
        columns=("node", "outcome", "pods left", "state", "instance", "Auto Scaling Group"),
        numbers=frozenset({"pods left"}),
        rows=[
            (
                Name(node.node_name),
                stage,
                node.running_pods,
                Name(node.state),
                Name(node.instance_id),
                Name(node.asg_name or ""),
            )
            for stage, node in nodes
        ],
    )


def tabulate_new_nodes(nodes: Iterable[tuple[str, MigrationInstance]]) -> ReportTable:
    """Return a row for each new node."""
    return ReportTable(
        columns=("node", "Virtual Node Group", "pods", "state", "instance"),
        numbers=frozenset({"pods"}),
        rows=[
            (Name(node.node_name), Name(vng), node.running_pods, Name(node.state), Name(node.instance_id))
            for vng, node in nodes
        ],
    )


def tabulate_stuck_pods(run_report: RunReport) -> ReportTable:
    """Return a row for each pod that is left."""
    return ReportTable(
        columns=("pod", "old node", "blocker", "remedy"),
        rows=[
            (Name(held.pod), Name(held.node), *map(Message, describe_blocker(held, run_report.explanation.vocabulary)))
            for held in run_report.explanation.stuck
        ],
    )


def tabulate_unready(run_report: RunReport) -> ReportTable:
    """Return a row for each workload that is not ready."""
    health = run_report.health
    return ReportTable(
        columns=("workload", "ready", "required", "reason", "pod", "detail"),
        numbers=frozenset({"ready", "required"}),
        rows=[
            (Name(each.workload), each.ready, each.required, Name(each.reason), Name(each.pod), Message(each.detail))
            for each in (health.not_ready if health else ())
        ],
    )


def tabulate_changes(moments: Iterable[Moment], between: str) -> ReportTable:
    """Return a row for each moment; ``between`` separates the nodes that are done from all nodes."""
    return ReportTable(
        columns=("at", "state", "nodes done", "pods left", "unscheduled pods"),
        numbers=frozenset({"nodes done", "pods left", "unscheduled pods"}),
        rows=[
            (
                format_moment(moment.at),
                Name(moment.state),
                f"{moment.done}{between}{moment.total}",
                moment.pods,
                moment.unscheduled,
            )
            for moment in moments
        ],
    )


def list_notes(run_report: RunReport) -> list[str]:
    """Return what could not be known, and why, each once."""
    health = run_report.health
    unknown = [f"whether the workloads are ready is unknown: {health.reason}"] if health and health.reason else []
    return list(dict.fromkeys((*run_report.explanation.notes, *run_report.notes, *unknown)))


def unscheduled_pods(run_report: RunReport) -> list[str]:
    """Return the unscheduled pods, by name where it is known."""
    return sorted(run_report.explanation.unscheduled or run_report.status.unscheduled_ids)


def format_duration(run_report: RunReport) -> str:
    """Return how long it took, or has taken so far."""
    if run_report.seconds is None:
        return "unknown"
    return format_elapsed(run_report.seconds) + ("" if run_report.status.is_terminal else " so far")


def format_moment(moment: datetime | None) -> str:
    """Return a time as a reader in any time zone understands it."""
    return "unknown" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def format_log_time(line: LogEntry) -> str:
    """Return the time of a line of the log; the service's own writing when it cannot be read."""
    moment = parse_time(line.created_at)
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else line.created_at or NONE


def select_log_lines(log: Sequence[LogEntry], most: int) -> list[LogEntry]:
    """Return at most so many lines of the log, in their order: what went wrong first of all, then the newest."""
    kept = sorted(enumerate(log), key=lambda line: (line[1].severity.upper() in _GRAVE, line[0]), reverse=True)[:most]
    return [line for _, line in sorted(kept, key=lambda line: line[0])]


def count_of(shown: int, total: int, noun: str) -> str:
    """Return ``3 lines``, or ``100 of 345 lines``."""
    return count_noun(total, noun) if shown == total else f"{shown} of {count_noun(total, noun)}"


def select_changes(moments: Iterable[Moment]) -> list[Moment]:
    """Return the moments that differ from the one before them, and the last one."""
    seen = list(moments)
    found = seen[:1] + [later for one, later in pairwise(seen) if replace(one, at=later.at) != later]
    return found if not seen or found[-1] == seen[-1] else [*found, seen[-1]]


def state_spans(run_report: RunReport) -> dict[str, list[tuple[float, float]]]:
    """Return for each state, in the order of their first visit, the spans in seconds since the begin.

    Beyond 15 states, which only a service of another version has, the others share a lane without a name of its own.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for visit in run_report.list_periods():
        state = visit.state or (UNSEEN if run_report.is_recorded else WHOLE)
        if state not in found and len(found) >= _MOST_STATES:
            state = "other states"
        started = (visit.started - (run_report.started or visit.started)).total_seconds()
        found.setdefault(state, []).append((started, started + visit.seconds))
    return found


def sum_spans(spans: Iterable[tuple[float, float]]) -> str:
    """Return how long the spans are together, and how many they are when they are several."""
    times = [end - begin for begin, end in spans]
    return format_elapsed(sum(times)) + (f", {len(times)} times" if len(times) > 1 else "")


def summarize_stages(nodes: Iterable[tuple[ReportedStage, MigrationInstance]]) -> str:
    """Return how many nodes are at which stage, the most urgent first."""
    count = Counter(stage for stage, _ in nodes)
    parts = [f"{count[stage]} {words}" for stage, words in REPORTED_STAGES.items() if count[stage]]
    return ", ".join(parts) or count_noun(0, "node")


def _describe_health(health: RunHealth) -> str:
    parts = [f"{health.ready} of {count_noun(health.judged, 'workload')} ready"] if health.judged else []
    if health.on_ocean:
        parts.append(f"{count_noun(health.on_ocean, 'pod')} ready on Ocean nodes")
    if health.elsewhere:
        parts.append(f"{count_noun(health.elsewhere, 'pod')} on other old nodes")
    return f"{health.state}: {', '.join(parts)}" if parts else health.state


def _by_number(node: MigrationInstance) -> list[list[tuple[int, str]]]:
    """Return what sorts names as people do: ``node-9`` before ``node-10``."""
    names = (node.node_name, node.instance_id)
    return [[(len(part), part) if part.isdigit() else (0, part) for part in _DIGITS.findall(name)] for name in names]


def _stage(instance: MigrationInstance, *, finished: bool) -> ReportedStage:
    if instance.state == REQUIRES_MANUAL_MIGRATION:
        return ReportedStage.MANUAL
    if finished or instance.running_pods == 0:
        return ReportedStage.DONE
    return ReportedStage.UNTOLD if instance.running_pods is None else ReportedStage.PODS
