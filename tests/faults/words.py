"""What users read when something breaks: for each endpoint and fault the one line that ends the run.

Names in braces stand for what differs from run to run: ``{call}`` for the request, ``{what}`` for what a fault makes of
it, ``{ocean}``, ``{migration}``, ``{account}`` and ``{base}`` for ids and the base URL, ``{source}`` for where a token
comes from, ``{request}`` for the id that Spot's support asks for, ``{after}`` for a time such as ``2m05s``, ``{n}`` for
a number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

FAULTS: Final = (
    "429",
    "500",
    "502",
    "503",
    "reset-before",
    "reset-after",
    "truncate",
    "shape",
    "silence",
    "dns",
    "token",
    "deleted",
)
"""The faults that can last; a server whose clock is off is none that is ever told of."""

_CLUSTER: Final = "/ocean/aws/k8s/cluster/{ocean}"

CALLS: Final[Mapping[str, str]] = {
    "list": f"GET {_CLUSTER}/migration",
    "create": f"POST {_CLUSTER}/migration",
    "status": f"GET {_CLUSTER}/migration/{{migration}}",
    "stop": f"PUT {_CLUSTER}/migration/{{migration}}",
    "discovery": f"GET {_CLUSTER}/migration/discovery",
    "nodes": f"GET {_CLUSTER}/nodes",
    "log": f"GET {_CLUSTER}/log",
    "heartbeat": "GET /ocean/k8s/cluster/{ocean}/controllerHeartbeat",
    "cluster": f"GET {_CLUSTER}",
    "groups": "GET /ocean/aws/k8s/launchSpec?oceanId={ocean}",
}
"""The endpoints, as every message names them."""

_CUT: Final = "{call}: no response from {base}: {cut}"

WHAT: Final[Mapping[str, str]] = {
    "429": "{call}: too many requests; wait, or run fewer programs for this organization (HTTP 429, request {request})",
    "500": "{call}: Spot has an internal error (HTTP 500)",
    "502": "{call}: Spot has an internal error (HTTP 502)",
    "503": "{call}: Spot has an internal error (HTTP 503)",
    "reset-before": _CUT,
    "reset-after": _CUT,
    "truncate": "{call}: no response from {base}: peer closed connection without sending complete "
    "message body (received {n} bytes, expected {n})",
    "shape": "{call}: unusable response: no list of items",
    "silence": "{call}: no response from {base}: timed out",
    "dns": "{call}: no response from http://api.spot.invalid: Name or service not known",
    "token": "Spot refuses the token (from {source}): create a new one in the Spot console (HTTP 401, request "
    "{request})",
    "deleted": "Ocean cluster {ocean} does not exist in {account}; check the id and the account "
    "(HTTP 400, CLUSTER_DOESNT_EXIST, request {request})",
}
"""What a fault makes of a request: what happened, and to which id."""

NOTHING: Final = ""
"""The run goes on and ends well; nobody needs to know."""

_OTHERS: Final = "*"
_BEFORE: Final = {
    _OTHERS: "{what}; nothing was started; run `pulumi up` again",
    "token": "{what}",
    "deleted": "{what}",
}
_UNKNOWN: Final = (
    "the response to the start of a migration of 3 nodes was lost ({what}), and no such migration is listed yet: "
    "it may have started. `pulumi up` looks for it before it starts any other."
)

LASTING: Final[Mapping[str, Mapping[str, str]]] = {
    "cluster": _BEFORE,
    "discovery": _BEFORE,
    "groups": _BEFORE,
    "heartbeat": _BEFORE,
    "list": _BEFORE,
    "nodes": {
        _OTHERS: NOTHING,  # a warning tells that the room for new nodes is not known
        "token": "{what}",  # of the next request
        "deleted": "{what}",
    },
    "create": {
        # Sent, and perhaps not in vain: never sent again in this run.
        "500": _UNKNOWN,
        "502": _UNKNOWN,
        "503": _UNKNOWN,
        "reset-before": _UNKNOWN,
        "silence": _UNKNOWN,
        # Found in the list, and waited for.
        "reset-after": NOTHING,
        "truncate": NOTHING,
        "shape": NOTHING,
        # Had no effect for sure.
        **_BEFORE,
    },
    "status": {
        _OTHERS: "after {after}, Spot no longer reports on migration {migration}: {what}; it "
        "continues in Ocean (status unknown). `pulumi up` waits for it again.",
        "deleted": "after {after}, Spot no longer reports on migration {migration}: {what}; if the cluster is gone, "
        "the migration has ended (status unknown). `pulumi up` waits for it again.",
    },
    "log": {
        _OTHERS: "migration {migration} failed after {after}, {n} of 3 nodes done: could not read the reason from "
        "Ocean's log ({what}). Read the cluster's log in the Spot console, then run `pulumi up` again.",
    },
    "stop": {
        _OTHERS: "{what}; run the command again",
        "token": "{what}",
        "deleted": NOTHING,  # nothing runs on a cluster that is gone
    },
}
"""The last line of a run whose endpoint is struck by a fault that lasts."""

_FAILED: Final = (
    "migration {migration} failed after {after}, {n} of 3 nodes done: the migration took longer than Ocean allows. "
    "Migrate fewer nodes at once, grouped by labels or by similar requirements, then run `pulumi up` again."
)

_PASSED: Final = {
    _OTHERS: NOTHING,
    "shape": LASTING["cluster"][_OTHERS],  # no outage: nothing says that it would pass
}

PASSING: Final[Mapping[str, Mapping[str, str]]] = {
    "cluster": _PASSED,
    "discovery": _PASSED,
    "groups": _PASSED,
    "heartbeat": _PASSED,
    "list": _PASSED,
    "nodes": {_OTHERS: NOTHING},
    "create": {**LASTING["create"], "429": NOTHING, "dns": NOTHING},
    "status": {_OTHERS: NOTHING},
    "log": {_OTHERS: _FAILED, "shape": LASTING["log"][_OTHERS]},
    "stop": {_OTHERS: NOTHING, "shape": LASTING["stop"][_OTHERS]},
}
"""The last line of a run whose endpoint is struck once; a token or a cluster is not taken away once."""

_UNPLANNED: Final = {
    _OTHERS: "Cannot read the cluster from Spot: {what}. `pulumi up` plans the nodes when it runs",
    # A preview has no time for it.
    "429": "Cannot read the cluster from Spot: {call}: rate limit reached, try again in 30 s (HTTP 429). "
    "`pulumi up` plans the nodes when it runs",
    "token": "{what}",
    "deleted": "ocean_id: {what}",
}

PREVIEW: Final[Mapping[str, Mapping[str, str]]] = {
    "cluster": _UNPLANNED,
    "discovery": _UNPLANNED,
    "groups": _UNPLANNED,
    "heartbeat": _UNPLANNED,
    "list": _UNPLANNED,
    "nodes": {_OTHERS: "Not checked (capacity): The Ocean nodes of {ocean} could not be listed. Try again"},
}
"""The one warning, or the reason of the failure, of a preview whose endpoint is struck by a fault that lasts."""


def expected(table: Mapping[str, Mapping[str, str]], endpoint: str, fault: str) -> str:
    """Return the words of a cell, with what happened filled in."""
    endings = table[endpoint]
    words = endings.get(fault, endings.get(_OTHERS, ""))
    return words.replace("{what}", WHAT.get(fault, "")).replace("{call}", CALLS[endpoint])


def reads(words: str, **known: str) -> re.Pattern[str]:
    """Return what a line must match as a whole, but for an error's code; ``known`` are names whose value is known."""
    patterns = {name: re.escape(value) for name, value in known.items()} | _ANY
    parts = re.split(r"\{(\w+)\}", words)
    text = "".join(patterns[part] if place % 2 else re.escape(part) for place, part in enumerate(parts))
    return re.compile(rf"{text}( \[[a-z-]+\])?")


_ANY: Final = {
    "after": r"(\d+m)?\d+s",
    "cut": r"(Connection reset by peer|Broken pipe|Server disconnected without sending a response)",
    "migration": r"owm-[0-9a-f]{8}",
    "n": r"-?\d+",
    "request": r"[0-9a-f-]{36}",
}
