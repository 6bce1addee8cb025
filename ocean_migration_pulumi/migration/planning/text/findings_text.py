"""The text of diagnostics: the only place that makes English of them, one template for each code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ocean_migration_pulumi.api.models.migration import DEFAULT_VIRTUAL_NODE_GROUP
from ocean_migration_pulumi.api.settings import NO_ACCOUNT
from ocean_migration_pulumi.common.text import count_noun, count_with_verb, list_some, sanitize
from ocean_migration_pulumi.common.times import format_elapsed
from ocean_migration_pulumi.migration.checks.check_result import CheckResult
from ocean_migration_pulumi.migration.planning.text import health_text
from ocean_migration_pulumi.migration.planning.text.checks_text import CheckText, describe_finding
from ocean_migration_pulumi.migration.planning.text.requirements_text import describe_requirements, list_remedies
from ocean_migration_pulumi.migration.planning.text.sentences import join_sentences
from ocean_migration_pulumi.migration.scheduling.pod_requirements import RequirementKind
from ocean_migration_pulumi.migration.scheduling.unknowns import Topic
from ocean_migration_pulumi.migration.spec.approval import shorten_digest
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, UnplannedCause, UnplannedEffect
from ocean_migration_pulumi.migration.spec.input_readers import SHORTEST_DIGEST
from ocean_migration_pulumi.migration.spec.spec import KUBECONFIG
from ocean_migration_pulumi.migration.spec.vocabulary import INPUTS, Vocabulary

Fields = Mapping[str, Any]

_MOST_BATCHES: Final = 10
_MOST_NODES: Final = 3
_FORCE: Final = "force_pod_eviction_on_pdb_failure"
_EVICT: Final = "should_evict_stand_alone_pods"
_BATCH_SIZE: Final = "batch_size_percentage"
_SOURCE: Final = "source"
_HEADS: Final[Mapping[str, str]] = {
    Code.CHECK_FAILED: "Check failed",
    Code.CHECK_WARNING: "Check warning",
    Code.CHECK_UNKNOWN: "Not checked",
}
_DOWNTIME: Final = "Downtime"
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
_POD_COUNTS: Final = (
    ("evicted", "evicted and rescheduled"),
    ("held", "blocked by PodDisruptionBudgets"),
    ("forced", "killed against PodDisruptionBudgets"),
    ("kept", "standalone staying behind"),
    ("deleted", "standalone deleted for good"),
    ("leaving", "already terminating"),
    ("finished", "finished"),
    ("daemon_set_pods", "of DaemonSets (not moved)"),
    ("static_pods", "static (not moved)"),
)


_AGAIN: Final = "Run the command again"


def render(diagnostic: Diagnostic, vocabulary: Vocabulary = INPUTS) -> str:
    """Return the text of a diagnostic, without the head that tells its kind.

    What only a newer version can render comes back as that version wrote it.
    """
    subject, fields = _clean(diagnostic.subject), _clean(diagnostic.fields)
    try:
        if naming := _NAMING_TEMPLATES.get(diagnostic.code):
            return naming(subject, fields, vocabulary)
        if template := _TEMPLATES.get(diagnostic.code):
            return template(subject, fields)
        return diagnostic.text or str(diagnostic.code)
    except (KeyError, TypeError, ValueError):
        if diagnostic.text:
            return diagnostic.text
        raise


def render_line(diagnostic: Diagnostic, vocabulary: Vocabulary = INPUTS) -> str:
    """Return the text of a diagnostic as a line of its own: blockers, downtime and checks say what they are."""
    text = render(diagnostic, vocabulary)
    if diagnostic.is_blocker:
        return f"Blocked: {text}"
    if diagnostic.code == Code.DOWNTIME:
        return f"{_DOWNTIME}: {text}"
    head = _HEADS.get(diagnostic.code)
    return text if head is None else f"{head} ({_clean(diagnostic.subject)}): {text}"


def render_check(check_result: CheckResult, vocabulary: Vocabulary = INPUTS) -> CheckText:
    """Return what a check found, and what to do about it."""
    return describe_finding(check_result.finding, _clean(check_result.fields), vocabulary)


def render_cause(diagnostic: Diagnostic, vocabulary: Vocabulary = INPUTS) -> str:
    """Return why there is no plan, of an ``UNPLANNED`` diagnostic, as a part of a sentence."""
    return _cause(_clean(diagnostic.fields), vocabulary)


def _clean(value: Any) -> Any:
    """Return data with every name printable: they are the choice of others."""
    if isinstance(value, str):
        return sanitize(value) if value else ""
    if isinstance(value, Mapping):
        return {key: each if key == _SOURCE else _clean(each) for key, each in value.items()}
    return [_clean(each) for each in value] if isinstance(value, list) else value


def _plan_summary(_: str, fields: Fields) -> str:
    digest, nodes, waiting, active = (fields[name] for name in ("digest", "nodes", "waiting", "active"))
    is_moved = fields.get("moved") == nodes  # of an empty plan, too: neither has a digest
    plan = shorten_digest(digest) or "with values not known yet"
    if nodes and not waiting and not active:
        count = count_noun(nodes, "planned node")
        if is_moved:
            return f"Nothing to do: {count}, migrated earlier"
        return f"Nothing to do: {count}, none is a candidate any more (plan {plan})"
    parts = [f"{'Plan' if is_moved else f'Plan {plan}'}: {count_noun(nodes, 'node')}"]
    if waiting not in {0, nodes}:
        parts.append(f"{waiting} still to migrate")
    if fields["pods"] is not None:
        parts.append(count_noun(fields["pods"], "pod"))
    if active:
        parts.append(f"{active} being migrated now")
    return ", ".join(parts)


def _plan_not_approved(_: str, fields: Fields) -> str:
    nodes = f"{count_noun(len(fields['nodes']), 'node')}: {list_some(fields['nodes'])}"
    if fields["approved"] is None:
        return (
            f"Plan {fields['digest']} ({nodes}) is not approved, and an approval is required. "
            "Review today's preview and approve its digest"
        )
    changes = describe_changes(fields["changes"])
    return join_sentences(
        [
            f"Plan {fields['digest']} ({nodes}) is not the approved plan {fields['approved']}",
            changes and f"Changed since the approval: {changes}",
            "Review today's preview and approve its digest",
        ]
    )


def describe_changes(changes: Sequence[Fields]) -> str:
    """Return what changed since a plan was approved, such as "terminate drained nodes: off -> on"."""
    return ", ".join(_change(each) for each in changes)


def _change(change: Fields) -> str:
    name, approved, now = change["name"].removeprefix("should_").replace("_", " "), change["approved"], change["now"]
    if approved is None:
        return f"{name}: changed"
    return f"{name}: {_value(approved)} -> {_value(now)}"


def _value(value: Any) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def _approval_outdated(_: str, fields: Fields) -> str:
    approved = fields["approved"]
    what = "is too short" if len(approved) < SHORTEST_DIGEST else "is of version 0.1 and covers the nodes alone"
    return f"Approved digest {approved} {what}: it starts nothing new. Review the plan and approve {fields['digest']}"


def _cause(fields: Fields, vocabulary: Vocabulary) -> str:
    detail: str = fields["detail"]
    labels = vocabulary.name("label_selector")
    return {
        UnplannedCause.NO_ACCOUNT: NO_ACCOUNT,
        UnplannedCause.NO_LABELS: f"cannot evaluate {labels}: {detail or 'Kubernetes has no nodes'}",
        UnplannedCause.SPOT_UNAVAILABLE: f"cannot read the cluster from Spot: {detail}",
        UnplannedCause.CONTROLLER_NEVER_REPORTED: f"the Ocean Controller of {detail} has never reported",
    }[UnplannedCause(fields["cause"])]


def _unplanned(_: str, fields: Fields, vocabulary: Vocabulary) -> str:
    effect = {
        UnplannedEffect.PLANNED_BY_UP: "`pulumi up` plans the nodes when it runs",
        UnplannedEffect.OUTPUT_STAYS: "The plan in the output planned_nodes stays",
        UnplannedEffect.PLAN_STAYS: "The planned nodes stay as they are",
    }[UnplannedEffect(fields["effect"])]
    return join_sentences([_cause(fields, vocabulary), effect])


def _destination(vng_id: str, fields: Fields) -> str:
    pods = "" if fields["pods"] is None else f" ({count_noun(fields['pods'], 'pod')})"
    name = "any Virtual Node Group" if vng_id == DEFAULT_VIRTUAL_NODE_GROUP else fields["name"]
    market = f": {describe_market(fields)}" if fields["known"] else ""
    return f"{count_noun(fields['nodes'], 'node')}{pods} to {name} ({vng_id}){market}"


def describe_market(fields: Fields) -> str:
    """Return what kind of instances a destination starts: spot, on-demand, or a share of both."""
    share = fields["spot_percentage"]
    if share is None:
        return "share of spot unknown"
    if share <= 0:
        return "on-demand"
    what = "spot" if share >= 100 else f"{share:g}% spot, {100 - share:g}% on-demand"
    fallback = {True: ", on-demand when no spot is available", False: ", waits when no spot is available", None: ""}
    return what + fallback[fields["fallback_to_on_demand"]]


def _batches(_: str, fields: Fields) -> str:
    count, size, last, pods = (fields[name] for name in ("count", "size", "last", "pods"))
    text = f"{count_noun(count, 'batch')} of {count_noun(size, 'node')}"
    if last != size:
        text += f", the last of {last}"
    if pods is None:
        return text
    if len(pods) == 1:
        return f"{text} ({count_noun(pods[0], 'pod')})"
    if len(pods) <= _MOST_BATCHES:
        return f"{text} (about {', '.join(map(str, pods[:-1]))} and {pods[-1]} pods)"
    return f"{text} (about {min(pods)} to {max(pods)} pods each)"


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


def _starts_frozen(_: str, fields: Fields) -> str:
    if fields["until"] is None:
        return "No migration starts any more: freeze.not_after has passed. Change freeze"
    return f"No migration starts before {fields['until']} (freeze)"


def _nodes_stay(_: str, fields: Fields) -> str:
    one = fields["nodes"] == 1
    stays = count_with_verb(fields["nodes"], "node", "stay")
    return f"{stays} running (cordoned) after the migration and keep{'s' if one else ''} costing money"


def _nodes_outside_plan(_: str, fields: Fields) -> str:
    count = count_noun(fields["nodes"], "other node")
    stays = "stays" if fields["nodes"] == 1 else "stay"
    waves = list_some(f"{wave['nodes']} of {wave['name']}" for wave in fields.get("waves", ()))
    included = f"later waves included{': ' if waves else ''}{waves}"
    return (
        f"{count} ({included}) {stays} schedulable: evicted pods may land there and be moved again later. "
        "One migration of all nodes in small batches cordons all of them at its start"
    )


def _pattern_unmatched(pattern: str, fields: Fields, vocabulary: Vocabulary) -> str:
    nearest = f"Did you mean `{fields['nearest']}`?" if fields["nearest"] else ""
    return join_sentences([f"No node matches `{pattern}` of {vocabulary.name(fields['field'])}", nearest])


def _nodes_undecided(_: str, fields: Fields) -> str:
    nodes = fields["nodes"]
    count = count_noun(len(nodes), "node")
    return f"{count} not planned: too little is known of them to evaluate the selector ({list_some(nodes)})"


def _nodes_new(_: str, fields: Fields, vocabulary: Vocabulary) -> str:
    nodes = fields["nodes"]
    one = len(nodes) == 1
    follow = vocabulary.write_setting("new_nodes", "migrate")
    return (
        f"{count_with_verb(len(nodes), 'new node', 'match')} but {'is' if one else 'are'} not in the plan "
        f"({list_some(nodes)}). Set {follow} to always include new nodes, or change {vocabulary.name('triggers')} to "
        f"include {'it' if one else 'them'} once"
    )


def _nodes_skipped(_: str, fields: Fields) -> str:
    nodes = fields["nodes"]
    return f"{count_noun(len(nodes), 'node')} skipped: no Virtual Node Group matches ({list_some(nodes)})"


def _nodes_excluded(_: str, fields: Fields) -> str:
    nodes = fields["nodes"]
    stays = count_with_verb(len(nodes), "node", "stay")
    return (
        f"{stays} in the plan although excluded by id ({list_some(nodes)}). "
        "Exclude planned nodes by node_names to remove them"
    )


def _asg_may_replace(_: str, fields: Fields) -> str:
    names = fields["asg_names"]
    one = len(names) == 1
    its = "its" if one else "their"
    return (
        f"Auto Scaling Group{'' if one else 's'} {list_some(names)} will replace terminated nodes. "
        f"Suspend {its} Launch process before the start, or lower {its} desired capacity afterwards"
    )


def _where(fields: Fields) -> str:
    """Return how many pods on which nodes."""
    nodes: Sequence[str] = fields["nodes"]
    on = nodes[0] if len(nodes) == 1 else f"{count_noun(len(nodes), 'node')} ({list_some(nodes, _MOST_NODES)})"
    return f"{count_noun(fields['pods'], 'pod')} on {on}"


def _effect(fields: Fields, vocabulary: Vocabulary) -> str:
    if not fields["forced"]:
        return f"Affects {_where(fields)}"
    return f"{_where(fields)} will be killed: {vocabulary.name(_FORCE)} is set"


def _pdb_blocks(subject: str, fields: Fields, vocabulary: Vocabulary) -> str:
    parts = [
        f"PodDisruptionBudget {subject} allows 0 disruptions ({_budget_state(fields)})",
        _effect(fields, vocabulary),
    ]
    if trial := fields["trial"]:
        confirmed = "confirms" if trial["allowed"] is False else "could not confirm"
        parts.append(f"The API server {confirmed} it" + (f": {trial['message']}" if trial["message"] else ""))
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
        return "It does not heal by itself: correct its selector, or delete it"
    if not fields["processed"]:
        return "Wait until it is processed"
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
        f"{subject} may lose all {ready} ready replicas at once: they are on {count_noun(len(nodes), 'planned node')} "
        f"({list_some(nodes, _MOST_NODES)})"
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
    first = f"Unset {vocabulary.name(_FORCE)}" if fields["forced"] else "Add a PodDisruptionBudget for each"
    return f"{text}. {first}, or lower {size}"


def _pdb_suggestion(_: str, fields: Fields) -> str:
    names = fields["workloads"]
    return f"PodDisruptionBudget for {list_some(names)}, ready to paste:\n{fields[_SOURCE]}"


def _work_interrupted(kind: str, fields: Fields) -> str:
    pods = fields["pods"]
    one = len(pods) == 1
    remedy = "it ends, or exclude its node" if one else "they end, or exclude their nodes"
    return (
        f"{count_noun(len(pods), 'pod')} of kind {kind} {'is' if one else 'are'} evicted at work ({list_some(pods)}): "
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
        f"{text}. Check the kubelet of {list_some(nodes, _MOST_NODES)}, or run "
        f"`kubectl delete pod --force` for {'it' if one else 'them'}"
    )


def _nodes_not_ready(_: str, fields: Fields) -> str:
    nodes, seconds = fields["nodes"], fields["seconds"]
    one = len(nodes) == 1
    age = "" if seconds is None else f" for {'' if one else 'up to '}{format_elapsed(seconds)}"
    return (
        f"{count_noun(len(nodes), 'planned node')} {'is' if one else 'are'} not ready{age} "
        f"({list_some(nodes, _MOST_NODES)}): {count_noun(fields['pods'], 'pod')} cannot end there. "
        f"Repair {'it' if one else 'them'}, or terminate the {'instance' if one else 'instances'}"
    )


def _grace_period_too_long(_: str, fields: Fields) -> str:
    pods = fields["pods"]
    return (
        f"{count_with_verb(len(pods), 'pod', 'need')} up to {format_elapsed(fields['seconds'])} to end "
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
    whose = "its node's" if len(pods) == 1 else "their nodes'"
    return f"{move} to another Virtual Node Group than {whose} ({list_some(pods)})"


def _pods_change_architecture(architecture: str, fields: Fields) -> str:
    pods = fields["pods"]
    one = len(pods) == 1
    return (
        f"{count_with_verb(len(pods), 'pod', 'run')} on {architecture}, and Ocean may start only instance types of "
        f"other architectures for {'it' if one else 'them'} ({list_some(pods)}). "
        f"Make sure that {'its' if one else 'their'} images run there"
    )


def _not_evaluated(_: str, fields: Fields) -> str:
    topics = ", ".join(_TOPICS[Topic(topic)] for topic in fields["topics"])
    return join_sentences([f"Not evaluated: {topics} ({fields['reason'].rstrip('.')})", fields["remedy"]])


def _vng_suggestion(_: str, fields: Fields) -> str:
    names = fields["asg_names"]
    where = f" of {list_some(names, _MOST_NODES)}" if names else ""
    return f"Virtual Node Group for {count_noun(fields['nodes'], 'node')}{where}, ready to paste:\n{fields[_SOURCE]}"


def _migration_adopted(migration_id: str, fields: Fields) -> str:
    migration = f"migration {migration_id} ({count_noun(fields['nodes'], 'node')})"
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
        f"Migration {migration_id} is lost: for a minute neither its status nor the list of migrations had it{left}. "
        "Look for it in the Spot console and run the command again; to migrate its nodes again, change "
        f"{vocabulary.name('triggers')}"
    )


def _nodes_held(migration_id: str, fields: Fields) -> str:
    nodes = fields["nodes"]
    effect = "`pulumi up` waits for its end" if fields["waits"] else '`pulumi up` refuses to start: when_busy is "fail"'
    named = f"Migration {migration_id}, started elsewhere,"
    if not nodes:
        return f"{named} is running, and Ocean does not tell its nodes: those are not in this plan. {effect}"
    return f"{named} holds {count_noun(len(nodes), 'planned node')} ({list_some(nodes)}). {effect}"


def _nodes_gone(_: str, fields: Fields) -> str:
    nodes = fields["nodes"]
    return f"{count_noun(len(nodes), 'planned node')} gone, nothing to migrate there: {list_some(nodes)}"


def _nodes_unverified(_: str, fields: Fields, vocabulary: Vocabulary) -> str:
    nodes = fields["nodes"]
    counts = count_with_verb(len(nodes), "node", "count")
    return (
        f"{counts} as migrated, unverified ({list_some(nodes)}): Ocean has finished and still counts pods there, maybe "
        f"those of DaemonSets. {_verify(vocabulary)}"
    )


def _verify(vocabulary: Vocabulary) -> str:
    return f"Set {vocabulary.name(KUBECONFIG)} to verify, or look with kubectl"


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


def _check(_: str, fields: Fields, vocabulary: Vocabulary) -> str:
    return describe_finding(fields["finding"], fields, vocabulary).line


_TEMPLATES: Final[Mapping[str, Callable[[str, Fields], str]]] = {
    Code.PLAN_SUMMARY: _plan_summary,
    Code.PLAN_EMPTY: lambda _, __: "No node matches: nothing will be migrated",
    Code.PLAN_NOT_APPROVED: _plan_not_approved,
    Code.APPROVAL_OUTDATED: _approval_outdated,
    Code.PLAN_KEPT_BY_RUN: lambda _, __: "The run that created this resource made the plan: see its planned_nodes",
    Code.DESTINATION: _destination,
    Code.DESTINATIONS_MORE: lambda _, fields: (
        f"{count_noun(fields['nodes'], 'node')} to {count_noun(fields['groups'], 'other Virtual Node Group')}"
    ),
    Code.BATCHES: _batches,
    Code.PODS: _pods,
    Code.NODES_STAY: _nodes_stay,
    Code.NODES_OUTSIDE_PLAN: _nodes_outside_plan,
    Code.NODES_UNDECIDED: _nodes_undecided,
    Code.NODES_SKIPPED: _nodes_skipped,
    Code.NODES_EXCLUDED: _nodes_excluded,
    Code.ASG_MAY_REPLACE: _asg_may_replace,
    Code.ASG_REPLACES: lambda name, _: (
        f"Auto Scaling Group {name} replaces terminated nodes. Lower its desired capacity"
    ),
    Code.CHECKS_PASSED: lambda _, fields: f"{count_noun(len(fields['names']), 'check')} passed",
    Code.PDB_ALLOWS: lambda name, _: f"PodDisruptionBudget {name} allows an eviction now, by a dry run",
    Code.PDB_SUGGESTION: _pdb_suggestion,
    Code.STARTS_FROZEN: _starts_frozen,
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
    Code.VNG_SUGGESTION: _vng_suggestion,
    Code.MIGRATION_ADOPTED: _migration_adopted,
    Code.MIGRATION_DENIED: lambda migration_id, _: (
        f"Migration {migration_id} was not found, which proves nothing: its last known state stays. "
        "Run the command again"
    ),
    Code.NODES_HELD: _nodes_held,
    Code.NODES_GONE: _nodes_gone,
    Code.NODES_WITH_PODS: _nodes_with_pods,
    Code.NODES_MISSING: _nodes_missing,
    Code.NODES_LEFT: lambda _, fields: f"{_remain(fields)}. {_AGAIN}",
    Code.HEALTH_PLANNED: health_text.describe_planned,
    Code.HEALTH_WATCHED: health_text.describe_watch,
    Code.HEALTH_UNKNOWN: health_text.describe_unknown_health,
    Code.WORKLOADS_READY: health_text.describe_ready,
    Code.WORKLOADS_NOT_READY: health_text.describe_not_ready,
    Code.BRAKE_STOPPED: health_text.describe_brake,
    Code.BRAKE_HOLDS: health_text.describe_held_brake,
    Code.PREVIEW_FILE_NOT_WRITTEN: lambda _, fields: (
        f"Cannot write the file that OCEAN_MIGRATION_PREVIEW_FILE names: {fields['reason']}"
    ),
}

_NAMING_TEMPLATES: Final[Mapping[str, Callable[[str, Fields, Vocabulary], str]]] = {
    Code.UNPLANNED: _unplanned,
    Code.PATTERN_UNMATCHED: _pattern_unmatched,
    Code.NODES_NEW: _nodes_new,
    Code.CHECK_FAILED: _check,
    Code.CHECK_WARNING: _check,
    Code.CHECK_UNKNOWN: _check,
    Code.PDB_BLOCKS: _pdb_blocks,
    Code.PDBS_OVERLAP: _pdbs_overlap,
    Code.PDBS_MORE: _pdbs_more,
    Code.STANDALONE_PODS_STAY: _standalone_pods_stay,
    Code.STANDALONE_PODS_DELETED: _standalone_pods_deleted,
    Code.DOWNTIME: _downtime,
    Code.REPLICAS_DROP: _replicas_drop,
    Code.MIGRATION_LOST: _migration_lost,
    Code.NODES_UNVERIFIED: _nodes_unverified,
    Code.NODES_UNPROVEN: _nodes_unproven,
    Code.NODES_CONTRADICTED: _nodes_contradicted,
}
"""The templates of texts that name inputs."""
