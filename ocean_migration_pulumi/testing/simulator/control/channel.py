"""The way to the control API: a verb and its arguments as JSON. Standard library only."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

TIMEOUT_SECONDS = 60.0
"""Real seconds that an answer may take."""


class ControlError(Exception):
    """The control API refuses: an argument is wrong, or what it names does not exist."""


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["error"])
    except (ValueError, KeyError):
        return str(error)


class ControlChannel:
    """Sends verbs to the simulator at ``url``; raises ``ControlError`` when it refuses."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        # No proxy, whatever the environment says: the simulator is on loopback, and may itself be that proxy.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(self, verb: str, /, **arguments: Any) -> Any:
        """Call a verb of the control API."""
        return self._send(verb, json.dumps(arguments).encode(), TIMEOUT_SECONDS)

    def get(self, path: str, *, timeout: float = TIMEOUT_SECONDS) -> Any:
        """Read a path of the control API."""
        return self._send(path, None, timeout)

    def _send(self, path: str, body: bytes | None, timeout: float) -> Any:
        request = urllib.request.Request(f"{self._url}/simulator/{path}", data=body)  # noqa: S310 - loopback only
        try:
            with self._opener.open(request, timeout=timeout) as response:
                return json.load(response)["result"]
        except urllib.error.HTTPError as error:
            with error:
                raise ControlError(_reason(error)) from None
