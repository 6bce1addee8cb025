"""Coroutines in tests that are not asynchronous."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


def finish(work: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine; unlike `asyncio.run`, it leaves the thread's event loop to later tests."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()
