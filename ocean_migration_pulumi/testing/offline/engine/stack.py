"""OfflineStack, which previews, updates, refreshes and destroys a stack without the `pulumi` command."""

from __future__ import annotations

import os
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import Any

import yaml
from pulumi.runtime import Mocks

from ocean_migration_pulumi.testing.offline.engine.deployment import DeploymentCoordinator, Stopped
from ocean_migration_pulumi.testing.offline.engine.events import EventRecorder, Observer, Result
from ocean_migration_pulumi.testing.offline.engine.monitor import EngineServer, select_config
from ocean_migration_pulumi.testing.offline.plugin.plugin import DynamicPlugin
from ocean_migration_pulumi.testing.offline.plugin.process import ChildProcess
from ocean_migration_pulumi.testing.offline.plugin.program import REPORTED
from ocean_migration_pulumi.testing.offline.plugin.registry import ProviderRegistry
from ocean_migration_pulumi.testing.offline.state.state import STACK_TYPE, Journal, PendingOperation
from ocean_migration_pulumi.testing.offline.state.storage import StateError, StateFile
from ocean_migration_pulumi.testing.offline.state.values import Properties, make_secret

_POLL_SECONDS = 0.02


class OfflineStack:
    """A stack of a Pulumi program in Python that needs no `pulumi` command: a test double of the engine.

    The program runs in a process of its own with the real SDK, and its dynamic resources in the real plugin process.
    Only the engine that calls them is replaced, and does what the real engine does. Any difference is a bug.

    Args:
        program: The directory of the program, or its file. A `Pulumi.yaml` there may name the project and `main`.
        state: The state file, which the first update creates; its key and lock are in the same directory.
        project: The name of the project; `None` for that in `Pulumi.yaml`, else that of the directory.
        stack: The name of the stack.
        config: The configuration by `namespace:key`; a key without a namespace belongs to the project.
        secrets: Secret configuration, which is encrypted in the state.
        mocks: The resources and functions of other packages; `None` refuses them.
        environment: Environment variables of the program and its plugin, in addition to those of this process.
        observers: Observers that receive each event while an update runs.
        parallel: The number of steps that run in parallel.

    Raises:
        FileNotFoundError: The program does not exist.
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
        self.program, self.project = _find_program(Path(program), project)
        self.stack = stack
        self.mocks = mocks
        self._file = StateFile(Path(state))
        self._home = Path(state).absolute().with_suffix(".home")
        self._config = {self._full_key(key): str(value) for key, value in (config or {}).items()}
        self._secrets = {self._full_key(key): str(value) for key, value in (secrets or {}).items()}
        self._environment = dict(environment or {})
        self._observers = list(observers)
        self._parallel = parallel
        self._current: DeploymentCoordinator | None = None
        self._interrupts = 0

    def __repr__(self) -> str:
        """Show the stack and its program, without the configuration."""
        return f"OfflineStack({str(self.program)!r}, project={self.project!r}, stack={self.stack!r})"

    def preview(self) -> Result:
        """Preview an update, which changes nothing and needs no lock."""
        return self._run("preview", self._update, preview=True)

    def up(self, *, refresh: bool = False) -> Result:
        """Update the stack, after a refresh where `refresh` is set."""
        return self._run("up", self._update, refresh=refresh)

    def refresh(self, *, clear_pending_creates: bool = False) -> Result:
        """Refresh the state, with the configuration of the last update.

        Args:
            clear_pending_creates: Whether to remove the pending creations of a killed update from the state.
        """
        return self._run("refresh", self._refresh, clear_pending_creates=clear_pending_creates)

    def destroy(self) -> Result:
        """Delete all resources, with the configuration of the last update and without running the program."""
        return self._run("destroy", self._destroy)

    def cancel(self) -> Result:
        """Remove the lock of a killed update."""
        recorder = EventRecorder("cancel", self._observers)
        removed = self._file.unlock()
        recorder.record_message("info", "the lock was removed" if removed else "the stack was not locked")
        return recorder.finish(error=None, outputs={})

    def interrupt(self) -> None:
        """Interrupt the update like Ctrl-C: the first call lets running steps end, the second one stops at once."""
        self._interrupts += 1
        if self._current is not None:
            self._forward_interrupt(self._current)

    def export(self) -> dict[str, Any]:
        """Return the state in the format of `pulumi stack export`, with encrypted secrets."""
        return self._file.export()

    def import_state(self, document: Mapping[str, Any]) -> None:
        """Replace the state by an exported one; raises `StateError` when the stack is locked."""
        with self._file.locked("import"):
            self._file.write(dict(document))

    def remove_from_state(self, urn: str) -> None:
        """Remove a resource from the state without deleting it.

        Raises:
            StateError: The resource does not exist, is protected, or other resources depend on it.
        """
        with self._file.locked("state-delete"):
            resources, operations = self._file.load()
            removed = [resource for resource in resources if resource.urn == urn]
            dependents = [resource.urn for resource in resources if urn in resource.needs]
            if not removed:
                problem = "no such resource"
            elif dependents:
                problem = f"needed by {', '.join(dependents)}"
            elif any(resource.protect for resource in removed):
                problem = "it is protected"
            else:
                kept = [resource for resource in resources if resource.urn != urn]
                self._file.save(Journal(kept, operations, self._file.save))
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
                session.deployment.wait_for_steps()
                registered, error = session.deployment.finish()
                outputs = registered or outputs
        except StateError as exc:
            error = str(exc)
            recorder.record_message("error", error)
        return recorder.finish(error=error, outputs=outputs)

    def _update(self, session: _Session, *, refresh: bool = False) -> Properties:
        if refresh:
            session.deployment.refresh()
        elif session.operations and not session.preview:
            session.warn_of_pending_operations()
        if session.deployment.error is None:
            self._run_program(session)
        # Only a program that ran to its end has registered all of its resources.
        if session.deployment.error is None:
            session.deployment.delete_unregistered()
        return {}

    def _refresh(self, session: _Session, *, clear_pending_creates: bool) -> Properties:
        if clear_pending_creates:
            session.journal.drop_pending_creates()
        session.deployment.refresh()
        resources = session.journal.resources()
        return next((resource.outputs for resource in resources if resource.type == STACK_TYPE), {})

    def _destroy(self, session: _Session) -> Properties:
        if session.operations:
            session.warn_of_pending_operations()
        session.deployment.delete_unregistered()
        return {}

    def _run_program(self, session: _Session) -> None:
        """Run the program to its end, or until the update stops."""
        deployment = session.deployment
        ending = threading.Event()

        def record_output(line: str) -> None:
            # What a program prints because it was interrupted helps nobody.
            if not ending.is_set():
                session.recorder.record_message("info", line, deployment.stack_urn)

        program = ChildProcess(
            self._program_command(session),
            directory=self._directory,
            environment=self._program_environment(),
            log=record_output,
        )
        try:
            while program.running and not deployment.stopping.wait(_POLL_SECONDS):
                continue
            if program.running:
                deployment.wait_for_steps()
            else:
                program.wait_for_output()
                if not deployment.stopping.is_set() and program.exit_code:
                    reported = program.exit_code == REPORTED
                    reason = f"program exited with non-zero exit code: {program.exit_code}"
                    deployment.refuse("" if reported else f"an unhandled error occurred: {reason}")
        finally:
            session.server.close_monitor()
            ending.set()
            program.stop(at_once=deployment.terminated.is_set())

    @contextmanager
    def _session(self, recorder: EventRecorder, *, preview: bool) -> Iterator[_Session]:
        resources, operations = self._file.load()
        journal = Journal(resources, operations, (lambda _: None) if preview else self._file.save)
        server = EngineServer(recorder, threads=self._parallel * 4 + 32)
        registry = ProviderRegistry(
            resources=resources,
            start=lambda config: DynamicPlugin(
                engine_address=server.address,
                directory=self._directory,
                environment={**self._base_environment(), "PULUMI_PROJECT": self.project, "PULUMI_CONFIG": "{}"},
                config=config,
                log=lambda line: recorder.record_message("info", line),
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
        config: Properties = {**self._config, **{key: make_secret(value) for key, value in self._secrets.items()}}
        server.serve(deployment, registry, lambda package: select_config(package, config))
        self._current = deployment
        for _ in range(self._interrupts):
            self._forward_interrupt(deployment)
        try:
            yield _Session(preview, recorder, journal, operations, server, deployment)
        except BaseException:
            deployment.terminate()
            raise
        finally:
            self._current = None
            registry.close(at_once=deployment.terminated.is_set())
            server.close()

    def _forward_interrupt(self, deployment: DeploymentCoordinator) -> None:
        if self._interrupts > 1:
            deployment.terminate()
        else:
            # The call to the plugins takes too long for a signal handler.
            threading.Thread(target=deployment.interrupt, daemon=True).start()

    def _full_key(self, key: str) -> str:
        return key if ":" in key else f"{self.project}:{key}"

    @property
    def _directory(self) -> Path:
        return self.program if self.program.is_dir() else self.program.parent

    def _base_environment(self) -> dict[str, str]:
        # What a provider keeps there is the stack's own, not that of the user's stacks.
        environment = {**os.environ, "PULUMI_HOME": str(self._home), **self._environment}
        # The processes of the program must find this package even where it is not installed.
        own = str(Path(__file__).parents[4])
        if own != sysconfig.get_path("purelib"):
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, [own, environment.get("PYTHONPATH", "")]))
        return environment

    def _program_environment(self) -> dict[str, str]:
        return {
            **self._base_environment(),
            "PULUMI_CONFIG": dumps({**self._config, **self._secrets}),
            "PULUMI_CONFIG_SECRET_KEYS": dumps(sorted(self._secrets)),
        }

    def _program_command(self, session: _Session) -> list[str]:
        address = session.server.address
        command = [
            *(sys.executable, "-u", "-m", "ocean_migration_pulumi.testing.offline.plugin.program"),
            *("--project", self.project, "--stack", self.stack, "--organization", "organization"),
            *("--monitor", address, "--engine", address, "--root", str(self._directory)),
            *("--engine-pid", str(os.getpid()), "--parallel", str(self._parallel)),
        ]
        return [*command, *(["--preview"] if session.preview else []), str(self.program)]


@dataclass(slots=True, frozen=True)
class _Session:
    """The objects of one command."""

    preview: bool
    """Whether the command is a preview."""
    recorder: EventRecorder
    """Receives the events."""
    journal: Journal
    """The state."""
    operations: list[PendingOperation]
    """The pending operations of earlier updates."""
    server: EngineServer
    """The gRPC server for the program."""
    deployment: DeploymentCoordinator
    """The running update."""

    def warn_of_pending_operations(self) -> None:
        listed = "".join(
            f"  * {operation.resource.urn}, interrupted while {operation.type}\n" for operation in self.operations
        )
        self.recorder.record_message(
            "warning",
            f"{len(self.operations)} pending operations of an earlier run, which did not end:\n{listed}"
            "What became of these resources is unknown. A refresh with clear_pending_creates forgets them.",
        )


def _find_program(program: Path, project: str | None) -> tuple[Path, str]:
    """Return the path of the program and the name of its project."""
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
