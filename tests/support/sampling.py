"""Which cases of a table are slow proofs: `make test` runs the others, `make test-all` runs all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def first_is_fast(cases: Iterable[Any]) -> list[Any]:
    """Return the cases of a parameter, or of several as tuples, of which all but the first are slow."""
    first, *others = cases
    return [first, *(_slow(each) for each in others)]


def slow_unless(is_fast: Callable[..., bool], cases: Iterable[Any]) -> list[Any]:
    """Return the cases of a parameter, or of several as tuples, of which all are slow but those that are named fast."""
    return [each if is_fast(*_values(each)) else _slow(each) for each in cases]


def _slow(case: Any) -> Any:
    return pytest.param(*_values(case), marks=pytest.mark.slow)


def _values(case: Any) -> tuple[Any, ...]:
    return case if isinstance(case, tuple) else (case,)
