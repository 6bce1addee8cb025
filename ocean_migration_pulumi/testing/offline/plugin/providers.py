"""What the offline engine asks of a provider, whether it is a plugin process or a mock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ocean_migration_pulumi.testing.offline.state.values import Properties


class ProviderFailure(Exception):
    """A provider refused or failed; its text is what the user is shown."""


class PartialFailure(ProviderFailure):
    """A resource exists but did not become ready: it is stored, and the next update goes on with it."""

    def __init__(self, *, id_: str, outputs: Properties, inputs: Properties | None, reasons: Sequence[str]) -> None:
        self.id = id_
        self.outputs = outputs
        self.inputs = inputs
        self.reasons = list(reasons)
        count = f"{len(reasons)} error{'s' if len(reasons) != 1 else ''} occurred:\n"
        super().__init__(count + "".join(f"\t* {reason}\n" for reason in reasons) + "\n")


@dataclass(slots=True)
class Checked:
    """The inputs as the provider wants them, and what is wrong with them as pairs of property and reason."""

    inputs: Properties
    failures: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Difference:
    """Whether there are changes (`None`: compare the inputs), which force a replacement, and in which order."""

    changes: bool | None = None
    replaces: list[str] = field(default_factory=list)
    delete_before_replace: bool = False
    keys: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Live:
    """A resource as it is: no id means that it is gone; no inputs means that those of the state still hold."""

    id: str
    outputs: Properties = field(default_factory=dict)
    inputs: Properties | None = None


@dataclass(slots=True, frozen=True)
class ResourceTarget:
    """The resource that a call is about: its URN, its id (empty before it exists), what the state holds of it."""

    urn: str
    id: str = ""
    inputs: Properties = field(default_factory=dict)
    outputs: Properties = field(default_factory=dict)

    @property
    def type(self) -> str:
        """The resource's own type, without those of its parents."""
        return self.urn.split("::")[2].rpartition("$")[2]

    @property
    def name(self) -> str:
        """The name that the program gave."""
        return self.urn.rpartition("::")[2]


class Provider(Protocol):
    """A configured provider. Every method may raise `ProviderFailure`; timeouts are seconds, 0 when unset."""

    def check(self, target: ResourceTarget, news: Properties) -> Checked:
        """Validate and complete new inputs; the target holds the old inputs, if any."""

    def diff(self, target: ResourceTarget, news: Properties, ignore_changes: Sequence[str]) -> Difference:
        """Compare the state with new inputs."""

    def create(self, target: ResourceTarget, timeout: float) -> Live:
        """Create the target from its inputs."""

    def update(self, target: ResourceTarget, news: Properties, timeout: float, ignore_changes: Sequence[str]) -> Live:
        """Change the target to new inputs."""

    def delete(self, target: ResourceTarget, timeout: float) -> None:
        """Delete the target."""

    def read(self, target: ResourceTarget) -> Live:
        """Look at the target as it is now."""

    def cancel(self) -> None:
        """Ask every running call to end soon; raises nothing."""

    def close(self, *, at_once: bool = False) -> None:
        """End the provider, without any grace when `at_once`; raises nothing."""
