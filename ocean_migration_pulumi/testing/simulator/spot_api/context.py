"""What every route rule is given, and what the rules of several modules share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ocean_migration_pulumi.testing.simulator.spot_api import validation, wire
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster, World


@dataclass(frozen=True, kw_only=True)
class RequestContext:
    """An authorized request: its account, the parts of its path, its query and its raw body."""

    world: World
    now: float
    account_id: str
    path: dict[str, str]
    query: dict[str, str]
    raw_body: bytes

    @property
    def present(self) -> wire.Presenter:
        """The form of the objects in the answer."""
        return wire.Presenter(self.world, self.now)

    def body(self, fields: dict[str, validation.Field]) -> dict[str, Any]:
        """Return the checked body."""
        body = validation.parse(self.raw_body)
        validation.check(body, fields)
        return body

    def cluster(self, ocean_id: str | None = None) -> SimCluster:
        """Return the cluster of the path, or of the given id; one of another account does not exist."""
        wanted = self.path["ocean_id"] if ocean_id is None else ocean_id
        cluster = self.world.clusters.get(wanted)
        if cluster is None or cluster.account_id != self.account_id:
            raise wire.not_found("CLUSTER_DOESNT_EXIST", "Cluster", wanted)
        return cluster

    def flag(self, name: str) -> bool:
        """Return a boolean of the query; absent is false."""
        return self.query.get(name, "").lower() == "true"

    def require(self, *names: str) -> tuple[str, ...]:
        """Return parameters of the query that must be there."""
        for name in names:
            if not self.query.get(name):
                raise wire.WireError(f'"{name}" is required', code="ValidationError", field=f"query:{name}")
        return tuple(self.query[name] for name in names)


Rule = Callable[[RequestContext], wire.SpotResponse]
Route = tuple[str, str, Rule]
"""Method, path template, and the rule that answers."""


def posted(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body without what is null, its empty objects kept: as the service gives it back."""
    return {
        name: posted(value) if isinstance(value, dict) else value for name, value in body.items() if value is not None
    }


def merge(target: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return the target with the changes merged in deeply; null clears a field, a list replaces a list.

    An object in which nothing is set changes nothing, and does not come to be.
    """
    merged = dict(target)
    for name, value in changes.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            before = merged.get(name)
            part = merge(before if isinstance(before, dict) else {}, value)
            if part or name in merged:
                merged[name] = part
        else:
            merged[name] = value
    return merged
