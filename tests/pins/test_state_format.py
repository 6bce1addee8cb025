"""The format of users' states: types, ids, and the names of inputs and outputs, as the situations' goldens hold them.

`data/state-format.json` is written by hand and never anew: names may be added, none may go. How the providers
themselves are stored is pinned with each of them.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.pins.goldens import DATA

FROZEN: dict[str, Any] = json.loads((DATA / "state-format.json").read_text(encoding="utf-8"))


def stored(type_: str) -> list[dict[str, Any]]:
    """Return the resources of a type in the states of all situations."""
    found = []
    for path in sorted((DATA / "situations").glob("*.json")):
        for act in json.loads(path.read_text(encoding="utf-8")):
            for name, each in act.get("state", {}).items():
                if each["type"] == type_:
                    shown = act["inputs"].get(name, {})
                    found.append({**each, "inputs": shown if each["inputs"] == "as in the step" else each["inputs"]})
    return found


@pytest.mark.parametrize("type_", FROZEN)
def test_stored_resources_have_the_names_that_they_had(type_: str) -> None:
    """Each name is met in a situation, and each id is made as ever."""
    found = stored(type_)
    assert found
    for part in ("inputs", "outputs"):
        assert {*FROZEN[type_][part]} <= {name for each in found for name in each[part]}
        assert {*FROZEN[type_][f"{part}_always"]} <= set.intersection(*({*each[part]} for each in found))
    assert all(re.fullmatch(FROZEN[type_]["id"], each["id"] or "") for each in found)


def test_entries_of_migrations_have_the_names_that_they_had() -> None:
    """They are read by the next run."""
    (frozen,) = (each["entries_of_migrations"] for each in FROZEN.values() if "entries_of_migrations" in each)
    entries = [entry for type_ in FROZEN for each in stored(type_) for entry in each["outputs"].get("migrations", ())]
    assert {*frozen} <= {name for entry in entries for name in entry}
