"""The text of what became of planned nodes, and of the migrations that hold them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ocean_migration_pulumi.common.text import count_noun, count_with_verb, list_some
from ocean_migration_pulumi.migration.planning.text.templates import Fields, NamingTemplate, Template, clean, fill
from ocean_migration_pulumi.migration.spec.diagnostic import Code
from ocean_migration_pulumi.migration.spec.spec import KUBECONFIG
from ocean_migration_pulumi.migration.spec.vocabulary import Vocabulary
from ocean_migration_pulumi.migration.state.unfinished import Unfinished, UnfinishedCode

_AGAIN: Final = "Run the command again"
_START_REFUSES: Final = "`start` refuses another one until it ends"
"""What the command does about a migration that runs: it never waits for one, nor takes it over."""


def _migration_adopted(migration_id: str, fields: Fields, vocabulary: Vocabulary) -> str:
    migration = f"migration {migration_id} ({count_noun(fields['nodes'], 'node')})"
    if fields["pending"] and vocabulary.options:
        return f"M{migration[1:]} has ended" if fields["ended"] else f"M{migration[1:]} is running. {_START_REFUSES}"
    text = f"`pulumi up` adopts {migration}, which" if fields["pending"] else f"Adopted {migration}"
    if fields["ended"]:
        return f"{text} has ended"
    if fields["whole"]:
        return f"{text} is running: `pulumi destroy` will stop it"
    return f"{text} is running and also holds nodes that are not planned: `pulumi destroy` will not stop it"


def _migration_lost(migration_id: str, fields: Fields, vocabulary: Vocabulary) -> str:
    nodes = fields["nodes"]
    left = f" ({count_noun(len(nodes), 'node')} not proven to be migrated: {list_some(nodes)})" if nodes else ""
    return (
        f"Migration {migration_id} is lost: the list of migrations did not contain it for a minute, and nothing else "
        f"confirmed its state{left}. "
        "Look for it in the Spot console and run the command again; to migrate its nodes again, change "
        f"{vocabulary.name('triggers')}"
    )


def _nodes_held(migration_id: str, fields: Fields, vocabulary: Vocabulary) -> str:
    nodes = fields["nodes"]
    effect = "`pulumi up` waits for its end"
    if not fields["waits"]:
        refuses = '`pulumi up` refuses to start: when_busy is "fail"'
        effect = _START_REFUSES if vocabulary.options else refuses
    named = f"Migration {migration_id}, started elsewhere,"
    if not nodes:
        return f"{named} is running, and Ocean does not report its nodes, so they are not in this plan. {effect}"
    return f"{named} holds {count_noun(len(nodes), 'planned node')} ({list_some(nodes)}). {effect}"


def _nodes_gone(_: str, fields: Fields) -> str:
    nodes = fields["nodes"]
    return f"{count_noun(len(nodes), 'planned node')} gone, nothing to migrate: {list_some(nodes)}"


def _nodes_returned(_: str, fields: Fields, vocabulary: Vocabulary) -> str:
    nodes = fields["nodes"]
    it = "it" if len(nodes) == 1 else "them"
    return (
        f"{count_with_verb(len(nodes), 'node', 'count')} as gone, but discovery returns {it} again, with pods "
        f"({list_some(nodes)}). Change {vocabulary.name('triggers')} to migrate {it}"
    )


def _nodes_unverified(_: str, fields: Fields, vocabulary: Vocabulary) -> str:
    nodes = fields["nodes"]
    counts = count_with_verb(len(nodes), "node", "count")
    return (
        f"{counts} as migrated, unverified ({list_some(nodes)}): Ocean has finished and still counts pods there, "
        "possibly "
        f"those of DaemonSets. {_verify(vocabulary)}"
    )


def _verify(vocabulary: Vocabulary) -> str:
    return f"Set {vocabulary.name(KUBECONFIG)} to verify, or check with kubectl"


def _remain(fields: Fields) -> str:
    nodes = fields["nodes"]
    return f"{count_with_verb(len(nodes), 'node', 'remain')} ({list_some(nodes)})"


def _nodes_unproven(_: str, fields: Fields, vocabulary: Vocabulary) -> str:
    it = "it" if len(fields["nodes"]) == 1 else "them"
    return (
        f"{_remain(fields)}: nothing proves that the pods have moved, and discovery does not return {it}, so no "
        f"migration can be started. Run the command again later, set {vocabulary.name(KUBECONFIG)} to verify {it}, or "
        f"exclude {it}"
    )


def _nodes_contradicted(_: str, fields: Fields, vocabulary: Vocabulary) -> str:
    return (
        f"{_remain(fields)}: the migration is FINISHED, but as many pods run on its nodes as before. "
        f"{_verify(vocabulary)}, run the command again later, or change {vocabulary.name('triggers')} to migrate again"
    )


def _nodes_with_pods(_: str, fields: Fields) -> str:
    pods = f" ({list_some(fields['pods'])})" if fields["pods"] else ""
    return f"{_remain(fields)}: Kubernetes shows pods that the migration should have evicted{pods}. {_AGAIN}"


def _nodes_missing(_: str, fields: Fields) -> str:
    one = len(fields["nodes"]) == 1
    return (
        f"{_remain(fields)}: discovery does not return {'it' if one else 'them'}, and no migration held "
        f"{'it' if one else 'them'}. {'It counts' if one else 'They count'} as gone when discovery misses "
        f"{'it' if one else 'them'} again two minutes later. {_AGAIN}"
    )


def describe_unfinished(unfinished: Unfinished) -> str:
    """Return what the last run left undone."""
    return fill(_UNFINISHED[unfinished.code], clean(unfinished.fields))


def _nodes_remain(fields: Fields) -> str:
    after = f" after {fields['migration']} ({fields['status']})" if fields["migration"] else ""
    return f"{count_with_verb(fields['nodes'], 'node', 'remain')}{after}"


_UNFINISHED: Final[Mapping[UnfinishedCode, str | Callable[[Fields], str]]] = {
    UnfinishedCode.MAY_HAVE_STARTED: "a migration may have started, and its id is not known yet",
    UnfinishedCode.STILL_RUNNING: "migration {migration} was still running",
    UnfinishedCode.NODES_REMAIN: _nodes_remain,
    UnfinishedCode.NOT_READY: "the workloads were not ready",
    UnfinishedCode.NOT_SOAKED: "the soak has not passed yet",
    UnfinishedCode.UP_FAILED: "the last `pulumi up` failed",
}

TEMPLATES: Final[Mapping[str, Template]] = {
    Code.MIGRATION_DENIED: (
        "Migration {subject} was not found. A single response proves nothing, so its last known state stays. Run "
        "the command again"
    ),
    Code.MIGRATION_UNRECORDED: lambda subject, fields: (
        f"Migration {subject} ({count_noun(fields['nodes'], 'node')}) is running, and this resource's state does not "
        f"have it. If a run that was killed has started it, stop it: `ocean-migration stop {subject}`"
    ),
    Code.FAILED_EARLIER: lambda subject, fields: (
        f"Migration {subject} failed: {fields['message']}; {count_with_verb(fields['nodes'], 'node', 'remain')}"
    ),
    Code.NODES_GONE: _nodes_gone,
    Code.NODES_WITH_PODS: _nodes_with_pods,
    Code.NODES_MISSING: _nodes_missing,
    Code.NODES_LEFT: lambda _, fields: f"{_remain(fields)}. {_AGAIN}",
}

NAMING_TEMPLATES: Final[Mapping[str, NamingTemplate]] = {
    Code.MIGRATION_ADOPTED: _migration_adopted,
    Code.MIGRATION_LOST: _migration_lost,
    Code.NODES_HELD: _nodes_held,
    Code.NODES_RETURNED: _nodes_returned,
    Code.NODES_UNVERIFIED: _nodes_unverified,
    Code.NODES_UNPROVEN: _nodes_unproven,
    Code.NODES_CONTRADICTED: _nodes_contradicted,
}
