"""The clock: speed, by hand, and on from where it was."""

from __future__ import annotations

import pytest

from ocean_migration_pulumi.testing.simulator.world.clock import Clock


class Ticker:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.seconds


def test_it_runs_at_its_speed_and_changes_it_without_a_jump() -> None:
    """A new speed counts from the moment of the change."""
    real = Ticker()
    clock = Clock(1000, speed=60, monotonic=real)
    real.seconds += 2
    assert clock.now() == 1120
    clock.set(speed=10)
    real.seconds += 2
    assert clock.now() == 1140


def test_by_hand_it_moves_only_when_told() -> None:
    """The mode can be left again; the time that passed meanwhile does not count."""
    real = Ticker()
    clock = Clock(1000, speed=60, manual=True, monotonic=real)
    real.seconds += 100
    clock.advance(5)
    assert clock.now() == 1005
    clock.set(manual=False)
    real.seconds += 1
    clock.advance(5)
    assert clock.now() == 1070


def test_it_goes_on_from_where_it_was_saved() -> None:
    """Speed and mode are kept too."""
    saved = Clock(1000, speed=7, manual=True, monotonic=Ticker()).to_plain()
    again = Clock.from_plain(saved)
    assert (again.now(), again.speed, again.manual) == (1000, 7, True)


@pytest.mark.parametrize("speed", [0, -1, 10_001])
def test_an_impossible_speed_is_refused(speed: float) -> None:
    """Speed is above 0 and at most 10,000; a refused one changes nothing."""
    clock = Clock(speed=1)
    with pytest.raises(ValueError, match="speed must be"):
        clock.set(speed=speed)
    assert clock.speed == 1


def test_time_does_not_run_backwards() -> None:
    """A negative step is refused."""
    with pytest.raises(ValueError, match="backwards"):
        Clock().advance(-1)
