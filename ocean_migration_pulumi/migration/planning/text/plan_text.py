"""The text of a plan: its nodes, batches and destinations, and whether it is approved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ocean_migration_pulumi.api.models.migration import DEFAULT_VIRTUAL_NODE_GROUP
from ocean_migration_pulumi.api.settings import NO_ACCOUNT
from ocean_migration_pulumi.common.text import all_of, count_noun, count_with_verb, list_some
from ocean_migration_pulumi.migration.planning.text.sentences import join_sentences
from ocean_migration_pulumi.migration.planning.text.templates import (
    MOST_NODES,
    SOURCE,
    Fields,
    NamingTemplate,
    Template,
)
from ocean_migration_pulumi.migration.spec.approval import shorten_digest
from ocean_migration_pulumi.migration.spec.diagnostic import Code, UnplannedCause, UnplannedEffect
from ocean_migration_pulumi.migration.spec.input_readers import SHORTEST_DIGEST
from ocean_migration_pulumi.migration.spec.vocabulary import Vocabulary

_MOST_BATCHES: Final = 10
_FORGOTTEN: Final[Mapping[str, str]] = {
    "label_selector": "labels",
    "virtual_node_groups": "matching Virtual Node Group",
    "node_names": "name",
}


_UNTOLD: Final = "planned nodes, triggers or stop_when (their approved values are not known)"


def _plan_summary(_: str, fields: Fields) -> str:
    digest, nodes, waiting, active = (fields[name] for name in ("digest", "nodes", "waiting", "active"))
    is_moved = fields.get("moved") == nodes  # of an empty plan, too: neither has a digest
    plan = shorten_digest(digest) or "with values not known yet"
    if nodes and not waiting and not active:
        count = count_noun(nodes, "planned node")
        if is_moved:
            return f"Nothing to do: {count}, migrated earlier"
        if fields.get("migrated") == nodes:
            moved = f"{all_of(nodes, 'planned nodes')} have" if nodes > 1 else "the planned node has"
            return f"Nothing to do: {moved} been migrated (plan {plan})"
        return f"Nothing to do: {count}, no longer {'a candidate' if nodes == 1 else 'candidates'} (plan {plan})"
    parts = [f"{'Plan' if is_moved else f'Plan {plan}'}: {count_noun(nodes, 'node')}"]
    if waiting not in {0, nodes}:
        parts.append(f"{waiting} still to migrate")
    if fields["pods"] is not None:
        parts.append(count_noun(fields["pods"], "pod"))
    if active:
        parts.append(f"{active} being migrated now")
    return ", ".join(parts)


def _plan_not_approved(_: str, fields: Fields, vocabulary: Vocabulary) -> str:
    approval = vocabulary.write_approval(fields["digest"], replaces=fields["approved"] is not None)
    approve = f"Review the plan, then {approval} to approve it"
    nodes = f"{count_noun(len(fields['nodes']), 'node')}: {list_some(fields['nodes'])}"
    if fields["approved"] is None:
        what = f"Plan {fields['digest']} ({nodes}) is not approved, and an approval is required: nothing will start"
        return join_sentences([what, approve])
    return join_sentences(
        [
            f"Plan {fields['digest']} ({nodes}) is not the approved plan {fields['approved']}: nothing will start",
            f"Changed since the approval: {describe_changes(fields['changes'])}",
            approve,
        ]
    )


def describe_changes(changes: Sequence[Fields]) -> str:
    """Return what changed since a plan was approved, such as "terminate drained nodes: off -> on".

    Args:
        changes: What the digest shows; empty if no known values of the inputs have the approved digest.
    """
    return ", ".join(_change(each) for each in changes) or _UNTOLD


def _change(change: Fields) -> str:
    name, approved, now = change["name"].removeprefix("should_").replace("_", " "), change["approved"], change["now"]
    shown = _value(approved), _value(now)
    # The text of checks leaves out the query of a URL and what a response must contain.
    if approved is None or shown[0] == shown[1]:
        return f"{name}: changed"
    return f"{name}: {shown[0]} -> {shown[1]}"


def _value(value: Any) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def _approval_outdated(_: str, fields: Fields, vocabulary: Vocabulary) -> str:
    approved = fields["approved"]
    what = "is too short" if len(approved) < SHORTEST_DIGEST else "is from version 0.1 and covers only the nodes"
    approve = vocabulary.write_approval(fields["digest"], replaces=True)
    return f"Approved digest {approved} {what}, so it starts nothing new. Review the plan, then {approve} to approve it"


def describe_cause(fields: Fields, vocabulary: Vocabulary) -> str:
    """Return why there is no plan, as a part of a sentence."""
    detail: str = fields["detail"]
    labels = vocabulary.name("label_selector")
    # Records of earlier versions have the text in ``detail``.
    why = fields.get("reason") or detail or "Kubernetes has no nodes"
    return {
        UnplannedCause.NO_ACCOUNT: NO_ACCOUNT,
        UnplannedCause.NO_LABELS: f"cannot evaluate {labels}: {why}",
        UnplannedCause.SPOT_UNAVAILABLE: f"cannot read the cluster from Spot: {detail}",
        UnplannedCause.CONTROLLER_NEVER_REPORTED: f"the Ocean Controller of {detail} has never reported",
    }[UnplannedCause(fields["cause"])]


def _unplanned(_: str, fields: Fields, vocabulary: Vocabulary) -> str:
    effect = {
        UnplannedEffect.PLANNED_BY_UP: "`pulumi up` plans the nodes when it runs",
        UnplannedEffect.OUTPUT_STAYS: "The plan in the output planned_nodes stays",
        UnplannedEffect.PLAN_STAYS: "The planned nodes stay as they are",
    }[UnplannedEffect(fields["effect"])]
    return join_sentences([describe_cause(fields, vocabulary), effect])


def _destination(vng_id: str, fields: Fields) -> str:
    pods = "" if fields["pods"] is None else f" ({count_noun(fields['pods'], 'pod')})"
    default = vng_id == DEFAULT_VIRTUAL_NODE_GROUP
    name = "the Virtual Node Group that Ocean chooses" if default else fields["name"]
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


def _starts_frozen(_: str, fields: Fields) -> str:
    if fields["until"] is None:
        return "No migration starts: freeze allows no start from now on. Change freeze"
    return f"No migration starts before {fields['until']} (freeze)"


def _nodes_stay(_: str, fields: Fields) -> str:
    one = fields["nodes"] == 1
    stays = count_with_verb(fields["nodes"], "node", "stay")
    text = f"{stays} running (cordoned) after the migration and keep{'s' if one else ''} costing money"
    if "usd_per_hour" not in fields:
        return text
    return f"{text}: {_describe_price(fields, fields['nodes'])}"


def _describe_price(fields: Fields, count: int) -> str:
    some = "" if fields["priced"] in {None, count} else f" for {fields['priced']} of them"
    return f"{fields['usd_per_hour']:.2f} USD per hour{some}, at On-Demand prices"


def _nodes_drained(_: str, fields: Fields) -> str:
    count, since = len(fields["nodes"]), fields["since"]
    one = count == 1
    price = f": {_describe_price(fields, count)}" if "usd_per_hour" in fields else ""
    if fields["seen"]:
        when = f"since {since}" if since else "since an unknown time"
        stays = count_with_verb(count, "drained node", "stay")
        return f"{stays} running (cordoned) {when} and keep{'s' if one else ''} costing money{price}"
    drained = f"drained {since}" if since else "drained at an unknown time"
    was, it, costs, does = ("was", "it", "costs", "does") if one else ("were", "they", "cost", "do")
    return (
        f"{count_noun(count, 'drained node')} {was} not terminated ({drained}) and {costs} money while {it} run"
        f"{'s' if one else ''}{price}. Whether {it} still {does} is unknown without Kubernetes"
    )


def _nodes_outside_plan(_: str, fields: Fields) -> str:
    count = count_noun(fields["nodes"], "other node")
    stays = "stays" if fields["nodes"] == 1 else "stay"
    waves = list_some(
        wave["name"] if wave["nodes"] is None else f"{wave['nodes']} of {wave['name']}"
        for wave in fields.get("waves", ())
    )
    included = f" (including later waves: {waves})" if waves else ""
    return (
        f"{count}{included} {stays} schedulable: evicted pods may land there and be moved again later. "
        "One migration of all nodes in small batches cordons all of them at the start"
    )


def _pattern_unmatched(pattern: str, fields: Fields, vocabulary: Vocabulary) -> str:
    nearest = f"Did you mean `{fields['nearest']}`?" if fields["nearest"] else ""
    return join_sentences([f"No node matches `{pattern}` of {vocabulary.name(fields['field'])}", nearest])


def _nodes_undecided(_: str, fields: Fields, vocabulary: Vocabulary) -> str:
    nodes = fields["nodes"]
    count = count_noun(len(nodes), "node")
    them, their = ("it", "its") if len(nodes) == 1 else ("them", "their")
    if migrations := fields.get("migrations"):
        forgotten = " and ".join(_FORGOTTEN[name] for name in fields["unknown"])
        inputs = " and ".join(map(vocabulary.name, fields["unknown"]))
        return (
            f"{count} not planned: {list_some(migrations)} held {them}, and {their} {forgotten} can no longer be "
            f"compared with {inputs} ({list_some(nodes)})"
        )
    return f"{count} not planned: not enough is known about {them} to evaluate the selector ({list_some(nodes)})"


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


def _vng_suggestion(_: str, fields: Fields) -> str:
    names = fields["asg_names"]
    where = f" of {list_some(names, MOST_NODES)}" if names else ""
    return f"Virtual Node Group for {count_noun(fields['nodes'], 'node')}{where}, ready to paste:\n{fields[SOURCE]}"


TEMPLATES: Final[Mapping[str, Template]] = {
    Code.PLAN_SUMMARY: _plan_summary,
    Code.PLAN_EMPTY: "No node matches: nothing will be migrated",
    Code.PLAN_KEPT_BY_RUN: "The run that created this resource made the plan: see its planned_nodes",
    Code.DESTINATION: _destination,
    Code.DESTINATIONS_MORE: lambda _, fields: (
        f"{count_noun(fields['nodes'], 'node')} to {count_noun(fields['groups'], 'other Virtual Node Group')}"
    ),
    Code.BATCHES: _batches,
    Code.STARTS_FROZEN: _starts_frozen,
    Code.NODES_STAY: _nodes_stay,
    Code.NODES_DRAINED: _nodes_drained,
    Code.NODES_OUTSIDE_PLAN: _nodes_outside_plan,
    Code.NODES_SKIPPED: _nodes_skipped,
    Code.NODES_EXCLUDED: _nodes_excluded,
    Code.ASG_MAY_REPLACE: _asg_may_replace,
    Code.ASG_REPLACES: "Auto Scaling Group {subject} replaces terminated nodes. Lower its desired capacity",
    Code.VNG_SUGGESTION: _vng_suggestion,
}

NAMING_TEMPLATES: Final[Mapping[str, NamingTemplate]] = {
    Code.PLAN_NOT_APPROVED: _plan_not_approved,
    Code.APPROVAL_OUTDATED: _approval_outdated,
    Code.UNPLANNED: _unplanned,
    Code.PATTERN_UNMATCHED: _pattern_unmatched,
    Code.NODES_UNDECIDED: _nodes_undecided,
    Code.NODES_NEW: _nodes_new,
}
