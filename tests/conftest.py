"""What tests of all parts share."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the processes of a test unmeasured: whole programs are many of them, and measuring takes a third of them.

    What they run is measured where it is tested closer.
    """
    for name in [name for name in os.environ if name.startswith("COVERAGE_PROCESS_")]:
        monkeypatch.delenv(name)
