"""Carries out planned actions: calls the provider, updates the journal, and records the step."""

from __future__ import annotations

import copy
import threading
import uuid
from collections.abc import Iterable
from typing import Protocol

from ocean_migration_pulumi.testing.offline.engine.actions import Action
from ocean_migration_pulumi.testing.offline.engine.events import EventRecorder, Step
from ocean_migration_pulumi.testing.offline.plugin.providers import (
    LiveResource,
    PartialFailure,
    Provider,
    ProviderFailure,
    ResourceTarget,
)
from ocean_migration_pulumi.testing.offline.state.state import Journal, StateResource, format_now
from ocean_migration_pulumi.testing.offline.state.values import (
    Properties,
    contains_secret,
    find_changed_keys,
    make_secret,
)

_OPERATIONS = {
    "create": "creating",
    "create-replacement": "creating",
    "update": "updating",
    "delete": "deleting",
    "delete-replaced": "deleting",
    "read": "reading",
}


class ProtectedResource(ProviderFailure):
    """A protected resource cannot be deleted, which does not stop the other deletions."""


class ProviderLookup(Protocol):
    """The providers of a stack, by reference (`URN::id`)."""

    def configure(self, reference: str, config: Properties) -> None:
        """Set the configuration of the provider with this reference."""

    def get(self, reference: str) -> Provider:
        """Return the provider with this reference; raises `ProviderFailure` when it is unknown or does not start."""

    def cancel(self) -> None:
        """Request that every running call ends soon."""


class Executor:
    """Carries out actions, one at a time for each thread.

    Args:
        journal: The state of the stack.
        registry: The providers.
        recorder: Receives the steps and errors.
        preview: Whether to call no provider that changes something.
        terminated: Whether the update was terminated.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        registry: ProviderLookup,
        recorder: EventRecorder,
        preview: bool,
        terminated: threading.Event,
    ) -> None:
        self._journal = journal
        self._registry = registry
        self._recorder = recorder
        self._preview = preview
        self._terminated = terminated
        self._marked: set[str] = set()

    def get_provider(self, resource: StateResource) -> Provider | None:
        """Return the provider of a resource; components and providers have none."""
        if not resource.custom or resource.is_provider:
            return None
        return self._registry.get(resource.provider)

    def mark_for_deletion(self, urns: Iterable[str]) -> None:
        """Note resources that will be deleted: resources that are deleted with them need no call of their own."""
        self._marked.update(urns)

    def perform(self, action: Action) -> None:
        """Carry out an action; raises `ProviderFailure`, which is already recorded, when it fails."""
        resource = action.resource
        # Default providers are internal to the engine: they are in the state, but have no steps.
        silent = resource.is_provider and resource.name == "default"
        before = resource if action.deletes else action.old
        step = Step.from_operation(action.op, resource, before=before, after=action.new)
        step.diff_keys = action.keys or step.diff_keys
        if not silent:
            self._recorder.record_start(step)
        if action.op in _OPERATIONS:
            self._journal.begin(resource, _OPERATIONS[action.op])
        failure: ProviderFailure | None = None
        try:
            self._apply(action)
        except ProviderFailure as exc:
            failure = exc
        if self._terminated.is_set():
            # The operation stays pending in the state.
            raise failure or ProviderFailure("terminated")
        if action.new is not None and action.op != "replace":
            mark_secrets(action.new)
        if failure is None or isinstance(failure, PartialFailure):
            self._record(action)
        elif action.op in _OPERATIONS:
            self._journal.end(resource)
        if action.new is not None:
            step.describe(action.new)
        if failure is not None:
            step.error = str(failure)
            self._recorder.record_message("error", str(failure), resource.urn)
        if not silent:
            self._recorder.record_end(step)
        if failure is not None:
            raise failure

    def refresh(self, resource: StateResource) -> StateResource | None:
        """Read a resource into a new object.

        Returns:
            The resource as it is now, `None` when it no longer exists.

        Raises:
            ProviderFailure: The resource cannot be read, which is already recorded.
        """
        if not resource.custom or resource.is_provider or resource.pending_replacement:
            return resource
        step = Step.from_operation("refresh", resource, before=resource, after=resource)
        self._recorder.record_start(step)
        try:
            new = self._read(resource, step)
        except ProviderFailure as exc:
            step.error = str(exc)
            self._recorder.record_message("error", str(exc), resource.urn)
            raise
        finally:
            self._recorder.record_end(step)
        return new

    def _read(self, resource: StateResource, step: Step) -> StateResource | None:
        provider = self._registry.get(resource.provider)
        errors: list[str] = []
        try:
            live = provider.read(ResourceTarget.from_resource(resource))
        except PartialFailure as exc:
            live, errors = LiveResource(exc.id, exc.outputs, exc.inputs), exc.reasons
            listed = "".join(f"\n* {reason}" for reason in errors)
            self._recorder.record_message(
                "warning", f"Refreshed resource is in an unhealthy state:{listed}", resource.urn
            )
        if not live.id:
            step.result = "delete"
            return None
        new = copy.copy(resource)
        new.id, new.outputs, new.init_errors = live.id, live.outputs, errors
        if live.inputs is not None:
            new.inputs = live.inputs
        mark_secrets(new)
        if new.outputs != resource.outputs or new.inputs != resource.inputs:
            new.modified = format_now()
        if not resource.external:
            # The difference says what an update would change back: the opposite of what the refresh found.
            difference = provider.diff(ResourceTarget.from_resource(new), resource.inputs, resource.ignore_changes)
            changed = difference.changes
            if changed is None:
                changed = bool(find_changed_keys(new.inputs, resource.inputs))
            step.result = "update" if changed else "same"
        step.describe(new)
        return new

    def _apply(self, action: Action) -> None:
        if action.op in ("create", "create-replacement"):
            self._create(action)
        elif action.deletes:
            self._delete(action)
        elif action.op == "read":
            self._read_external(action.resource)
        elif action.op == "update" and action.old is not None:
            self._update(action.resource, action.old)
        elif action.op == "same" and action.old is not None:
            self._keep(action.resource, action.old)

    def _create(self, action: Action) -> None:
        new = action.resource
        new.created = new.modified = format_now()
        if new.is_provider:
            new.id, new.outputs = str(uuid.uuid4()), dict(new.inputs)
            self._registry.configure(f"{new.urn}::{new.id}", new.inputs)
        elif self._preview and new.custom:
            new.outputs = dict(new.inputs)
        elif new.custom:
            target = ResourceTarget(new.urn, inputs=new.inputs)
            try:
                live = self._registry.get(new.provider).create(target, new.custom_timeouts.get("create", 0.0))
            except PartialFailure as exc:
                new.id, new.outputs, new.init_errors = exc.id, exc.outputs, exc.reasons
                raise
            new.id, new.outputs = live.id, live.outputs
        if action.pending and action.old is not None:
            action.old.delete = True

    def _keep(self, new: StateResource, old: StateResource) -> None:
        new.id, new.outputs = old.id, old.outputs
        if new.is_provider:
            self._registry.configure(f"{new.urn}::{new.id}", old.inputs)

    def _update(self, new: StateResource, old: StateResource) -> None:
        new.id = old.id
        if new.is_provider:
            new.outputs = dict(new.inputs)
            self._registry.configure(f"{new.urn}::{new.id}", new.inputs)
        elif self._preview and new.custom:
            new.outputs = dict(new.inputs)
        elif new.custom:
            provider = self._registry.get(new.provider)
            timeout = new.custom_timeouts.get("update", 0.0)
            try:
                new.outputs = provider.update(
                    ResourceTarget.from_resource(old), new.inputs, timeout, new.ignore_changes
                ).outputs
            except PartialFailure as exc:
                # Like the engine, keep the old inputs: the update did not complete.
                new.outputs, new.init_errors, new.inputs = exc.outputs, exc.reasons, dict(old.inputs)
                new.modified = format_now()
                raise
            new.modified = format_now()

    def _delete(self, action: Action) -> None:
        old = action.resource
        replaced = action.op == "delete-replaced"
        if old.protect and not replaced:
            msg = (
                f'resource "{old.urn}" cannot be deleted\nbecause it is protected: '
                "remove its `protect` option in the program and update the stack first"
            )
            raise ProtectedResource(msg)
        deleted_with_other = old.deleted_with in self._marked
        skipped = self._preview or old.external or old.retain_on_delete or deleted_with_other or old.is_provider
        if not skipped and old.custom and not old.pending_replacement:
            self._registry.get(old.provider).delete(
                ResourceTarget.from_resource(old), old.custom_timeouts.get("delete", 0.0)
            )
        if action.pending:
            old.pending_replacement = True

    def _read_external(self, new: StateResource) -> None:
        live = self._registry.get(new.provider).read(ResourceTarget(new.urn, new.id, new.inputs, new.inputs))
        if not live.id:
            msg = f"resource '{new.id}' does not exist"
            raise ProviderFailure(msg)
        new.id, new.outputs = live.id, live.outputs

    def _record(self, action: Action) -> None:
        resource, old = action.resource, action.old
        if action.deletes:
            self._journal.end(resource, done=[] if action.pending else [resource])
        elif action.op in ("create", "create-replacement"):
            self._journal.end(resource, new=resource, done=[old] if old is not None and old.pending_replacement else [])
        elif action.op != "replace":
            self._journal.end(resource, new=resource, done=[old] if old is not None else [])


def mark_secrets(resource: StateResource) -> None:
    """Mark the outputs as secret that the program names, or whose input is secret."""
    for key, value in resource.outputs.items():
        if key in resource.additional_secret_outputs or contains_secret(resource.inputs.get(key)):
            resource.outputs[key] = make_secret(value)
