"""Scenarios on the real engine: a `pulumi` command on the PATH, with all that it keeps below a directory."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.scenarios.driver import STACK, Driver, Run

_COMMAND = "pulumi"


def missing(*plugins: str) -> str | None:
    """Return why the real engine, with plugins of other packages, cannot be driven here; `None` when it can."""
    wanted = [_COMMAND, *(f"pulumi-resource-{plugin}" for plugin in plugins)]
    return next((f"no `{command}` on the PATH" for command in wanted if not shutil.which(command)), None)


class PulumiDriver(Driver):
    """Drives `pulumi` with a file backend."""

    name = "pulumi"

    def __init__(self, directory: Path, environment: Mapping[str, str] | None = None) -> None:
        super().__init__(directory, environment)
        command = shutil.which(_COMMAND)
        assert command is not None, missing()
        self._command = command
        for name in ("backend", "home"):
            (directory / name).mkdir()
        self.environment |= {
            "PULUMI_BACKEND_URL": (directory / "backend").as_uri(),
            "PULUMI_HOME": str(directory / "home"),
            "PULUMI_CONFIG_PASSPHRASE": "of a test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            # Packages of the environment that a program does not use are not to be had here, and not looked for.
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "true",
            "PULUMI_PYTHON_CMD": sys.executable,
            # The option --event-log is there for those who debug the engine.
            "PULUMI_DEBUG_COMMANDS": "true",
        }
        self._ask([command, "stack", "init", STACK, "--non-interactive"])

    def configure(self, *, secret: bool = False, **config: str) -> None:
        """Set configuration of the stack."""
        kind = "--secret" if secret else "--plaintext"
        pairs = [part for key, value in config.items() for part in (kind, f"{key}={value}")]
        self._ask([self._command, "config", "set-all", "--non-interactive", *pairs])

    def unconfigure(self, *keys: str) -> None:
        """Take configuration away."""
        self._ask([self._command, "config", "rm-all", "--non-interactive", *keys])

    def cancel(self) -> Run:
        """Take away the lock of a killed command."""
        return self._call([self._command, "cancel", "--yes", "--non-interactive"])

    def preview_document(self) -> str:
        """Return what `pulumi preview --json` prints, which the comment of a pull request is made of."""
        return self._ask([self._command, "preview", "--json", "--non-interactive"])

    def state(self) -> dict[str, Any]:
        """Return the state as exported."""
        return dict(json.loads(self._ask([self._command, "stack", "export", "--non-interactive"])))

    def import_state(self, document: Mapping[str, Any]) -> None:
        """Replace the state by an exported one."""
        self._ask([self._command, "stack", "import", "--non-interactive"], json.dumps(document))

    def state_delete(self, name: str) -> Run:
        """Forget a resource."""
        resource = self.stored(name)
        return self._call([self._command, "state", "delete", resource["urn"], "--yes", "--non-interactive"])

    def _arguments(self, command: str, log: Path, flags: Mapping[str, Any]) -> list[str]:
        arguments = [self._command, command, "--non-interactive", "--color", "never", "--event-log", str(log)]
        if command != "preview":
            arguments += ["--yes", "--skip-preview"]
        for name, value in flags.items():
            if value is not False:
                arguments.append(f"--{name.replace('_', '-')}={'true' if value is True else value}")
        return arguments
