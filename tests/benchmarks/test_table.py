"""What is made of the numbers: the judgement, the table, the picture."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks import __main__, growth, machine, table
from benchmarks.table import Row


def row(measured: float, bound: float | None = 10.0, note: str = "") -> Row:
    """Return a row of which only the numbers matter."""
    return Row(what="time", measured=measured, bound=bound, unit="s", note=note)


@pytest.mark.parametrize(
    ("measured", "bound", "verdict", "next_bound"),
    [
        (10.0, 10.0, "met", None),
        (10.1, 10.0, "missed", None),
        (3.11, 10.0, "met", 3.8),
        (311.0, 1000.0, "met", 380.0),
        (0.0, 10.0, "met", 0.0),
        (99.0, None, "beside", None),
    ],
)
def test_row_is_judged(measured: float, bound: float | None, verdict: str, next_bound: float | None) -> None:
    """A bound that is met with ease names the next one: a fifth above what was measured, in two digits."""
    judged = row(measured, bound)
    assert (judged.verdict, judged.next_bound) == (verdict, next_bound)
    assert judged.missed is (verdict == "missed")


def attempts(*measured: float) -> tuple[table.Measure, Iterator[float]]:
    """Return a benchmark that measures these numbers, one after the other, and what is left of them."""
    left = iter(measured)
    return lambda short: [row(next(left)), row(1.0, None)], left


def test_what_misses_its_bound_is_measured_again() -> None:
    """Until it meets it; the best counts."""
    measure, left = attempts(12.0, 9.0, 1.0)
    rows = table.run(measure, short=True)
    assert [each.measured for each in rows] == [9.0, 1.0]
    assert rows[0].note == "best of 2 attempts"
    assert list(left) == [1.0]


def test_what_misses_it_every_time_is_missed() -> None:
    """After three attempts it is no noise."""
    measure, left = attempts(12.0, 11.0, 13.0, 1.0)
    rows = table.run(measure, short=False)
    assert rows[0].measured == 11.0
    assert rows[0].missed
    assert list(left) == [1.0]


def test_table_shows_bound_number_and_note() -> None:
    """One line a row; a miss stands out."""
    lines = table.markdown([row(2.0, note="as ever"), row(12345.6), row(0.123, None)]).splitlines()
    assert lines[2:] == [
        "| time | 10 | 2 | s | met | 2.4 | as ever |",
        "| time | 10 | 12,346 | s | **missed** |  |  |",
        "| time |  | 0.123 | s | beside |  |  |",
    ]


def test_machine_is_named() -> None:
    """Its cores, and the versions."""
    text = machine.described()
    assert "cores" in text
    assert "pulumi 3." in text


def test_picture_is_made_of_the_rows_with_points() -> None:
    """It is an image of its own, and every line is in it."""
    points = ((100.0, 2.0), (1_000.0, 6.0), (10_000.0, 50.0))
    rows = [Row(what="a < b", measured=0.9, bound=1.0, unit="exponent", points=points), row(1.0)]
    live_view = ElementTree.fromstring(growth.live_view(rows))  # noqa: S314 - our own
    assert [each.text for each in live_view.iter() if each.text and "<" in each.text] == ["a < b"]
    assert len([each for each in live_view.iter() if each.tag.endswith("circle")]) == len(points)


def test_a_miss_is_the_exit_status(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And all of a whole run is written down."""
    points = ((100.0, 2.0), (1_000.0, 6.0))
    measured = [row(11.0), Row(what="growth", measured=0.9, bound=1.0, unit="exponent", points=points)]
    monkeypatch.setattr(table, "run", lambda measure, short: measured)
    monkeypatch.setattr(__main__, "NAMES", ("sizes",))
    monkeypatch.setattr(__main__, "RESULTS", tmp_path / "RESULTS.md")
    monkeypatch.setattr(growth, "PICTURE", tmp_path / "growth.svg")
    done = CliRunner().invoke(__main__.main, ["--write"])
    assert done.exit_code == 1
    assert "| time | 10 | 11 | s | **missed** |  |  |" in done.output
    assert "**missed**" in (tmp_path / "RESULTS.md").read_text()
    assert (tmp_path / "growth.svg").read_text().startswith("<svg")
    del measured[0]
    assert CliRunner().invoke(__main__.main, ["--short"]).exit_code == 0


def test_a_part_is_not_written_down() -> None:
    """The written table is of one run."""
    done = CliRunner().invoke(__main__.main, ["--short", "--write"])
    assert done.exit_code == 2
    assert "only a whole run is written down" in done.output
