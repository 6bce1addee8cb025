"""The command `ocean-migration`, found where the distribution says that it is."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import import_module
from pathlib import Path

import click

_PROJECT = Path(__file__).parents[2] / "pyproject.toml"


@cache
def main() -> click.Group:
    """Return what the console script calls."""
    scripts = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]["scripts"]
    module, _, name = scripts["ocean-migration"].partition(":")
    found = getattr(import_module(module), name)
    assert isinstance(found, click.Group)
    return found
