"""What runs the program of the demo: the `pulumi` command where there is one, else OfflineStack."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

STACK: Final = "demo"

_DOWNLOAD_SECONDS: Final = 300.0
_VERSION_SECONDS: Final = 30.0
_CALL_SECONDS: Final = 60.0
_OWN_VARIABLES: Final = ("AWS_", "KUBE", "OCEAN_", "PULUMI_", "SPOTINST_")
_INSTALL: Final = "import sys; from pulumi.automation import PulumiCommand; PulumiCommand.install(root=sys.argv[1])"


class EngineError(Exception):
    """The real engine refuses what the demo needs of it."""


class Engine:
    """Runs one stack of the program in ``project``; everything it keeps lies in ``home``.

    ``introduction`` says in one line which engine this is, and why.
    """

    def __init__(self, introduction: str, project: Path, home: Path, environment: Mapping[str, str]) -> None:
        self.introduction = introduction
        self.project = project
        self.home = home
        # Whatever the user has set for the real service or for stacks of their own stays out of the demo.
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OWN_VARIABLES)}
        tools = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        self.environment = {**kept, "PATH": tools, "AWS_EC2_METADATA_DISABLED": "true", **environment}

    def prepare(self) -> None:
        """Make the stack; raises EngineError."""

    def configure(self, key: str, value: str) -> None:
        """Set a value of the stack's configuration; raises EngineError."""
        raise NotImplementedError

    def arguments(self, command: str, events: Path) -> list[str]:
        """Return the command line of ``preview``, ``up`` or ``destroy``, which writes its events to a file."""
        raise NotImplementedError


class OfflineEngine(Engine):
    """OfflineStack, as a command."""

    def __init__(self, introduction: str, project: Path, home: Path, environment: Mapping[str, str]) -> None:
        super().__init__(introduction, project, home, environment)
        self._config: dict[str, str] = {}

    def configure(self, key: str, value: str) -> None:
        """Keep the value for the commands to come."""
        self._config[key] = value

    def arguments(self, command: str, events: Path) -> list[str]:
        """Return the command line."""
        config = [part for key, value in self._config.items() for part in ("--config", f"{key}={value}")]
        return [
            *(sys.executable, "-m", "ocean_migration_pulumi.testing", command),
            *("--program", str(self.project), "--stack", STACK, "--state", str(self.home / "state.json")),
            *("--event-log", str(events), *config),
        ]


class PulumiEngine(Engine):
    """The `pulumi` command with a file backend: no login, nothing outside of ``home``."""

    def __init__(
        self, introduction: str, project: Path, home: Path, environment: Mapping[str, str], *, command: str
    ) -> None:
        super().__init__(introduction, project, home, environment)
        self._command = command
        backend = home / "backend"
        backend.mkdir()
        self.environment |= {
            "PATH": os.pathsep.join([self.environment["PATH"], str(Path(command).parent)]),
            "PULUMI_HOME": str(home / "pulumi"),
            "PULUMI_BACKEND_URL": backend.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "of the demo",
            "PULUMI_PYTHON_CMD": sys.executable,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            # The packages of whole stacks are installed beside this one; their plugins are large, and not needed here.
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            # The option --event-log is there for those who debug the engine.
            "PULUMI_DEBUG_COMMANDS": "true",
        }

    def prepare(self) -> None:
        """Make the stack."""
        self._call("stack", "init", STACK)

    def configure(self, key: str, value: str) -> None:
        """Set the value in the stack's configuration."""
        self._call("config", "set", key, value)

    def arguments(self, command: str, events: Path) -> list[str]:
        """Return the command line."""
        options = ["--diff"] if command == "preview" else ["--yes", "--skip-preview"]
        return [
            *(self._command, command, *options),
            *("--non-interactive", "--color", "never", "--event-log", str(events)),
        ]

    def _call(self, *arguments: str) -> None:
        done = subprocess.run(  # noqa: S603 - the pulumi command that was chosen, with our own arguments
            [self._command, *arguments, "--non-interactive"],
            cwd=self.project,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_CALL_SECONDS,
        )
        if done.returncode:
            msg = f"pulumi {' '.join(arguments)} failed: {done.stderr.strip()}"
            raise EngineError(msg)


def choose(name: str, project: Path, home: Path, environment: Mapping[str, str], downloads: Path) -> Engine:
    """Return the engine for ``auto``, ``pulumi``, ``offline`` or ``download``.

    ``download`` gets the official command into ``downloads``, once. Where there is no real engine it is OfflineStack,
    and the introduction says why.

    Raises:
        EngineError: ``pulumi`` is chosen but not installed.
    """
    if name == "offline":
        return OfflineEngine("OfflineStack, as asked for", project, home, environment)
    if name == "download":
        command, reason = _downloaded(downloads)
    else:
        found = shutil.which("pulumi")
        command, reason = found, "there is no `pulumi` on the PATH"
    version = _version(command) if command else None
    if command and version:
        return PulumiEngine(f"{command} {version}", project, home, environment, command=command)
    if command:
        reason = f"{command} does not run"
    if name == "pulumi":
        msg = f"{reason}. Install it, or run `make demo ENGINE=download`"
        raise EngineError(msg)
    hint = "" if name == "download" else "; `make demo ENGINE=download` gets the real one"
    return OfflineEngine(
        f"OfflineStack, this package's test double of Pulumi's engine: {reason}{hint}", project, home, environment
    )


def _version(command: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - asks the command that is to be used
            [command, "version"],
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_VERSION_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _downloaded(directory: Path) -> tuple[str | None, str]:
    """Return the downloaded command, or None and why there is none."""
    directory.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(  # noqa: S603 - this interpreter, with our own arguments
        [sys.executable, "-c", _INSTALL, str(directory)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    try:
        errors = process.communicate(timeout=_DOWNLOAD_SECONDS)[1]
    except subprocess.TimeoutExpired:
        errors = f"no end within {_DOWNLOAD_SECONDS:.0f} s"
    finally:
        end(process)
    command = directory / "bin" / "pulumi"
    if process.returncode == 0 and command.exists():
        return str(command), ""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return None, f"the `pulumi` command could not be downloaded ({lines[-1] if lines else 'no reason given'})"


def end(process: subprocess.Popen[str]) -> None:
    """End a process of ours with its group, if it still runs."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
