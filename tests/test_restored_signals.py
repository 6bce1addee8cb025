"""What the tests start in a shell's background takes Ctrl-C as it does everywhere else."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ASKS = "import signal; print(signal.getsignal({number}) is {usual}, flush=True)"
RESTORES = """
import subprocess, sys
from tests.support.signals import restore_signals
restore_signals()
subprocess.run([sys.executable, "-c", {asks!r}], check=True)
"""


@pytest.mark.usefixtures("unmeasured")  # measuring takes SIGTERM, too
@pytest.mark.parametrize(
    ("number", "usual"),
    [("signal.SIGINT", "signal.default_int_handler"), ("signal.SIGTERM", "signal.SIG_DFL")],
)
def test_a_signal_that_was_ignored_is_taken_again(number: str, usual: str) -> None:
    """By what is started afterwards, too."""
    asks = ASKS.format(number=number, usual=usual)

    def ignore() -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)

    def said(code: str) -> str:
        command = [sys.executable, "-c", code]
        root = Path(__file__).parents[1]
        return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, preexec_fn=ignore).stdout

    assert said(asks) == "False\n"
    assert said(asks + "\n" + RESTORES.format(asks=asks) + asks) == "False\nTrue\nTrue\n"
