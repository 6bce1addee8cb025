"""How one input value is read: strict, with an error that names the input, the value and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from ocean_migration_pulumi.common.loopback import is_loopback
from ocean_migration_pulumi.common.text import shorten_value
from ocean_migration_pulumi.errors import InputError

_UNITS: Final[Mapping[str, float]] = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_DURATION_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_ENDPOINT: Final = "an https URL without credentials (http goes to this machine only)"


def input_error(name: str, value: object, allowed: str) -> InputError:
    """Return the error for a value that is not allowed."""
    return InputError(name, f"{shorten_value(value)} is not allowed; give {allowed}")


def read_text(name: str, value: Any) -> str:
    """Read a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise input_error(name, value, "a text that is not empty")
    return value.strip()


def read_secret(name: str, value: Any) -> str:
    """Read a kubeconfig; not even a wrong value is shown, as it may be the secret in another form."""
    if not isinstance(value, str) or not value.strip():
        raise InputError(name, "what is given is not allowed; give the kubeconfig as a text, or the path of its file")
    return value


def read_texts(name: str, value: Any) -> tuple[str, ...]:
    """Read a list of texts; duplicates are dropped, the order is kept."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise input_error(name, value, "a list of texts")
    return tuple(dict.fromkeys(read_text(name, item) for item in value))


def read_endpoints(name: str, value: Any) -> tuple[str, ...]:
    """Read a URL to post to, or a list of them; duplicates are dropped, the order is kept.

    Of a wrong one nothing but the host is shown, as the rest of it may be a secret.
    """
    if isinstance(value, str):
        return (_endpoint(name, value),)
    if not isinstance(value, Sequence):
        raise InputError(name, "what is given is not allowed; give a URL, or a list of them")
    return tuple(dict.fromkeys(_endpoint(f"{name}[{number}]", item) for number, item in enumerate(value)))


def _endpoint(name: str, value: Any) -> str:
    scheme, host = _parts(value) if isinstance(value, str) else ("", "")
    if not host:
        raise InputError(name, f"what is given is not allowed; give {_ENDPOINT}")
    if scheme != "https" and not (scheme == "http" and is_loopback(value)):
        raise InputError(name, f"the URL of {shorten_value(host)} is not allowed; give {_ENDPOINT}")
    return str(value)


def _parts(url: str) -> tuple[str, str]:
    """Return scheme and host of a URL; no host where it is none, or holds what none of ours may hold."""
    try:
        parts = urlsplit(url)
        known = parts.scheme and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        return "", ""
    plain = url.isascii() and url.isprintable() and not {" ", "\\"} & set(url)
    return parts.scheme, (parts.hostname or "") if known and plain else ""


def read_flag(name: str, value: Any) -> bool:
    """Read True or False; nothing else stands for either."""
    if not isinstance(value, bool):
        raise input_error(name, value, "true or false")
    return value


def read_whole_number(name: str, value: Any, low: int, high: int) -> int:
    """Read a whole number; Pulumi's numbers are floats on the wire, so 3.0 is 3."""
    allowed = f"a whole number from {low} to {high}"
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole:
        raise input_error(name, value, allowed)
    if not low <= value <= high:
        raise input_error(name, int(value), allowed)
    return int(value)


def read_choice(name: str, value: Any, allowed: Iterable[str]) -> str:
    """Read one of the allowed words."""
    words = tuple(allowed)
    if value not in words:
        raise input_error(name, value, "one of " + ", ".join(f'"{word}"' for word in words))
    return str(value)


def read_duration(name: str, value: Any, *, never: bool = False) -> float | None:
    """Read a duration such as ``"20m"`` or ``"1h30m"`` as seconds; None is ``"never"``, where that is allowed."""
    allowed = 'a duration such as "90s", "20m" or "1h30m"' + (', or "never"' if never else "")
    if never and value == "never":
        return None
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise input_error(name, value, allowed)
    seconds = sum(float(amount) * _UNITS[unit] for amount, unit in _DURATION_PART.findall(value))
    if never and seconds <= 0:
        raise input_error(name, value, allowed)
    return seconds
