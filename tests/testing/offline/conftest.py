"""A probe on each engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.scenarios.conftest import driver

__all__ = ["driver"]


@pytest.fixture(autouse=True)
def forked() -> None:
    """Start the processes of OfflineStack as for everybody, where it is not called by the driver."""


@pytest.fixture
def probe_directory(tmp_path: Path) -> Path:
    """Where the probe records its calls, and is told how to behave."""
    directory = tmp_path / "probe"
    directory.mkdir()
    return directory


@pytest.fixture
def scenario_environment(probe_directory: Path) -> Mapping[str, str]:
    """Tell the probe where its directory is."""
    return {"PROBE_DIR": str(probe_directory)}
