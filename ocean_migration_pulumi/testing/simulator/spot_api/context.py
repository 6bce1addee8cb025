"""The request that a route handles, and helpers that several routes share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ocean_migration_pulumi.testing.simulator.spot_api import validation, wire
from ocean_migration_pulumi.testing.simulator.spot_api.presenter import Presenter
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster, World


@dataclass(frozen=True, kw_only=True)
class RequestContext:
    """An authorized request."""

    world: World
    """The simulated world."""
    now: float
    """The simulated time in epoch seconds."""
    account_id: str
    """The account of the request."""
    path: dict[str, str]
    """The parameters of the path."""
    query: dict[str, str]
    """The parameters of the query."""
    raw_body: bytes
    """The body."""

    @property
    def presenter(self) -> Presenter:
        """Renders the objects of the response."""
        return Presenter(self.world, self.now)

    def parse_body(self, fields: dict[str, validation.Field]) -> dict[str, Any]:
        """Return the validated body."""
        body = validation.parse_body(self.raw_body)
        validation.check_body(body, fields)
        return body

    def get_cluster(self, ocean_id: str | None = None) -> SimCluster:
        """Return the cluster with an id (None: the one in the path); raises ``WireError`` for another account's."""
        ocean_id = self.path["ocean_id"] if ocean_id is None else ocean_id
        cluster = self.world.clusters.get(ocean_id)
        if cluster is None or cluster.account_id != self.account_id:
            raise wire.build_not_found_error("CLUSTER_DOESNT_EXIST", "Cluster", ocean_id)
        return cluster

    def get_flag(self, name: str) -> bool:
        """Return a boolean parameter of the query; an absent one is false."""
        return self.query.get(name, "").lower() == "true"

    def require_parameters(self, *names: str) -> tuple[str, ...]:
        """Return parameters of the query; raises ``WireError`` for a missing one."""
        for name in names:
            if not self.query.get(name):
                raise wire.WireError(f'"{name}" is required', code="ValidationError", field=f"query:{name}")
        return tuple(self.query[name] for name in names)


Handler = Callable[[RequestContext], wire.SpotResponse]
Route = tuple[str, str, Handler]
"""HTTP method, path template, and the function that handles the request."""


def drop_nulls(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body as the service returns it: without nulls, but with empty objects."""
    return {
        name: drop_nulls(value) if isinstance(value, dict) else value
        for name, value in body.items()
        if value is not None
    }


def merge_changes(target: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return the target with the changes merged deeply: null clears a field, and a list replaces a list.

    An object without any value changes nothing, and is not created.
    """
    merged = dict(target)
    for name, value in changes.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            before = merged.get(name)
            part = merge_changes(before if isinstance(before, dict) else {}, value)
            if part or name in merged:
                merged[name] = part
        else:
            merged[name] = value
    return merged
