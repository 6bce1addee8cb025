"""``ocean-migration history``."""

from __future__ import annotations

import json
from typing import Final

import pytest

from ocean_migration_pulumi.simulator import Simulator
from tests.cli.conftest import described
from tests.cli.explained import migrate, printed, run, simulator

# The simulator tells of the nodes of the stopped one as they are now: the second one has drained them.
_TABLE: Final = """\
MIGRATION     CREATED                TOOK  NODES  OUTCOME                         TERMINATE  EVICT
owm-9313d8d4  2026-01-02T04:14:05Z      -    0/3  running: waiting for new nodes  no         yes
owm-a9bcde06  2026-01-02T03:19:05Z  8m50s    6/6  failed: timeout                 yes        no
owm-d46a9d5e  2026-01-02T03:04:05Z  1m40s    6/6  stopped                         yes        no
"""


def _past(sim: Simulator) -> list[str]:
    """Let one migration be stopped, let one fail, let one run; return their ids, the newest first."""
    first = migrate(sim, seconds=10)
    sim.control.stop_foreign(sim.ocean_id, first)
    sim.control.advance(890)
    sim.control.arm_failure(sim.ocean_id, "timeout")
    second = migrate(sim, seconds=3300)
    for _ in range(3):
        sim.control.add_node(sim.ocean_id, "web")
    third = migrate(sim, seconds=60, should_terminate_drained_nodes=False, should_evict_stand_alone_pods=True)
    return [third, second, first]


def test_history_is_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest first; by its exact words."""
    with simulator(monkeypatch, "success") as sim:
        ids = _past(sim)
        text = printed(sim, "history")
        found = json.loads(printed(sim, "history", "--json"))
    described("history", found)
    assert [each["id"] for each in found["migrations"]] == ids
    assert text == _TABLE


def test_a_cluster_without_migrations_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """On stdout, as it is the result."""
    with simulator(monkeypatch, "success") as sim:
        sim.control.clock(manual=True)
        assert printed(sim, "history") == f"No migration on {sim.ocean_id}\n"


def test_only_the_newest_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless all are wanted; what is left out is told beside the table."""
    with simulator(monkeypatch, "success") as sim:
        ids = _past(sim)
        monkeypatch.setattr("ocean_migration_pulumi.cli.commands.inspect.history.MOST_STATUSES", 1)
        result = run(sim, "history")
        assert result.exit_code == 0
        assert result.stderr == "details of the newest 1 of 3 migrations only; use --all for the rest\n"
        assert f"{ids[1]}  2026-01-02T03:19:05Z" in result.stdout
        assert "failed: timeout" in printed(sim, "history", "--all")
