"""One run: kills and lies as a seed decides, then what the README says until it converges, then what must be true."""

from __future__ import annotations

import math
import time
import traceback
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.chaos import invariants, stories, striking
from tests.chaos.judging import Judge
from tests.chaos.lying import Meddler
from tests.chaos.schedule import Command, LieKind, Moment, Schedule, Strike, Victim
from tests.chaos.service import Service
from tests.scenarios.driver import Driver, Run, Running
from tests.scenarios.offline_driver import OfflineDriver
from tests.scenarios.pulumi_driver import PulumiDriver
from tests.scenarios.scene import assert_failed, point

MOST_UPS: Final = 4
"""How often `pulumi up` may be needed after the last kill and lie."""

PATIENT_UPS: Final = 2
"""How many of them may fail before the user does what the errors ask for: see ``_Play._obey``."""

_POLL: Final = 0.2
"""Seconds between two polls of a migration, which takes some seconds."""

_COMMAND_SECONDS: Final = 300.0
"""An answer that was lost is looked for for a minute; the rest is for a machine that is busy."""

_CATCHES_UP: Final = 30.0
"""Seconds in which a simulator that was killed repeats what it had done and not saved."""


class OfflineProcesses(OfflineDriver):
    """OfflineStack with every command in a process of its own, so that runs can be played side by side."""

    _finish = Driver._finish


DRIVERS: Final[dict[str, type[Driver]]] = {"offline": OfflineProcesses, "pulumi": PulumiDriver}


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of a run."""

    schedule: Schedule
    """What was decided."""
    engine: str
    """The name of the engine."""
    kills: Counter[Victim] = field(default_factory=Counter)
    """How often each victim was killed."""
    missed: int = 0
    """The strikes whose command had ended before."""
    judged: int = 0
    """The commands whose claims were compared with the world."""
    ups: int = 0
    """All ups."""
    needed: int = 0
    """The ups after the last kill and lie."""
    obeyed: bool = False
    """Whether the user had to do what the errors ask for."""
    calls: int = 0
    """The requests to Spot's API."""
    false_responses: int = 0
    """The responses that a lie has falsified."""
    seconds: float = 0.0
    """Real seconds that it took."""
    broken: list[str] = field(default_factory=list)
    """What was not as it must be."""
    run_report: list[str] = field(default_factory=list)
    """What happened, line by line."""
    kill_times: list[float] = field(default_factory=list)
    """When something was killed, in real epoch seconds."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    """The requests to Spot's API."""
    began: float = field(default_factory=time.time)
    """When it began, in real epoch seconds."""


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
        self.story = stories.tell(self.schedule, service.ocean_id)
        self.judge = Judge(driver, service, self.story, kubernetes=False)
        self.service_struck = False

    def play(self, *, to_the_end: bool) -> None:
        outcome, driver, service = self.outcome, self.driver, self.service
        point(driver, service.environment)
        driver.environment["OCEAN_MIGRATION_POLL_INTERVAL"] = str(_POLL)
        if self.schedule.kubernetes:
            self._give_kubeconfig()
        try:
            self._play_commands()
            outcome.broken += striking.orphans_left(self.orphans, driver.processes)
            if self.schedule.commands[-1] is Command.DESTROY:
                outcome.broken += invariants.find_remains(driver, service)
            else:
                outcome.broken += invariants.find_broken(driver, service, self.story, honest=self.schedule.honest)
                if to_the_end and not outcome.broken:
                    outcome.broken += invariants.unsettled(driver, self.story.planned)
        finally:
            outcome.requests = service.requests()
            outcome.calls = len(outcome.requests)
            outcome.false_responses = sum(entry["fault"] is not None for entry in outcome.requests)

    def _play_commands(self) -> None:
        if self.story.fails:
            self.service.control.arm_failure(self.service.ocean_id, "timeout")
        for program in self.story.programs[:-1]:
            self.driver.write_program(program)
            run = self._run(Command.UP, judged=False)
            assert (run.exit_code != 0) == self.story.fails, run.output
        self.driver.write_program(self.story.programs[-1])
        *struck, last = self.schedule.commands
        with Meddler(self.schedule, self.service, self._note) as meddler:
            for command in struck:
                stopped = command is Command.UP and last is Command.DESTROY
                if not stopped or any(strike.command is command for strike in self.schedule.strikes):
                    self._strike(command)
                if stopped:
                    self._leave_running()
            succeeded = self._strike(last)
            meddler.end()
        if not succeeded:
            self._converge(last)

    def _strike(self, command: Command) -> bool:
        """Let the kills of a command strike; return True when it succeeded all the same."""
        strikes = [strike for strike in self.schedule.strikes if strike.command is command]
        if not strikes:
            return self._run(command).exit_code == 0
        while strikes:
            running, began, mark = self._start(command)
            ended = None
            while strikes and ended is None:
                strike = strikes.pop(0)
                if not striking.await_moment(strike, running, self.service, began=began, mark=mark):
                    self._note(f"too late for the kill of the {strike.victim}: the command has ended")
                    self.outcome.missed += 1
                    ended = self._ended(command, running)
                elif strike.victim is Victim.SIMULATOR:
                    self._strike_simulator(strike)
                else:
                    ended = self._strike_command(strike, running, mark)
            if ended is None:
                ended = self._ended(command, running)
            if not strikes and ended.exit_code == 0:
                return True
        return False

    def _strike_simulator(self, strike: Strike) -> None:
        self._killed(strike)
        self.service_struck = True
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
            return self._ended(strike.command, running)
        left = {pid: command for pid, command in (before | self.driver.processes()).items() if pid != running.pid}
        orphans = striking.must_end(left, called=bool(self.service.requests(mark)))
        if not self.schedule.hasty:
            self.outcome.broken += striking.orphans_left(orphans, self.driver.processes)
            self.outcome.broken += striking.late_writes(self.service, killed_at)
        run = self.driver.cancel()
        self._note(f"cancel: {run.exit_code}")
        self.orphans |= orphans
        return running.so_far()

    def _leave_running(self) -> None:
        """Press Ctrl-C in an `up` at its first look at a migration, so that a destruction finds what it has to stop.

        The look may be one of the plan: when the engine has not asked to create a resource yet, it saves none, and a
        destruction has nothing to stop. Only then the user runs `up` once more, until it waits.
        """
        run = self._interrupt_first_look()
        unasked = [name for name in self.story.planned if self.driver.resource(name) is None and name not in run.ops]
        if unasked:
            self._note(f"the engine has not asked for {', '.join(unasked)}")
            running, _, _ = self._start(Command.UP)
            with suppress(AssertionError):  # the command has ended
                running.wait_until(lambda run: any("/" in line and " nodes" in line for line in run.statuses))
                self._note("Ctrl-C")
                running.interrupt()
            self._ended(Command.UP, running)

    def _interrupt_first_look(self) -> Run:
        running, began, mark = self._start(Command.UP)
        moment = Strike(command=Command.UP, victim=Victim.ENGINE, moment=Moment.LOOK, count=1, seconds=0.0, down=0.0)
        if striking.await_moment(moment, running, self.service, began=began, mark=mark):
            self._note("Ctrl-C")
            running.interrupt()
        return self._ended(Command.UP, running)

    def _converge(self, command: Command) -> None:
        for number in range(MOST_UPS):
            if number == PATIENT_UPS and command is Command.UP:
                self._obey()
            self.outcome.needed += 1
            run = self._run(command)
            if run.exit_code == 0:
                return
            assert_failed(run)
        self.outcome.broken.append(f"not converged after {MOST_UPS} of {command}")

    def _obey(self) -> None:
        """Do what the errors ask for: give access to Kubernetes, or start contradicted nodes again.

        Without access nobody can prove that a node is free on which Ocean counts pods after a failure. A run in which
        the errors ask for it without such a reason is broken.
        """
        self.outcome.obeyed = True
        needless = self.judge.find_needless_remedies(self.schedule)
        for text in needless:
            self._note(f"NOT NEEDED: {text}")
        self.outcome.broken += needless
        if not self.judge.kubernetes:
            self._note("a kubeconfig is given")
            self._give_kubeconfig()
        if any(lie.kind is LieKind.FINISHED_WITH_PODS for lie in self.schedule.lies):
            self._note("triggers are changed")
            self.driver.write_program(stories.tell(self.schedule, self.service.ocean_id, ["again"]).programs[-1])

    def _give_kubeconfig(self) -> None:
        kubeconfig = self.driver.directory / "kubeconfig"
        self.service.write_kubeconfig(kubeconfig)
        self.driver.environment["KUBECONFIG"] = str(kubeconfig)
        self.judge.kubernetes = True

    def _run(self, command: Command, *, judged: bool = True) -> Run:
        return self._ended(command, self._start(command)[0], judged=judged)

    def _start(self, command: Command) -> tuple[Running, float, int]:
        self.outcome.ups += command is Command.UP
        mark = self.service.mark()
        self._note(str(command))
        return self.driver.start(command), time.monotonic(), mark

    def _ended(self, command: Command, running: Running, *, judged: bool = True) -> Run:
        run = running.wait(_COMMAND_SECONDS)
        reasons = "".join(f"\n      {error}" for error in run.errors)
        self._note(f"{command} ends with {run.exit_code}{reasons}")
        if judged:
            self._judge(command, run)
        return run

    def _judge(self, command: Command, run: Run) -> None:
        """Compare what a command claims with the world.

        A simulator that was killed has forgotten the last moments, and repeats them.
        """
        self.outcome.judged += 1
        deadline = time.monotonic() + (_CATCHES_UP if self.service_struck else 0.0)
        at = math.inf if self.service_struck else None
        while found := self.judge.find_lies(command, run.exit_code, at):
            if time.monotonic() >= deadline:
                break
            time.sleep(_POLL)
        self.service_struck = False
        for text in found:
            self._note(f"NOT TRUE: {text}")
        self.outcome.broken += found

    def _killed(self, strike: Strike) -> None:
        self.outcome.kills[strike.victim] += 1
        self.outcome.kill_times.append(time.time())
        self._note(f"KILL {strike}")

    def _note(self, line: str) -> None:
        self.outcome.run_report.append(f"{time.time() - self.outcome.began:7.2f}  {line}")
