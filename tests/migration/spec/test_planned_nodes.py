"""What would happen: entries, digest, batches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.api.models.cluster import Cluster, VirtualNodeGroup
from ocean_migration_pulumi.api.models.migration import Candidate
from ocean_migration_pulumi.common.text import count_noun, count_with_verb, list_some
from ocean_migration_pulumi.migration.spec import planned_nodes
from ocean_migration_pulumi.migration.spec.planned_nodes import UNKNOWN_GROUP, PlannedNode, parse_planned, plan_digest
from tests.migration.builders import candidate

group_ids = st.one_of(
    st.none(), st.sampled_from(["Default", UNKNOWN_GROUP]), st.from_regex(r"ols-[0-9a-f]{8}", fullmatch=True)
)
hostile = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["a -> b (ols-9)", "x (none)", "in owm-1", "(ols-1) in owm-2", "→", "a\nb", "\u2028", "-", " ", "a()"]
    ),
)
# AWS allows the printable ASCII characters but the colon in the name of an Auto Scaling Group.
legal_asgs = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":"), min_size=1, max_size=40
).filter(lambda name: name != "-")
legal_nodes = st.from_regex(r"[a-z0-9]([-.a-z0-9]{0,30}[a-z0-9])?", fullmatch=True)


@given(hostile, st.one_of(st.none(), hostile), group_ids, hostile, st.one_of(st.none(), st.just("owm-1")))
def test_entry_of_hostile_names_reads_back_as_the_same_entry(
    node: str, asg: str | None, group: str | None, name: str, migration: str | None
) -> None:
    """Whatever a name is, the entry is one line, and says of group and migration what it was made of."""
    planned = PlannedNode(
        instance_id="i-1",
        node_name=node,
        asg_name=asg,
        virtual_node_group_id=group,
        virtual_node_group_name=name,
        migration_id=migration,
    )
    read = PlannedNode.parse("i-1", planned.entry)
    assert planned.entry.isprintable() or not planned.entry.isascii()
    assert len(planned.entry.splitlines()) == 1
    assert (read.virtual_node_group_id, read.migration_id) == (group, migration)
    assert PlannedNode.parse("i-1", read.entry) == read


@given(legal_nodes, st.one_of(st.none(), legal_asgs))
def test_names_that_aws_and_kubernetes_allow_come_back_as_they_were(node: str, asg: str | None) -> None:
    """So that a changed selector is held against the true names."""
    planned = PlannedNode(instance_id="i-1", node_name=node, asg_name=asg, virtual_node_group_id="ols-1")
    read = PlannedNode.parse("i-1", planned.entry)
    assert (read.node_name, read.asg_name) == (node, asg)


def test_entry_shows_node_group_and_target() -> None:
    """The line of the pull request."""
    node = PlannedNode.from_candidate(candidate("i-1"), {"ols-1": "web-vng"})
    assert node.entry == "node-i-1 web -> web-vng (ols-1)"
    assert (
        PlannedNode.from_candidate(candidate("i-1", None, "Default"), {}).entry
        == "node-i-1 - -> any Virtual Node Group (Default)"
    )
    assert (
        PlannedNode.from_candidate(candidate("i-1", group=None), {}).entry
        == "node-i-1 web -> no Virtual Node Group (none)"
    )
    assert PlannedNode.from_candidate(candidate("i-1"), {}).entry == "node-i-1 web -> ols-1 (ols-1)"


def test_entry_of_unknown_form_still_stands_for_its_instance() -> None:
    """A later version's entry does not break this one."""
    assert PlannedNode.parse("i-1", "whatever") == PlannedNode(instance_id="i-1")


def entries(**groups: str | None) -> dict[str, str]:
    """Return a plan of nodes by the group that each matches."""
    return {name: PlannedNode.from_candidate(candidate(name, group=group), {}).entry for name, group in groups.items()}


def test_digest_is_of_instance_and_group_ids_alone() -> None:
    """Names may change; a node more, a node fewer, or another group is another plan."""
    plan_of_two = entries(a="ols-1", b=None)
    digest = plan_digest(plan_of_two)
    assert digest == plan_digest(dict(reversed(plan_of_two.items())))
    renamed = {"a": "other-node api -> renamed (ols-1)", "b": plan_of_two["b"]}
    assert plan_digest(renamed) == digest
    others = [
        entries(a="ols-1"),
        entries(a="ols-1", b=None, c=None),
        entries(a="ols-2", b=None),
        entries(a=None, b="ols-1"),
    ]
    assert len({digest, *map(plan_digest, others)}) == 5
    assert planned_nodes.shorten_digest(digest) == digest[:8]


def test_node_that_an_earlier_migration_took_is_not_in_the_digest() -> None:
    """Nobody has to approve what is done."""
    node = PlannedNode(instance_id="i-2", node_name="n", virtual_node_group_id=UNKNOWN_GROUP, migration_id="owm-1")
    planned = entries(a="ols-1") | {"i-2": node.entry}
    assert parse_planned(planned)["i-2"].migration_id == "owm-1"
    assert plan_digest(planned) == plan_digest(entries(a="ols-1"))


@pytest.mark.parametrize(
    ("nodes", "percentage", "size", "count"),
    [(16, 20, 4, 4), (16, 50, 8, 2), (1, 1, 1, 1), (3, 50, 2, 2), (1000, 1, 10, 100), (0, 20, 1, 0)],
)
def test_batches_are_a_percentage_rounded_up(nodes: int, percentage: int, size: int, count: int) -> None:
    """At least one node is in a batch."""
    assert (planned_nodes.batch_size(nodes, percentage), planned_nodes.batch_count(nodes, percentage)) == (size, count)


@pytest.mark.parametrize(
    ("amount", "noun", "text"),
    [(1, "node", "1 node"), (0, "node", "0 nodes"), (2, "batch", "2 batches"), (2, "entry", "2 entries")],
)
def test_amounts_are_written_as_one_says_them(amount: int, noun: str, text: str) -> None:
    """Singular and plural."""
    assert count_noun(amount, noun) == text


@pytest.mark.parametrize(
    ("amount", "verb", "text"),
    [(1, "remain", "1 node remains"), (2, "remain", "2 nodes remain"), (1, "match", "1 node matches")],
)
def test_verbs_go_with_their_amounts(amount: int, verb: str, text: str) -> None:
    """A message is a sentence."""
    assert count_with_verb(amount, "node", verb) == text


def test_long_lists_of_names_are_cut() -> None:
    """Five names are enough for a message."""
    assert list_some(["a", "b"]) == "a, b"
    assert list_some(iter("abcdefg")) == "a, b, c, d, e and 2 more"


def summary(*offered: str, planned: tuple[str, ...], active: tuple[str, ...] = (), pods: int | None = 6) -> str:
    """Return the line of a plan, without its digest."""
    found = {name: candidate(name, pods=pods) for name in offered}
    line = planned_nodes.summarize_plan(entries(**dict.fromkeys(planned, "ols-1")), found, active, 50)
    head, _, rest = line.partition(": ")
    assert head == f"plan {plan_digest(entries(**dict.fromkeys(planned, 'ols-1')))[:8]}"
    return rest


def test_summary_tells_nodes_pods_and_batches() -> None:
    """All that a reviewer needs in one line, whatever part of it is done already."""
    assert summary("a", "b", planned=("a", "b")) == "2 nodes, 12 pods, 2 batches of 1 node"
    assert summary("a", planned=("a", "b", "c")) == "3 nodes, 1 still to migrate, 6 pods, 1 batch of 1 node"
    assert summary("a", "x", planned=("a", "b"), active=("b", "y")) == (
        "2 nodes, 1 still to migrate, 6 pods, 1 batch of 1 node, 1 being migrated now"
    )
    assert summary(planned=("a",)) == "1 node, Ocean offers none of them any more"
    assert summary(planned=()) == "0 nodes"
    assert summary("a", planned=("a",), pods=None) == "1 node, 1 batch of 1 node"


def test_difference_names_both_digests_and_todays_nodes() -> None:
    """What was approved is known by its digest alone."""
    planned = entries(a="ols-1", b="ols-1") | {"c": "n - -> x (unknown) in owm-1"}
    text = planned_nodes.describe_difference(planned, "feedbeef")
    assert text == f"plan {plan_digest(planned)} (2 nodes: a, b) is not the approved plan feedbeef"


def planned(*candidates: Candidate) -> tuple[list[PlannedNode], dict[str, Candidate]]:
    """Return candidates as a plan has them, and as discovery offers them."""
    nodes = [PlannedNode.from_candidate(node, {"ols-1": "web-vng", "ols-2": "gpu-vng"}) for node in candidates]
    return nodes, {node.instance_id: node for node in candidates}


@pytest.mark.parametrize(
    ("group", "cluster", "fallback", "said"),
    [
        (None, 100.0, True, "spot (on demand when there is no spot)"),
        (None, 100.0, False, "spot (waits when there is no spot)"),
        (None, 100.0, None, "spot"),
        (30.0, 100.0, True, "30% spot, 70% on demand (on demand when there is no spot)"),
        (0.0, 100.0, True, "on demand"),
        (None, 0.0, None, "on demand"),
        (100.0, 0.0, None, "spot"),
        (12.5, None, None, "12.5% spot, 87.5% on demand"),
        (None, None, True, "share of spot not told"),
    ],
)
def test_destination_says_spot_or_on_demand(
    group: float | None, cluster: float | None, fallback: bool | None, said: str
) -> None:
    """The group's own share counts, else the cluster's; the fallback is the cluster's."""
    lines = planned_nodes.describe_destinations(
        *planned(candidate("i-1"), candidate("i-2", pods=1)),
        {"ols-1": VirtualNodeGroup(id="ols-1", name="web-vng", spot_percentage=group)},
        Cluster(id="o-1", spot_percentage=cluster, fallback_to_od=fallback),
    )
    assert lines == [f"to web-vng (ols-1): 2 nodes, 7 pods, {said}"]


def test_destinations_leave_out_what_is_not_known() -> None:
    """A node without a group goes nowhere, pods that were not told are no zero, a group may be gone."""
    lines = planned_nodes.describe_destinations(
        *planned(
            candidate("i-1", group=None),
            candidate("i-2", group=UNKNOWN_GROUP),
            candidate("i-3", pods=None),
            candidate("i-4", group="Default", pods=0),
        ),
        {},
        Cluster(id="o-1", spot_percentage=100.0),
    )
    assert lines == ["to any Virtual Node Group (Default): 1 node, 0 pods", "to web-vng (ols-1): 1 node"]


def test_many_destinations_end_with_a_count() -> None:
    """The largest first; the last line counts the rest and their nodes."""
    sizes = {f"ols-{number:02}": number for number in range(1, 14)}
    nodes = [candidate(f"i-{group}-{n}", group=group) for group, size in sizes.items() for n in range(size)]
    lines = planned_nodes.describe_destinations(*planned(*nodes), {}, Cluster(id="o-1"))
    assert len(lines) == 11
    assert [line.split(": ")[1].split(",")[0] for line in lines[:10]] == [f"{n} nodes" for n in range(13, 3, -1)]
    assert lines[10] == "to 3 other Virtual Node Groups: 6 nodes"


def test_hostile_group_name_stays_in_its_line() -> None:
    """A name is shown, and breaks nothing."""
    node = PlannedNode(
        instance_id="i-1",
        node_name="n",
        asg_name=None,
        virtual_node_group_id="ols-1",
        virtual_node_group_name="a\nwarning: b",
    )
    (line,) = planned_nodes.describe_destinations([node], {"i-1": candidate("i-1")}, {}, Cluster(id="o-1"))
    assert len(line.splitlines()) == 1


def offered(*pods: int | None) -> dict[str, Candidate]:
    """Return candidates with so many pods, in the order of their ids."""
    nodes = [candidate(f"i-{number:03}", pods=amount) for number, amount in enumerate(pods)]
    return {node.instance_id: node for node in nodes}


@pytest.mark.parametrize(
    ("pods", "percentage", "line"),
    [
        ((6, 6), 50, "2 of 1 node: 6 and 6 pods, if Ocean takes them in the order of ids"),
        ((5, 6, 7), 34, "2 of 2 nodes, the last of 1: 11 and 7 pods, if Ocean takes them in the order of ids"),
        ((5,), 20, "1 of 1 node: 5 pods"),
        ((5, None), 50, "2 of 1 node"),
        (tuple(range(1, 13)), 5, "12 of 1 node: 1 to 12 pods each, if Ocean takes them in the order of ids"),
    ],
)
def test_batches_are_told_in_one_line(pods: tuple[int | None, ...], percentage: int, line: str) -> None:
    """As far as discovery tells the pods; of many batches the range."""
    nodes = offered(*pods)
    assert planned_nodes.describe_batches(reversed(list(nodes)), nodes, percentage) == line


@given(st.sets(st.integers(0, 300), min_size=1), st.integers(1, 50))
def test_batches_hold_every_node_once_and_are_as_many_as_told(numbers: set[int], percentage: int) -> None:
    """What the summary counts is what the batches are."""
    ids = [f"i-{number:03}" for number in numbers]
    batches = planned_nodes.split_batches(ids, percentage)
    assert [name for batch in batches for name in batch] == sorted(ids)
    assert len(batches) == planned_nodes.batch_count(len(ids), percentage)
    assert {len(batch) for batch in batches[:-1]} <= {planned_nodes.batch_size(len(ids), percentage)}
    assert 0 < len(batches[-1]) <= planned_nodes.batch_size(len(ids), percentage)
