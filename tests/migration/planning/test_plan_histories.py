"""The rules of the plan over random histories of a cluster and a spec."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.api.models.migration import Candidate
from ocean_migration_pulumi.migration.planning.selection import plan_nodes
from ocean_migration_pulumi.migration.snapshot.cache import ClusterCache
from ocean_migration_pulumi.migration.snapshot.claims import ClusterClaims
from ocean_migration_pulumi.migration.spec.node_selector import NodeSelector
from ocean_migration_pulumi.migration.spec.planned_nodes import parse_planned
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from tests.migration.builders import candidate, snapshot, spec

ASGS = {f"i-{number}": ("web", "api", None)[number % 3] for number in range(10)}  # a node never changes its group
ids = st.sampled_from(sorted(ASGS))
nodes = st.dictionaries(ids, st.sampled_from(["ols-1", "ols-2", "Default", None]))
selectors = st.fixed_dictionaries(
    {"asg_names": st.lists(st.sampled_from(["web", "api", "*"]), min_size=1, max_size=2, unique=True)},
    optional={
        "exclude": st.one_of(
            st.fixed_dictionaries({"instance_ids": st.lists(ids, min_size=1, max_size=3, unique=True)}),
            st.just({"asg_names": ["api"]}),
        ),
        "limit": st.one_of(st.integers(1, 8).map(str), st.integers(10, 100).map(lambda number: f"{number}%")),
    },
)
options = st.fixed_dictionaries(
    {
        "new_nodes": st.sampled_from(["report", "migrate"]),
        "unmatched_nodes": st.sampled_from(["fail", "skip", "allow"]),
        "should_terminate_drained_nodes": st.booleans(),
    }
)


@dataclass
class Step:
    """One preview: what the cluster offers, and what is asked for."""

    offered: list[Candidate]
    spec: MigrationSpec


@st.composite
def steps(draw: st.DrawFn) -> Step:
    """Return a step of a history."""
    offered = [candidate(name, ASGS[name], group) for name, group in draw(nodes).items()]
    triggers = draw(st.sampled_from([(), (1,)]))
    return Step(offered, spec(nodes=draw(selectors), triggers=triggers, **draw(options)))


def plan(step: Step, old: MigrationSpec | None) -> dict[str, str]:
    """Plan a step after the last inputs."""
    unused: Any = None
    preview = plan_nodes(
        unused,
        ClusterClaims(ClusterCache("o-1")),
        unused,
        owner="web",
        snapshot=snapshot(*step.offered),
        spec=step.spec,
        old=old,
    )
    assert preview.planned is not None
    return preview.planned


@given(st.lists(steps(), min_size=1, max_size=6))
def test_every_history_keeps_the_rules(history: list[Step]) -> None:
    """Entries stay word for word; what is added was asked for, matches, and fits the limit."""
    old: MigrationSpec | None = None
    for step in history:
        before = dict(old.planned_nodes or {}) if old else {}
        planned = plan(step, old)
        now = step.spec
        same = old is not None and now.nodes.is_same_selection(old.nodes)
        asks = old is None or not same or now.triggers != old.triggers
        assert list(planned) == sorted(planned)
        assert all(planned[name] == before[name] for name in before if name in planned)
        dropped, added = before.keys() - planned.keys(), planned.keys() - before.keys()
        if same:
            assert dropped == set()
        entries = parse_planned(before)
        assert all(now.nodes.contradicts(entries[name]) for name in dropped)
        assert not any(now.nodes.contradicts(entries[name]) for name in before.keys() & planned.keys()) or same
        offered = {node.instance_id: node for node in step.offered}
        if not asks and now.new_nodes == "report":
            assert added == set()
        for name in added:
            node = offered[name]
            assert now.nodes.matches(node, node.virtual_node_group_id) is True
            assert now.unmatched_nodes != "skip" or node.virtual_node_group_id is not None
        if added and now.nodes.limit is not None:
            matching = [n for n in step.offered if n.instance_id not in planned.keys() - added]
            matching = [n for n in matching if now.nodes.matches(n, n.virtual_node_group_id)]
            assert len(planned) <= now.nodes.limit_of(len(planned) - len(added) + len(matching))
        old = replace(now, planned_nodes=planned)


@given(steps())
def test_first_plan_is_repeated_by_every_later_preview(step: Step) -> None:
    """Planning twice is planning once, whatever the service lists in whatever order."""
    planned = plan(step, None)
    old = replace(step.spec, planned_nodes=planned)
    turned = Step(list(reversed(step.offered)), step.spec)
    assert plan(turned, None) == planned
    again = plan(turned, old)
    assert again == planned


@given(steps(), st.sets(ids, max_size=4))
def test_earlier_wave_as_an_exclude_never_overlaps(step: Step, wave: set[str]) -> None:
    """Two waves share no node, and the second keeps its plan while the first one grows."""
    inputs = step.spec.nodes.to_inputs()
    given_ids = sorted(wave)
    if not given_ids:
        return
    later = NodeSelector.parse({**inputs, "exclude": {"instance_ids": given_ids}})
    planned = plan(Step(step.offered, replace(step.spec, nodes=later)), None)
    assert not planned.keys() & wave
    grown = NodeSelector.parse({**inputs, "exclude": {"instance_ids": [*given_ids, "i-99"]}})
    old = replace(step.spec, nodes=later, planned_nodes=planned)
    report = replace(step.spec, nodes=grown, new_nodes="report")
    assert plan(Step(step.offered, report), old) == planned


@given(steps(), st.sets(ids, max_size=6), st.sets(ids, max_size=3))
def test_what_is_planned_elsewhere_is_never_added_and_never_taken_away(
    step: Step, elsewhere: set[str], more: set[str]
) -> None:
    """Waves share no node; one that an earlier wave takes later stays where it was planned first."""
    first = replace(step.spec, planned_elsewhere=tuple(sorted(elsewhere)))
    planned = plan(Step(step.offered, first), None)
    assert not planned.keys() & elsewhere
    old = replace(first, planned_nodes=planned)
    grown = replace(first, planned_elsewhere=tuple(sorted(elsewhere | more)), new_nodes="migrate")
    again = plan(Step(step.offered, grown), old)
    assert planned.keys() <= again.keys()
    assert not (again.keys() - planned.keys()) & (elsewhere | more)
