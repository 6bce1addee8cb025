"""Scenarios on OfflineStack, as a process."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from ocean_migration_pulumi.testing.__main__ import main
from ocean_migration_pulumi.testing.offline.state.storage import StateFile
from tests.scenarios.driver import PROJECT, STACK, Driver, Run, events_of

_INTERPRETER = 3
"""How many of the arguments name the interpreter and the module."""


class OfflineDriver(Driver):
    """Drives `python -m ocean_migration_pulumi.testing`."""

    name = "offline"

    def __init__(
        self, directory: Path, environment: Mapping[str, str] | None = None, *, mocks: str | None = None
    ) -> None:
        super().__init__(directory, environment)
        self.mocks = mocks
        self.state_file = directory / "state.json"
        self._config: dict[str, str] = {}
        self._secrets: dict[str, str] = {}

    def configure(self, *, secret: bool = False, **config: str) -> None:
        """Set configuration for the commands to come."""
        self.unconfigure(*config)
        (self._secrets if secret else self._config).update(config)

    def unconfigure(self, *keys: str) -> None:
        """Take configuration away."""
        for key in keys:
            self._config.pop(key, None)
            self._secrets.pop(key, None)

    def cancel(self) -> Run:
        """Take away the lock of a killed command."""
        return self._call(self._base("cancel"))

    def state(self) -> dict[str, Any]:
        """Return the state as exported."""
        return StateFile(self.state_file).export()

    def import_state(self, document: Mapping[str, Any]) -> None:
        """Replace the state by an exported one."""
        self._ask(self._base("import"), json.dumps(document))

    def state_delete(self, name: str) -> Run:
        """Forget a resource."""
        resource = self.stored(name)
        return self._call([*self._base("state-delete"), resource["urn"]])

    def _finish(self, command: str, flags: Mapping[str, Any]) -> Run:
        """Run a command that nobody interrupts or kills in this process, program and plugin still in theirs.

        It is the same command; a third of its time would be the start of its own process.
        """
        if self.mocks:
            return super()._finish(command, flags)
        log = self._next_log(command)
        absent = dict.fromkeys(os.environ.keys() - self.environment.keys())
        runner = CliRunner(env={**absent, **self.environment})
        done = runner.invoke(main, self._arguments(command, log, flags)[_INTERPRETER:])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Run(done.exit_code, done.output, events_of(log))

    def _arguments(self, command: str, log: Path, flags: Mapping[str, Any]) -> list[str]:
        arguments = [*self._base(command), "--event-log", str(log)]
        for option, values in (("--config", self._config), ("--secret", self._secrets)):
            for key, value in values.items():
                arguments += [option, f"{key}={value}"]
        for name, value in flags.items():
            if value is True:
                arguments.append("--" + name.replace("_", "-"))
            elif value is not False:
                arguments += ["--" + name.replace("_", "-"), str(value)]
        return arguments

    def _base(self, command: str) -> list[str]:
        arguments = [sys.executable, "-m", "ocean_migration_pulumi.testing", command]
        arguments += ["--program", str(self.program), "--state", str(self.state_file)]
        arguments += ["--project", PROJECT, "--stack", STACK]
        return [*arguments, *(["--mocks", self.mocks] if self.mocks else [])]
