"""Processes of their own: what is measured shares no memory, no imports and no thread with what measures it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
"""Where the package and the benchmarks are found."""

_LONGEST = 600.0
# An installed package is compiled: what keeps Python from doing so would make every import a slow one.
_NOT_OURS = ("SPOTINST_", "OCEAN_", "KUBE", "AWS_", "PULUMI_", "COVERAGE_", "PYTHON")
_GRACE = 10.0


def environment(**more: str) -> dict[str, str]:
    """Return the variables of a child: none that point at a service, an account or a cluster of this machine's user."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_OURS)}
    home = Path(tempfile.gettempdir()) / "ocean-migration-bench"
    home.mkdir(exist_ok=True)
    return own | {"HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true", "PYTHONPATH": str(ROOT)} | more


def python(*arguments: str, **more: str) -> str:
    """Run this interpreter, and return what it printed; raises CalledProcessError when it fails."""
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
        timeout=_LONGEST,
        encoding="utf-8",
    )
    return done.stdout


def measured(module: str, arguments: Mapping[str, Any]) -> Any:
    """Run a module that takes one argument as JSON, and return the JSON that it printed."""
    return json.loads(python("-m", module, json.dumps(arguments)))


@contextmanager
def child(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a module for as long as the block lasts, in- and output piped; it has to end when its input does."""
    process = subprocess.Popen(  # noqa: S603 - this interpreter
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        yield process
    finally:
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
