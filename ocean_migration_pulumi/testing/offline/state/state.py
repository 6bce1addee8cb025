"""The resources of a stack, and the journal that saves a valid state after each step."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from ocean_migration_pulumi.testing.offline.state.values import Properties

STACK_TYPE = "pulumi:pulumi:Stack"
PROVIDER_PREFIX = "pulumi:providers:"


@dataclass(slots=True, kw_only=True, eq=False)
class StateResource:
    """A resource in the state; compared by identity, because an old and a new resource can share a URN."""

    urn: str
    """The URN."""
    type: str
    """The type."""
    custom: bool
    """Whether a provider manages it; False for a component."""
    delete: bool = False
    """Whether it was replaced and still has to be deleted."""
    id: str = ""
    """The id that the provider gave it."""
    inputs: Properties = field(default_factory=dict)
    """The inputs of the last update."""
    outputs: Properties = field(default_factory=dict)
    """The outputs of the last update."""
    parent: str = ""
    """The URN of its parent, empty for none."""
    protect: bool = False
    """Whether it must not be deleted."""
    external: bool = False
    """Whether the stack only reads it."""
    dependencies: list[str] = field(default_factory=list)
    """The URNs of the resources that it depends on."""
    init_errors: list[str] = field(default_factory=list)
    """Why it is not ready, after a partial failure."""
    provider: str = ""
    """The reference of its provider, `URN::id`."""
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    """The URNs that each input depends on."""
    pending_replacement: bool = False
    """Whether it was deleted for a replacement that was not created yet."""
    additional_secret_outputs: list[str] = field(default_factory=list)
    """The outputs that the program marks as secret."""
    custom_timeouts: dict[str, float] = field(default_factory=dict)
    """The timeout of each operation in seconds."""
    retain_on_delete: bool = False
    """Whether the provider keeps it when the stack deletes it."""
    deleted_with: str = ""
    """The URN of the resource whose deletion also deletes this one, empty for none."""
    ignore_changes: list[str] = field(default_factory=list)
    """The paths of inputs whose changes are ignored."""
    replace_on_changes: list[str] = field(default_factory=list)
    """The paths of inputs whose changes force a replacement."""
    created: str = ""
    """When it was created."""
    modified: str = ""
    """When it was last updated."""

    @property
    def name(self) -> str:
        """The name of the resource in the program."""
        return self.urn.rpartition("::")[2]

    @property
    def is_provider(self) -> bool:
        """Whether it is a provider."""
        return self.type.startswith(PROVIDER_PREFIX)

    @property
    def needs(self) -> set[str]:
        """The URNs of the resources that must exist as long as this one does."""
        urns = {self.parent, self.deleted_with, self.provider.rpartition("::")[0], *self.dependencies}
        return urns.union(*self.property_dependencies.values()) - {""}

    def to_json(self) -> dict[str, Any]:
        """Return the resource as `pulumi stack export` writes it, without empty fields."""
        document = {_to_camel_case(field.name): getattr(self, field.name) for field in fields(self)}
        return {key: value for key, value in document.items() if value or key in ("urn", "custom", "type")}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> StateResource:
        """Build a resource of an exported stack, without fields that this engine does not support."""
        names = {_to_camel_case(field.name): field.name for field in fields(cls)}
        return cls(**{names[key]: value for key, value in document.items() if key in names and value is not None})


@dataclass(slots=True, eq=False)
class PendingOperation:
    """An operation whose end is not recorded."""

    resource: StateResource
    """The resource."""
    type: str
    """`creating`, `updating`, `deleting` or `reading`."""


class Journal:
    """The state of a stack while an update runs.

    Args:
        resources: The resources before the update.
        operations: The pending operations of earlier updates.
        save: Saves the journal; called after each change.
    """

    def __init__(
        self,
        resources: Iterable[StateResource],
        operations: Iterable[PendingOperation],
        save: Callable[[Journal], None],
    ) -> None:
        self.base = list(resources)
        self._inherited = [operation for operation in operations if operation.type == "creating"]
        self._new: list[StateResource] = []
        self._done: set[StateResource] = set()
        self._running: dict[StateResource, PendingOperation] = {}
        self._save = save
        self._frozen = False
        self._lock = threading.RLock()

    def resources(self) -> list[StateResource]:
        """Return the resources that exist now, dependencies before their dependents."""
        with self._lock:
            return [resource for resource in (*self._new, *self.base) if resource not in self._done]

    def operations(self) -> list[PendingOperation]:
        """Return the running operations, and the pending creations of earlier updates."""
        with self._lock:
            return [*self._running.values(), *self._inherited]

    def begin(self, resource: StateResource, operation: str) -> None:
        """Record the start of an operation, which stays pending if the update is killed."""
        with self._lock:
            self._running[resource] = PendingOperation(resource, operation)
            self._write()

    def end(
        self, resource: StateResource, *, new: StateResource | None = None, done: Iterable[StateResource] = ()
    ) -> None:
        """Record the end of an operation, with the resource that is `new` and those that no longer exist (`done`)."""
        with self._lock:
            self._running.pop(resource, None)
            self._done.update(done)
            if new is not None and new not in self._new:
                self._new.append(new)
            self._write()

    def rebase(self, resources: Iterable[StateResource]) -> None:
        """Replace the resources before the update by those that a refresh found."""
        with self._lock:
            self.base = list(resources)
            self._write()

    def drop_pending_creates(self) -> None:
        """Remove the pending creations of earlier updates."""
        with self._lock:
            self._inherited.clear()
            self._write()

    def freeze(self) -> None:
        """Stop saving: the file keeps the state of a terminated update."""
        with self._lock:
            self._frozen = True

    def _write(self) -> None:
        if not self._frozen:
            self._save(self)


def format_now() -> str:
    """Return the current time in the format of the state."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def remove_dangling_references(resources: Iterable[StateResource]) -> Iterator[StateResource]:
    """Yield the resources in order, without references to resources that no longer exist."""
    existing: set[str] = set()
    for resource in resources:
        if resource.parent not in existing:
            resource.parent = ""
        resource.dependencies = [urn for urn in resource.dependencies if urn in existing]
        resource.property_dependencies = {
            key: [urn for urn in urns if urn in existing] for key, urns in resource.property_dependencies.items()
        }
        if resource.deleted_with not in existing:
            resource.deleted_with = ""
        existing.add(resource.urn)
        yield resource


def group_deletions(resources: Iterable[StateResource]) -> list[list[StateResource]]:
    """Group resources for deletion: each group can be deleted in parallel, dependents before dependencies."""
    remaining = list(resources)
    groups: list[list[StateResource]] = []
    while remaining:
        needed = set().union(*(resource.needs - {resource.urn} for resource in remaining))
        # A circle has no resource that nothing needs: the last one breaks it.
        group = [resource for resource in remaining if resource.urn not in needed] or remaining[-1:]
        groups.append(group)
        remaining = [resource for resource in remaining if resource not in group]
    return groups


def _to_camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
