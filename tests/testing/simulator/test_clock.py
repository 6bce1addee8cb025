"""The simulated clock: speed, manual mode, and restored clocks."""

from __future__ import annotations

import pytest

from ocean_migration_pulumi.testing.simulator.server.clock import Clock


class Ticker:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.seconds


def test_the_clock_runs_at_its_speed_and_never_jumps() -> None:
    """A new speed applies from the moment of the change."""
    real = Ticker()
    clock = Clock(1000, speed=60, monotonic=real)
    real.seconds += 2
    assert clock.now() == 1120
    clock.set(speed=10)
    real.seconds += 2
    assert clock.now() == 1140


def test_a_manual_clock_only_moves_by_advance() -> None:
    """The real time that passes in manual mode does not count later."""
    real = Ticker()
    clock = Clock(1000, speed=60, manual=True, monotonic=real)
    real.seconds += 100
    clock.advance(5)
    assert clock.now() == 1005
    clock.set(manual=False)
    real.seconds += 1
    clock.advance(5)
    assert clock.now() == 1070


def test_a_saved_clock_continues() -> None:
    """Time, speed and mode are restored."""
    saved = Clock(1000, speed=7, manual=True, monotonic=Ticker()).to_json()
    again = Clock.from_json(saved)
    assert (again.now(), again.speed, again.manual) == (1000, 7, True)


@pytest.mark.parametrize("speed", [0, -1, 10_001])
def test_an_invalid_speed_is_refused(speed: float) -> None:
    """The speed is above 0 and at most 10,000; a refused speed changes nothing."""
    clock = Clock(speed=1)
    with pytest.raises(ValueError, match="speed must be"):
        clock.set(speed=speed)
    assert clock.speed == 1


def test_time_does_not_run_backwards() -> None:
    """A negative advance is refused."""
    with pytest.raises(ValueError, match="backwards"):
        Clock().advance(-1)
