"""Tells the story on the terminal, runs its commands, and keeps count of what was proved."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from examples.demo.display import Thinned
from examples.demo.engines import Engine, end

COMMAND_SECONDS: Final = 90.0
"""How long any command of the story may take."""


class DisprovedError(Exception):
    """A step did not do what it claims."""


@dataclass
class Run:
    """How a command ended. ``seconds_after_interrupt`` is None when it was not interrupted."""

    exit_code: int
    text: str
    events: list[dict[str, Any]] = field(default_factory=list)
    seconds_after_interrupt: float | None = None

    @property
    def operation(self) -> str:
        """The operation on the migration: create, update, same or delete; empty when there was none."""
        return next((str(event["op"]) for event in self._migration_events()), "")

    @property
    def planned(self) -> dict[str, str]:
        """The planned nodes that the command showed."""
        for event in self._migration_events():
            inputs = (event.get("new") or {}).get("inputs") or {}
            if "planned_nodes" in inputs:
                return dict(inputs["planned_nodes"])
        return {}

    @property
    def warnings(self) -> list[str]:
        """The warnings."""
        said = [event["diagnosticEvent"] for event in self.events if "diagnosticEvent" in event]
        return [each["message"] for each in said if each["severity"].startswith("warning")]

    def _migration_events(self) -> list[dict[str, Any]]:
        found = [event["resourcePreEvent"]["metadata"] for event in self.events if "resourcePreEvent" in event]
        return [each for each in found if each["type"].endswith(":OceanWorkloadMigration")]


class Narrator:
    """Prints steps, commands with their output, and what each step has proved."""

    def __init__(self, engine: Engine, console: Console) -> None:
        self._engine = engine
        self._console = console
        self._steps = 0
        self._commands = 0
        self._outputs_shown = False

    def step(self, title: str, text: str) -> None:
        """Begin a step."""
        self._steps += 1
        self._console.print()
        self._console.rule(Text(f"{self._steps}. {title}", style="bold"), align="left")
        self.say(text)

    def say(self, text: str) -> None:
        """Print a paragraph."""
        self._console.print(Text(text))

    def typed(self, command: str) -> None:
        """Print what a user would type."""
        self._console.print(Text(f"$ {command}", style="bold cyan"))

    def proved(self, claim: str, holds: bool) -> None:
        """Print a claim that holds; raise DisprovedError when it does not."""
        if not holds:
            raise DisprovedError(claim)
        self._console.print(Text(f"  ✓ {claim}", style="green"), soft_wrap=True)

    def configure(self, key: str, value: str) -> None:
        """Set a value of the stack's configuration."""
        self.typed(f"pulumi config set {key} '{value}'")
        self._engine.configure(key, value)

    def run(self, command: str, *, at: str | None = None, do: Callable[[], object] | None = None) -> Run:
        """Run ``preview``, ``up`` or ``destroy``, showing its output.

        Once it has printed ``at``, ``do`` is called; without ``do`` that is the moment of a Ctrl-C. Raises
        DisprovedError when the command has not ended in time.
        """
        self._commands += 1
        options = {"preview": " --diff", "up": " --yes --skip-preview", "destroy": " --yes"}[command]
        self.typed(f"pulumi {command}{options}")
        events = self._engine.home / f"{self._commands:02}-{command}.events"
        process = subprocess.Popen(  # noqa: S603 - the engine that was chosen, with our own arguments
            self._engine.arguments(command, events),
            cwd=self._engine.project,
            env=self._engine.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )
        overdue = threading.Timer(COMMAND_SECONDS, process.kill)
        overdue.start()
        interrupted_at: float | None = None
        lines: list[str] = []
        thinned = Thinned(outputs=command == "up" and not self._outputs_shown)
        self._outputs_shown |= command == "up"
        try:
            for line in process.stdout or ():
                lines.append(line)
                for shown in thinned.feed(line.rstrip()):
                    self._console.print(Text(f"  │ {shown}", style="dim"), soft_wrap=True)
                if at is None or at not in line:
                    continue
                at = None
                if do is not None:
                    do()
                else:
                    interrupted_at = time.monotonic()
                    self._console.print(Text("^C", style="bold red"))
                    process.send_signal(signal.SIGINT)
            code = process.wait()
            ended = time.monotonic()
        finally:
            in_time = overdue.is_alive()
            overdue.cancel()
            end(process)
        if not in_time:
            raise DisprovedError(f"pulumi {command} ends within {COMMAND_SECONDS:.0f} s")
        after = None if interrupted_at is None else ended - interrupted_at
        return Run(code, "".join(lines), _events(events), after)


def _events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
