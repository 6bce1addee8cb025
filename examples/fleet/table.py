"""The outcomes as a table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from .running import Outcome

_NUMBERS = ("planned", "migrated", "remaining", "drained")
_STYLES = {"succeeded": "green", "failed": "red", "interrupted": "yellow", "not started": "dim"}


def summary(outcomes: Sequence[Outcome]) -> Table:
    """Return a row for each cluster, and one for all."""
    table = Table(show_footer=True)
    good = sum(outcome.succeeded for outcome in outcomes)
    table.add_column("cluster", footer=f"{good} of {len(outcomes)}")
    table.add_column("result", footer="succeeded", no_wrap=True)
    for name in _NUMBERS:
        table.add_column(name, str(sum(outcome.totals.get(name, 0) for outcome in outcomes)), justify="right")
    table.add_column("time", justify="right")
    table.add_column("reason", overflow="fold")
    for outcome in outcomes:
        table.add_row(
            Text(outcome.cluster),
            Text(outcome.result, _STYLES[outcome.result]),
            *(str(outcome.totals.get(name, "")) for name in _NUMBERS),
            f"{outcome.seconds:.0f}s" if outcome.seconds else "",
            Text(outcome.reason),
        )
    return table
