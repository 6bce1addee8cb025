"""The command `python -m benchmarks`: measure, print the table, and write it down."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import click

from benchmarks import growth, machine, table
from benchmarks.table import Row

NAMES = ("planning", "parallel", "preview", "plugin", "imports", "polling", "memory", "sizes", "growth", "pods")
"""The benchmarks, one module each."""

SHORT = ("planning", "preview", "imports", "polling", "sizes", "growth")
"""Those of the short form: what takes seconds, and hardly depends on what else the machine does."""

RESULTS = Path(__file__).parent / "RESULTS.md"

_HEAD = """# The numbers

Written by `make bench`. Ratios are of measurements of one run, taken in turns; of each way the best counts, as noise
only adds. What misses its bound is measured again, three times at most. `beside` is not judged: it is there to be
compared with. Where a bound is met with ease, the next one stands beside it.

"""


@click.command()
@click.option("--short", is_flag=True, help="What takes seconds, with bounds that only a regression misses.")
@click.option("--only", type=click.Choice(NAMES), multiple=True, help="These alone.")
@click.option("--write", is_flag=True, help="Write RESULTS.md, and the picture of the growth.")
def main(short: bool, only: tuple[str, ...], write: bool) -> None:
    """Measure what is promised; the exit status is 1 when a bound is missed."""
    if write and (short or only):
        msg = "only a whole run is written down: leave out --short and --only"
        raise click.UsageError(msg)
    rows: list[Row] = []
    for name in only or (SHORT if short else NAMES):
        click.echo(f"measuring: {name}", err=True)
        rows += table.run(import_module(f"benchmarks.{name}").measure, short=short)
    click.echo(table.markdown(rows), nl=False)
    if write:
        _write(rows)
    sys.exit(any(row.missed for row in rows))


def _write(rows: list[Row]) -> None:
    growth.PICTURE.write_text(growth.live_view(rows), encoding="utf-8")
    live_view = f"![{growth.TITLE}]({growth.PICTURE.name})\n"
    text = f"{_HEAD}{machine.described()}\n{table.markdown(rows)}\n{live_view}"
    RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
