"""The result of a command on stdout: a table for people, JSON for programs.

On a terminal tables have colours and fit its width; a pipe gets plain text that is neither cut nor coloured.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final, TypeVar

import click

from ocean_migration_pulumi.common.text import one_line

R = TypeVar("R")

TABLE: Final = "table"
JSON: Final = "json"
MARKDOWN: Final = "markdown"
HTML: Final = "html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under headings."""

    title: str
    """The title, for terminals."""
    columns: tuple[str, ...]
    """The headings."""
    rows: tuple[tuple[Any, ...], ...]
    """Cells are text or numbers; None is shown as ``-``."""
    numbers: frozenset[str] = frozenset()
    """The columns that are right-aligned."""
    empty: str = "none"
    """The text without rows."""


def examples(*commands: str, exit_statuses: Mapping[int, str] | None = None, when: str = "") -> str:
    """Return the epilog of a command's help.

    Args:
        commands: Example command lines.
        exit_statuses: The exit statuses that differ from those of the program.
        when: When these exit statuses apply, after "Exit status".
    """
    blocks = ["\n".join(["\b", "Example:", *(f"  {command}" for command in commands)])]
    if exit_statuses:
        statuses = (f"  {status}  {meaning}" for status, meaning in exit_statuses.items())
        blocks.append("\n".join(["\b", f"Exit status{when}:", *statuses]))
    return "\n\n".join(blocks)


def say(text: str, *, err: bool = True) -> None:
    """Say a line that may hold names of others, on stderr unless it is the result; nothing of it steers a terminal."""
    margin = text[: len(text) - len(text.lstrip(" "))]
    click.echo(f"{margin}{one_line(text)}", err=err)


class Output:
    """Where the result goes, in the format that was asked for."""

    def __init__(self, chosen: str) -> None:
        self.format = chosen

    @property
    def is_table(self) -> bool:
        """Whether the result is for people."""
        return self.format == TABLE

    def show(self, table: Table, data: Any) -> None:
        """Write a result that is a table; ``data`` is what JSON gets of it."""
        if self.format == JSON:
            self.json(data)
        elif sys.stdout.isatty():
            _draw(table)
        else:
            self.text(_plain(table))

    def json(self, data: Any) -> None:
        """Write JSON; what a terminal could take for a command is escaped."""
        self.text(json.dumps(data, indent=2))

    def text(self, text: str) -> None:
        """Write text as it is."""
        click.echo(text)

    def lines(self, lines: Iterable[str]) -> None:
        """Write lines that may hold names of others; none of them can become two."""
        for line in lines:
            click.echo(one_line(line))


def output_options(formats: tuple[str, ...] = (TABLE, JSON)) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Add ``-o`` and ``--json`` to a command, which is called with an ``output``.

    Args:
        formats: The formats that the command has; the first one is the default. JSON is one of them.
    """

    def decorate(function: Callable[..., R]) -> Callable[..., R]:
        @wraps(function)
        def choosing(output: str, as_json: bool, **others: Any) -> R:
            return function(output=Output(JSON if as_json else output), **others)

        decorated: Callable[..., R] = click.option("--json", "as_json", is_flag=True, help="The same as `-o json`.")(
            choosing
        )
        return click.option(
            "-o",
            "--output",
            type=click.Choice(formats),
            default=formats[0],
            show_default=True,
            help="The format of the result.",
        )(decorated)

    return decorate


def cell(value: Any) -> str:
    """Return a value as a cell shows it."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return one_line(str(value)) or "-"


def _plain(table: Table) -> str:
    if not table.rows:
        return one_line(table.empty)
    from rich.cells import cell_len

    rows = [[column.upper() for column in table.columns], *([cell(value) for value in row] for row in table.rows)]
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        parts = []
        for name, text, width in zip(table.columns, row, widths, strict=True):
            gap = " " * (width - cell_len(text))
            parts.append(gap + text if name in table.numbers else text + gap)
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)


def _draw(table: Table) -> None:
    if not table.rows:
        click.echo(one_line(table.empty))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table as Drawn
    from rich.text import Text

    drawn = Drawn(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", title=table.title, title_justify="left")
    for name in table.columns:
        drawn.add_column(name, justify="right" if name in table.numbers else "left", overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text(cell(value)) for value in row))
    Console(file=sys.stdout).print(drawn)
