"""The state file: everything as JSON, replaced atomically."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

FORMAT = 1


def save(path: Path, state: dict[str, Any]) -> None:
    """Write the state; a reader, or a kill at any moment, finds the old or the new one."""
    temporary = path.with_name(f".{path.name}.new")
    text = json.dumps({"format": FORMAT, **state}, default=vars, separators=(",", ":"))
    # The tokens are in it: it is private from the first moment.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)


def load(path: Path) -> dict[str, Any] | None:
    """Return the state, None when there is no file yet; anything else in its place is a ``ValueError``."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        state = json.loads(text)
    except ValueError:
        state = None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise ValueError(f"{path} is not a state file of this simulator")
    return state
