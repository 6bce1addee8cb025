"""The short form of the benchmarks: what CI measures, with bounds that only a regression misses."""

from __future__ import annotations

from importlib import import_module

import pytest

from benchmarks import table
from benchmarks.__main__ import SHORT
from tests.support.sampling import slow_unless


@pytest.mark.parametrize("name", slow_unless(lambda name: name in {"preview", "sizes"}, SHORT))
def test_no_number_is_beyond_its_bound(name: str) -> None:
    """Noise only adds, so the best of three attempts is judged."""
    rows = table.run(import_module(f"benchmarks.{name}").measure, short=True)
    assert [f"{row.what}: {row.measured:.3g} {row.unit}, at most {row.bound:g}" for row in rows if row.missed] == []
    assert any(row.bound is not None for row in rows)
