"""The short form of `make chaos`: a few runs with one kill each, that false claims are found, and what is shown."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.chaos import __main__, invariants
from tests.chaos.playing import Outcome, play
from tests.chaos.schedule import ENDS, Command, LieKind, Moment, Schedule, Victim, decide
from tests.chaos.service import Service
from tests.chaos.stories import NAMES, Story
from tests.chaos.table import details
from tests.scenarios.offline_driver import OfflineDriver

SEEDS = tuple(range(472, 492))
"""Runs of every program that strike every victim, during every command, and tell every lie."""


def short(seed: int) -> Schedule:
    """Return a run with few nodes, and at most one kill and two lies."""
    return decide(seed, nodes=(8, 16), strikes=1, lies=2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost(seed: int, tmp_path: Path) -> None:
    """After kills, lies and what the README says everything is migrated or stopped, and no claim was false."""
    outcome = play(short(seed), "offline", tmp_path, to_the_end=False)
    assert not outcome.broken, "\n".join(details(outcome))


def test_the_short_form_strikes_everything() -> None:
    """Its seeds play every program, kill every victim, strike every command, and tell every lie."""
    chosen = [short(seed) for seed in SEEDS]
    assert {each.story for each in chosen} == set(NAMES)
    assert {strike.victim for each in chosen for strike in each.strikes} == set(Victim)
    assert {strike.command for each in chosen for strike in each.strikes} == set(Command)
    assert {lie.kind for each in chosen for lie in each.lies} == set(LieKind)


def test_a_seed_always_decides_the_same() -> None:
    """All that is random follows from the seed, within the bounds that were asked for."""
    schedules = [decide(seed, nodes=(10, 12), strikes=2) for seed in range(200)]
    assert schedules == [decide(seed, nodes=(10, 12), strikes=2) for seed in range(200)]
    assert {each.nodes for each in schedules} == {10, 11, 12}
    assert {len(each.strikes) for each in schedules} == {0, 1, 2}
    assert {len(each.lies) for each in schedules} == {0, 1, 2, 3}
    assert all(each.strikes or each.lies for each in schedules)
    assert not any({lie.kind for lie in each.lies} >= ENDS for each in schedules)
    assert all(lie.lasts < 60 for each in schedules for lie in each.lies)
    assert {strike.command for each in schedules for strike in each.strikes} == set(Command)
    assert {strike.moment for each in schedules for strike in each.strikes} == set(Moment)


def test_what_is_not_done_is_found(tmp_path: Path) -> None:
    """A stack that never ran has migrated nothing, and its state knows nothing."""
    driver = OfflineDriver(tmp_path / "stack")
    with Service(short(0), tmp_path / "simulator.json") as service:
        service.control.start_foreign_migration(service.ocean_id, service.nodes("web"))
        service.kill()
        service.restart()
        story = Story(programs=(), planned={"web": ("web",), "api": ("api",)})
        found = invariants.find_broken(driver, service, story, honest=True)
    assert [each.partition(":")[0] for each in found] == ["in the simulator", "the state of web", "the state of api"]


def test_a_run_that_fails_is_told_in_full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The schedule, what is wrong and how to play it again are shown; the exit status is 1."""

    def fails(schedule: Schedule, engine: str, directory: Path) -> Outcome:
        assert directory.is_dir()
        broken = ["a node was lost"] if schedule.seed == 8 else []
        return Outcome(schedule=schedule, engine=engine, kills=Counter({Victim.PLUGIN: 2}), needed=1, broken=broken)

    monkeypatch.setattr(__main__, "play", fails)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    done = CliRunner().invoke(__main__.main, ["--runs", "3", "--seed", "7", "--engine", "offline", "--nodes", "8"])
    assert done.exit_code == 1, done.output
    (kept,) = tmp_path.iterdir()
    for part in (
        str(kept),
        str(decide(8, nodes=(8, 8))),
        "a node was lost",
        "--runs 1 --engine offline --seed 8 --nodes 8-8 --strikes 3 --lies 3",
        "failed: 8 on offline",
    ):
        assert part in done.output
    assert "1 ups after the last kill or lie" in done.output
    one = CliRunner().invoke(__main__.main, ["--runs", "1", "--seed", "7", "--engine", "offline"])
    assert one.exit_code == 0, one.output


@pytest.mark.parametrize("nodes", ["2-8", "9-8", "many"])
def test_a_range_that_cannot_be_is_refused(nodes: str) -> None:
    """Every Auto Scaling Group needs a node."""
    assert CliRunner().invoke(__main__.main, ["--nodes", nodes]).exit_code == 2
