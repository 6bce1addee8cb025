"""Signals as a program finds them that nobody has started in the background."""

from __future__ import annotations

import signal


def restore_signals() -> None:
    """Take SIGINT and SIGTERM as usual where whoever started this process lets it ignore them.

    A shell does so with SIGINT for what it runs in the background, and every process started from there inherits it.
    What this process starts takes them as usual, too, since a handler is not inherited.
    """
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)
