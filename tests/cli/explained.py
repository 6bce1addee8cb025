"""A migration on a simulator whose clock stands, and what the command prints of it: always the same."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result

from ocean_migration_pulumi import cli
from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.sender import Sender
from ocean_migration_pulumi.api.settings import Settings
from ocean_migration_pulumi.simulator import Simulator
from ocean_migration_pulumi.testing.simulator.server import clock

BEGIN: Final = 1767323045.4
"""2026-01-02T03:04:05.4Z, at which the simulated time begins.

The service's Date has whole seconds, so spans until now come out 0.4 s short.
"""

_FLAGS: Final[Mapping[str, Any]] = {
    "batch_size_percentage": 34,
    "should_terminate_drained_nodes": True,
    "should_evict_stand_alone_pods": False,
    "force_pod_eviction_on_pdb_failure": False,
}


def simulator(monkeypatch: pytest.MonkeyPatch, scenario: str, nodes: int = 6) -> Simulator:
    """Return a simulator, not started, whose time begins at BEGIN and moves by hand."""
    monkeypatch.setattr(clock, "time", SimpleNamespace(time=lambda: BEGIN, monotonic=time.monotonic))
    # Until it is told to stand, a millionth of the real time passes.
    sim = Simulator(scenario=scenario, nodes=nodes, speed=1e-6)
    # The client's own watch goes on between two answers: on a slow machine it would tell another second.
    monkeypatch.setattr(
        Sender, "server_now", lambda sender: datetime.fromtimestamp(int(sim.control.clock()["now"]), UTC)
    )
    return sim


def migrate(sim: Simulator, *, seconds: float, **flags: Any) -> str:
    """Start a migration of all nodes, let the time pass, and return its id."""
    sim.control.clock(manual=True)
    ids = [node["instance_id"] for node in sim.control.nodes(sim.ocean_id) if not node["terminated"]]
    settings = Settings(base_url=sim.url, token=sim.token, account_id=sim.account_id)
    with OceanClient(settings) as client:
        offered = {node.instance_id for node in client.discover(sim.ocean_id)}
        found = client.create_migration(sim.ocean_id, [name for name in ids if name in offered], **{**_FLAGS, **flags})
    sim.control.advance(seconds)
    return found


def environment(sim: Simulator | None) -> dict[str, str | None]:
    """Return what the command finds around it: a token, an account, and no access to Kubernetes."""
    found: dict[str, str | None] = {
        "KUBECONFIG": None,
        "HOME": "/nonexistent",
        "SPOTINST_TOKEN": None,
        "SPOTINST_ACCOUNT": None,
    }
    if sim is not None:
        found |= {
            "SPOTINST_TOKEN": sim.token,
            "SPOTINST_ACCOUNT": sim.account_id,
            "SPOTINST_BASE_URL": sim.url,
            "OCEAN_MIGRATION_CLUSTER": sim.ocean_id,
        }
    return found


def run(sim: Simulator | None, *arguments: str) -> Result:
    """Run the command within this process."""
    return CliRunner().invoke(cli.main, list(arguments), env=environment(sim))


def printed(sim: Simulator | None, *arguments: str) -> str:
    """Return what the command prints; it must succeed, and say nothing beside it."""
    result = run(sim, *arguments)
    assert (result.exit_code, result.stderr) == (0, ""), result.stderr
    return result.stdout
