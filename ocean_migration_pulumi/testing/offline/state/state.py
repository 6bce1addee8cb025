"""The resources of a stack, and the journal that keeps a valid snapshot of them after each step."""

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
    """One resource as the state knows it; compared by identity, since an old and a new one may share a URN."""

    urn: str
    type: str
    custom: bool
    delete: bool = False
    id: str = ""
    inputs: Properties = field(default_factory=dict)
    outputs: Properties = field(default_factory=dict)
    parent: str = ""
    protect: bool = False
    external: bool = False
    dependencies: list[str] = field(default_factory=list)
    init_errors: list[str] = field(default_factory=list)
    provider: str = ""
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    pending_replacement: bool = False
    additional_secret_outputs: list[str] = field(default_factory=list)
    custom_timeouts: dict[str, float] = field(default_factory=dict)
    retain_on_delete: bool = False
    deleted_with: str = ""
    ignore_changes: list[str] = field(default_factory=list)
    replace_on_changes: list[str] = field(default_factory=list)
    created: str = ""
    modified: str = ""

    @property
    def name(self) -> str:
        """The name that the program gave."""
        return self.urn.rpartition("::")[2]

    @property
    def is_provider(self) -> bool:
        """Whether this is a provider rather than something that a provider manages."""
        return self.type.startswith(PROVIDER_PREFIX)

    @property
    def needs(self) -> set[str]:
        """The URNs of all that must exist as long as this resource does."""
        found = {self.parent, self.deleted_with, self.provider.rpartition("::")[0], *self.dependencies}
        found.update(urn for urns in self.property_dependencies.values() for urn in urns)
        return found - {""}

    def to_json(self) -> dict[str, Any]:
        """Return the resource as `pulumi stack export` writes it: fields at rest are left out."""
        found = {_wire_name(each.name): getattr(self, each.name) for each in fields(self)}
        return {key: value for key, value in found.items() if value or key in ("urn", "custom", "type")}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> StateResource:
        """Read a resource of an exported stack; what is not modelled is dropped."""
        known = {_wire_name(each.name): each.name for each in fields(cls)}
        return cls(**{known[key]: value for key, value in document.items() if key in known and value is not None})


@dataclass(slots=True, eq=False)
class PendingOperation:
    """Something begun on a resource of which the end is not recorded (yet)."""

    resource: StateResource
    type: str


class Journal:
    """The snapshot of a stack while an update runs; whenever it changes, the whole of it is handed to `save`."""

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
        """Return what exists by now, dependencies before their dependents."""
        with self._lock:
            return [resource for resource in (*self._new, *self.base) if resource not in self._done]

    def operations(self) -> list[PendingOperation]:
        """Return what runs, and the creations that an earlier update left without an end."""
        with self._lock:
            return [*self._running.values(), *self._inherited]

    def begin(self, resource: StateResource, operation: str) -> None:
        """Record that an operation on the resource starts: a kill leaves this entry."""
        with self._lock:
            self._running[resource] = PendingOperation(resource, operation)
            self._write()

    def end(
        self, resource: StateResource, *, new: StateResource | None = None, done: Iterable[StateResource] = ()
    ) -> None:
        """Record the end of an operation: `new` exists from now on, what is `done` no longer does."""
        with self._lock:
            self._running.pop(resource, None)
            self._done.update(done)
            if new is not None and new not in self._new:
                self._new.append(new)
            self._write()

    def rebase(self, resources: Iterable[StateResource]) -> None:
        """Replace the resources from which the update started, after a refresh."""
        with self._lock:
            self.base = list(resources)
            self._write()

    def drop_pending_creates(self) -> None:
        """Forget the creations that an earlier update left without an end."""
        with self._lock:
            self._inherited.clear()
            self._write()

    def freeze(self) -> None:
        """Write nothing any more: what the file holds now is how an update that is broken off leaves it."""
        with self._lock:
            self._frozen = True

    def _write(self) -> None:
        if not self._frozen:
            self._save(self)


def now() -> str:
    """Return the time as the state writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def without_dangling(resources: Iterable[StateResource]) -> Iterator[StateResource]:
    """Yield resources in order, with references to what is no longer there removed and parents moved up."""
    parents: dict[str, str] = {}
    for resource in resources:
        while resource.parent and resource.parent not in parents:
            resource.parent = ""
        resource.dependencies = [urn for urn in resource.dependencies if urn in parents]
        resource.property_dependencies = {
            key: [urn for urn in urns if urn in parents] for key, urns in resource.property_dependencies.items()
        }
        if resource.deleted_with not in parents:
            resource.deleted_with = ""
        parents[resource.urn] = resource.parent
        yield resource


def deletion_order(condemned: Iterable[StateResource]) -> list[list[StateResource]]:
    """Group resources so that each group can be deleted at once, and none before all that needs it is gone."""
    left = list(condemned)
    groups: list[list[StateResource]] = []
    while left:
        urns_needed = set().union(*(resource.needs - {resource.urn} for resource in left))
        group = [resource for resource in left if resource.urn not in urns_needed] or left[-1:]
        groups.append(group)
        left = [resource for resource in left if resource not in group]
    return groups


def _wire_name(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
