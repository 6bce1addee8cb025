"""A selector that matches nothing: an error, unless a wave or a migration excuses it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import KubernetesNode, KubernetesSnapshot
from ocean_migration_pulumi.migration.spec.diagnostic import Code
from ocean_migration_pulumi.migration.spec.node_selector import NodeSelector
from tests.migration.diagnostics import codes_of, with_code
from tests.migration.known import KnownKubernetes, workloads_of
from tests.migration.stage import Stage


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ({"asg_names": ["wbe"]}, "did you mean `web` instead of `wbe`? Auto Scaling Groups"),
        ({"asg_names": ["wbe*"]}, "did you mean `web*` instead of `wbe*`?"),
        (
            {"asg_names": ["quite-different"]},
            "no node matches; Auto Scaling Groups of the candidates: api, ",
        ),
        ({"asg_names": ["web"], "eks_node_groups": ["nope"]}, "; EKS node groups of the candidates: worker"),
        ({"virtual_node_groups": ["ols-ffffffff"]}, "Virtual Node Groups of the candidates: "),
        ({"eks_node_groups": ["workers"]}, "EKS node groups of the candidates: worker"),
        ({"eks_node_groups": ["workers"]}, "did you mean `worker` instead of `workers`?"),
        ({"node_names": ["ip-10-0-0-*"]}, "; node_names takes names, not patterns such as `ip-10-0-0-*`;"),
        (
            {"all_nodes": True, "exclude": {"asg_names": ["*"]}},
            "; exclude removes all 7 matching nodes",
        ),
        ({"asg_names": ["eks-*"], "exclude": {"asg_names": ["eks-*"]}}, "; exclude removes the only matching node;"),
        (
            {"asg_names": ["web"], "eks_node_groups": ["worker"]},
            "; no candidate matches all of asg_names, eks_node_groups at once;",
        ),
        ({"label_selector": "team=none"}, "no node matches; no candidate has the labels `team=none`"),
        ({"asg_names": ["WEB"]}, "did you mean `web` instead of `WEB`?"),
        ({"asg_names": ["w?bb"]}, "did you mean `web` instead of `w?bb`?"),
        ({"node_names": ["ip-10-0-0-3"]}, "did you mean `ip-10-0-0-3.us-west-2.compute.internal` instead of"),
        ({"virtual_node_groups": ["Web"]}, "did you mean `{web}` instead of `Web`?"),
    ],
)
def test_the_refusal_names_what_exists(stage: Stage, nodes: dict[str, list[str]], said: str) -> None:
    """And the nearest match, where one is near: only Auto Scaling Groups are selected by patterns."""
    stage.control.add_node(stage.ocean_id, "eks-worker-12345678-1234-1234-1234-123456789012")
    there = [node["instance_id"] for node in stage.control.nodes(stage.ocean_id)]
    stage.sources = KnownKubernetes(workloads_of(there), taken={"team=none": []}).sources()
    (problem,) = stage.preview(stage.spec(nodes=nodes)).problems
    group = next(vng.id for vng in stage.client.list_virtual_node_groups(stage.ocean_id) if vng.name == "web")
    said = said.format(web=group)
    selecting = [name for name in nodes if name != "exclude"]
    assert problem.property_name == (f"nodes.{selecting[0]}" if len(selecting) == 1 else "nodes")
    assert said in problem.message


@pytest.mark.parametrize(
    ("label_selector", "said"),
    [
        ("tier=wbe", "did you mean `web` instead of `wbe`? values of `tier`: api, web"),
        ("tier in (nope, none)", "; values of `tier`: api, web;"),
        ("teir", "no candidate has the labels `teir`; did you mean `tier` instead of `teir`?;"),
        ("tier=web,zone in (a,b)", "; no candidate has the label `zone`;"),
        ("tier==web,tier!=web,!tier", "has the labels `tier==web,tier!=web,!tier`;"),
    ],
)
def test_the_refusal_of_labels_names_those_that_exist(stage: Stage, label_selector: str, said: str) -> None:
    """The nearest label, the nearest value, and the values of a label."""
    tiers = {name: {"tier": "web" if name in stage.ids("web") else "api"} for name in stage.ids()}
    nodes = {name: KubernetesNode(name=f"node-{name}", instance_id=name, labels=tiers[name]) for name in tiers}
    sources = KnownKubernetes(KubernetesSnapshot(nodes=nodes), taken={label_selector: []}).sources()
    stage.sources = sources
    (problem,) = stage.preview(stage.spec(nodes={"label_selector": label_selector})).problems
    assert said in f"{problem.message};"


def test_an_instance_id_with_a_slip_gets_the_nearest(stage: Stage) -> None:
    """Ids are random, so that another one is never near."""
    (known,) = stage.ids("web")[:1]
    for wrong in (known.upper(), f"{known[:-1]}x", known[:-1]):
        (problem,) = stage.preview(stage.spec(nodes={"instance_ids": [wrong]})).problems
        assert problem.message.endswith(f"it is not a node of this cluster; did you mean `{known}`?")
    (problem,) = stage.preview(stage.spec(nodes={"instance_ids": ["i-0123456789abcdef0"]})).problems
    assert problem.message.endswith("list the candidates with `ocean-migration candidates`")


def test_a_changed_selection_that_matches_nothing_is_an_error(stage: Stage) -> None:
    """The old plan is not that of the new selection."""
    old = stage.planned(stage.spec(nodes={"asg_names": ["web"]}))
    assert stage.preview(stage.spec(nodes={"asg_names": ["wbe"]}), old).problems


def test_earlier_waves_excuse_an_empty_one(stage: Stage) -> None:
    """In the preview, where the nodes are candidates, and in the run, where they have moved."""
    spec = stage.spec(nodes={"asg_names": ["web"]})
    later = replace(spec, planned_elsewhere=tuple(stage.ids("web")))
    assert stage.preview(later, owner="later").planned == {}
    stage.up(stage.planned(spec))
    stage.restart()
    found = stage.preview(later, owner="later")
    assert (found.planned, found.problems) == ({}, ())
    assert Code.PLAN_EMPTY in codes_of(found)


def test_a_finished_migration_of_any_age_excuses(stage: Stage) -> None:
    """A stack may have lost its state; the typo of another name is none of its nodes."""
    spec = stage.spec(nodes={"asg_names": ["web"]})
    stage.up(stage.planned(spec))
    stage.control.advance(40 * 86_400)
    stage.control.heartbeat(stage.ocean_id)
    stage.restart()
    assert stage.preview(spec).problems == ()
    assert stage.preview(stage.spec(nodes={"asg_names": ["wbe"]})).problems


def finish_web(stage: Stage) -> list[str]:
    """Migrate the nodes of `web` and forget the state; return their ids."""
    web = stage.ids("web")
    stage.up(stage.planned(stage.spec(nodes={"asg_names": ["web"]})))
    stage.restart()
    return web


@pytest.mark.parametrize("age", [0, 40 * 86_400])
def test_a_name_that_can_be_checked_is_not_excused(stage: Stage, age: float) -> None:
    """A Virtual Node Group that does not exist has matched no node that moved, however long ago."""
    finish_web(stage)
    stage.control.advance(age)
    stage.control.heartbeat(stage.ocean_id)
    for nodes in (
        {"virtual_node_groups": ["ols-nope"]},
        {"asg_names": ["wbe"]},
        {"eks_node_groups": ["web"]},
        {"node_names": ["nope"]},
        {"instance_ids": ["i-00000000000000000"]},
    ):
        assert stage.preview(stage.spec(nodes=nodes)).problems, nodes


def test_an_earlier_wave_excuses_no_group_that_does_not_exist(stage: Stage) -> None:
    """Nor a label that Kubernetes says its nodes do not have."""
    web = stage.ids("web")
    spec = replace(stage.spec(nodes={"virtual_node_groups": ["ols-nope"]}), planned_elsewhere=tuple(web))
    assert stage.preview(spec).problems
    everywhere = [node["instance_id"] for node in stage.control.nodes(stage.ocean_id)]
    stage.sources = KnownKubernetes(workloads_of(everywhere), taken={"tier=nope": [], "tier=web": web}).sources()
    labelled = replace(spec, nodes=NodeSelector.parse({"label_selector": "tier=nope"}))
    assert stage.preview(labelled).problems
    assert stage.preview(replace(spec, nodes=NodeSelector.parse({"label_selector": "tier=web"}))).planned == {}


@pytest.mark.parametrize("age", [0, 40 * 86_400])
@pytest.mark.parametrize("is_known", [True, False])
def test_labels_of_moved_nodes_excuse_only_where_they_are_not_known(stage: Stage, age: float, is_known: bool) -> None:
    """The warning says which migration held the nodes, and what is no longer known of them."""
    web = finish_web(stage)
    stage.control.advance(age)
    stage.control.heartbeat(stage.ocean_id)
    there = [node["instance_id"] for node in stage.control.nodes(stage.ocean_id)]
    labelled = [name for name in there if is_known or name not in web]
    stage.sources = KnownKubernetes(workloads_of(labelled), taken={"tier=nope": []}).sources()
    found = stage.preview(stage.spec(nodes={"label_selector": "tier=nope"}))
    if is_known:
        assert "no candidate has the labels `tier=nope`" in found.problems[0].message
        return
    assert (found.planned, found.problems) == ({}, ())
    (warning,) = with_code(found, Code.NODES_UNDECIDED)
    migration_ids = [migration["id"] for migration in stage.migrations()]
    assert warning.fields == {"nodes": web, "migrations": migration_ids, "unknown": ["label_selector"]}


def test_the_groups_of_moved_nodes_are_not_known(stage: Stage) -> None:
    """A group that exists may have matched them."""
    finish_web(stage)
    matched = {node.virtual_node_group_id for node in stage.client.discover(stage.ocean_id)}
    other, *_ = [group.id for group in stage.client.list_virtual_node_groups(stage.ocean_id) if group.id not in matched]
    found = stage.preview(stage.spec(nodes={"virtual_node_groups": [other]}))
    (warning,) = with_code(found, Code.NODES_UNDECIDED)
    assert warning.fields["unknown"] == ["virtual_node_groups"]


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ({"asg_names": ["wbe"]}, "did you mean `web` instead of `wbe`?"),
        ({"eks_node_groups": ["nope"]}, "no node matches; no candidate is in an EKS node group"),
    ],
)
def test_the_refusal_knows_the_names_of_moved_nodes(stage: Stage, nodes: dict[str, list[str]], said: str) -> None:
    """And says what there is none of."""
    finish_web(stage)
    (problem,) = stage.preview(stage.spec(nodes=nodes)).problems
    assert said in problem.message


def test_one_pattern_of_several_without_a_match_is_a_warning(stage: Stage) -> None:
    """With the nearest match; not for a plan that is kept."""
    spec = stage.spec(nodes={"asg_names": ["web", "ap?x*"]})
    found = stage.preview(spec)
    (warning,) = with_code(found, Code.PATTERN_UNMATCHED)
    assert (warning.subject, warning.fields["field"]) == ("ap?x*", "asg_names")
    kept = replace(spec, planned_nodes=found.planned)
    assert Code.PATTERN_UNMATCHED not in codes_of(stage.preview(kept, kept))


@pytest.mark.parametrize("nodes", [{"asg_names": ["wbe"]}, {"instance_ids": ["i-00000000000000000"]}])
def test_only_kubernetes_proves_that_no_migration_hides_the_nodes(stage: Stage, nodes: dict[str, list[str]]) -> None:
    """A complete list whose nodes are all candidates or Ocean's own; the list of migrations may lag."""
    spec = stage.spec(nodes=nodes)
    found = stage.preview(spec)
    assert (len(found.problems), found.may_be_held) == (1, True)
    there = [node["instance_id"] for node in stage.control.nodes(stage.ocean_id)]
    for ids, may_be_held in ((there, False), ([*there, "i-11111111111111111"], True)):
        stage.sources = KnownKubernetes(workloads_of(ids)).sources()
        assert stage.preview(spec).may_be_held is may_be_held


def test_an_id_whose_place_is_known_is_refused_at_once(stage: Stage) -> None:
    """A node of Ocean, and one that another migration has taken, are hidden by nobody."""
    stage.up(stage.planned(stage.spec(nodes={"asg_names": ["web"]})))
    stage.restart()
    known = [node["instance_id"] for node in stage.control.nodes(stage.ocean_id) if node["ocean_managed"]]
    spec = stage.spec(nodes={"instance_ids": [known[0], stage.ids("web")[0]]}, should_terminate_drained_nodes=True)
    found = stage.preview(spec)
    assert (len(found.problems), found.may_be_held) == (2, False)


def test_an_id_with_a_slip_or_unknown_labels_exclude_nothing(stage: Stage) -> None:
    """Its nodes would be migrated. Ids that are like no other are those of nodes that have gone."""
    kept, *_ = stage.ids("web")
    nodes = {name: KubernetesNode(name=f"node-{name}", instance_id=name) for name in stage.ids()}
    taken = {"tier=bd": (), "tier=db": (kept,)}
    stage.sources = KnownKubernetes(KubernetesSnapshot(nodes=nodes), taken=taken).sources()

    def warned(**exclude: Any) -> dict[str, tuple[str, str | None]]:
        found = stage.preview(stage.spec(nodes={"all_nodes": True, "exclude": exclude}))
        return {
            each.fields["field"]: (each.subject, each.fields["nearest"])
            for each in with_code(found, Code.PATTERN_UNMATCHED)
        }

    for wrong in (kept.upper(), f"{kept[:-1]}x"):
        assert warned(instance_ids=[wrong, "i-0123456789abcdef0"]) == {"exclude.instance_ids": (wrong, kept)}
    assert warned(label_selector="tier=bd") == {"exclude.label_selector": ("tier=bd", None)}
    assert warned(instance_ids=[kept], label_selector="tier=db") == {}


def test_an_exclude_without_a_match_is_a_warning(stage: Stage) -> None:
    """A misspelled one excludes nothing: its nodes would be migrated."""
    exclude = {"asg_names": ["ap1", "batch"], "node_names": ["ip-10-0-0-*"]}
    found = stage.preview(stage.spec(nodes={"all_nodes": True, "exclude": exclude}))
    warned = {
        (each.subject, each.fields["field"]): each.fields["nearest"]
        for each in with_code(found, Code.PATTERN_UNMATCHED)
    }
    assert warned.pop(("ap1", "exclude.asg_names")) == "api"
    assert warned == {("ip-10-0-0-*", "exclude.node_names"): None}
