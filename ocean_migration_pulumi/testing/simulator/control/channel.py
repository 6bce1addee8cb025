"""Sends verbs to the control API as JSON, with the standard library only."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

TIMEOUT_SECONDS = 60.0
"""Real seconds to wait for a response."""


class ControlError(Exception):
    """The control API refused a verb: an argument is invalid, or names something that does not exist."""


def _read_reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["error"])
    except (ValueError, KeyError):
        return str(error)


class ControlChannel:
    """Sends verbs to a simulator.

    Args:
        url: The base URL of the simulator.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        # Ignore the proxy of the environment: the simulator is on loopback, and may be that proxy itself.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(self, verb: str, /, **arguments: Any) -> Any:
        """Call a verb with JSON arguments and return its result; raises ``ControlError``."""
        return self._send(verb, json.dumps(arguments).encode(), TIMEOUT_SECONDS)

    def get(self, path: str, *, timeout: float = TIMEOUT_SECONDS) -> Any:
        """Get a path of the control API, within real seconds; raises ``ControlError``."""
        return self._send(path, None, timeout)

    def _send(self, path: str, body: bytes | None, timeout: float) -> Any:
        request = urllib.request.Request(f"{self._url}/simulator/{path}", data=body)  # noqa: S310 - loopback only
        try:
            with self._opener.open(request, timeout=timeout) as response:
                return json.load(response)["result"]
        except urllib.error.HTTPError as error:
            with error:
                raise ControlError(_read_reason(error)) from None
