"""What there is to say of the outcomes of planned nodes: gone, unverified, and remaining with the reason."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from ocean_migration_pulumi.api.models.migration import Candidate
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic
from ocean_migration_pulumi.migration.state.evidence import OutcomeReason, VerifiedNodes
from ocean_migration_pulumi.migration.state.resource_state import ResourceState

_CODES: Final[Mapping[str, Code]] = {
    OutcomeReason.CONTRADICTED: Code.NODES_CONTRADICTED,
    OutcomeReason.PODS_LEFT: Code.NODES_WITH_PODS,
    OutcomeReason.MISSING: Code.NODES_MISSING,
    OutcomeReason.MOVING: Code.NODES_LEFT,
}


def report_gone(nodes: Collection[str]) -> Diagnostic:
    """Return that planned nodes are gone."""
    return Diagnostic.warning(Code.NODES_GONE, nodes=sorted(nodes))


def report_returned(state: ResourceState, offered: Iterable[Candidate]) -> Diagnostic | None:
    """Report nodes that count as gone, which is final, and that exist again; return None without such nodes.

    Args:
        state: The resource.
        offered: The candidates of today.
    """
    gone = state.gone & state.planned.keys()
    nodes = sorted(node.instance_id for node in offered if node.instance_id in gone and node.running_pods != 0)
    return Diagnostic.warning(Code.NODES_RETURNED, nodes=nodes) if nodes else None


def report_unverified(nodes: Collection[str]) -> Diagnostic:
    """Return that nothing verifies that nodes were migrated."""
    return Diagnostic.warning(Code.NODES_UNVERIFIED, nodes=sorted(nodes))


def describe_remaining(
    state: ResourceState, offered: Collection[str], verified: VerifiedNodes | None = None
) -> Iterator[Diagnostic]:
    """Return why nodes remain although no migration of ours runs: a diagnostic for each reason.

    Args:
        state: The resource.
        offered: The nodes that discovery returns.
        verified: What Kubernetes proves; None when it was not asked.
    """
    nodes_by_code: dict[Code, list[str]] = {}
    for name in sorted(state.remaining):
        by_discovery = Code.NODES_LEFT if name in offered else Code.NODES_UNPROVEN
        nodes_by_code.setdefault(_CODES.get(state.reasons.get(name, ""), by_discovery), []).append(name)
    for code, nodes in nodes_by_code.items():
        pods = [pod for name in nodes for pod in (verified.pods.get(name, ()) if verified else ())]
        extra = {"pods": pods} if code is Code.NODES_WITH_PODS else {}
        yield Diagnostic.error(code, nodes=nodes, **extra)
