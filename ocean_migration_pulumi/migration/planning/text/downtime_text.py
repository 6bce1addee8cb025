"""The text of workloads that lose their ready replicas, and of how to avoid it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ocean_migration_pulumi.common.text import all_of, count_noun, list_some
from ocean_migration_pulumi.migration.planning.text.sentences import join_sentences
from ocean_migration_pulumi.migration.planning.text.templates import (
    MOST_NODES,
    SOURCE,
    Fields,
    NamingTemplate,
    Template,
)
from ocean_migration_pulumi.migration.spec.diagnostic import Code
from ocean_migration_pulumi.migration.spec.vocabulary import Vocabulary

_FORCE: Final = "force_pod_eviction_on_pdb_failure"
_BATCH_SIZE: Final = "batch_size_percentage"


def _downtime(subject: str, fields: Fields, vocabulary: Vocabulary) -> str:
    workloads: Sequence[Fields] = fields["workloads"]
    parts = [_describe_downtime(subject, workloads)]
    if not fields["knows_budgets"]:
        parts[0] += ", unless a PodDisruptionBudget prevents it (unknown)"
    return join_sentences([*parts, _avoid_downtime(workloads, fields, vocabulary)])


def _describe_downtime(subject: str, workloads: Sequence[Fields]) -> str:
    nodes = sorted({node for each in workloads for node in each["nodes"]})
    names = list_some(_title(each) for each in workloads)
    single = all(each["ready"] == 1 for each in workloads)
    if len(workloads) > 1:
        count = count_noun(len(workloads), "workload")
        if single:
            return (
                f"{count} with 1 ready replica, on planned nodes, are down from the eviction until the replacement is "
                f"ready ({names})"
            )
        return f"{count} may lose all ready replicas at once ({names})"
    if single:
        return f"{subject} has 1 ready replica, on {nodes[0]}, and is down from its eviction until another one is ready"
    (workload,) = workloads
    ready = workload["ready"]
    return (
        f"{subject} may lose {all_of(ready, 'ready replicas')} at once: they are on "
        f"{count_noun(len(nodes), 'planned node')} "
        f"({list_some(nodes, MOST_NODES)})"
    )


def _avoid_downtime(workloads: Sequence[Fields], fields: Fields, vocabulary: Vocabulary) -> str:
    """Return how to avoid downtime: a budget, smaller batches, or a rollout before the migration."""
    if all(each["ready"] == 1 for each in workloads):
        names = {each["name"] for each in workloads if each["surges"]}
        if not names:
            return "Run at least 2 replicas, or plan for it"
        if len(workloads) > 1:
            return (
                "Run at least 2 replicas, or cordon the planned nodes and run `kubectl rollout restart` for the "
                "Deployments before the migration"
            )
        namespace, _, name = names.pop().partition("/")
        return (
            "Run at least 2 replicas, or cordon its node and run "
            f"`kubectl rollout restart deployment/{name} --namespace {namespace}` before the migration"
        )
    budgets = sorted({budget for each in workloads for budget in each["budgets"]})
    percentages = [each["batch_size_percentage"] for each in workloads]
    ways = []
    if fields["forced"]:
        if budgets:
            ways.append(f"unset {vocabulary.name(_FORCE)}")
    elif budgets:
        one = len(budgets) == 1
        ways.append(f"set maxUnavailable: 1 in PodDisruptionBudget{'' if one else 's'} {list_some(budgets)}")
    elif fields["knows_budgets"]:
        ways.append("add a PodDisruptionBudget" if len(workloads) == 1 else "add PodDisruptionBudgets")
    if all(percentages):
        ways.append(f"set {vocabulary.write_maximum(_BATCH_SIZE, min(percentages))}")
    if not ways:
        ways.append("spread its replicas over more nodes" if len(workloads) == 1 else "spread them over more nodes")
    return " or ".join(ways)


def _title(workload: Fields) -> str:
    return f"{workload['kind']} {workload['name']}"


def _replicas_drop(_: str, fields: Fields, vocabulary: Vocabulary) -> str:
    workloads: Sequence[Fields] = fields["workloads"]
    count = count_noun(len(workloads), "workload")
    names = list_some(f"{_title(each)}: {each['evicted_at_once']} of {each['ready']}" for each in workloads)
    text = f"{count} may lose half or more of the ready replicas at once ({names})"
    size = vocabulary.name(_BATCH_SIZE)
    if not fields["knows_budgets"]:
        return f"{text}, unless a PodDisruptionBudget prevents it (unknown). Lower {size}"
    first = f"Unset {vocabulary.name(_FORCE)}" if fields["forced"] else "Add a PodDisruptionBudget"
    each = " for each" if len(workloads) > 1 and not fields["forced"] else ""
    return f"{text}. {first}{each}, or lower {size}"


def _pdb_suggestion(_: str, fields: Fields) -> str:
    names = fields["workloads"]
    budgets = "PodDisruptionBudget" if len(names) == 1 else "PodDisruptionBudgets"
    return f"{budgets} for {list_some(names)}, ready to paste:\n{fields[SOURCE]}"


TEMPLATES: Final[Mapping[str, Template]] = {
    Code.PDB_SUGGESTION: _pdb_suggestion,
}

NAMING_TEMPLATES: Final[Mapping[str, NamingTemplate]] = {
    Code.DOWNTIME: _downtime,
    Code.REPLICAS_DROP: _replicas_drop,
}
