"""User data of instances, as AWS and Spot have it."""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_string, policy
from email.message import Message
from typing import Final, Self

_MOST_BYTES: Final = 1 << 20
"""More than an instance takes, compressed or not."""

_GZIP: Final = b"\x1f\x8b"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserData:
    """User data that is text."""

    text: str = field(repr=False)
    """The text, which may have secrets."""
    is_compressed: bool = False
    """Whether it is compressed with gzip."""

    @classmethod
    def decode(cls, encoded: str) -> Self | None:
        """Return user data from base64; None when it is not text, compressed or not."""
        try:
            # Tools such as `base64` break lines, and AWS keeps what it is given.
            data = base64.b64decode("".join(encoded.split()), validate=True)
            if is_compressed := data.startswith(_GZIP):
                data = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data, _MOST_BYTES)
            text = data.decode()
        except (ValueError, zlib.error):
            return None
        return None if "\0" in text else cls(text=text, is_compressed=is_compressed)

    def encode(self) -> str:
        """Return it in base64."""
        data = self.text.encode()
        # The same text has to be the same user data, at any time.
        return base64.b64encode(gzip.compress(data, mtime=0) if self.is_compressed else data).decode()


def walk_mime(user_data: str) -> Iterator[Message]:
    """Yield a MIME message and its parts; blank lines before it, as templates leave them, do not end its headers."""
    return message_from_string(user_data.lstrip(), policy=policy.default).walk()
