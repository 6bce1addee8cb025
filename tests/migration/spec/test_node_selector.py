"""Which nodes a selector takes."""

from __future__ import annotations

import random
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.api.models.migration import Candidate
from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.spec.node_selector import LabelMatches, NodeSelector, eks_node_group, select_nodes
from ocean_migration_pulumi.migration.spec.planned_nodes import UNKNOWN_VNG
from tests.migration.builders import candidate

EKS_ASG = "eks-blue-7cc6a7a2-1e5c-4b5e-9d6b-4a1f4fd3c1f2"

ids = st.sampled_from([f"i-{number}" for number in range(12)])
asgs = st.sampled_from(["web", "api", "batch", EKS_ASG, None])
vngs = st.sampled_from(["ols-1", "ols-2", "Default", None, UNKNOWN_VNG])
clusters = st.dictionaries(ids, st.tuples(asgs, vngs), max_size=12).map(
    lambda nodes: [candidate(name, asg, vng) for name, (asg, vng) in nodes.items()]
)
fields = st.fixed_dictionaries(
    {},
    optional={
        "instance_ids": st.lists(ids, min_size=1, max_size=6),
        "asg_names": st.lists(st.sampled_from(["web", "a*", "b?tch", "*"]), min_size=1, max_size=2),
        "virtual_node_groups": st.lists(st.sampled_from(["ols-1", "ols-2", "Default"]), min_size=1, max_size=2),
        "node_names": st.lists(ids.map("node-{}".format), min_size=1, max_size=6),
        "eks_node_groups": st.lists(st.sampled_from(["blue", "green"]), min_size=1, max_size=2),
        "label_selector": st.sampled_from(["gpu=true", "tier in (web, api),!old"]),
        "all_nodes": st.just(True),
    },
).filter(bool)
limits = st.one_of(st.integers(1, 12).map(str), st.integers(1, 100).map(lambda number: f"{number}%"))


@st.composite
def selectors(draw: st.DrawFn) -> NodeSelector:
    """Return a selector of any fields, with or without exclude and limit."""
    inputs: dict[str, Any] = draw(fields)
    if draw(st.booleans()):
        inputs = {**inputs, "exclude": draw(fields)}
    if draw(st.booleans()):
        inputs = {**inputs, "limit": draw(limits)}
    return NodeSelector.parse(inputs)


def taken(selector: NodeSelector, *nodes: Candidate, **more: Any) -> list[str]:
    """Return the ids that a selector takes."""
    return [node.instance_id for node in select_nodes(selector, nodes, **more).taken]


@given(selectors(), clusters, st.frozensets(ids, max_size=4), st.frozensets(ids, max_size=4), st.randoms())
def test_choice_does_not_depend_on_the_order_of_the_nodes(
    selector: NodeSelector, nodes: list[Candidate], kept: frozenset[str], moved: frozenset[str], order: random.Random
) -> None:
    """Discovery may list the nodes as it likes."""
    shuffled = list(nodes)
    order.shuffle(shuffled)
    assert select_nodes(selector, nodes, kept=kept, preferred=moved) == select_nodes(
        selector, shuffled, kept=kept, preferred=moved
    )


@given(selectors(), clusters)
def test_exclude_always_wins(selector: NodeSelector, nodes: list[Candidate]) -> None:
    """No node is taken that the exclude takes, or may take for all that is known."""
    for node in select_nodes(selector, nodes).taken:
        vng = node.virtual_node_group_id
        certain = vng != UNKNOWN_VNG
        assert selector.exclude is None or selector.exclude.matches(node, vng, certain_vng=certain) is False


@given(selectors(), clusters, st.frozensets(ids, max_size=4))
def test_limit_holds_and_counts_what_is_kept(
    selector: NodeSelector, nodes: list[Candidate], kept: frozenset[str]
) -> None:
    """Kept and taken nodes together are never more than the limit, unless more were kept already."""
    chosen = select_nodes(selector, nodes, kept=kept).taken
    assert not kept & {node.instance_id for node in chosen}
    if selector.limit is not None and not selector.limit.endswith("%"):
        assert not chosen or len(kept) + len(chosen) <= int(selector.limit)


@given(clusters, st.integers(1, 12), st.sets(st.integers(13, 40), max_size=8))
def test_nodes_that_join_do_not_move_a_limit_of_kept_nodes(nodes: list[Candidate], limit: int, new: set[int]) -> None:
    """Once planned, the same nodes stay within the limit however many join, whatever their ids."""
    selector = NodeSelector.parse({"all_nodes": True, "limit": str(limit)})
    planned = taken(selector, *nodes)
    joined = [candidate(f"h-{number}") for number in new]
    more = taken(selector, *nodes, *joined, kept=planned)
    assert len(planned) + len(more) == min(limit, len(nodes) + len(joined))


@given(selectors())
def test_selector_survives_its_way_through_the_state(selector: NodeSelector) -> None:
    """What is written as outputs reads as the same selector, which asks for nothing new."""
    again = NodeSelector.parse(selector.to_inputs())
    assert again == selector
    assert again.is_same_selection(selector)


@given(selectors(), clusters)
def test_labels_without_kubernetes_never_count_as_true(selector: NodeSelector, nodes: list[Candidate]) -> None:
    """A selector by labels takes nothing while nobody can tell the labels."""
    if selector.label_selector is not None:
        assert selector.label_selector in selector.label_selectors
        assert select_nodes(selector, nodes).taken == ()


@given(selectors(), clusters, st.data())
def test_labels_decide_as_kubernetes_does(selector: NodeSelector, nodes: list[Candidate], data: st.DataObject) -> None:
    """With its answer nothing stays undecided; a node that it does not know is neither taken nor let through."""
    ids = sorted({node.instance_id for node in nodes})
    some_ids = st.frozensets(st.sampled_from(ids)) if ids else st.just(frozenset[str]())
    knows = data.draw(some_ids)
    taken_by = {label_selector: data.draw(some_ids) & knows for label_selector in selector.label_selectors}
    label_matches = LabelMatches(knows=knows, taken=taken_by)
    chosen = select_nodes(selector, nodes, label_matches=label_matches)
    for node in chosen.taken:
        assert selector.label_selector is None or node.instance_id in taken_by[selector.label_selector]
        exclude = selector.exclude
        if exclude is not None and exclude.label_selector is not None and node.instance_id not in knows:
            # Only another field of the exclude may have let it through.
            assert exclude.matches(node, node.virtual_node_group_id) is False
    if knows >= set(ids) and not any(node.virtual_node_group_id == UNKNOWN_VNG for node in nodes):
        assert chosen.undecided == ()


def test_fields_must_all_hold_and_values_are_alternatives() -> None:
    """Two ids, one group: only the nodes of both."""
    selector = NodeSelector.parse({"instance_ids": ["i-1", "i-2"], "asg_names": ["web", "api"]})
    nodes = [candidate("i-1", "web"), candidate("i-2", "batch"), candidate("i-3", "api")]
    assert taken(selector, *nodes) == ["i-1"]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({"node_names": ["node-i-1"]}, ["i-1"]),
        ({"asg_names": ["w?b"]}, ["i-1"]),
        ({"asg_names": ["[!w]*"]}, ["i-2", "i-4"]),
        ({"asg_names": ["WEB"]}, []),
        ({"asg_names": ["*"]}, ["i-1", "i-2", "i-4"]),
        ({"asg_names": ["odd[1]"]}, ["i-4"]),
        ({"asg_names": ["odd[[]1]"]}, ["i-4"]),
        ({"all_nodes": True, "exclude": {"asg_names": ["odd[1]"]}}, ["i-1", "i-2", "i-3"]),
        ({"eks_node_groups": ["blue"]}, ["i-2"]),
        ({"virtual_node_groups": ["Default"]}, ["i-3"]),
        ({"virtual_node_groups": ["ols-1"]}, ["i-1", "i-2", "i-4"]),
        ({"all_nodes": True, "exclude": {"asg_names": ["web"]}}, ["i-2", "i-3", "i-4"]),
        ({"all_nodes": True, "exclude": {"all_nodes": True, "exclude": {"instance_ids": ["i-3"]}}}, ["i-3"]),
    ],
)
def test_each_field_selects(selector: dict[str, Any], expected: list[str]) -> None:
    """Each field looks at its own part of a node; globs keep case and match no node outside of a group."""
    nodes = [candidate("i-1", "web"), candidate("i-2", EKS_ASG), candidate("i-3", None, "Default")]
    nodes.append(candidate("i-4", "odd[1]"))
    assert taken(NodeSelector.parse(selector), *nodes) == expected


def test_node_whose_name_is_unknown_is_undecided_and_not_taken() -> None:
    """An empty name is neither the wanted one nor another one."""
    choice = select_nodes(NodeSelector.parse({"node_names": ["a"]}), [Candidate(instance_id="i-1")])
    assert (choice.taken, [node.instance_id for node in choice.undecided]) == ((), ["i-1"])


def test_kept_come_first_then_what_is_moved_then_the_smallest_ids() -> None:
    """A limit does not start new nodes while those that are being moved fill it."""
    selector = NodeSelector.parse({"all_nodes": True, "limit": "3"})
    nodes = [candidate(f"i-{number}") for number in range(1, 8)]
    assert taken(selector, *nodes, kept=["i-7"], preferred=["i-6"]) == ["i-6", "i-1"]
    assert taken(selector, *nodes, kept=["i-5", "i-6", "i-7", "i-8"]) == []


def test_percentage_is_of_kept_and_matching_nodes_after_exclude_rounded_up() -> None:
    """Half of one kept and four matching nodes is three."""
    selector = NodeSelector.parse({"all_nodes": True, "limit": "50%", "exclude": {"asg_names": ["api"]}})
    nodes = [candidate(f"i-{number}") for number in range(1, 5)] + [candidate(f"x-{n}", "api") for n in range(9)]
    assert taken(selector, *nodes, kept=["i-9"]) == ["i-1", "i-2"]
    assert NodeSelector.parse({"all_nodes": True, "limit": "1%"}).limit_of(1) == 1


@pytest.mark.parametrize(
    "limit", ["0", "150%", "0%", "", "-1", "5.5", " 5", "50 %", 0, -1, 5.5, inf, nan, True], ids=repr
)
def test_bad_limit_is_refused_with_what_is_allowed(limit: Any) -> None:
    """A limit is at least one node, or 1 to 100 percent."""
    with pytest.raises(InputError, match="must be a number of nodes") as caught:
        NodeSelector.parse({"all_nodes": True, "limit": limit})
    assert caught.value.property_name == "nodes.limit"


def test_limit_is_compared_as_a_number() -> None:
    """Leading zeros are no change, nor is a number instead of a text."""
    for same in (7, 7.0):
        assert NodeSelector.parse({"all_nodes": True, "limit": same}).limit == "7"
    assert NodeSelector.parse({"all_nodes": True, "limit": "007"}) == NodeSelector.parse(
        {"all_nodes": True, "limit": "7"}
    )


@pytest.mark.parametrize(
    "nodes", [{}, {"limit": "5"}, {"exclude": {"asg_names": ["a"]}}, {"all_nodes": False}, {"instance_ids": []}]
)
def test_empty_selector_is_refused(nodes: dict[str, Any]) -> None:
    """Migrating everything must be said."""
    with pytest.raises(InputError, match=r"no nodes selected.*all_nodes") as caught:
        NodeSelector.parse(nodes)
    assert caught.value.property_name == "nodes"


def test_empty_list_beside_other_fields_does_not_widen_the_choice() -> None:
    """A list that came out empty must not mean all nodes that the other fields take."""
    with pytest.raises(InputError, match="must not be empty") as caught:
        NodeSelector.parse({"asg_names": ["web"], "instance_ids": []})
    assert caught.value.property_name == "nodes.instance_ids"


@pytest.mark.parametrize(
    ("nodes", "name"),
    [
        ({"ids": ["i-1"]}, "nodes.ids"),
        ("web", "nodes"),
        ({"instance_ids": "i-1"}, "nodes.instance_ids"),
        ({"all_nodes": "yes"}, "nodes.all_nodes"),
        ({"label_selector": ""}, "nodes.label_selector"),
        ({"all_nodes": True, "exclude": "web"}, "nodes.exclude"),
        ({"all_nodes": True, "exclude": {"asg_names": [1]}}, "nodes.exclude.asg_names[0]"),
        ({"all_nodes": True, "exclude": {"asg_names": ["a"], "limit": "5"}}, "nodes.exclude.limit"),
        ({"all_nodes": True, "exclude": {"all_nodes": False}}, "nodes.exclude"),
    ],
)
def test_bad_part_of_a_selector_is_named(nodes: Any, name: str) -> None:
    """The property is named down to the field."""
    with pytest.raises(InputError) as caught:
        NodeSelector.parse(nodes)
    assert caught.value.property_name == name


@pytest.mark.parametrize("exclude", [None, {}, {"instance_ids": []}, {"instance_ids": None}], ids=repr)
def test_exclude_without_any_field_excludes_nothing(exclude: Any) -> None:
    """An earlier wave that has no node leaves all to the later one."""
    assert NodeSelector.parse({"all_nodes": True, "exclude": exclude}).exclude is None


def selecting(**exclude: Any) -> NodeSelector:
    """Return a selector of all nodes but those given."""
    return NodeSelector.parse({"all_nodes": True, "exclude": exclude})


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ({}, {"instance_ids": ["i-1"]}, True),
        ({"instance_ids": ["i-1"]}, {"instance_ids": ["i-2", "i-1"]}, True),
        ({"instance_ids": ["i-1"]}, {"instance_ids": ["i-2"]}, False),
        ({"instance_ids": ["i-1"]}, {}, False),
        ({"instance_ids": ["i-1"], "asg_names": ["a"]}, {"instance_ids": ["i-1", "i-2"], "asg_names": ["a"]}, True),
        ({"instance_ids": ["i-1"]}, {"instance_ids": ["i-1", "i-2"], "asg_names": ["a"]}, False),
        ({"asg_names": ["a"]}, {"asg_names": ["a"], "instance_ids": ["i-1"]}, False),
    ],
)
def test_exclude_that_only_gained_ids_is_no_other_wish(old: dict[str, Any], new: dict[str, Any], same: bool) -> None:
    """Ids of an earlier wave may come into the exclude; anything else that changes is another selection."""
    assert selecting(**new).is_same_selection(selecting(**old)) is same


def test_gained_ids_do_not_hide_another_change() -> None:
    """The rest of the selector has to be the same."""
    old = NodeSelector.parse({"asg_names": ["web"]})
    new = NodeSelector.parse({"asg_names": ["api"], "exclude": {"instance_ids": ["i-1"]}})
    assert not new.is_same_selection(old)


def test_contradiction_is_by_id_name_and_group_alone() -> None:
    """What cannot be known of a planned node does not rule it out."""
    node = candidate("i-1", "web", None)
    assert NodeSelector.parse({"instance_ids": ["i-2"]}).contradicts(node)
    assert NodeSelector.parse({"node_names": ["other"]}).contradicts(node)
    assert NodeSelector.parse({"asg_names": ["api"]}).contradicts(node)
    assert selecting(asg_names=["web"]).contradicts(node)
    assert not NodeSelector.parse({"virtual_node_groups": ["ols-9"]}).contradicts(node)
    assert not NodeSelector.parse({"label_selector": "a=b"}).contradicts(node)
    assert not selecting(virtual_node_groups=["ols-1"]).contradicts(node)


@pytest.mark.parametrize(
    ("asg_name", "group"),
    [(EKS_ASG, "blue"), (EKS_ASG.replace("blue", "a-b-c"), "a-b-c"), ("eks-blue", None), ("blue", None), (None, None)],
)
def test_node_group_is_read_from_the_name_that_eks_gives(asg_name: str | None, group: str | None) -> None:
    """EKS puts the group between its prefix and a UUID."""
    assert eks_node_group(asg_name) == group
