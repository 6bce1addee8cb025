"""What a client does with a large cluster, in a process of its own: CPU seconds of each way, one after the other."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.canned import Service


def ways(service: Service, names: list[str]) -> dict[str, Callable[[], object]]:
    """Return the ways of asking that are wanted, ready to be called."""
    makers = {"check": _check, "plan": _plan, "peer": _peer, "bare": _bare}
    return {name: makers[name](service) for name in names}


def _client(service: Service) -> Any:
    from ocean_migration_pulumi.api.client import OceanClient
    from ocean_migration_pulumi.api.settings import Settings

    return OceanClient(Settings(base_url=service.url, token=service.token, account_id=service.account_id))


def _check(service: Service) -> Callable[[], object]:
    """Do all that a preview does for one resource: six questions, the plan, and what is said of it."""
    from ocean_migration_pulumi.common.cancellation import CancelScope
    from ocean_migration_pulumi.migration.planning import planner
    from ocean_migration_pulumi.migration.snapshot.claims import ClaimsRegistry
    from ocean_migration_pulumi.migration.snapshot.sources import DataSources
    from ocean_migration_pulumi.migration.spec.node_selector import NodeSelector
    from ocean_migration_pulumi.migration.spec.spec import MigrationSpec

    client = _client(service)
    spec = MigrationSpec(
        ocean_id=service.ocean_id, account_id=service.account_id, nodes=NodeSelector.parse({"asg_names": ["*"]})
    )

    def run() -> object:
        claims = ClaimsRegistry().claims(service.account_id, service.ocean_id)
        found = planner.preview_plan(
            client, claims, CancelScope(short=True), owner="urn", spec=spec, old=None, sources=DataSources()
        )
        if not found.planned:
            raise RuntimeError(str(found))
        return found

    return run


def _plan(service: Service) -> Callable[[], object]:
    """Discover, select by a glob, plan, and take the digest: as a preview does, and nothing beside it."""
    from ocean_migration_pulumi.common.cancellation import CancelScope
    from ocean_migration_pulumi.migration.planning.selection import plan_nodes
    from ocean_migration_pulumi.migration.snapshot.claims import ClaimsRegistry
    from ocean_migration_pulumi.migration.snapshot.snapshot import ClusterSnapshot
    from ocean_migration_pulumi.migration.spec.approval import plan_digest
    from ocean_migration_pulumi.migration.spec.node_selector import NodeSelector
    from ocean_migration_pulumi.migration.spec.spec import MigrationSpec

    client = _client(service)
    groups = {group.id: group for group in client.list_virtual_node_groups(service.ocean_id)}
    spec = MigrationSpec(ocean_id=service.ocean_id, nodes=NodeSelector.parse({"asg_names": ["*"]}))

    def run() -> object:
        found = client.discover(service.ocean_id)
        preview = plan_nodes(
            client,
            ClaimsRegistry().claims(service.account_id, service.ocean_id),
            CancelScope(short=True),
            owner="urn",
            snapshot=ClusterSnapshot(offered={node.instance_id: node for node in found}, vngs=groups),
            spec=spec,
            old=None,
        )
        return preview, plan_digest(preview.planned or {}, spec)

    return run


def _peer(service: Service) -> Callable[[], object]:
    """Ask by the service's own SDK, told not to log the answer."""
    from spotinst_sdk2 import SpotinstSession  # type: ignore[import-untyped]  # it has no types of its own

    session = SpotinstSession(base_url=service.url, auth_token=service.token, account_id=service.account_id)
    client = session.client("ocean_aws", print_output=False)
    return lambda: client.get_migration_discovery(service.ocean_id, True)


def _bare(service: Service) -> Callable[[], object]:
    """Read the answer as JSON and do nothing else: the limit."""
    import httpx

    client = httpx.Client(headers={"Authorization": f"Bearer {service.token}"}, trust_env=False)
    return lambda: json.loads(client.get(service.discovery).content)


def main() -> None:
    """Print the CPU seconds of each way, in turns, so that what slows the machine slows all of them."""
    given = json.loads(sys.argv[1])
    wanted = ways(Service(**given["service"]), given["ways"])
    for run in wanted.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in wanted}
    for _ in range(given["times"]):
        for name, run in wanted.items():
            gc.collect()
            started = time.process_time()
            run()
            seconds[name].append(time.process_time() - started)
    sys.stdout.write(json.dumps(seconds))


if __name__ == "__main__":
    main()
