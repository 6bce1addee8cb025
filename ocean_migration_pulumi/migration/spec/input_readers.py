"""How an input value is read: strictly, with an error that names the input, what is allowed, and the value."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from ocean_migration_pulumi.common.loopback import is_loopback
from ocean_migration_pulumi.common.text import nearest_name, shorten_value
from ocean_migration_pulumi.errors import InputError

_UNITS: Final[Mapping[str, float]] = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_DURATION_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_ACCOUNT: Final = re.compile(r"act-[!-~]+")
_DIGEST: Final = re.compile(r"[0-9a-f]{8}|[0-9a-f]{16,64}")

SHORTEST_DIGEST: Final = 16
"""How many digits of a plan digest an approval needs."""


def input_error(name: str, value: object, allowed: str) -> InputError:
    """Return the error for a value that is not ``allowed``, such as "a whole number from 1 to 50"."""
    empty = isinstance(value, str) and not value.strip()
    return InputError(name, f"must be {allowed}, not {'empty' if empty else shorten_value(value)}", predicate=True)


def secret_error(name: str, allowed: str) -> InputError:
    """Return the error for a value that is never shown, as it may be a secret in another form."""
    return InputError(name, f"must be {allowed}", predicate=True)


def exclusive_error(name: str, other: str) -> InputError:
    """Return the error for an input that was given together with one that excludes it."""
    return InputError(name, f"mutually exclusive with {other}")


def read_text(name: str, value: Any) -> str:
    """Read a string that is not empty."""
    if not isinstance(value, str):
        raise input_error(name, value, "a string")
    if not value.strip():
        raise InputError(name, "must not be empty", predicate=True)
    return value.strip()


def read_digest(name: str, value: Any) -> str:
    """Read the digest of a plan; of 8 digits, too, which version 0.1 took: they matter only when something starts."""
    digest = value.strip().lower() if isinstance(value, str) else ""
    if not _DIGEST.fullmatch(digest):
        raise input_error(name, value, f"a plan digest, {SHORTEST_DIGEST} hexadecimal digits or more")
    return digest


def read_kubeconfig(name: str, value: Any) -> str:
    """Read a kubeconfig, which no message shows; a mapping, as pulumi_eks has it, becomes JSON."""
    if isinstance(value, Mapping) and value:
        with suppress(TypeError, ValueError):
            return json.dumps(value)
    if not isinstance(value, str) or not value.strip():
        raise secret_error(name, "the content of a kubeconfig (text or mapping) or the path of one")
    return value


def read_account(name: str, value: Any) -> str:
    """Read the id of a Spot account."""
    if not isinstance(value, str) or not _ACCOUNT.fullmatch(value.strip()):
        raise input_error(name, value, "a Spot account id such as act-123abcd")
    return value.strip()


def read_list(name: str, value: Any) -> tuple[Any, ...]:
    """Read a list of anything."""
    if not isinstance(value, (list, tuple)):
        raise input_error(name, value, "a list")
    return tuple(value)


def read_texts(name: str, value: Any) -> tuple[str, ...]:
    """Read a list of strings; duplicates are dropped, the order is kept."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise input_error(name, value, "a list of strings")
    return tuple(dict.fromkeys(read_text(f"{name}[{number}]", item) for number, item in enumerate(value)))


def read_endpoints(name: str, value: Any) -> tuple[str, ...]:
    """Read a URL to post to, or a list of them; duplicates are dropped, the order is kept.

    Of a wrong URL only the host is shown, as the rest may be a secret.
    """
    if isinstance(value, str):
        return (_endpoint(name, value),)
    if not isinstance(value, Sequence):
        raise secret_error(name, "a URL or a list of URLs")
    return tuple(dict.fromkeys(_endpoint(f"{name}[{number}]", item) for number, item in enumerate(value)))


def _endpoint(name: str, value: Any) -> str:
    scheme, host = _scheme_and_host(value) if isinstance(value, str) else ("", "")
    if not host:
        raise secret_error(name, "an https URL without credentials")
    if scheme != "https" and not (scheme == "http" and is_loopback(value)):
        raise secret_error(name, f"an https URL (http only for this machine); the host is {shorten_value(host)}")
    return str(value)


def _scheme_and_host(url: str) -> tuple[str, str]:
    """Return scheme and host of a URL; no host for a malformed URL and for one with credentials."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        return "", ""
    plain = url.isascii() and url.isprintable() and not {" ", "\\"} & set(url)
    return parts.scheme, (parts.hostname or "") if usable and plain else ""


def read_flag(name: str, value: Any) -> bool:
    """Read True or False; nothing else stands for either."""
    if not isinstance(value, bool):
        raise input_error(name, value, "true or false")
    return value


def read_whole_number(name: str, value: Any, low: int, high: int, *, noun: str = "number") -> int:
    """Read a whole number, which errors call a whole ``noun``; Pulumi's numbers are floats on the wire, so 3.0 is 3."""
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole or not low <= value <= high:
        number = int(value) if whole and not isinstance(value, bool) else value
        raise input_error(name, number, f"a whole {noun} from {low} to {high}")
    return int(value)


def read_choice(name: str, value: Any, allowed: Iterable[str]) -> str:
    """Read one of the allowed words."""
    words = tuple(allowed)
    if value not in words:
        *most, last = (f'"{word}"' for word in words)
        raise word_error(name, value, f"{', '.join(most)} or {last}", words)
    return str(value)


def word_error(name: str, value: object, allowed: str, words: Iterable[str]) -> InputError:
    """Return the error for a value that is none of the ``words``, with the one that it may stand for."""
    error = input_error(name, value, allowed)
    folded = {word.casefold(): word for word in words}
    near = nearest_name(value.strip().casefold(), folded) if isinstance(value, str) else None
    return InputError(name, f'{error.message}; did you mean "{folded[near]}"?', predicate=True) if near else error


def read_duration(name: str, value: Any, *, never: bool = False) -> float | None:
    """Read a duration such as ``"20m"`` or ``"1h30m"`` as seconds; None is ``"never"``, where that is allowed."""
    if never and value == "never":
        return None
    known = isinstance(value, str) and _DURATION.fullmatch(value)
    seconds = sum(float(amount) * _UNITS[unit] for amount, unit in _DURATION_PART.findall(value)) if known else 0.0
    if not known or (never and seconds <= 0):
        examples = '"90s", "20m", "1h30m" or "never"' if never else '"90s", "20m" or "1h30m"'
        raise input_error(name, value, f"a duration such as {examples}")
    return seconds


def read_seconds(name: str, value: Any) -> float:
    """Read a duration as seconds."""
    return read_duration(name, value) or 0.0


@dataclass(frozen=True, slots=True)
class InputType:
    """A kind of input: how programs write it, how documentation names it, and how it is read."""

    read: Callable[[str, Any], Any]
    """Reads a value, given the name of the input; raises InputError when the value is not allowed."""
    annotation: str
    """The type in a program, without ``Input``."""
    label: str = ""
    """The type as documentation names it; empty when that is ``annotation``."""
    choices: tuple[str, ...] = ()
    """The allowed words; empty when there are others."""
    values: tuple[Any, ...] = ()
    """The allowed values as they are read; empty when there are many."""
    absent: Any = None
    """What an input holds that is not given and has no default."""


TEXT: Final = InputType(read_text, "str")
DIGEST: Final = InputType(read_digest, "str")
ACCOUNT: Final = InputType(read_account, "str")
KUBECONFIG_CONTENT: Final = InputType(read_kubeconfig, "str | Mapping[str, Any]", "str or map")
FLAG: Final = InputType(read_flag, "bool", values=(False, True))
TEXTS: Final = InputType(read_texts, "Sequence[Input[str]]", "list of str", absent=())
ANYTHING: Final = InputType(read_list, "Sequence[Any]", "list", absent=())
ENDPOINTS: Final = InputType(read_endpoints, "str | Sequence[Input[str]]", "str or list of str", absent=())
DURATION: Final = InputType(read_seconds, "str")
DURATION_OR_NEVER: Final = InputType(partial(read_duration, never=True), "str")


def percentage(low: int, high: int) -> InputType:
    """Return the type of whole percentages in a range."""
    read = partial(read_whole_number, low=low, high=high, noun="percentage")
    return InputType(read, "int", values=tuple(range(low, high + 1)))


def choice(*words: str) -> InputType:
    """Return the type of a few words."""
    return InputType(partial(read_choice, allowed=words), "str", choices=words, values=words)
