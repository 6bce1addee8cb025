"""The user's program, which the engine interrupts as soon as a resource has failed."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType

_LANGUAGE_HOST = "pulumi-language-python-exec"


def hide_interrupt_traceback() -> None:
    """Let a program that Pulumi's language host runs end without a traceback when the engine interrupts it.

    The engine sends SIGINT to the program when a resource has failed. Python would print a page about
    KeyboardInterrupt above the reason. Other programs, and a hook that somebody else has set, stay as they are.
    """
    if sys.excepthook is sys.__excepthook__ and _is_run_by_language_host():
        sys.excepthook = _report_unless_interrupted


def _is_run_by_language_host() -> bool:
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
    return Path(frame.f_code.co_filename).stem == _LANGUAGE_HOST


def _report_unless_interrupted(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
