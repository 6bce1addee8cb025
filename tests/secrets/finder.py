"""Looks for secrets wherever they may have got to: as they are, encoded, escaped, and inside of something encoded."""

from __future__ import annotations

import base64
import html
import json
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus


class Finder:
    """Looks for some secrets; text, bytes, and whatever JSON or ``repr`` can make a text of."""

    def __init__(self, *secrets: str) -> None:
        self._forms = sorted({form for secret in secrets for form in forms(secret)})

    def found(self, where: Any) -> list[str]:
        """Return the forms of the secrets that are in something."""
        text = shown(where)
        folded = text.casefold()
        # The case of an escape does not matter; for base64 it does, but nothing as long meets by chance.
        return [form for form in self._forms if form in text or form.casefold() in folded]

    def refute(self, **places: Any) -> None:
        """Fail when a secret is in one of the places, naming the place."""
        for place, what in places.items():
            assert self.found(what) == [], place
            assert shown(what), f"{place}: nothing to look at"

    def refute_below(self, directory: Path, *, but: tuple[Path, ...] = ()) -> None:
        """Fail when a secret is in a file, or the name of one, below a directory."""
        for path in sorted(directory.rglob("*")):
            if path.is_file() and path not in but:
                assert self.found(path.read_bytes()) == [], path
                assert self.found(str(path)) == [], path


def forms(secret: str) -> Iterator[str]:
    """Return how a secret may stand in a text."""
    yield secret
    yield repr(secret)[1:-1]
    for escaped in (json.dumps(secret), json.dumps(json.dumps(secret))):
        yield escaped.strip('"\\')
    yield html.escape(secret)
    yield from (quote(secret), quote(secret, safe=""), quote_plus(secret), quote(quote(secret, safe=""), safe=""))
    raw = secret.encode()
    yield "".join(f"%{byte:02x}" for byte in raw)
    yield raw.hex()
    for within in _within_base64(raw):
        yield within
        yield quote(within, safe="")
        yield from _within_base64(within.encode())


def _within_base64(raw: bytes) -> Iterator[str]:
    for before in range(3):
        # The characters at the edges depend on what stands around, the others are always the same.
        first, last = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(bytes(before) + raw).decode()[first:last]


def shown(what: Any) -> str:
    """Return all that somebody may read of something."""
    if isinstance(what, str):
        return what
    if isinstance(what, bytes):
        return what.decode("utf-8", "replace")
    if isinstance(what, BaseException):
        return told(what)
    if isinstance(what, (dict, list, tuple)):
        return f"{json.dumps(what, default=repr, ensure_ascii=False)}\n{what!r}"
    return f"{what!r}\n{what}"


def told(error: BaseException) -> str:
    """Return all that an error tells: its traceback as printed, its arguments, and those of what it comes from."""
    lines = ["".join(traceback.format_exception(error))]
    chain: BaseException | None = error
    while chain is not None:
        lines += [str(chain), repr(chain), repr(chain.args), repr(getattr(chain, "__notes__", ""))]
        lines += [f"{name}={value!r}" for name, value in vars(chain).items()]
        chain = chain.__cause__ or chain.__context__
    return "\n".join(lines)


def with_variables(error: BaseException) -> str:
    """Return the traceback with the variables of our functions and of what they call, as error trackers keep it."""
    made = traceback.TracebackException.from_exception(error, capture_locals=True)
    lines = []
    while made is not None:
        for frame in made.stack:
            # Those of the test hold the secret.
            if f"{Path('tests')}/" not in frame.filename:
                lines.append(f"{frame.filename}:{frame.lineno} {frame.name} {frame.locals}")
        made = made.__cause__ or made.__context__  # type: ignore[assignment]  # None ends it
    return "\n".join(lines)


class _Keeper(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name} {record.getMessage()} {record.args!r}")


@contextmanager
def everything_logged() -> Iterator[list[str]]:
    """Keep what any library logs at its most verbose."""
    root, keeper = logging.getLogger(), _Keeper()
    level = root.level
    root.addHandler(keeper)
    root.setLevel(logging.DEBUG)
    try:
        yield keeper.lines
    finally:
        root.setLevel(level)
        root.removeHandler(keeper)
