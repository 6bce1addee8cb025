"""The dashboard of a migration, for terminals of any size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.text import Text

from ocean_migration_pulumi.cli.dashboard.drawing import GAP, Canvas, Cell, Column
from ocean_migration_pulumi.common.text import count_noun, list_some
from ocean_migration_pulumi.common.times import format_elapsed
from ocean_migration_pulumi.migration.views.live_view import LiveView, NewNode, OldNode, Stage

Node = TypeVar("Node", OldNode, NewNode)

_STILL: Final = timedelta(minutes=3)
_MOST_LEFT: Final = timedelta(hours=100)
_LABEL: Final = "dim"

_STAGES: Final = {
    Stage.MANUAL: ("!", "!", "bold yellow"),
    Stage.REMAINING: ("✗", "x", "red"),
    Stage.DRAINING: ("↓", ">", "cyan"),
    Stage.WAITING: ("·", ".", ""),
    Stage.UNKNOWN: ("?", "?", ""),
    Stage.DONE: ("✓", "+", "green"),
    Stage.TERMINATED: ("✓", "+", "green"),
}
_WORD_STYLES: Final = {
    "Running": "bold cyan",
    "Completed": "bold green",
    "Failed": "bold red",
    "Failing": "bold red",
}
_OLD: Final = (
    Column(title="Old node", least=14, share=4),
    Column(title="Stage", least=19),
    Column(title="Pods left", least=9, right=True),
    Column(title="ASG", least=12, share=2),
    Column(title="Manual pods", least=15, share=2),
    Column(title="State", least=10, share=1),
)
_NEW: Final = (
    Column(title="New node", least=14, share=4),
    Column(title="State", least=12, share=1),
    Column(title="Pods", least=9, right=True),
    Column(title="Virtual Node Group", least=12, share=2),
    Column(title="Age", least=7),
    Column(title="Market", least=6, share=1),
)
_ALWAYS: Final = 3
"""So many columns are there even when they are empty."""

_REASONS: Final = 3
"""So many reasons for which pods are not ready are shown."""

_ROOMY: Final = 28
"""From so many lines on, one is left free above the bar."""

_WIDE: Final = 120
"""From so many columns on, nodes have their whole names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """A snapshot of a migration, ready to be printed by rich; as wide as the terminal, and never higher."""

    live_view: LiveView
    """The snapshot."""
    cluster_name: str = ""
    """The name of the cluster, empty when it is not known."""
    note: str = ""
    """The last warning, may be empty."""
    hint: str = ""
    """The last line, may be empty."""
    later: timedelta = timedelta()
    """The time since the snapshot was taken."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it, each line on its own: a terminal that is being resized breaks none."""
        canvas = Canvas(width=options.max_width, plain=options.ascii_only)
        for line in self.lines(canvas, console.size.height - 1):
            yield line
            yield Segment.line()

    def lines(self, canvas: Canvas, height: int) -> list[Text]:
        """Return the lines: at most ``height`` of them."""
        head = self._head(canvas, roomy=height >= _ROOMY)
        foot = self._foot(canvas)
        room = height - len(head) - len(foot)
        return [*head, *self._tables(canvas, room), *foot][: max(1, height)]

    def _head(self, canvas: Canvas, *, roomy: bool) -> list[Text]:
        live_view = self.live_view
        status = live_view.status
        where = f"{canvas.text(self.cluster_name)} ({status.ocean_id})" if self.cluster_name else status.ocean_id
        title = [Cell(text=f"Migration {canvas.text(status.id)}", style="bold"), Cell(text=f"  {where}", style=_LABEL)]
        spent = Cell(text="")
        if live_view.elapsed is not None:
            running = timedelta() if status.is_terminal else self.later
            spent = Cell(text=format_elapsed((live_view.elapsed + running).total_seconds()), style="bold")
        word = Cell(text=live_view.word, style=_WORD_STYLES.get(live_view.word, "bold yellow"))
        batch = "" if status.is_terminal else live_view.batches.describe()
        phase = "" if status.is_terminal else f": {live_view.phase}" + (f" ({batch})" if batch else "")
        state = Cell(text=f"  {canvas.text(status.state)}", style=_LABEL)
        return [
            canvas.ends(title, spent),
            canvas.line(word, Cell(text=phase), state),
            *([Text(end="")] if roomy else []),
            self._bar(canvas),
            *([canvas.line(Cell(text=trend, style=_LABEL))] if (trend := self._trend()) else []),
            Text(end=""),
            *self._counters(canvas),
        ]

    def _bar(self, canvas: Canvas) -> Text:
        stages = self.live_view.stages
        moved = stages[Stage.DONE] + stages[Stage.TERMINATED]
        label = (
            f"  {100 * self.live_view.share:3.0f}%  {self.live_view.done} of "
            f"{count_noun(self.live_view.total, 'old node')}"
        )
        width = canvas.width - len(label)
        if width < 10:
            return canvas.line(Cell(text=label.strip(), style="bold"))
        parts = (
            (moved, "█", "#", "green"),
            (stages[Stage.MANUAL], "▓", "!", "yellow"),
            (stages[Stage.REMAINING], "▒", "x", "red"),
            (stages[Stage.DRAINING], "▒", ">", "cyan"),
            (0, "░", ".", "dim"),
        )
        return Text.assemble(canvas.bar(width, parts, self.live_view.total), (label, "bold"), no_wrap=True, end="")

    def _trend(self) -> str:
        live_view = self.live_view
        if live_view.status.is_terminal:
            return ""
        trend = live_view.trend
        still = live_view.still + self.later
        if still >= _STILL:
            return f"No change for {format_elapsed(still.total_seconds())}"
        if trend.per_minute is None:
            return "Trend: unknown" if live_view.word == "Running" else ""
        told = f"{trend.per_minute:.1f} nodes/min (last {trend.span // timedelta(minutes=1)}m)"
        if trend.left is None or trend.left > _MOST_LEFT:
            return told
        minutes = max(1, round(trend.left / timedelta(minutes=1)))
        return f"{told}, about {format_elapsed(60.0 * minutes).removesuffix('00s')} left"

    def _counters(self, canvas: Canvas) -> list[Text]:
        live_view, stages = self.live_view, self.live_view.stages
        unscheduled, manual = len(live_view.unscheduled), stages[Stage.MANUAL]
        unknown = stages[Stage.UNKNOWN] + stages[Stage.REMAINING]
        cells: list[tuple[str, int | None, str]] = [
            ("New nodes", len(live_view.new_nodes), ""),
            ("Pods on new nodes", live_view.new_pods, ""),
            ("Pods on old nodes", live_view.old_pods, ""),
            ("Unscheduled pods", unscheduled, "bold yellow" if unscheduled else ""),
            ("Not started", stages[Stage.WAITING] if not live_view.status.is_terminal else unknown, ""),
            ("Draining", stages[Stage.DRAINING], ""),
            ("Completed", stages[Stage.DONE], ""),
            ("Terminated", stages[Stage.TERMINATED], ""),
            ("Manual migration", manual, "bold yellow" if manual else ""),
        ]
        if not live_view.status.is_terminal and unknown:
            cells.append(("Unknown", unknown, "bold yellow"))
        across = next(number for number in (3, 2, 1) if number == 1 or canvas.width >= number * 24)
        width = min(26, (canvas.width - GAP * 2 * (across - 1)) // across)
        down = -(-len(cells) // across)
        rows = []
        for place in range(down):
            line = Text(no_wrap=True, end="")
            for number, (label, value, style) in enumerate(cells[place::down]):
                shown = "-" if value is None else str(value)
                line.append(" " * GAP * 2 if number else "")
                line.append(canvas.fit(label, max(0, width - len(shown) - 1)) + " ", _LABEL)
                line.append(shown, style or "bold")
            rows.append(line)
        return rows

    def _foot(self, canvas: Canvas) -> list[Text]:
        lines = []
        if pods := self.live_view.readiness:
            lines.append(canvas.line(Cell(text=pods.summary, style=_LABEL)))
            lines += [canvas.line(Cell(text=canvas.text(text), style="yellow")) for text in pods.failing[:_REASONS]]
        if self.live_view.unscheduled:
            names = list_some([canvas.text(pod) for pod in self.live_view.unscheduled], 3)
            lines.append(canvas.line(Cell(text=f"Unscheduled: {names}", style="yellow")))
        if self.note:
            lines.append(canvas.line(Cell(text=canvas.text(self.note), style="yellow")))
        if self.hint:
            lines.append(canvas.line(Cell(text=self.hint, style=_LABEL)))
        return [Text(end=""), *lines] if lines else []

    def _tables(self, canvas: Canvas, room: int) -> list[Text]:
        """Return both tables; each has a blank line before it, a heading, and a line for what is cut."""
        old, new = self.live_view.nodes, self.live_view.new_nodes
        for_new = min(len(new) + 2, max(room // 3, room - len(old) - 2)) if new else 0
        shown_old = _cut(old, room - 2 - (for_new if for_new > 2 else 0))
        shown_new = _cut(new, for_new - 2)
        names = _names([*old, *new], whole=canvas.width >= _WIDE)
        lines = _table(canvas, _OLD, [self._old_cells(canvas, names, node) for node in shown_old])
        if shown_old and len(shown_old) < len(old):
            lines.append(canvas.line(Cell(text=_rest(old[len(shown_old) :]), style=_LABEL)))
        lines += _table(canvas, _NEW, [self._new_cells(canvas, names, node) for node in shown_new])
        if shown_new and len(shown_new) < len(new):
            lines.append(canvas.line(Cell(text=f"and {len(new) - len(shown_new)} more", style=_LABEL)))
        return lines

    def _old_cells(self, canvas: Canvas, names: Mapping[str, str], node: OldNode) -> list[Cell]:
        mark, ascii_mark, style = _STAGES[node.stage]
        return [
            Cell(text=canvas.text(names[node.instance_id])),
            Cell(text=f"{ascii_mark if canvas.plain else mark} {node.stage}", style=style),
            Cell(text="-" if node.pods is None else str(node.pods)),
            Cell(text=canvas.text(node.asg_name or ""), style=_LABEL),
            Cell(
                text=list_some(map(canvas.text, node.left_over), 3) if node.stage is Stage.MANUAL else "",
                style="yellow",
            ),
            Cell(text=canvas.text(node.said), style=_LABEL),
        ]

    def _new_cells(self, canvas: Canvas, names: Mapping[str, str], node: NewNode) -> list[Cell]:
        age = (self.live_view.at - node.joined_at + self.later).total_seconds() if node.joined_at else None
        return [
            Cell(text=canvas.text(names[node.instance_id])),
            Cell(text=canvas.text(node.state) or "-"),
            Cell(text="-" if node.pods is None else str(node.pods)),
            Cell(text=canvas.text(node.virtual_node_group), style=_LABEL),
            Cell(text="" if age is None else format_elapsed(age), style=_LABEL),
            Cell(text=canvas.text(node.life_cycle), style=_LABEL),
        ]


def _table(canvas: Canvas, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> list[Text]:
    if not rows:
        return []
    used = [place for place in range(len(columns)) if place < _ALWAYS or any(row[place].text for row in rows)]
    kept = canvas.columns([columns[place] for place in used])
    table = [[row[place] for place in used[: len(kept)]] for row in rows]
    heading = [Cell(text=column.title, style="bold") for column in kept]
    widths = canvas.widths(kept, [heading, *table])
    return [Text(end=""), *(canvas.row(kept, widths, row) for row in (heading, *table))]


def _names(nodes: Sequence[OldNode | NewNode], *, whole: bool) -> dict[str, str]:
    """Return the names by instance id: without their common domain where there is no room and none gets ambiguous."""
    full = {node.instance_id: node.name or node.instance_id for node in nodes}
    short = {instance_id: name.partition(".")[0] for instance_id, name in full.items()}
    return full if whole or len(set(short.values())) < len(set(full.values())) else short


def _cut(nodes: Sequence[Node], room: int) -> Sequence[Node]:
    """Return as many nodes as there is room for, with a line for the others."""
    return nodes if len(nodes) <= room else nodes[: max(0, room - 1)]


def _rest(nodes: Sequence[OldNode]) -> str:
    stages = Counter(node.stage for node in nodes)
    return f"and {len(nodes)} more: " + ", ".join(f"{stages[stage]} {stage}" for stage in Stage if stages[stage])
