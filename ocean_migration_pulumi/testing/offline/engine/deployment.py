"""Coordinates an update: what a program registers is planned in turn, carried out at once, and ended when asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from ocean_migration_pulumi.testing.offline.engine.events import EventRecorder
from ocean_migration_pulumi.testing.offline.engine.executor import Executor, Protected, ProviderLookup
from ocean_migration_pulumi.testing.offline.engine.planner import Action, Goal, Planner, Refused
from ocean_migration_pulumi.testing.offline.plugin.providers import ProviderFailure
from ocean_migration_pulumi.testing.offline.state.state import (
    PROVIDER_PREFIX,
    STACK_TYPE,
    Journal,
    StateResource,
    without_dangling,
)
from ocean_migration_pulumi.testing.offline.state.values import Properties

_T = TypeVar("_T")
_POLL = 0.05


class Stopped(Exception):
    """No step starts any more: one has failed, or the update was interrupted."""


class DeploymentCoordinator:
    """One preview, update, refresh or destruction of a stack, at most `parallel` steps at once.

    Threads of the monitor call `register`, `read` and `register_outputs`; `interrupt` and `terminate` may be called
    by any thread at any time.
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
        self.terminated = threading.Event()
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
        """What the update ends with, in one line; `None` when nothing went wrong so far."""
        if self._failed:
            return f"{self._kind} failed"
        if self._interrupted:
            return f"{self._kind} canceled"
        return (self._recorder.first_error or f"{self._kind} refused") if self._refused else None

    @property
    def stack_urn(self) -> str:
        """The URN of the stack itself."""
        stack, project = self._prefix.removeprefix("urn:pulumi:").split("::")
        return f"{self._prefix}::{STACK_TYPE}::{project}-{stack}"

    def urn(self, type_: str, name: str, parent: str) -> str:
        """Return the URN of a resource: the types of its parents are part of it, except for the stack's."""
        above = parent.split("::")[2] if parent else STACK_TYPE
        qualified = type_ if above == STACK_TYPE else f"{above}${type_}"
        return f"{self._prefix}::{qualified}::{name}"

    def default_provider(self, package: str, config: Properties) -> str:
        """Return the reference of the package's default provider, which is registered on first use."""
        with self._planning:
            goal = Goal(type=PROVIDER_PREFIX + package, name="default", custom=True, inputs=config)
            urn = self.urn(goal.type, goal.name, "")
            resource = self._registered.get(urn) or self.register(goal)
            return f"{urn}::{resource.id}"

    def register(self, goal: Goal) -> StateResource:
        """Bring a resource to its goal and return it as it is then.

        Raises `Stopped` when the update is to end, be it because of this resource.
        """
        urn = self.urn(goal.type, goal.name, goal.parent)
        with self._planned(urn) as planner:
            actions = planner.plan(urn, goal)
        self._run(actions)
        return self._register(urn, actions)

    def read(self, goal: Goal, id_: str) -> StateResource:
        """Read a resource that something else manages."""
        urn = self.urn(goal.type, goal.name, goal.parent)
        with self._planned(urn) as planner:
            actions = planner.plan_read(urn, goal, id_)
        self._run(actions)
        return self._register(urn, actions)

    def register_outputs(self, urn: str, outputs: Properties) -> None:
        """Store the outputs of a component; those of the stack itself count when the update has ended."""
        resource = self._registered[urn]
        if resource.type == STACK_TYPE:
            self._stack_outputs = outputs
        else:
            resource.outputs = outputs
            self._journal.end(resource)

    def delete_rest(self) -> None:
        """Delete what no program registered, dependents first.

        What a protected resource needs stays with it; any other failure lets no further group start.
        """
        with self._planned("") as planner:
            groups = planner.deletions()
        self._executor.condemn(action.resource.urn for group in groups for action in group)
        kept: set[str] = set()

        def delete(action: Action) -> None:
            try:
                self._run([action])
            except Stopped:
                kept.update(action.resource.needs)
                raise

        for group in groups:
            for action in group:
                if action.resource.urn in kept:
                    kept.update(action.resource.needs)
            self._each(delete, [action for action in group if action.resource.urn not in kept])
            if self.stopping.is_set():
                return

    def refresh(self) -> None:
        """Read every resource of the state and store what is found; what is gone is taken out."""
        found: dict[StateResource, StateResource | None] = {}

        def look(resource: StateResource) -> None:
            with self._slot():
                try:
                    found[resource] = self._executor.refresh(resource)
                except ProviderFailure:
                    # The others are still worth a look.
                    self._failed = True

        self._each(look, self._journal.base)
        kept = (found.get(each, each) for each in self._journal.base)
        self._journal.rebase(without_dangling([each for each in kept if each is not None]))
        self._planner = self._new_planner()

    def finish(self) -> tuple[Properties, str | None]:
        """Store the stack's outputs and return them, with the error that the update ends with, if any."""
        error = self.error
        stack = next((each for each in list(self._registered.values()) if each.type == STACK_TYPE), None)
        outputs: Properties = {}
        if stack is not None:
            outputs = self._stack_outputs or {}
            if error:
                old = self._planner.old(stack.urn)
                outputs = {**(old.outputs if old else {}), **outputs}
            stack.outputs = outputs
            self._journal.end(stack)
        if error in (f"{self._kind} failed", f"{self._kind} canceled"):
            self._recorder.say("error", error)
        return outputs, error

    def refuse(self, message: str) -> None:
        """Let the update end because of the program, for the reason given; empty when it has been reported."""
        if message:
            self._recorder.say("error", message)
        self._refused = True
        self._stop()

    def interrupt(self) -> None:
        """Let no step start any more, and ask those that run to end soon."""
        self._interrupted = True
        self._stop()
        self._registry.cancel()

    def terminate(self) -> None:
        """Give up at once: the state stays as it is on disk, with what was running as pending operations."""
        self._journal.freeze()
        self._interrupted = True
        self.terminated.set()
        self._stop()

    def drain(self) -> None:
        """Wait until no step runs, or the update is terminated."""
        with self._idle:
            while self._active and not self.terminated.is_set():
                self._idle.wait(_POLL)

    def _new_planner(self) -> Planner:
        return Planner(self._journal.base, self._executor.provider_of, self._recorder)

    def _register(self, urn: str, actions: list[Action]) -> StateResource:
        resource = next(action.new for action in reversed(actions) if action.new is not None)
        self._registered[urn] = resource
        return resource

    def _stop(self) -> None:
        self.stopping.set()

    @contextmanager
    def _planned(self, urn: str) -> Iterator[Planner]:
        with self._planning:
            if self.stopping.is_set():
                raise Stopped
            try:
                yield self._planner
            except (Refused, ProviderFailure) as exc:
                if not (isinstance(exc, Refused) and exc.reported):
                    self._recorder.say("error", str(exc), urn)
                self.refuse("")
                raise Stopped from None

    @contextmanager
    def _slot(self) -> Iterator[None]:
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

    def _run(self, actions: list[Action]) -> None:
        """Do the actions of one chain in order; when one fails, the update ends."""
        self._executor.condemn(action.resource.urn for action in actions if action.op == "delete-replaced")
        with self._slot():
            for action in actions:
                if self.stopping.is_set():
                    raise Stopped
                try:
                    self._executor.perform(action)
                except ProviderFailure as exc:
                    self._failed = True
                    if not isinstance(exc, Protected):
                        self._stop()
                    raise Stopped from None

    def _each(self, work: Callable[[_T], None], items: Iterable[_T]) -> None:
        """Do the work for all items at once, within the slots, and wait for it unless the update is terminated."""

        def quietly(item: _T) -> None:
            try:
                work(item)
            except Stopped:
                return

        threads = [threading.Thread(target=quietly, args=(item,), daemon=True) for item in items]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive() and not self.terminated.is_set():
                thread.join(_POLL)
