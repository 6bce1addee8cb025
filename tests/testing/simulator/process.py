"""The simulator as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ocean_migration_pulumi.simulator import SimulatorControl
from tests.support.timing import PATIENCE

_LINES = 5
_MORE_LINES = {"--intercept": 5}
_SCRIPT = "from ocean_migration_pulumi.testing.simulator.server.command import command; command()"


@dataclass(frozen=True)
class Remote:
    """A simulator that runs as a process: what its first lines of output said."""

    process: subprocess.Popen[str]
    lines: list[str]
    exports: dict[str, str]
    url: str
    token: str
    account_id: str
    ocean_id: str
    control: SimulatorControl


@contextmanager
def running(*arguments: str) -> Iterator[Remote]:
    """Run the command with arguments until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        count = _LINES + sum(_MORE_LINES.get(argument, 0) for argument in arguments)
        lines = [process.stdout.readline().rstrip("\n") for _ in range(count)]
        exports = dict(line.removeprefix("export ").split("=", 1) for line in lines[1:])
        yield Remote(
            process=process,
            lines=lines,
            exports=exports,
            url=lines[0],
            token=exports["SPOTINST_TOKEN"],
            account_id=exports["SPOTINST_ACCOUNT"],
            ocean_id=exports["OCEAN_ID"],
            control=SimulatorControl(lines[0]),
        )
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE)
        process.stdout.close()
        process.stderr.close()
