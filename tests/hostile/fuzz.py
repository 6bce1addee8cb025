"""Coverage-guided garbage for everything that reads what others wrote; by hand, as its fuzzer is no dependency.

``pip install atheris``, then ``python -m tests.hostile.fuzz NAME [-max_total_time=60]``; a finding is an exception.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, VirtualNodeGroup
from ocean_migration_pulumi.api.models.migration import (
    Candidate,
    Heartbeat,
    LogEntry,
    MigrationStatus,
    MigrationSummary,
)
from ocean_migration_pulumi.api.recording import replay_client
from ocean_migration_pulumi.api.recording.recorder import is_head
from ocean_migration_pulumi.api.responses import (
    UNDECODABLE,
    ApiCall,
    ApiResponse,
    decode_body,
    error_of_response,
    response_items,
)
from ocean_migration_pulumi.errors import OceanMigrationError
from ocean_migration_pulumi.kubernetes.connection.kubeconfig import KubeconfigError, choose_context, parse_kubeconfig
from ocean_migration_pulumi.kubernetes.objects import decoding, objects
from ocean_migration_pulumi.kubernetes.objects.decoding import UnexpectedFormError
from ocean_migration_pulumi.kubernetes.objects.pods import read_pod, read_workload_pod
from ocean_migration_pulumi.report.pull_request import preview
from ocean_migration_pulumi.report.pull_request.comment import LIMITS, render_comment
from ocean_migration_pulumi.report.pull_request.verdict import assess_migration

_CALL: Final = ApiCall(method="GET", route="/ocean/aws/k8s/cluster/{ocean_id}", ids={"ocean_id": "o-1"})
_READERS: Final[tuple[Callable[[Any], object], ...]] = (
    Candidate.from_api,
    Cluster.from_api,
    ClusterNode.from_api,
    Heartbeat.from_api,
    LogEntry.from_api,
    MigrationStatus.from_api,
    MigrationSummary.from_api,
    VirtualNodeGroup.from_api,
)


def answer(data: bytes) -> None:
    """Read an answer of the service, whatever it is the answer to."""
    came = ApiResponse(status=200, headers={}, body=data)
    found = decode_body(came)
    str(error_of_response(_CALL, ApiResponse(status=400, headers={}, body=data), found))
    if found is UNDECODABLE:
        return
    with suppress(OceanMigrationError):
        for item in [found, *response_items(_CALL, found)]:
            for read in _READERS:
                with suppress(OceanMigrationError):
                    read(item)


def comment(data: bytes) -> None:
    """Read a preview and write the comment on it."""
    with suppress(OceanMigrationError):
        found = preview.parse_preview(data.decode("utf-8-sig", "replace"))
        assessments = [assess_migration(migration) for migration in found.migrations]
        render_comment(found, assessments, name="default", title=None, limit=LIMITS["github"]).encode()


def record(data: bytes) -> None:
    """Read the lines of a record."""
    is_head(data)
    exchanges = [found for line in data.split(b"\n") if (found := replay_client._exchange(line)) is not None]
    client = replay_client.RecordedClient(exchanges)
    client.clusters()
    client.migrations()
    with suppress(OceanMigrationError):
        client.get_cluster("o-1")


def kubernetes(data: bytes) -> None:
    """Read a page of a list, and each object as each kind."""
    with suppress(UnexpectedFormError):
        for raw in decoding.decode_page(data).items:
            for read in (objects.read_node, objects.read_budget, objects.read_deployment):
                with suppress(UnexpectedFormError):
                    read(decoding.decode_item(raw))
            with suppress(UnexpectedFormError):
                pod = decoding.decode_pod(raw)
                read_pod(pod)
                read_workload_pod(pod, lambda owner: owner)


def kubeconfig(data: bytes) -> None:
    """Read a kubeconfig."""
    with suppress(KubeconfigError):
        choose_context(parse_kubeconfig(data.decode("utf-8", "replace"), None), None)


TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    target.__name__: target for target in (answer, comment, record, kubernetes, kubeconfig)
}


def main(arguments: list[str]) -> None:
    """Fuzz the target that the first argument names; the others are libFuzzer's."""
    atheris: Any = import_module("atheris")
    atheris.instrument_all()
    atheris.Setup([arguments[0], *arguments[2:]], TARGETS[arguments[1]])
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
