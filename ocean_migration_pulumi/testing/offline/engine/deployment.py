"""Coordinates an update: plans registrations one after the other, and carries them out in parallel."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from ocean_migration_pulumi.testing.offline.engine.actions import Action, Goal
from ocean_migration_pulumi.testing.offline.engine.events import EventRecorder
from ocean_migration_pulumi.testing.offline.engine.executor import Executor, ProtectedResource, ProviderLookup
from ocean_migration_pulumi.testing.offline.engine.planner import Planner, RegistrationRefused
from ocean_migration_pulumi.testing.offline.plugin.providers import ProviderFailure
from ocean_migration_pulumi.testing.offline.state.state import (
    PROVIDER_PREFIX,
    STACK_TYPE,
    Journal,
    StateResource,
    remove_dangling_references,
)
from ocean_migration_pulumi.testing.offline.state.values import Properties

_T = TypeVar("_T")
_POLL_SECONDS = 0.05


class Stopped(Exception):
    """The update starts no more steps, because a step failed or the update was interrupted."""


class DeploymentCoordinator:
    """A preview, update, refresh or destroy of a stack.

    Threads of the monitor call `register`, `read_resource` and `register_outputs`. Any thread may call `interrupt` and
    `terminate` at any time.

    Args:
        stack: The name of the stack.
        project: The name of the project.
        journal: The state of the stack.
        registry: The providers.
        recorder: Receives the events.
        preview: Whether to change nothing.
        parallel: The number of steps that run in parallel.
    """

    def __init__(
        self,
        *,
        stack: str,
        project: str,
        journal: Journal,
        registry: ProviderLookup,
        recorder: EventRecorder,
        preview: bool = False,
        parallel: int = 16,
    ) -> None:
        self.stopping = threading.Event()
        """Set when no more steps start."""
        self.terminated = threading.Event()
        """Set when the update does not even wait for running steps."""
        self._prefix = f"urn:pulumi:{stack}::{project}"
        self._journal = journal
        self._registry = registry
        self._recorder = recorder
        self._kind = "preview" if preview else "update"
        self._executor = Executor(
            journal=journal, registry=registry, recorder=recorder, preview=preview, terminated=self.terminated
        )
        self._slots = threading.BoundedSemaphore(parallel)
        self._planning = threading.RLock()
        self._planner = self._new_planner()
        self._registered: dict[str, StateResource] = {}
        self._stack_outputs: Properties | None = None
        self._active = 0
        self._idle = threading.Condition()
        self._interrupted = False
        self._failed = False
        self._refused = False

    @property
    def error(self) -> str | None:
        """The error of the update so far, in one line; `None` without one."""
        if self._failed:
            return f"{self._kind} failed"
        if self._interrupted:
            return f"{self._kind} canceled"
        return (self._recorder.first_error or f"{self._kind} refused") if self._refused else None

    @property
    def stack_urn(self) -> str:
        """The URN of the stack resource."""
        stack, project = self._prefix.removeprefix("urn:pulumi:").split("::")
        return f"{self._prefix}::{STACK_TYPE}::{project}-{stack}"

    def build_urn(self, type_: str, name: str, parent: str) -> str:
        """Build the URN of a resource, which contains the types of its parents except the stack."""
        parent_type = parent.split("::")[2] if parent else STACK_TYPE
        qualified = type_ if parent_type == STACK_TYPE else f"{parent_type}${type_}"
        return f"{self._prefix}::{qualified}::{name}"

    def register_default_provider(self, package: str, config: Properties) -> str:
        """Return the reference of the default provider of a package, and register it at its first use."""
        with self._planning:
            goal = Goal(type=PROVIDER_PREFIX + package, name="default", custom=True, inputs=config)
            urn = self.build_urn(goal.type, goal.name, "")
            resource = self._registered.get(urn) or self.register(goal)
            return f"{urn}::{resource.id}"

    def register(self, goal: Goal) -> StateResource:
        """Create or update a resource, and return it.

        Raises:
            Stopped: The update stops, because of this resource or for another reason.
        """
        urn = self.build_urn(goal.type, goal.name, goal.parent)
        with self._plan(urn) as planner:
            actions = planner.plan(urn, goal)
        self._run_actions(actions)
        return self._add_registered(urn, actions)

    def read_resource(self, goal: Goal, id_: str) -> StateResource:
        """Read a resource that the stack does not manage."""
        urn = self.build_urn(goal.type, goal.name, goal.parent)
        with self._plan(urn) as planner:
            actions = planner.plan_read(urn, goal, id_)
        self._run_actions(actions)
        return self._add_registered(urn, actions)

    def register_outputs(self, urn: str, outputs: Properties) -> None:
        """Store the outputs of a component; those of the stack are stored at the end of the update."""
        resource = self._registered[urn]
        if resource.type == STACK_TYPE:
            self._stack_outputs = outputs
        else:
            resource.outputs = outputs
            self._journal.end(resource)

    def delete_unregistered(self) -> None:
        """Delete the resources that the program did not register, dependents first.

        The dependencies of a protected resource are kept. Any other failure stops the remaining groups.
        """
        with self._plan("") as planner:
            groups = planner.plan_deletions()
        self._executor.mark_for_deletion(action.resource.urn for group in groups for action in group)
        kept: set[str] = set()

        def delete(action: Action) -> None:
            try:
                self._run_actions([action])
            except Stopped:
                kept.update(action.resource.needs)
                raise

        for group in groups:
            for action in group:
                if action.resource.urn in kept:
                    kept.update(action.resource.needs)
            self._run_parallel(delete, [action for action in group if action.resource.urn not in kept])
            if self.stopping.is_set():
                return

    def refresh(self) -> None:
        """Read every resource of the state, and store what still exists."""
        found: dict[StateResource, StateResource | None] = {}

        def refresh_resource(resource: StateResource) -> None:
            with self._use_slot():
                try:
                    found[resource] = self._executor.refresh(resource)
                except ProviderFailure:
                    # The other resources are refreshed all the same.
                    self._failed = True

        self._run_parallel(refresh_resource, self._journal.base)
        refreshed = (found.get(resource, resource) for resource in self._journal.base)
        self._journal.rebase(remove_dangling_references(resource for resource in refreshed if resource is not None))
        self._planner = self._new_planner()

    def finish(self) -> tuple[Properties, str | None]:
        """Store the outputs of the stack; return them and the error of the update, `None` without one."""
        error = self.error
        registered = list(self._registered.values())
        stack = next((resource for resource in registered if resource.type == STACK_TYPE), None)
        outputs: Properties = {}
        if stack is not None:
            outputs = self._stack_outputs or {}
            if error:
                old = self._planner.find_old(stack.urn)
                outputs = {**(old.outputs if old else {}), **outputs}
            stack.outputs = outputs
            self._journal.end(stack)
        if error in (f"{self._kind} failed", f"{self._kind} canceled"):
            self._recorder.record_message("error", error)
        return outputs, error

    def refuse(self, message: str) -> None:
        """Stop the update because of the program; an empty message means that the reason is already recorded."""
        if message:
            self._recorder.record_message("error", message)
        self._refused = True
        self._stop()

    def interrupt(self) -> None:
        """Start no more steps, and request that running steps end soon."""
        self._interrupted = True
        self._stop()
        self._registry.cancel()

    def terminate(self) -> None:
        """Stop at once: the state file keeps the running operations as pending."""
        self._journal.freeze()
        self._interrupted = True
        self.terminated.set()
        self._stop()

    def wait_for_steps(self) -> None:
        """Wait until no step runs, or the update is terminated."""
        with self._idle:
            while self._active and not self.terminated.is_set():
                self._idle.wait(_POLL_SECONDS)

    def _new_planner(self) -> Planner:
        return Planner(self._journal.base, self._executor.get_provider, self._recorder)

    def _add_registered(self, urn: str, actions: list[Action]) -> StateResource:
        resource = next(action.new for action in reversed(actions) if action.new is not None)
        self._registered[urn] = resource
        return resource

    def _stop(self) -> None:
        self.stopping.set()

    @contextmanager
    def _plan(self, urn: str) -> Iterator[Planner]:
        with self._planning:
            if self.stopping.is_set():
                raise Stopped
            try:
                yield self._planner
            except (RegistrationRefused, ProviderFailure) as exc:
                if not (isinstance(exc, RegistrationRefused) and exc.reported):
                    self._recorder.record_message("error", str(exc), urn)
                self.refuse("")
                raise Stopped from None

    @contextmanager
    def _use_slot(self) -> Iterator[None]:
        with self._slots:
            with self._idle:
                if self.stopping.is_set():
                    raise Stopped
                self._active += 1
            try:
                yield
            finally:
                with self._idle:
                    self._active -= 1
                    self._idle.notify_all()

    def _run_actions(self, actions: list[Action]) -> None:
        """Carry out the actions of a resource in order; a failure stops the update."""
        self._executor.mark_for_deletion(action.resource.urn for action in actions if action.op == "delete-replaced")
        with self._use_slot():
            for action in actions:
                if self.stopping.is_set():
                    raise Stopped
                try:
                    self._executor.perform(action)
                except ProviderFailure as exc:
                    self._failed = True
                    if not isinstance(exc, ProtectedResource):
                        self._stop()
                    raise Stopped from None

    def _run_parallel(self, work: Callable[[_T], None], items: Iterable[_T]) -> None:
        """Do the work for all items in parallel, and wait for it unless the update is terminated."""

        def run(item: _T) -> None:
            try:
                work(item)
            except Stopped:
                return

        threads = [threading.Thread(target=run, args=(item,), daemon=True) for item in items]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive() and not self.terminated.is_set():
                thread.join(_POLL_SECONDS)
