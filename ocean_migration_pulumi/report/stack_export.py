"""The output of `pulumi stack export`, and what the last `pulumi up` left to do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ocean_migration_pulumi.common.json_values import as_map, as_maps
from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.spec.spec import read_spec
from ocean_migration_pulumi.migration.state.resource_state import ResourceState
from ocean_migration_pulumi.migration.state.unfinished import Unfinished, UnfinishedCode, find_unfinished
from ocean_migration_pulumi.report.pull_request.preview import TYPE


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingMigration:
    """One OceanWorkloadMigration of a stack that is not done."""

    name: str
    """Pulumi name of the resource."""
    migration_id: str | None
    """Its latest migration; None before the first."""
    status: str | None
    """State of that migration when the stack last read it; None before the first."""
    unfinished: Unfinished
    """What is left to do."""


def find_pending(text: str, argument: str) -> list[PendingMigration]:
    """Return the migrations of an exported stack that run, or that another `pulumi up` would continue.

    A migration that somebody stopped is not pending: no `pulumi up` continues it until its inputs change.

    Args:
        text: The output of `pulumi stack export`.
        argument: Where the text comes from, for errors.

    Raises:
        InputError: The text is not an export.
    """
    found = []
    for resource in read_resources(text, argument):
        if resource.get("type") != TYPE:
            continue
        inputs, outputs = (as_map(resource.get(part)) for part in ("inputs", "outputs"))
        state = ResourceState.from_outputs(outputs)
        if unfinished := _find_pending(resource, state, inputs):
            latest = state.latest
            found.append(
                PendingMigration(
                    name=str(resource.get("urn", "")).rpartition("::")[2],
                    migration_id=latest.id if latest else None,
                    status=latest.status if latest else None,
                    unfinished=unfinished,
                )
            )
    return found


def _find_pending(resource: Mapping[str, Any], state: ResourceState, inputs: Mapping[str, Any]) -> Unfinished | None:
    """Return what is left to do of a resource; None when it is done."""
    for migration in state.migrations:
        if not migration.ended:
            return Unfinished(UnfinishedCode.STILL_RUNNING, {"migration": migration.id})
    failed = Unfinished(UnfinishedCode.UP_FAILED) if resource.get("initErrors") else None
    return find_unfinished(state, read_spec(inputs)[0]) or failed


def read_resources(text: str, argument: str) -> Iterator[Mapping[str, Any]]:
    """Return the resources of an exported stack.

    Args:
        text: The output of `pulumi stack export`.
        argument: Where the text comes from, for errors.

    Raises:
        InputError: The text is not an export.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    deployment = as_map(document).get("deployment")
    if not isinstance(deployment, Mapping):
        raise InputError(argument, "is not the output of `pulumi stack export`", predicate=True)
    yield from as_maps(deployment.get("resources"))
