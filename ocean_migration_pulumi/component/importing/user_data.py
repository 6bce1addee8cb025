"""Labels in user data by which nodes would pass for those of a managed node group."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Final

from ocean_migration_pulumi.api.models.user_data import walk_mime

_KEY: Final = (
    r"eks\.amazonaws\.com/(?:nodegroup|nodegroup-image|capacityType|sourceLaunchTemplateId|sourceLaunchTemplateVersion)"
)
_LABEL: Final = rf"{_KEY}=[^,\s'\"\\]*"
_IN_LIST: Final = re.compile(rf"(,?){_LABEL}(?:,{_LABEL})*(,?)")
"""Labels in a list as of ``--node-labels``, with the commas around them."""

_IN_TOML: Final = re.compile(rf"^[ \t]*(?:[\w.-]+\.)?(['\"]){_KEY}\1[ \t]*=[^\n{{}}]*(?:\n|\Z)", re.MULTILINE)
"""A label on a line of its own in the settings of Bottlerocket."""

_NAMED: Final = re.compile(rf"{_KEY}(?![\w.-])")


def remove_group_labels(user_data: str) -> str:
    """Return user data without labels of a managed node group, wherever it is known how to take them out."""
    for payload, text in _encoded_parts(user_data):
        if (adapted := _remove(text)) != text:
            user_data = user_data.replace(payload, base64.encodebytes(adapted.encode()).decode().strip())
    return _remove(user_data)


def has_group_labels(user_data: str) -> bool:
    """Tell whether user data names labels of a managed node group, in whatever form."""
    texts = [user_data, *(text for _, text in _encoded_parts(user_data))]
    return any(map(_NAMED.search, texts))


def _remove(text: str) -> str:
    text = _IN_TOML.sub("", text)
    return _IN_LIST.sub(lambda found: "," if found[1] and found[2] else "", text)


def _encoded_parts(user_data: str) -> Iterator[tuple[str, str]]:
    """Yield the parts of a MIME message that are in base64, as they are written and decoded."""
    for part in walk_mime(user_data):
        if str(part.get("Content-Transfer-Encoding", "")).strip().lower() != "base64" or part.is_multipart():
            continue
        payload = str(part.get_payload()).strip()
        try:
            yield payload, base64.b64decode("".join(payload.split()), validate=True).decode()
        except ValueError:
            continue  # no text
