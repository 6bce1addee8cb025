"""OfflineStack: previews, updates, refreshes and destroys a stack without the `pulumi` command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import IO, Any

import yaml
from pulumi.runtime import Mocks

from ocean_migration_pulumi.testing.offline.engine.deployment import DeploymentCoordinator, Stopped
from ocean_migration_pulumi.testing.offline.engine.events import EventRecorder, Observer, Result
from ocean_migration_pulumi.testing.offline.engine.monitor import Services, config_for
from ocean_migration_pulumi.testing.offline.plugin.plugin import DynamicPlugin
from ocean_migration_pulumi.testing.offline.plugin.program import REPORTED
from ocean_migration_pulumi.testing.offline.plugin.registry import ProviderRegistry
from ocean_migration_pulumi.testing.offline.state.state import STACK_TYPE, Journal, PendingOperation
from ocean_migration_pulumi.testing.offline.state.storage import StateError, StateFile
from ocean_migration_pulumi.testing.offline.state.values import Properties, secret

_POLL = 0.02
_GRACE = 5.0


class OfflineStack:
    """A stack of a Pulumi program in Python that needs no `pulumi` command: a test double of the engine.

    The program runs in a process of its own with the real SDK, and its dynamic resources in the real plugin process;
    what calls them is ours, made to do what the engine does. Where the two differ, this one is wrong.

    Args:
        program: the program's directory, or its file. A `Pulumi.yaml` there may name the project and the `main`.
        state: the state file, created by the first update; its key and lock lie beside it.
        project: the project's name; `None` takes it from `Pulumi.yaml`, else from the directory.
        stack: the stack's name.
        config: configuration by `namespace:key`; a key without a namespace belongs to the project.
        secrets: the same for secret values, which are encrypted in the state.
        mocks: what stands for the resources and functions of other packages; `None` refuses them.
        environment: variables of the program and its plugin, over those of this process.
        observers: what is shown each event while an update runs.
        parallel: how many steps run at once.

    """

    def __init__(
        self,
        program: str | Path,
        state: str | Path,
        *,
        project: str | None = None,
        stack: str = "dev",
        config: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        mocks: Mocks | None = None,
        environment: Mapping[str, str] | None = None,
        observers: Iterable[Observer] = (),
        parallel: int = 16,
    ) -> None:
        self.program, self.project = _located(Path(program), project)
        self.stack = stack
        self.mocks = mocks
        self._file = StateFile(Path(state))
        self._config = {self._full_key(key): str(value) for key, value in (config or {}).items()}
        self._secrets = {self._full_key(key): str(value) for key, value in (secrets or {}).items()}
        self._environment = dict(environment or {})
        self._observers = list(observers)
        self._parallel = parallel
        self._current: DeploymentCoordinator | None = None
        self._interrupts = 0

    def __repr__(self) -> str:
        """Name the stack and its program, never its configuration."""
        return f"OfflineStack({str(self.program)!r}, project={self.project!r}, stack={self.stack!r})"

    def preview(self) -> Result:
        """Show what an update would do; changes nothing, and takes no lock."""
        return self._run("preview", self._update, preview=True)

    def up(self, *, refresh: bool = False) -> Result:
        """Bring the stack to what the program says, after a refresh when that is asked for."""
        return self._run("up", self._update, refresh=refresh)

    def refresh(self, *, clear_pending_creates: bool = False) -> Result:
        """Bring the state to what exists, with the configuration of the last update.

        `clear_pending_creates` forgets creations that a killed update left without an end.
        """
        return self._run("refresh", self._refresh, clear_pending_creates=clear_pending_creates)

    def destroy(self) -> Result:
        """Delete all resources, with the configuration of the last update and without running the program."""
        return self._run("destroy", self._destroy)

    def cancel(self) -> Result:
        """Take away the lock that a killed update left."""
        recorder = EventRecorder("cancel", self._observers)
        removed = self._file.unlock()
        recorder.say("info", "the lock was removed" if removed else "the stack was not locked")
        return recorder.finish(error=None, outputs={})

    def interrupt(self) -> None:
        """Do what Ctrl-C does: the first one lets running steps end soon, the second one gives up at once."""
        self._interrupts += 1
        if self._current is not None:
            self._pass_on(self._current)

    def export(self) -> dict[str, Any]:
        """Return the state as `pulumi stack export` does, secrets encrypted."""
        return self._file.export()

    def import_state(self, document: Mapping[str, Any]) -> None:
        """Replace the state by an exported one; raises `StateError` when the stack is locked."""
        with self._file.locked("import"):
            self._file.write(dict(document))

    def remove_from_state(self, urn: str) -> None:
        """Forget a resource without deleting it; raises `StateError` when others need it, or it is protected."""
        with self._file.locked("state-delete"):
            resources, operations = self._file.load()
            condemned = [each for each in resources if each.urn == urn]
            needing = [each.urn for each in resources if urn in each.needs]
            if not condemned:
                problem = "no such resource"
            elif needing:
                problem = f"needed by {', '.join(needing)}"
            elif any(each.protect for each in condemned):
                problem = "it is protected"
            else:
                journal = Journal((each for each in resources if each.urn != urn), operations, self._file.save)
                self._file.save(journal)
                return
            msg = f"{urn} stays in the state: {problem}"
            raise StateError(msg)

    def _run(self, command: str, work: Callable[..., Properties], *, preview: bool = False, **options: bool) -> Result:
        recorder = EventRecorder(command, self._observers)
        self._interrupts = 0
        lock: AbstractContextManager[None] = nullcontext() if preview else self._file.locked(command)
        error: str | None = None
        outputs: Properties = {}
        try:
            with lock, self._session(recorder, preview=preview) as session:
                with suppress(Stopped):
                    outputs = work(session, **options)
                session.deployment.drain()
                registered, error = session.deployment.finish()
                outputs = registered or outputs
        except StateError as exc:
            error = str(exc)
            recorder.say("error", error)
        return recorder.finish(error=error, outputs=outputs)

    def _update(self, session: _Session, *, refresh: bool = False) -> Properties:
        if refresh:
            session.deployment.refresh()
        elif session.operations and not session.preview:
            session.warn_of_pending_operations()
        if session.deployment.error is None:
            self._execute(session)
        # Only a program that came to its end has said what is no longer wanted.
        if session.deployment.error is None:
            session.deployment.delete_rest()
        return {}

    def _refresh(self, session: _Session, *, clear_pending_creates: bool) -> Properties:
        if clear_pending_creates:
            session.journal.drop_pending_creates()
        session.deployment.refresh()
        return next((each.outputs for each in session.journal.resources() if each.type == STACK_TYPE), {})

    def _destroy(self, session: _Session) -> Properties:
        if session.operations:
            session.warn_of_pending_operations()
        session.deployment.delete_rest()
        return {}

    def _execute(self, session: _Session) -> None:
        """Run the program to its end, or until the update is to end before it."""
        deployment = session.deployment
        program = _Program(self._program_command(session), self._program_environment(), self._directory, session)
        try:
            while program.running and not deployment.stopping.wait(_POLL):
                continue
            if program.running:
                deployment.drain()
            else:
                program.finish()
                if not deployment.stopping.is_set() and program.exit_code:
                    reported = program.exit_code == REPORTED
                    reason = f"program exited with non-zero exit code: {program.exit_code}"
                    deployment.refuse("" if reported else f"an unhandled error occurred: {reason}")
        finally:
            session.services.close_monitor()
            program.end(at_once=deployment.terminated.is_set())

    @contextmanager
    def _session(self, recorder: EventRecorder, *, preview: bool) -> Iterator[_Session]:
        resources, operations = self._file.load()
        journal = Journal(resources, operations, (lambda _: None) if preview else self._file.save)
        services = Services(recorder, threads=self._parallel * 4 + 32)
        registry = ProviderRegistry(
            resources=resources,
            start=lambda config: DynamicPlugin(
                engine_address=services.address,
                directory=self._directory,
                environment={**self._base_environment(), "PULUMI_PROJECT": self.project, "PULUMI_CONFIG": "{}"},
                config=config,
                log=lambda line: recorder.say("info", line),
            ),
            mocks=self.mocks,
        )
        deployment = DeploymentCoordinator(
            stack=self.stack,
            project=self.project,
            journal=journal,
            registry=registry,
            recorder=recorder,
            preview=preview,
            parallel=self._parallel,
        )
        config: Properties = {**self._config, **{key: secret(value) for key, value in self._secrets.items()}}
        services.serve(deployment, registry, lambda package: config_for(package, config))
        self._current = deployment
        for _ in range(self._interrupts):
            self._pass_on(deployment)
        try:
            yield _Session(preview, recorder, journal, operations, registry, services, deployment)
        except BaseException:
            deployment.terminate()
            raise
        finally:
            self._current = None
            registry.close(at_once=deployment.terminated.is_set())
            services.close()

    def _pass_on(self, deployment: DeploymentCoordinator) -> None:
        if self._interrupts > 1:
            deployment.terminate()
        else:
            # Asking the plugins takes a moment, which a signal handler has not.
            threading.Thread(target=deployment.interrupt, daemon=True).start()

    def _full_key(self, key: str) -> str:
        return key if ":" in key else f"{self.project}:{key}"

    @property
    def _directory(self) -> Path:
        return self.program if self.program.is_dir() else self.program.parent

    def _base_environment(self) -> dict[str, str]:
        found = {**os.environ, **self._environment}
        # The program's processes must find this package even where it is not installed.
        own = str(Path(__file__).parents[4])
        if own != sysconfig.get_path("purelib"):
            found["PYTHONPATH"] = os.pathsep.join(filter(None, [own, found.get("PYTHONPATH", "")]))
        return found

    def _program_environment(self) -> dict[str, str]:
        return {
            **self._base_environment(),
            "PULUMI_CONFIG": dumps({**self._config, **self._secrets}),
            "PULUMI_CONFIG_SECRET_KEYS": dumps(sorted(self._secrets)),
        }

    def _program_command(self, session: _Session) -> list[str]:
        address = session.services.address
        command = [
            *(sys.executable, "-u", "-m", "ocean_migration_pulumi.testing.offline.plugin.program"),
            *("--project", self.project, "--stack", self.stack, "--organization", "organization"),
            *("--monitor", address, "--engine", address, "--root", str(self._directory)),
            *("--engine-pid", str(os.getpid()), "--parallel", str(self._parallel)),
        ]
        return [*command, *(["--preview"] if session.preview else []), str(self.program)]


@dataclass(slots=True, frozen=True)
class _Session:
    """All that belongs to one run of a command."""

    preview: bool
    recorder: EventRecorder
    journal: Journal
    operations: list[PendingOperation]
    registry: ProviderRegistry
    services: Services
    deployment: DeploymentCoordinator

    def warn_of_pending_operations(self) -> None:
        listed = "".join(f"  * {each.resource.urn}, interrupted while {each.type}\n" for each in self.operations)
        self.recorder.say(
            "warning",
            f"{len(self.operations)} pending operations of an earlier run, which did not end:\n{listed}"
            "What became of these resources is unknown. A refresh with clear_pending_creates forgets them.",
        )


class _Program:
    """The process that runs the program; what it prints becomes messages of the stack."""

    def __init__(self, command: list[str], environment: Mapping[str, str], directory: Path, session: _Session) -> None:
        self._say = session.recorder.say
        self._urn = session.deployment.stack_urn
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, with our own arguments
            command,
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            process_group=0,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._ending = False
        self._reader.start()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def exit_code(self) -> int:
        return self._process.returncode or 0

    def finish(self) -> None:
        """Wait for the last of what the program printed."""
        self._reader.join(_GRACE)

    def end(self, *, at_once: bool) -> None:
        """Interrupt the program if it still runs, and kill it when that does not help."""
        self._ending = True
        if self.running and not at_once:
            self._signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE)
        if self.running:
            self._signal(signal.SIGKILL)
        self._process.wait()
        self.finish()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                # What a program says because it was interrupted tells nobody anything.
                if line.strip() and not self._ending:
                    self._say("info", line.rstrip("\n"), self._urn)


def _located(program: Path, project: str | None) -> tuple[Path, str]:
    """Return the program proper and its project's name."""
    program = program.resolve()
    if not program.exists():
        msg = f"no program at {program}"
        raise FileNotFoundError(msg)
    directory = program if program.is_dir() else program.parent
    name = directory.name
    with suppress(FileNotFoundError):
        settings = yaml.safe_load((directory / "Pulumi.yaml").read_text(encoding="utf-8")) or {}
        name = str(settings.get("name", name))
        if program.is_dir() and settings.get("main"):
            program = (directory / str(settings["main"])).resolve()
    return program, project or name
