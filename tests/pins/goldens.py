"""Compares what was found with a golden file, or writes the file anew."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).with_name("data")

_VARIABLE = "UPDATE_GOLDENS"
_WIDTH = 110


def golden(name: str, make: Callable[[], Any]) -> Any:
    """Return the data of a golden file that may be added to; `UPDATE_GOLDENS=1` makes and writes it anew."""
    if os.environ.get(_VARIABLE) == "1":
        pin_data(name, make())
    return json.loads((DATA / name).read_text(encoding="utf-8"))


def pin_data(name: str, found: Any) -> None:
    """Assert that data is what the JSON file below `data/` holds; `UPDATE_GOLDENS=1` writes it anew."""
    _pin(DATA / name, _laid_out(found) + "\n", updates=("1",))


def pin_words(name: str, found: str) -> None:
    """Assert that a text is what the file below `data/` holds; `UPDATE_GOLDENS` as `1` or `words` writes it anew."""
    _pin(DATA / name, found, updates=("1", "words"))


def _laid_out(value: Any, indent: str = "") -> str:
    """Return data as JSON, with a line for each part that is too long to stand on one."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    if len(indent) + len(text) <= _WIDTH or not isinstance(value, (dict, list)):
        return text
    deeper = indent + " "
    if isinstance(value, list):
        parts = [_laid_out(each, deeper) for each in value]
    else:
        parts = [f"{json.dumps(key)}: {_laid_out(value[key], deeper)}" for key in sorted(value)]
    opening, closing = "[]" if isinstance(value, list) else "{}"
    body = ",\n".join(f"{deeper}{part}" for part in parts)
    return f"{opening}\n{body}\n{indent}{closing}"


def _pin(path: Path, found: str, *, updates: tuple[str, ...]) -> None:
    if os.environ.get(_VARIABLE) in updates:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(found, encoding="utf-8")
        return
    if not path.exists():
        pytest.fail(f"there is no {path.relative_to(DATA)}; {_VARIABLE}=1 writes it")
    expected = path.read_text(encoding="utf-8")
    if found != expected:
        lines = difflib.unified_diff(expected.splitlines(), found.splitlines(), "golden", "found", lineterm="", n=5)
        pytest.fail("\n".join([f"{path.relative_to(DATA)} differs:", *lines]), pytrace=False)
