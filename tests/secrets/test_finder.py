"""The finder of secrets: what it would find."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.secrets.finder import Finder, everything_logged, with_variables

SECRET = 'canary-7f3a/0+b"c&d%e<f'
FINDER = Finder(SECRET)


@given(st.binary(max_size=7), st.binary(max_size=7), st.booleans(), st.booleans())
def test_found_inside_of_what_is_encoded(before: bytes, after: bytes, url_safe: bool, twice: bool) -> None:
    """Wherever in a base64 it begins, in a base64 of that, too, and percent-encoded."""
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    encoded = encode(before + SECRET.encode() + after).decode()
    assert FINDER.found(quote(encoded, safe=""))
    assert FINDER.found(base64.b64encode(before + encoded.encode()) if twice else encoded)


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        quote(SECRET, safe=""),
        quote(SECRET, safe="").casefold(),
        "".join(f"%{byte:02X}" for byte in SECRET.encode()),
        json.dumps({"a": SECRET}),
        json.dumps(json.dumps([SECRET])),
        SECRET.encode().hex(),
        SECRET.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;"),
    ],
)
def test_found_escaped(text: str) -> None:
    """As URLs, JSON, JSON in JSON and HTML have it."""
    assert FINDER.found(f"x{text}y")
    with pytest.raises(AssertionError, match="here"):
        FINDER.refute(here=text)


def test_found_in_errors_logs_and_files(tmp_path: Path) -> None:
    """In causes that are not shown, in arguments of records, and below directories."""
    with pytest.raises(KeyError) as caught:
        _fail_for_a_hidden_reason()
    assert FINDER.found(caught.value)
    with everything_logged() as lines:
        logging.getLogger("any.library").debug("%s", SECRET)
    assert FINDER.found(lines)
    (tmp_path / "kept").write_bytes(b"\xff" + SECRET.encode())
    with pytest.raises(AssertionError):
        FINDER.refute_below(tmp_path)


def test_nothing_is_found_where_nothing_is() -> None:
    """And to look at nothing proves nothing."""
    assert not FINDER.found({"a": ["canary", "7f3a"]})
    with pytest.raises(AssertionError, match="nothing to look at"):
        FINDER.refute(here="")


def test_variables_of_others_are_seen() -> None:
    """As error trackers keep them."""
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads(SECRET)
    assert FINDER.found(with_variables(caught.value))


def _fail_for_a_hidden_reason() -> None:
    try:
        raise ValueError(SECRET)
    except ValueError:
        raise KeyError("x") from None
