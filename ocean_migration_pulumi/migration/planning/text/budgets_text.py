"""The text of PodDisruptionBudgets that block evictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ocean_migration_pulumi.common.text import count_noun, count_with_verb, list_some
from ocean_migration_pulumi.migration.planning.text.gaps_text import describe_gap_json
from ocean_migration_pulumi.migration.planning.text.sentences import join_sentences
from ocean_migration_pulumi.migration.planning.text.templates import MOST_NODES, Fields, NamingTemplate, Template
from ocean_migration_pulumi.migration.spec.diagnostic import Code
from ocean_migration_pulumi.migration.spec.vocabulary import Vocabulary

_FORCE: Final = "force_pod_eviction_on_pdb_failure"


def _where(fields: Fields) -> str:
    """Return how many pods on which nodes."""
    nodes: Sequence[str] = fields["nodes"]
    on = nodes[0] if len(nodes) == 1 else f"{count_noun(len(nodes), 'node')} ({list_some(nodes, MOST_NODES)})"
    return f"{count_noun(fields['pods'], 'pod')} on {on}"


def _effect(fields: Fields, vocabulary: Vocabulary) -> str:
    if not fields["forced"]:
        return f"Affects {_where(fields)}"
    return f"{_where(fields)} will be deleted: {vocabulary.name(_FORCE)} is set"


def _pdb_blocks(subject: str, fields: Fields, vocabulary: Vocabulary) -> str:
    parts = [
        f"PodDisruptionBudget {subject} allows 0 disruptions ({_budget_state(fields)})",
        _effect(fields, vocabulary),
    ]
    if trial := fields["trial"]:
        confirmed = "confirms" if trial["allowed"] is False else "could not confirm"
        why = describe_gap_json(trial["gap"]).line if "gap" in trial else trial["message"]
        parts.append(f"The API server {confirmed} it" + (f": {why}" if why else ""))
    if not fields["forced"]:
        parts.append(f"{_budget_remedy(fields)}, or set {vocabulary.name(_FORCE)}")
    return join_sentences(parts)


def _budget_state(fields: Fields) -> str:
    if fields["problem"]:
        return f"SyncFailed: {fields['problem'].rstrip('.')}"
    if not fields["processed"]:
        return "Kubernetes has not processed its last change yet"
    return f"{fields['healthy']} healthy, {fields['required']} required"


def _budget_remedy(fields: Fields) -> str:
    if fields["problem"]:
        return "It does not recover by itself: correct its selector, or delete it"
    if not fields["processed"]:
        return "Wait until it is processed"
    if fields.get("closed"):
        return "More pods do not help: raise its maxUnavailable or lower its minAvailable"
    return "Add replicas, relax the budget" if fields["never"] else "Wait until more of its pods are healthy"


def _pdbs_overlap(_: str, fields: Fields, vocabulary: Vocabulary) -> str:
    budgets = ", ".join(fields["budgets"])
    text = (
        f"PodDisruptionBudgets {budgets} select the same pods, which the API server then never evicts. "
        f"{_effect(fields, vocabulary)}"
    )
    return text if fields["forced"] else f"{text}. Leave one budget for each pod, or set {vocabulary.name(_FORCE)}"


def _pdbs_more(_: str, fields: Fields, vocabulary: Vocabulary) -> str:
    budgets = fields["budgets"]
    allow = count_with_verb(len(budgets), "more PodDisruptionBudget", "allow")
    return f"{allow} 0 disruptions ({list_some(budgets)}). {_effect(fields, vocabulary)}"


TEMPLATES: Final[Mapping[str, Template]] = {
    Code.PDB_ALLOWS: "PodDisruptionBudget {subject} now allows an eviction (dry run)",
}

NAMING_TEMPLATES: Final[Mapping[str, NamingTemplate]] = {
    Code.PDB_BLOCKS: _pdb_blocks,
    Code.PDBS_OVERLAP: _pdbs_overlap,
    Code.PDBS_MORE: _pdbs_more,
}
