"""How long tests wait: bounds on the clock that a machine ten times as slow keeps to, too."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

SOON: Final = 30.0
"""Seconds within which something ends that ends at once; what it would wait for otherwise takes at least a minute."""

PATIENCE: Final = 120.0
"""Seconds to wait for what certainly comes."""

LAST_WRITE: Final = 10.0
"""Seconds after a kill within which a write under way may still arrive: half a second where nothing else runs."""


@contextmanager
def ends_soon() -> Iterator[None]:
    """Assert that a block ends within `SOON` seconds."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < SOON


def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until a condition holds; fail the test when that takes longer."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.01)
