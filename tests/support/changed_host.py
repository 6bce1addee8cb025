"""Runs Pulumi's dynamic provider host with changes to its source, as a later version may have them.

The environment variable CHANGED_HOST holds JSON: ``change``, pairs of a piece of source and what replaces it, and
``before``, Python source that runs first. The arguments are the host's.
"""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path


def _source() -> tuple[str, str, str]:
    changes = json.loads(os.environ["CHANGED_HOST"])
    package = importlib.util.find_spec("pulumi.dynamic")
    assert package is not None
    assert package.origin is not None
    path = Path(package.origin).with_name("__main__.py")
    source = path.read_text()
    for old, new in changes["change"]:
        assert old in source, f"the host has no {old!r}"
        source = source.replace(old, new)
    return changes["before"], source, str(path)


if __name__ == "__main__":
    before, host, origin = _source()
    exec(before)  # noqa: S102  # the test's own source
    exec(compile(host, origin, "exec"))  # noqa: S102  # the installed host's
