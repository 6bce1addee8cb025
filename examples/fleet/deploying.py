"""Deploys one stack per cluster through Pulumi's Automation API, which needs the `pulumi` command."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pulumi import automation
from pulumi.automation.errors import CommandError

from .command import Command


class FailedError(Exception):
    """A stack was not brought up; says why, in one line."""


class Stacks:
    """The stacks of a program, each named like its cluster; what `pulumi` says of each is in a file of ``logs``."""

    def __init__(self, program: Path, logs: Path) -> None:
        self._program = program
        self._logs = logs
        self._command = Command()

    def deploy(self, cluster: str, config: Mapping[str, str]) -> Mapping[str, int]:
        """Bring a stack up, and return its output ``totals``; raises FailedError."""
        errors: list[str] = []

        def note(event: automation.EngineEvent) -> None:
            said = event.diagnostic_event
            if said is not None and said.severity == "error" and said.message.strip():
                errors.append(_last_line(said.message))

        self._logs.mkdir(parents=True, exist_ok=True)
        try:
            stack = automation.create_or_select_stack(
                stack_name=cluster,
                work_dir=str(self._program),
                opts=automation.LocalWorkspaceOptions(pulumi_command=self._command),
            )
            stack.set_all_config({key: automation.ConfigValue(value) for key, value in config.items()})
            with (self._logs / f"{cluster}.log").open("w", encoding="utf-8") as log:
                done = stack.up(
                    on_event=note, on_output=lambda line: log.write(f"{line}\n"), suppress_outputs=True, color="never"
                )
        except CommandError as error:
            raise FailedError(errors[0] if errors else _last_line(str(error))) from error
        totals: Mapping[str, int] = done.outputs["totals"].value
        return totals

    def interrupt(self) -> None:
        """Interrupt what runs: each migration continues in Ocean, and the next run waits for it again."""
        self._command.interrupt()


def _last_line(text: str) -> str:
    """Return what counts of a message: the engine puts "1 error occurred" above it, and its command "stderr" before."""
    return text.strip().splitlines()[-1].strip().removeprefix("stderr: ").removeprefix("* ")
