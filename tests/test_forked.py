"""The processes that tests fork: what they are told, and how they end, is as with those that are started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.forked import Forked

TELLING = """
import atexit, json, os, sys, threading, time
atexit.register(print, "the end")
told = {"argv": sys.argv[1:], "main": __name__, "name": os.environ.get("NAME"), "pid": os.getpid(),
        "group": os.getpgid(0), "directory": os.getcwd(), "path": sys.path[:2], "input": sys.stdin.read()}
print(json.dumps(told))
print("problem", file=sys.stderr)
threading.Thread(target=lambda: (time.sleep(0.05), print("the thread"))).start()
"""


def started(kind: type[Any], directory: Path, program: str) -> Any:
    """Start a program as OfflineStack starts its own."""
    (directory / "told.py").write_text(program, encoding="utf-8")
    return kind(
        [sys.executable, "-u", "-m", "told", "one", "two"],
        cwd=directory,
        env={**os.environ, "NAME": "forked", "PYTHONPATH": "/first"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        process_group=0,
    )


def ended(process: Any) -> tuple[int, str, str]:
    """Wait for the end and return the exit code and all output."""
    with process.stdout, process.stderr:
        return process.wait(60), process.stdout.read(), process.stderr.read()


def told(kind: type[Any], directory: Path) -> tuple[dict[str, Any], Any]:
    """Return what a process says of itself, and the rest."""
    process = started(kind, directory, TELLING)
    code, output, problems = ended(process)
    first, *rest = output.splitlines()
    said = json.loads(first)
    assert said.pop("pid") == said.pop("group") == process.pid
    return said, (code, rest, problems)


def test_it_is_told_the_same_as_a_process_that_is_started(tmp_path: Path) -> None:
    """Arguments, environment, directory, streams and a process group of its own; threads and exit functions run."""
    assert told(Forked, tmp_path) == told(subprocess.Popen, tmp_path)


@pytest.mark.parametrize(
    "program",
    [
        "import sys; sys.exit(32)",
        "import sys; sys.exit('no')",
        "import os, signal; os.kill(os.getpid(), signal.SIGINT)",
    ],
)
def test_it_ends_the_same(tmp_path: Path, program: str) -> None:
    """The exit code is that of a process that is started, or the signal that ended it."""
    code, _, problems = ended(started(Forked, tmp_path, program))
    other, _, others = ended(started(subprocess.Popen, tmp_path, program))
    assert code == other != 0
    assert problems.splitlines()[-1:] == others.splitlines()[-1:]


def test_it_is_killed_like_any_other(tmp_path: Path) -> None:
    """By its group; until then it has no exit code."""
    process = started(Forked, tmp_path, "import time; print('up'); time.sleep(300)")
    assert process.stdout.readline() == "up\n"
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    assert ended(process) == (-signal.SIGKILL, "", "")
    assert process.poll() == -signal.SIGKILL
