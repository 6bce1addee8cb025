"""One run: kills as a seed decides, then what the README says until it converges, then what must be true."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.chaos import invariants, striking
from tests.chaos.schedule import Schedule, Story, Strike, Victim, tell
from tests.chaos.service import Service
from tests.scenarios.driver import Driver, Run, Running
from tests.scenarios.offline_driver import OfflineDriver
from tests.scenarios.pulumi_driver import PulumiDriver
from tests.scenarios.scene import assert_failed, point

MOST_UPS: Final = 3
"""How often `pulumi up` may be needed after the last kill."""

_POLL: Final = 0.2
"""Seconds between two polls of a migration, which takes some seconds."""

_COMMAND_SECONDS: Final = 300.0
"""An answer that was lost is looked for for a minute; the rest is for a machine that is busy."""


class OfflineProcesses(OfflineDriver):
    """OfflineStack with every command in a process of its own, so that runs can be played side by side."""

    _finish = Driver._finish


DRIVERS: Final[dict[str, type[Driver]]] = {"offline": OfflineProcesses, "pulumi": PulumiDriver}


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of a run.

    ``kills`` counts the victims, ``missed`` the strikes whose command had ended before, ``needed`` the ups after the
    last kill, ``broken`` what was not as it must be; ``story`` tells what happened, line by line.
    """

    schedule: Schedule
    engine: str
    kills: Counter[Victim] = field(default_factory=Counter)
    missed: int = 0
    ups: int = 0
    needed: int = 0
    calls: int = 0
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)
    run_report: list[str] = field(default_factory=list)
    kill_times: list[float] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    began: float = field(default_factory=time.time)


def play(schedule: Schedule, engine: str, directory: Path, *, to_the_end: bool = True) -> Outcome:
    """Play a run on an engine, with all that it keeps below a directory.

    ``to_the_end`` previews once more, and sees that nothing is left to do.
    """
    outcome = Outcome(schedule=schedule, engine=engine)
    began = time.monotonic()
    driver = DRIVERS[engine](directory / "stack")
    try:
        with Service(schedule, directory / "simulator.json") as service:
            _Play(outcome, driver, service).play(to_the_end=to_the_end)
    except AssertionError as error:
        outcome.broken.append(str(error))
    except Exception:  # noqa: BLE001 - whatever it is, the run has failed, and others go on
        outcome.broken.append(traceback.format_exc())
    finally:
        driver.close()
        outcome.seconds = time.monotonic() - began
    return outcome


class _Play:
    def __init__(self, outcome: Outcome, driver: Driver, service: Service) -> None:
        self.outcome, self.driver, self.service = outcome, driver, service
        self.schedule = outcome.schedule
        self.orphans: dict[int, str] = {}

    def play(self, *, to_the_end: bool) -> None:
        outcome, driver, service = self.outcome, self.driver, self.service
        point(driver, service.environment)
        driver.environment["OCEAN_MIGRATION_POLL_INTERVAL"] = str(_POLL)
        run_report = tell(self.schedule, service.ocean_id)
        try:
            self._to_convergence(run_report)
            outcome.broken += striking.orphans_left(self.orphans, driver.processes)
            outcome.broken += invariants.broken(driver, service, run_report.planned)
            if to_the_end and not outcome.broken:
                outcome.broken += invariants.unsettled(driver, run_report.planned)
        finally:
            outcome.requests = service.requests()
            outcome.calls = len(outcome.requests)

    def _to_convergence(self, run_report: Story) -> None:
        if run_report.fails:
            self.service.control.arm_failure(self.service.ocean_id, "timeout")
        for program in run_report.programs[:-1]:
            self.driver.write_program(program)
            run = self._up()
            assert (run.exit_code != 0) == run_report.fails, run.output
        self.driver.write_program(run_report.programs[-1])
        if not self._strike():
            self._converge()

    def _strike(self) -> bool:
        """Let all kills strike; return True when the last `up` succeeded all the same."""
        strikes = list(self.schedule.strikes)
        while strikes:
            running, began, mark = self._start()
            ended = None
            while strikes and ended is None:
                strike = strikes.pop(0)
                if not striking.await_moment(strike, running, self.service, began=began, mark=mark):
                    self._note(f"too late for the kill of the {strike.victim}: the command has ended")
                    self.outcome.missed += 1
                    ended = self._ended(running)
                elif strike.victim is Victim.SIMULATOR:
                    self._strike_simulator(strike)
                else:
                    ended = self._strike_command(strike, running, mark)
            if ended is None:
                ended = self._ended(running)
            if not strikes and ended.exit_code == 0:
                return True
        return False

    def _strike_simulator(self, strike: Strike) -> None:
        self._killed(strike)
        self.service.kill()
        time.sleep(strike.down)
        self.service.restart()
        self._note("the simulator runs again")

    def _strike_command(self, strike: Strike, running: Running, mark: int) -> Run:
        """Kill processes of a command, and do what the README says to be able to go on."""
        before = self.driver.processes()
        striking.strike_processes(strike, running)
        killed_at = time.time()
        self._killed(strike)
        if strike.victim in (Victim.PROGRAM, Victim.PLUGIN):
            return self._ended(running)
        left = {pid: command for pid, command in (before | self.driver.processes()).items() if pid != running.pid}
        orphans = striking.must_end(left, called=bool(self.service.requests(mark)))
        if not self.schedule.hasty:
            self.outcome.broken += striking.orphans_left(orphans, self.driver.processes)
            self.outcome.broken += striking.late_writes(self.service, killed_at)
        run = self.driver.cancel()
        self._note(f"cancel: {run.exit_code}")
        self.orphans |= orphans
        return running.so_far()

    def _converge(self) -> None:
        for _ in range(MOST_UPS):
            self.outcome.needed += 1
            run = self._up()
            if run.exit_code == 0:
                return
            assert_failed(run)
        self.outcome.broken.append(f"not converged after {MOST_UPS} ups")

    def _up(self) -> Run:
        return self._ended(self._start()[0])

    def _start(self) -> tuple[Running, float, int]:
        self.outcome.ups += 1
        mark = self.service.mark()
        self._note("up")
        return self.driver.start("up"), time.monotonic(), mark

    def _ended(self, running: Running) -> Run:
        run = running.wait(_COMMAND_SECONDS)
        reasons = "".join(f"\n      {error}" for error in run.errors)
        self._note(f"up ends with {run.exit_code}{reasons}")
        return run

    def _killed(self, strike: Strike) -> None:
        self.outcome.kills[strike.victim] += 1
        self.outcome.kill_times.append(time.time())
        self._note(f"KILL {strike}")

    def _note(self, line: str) -> None:
        self.outcome.run_report.append(f"{time.time() - self.outcome.began:7.2f}  {line}")
