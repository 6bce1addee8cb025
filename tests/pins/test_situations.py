"""Plans, outputs, diagnostics and comments of many situations: the data that programs use, and the words beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.pins.goldens import DATA, pin_data, pin_words
from tests.pins.situations import SITUATIONS
from tests.pins.stage import Stage

pytestmark = pytest.mark.usefixtures("unmeasured", "nobodys_machine")

_FOLDER = "situations"


@pytest.fixture
def nobodys_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this machine one without any access of its own."""
    for name in [name for name in os.environ if name.startswith(("SPOTINST_", "KUBE", "AWS_", "OCEAN_"))]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("name", SITUATIONS)
def test_situation(name: str, tmp_path: Path) -> None:
    """The data is compared first: where it is the same, only words have changed."""
    situation = SITUATIONS[name]
    with Stage(tmp_path, **situation.simulator) as stage:
        situation.play(stage)
    pin_data(f"{_FOLDER}/{name}.json", stage.acts)
    pin_words(f"{_FOLDER}/{name}.words.txt", "\n".join(stage.words))
    pin_words(f"{_FOLDER}/{name}.comment.md", "\n".join(stage.comments) + "\n")


def test_every_golden_file_is_of_a_situation() -> None:
    """What is left over pins nothing."""
    found = {path.name.partition(".")[0] for path in (DATA / _FOLDER).iterdir()}
    assert found == {*SITUATIONS}
