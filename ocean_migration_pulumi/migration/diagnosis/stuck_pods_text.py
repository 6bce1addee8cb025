"""The text of stuck pods: what blocks each, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from ocean_migration_pulumi.common.text import list_some
from ocean_migration_pulumi.migration.diagnosis.stuck_pods import Blocker, StuckPod
from ocean_migration_pulumi.migration.planning.text.templates import Fields, clean
from ocean_migration_pulumi.migration.spec.vocabulary import Vocabulary


class BlockerText(NamedTuple):
    """The text of a blocker, both as parts of sentences."""

    why: str
    """What blocks the pod."""
    remedy: str
    """What to do about it."""


def describe_blocker(stuck_pod: StuckPod, vocabulary: Vocabulary) -> BlockerText:
    """Return what blocks a pod, and what to do about it."""
    template = _TEMPLATES[stuck_pod.blocker]
    fields = {
        **clean(stuck_pod.fields),
        "force": vocabulary.name("force_pod_eviction_on_pdb_failure"),
        "evict": vocabulary.name("should_evict_stand_alone_pods"),
    }
    if callable(template):
        return template(fields)
    return BlockerText(*(part.format_map(fields) for part in template))


_DELETE_STANDALONE: Final = "move it manually, or set {evict}, which deletes it for good"

_TEMPLATES: Final[Mapping[Blocker, BlockerText | Callable[[Fields], BlockerText]]] = {
    Blocker.BUDGET: BlockerText(
        "PodDisruptionBudget {budget} allows 0 disruptions ({healthy} healthy, {required} required)",
        "add replicas, relax the budget, or set {force}",
    ),
    Blocker.BROKEN_BUDGET: BlockerText(
        "PodDisruptionBudget {budget} allows 0 disruptions (SyncFailed: {problem})",
        "correct its selector, delete it, or set {force}",
    ),
    Blocker.BUDGETS: lambda fields: BlockerText(
        f"the API server rejects evictions of pods with several PodDisruptionBudgets ({list_some(fields['budgets'])})",
        f"leave one budget that selects the pod, or set {fields['force']}",
    ),
    Blocker.STANDALONE: BlockerText("standalone pod (no controller)", _DELETE_STANDALONE),
    Blocker.ORPHAN: BlockerText("its DaemonSet is deleted, so nothing recreates it", _DELETE_STANDALONE),
    Blocker.FINALIZERS: lambda fields: BlockerText(
        f"terminating, waits for finalizers ({list_some(fields['finalizers'])})",
        "check the owner of the finalizers, or remove them",
    ),
    Blocker.TERMINATING: BlockerText(
        "terminating", "wait for its grace period; if it stays, check the kubelet of its node"
    ),
    Blocker.NONE: BlockerText("no blocker found", "check its events and the log of the Ocean Controller"),
    Blocker.PENDING: BlockerText(
        "pending, fits no node", "check its events; its requests and constraints must fit a Virtual Node Group"
    ),
    Blocker.NOT_EVICTED: lambda fields: BlockerText(
        "Ocean did not evict it and reports no reason" + (f" ({fields['kind']})" if fields["kind"] else ""),
        "find out what blocks it, then move it manually",
    ),
}
