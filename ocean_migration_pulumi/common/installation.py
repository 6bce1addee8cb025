"""How this package was installed, for hints that name the command which installs an extra."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

_NAME: Final = "ocean-migration"


def install_command(extra: str) -> str:
    """Return the command that installs an extra from where the package came from.

    The installer records that in ``direct_url.json`` (PEP 610), unless it was an index. Credentials of a URL are left
    out.

    Args:
        extra: The extra, such as ``kubernetes``.
    """
    name = f"{_NAME}[{extra}]"
    origin = _read_origin()
    url = _without_credentials(str(origin.get("url", "")))
    if not url:
        return f'pip install "{name}"'
    if isinstance(vcs := origin.get("vcs_info"), dict):
        revision = vcs.get("requested_revision") or vcs.get("commit_id")
        at = f"@{revision}" if revision else ""
        return f'pip install "{name} @ {vcs.get("vcs", "git")}+{url}{at}{_subdirectory(origin)}"'
    if isinstance(directory := origin.get("dir_info"), dict) and url.startswith("file://"):
        path = unquote(urlsplit(url).path)
        editable = "--editable " if directory.get("editable") else ""
        return f'pip install {editable}"{path}[{extra}]"'
    return f'pip install "{name} @ {url}{_subdirectory(origin)}"'


def _read_origin() -> dict[str, Any]:
    """Return the record of the installer; empty if it cannot be read."""
    try:
        text = distribution(_NAME).read_text("direct_url.json")
        found = json.loads(text) if text else None
    except (PackageNotFoundError, OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _without_credentials(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _subdirectory(origin: dict[str, Any]) -> str:
    subdirectory = origin.get("subdirectory")
    return f"#subdirectory={subdirectory}" if subdirectory else ""
