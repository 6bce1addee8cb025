"""The result of a command on stdout: a table for people, JSON for programs.

On a terminal tables have colours and fit its width; a pipe gets plain text that is neither cut nor coloured.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final, TextIO, TypeVar

import click

from ocean_migration_pulumi.common.text import one_line

R = TypeVar("R")

TABLE: Final = "table"
JSON: Final = "json"
MARKDOWN: Final = "markdown"
HTML: Final = "html"
_COMMAND: Final = re.compile(r"`[^`]*`|ocean-migration \w+ owm-\S+ --cluster \S+")
_NO_BREAK: Final = "\N{NO-BREAK SPACE}"
_BETWEEN: Final = 2
"""Columns between two cells of a drawn table: the padding of the left one, and the divider."""


class OutputFile(click.Path):
    """A file to write, in a folder that exists: a command must not fail when it has done its work."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path; refuse one whose folder does not exist."""
        if value == "":
            self.fail("It must not be empty.", param, ctx)
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not path.parent.is_dir():
            self.fail(f"Folder '{path.parent}' does not exist.", param, ctx)
        return path


class Source(str):
    """A line to paste, such as YAML, which no terminal may break."""

    __slots__ = ()


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
    click.echo(_fit(text, sys.stderr if err else sys.stdout), err=err)


def fit_terminal(line: str, stream: TextIO) -> str:
    """Return a line of prose as lines of a terminal, broken between words; unchanged for a file or a pipe.

    A word that is longer than a line, and a command in backquotes, stay in one piece: what is copied must work.
    """
    room = shutil.get_terminal_size().columns
    if len(line) <= room or not stream.isatty():
        return line
    margin = line[: len(line) - len(line.lstrip(" "))]
    kept = _COMMAND.sub(lambda command: command[0].replace(" ", _NO_BREAK), line)
    wrapped = textwrap.fill(kept, room, subsequent_indent=margin, break_long_words=False, break_on_hyphens=False)
    return wrapped.replace(_NO_BREAK, " ")


class Output:
    """Where the result goes, and in which format.

    Args:
        chosen: The format.
        file: The file to write to; None means stdout.
    """

    def __init__(self, chosen: str, file: Path | None = None) -> None:
        self.format = chosen
        self._file = file
        self._is_written = False

    @property
    def is_table(self) -> bool:
        """Whether the result is for people."""
        return self.format == TABLE

    def show(self, table: Table, data: Any) -> None:
        """Write a result that is a table; ``data`` is what JSON gets of it."""
        if self.format == JSON:
            self.json(data)
        elif self._file is None and sys.stdout.isatty():
            _draw(table)
        else:
            self.text(_plain(table))

    def json(self, data: Any) -> None:
        """Write JSON; what a terminal could take for a command is escaped."""
        self.text(json.dumps(data, indent=2))

    def text(self, text: str) -> None:
        """Write text as it is."""
        if self._file is None:
            click.echo(text)
            return
        try:
            with self._file.open("a" if self._is_written else "w", encoding="utf-8", newline="\n") as file:
                file.write(f"{text}\n")
        except OSError as error:
            raise click.ClickException(f"cannot write {self._file}: {error.strerror}") from None
        self._is_written = True

    def lines(self, lines: Iterable[str]) -> None:
        """Write lines that may hold names of others; none of them can become two."""
        for line in lines:
            self.text(_with_margin(line) if self._file else _fit(line, sys.stdout))


def output_options(
    formats: tuple[str, ...] = (TABLE, JSON), *, elsewhere: str | None = None
) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Add ``-o``, ``--json`` and ``--output`` to a command, which is called with an ``output``.

    Args:
        formats: The formats that the command has; the first one is the default. JSON is one of them.
        elsewhere: The default where stdout is no terminal; None: that of a terminal.
    """
    default = f"Default: {formats[0]}" + (f" on a terminal, else {elsewhere}." if elsewhere else ".")

    def decorate(function: Callable[..., R]) -> Callable[..., R]:
        @wraps(function)
        def choosing(chosen: str | None, as_json: bool, file: Path | None, **others: Any) -> R:
            if file is not None and str(file) in formats:
                raise click.UsageError(f"--output takes a file. Use `-o {file}` for the format.")
            if chosen is None:
                on_terminal = file is None and sys.stdout.isatty()
                chosen = formats[0] if on_terminal or elsewhere is None else elsewhere
            return function(output=Output(JSON if as_json else chosen, file), **others)

        decorated: Callable[..., R] = choosing
        for option in (
            click.option(
                "--output",
                "file",
                type=OutputFile(),
                metavar="FILE",
                help="Write the result to this file instead of stdout.",
            ),
            click.option("--json", "as_json", is_flag=True, help="The same as `-o json`."),
            click.option(
                "-o", "--format", "chosen", type=click.Choice(formats), help=f"Format of the result. {default}"
            ),
        ):
            decorated = option(decorated)
        return decorated

    return decorate


def _fit(text: str, stream: TextIO) -> str:
    line = _with_margin(text)
    return line if isinstance(text, Source) else fit_terminal(line, stream)


def _with_margin(text: str) -> str:
    margin = text[: len(text) - len(text.lstrip(" "))]
    return f"{margin}{one_line(text)}"


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

    console = Console(file=sys.stdout)
    rows = [[cell(value) for value in row] for row in table.rows]
    widths = _share_width(table.columns, rows, console.width)
    if widths is None:
        if table.title:
            console.print(Text(table.title, style="italic"))
        for row in rows:
            console.print()
            for name, value in zip(table.columns, row, strict=True):
                console.print(Text.assemble((f"{name}: ", "bold"), value), soft_wrap=True)
        return
    drawn = Drawn(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, _BETWEEN - 1, 0, 0),
        header_style="bold",
        title=table.title,
        title_justify="left",
    )
    for name, width in zip(table.columns, widths, strict=True):
        drawn.add_column(name, justify="right" if name in table.numbers else "left", overflow="fold", width=width)
    for row in rows:
        drawn.add_row(*map(Text, row))
    console.print(drawn)


def _share_width(columns: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """Return the widths of the columns, none narrower than its longest word: names are never broken.

    None means that there is no room for that: then each row needs lines of its own.
    """
    from rich.cells import cell_len

    table = list(zip(columns, *rows, strict=True))
    widths = [max(cell_len(word) for text in column for word in (text.split() or [""])) for column in table]
    wanted = [max(map(cell_len, column)) for column in table]
    spare = room - sum(widths) - _BETWEEN * (len(columns) - 1)
    if spare < 0:
        return None
    for place in sorted(range(len(columns)), key=lambda each: wanted[each] - widths[each]):
        more = min(spare, wanted[place] - widths[place])
        widths[place] += more
        spare -= more
    return widths
