"""Asks the API server which resources a group and version has."""

from __future__ import annotations

from dataclasses import dataclass

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.kubernetes.connection.connection import Connection
from ocean_migration_pulumi.kubernetes.objects.decoding import decode_object, read_flag, read_objects, read_text
from ocean_migration_pulumi.kubernetes.resources import api_path


@dataclass(frozen=True, slots=True)
class ApiResource:
    """A resource, or a subresource, of a group and version."""

    name: str
    """Its plural; of a subresource with its parent, such as ``rollouts/scale``."""
    kind: str
    """Its kind."""
    namespaced: bool
    """Whether its objects have namespaces."""


def list_api_resources(connection: Connection, scope: CancelScope, version: str) -> tuple[ApiResource, ...]:
    """Return the resources of a group and version, such as ``apps/v1``.

    Raises:
        RefusedError: The API server refuses; with 404 it has no such group or version.
        KubernetesError: The API server cannot be asked.
        UnexpectedFormError: The answer is of an unexpected form.
        OperationCancelled: The operation was cancelled.
    """
    data = decode_object(connection.get(scope, api_path(version))) or {}
    return tuple(
        ApiResource(read_text(each, "name"), read_text(each, "kind"), read_flag(each, "namespaced"))
        for each in read_objects(data, "resources")
    )
