"""What a scenario asks of an engine, and what both drivers share: processes, their output and their events."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from tests.support.timing import PATIENCE

PROJECT = "scenario"
STACK = "dev"
TIMEOUT = 120.0
"""Seconds that a command may take before the scenario fails."""

_MARK = "SCENARIO_PROCESS_MARK"
_PROGRAMS = ("pulumi-language-python-exec", "ocean_migration_pulumi.testing.offline.plugin.program")
_ROOT = Path(__file__).parents[2]


@dataclass
class Run:
    """How a command ended. `ops` holds the operation of each resource by name, the stack and providers left out."""

    exit_code: int
    output: str
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ops(self) -> dict[str, str]:
        """The operation of each resource by its name: create, update, same, replace, delete, or what a refresh found.

        An operation that was started counts, whether it succeeded or not.
        """
        found: dict[str, str] = {}
        for kind in ("resourcePreEvent", "resOutputsEvent"):
            for metadata in self._metadata(kind):
                name = metadata["urn"].rpartition("::")[2]
                if found.get(name) != "replace" and (metadata["op"] != "refresh" or name not in found):
                    found[name] = _LOGICAL.get(metadata["op"], metadata["op"])
        return found

    @property
    def failed(self) -> set[str]:
        """The names of the resources whose operation failed."""
        return {each["urn"].rpartition("::")[2] for each in self._metadata("resOpFailedEvent")}

    @property
    def diagnostics(self) -> list[tuple[str, str]]:
        """The messages that stay, as pairs of severity and text."""
        return [(each["severity"], each["message"]) for each in self._said if not each.get("ephemeral")]

    @property
    def statuses(self) -> list[str]:
        """The status lines that were shown live and are gone at the end."""
        return [each["message"] for each in self._said if each.get("ephemeral")]

    @property
    def errors(self) -> list[str]:
        """The error messages."""
        return [message for severity, message in self.diagnostics if severity == "error"]

    @property
    def warnings(self) -> list[str]:
        """The warnings."""
        return [message for severity, message in self.diagnostics if severity == "warning"]

    def messages(self, name: str) -> list[tuple[str, str]]:
        """Return the messages of one resource, as pairs of severity and text."""
        return [
            (each["severity"], each["message"])
            for each in self._said
            if each.get("urn", "").rpartition("::")[2] == name and not each.get("ephemeral")
        ]

    def inputs(self, name: str) -> dict[str, Any] | None:
        """Return the inputs that a resource is to have, as the preview or update showed them; `None` if it has none."""
        found = None
        for kind in ("resourcePreEvent", "resOutputsEvent"):
            for metadata in self._metadata(kind):
                if metadata["urn"].rpartition("::")[2] == name and metadata.get("new"):
                    found = metadata["new"].get("inputs") or {}
        return found

    @property
    def _said(self) -> Iterator[dict[str, Any]]:
        for event in self.events:
            if "diagnosticEvent" in event:
                said = dict(event["diagnosticEvent"])
                said["severity"] = said["severity"].partition("#")[0]
                said["message"] = said["message"].rstrip("\n")
                if said["severity"] != "debug" and said["message"]:
                    yield said

    def _metadata(self, kind: str) -> Iterator[dict[str, Any]]:
        for event in self.events:
            if kind in event:
                metadata = event[kind]["metadata"]
                if metadata["type"] != "pulumi:pulumi:Stack" and not metadata["type"].startswith("pulumi:providers:"):
                    yield metadata


_LOGICAL = {"create-replacement": "replace", "delete-replaced": "replace"}


class Running:
    """A command in the background."""

    def __init__(
        self, command: list[str], *, directory: Path, environment: Mapping[str, str], log: Path, mark: str
    ) -> None:
        self._log = log
        self._mark = mark
        self._output = log.with_suffix(".out")
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    @property
    def pid(self) -> int:
        """The engine's process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the engine still runs."""
        return self._process.poll() is None

    def interrupt(self) -> None:
        """Do what Ctrl-C does."""
        os.kill(self.pid, signal.SIGINT)

    def interrupt_until_it_ends(self) -> None:
        """Do what somebody does who presses Ctrl-C again and again: signals that come at once count as one."""
        while self.alive:
            with suppress(ProcessLookupError):
                self.interrupt()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.5)

    def terminate(self) -> None:
        """Ask the engine to end, as a CI runner does."""
        os.kill(self.pid, signal.SIGTERM)

    def kill_engine(self) -> None:
        """Kill the engine alone: its plugins live on."""
        os.kill(self.pid, signal.SIGKILL)
        self._process.wait(PATIENCE)

    def kill_plugin(self) -> None:
        """Kill the plugins alone."""
        for pid in self.plugin_pids():
            _kill(pid)

    def kill_program(self) -> None:
        """Kill the program alone."""
        for pid in self.program_pids():
            _kill(pid)

    def kill_all(self) -> None:
        """Kill the engine, the program and the plugins at once, as a machine that goes down."""
        for pid in (self.pid, *self.plugin_pids(), *marked(self._mark)):
            _kill(pid)
        self._process.wait(PATIENCE)

    def plugin_pids(self) -> list[int]:
        """Return the processes of the plugins that host dynamic providers, orphans included."""
        return [pid for pid, command in marked(self._mark).items() if "pulumi.dynamic" in command]

    def program_pids(self) -> list[int]:
        """Return the processes that run the program, orphans included."""
        return [pid for pid, command in marked(self._mark).items() if any(part in command for part in _PROGRAMS)]

    def events(self) -> list[dict[str, Any]]:
        """Return the events so far."""
        return events_of(self._log)

    def so_far(self) -> Run:
        """Return what has happened so far, with exit code -1."""
        return Run(-1, self._output.read_text(encoding="utf-8", errors="replace"), self.events())

    def wait(self, timeout: float = TIMEOUT) -> Run:
        """Wait for the end; a command that takes longer is killed, and the scenario fails."""
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill_all()
            msg = f"no end within {timeout} s; its output:\n{self.so_far().output}"
            raise AssertionError(msg) from None
        run = self.so_far()
        run.exit_code = code
        return run

    def wait_for_success(self) -> Run:
        """Wait for the end of a command that succeeds."""
        run = self.wait()
        assert run.exit_code == 0, run.output
        return run

    def wait_until(self, met: Callable[[Run], bool], timeout: float = TIMEOUT) -> Run:
        """Wait until what has happened so far meets a condition; fail when the command ends before."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            run = self.so_far()
            if met(run):
                return run
            if not self.alive and not met(self.so_far()):
                break
            time.sleep(0.01)
        msg = f"not met; the output so far:\n{self.so_far().output}"
        raise AssertionError(msg)


class Driver:
    """One stack on one engine, in directories of its own below `directory`; close it at the end.

    `environment` holds the variables of every command, over those of this process.
    """

    name: ClassVar[str]

    def __init__(self, directory: Path, environment: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.program = directory / "program"
        self.program.mkdir(parents=True)
        (self.program / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n", encoding="utf-8")
        self._mark = uuid.uuid4().hex
        self._count = 0
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(_ROOT),
            # A cached program is told from a changed one by the second of the change, and its size.
            "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
            **(environment or {}),
            _MARK: self._mark,
        }
        # A scenario is three processes for each command, and measuring them takes a third of their time. What they run
        # is measured where it is tested closer: in the tests of each module and, through the plugin, of the provider.
        for name in [name for name in self.environment if name.startswith("COVERAGE_PROCESS_")]:
            del self.environment[name]

    def write_program(self, source: str) -> None:
        """Write the program's `__main__.py`."""
        (self.program / "__main__.py").write_text(source, encoding="utf-8")

    def configure(self, *, secret: bool = False, **config: str) -> None:
        """Set configuration; a key without a namespace belongs to the project."""
        raise NotImplementedError

    def unconfigure(self, *keys: str) -> None:
        """Take configuration away."""
        raise NotImplementedError

    def start(self, command: str, **flags: Any) -> Running:
        """Start `preview`, `up`, `refresh` or `destroy` in the background.

        Flags are `refresh` (up: refresh first), `clear_pending_creates` (refresh) and `parallel`.
        """
        log = self._next_log(command)
        return Running(
            self._arguments(command, log, flags),
            directory=self.program,
            environment=self.environment,
            log=log,
            mark=self._mark,
        )

    def preview(self, **flags: Any) -> Run:
        """Run a preview to its end."""
        return self._finish("preview", flags)

    def up(self, **flags: Any) -> Run:
        """Run an update to its end, without the preview that people are shown before."""
        return self._finish("up", flags)

    def refresh(self, *, clear_pending_creates: bool = False, **flags: Any) -> Run:
        """Run a refresh to its end."""
        return self._finish("refresh", {"clear_pending_creates": clear_pending_creates, **flags})

    def destroy(self, **flags: Any) -> Run:
        """Run a destruction to its end."""
        return self._finish("destroy", flags)

    def cancel(self) -> Run:
        """Take away the lock of a killed command."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """Return the state as exported, secrets encrypted."""
        raise NotImplementedError

    def import_state(self, document: Mapping[str, Any]) -> None:
        """Replace the state by an exported one."""
        raise NotImplementedError

    def state_delete(self, name: str) -> Run:
        """Forget a resource without deleting it."""
        raise NotImplementedError

    def resources(self) -> list[dict[str, Any]]:
        """Return the resources of the state, the stack and providers left out."""
        return [
            each
            for each in self.state()["deployment"].get("resources") or ()
            if each["type"] != "pulumi:pulumi:Stack" and not each["type"].startswith("pulumi:providers:")
        ]

    def resource(self, name: str) -> dict[str, Any] | None:
        """Return a resource of the state by its name, `None` when there is none."""
        return next((each for each in self.resources() if each["urn"].rpartition("::")[2] == name), None)

    def stored(self, name: str) -> dict[str, Any]:
        """Return a resource of the state by its name; fail when there is none."""
        found = self.resource(name)
        assert found is not None, name
        return found

    def outputs(self) -> dict[str, Any]:
        """Return the outputs of the stack as the state holds them."""
        for each in self.state()["deployment"].get("resources") or ():
            if each["type"] == "pulumi:pulumi:Stack":
                return dict(each.get("outputs") or {})
        return {}

    def pending_operations(self) -> list[tuple[str, str]]:
        """Return what the state says was started and not ended, as pairs of operation and resource name."""
        return [
            (each["type"], each["resource"]["urn"].rpartition("::")[2])
            for each in self.state()["deployment"].get("pending_operations") or ()
        ]

    def processes(self) -> dict[int, str]:
        """Return the command lines of all processes of the stack that run, orphans included, by pid."""
        return marked(self._mark)

    def close(self) -> None:
        """Kill whatever a scenario left running."""
        for pid in marked(self._mark):
            _kill(pid)

    def _next_log(self, command: str) -> Path:
        self._count += 1
        return self.directory / f"{self._count:02}-{command}.events"

    def _finish(self, command: str, flags: Mapping[str, Any]) -> Run:
        return self.start(command, **flags).wait()

    def _arguments(self, command: str, log: Path, flags: Mapping[str, Any]) -> list[str]:
        raise NotImplementedError

    def _call(self, arguments: list[str], text: str | None = None) -> Run:
        done = subprocess.run(
            arguments,
            cwd=self.program,
            env=self.environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        return Run(done.returncode, done.stdout + done.stderr)

    def _ask(self, arguments: list[str], text: str | None = None) -> str:
        run = self._call(arguments, text)
        assert run.exit_code == 0, run.output
        return run.output


def marked(mark: str) -> dict[int, str]:
    """Return the command lines of the running processes that descend from a driver with this mark, by pid."""
    wanted = f"{_MARK}={mark}"
    if not Path("/proc/self/environ").exists():
        listed = subprocess.run(["ps", "axeww", "-o", "pid=,command="], capture_output=True, text=True, check=True)
        lines = (line.strip().partition(" ") for line in listed.stdout.splitlines())
        return {int(pid): command for pid, _, command in lines if wanted in command}
    found = {}
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            with suppress(OSError):
                if wanted.encode() in (process / "environ").read_bytes().split(b"\0"):
                    found[int(process.name)] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def events_of(log: Path) -> list[dict[str, Any]]:
    """Return the events of a log, as far as they are written."""
    found = []
    with suppress(FileNotFoundError):
        for line in log.read_text(encoding="utf-8").splitlines():
            # The last line may be half written: the engine runs, or was killed.
            with suppress(ValueError):
                found.append(json.loads(line))
    return found
