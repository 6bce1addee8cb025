"""The user's program: its errors end it in one line, and the engine interrupts it as soon as a resource has failed."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any, Final, ParamSpec, TypeVar

import pulumi

from ocean_migration_pulumi.common.text import nearest_name
from ocean_migration_pulumi.errors import InputError, OceanMigrationError, UnknownFieldError, add_code

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_LANGUAGE_HOST: Final = "pulumi-language-python-exec"
_NAME: Final = re.compile(r"\w+")


def one_line_errors(function: Callable[P, R]) -> Callable[P, R]:
    """Let an error of this package that a program does not catch end it with its message, without a traceback.

    What the function raises keeps its class, and is a ``pulumi.RunError``, too. So is an error that names a wrong or
    missing argument, where Python raises a TypeError.
    """

    @wraps(function)
    def call(*args: P.args, **more: P.kwargs) -> R:
        try:
            return function(*args, **more)
        except OceanMigrationError as error:
            if isinstance(error, pulumi.RunError):
                raise
            raise _as_run_error(error) from error.__cause__
        except TypeError:
            problem = _find_wrong_argument(function, args, more)
            if problem is None:
                raise
            raise _as_run_error(problem) from None

    return call


def one_line_constructor(kind: type[T]) -> type[T]:
    """Let a wrong argument of a dataclass end the program in one line, which names the nearest field."""
    kind.__init__ = one_line_errors(kind.__init__)  # type: ignore[method-assign]  # the one that dataclass has made
    return kind


def hide_interrupt_traceback() -> None:
    """Let a program that Pulumi's language host runs end without a traceback when the engine interrupts it.

    The engine sends SIGINT to the program when a resource has failed. Python would print a page about
    KeyboardInterrupt above the reason. Other programs, and a hook that somebody else has set, stay as they are.
    """
    if sys.excepthook is sys.__excepthook__ and _is_run_by_language_host():
        sys.excepthook = _report_unless_interrupted


def _as_run_error(error: OceanMigrationError) -> OceanMigrationError:
    """Return the same error as one that Pulumi's language host prints in one line, with its code."""
    kind = type(error)

    def line(self: OceanMigrationError) -> str:
        return add_code(kind.__str__(self), self)

    namespace = {"__doc__": kind.__doc__, "__module__": kind.__module__, "__str__": line}
    run_error: type[OceanMigrationError] = type(kind.__name__, (kind, pulumi.RunError), namespace)
    raised = run_error.__new__(run_error, *error.args)
    vars(raised).update(vars(error))
    return raised


def _find_wrong_argument(
    function: Callable[..., object], args: Sequence[object], more: Mapping[str, object]
) -> InputError | None:
    """Return the error for a call that does not fit the signature of a function; None for one that fits."""
    signature = inspect.signature(function)
    try:
        signature.bind(*args, **more)
    except TypeError:
        pass
    else:
        return None
    method = "self" in signature.parameters
    parameters = {name: each for name, each in signature.parameters.items() if name != "self"}
    positional = [name for name, each in parameters.items() if each.kind is each.POSITIONAL_OR_KEYWORD]
    values = args[method:]
    where = function.__qualname__.removesuffix(".__init__")
    if method and values and isinstance(values[0], str):
        where += f' "{values[0]}"'
    for name in more:
        if name not in parameters:
            return _unknown_argument(function, where, name, list(parameters))
    if len(values) > len(positional):
        most = f"at most {len(positional)} arguments by position" if positional else "no arguments by position"
        return InputError("", f"{where} takes {most}; pass the others by name")
    for name in positional[: len(values)]:
        if name in more:
            return InputError(name, f"is given twice in {where}", predicate=True)
    missing = next(
        name
        for name, each in parameters.items()
        if each.default is each.empty and name not in more and name not in positional[: len(values)]
    )
    return InputError(missing, f"is required in {where}", predicate=True)


def _unknown_argument(function: Callable[..., Any], where: str, given: str, known: Sequence[str]) -> InputError:
    """Return the error for an argument that does not exist: it suggests the nearest one, or lists all.

    A field of an argument is suggested, too: whoever writes ``asg_names`` may mean ``nodes.asg_names``, and whoever
    writes ``depends_on`` means ``opts.depends_on``.
    """
    nested = {
        field.name: f"{name}.{field.name}"
        for name, annotation in inspect.get_annotations(function).items()
        if isinstance(annotation, str)
        for kind in map(function.__globals__.get, _NAME.findall(annotation))
        if isinstance(kind, type) and is_dataclass(kind)
        for field in fields(kind)
    }
    if "opts" in known:
        nested |= {name: f"opts.{name}" for name in inspect.signature(pulumi.ResourceOptions).parameters}
    nearest = nested.get(given) or nearest_name(given, known)
    if nearest is None and (field := nearest_name(given, nested)):
        nearest = nested[field]
    hint = f"did you mean `{nearest}`?" if nearest else f"arguments: {', '.join(known)}"
    return UnknownFieldError(given, f"is not an argument of {where}; {hint}", predicate=True)


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
