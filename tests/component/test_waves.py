"""What the component passes from a wave to its gate."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from pulumi import Output

from ocean_migration_pulumi.component.args import WaveArgs
from ocean_migration_pulumi.component.resources.waves import _select_baseline
from ocean_migration_pulumi.provider import OceanWorkloadMigration
from tests.support.coroutines import finish

BASELINE = {"migration_id": "owm-1", "workloads": {}}


@pytest.mark.parametrize(("health", "passed"), [(None, BASELINE), ("enforce", BASELINE), ("warn", None), ("off", None)])
def test_gate_judges_workloads_only_where_the_wave_does(health: str | None, passed: dict[str, Any] | None) -> None:
    """A wave that only warns of workloads is not held up by its gate instead."""

    async def read() -> Any:
        migration = cast("OceanWorkloadMigration", SimpleNamespace(workload_baseline=Output.from_input(BASELINE)))
        return await _select_baseline(WaveArgs(name="canary", nodes={}, health=health), migration).future()

    assert finish(read()) == passed
