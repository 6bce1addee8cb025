"""The text of what happens to pods: evicted, left behind, stuck, or without a place to go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ocean_migration_pulumi.common.text import count_noun, count_with_verb, list_some
from ocean_migration_pulumi.common.times import format_elapsed
from ocean_migration_pulumi.migration.planning.text.requirements_text import describe_requirements, list_remedies
from ocean_migration_pulumi.migration.planning.text.sentences import join_sentences
from ocean_migration_pulumi.migration.planning.text.templates import MOST_NODES, Fields, NamingTemplate, Template
from ocean_migration_pulumi.migration.scheduling.pod_requirements import RequirementKind
from ocean_migration_pulumi.migration.scheduling.unknowns import Topic
from ocean_migration_pulumi.migration.spec.diagnostic import Code
from ocean_migration_pulumi.migration.spec.vocabulary import Vocabulary

_EVICT: Final = "should_evict_stand_alone_pods"
_POD_COUNTS: Final = (
    ("evicted", "evicted and rescheduled"),
    ("held", "blocked by PodDisruptionBudgets"),
    ("forced", "deleted despite PodDisruptionBudgets"),
    ("kept", "standalone left behind"),
    ("deleted", "standalone deleted for good"),
    ("leaving", "already terminating"),
    ("finished", "finished"),
    ("daemon_set_pods", "of DaemonSets (not moved)"),
    ("static_pods", "static (not moved)"),
)
_TOPICS: Final = {
    Topic.NODE_NAMES: "the pods on nodes whose name is unknown",
    Topic.PODS: "what happens to the pods",
    Topic.PODS_NOT_READ: "what happens to the pods that were not read",
    Topic.PODS_LEFT: "which pods are left",
    Topic.BUDGETS: "which pods PodDisruptionBudgets block",
    Topic.DAEMON_SETS: "whether the DaemonSets of pods still exist",
    Topic.VOLUMES: "the volumes of pods",
    Topic.VOLUME_ZONES: "the zones of volumes",
    Topic.SUBNET_ZONES: "the zones of subnets",
    Topic.INSTANCE_SIZES: "the sizes of instance types",
}


def _pods(_: str, fields: Fields) -> str:
    parts = [f"{fields[name]} {what}" for name, what in _POD_COUNTS if fields[name]]
    total = sum(fields[name] for name, _ in _POD_COUNTS)
    text = f"{count_noun(total, 'pod')}: {', '.join(parts)}" if parts else "0 pods to move"
    if not fields["knows_all_pods"]:
        text = f"At least {text}; not all pods were read"
    if not fields["knows_budgets"]:
        text += "; PodDisruptionBudgets unknown"
    if fields["losing_data"]:
        text += f"; {count_with_verb(fields['losing_data'], 'pod', 'lose')} the data of emptyDir or ephemeral volumes"
    if fields["losing_work"]:
        text += f"; {count_with_verb(fields['losing_work'], 'pod', 'lose')} work in progress"
    return text


def _standalone_pods(fields: Fields) -> str:
    pods, nodes = fields["pods"], fields["nodes"]
    why = " (DaemonSet gone)" if fields["orphaned"] else ""
    if len(pods) == 1:
        return f"Standalone pod {pods[0]}{why} on {nodes[0]}"
    return f"{count_noun(len(pods), 'standalone pod')}{why} on {count_noun(len(nodes), 'node')} ({list_some(pods)})"


def _standalone_pods_stay(_: str, fields: Fields, vocabulary: Vocabulary) -> str:
    one = len(fields["pods"]) == 1
    return (
        f"{_standalone_pods(fields)} {'stays' if one else 'stay'} behind. "
        f"Move {'it' if one else 'them'} by hand, or set {vocabulary.name(_EVICT)}"
    )


def _standalone_pods_deleted(_: str, fields: Fields, vocabulary: Vocabulary) -> str:
    verb = "is" if len(fields["pods"]) == 1 else "are"
    return f"{_standalone_pods(fields)} {verb} deleted for good: {vocabulary.name(_EVICT)} is set"


def _work_interrupted(kind: str, fields: Fields) -> str:
    pods = fields["pods"]
    one = len(pods) == 1
    remedy = "it ends, or exclude its node" if one else "they end, or exclude their nodes"
    return (
        f"{count_noun(len(pods), 'pod')} of kind {kind} {'is' if one else 'are'} evicted while working "
        f"({list_some(pods)}): "
        f"the work is lost or retried. Wait until {remedy}"
    )


def _pods_terminating(_: str, fields: Fields) -> str:
    pods, nodes, finalizers = fields["pods"], fields["nodes"], fields["finalizers"]
    one = len(pods) == 1
    age = format_elapsed(fields["seconds"])
    since = f"has been terminating for {age}" if one else f"have been terminating for up to {age}"
    text = f"{count_noun(len(pods), 'pod')} {since} ({list_some(pods)})"
    if finalizers:
        return (
            f"{text}, waiting for finalizers ({list_some(finalizers)}). Check the owner of the finalizers, "
            "or remove them"
        )
    return (
        f"{text}. Check the kubelet of {list_some(nodes, MOST_NODES)}, or run "
        f"`kubectl delete pod --force` for {'it' if one else 'them'}"
    )


def _nodes_not_ready(_: str, fields: Fields) -> str:
    nodes, seconds = fields["nodes"], fields["seconds"]
    one = len(nodes) == 1
    if seconds is None:
        state = f"{'is' if one else 'are'} not ready"
    else:
        state = f"{'has' if one else 'have'} not been ready for {'' if one else 'up to '}{format_elapsed(seconds)}"
    return (
        f"{count_noun(len(nodes), 'planned node')} {state} "
        f"({list_some(nodes, MOST_NODES)}): {count_noun(fields['pods'], 'pod')} cannot terminate there. "
        f"Repair {'it' if one else 'them'}, or terminate the {'instance' if one else 'instances'}"
    )


def _grace_period_too_long(_: str, fields: Fields) -> str:
    pods = fields["pods"]
    return (
        f"{count_with_verb(len(pods), 'pod', 'need')} up to {format_elapsed(fields['seconds'])} to terminate "
        f"(terminationGracePeriodSeconds of {list_some(pods)}), longer than the draining timeout of "
        f"{format_elapsed(fields['timeout'])}. Raise strategy.drainingTimeout of the cluster, or lower the grace period"
    )


def _pods_protected(name: str, fields: Fields) -> str:
    pods = fields["pods"]
    ask = count_with_verb(len(pods), "pod", "ask")
    return (
        f'{ask} not to be moved by {name}: "{fields["value"]}" ({list_some(pods)}). '
        "Ocean does not document whether a migration respects it"
    )


def _pods_unplaceable(_: str, fields: Fields) -> str:
    pods, reasons = fields["pods"], fields["reasons"]
    text = (
        f"{count_with_verb(len(pods), 'pod', 'fit')} no Virtual Node Group: {describe_requirements(reasons)} "
        f"({list_some(pods)})"
    )
    return join_sentences([text, *list_remedies(reasons)])


def _pods_placement_unknown(_: str, fields: Fields) -> str:
    pods, reasons = fields["pods"], fields["reasons"]
    text = (
        f"Unknown whether {count_with_verb(len(pods), 'pod', 'fit')} a Virtual Node Group: "
        f"{describe_requirements(reasons)} ({list_some(pods)})"
    )
    tight = [reason for reason in reasons if reason["kind"] == RequirementKind.TIGHT_REQUESTS]
    return join_sentences([text, *list_remedies(tight)])


def _for_other_reasons(fields: Fields) -> str:
    return f"for {count_noun(fields['reasons'], 'other reason')} ({list_some(fields['pods'])})"


def _pods_unplaceable_more(_: str, fields: Fields) -> str:
    fit = count_with_verb(len(fields["pods"]), "more pod", "fit")
    return f"{fit} no Virtual Node Group, {_for_other_reasons(fields)}"


def _pods_placement_unknown_more(_: str, fields: Fields) -> str:
    fit = count_with_verb(len(fields["pods"]), "more pod", "fit")
    return f"Unknown whether {fit} a Virtual Node Group, {_for_other_reasons(fields)}"


def _pods_change_group(_: str, fields: Fields) -> str:
    pods = fields["pods"]
    move = count_with_verb(len(pods), "pod", "move")
    nodes = "its node" if len(pods) == 1 else "their nodes"
    return f"{move} to a different Virtual Node Group than {nodes} ({list_some(pods)})"


def _pods_change_architecture(architecture: str, fields: Fields) -> str:
    pods = fields["pods"]
    one = len(pods) == 1
    return (
        f"{count_with_verb(len(pods), 'pod', 'run')} on {architecture}, and Ocean may launch only instance types of "
        f"other architectures for {'it' if one else 'them'} ({list_some(pods)}). "
        f"Make sure that {'its' if one else 'their'} images run there"
    )


def _not_evaluated(_: str, fields: Fields) -> str:
    topics = ", ".join(_TOPICS[Topic(topic)] for topic in fields["topics"])
    return join_sentences([f"Not evaluated: {topics} ({fields['reason'].rstrip('.')})", fields["remedy"]])


TEMPLATES: Final[Mapping[str, Template]] = {
    Code.PODS: _pods,
    Code.WORK_INTERRUPTED: _work_interrupted,
    Code.PODS_TERMINATING: _pods_terminating,
    Code.NODES_NOT_READY: _nodes_not_ready,
    Code.GRACE_PERIOD_TOO_LONG: _grace_period_too_long,
    Code.PODS_PROTECTED: _pods_protected,
    Code.PODS_UNPLACEABLE: _pods_unplaceable,
    Code.PODS_UNPLACEABLE_MORE: _pods_unplaceable_more,
    Code.PODS_PLACEMENT_UNKNOWN: _pods_placement_unknown,
    Code.PODS_PLACEMENT_UNKNOWN_MORE: _pods_placement_unknown_more,
    Code.PODS_CHANGE_GROUP: _pods_change_group,
    Code.PODS_CHANGE_ARCHITECTURE: _pods_change_architecture,
    Code.NOT_EVALUATED: _not_evaluated,
}

NAMING_TEMPLATES: Final[Mapping[str, NamingTemplate]] = {
    Code.STANDALONE_PODS_STAY: _standalone_pods_stay,
    Code.STANDALONE_PODS_DELETED: _standalone_pods_deleted,
}
