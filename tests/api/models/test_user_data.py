"""User data, encoded and compressed as AWS takes it."""

from __future__ import annotations

import base64
import gzip
from dataclasses import replace

import pytest

from ocean_migration_pulumi.api.models.cluster import LaunchTemplate
from ocean_migration_pulumi.api.models.user_data import UserData


def test_text_and_line_breaks_of_base64() -> None:
    """As `base64` writes it."""
    text = f"#!/bin/sh\n# {'-' * 80}\n"
    encoded = base64.encodebytes(text.encode()).decode()
    assert "\n" in encoded.strip()
    assert UserData.decode(encoded) == UserData(text=text)
    assert UserData(text=text).encode() == base64.b64encode(text.encode()).decode()


def test_compressed_user_data_stays_compressed() -> None:
    """And is the same at any time."""
    found = UserData.decode(base64.b64encode(gzip.compress(b"#!/bin/sh")).decode())
    assert found == UserData(text="#!/bin/sh", is_compressed=True)
    changed = replace(found, text="#!/bin/bash")
    assert UserData.decode(changed.encode()) == changed
    assert base64.b64decode(changed.encode())[4:8] == bytes(4)  # no time


@pytest.mark.parametrize(
    "encoded",
    [
        "#!/bin/bash",
        base64.b64encode(b"\x1f\x8bbroken").decode(),
        base64.b64encode(b"\xff\xfe").decode(),
        base64.b64encode("<powershell>".encode("utf-16-le")).decode(),
    ],
    ids=["text", "gzip", "binary", "utf-16"],
)
def test_other_forms_are_there_but_not_decoded(encoded: str) -> None:
    """Nothing is concluded of them, and nothing is lost."""
    assert UserData.decode(encoded) is None
    assert LaunchTemplate.of_vng({"userData": encoded}).user_data == encoded


def test_size_is_limited() -> None:
    """A few bytes may stand for many."""
    found = UserData.decode(base64.b64encode(gzip.compress(b"a" * 10_000_000)).decode())
    assert found is not None
    assert len(found.text) == 1 << 20
