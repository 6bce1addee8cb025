"""Carries out single actions: calls the provider, records the end in the journal, and reports it."""

from __future__ import annotations

import copy
import threading
import uuid
from collections.abc import Iterable
from typing import Protocol

from ocean_migration_pulumi.testing.offline.engine.events import EventRecorder, Step
from ocean_migration_pulumi.testing.offline.engine.planner import Action
from ocean_migration_pulumi.testing.offline.plugin.providers import (
    Live,
    PartialFailure,
    Provider,
    ProviderFailure,
    ResourceTarget,
)
from ocean_migration_pulumi.testing.offline.state.state import Journal, StateResource, now
from ocean_migration_pulumi.testing.offline.state.values import Properties, changed_keys, contains_secret, secret

_OPERATIONS = {
    "create": "creating",
    "create-replacement": "creating",
    "update": "updating",
    "delete": "deleting",
    "delete-replaced": "deleting",
    "read": "reading",
}


class Protected(ProviderFailure):
    """A resource may not be deleted; the others may."""


class ProviderLookup(Protocol):
    """The configured providers of a stack, by reference (`URN::id`)."""

    def configure(self, reference: str, config: Properties) -> None:
        """Let the reference stand for a provider with this configuration from now on."""

    def get(self, reference: str) -> Provider:
        """Return the provider; raises `ProviderFailure` when there is none or it does not start."""

    def cancel(self) -> None:
        """Ask every running call to end soon."""


class Executor:
    """Does one action at a time for each thread that calls it."""

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
        self._condemned: set[str] = set()

    def provider_of(self, resource: StateResource) -> Provider | None:
        """Return the provider that manages the resource; components and providers have none."""
        if not resource.custom or resource.is_provider:
            return None
        return self._registry.get(resource.provider)

    def condemn(self, urns: Iterable[str]) -> None:
        """Take note of what is going to be deleted: what is deleted with it needs no call of its own."""
        self._condemned.update(urns)

    def perform(self, action: Action) -> None:
        """Do the action; raises `ProviderFailure`, after it has been reported, when it fails."""
        resource = action.resource
        # Default providers are the engine's own affair: they are in the state, but nobody is told.
        silent = resource.is_provider and resource.name == "default"
        before = resource if action.deletes else action.old
        step = Step.from_operation(action.op, resource, before=before, after=action.new)
        step.diff_keys = action.keys or step.diff_keys
        if not silent:
            self._recorder.started(step)
        if action.op in _OPERATIONS:
            self._journal.begin(resource, _OPERATIONS[action.op])
        failure: ProviderFailure | None = None
        try:
            self._apply(action)
        except ProviderFailure as exc:
            failure = exc
        if self._terminated.is_set():
            # The state stays as it is, with this operation pending.
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
            self._recorder.say("error", str(failure), resource.urn)
        if not silent:
            self._recorder.ended(step)
        if failure is not None:
            raise failure

    def refresh(self, resource: StateResource) -> StateResource | None:
        """Read a resource and return it as it is now, `None` when it is gone; the old one is left alone.

        Raises `ProviderFailure`, after it has been reported, when it cannot be read.
        """
        if not resource.custom or resource.is_provider or resource.pending_replacement:
            return resource
        step = Step.from_operation("refresh", resource, before=resource, after=resource)
        self._recorder.started(step)
        try:
            new = self._read(resource, step)
        except ProviderFailure as exc:
            step.error = str(exc)
            self._recorder.say("error", str(exc), resource.urn)
            raise
        finally:
            self._recorder.ended(step)
        return new

    def _read(self, resource: StateResource, step: Step) -> StateResource | None:
        provider = self._registry.get(resource.provider)
        errors: list[str] = []
        try:
            live = provider.read(_target(resource))
        except PartialFailure as exc:
            live, errors = Live(exc.id, exc.outputs, exc.inputs), exc.reasons
            listed = "".join(f"\n* {reason}" for reason in errors)
            self._recorder.say("warning", f"Refreshed resource is in an unhealthy state:{listed}", resource.urn)
        if not live.id:
            step.result = "delete"
            return None
        new = copy.copy(resource)
        new.id, new.outputs, new.init_errors = live.id, live.outputs, errors
        if live.inputs is not None:
            new.inputs = live.inputs
        mark_secrets(new)
        if new.outputs != resource.outputs or new.inputs != resource.inputs:
            new.modified = now()
        if not resource.external:
            # What an update with an unchanged program would do is the opposite of what the refresh found.
            difference = provider.diff(_target(new), resource.inputs, resource.ignore_changes)
            changed = difference.changes
            if changed is None:
                changed = bool(changed_keys(new.inputs, resource.inputs))
            step.result = "update" if changed else "same"
        step.describe(new)
        return new

    def _apply(self, action: Action) -> None:
        if action.op in ("create", "create-replacement"):
            self._create(action)
        elif action.deletes:
            self._delete(action)
        elif action.op == "read":
            self._read_foreign(action.resource)
        elif action.op == "update" and action.old is not None:
            self._update(action.resource, action.old)
        elif action.op == "same" and action.old is not None:
            self._keep(action.resource, action.old)

    def _create(self, action: Action) -> None:
        new = action.resource
        new.created = new.modified = now()
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
                new.outputs = provider.update(_target(old), new.inputs, timeout, new.ignore_changes).outputs
            except PartialFailure as exc:
                # The engine keeps the old inputs: the resource was not brought to the new ones.
                new.outputs, new.init_errors, new.inputs = exc.outputs, exc.reasons, dict(old.inputs)
                new.modified = now()
                raise
            new.modified = now()

    def _delete(self, action: Action) -> None:
        old = action.resource
        replaced = action.op == "delete-replaced"
        if old.protect and not replaced:
            msg = (
                f'resource "{old.urn}" cannot be deleted\nbecause it is protected: '
                "remove its `protect` option in the program and update the stack first"
            )
            raise Protected(msg)
        gone_with_another = old.deleted_with in self._condemned
        calls = not (self._preview or old.external or old.retain_on_delete or gone_with_another or old.is_provider)
        if calls and old.custom and not old.pending_replacement:
            self._registry.get(old.provider).delete(_target(old), old.custom_timeouts.get("delete", 0.0))
        if action.pending:
            old.pending_replacement = True

    def _read_foreign(self, new: StateResource) -> None:
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
    """Mark the outputs that are to be secret: those the program names, and those whose input is."""
    for key, value in resource.outputs.items():
        if key in resource.additional_secret_outputs or contains_secret(resource.inputs.get(key)):
            resource.outputs[key] = secret(value)


def _target(resource: StateResource) -> ResourceTarget:
    return ResourceTarget(resource.urn, resource.id, resource.inputs, resource.outputs)
