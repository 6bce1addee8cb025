"""What a program registers (goals), and the operations that lead to it (actions)."""

from __future__ import annotations

from dataclasses import dataclass, field

from ocean_migration_pulumi.testing.offline.state.state import StateResource
from ocean_migration_pulumi.testing.offline.state.values import Properties


@dataclass(slots=True, kw_only=True)
class Goal:
    """A resource as the program registers it."""

    type: str
    """The type."""
    name: str
    """The name."""
    custom: bool
    """Whether a provider manages it; False for a component."""
    inputs: Properties = field(default_factory=dict)
    """The inputs."""
    parent: str = ""
    """The URN of its parent, empty for none."""
    provider: str = ""
    """The reference of its provider, `URN::id`."""
    protect: bool = False
    """Whether it must not be deleted."""
    dependencies: list[str] = field(default_factory=list)
    """The URNs of the resources that it depends on."""
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    """The URNs that each input depends on."""
    delete_before_replace: bool | None = None
    """Whether a replacement deletes first; `None` leaves it to the provider."""
    ignore_changes: list[str] = field(default_factory=list)
    """The paths of inputs whose changes are ignored."""
    replace_on_changes: list[str] = field(default_factory=list)
    """The paths of inputs whose changes force a replacement."""
    additional_secret_outputs: list[str] = field(default_factory=list)
    """The outputs to mark as secret."""
    custom_timeouts: dict[str, float] = field(default_factory=dict)
    """The timeout of each operation in seconds."""
    retain_on_delete: bool = False
    """Whether the provider keeps it when the stack deletes it."""
    deleted_with: str = ""
    """The URN of the resource whose deletion also deletes this one, empty for none."""
    aliases: list[str] = field(default_factory=list)
    """URNs under which the state may have it."""


@dataclass(slots=True, kw_only=True, eq=False)
class Action:
    """An operation to carry out."""

    op: str
    """The operation, as in `Step.op`."""
    resource: StateResource
    """The resource after the operation, or the one that it deletes."""
    old: StateResource | None = None
    """The resource before the operation, `None` when there was none."""
    keys: list[str] = field(default_factory=list)
    """The properties that change."""
    pending: bool = False
    """Whether the other half of a replacement (the creation or the deletion) follows later."""

    @property
    def deletes(self) -> bool:
        """Whether the operation deletes the resource."""
        return self.op in ("delete", "delete-replaced")

    @property
    def new(self) -> StateResource | None:
        """The resource after the operation, `None` when it is deleted."""
        return None if self.deletes else self.resource
