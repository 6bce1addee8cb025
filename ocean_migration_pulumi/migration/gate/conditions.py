"""The single things that a gate waits for, and what was seen of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

READY: Final = "Ready"
"""Of Deployments, StatefulSets and DaemonSets: all their replicas are ready."""

CONDITIONS: Final[Mapping[str, str]] = {
    "Deployment": "Available",
    "StatefulSet": READY,
    "DaemonSet": READY,
    "Job": "Complete",
    "Node": READY,
    "Pod": READY,
}
"""The kinds of objects that a gate may look at, each with the condition that is meant when none is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesCondition:
    """A condition of one object."""

    kind: str
    """One of ``CONDITIONS``."""
    name: str
    """The object's name."""
    namespace: str = ""
    """The object's namespace; empty for a Node."""
    condition: str = READY
    """The type of the condition."""

    @property
    def subject(self) -> str:
        """The object, as messages name it."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCheck:
    """A URL that has to answer."""

    url: str
    """An http or https URL."""
    status: int = 200
    """The HTTP status that it has to answer with."""
    contains: str | None = None
    """What the first 64 KiB of the body have to contain; None for any body."""

    @property
    def subject(self) -> str:
        """The URL, as messages show it: a query may hold what is not for everybody."""
        return self.url.partition("?")[0].partition("#")[0]


@dataclass(frozen=True, slots=True)
class GateObservation:
    """An observation of one thing that a gate waits for."""

    met: bool
    """Whether it is as it has to be."""
    seen: str
    """What was seen, as messages show it."""
