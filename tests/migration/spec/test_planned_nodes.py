"""What would happen: entries, their hash, batches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.common.text import count_noun, count_with_verb, list_some
from ocean_migration_pulumi.migration.spec import planned_nodes
from ocean_migration_pulumi.migration.spec.planned_nodes import UNKNOWN_VNG, PlannedNode, hash_nodes, parse_planned
from tests.migration.builders import candidate

group_ids = st.one_of(
    st.none(), st.sampled_from(["Default", UNKNOWN_VNG]), st.from_regex(r"ols-[0-9a-f]{8}", fullmatch=True)
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
    node: str, asg: str | None, vng: str | None, name: str, migration: str | None
) -> None:
    """Whatever a name is, the entry is one line, and says of VNG and migration what it was made of."""
    planned = PlannedNode(
        instance_id="i-1",
        node_name=node,
        asg_name=asg,
        virtual_node_group_id=vng,
        virtual_node_group_name=name,
        migration_id=migration,
    )
    read = PlannedNode.parse("i-1", planned.entry)
    assert planned.entry.isprintable() or not planned.entry.isascii()
    assert len(planned.entry.splitlines()) == 1
    assert (read.virtual_node_group_id, read.migration_id) == (vng, migration)
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
        PlannedNode.from_candidate(candidate("i-1", vng=None), {}).entry
        == "node-i-1 web -> no Virtual Node Group (none)"
    )
    assert PlannedNode.from_candidate(candidate("i-1"), {}).entry == "node-i-1 web -> ols-1 (ols-1)"


def test_entry_of_unknown_form_still_stands_for_its_instance() -> None:
    """A later version's entry does not break this one."""
    assert PlannedNode.parse("i-1", "whatever") == PlannedNode(instance_id="i-1")


def entries(**vngs: str | None) -> dict[str, str]:
    """Return a plan of nodes by the VNG that each matches."""
    return {name: PlannedNode.from_candidate(candidate(name, vng=vng), {}).entry for name, vng in vngs.items()}


def test_hash_is_of_instance_and_group_ids_alone() -> None:
    """Names may change; a node more, a node fewer, or another VNG is another plan."""
    plan_of_two = entries(a="ols-1", b=None)
    digest = hash_nodes(plan_of_two)
    assert digest == hash_nodes(dict(reversed(plan_of_two.items())))
    renamed = {"a": "other-node api -> renamed (ols-1)", "b": plan_of_two["b"]}
    assert hash_nodes(renamed) == digest
    others = [
        entries(a="ols-1"),
        entries(a="ols-1", b=None, c=None),
        entries(a="ols-2", b=None),
        entries(a=None, b="ols-1"),
    ]
    assert len({digest, *map(hash_nodes, others)}) == 5


def test_node_that_an_earlier_migration_took_is_not_in_the_hash() -> None:
    """Nobody has to approve what is done."""
    node = PlannedNode(instance_id="i-2", node_name="n", virtual_node_group_id=UNKNOWN_VNG, migration_id="owm-1")
    planned = entries(a="ols-1") | {"i-2": node.entry}
    assert parse_planned(planned)["i-2"].migration_id == "owm-1"
    assert hash_nodes(planned) == hash_nodes(entries(a="ols-1"))


def test_another_virtual_node_group_changes_nothing_of_a_node_that_is_done() -> None:
    """It does of one that still has to be started."""
    held = PlannedNode(instance_id="i-1", node_name="n", virtual_node_group_id=UNKNOWN_VNG).entry
    old, new = {"i-1": held} | entries(a="ols-1"), entries(**{"i-1": "ols-1", "a": "ols-1"})
    assert planned_nodes.is_same_plan(new, old, {"i-1"})
    assert not planned_nodes.is_same_plan(new, old, {"a"})
    assert planned_nodes.is_same_plan(entries(a="ols-2"), entries(a="ols-1"), {"a"})
    assert not planned_nodes.is_same_plan(entries(a="ols-2"), entries(a="ols-1"), {"b"})
    assert not planned_nodes.is_same_plan(new, entries(a="ols-1"), {"i-1"})
    assert not planned_nodes.is_same_plan(None, old, {"i-1"})
    assert planned_nodes.is_same_plan(None, None, set())


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


@given(st.sets(st.integers(0, 300), min_size=1), st.integers(1, 50))
def test_batches_hold_every_node_once_and_are_as_many_as_told(numbers: set[int], percentage: int) -> None:
    """What the summary counts is what the batches are."""
    ids = [f"i-{number:03}" for number in numbers]
    batches = planned_nodes.split_batches(ids, percentage)
    assert [name for batch in batches for name in batch] == sorted(ids)
    assert len(batches) == planned_nodes.batch_count(len(ids), percentage)
    assert {len(batch) for batch in batches[:-1]} <= {planned_nodes.batch_size(len(ids), percentage)}
    assert 0 < len(batches[-1]) <= planned_nodes.batch_size(len(ids), percentage)
