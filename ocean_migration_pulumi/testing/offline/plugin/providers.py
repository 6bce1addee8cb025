"""The interface between the offline engine and a provider, which is a plugin process or a mock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ocean_migration_pulumi.testing.offline.state.state import StateResource
from ocean_migration_pulumi.testing.offline.state.values import Properties


class ProviderFailure(Exception):
    """A provider refused a call or failed; the user sees the message."""


class PartialFailure(ProviderFailure):
    """A resource exists but is not ready: the state keeps it, and the next update tries again.

    Args:
        id_: The id of the resource.
        outputs: Its outputs.
        inputs: Its inputs, None for those of the call.
        reasons: What failed.
    """

    def __init__(self, *, id_: str, outputs: Properties, inputs: Properties | None, reasons: Sequence[str]) -> None:
        self.id = id_
        self.outputs = outputs
        self.inputs = inputs
        self.reasons = list(reasons)
        count = f"{len(reasons)} error{'s' if len(reasons) != 1 else ''} occurred:\n"
        super().__init__(count + "".join(f"\t* {reason}\n" for reason in reasons) + "\n")


@dataclass(slots=True)
class CheckedInputs:
    """The result of checking inputs."""

    inputs: Properties
    """The inputs, as the provider completed them."""
    failures: list[tuple[str, str]] = field(default_factory=list)
    """The invalid inputs, as pairs of property and reason."""


@dataclass(slots=True)
class Difference:
    """The result of comparing the state with new inputs."""

    changes: bool | None = None
    """Whether something changes; `None` leaves the comparison to the engine."""
    replaces: list[str] = field(default_factory=list)
    """The properties that force a replacement."""
    delete_before_replace: bool = False
    """Whether a replacement deletes the old resource first."""
    keys: list[str] = field(default_factory=list)
    """The properties that change."""


@dataclass(slots=True)
class LiveResource:
    """A resource as a provider returned it."""

    id: str
    """Its id, empty when it no longer exists."""
    outputs: Properties = field(default_factory=dict)
    """Its outputs."""
    inputs: Properties | None = None
    """Its inputs, `None` when those of the state still apply."""


@dataclass(slots=True, frozen=True)
class ResourceTarget:
    """The resource of a call to a provider."""

    urn: str
    """Its URN."""
    id: str = ""
    """Its id, empty before it exists."""
    inputs: Properties = field(default_factory=dict)
    """Its inputs in the state."""
    outputs: Properties = field(default_factory=dict)
    """Its outputs in the state."""

    @classmethod
    def from_resource(cls, resource: StateResource) -> ResourceTarget:
        """Return the target for a resource of the state."""
        return cls(resource.urn, resource.id, resource.inputs, resource.outputs)

    @property
    def type(self) -> str:
        """The type of the resource, without those of its parents."""
        return self.urn.split("::")[2].rpartition("$")[2]

    @property
    def name(self) -> str:
        """The name of the resource in the program."""
        return self.urn.rpartition("::")[2]


class Provider(Protocol):
    """A configured provider. Every method may raise `ProviderFailure`; timeouts are seconds, 0 when unset."""

    def check(self, target: ResourceTarget, news: Properties) -> CheckedInputs:
        """Check and complete new inputs; the target has the old inputs, if any."""

    def diff(self, target: ResourceTarget, news: Properties, ignore_changes: Sequence[str]) -> Difference:
        """Compare the state with new inputs."""

    def create(self, target: ResourceTarget, timeout: float) -> LiveResource:
        """Create the target from its inputs."""

    def update(
        self, target: ResourceTarget, news: Properties, timeout: float, ignore_changes: Sequence[str]
    ) -> LiveResource:
        """Change the target to new inputs."""

    def delete(self, target: ResourceTarget, timeout: float) -> None:
        """Delete the target."""

    def read(self, target: ResourceTarget) -> LiveResource:
        """Read the target."""

    def cancel(self) -> None:
        """Request that every running call ends soon; raises nothing."""

    def close(self, *, at_once: bool = False) -> None:
        """Stop the provider, `at_once` without waiting for it; raises nothing."""
