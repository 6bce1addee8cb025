"""What became of each planned node: a test for each rule, their order, and properties over random observations."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    NODES,
    PODS,
    KubernetesNode,
    KubernetesSnapshot,
    Owner,
    Pod,
)
from ocean_migration_pulumi.migration.state.evidence import (
    SECOND_LOOK,
    EndedMigration,
    NodeJudgement,
    NodeObservations,
    NodeOutcome,
    OutcomeReason,
    VerifiedNodes,
    determine_outcomes,
    find_missing,
    is_evictable,
    verify_nodes,
)
from tests.migration.builders import MANUAL as NEEDS_A_HAND
from tests.migration.builders import instance, left_over, status
from tests.support.gaps import failed_gap

MIGRATED, MANUAL, SKIPPED = NodeOutcome.MIGRATED, NodeOutcome.MANUAL, NodeOutcome.SKIPPED
GONE, REMAINS = NodeOutcome.GONE, NodeOutcome.REMAINS
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EARLIER = NOW - SECOND_LOOK
FREE = VerifiedNodes(pods={"i-1": ()})
BUSY = VerifiedNodes(pods={"i-1": ("shop/web",)})
AWAY = VerifiedNodes(gone=frozenset({"i-1"}))


def judge(**observed: Any) -> NodeJudgement:
    """Return what becomes of the one planned node."""
    return determine_outcomes(NodeObservations(planned=["i-1"], **observed))["i-1"]


def outcome(**observed: Any) -> NodeOutcome:
    """Return its outcome."""
    return judge(**observed).outcome


def ended(state: str = "FINISHED", *, pods: int | None = 0, before: int | None = None, id_: str = "owm-1") -> Any:
    """Return the confirmed end of a migration that held the node, and another one with as many pods."""
    return EndedMigration(
        status=status(instance("i-1", pods=pods), instance("i-2", pods=pods), state=state, id_=id_), pods_before=before
    )


def manual() -> EndedMigration:
    """Return the end of a migration that has left pods on the node."""
    return EndedMigration(status=status(left_over("i-1", "debug"), state="FINISHED"))


def test_row_1_a_node_without_a_group_is_skipped_if_asked_for() -> None:
    """Whatever else is known, except that it was migrated before."""
    assert judge(unmatched={"i-1"}, offered=["i-1"]) == NodeJudgement(SKIPPED, OutcomeReason.UNMATCHED)
    assert outcome(unmatched={"i-1"}, ended=[ended("STOPPED", pods=3)]) is SKIPPED
    assert outcome(unmatched={"i-1"}, migrated={"i-1"}) is MIGRATED
    assert outcome(unmatched={"i-1"}, manual={"i-1"}) is MANUAL


@pytest.mark.parametrize("verified", [VerifiedNodes(), FREE, AWAY])
def test_row_2_a_node_that_a_running_migration_holds_is_moving(verified: VerifiedNodes) -> None:
    """Neither migrated nor gone, whatever Kubernetes shows in the middle of it."""
    moving = judge(held={"i-1"}, ever_held={"i-1"}, offered=[], verified=verified, ended=[ended("STOPPED")])
    assert moving == NodeJudgement(REMAINS, OutcomeReason.MOVING)


@pytest.mark.parametrize("verified", [FREE, AWAY])
@pytest.mark.parametrize("end", ["FINISHED", "STOPPED", "FINISHED_ERROR", None])
def test_row_3_verified_and_held_is_migrated(verified: VerifiedNodes, end: str | None) -> None:
    """Also when its migration is lost, was stopped, or counts pods of DaemonSets."""
    held = judge(verified=verified, ever_held={"i-1"}, lost={"i-1"}, ended=[ended(end, pods=3)] if end else [])
    assert held == NodeJudgement(MIGRATED, OutcomeReason.VERIFIED)


def test_row_4_verified_and_never_held_is_gone() -> None:
    """At the first look."""
    assert judge(verified=AWAY, offered=[]) == NodeJudgement(GONE, OutcomeReason.VERIFIED)


def test_row_5_pods_that_are_left_outweigh_what_ocean_says() -> None:
    """A node that no migration held is to be migrated, however empty it is."""
    assert judge(verified=BUSY, ended=[ended()]) == NodeJudgement(REMAINS, OutcomeReason.PODS_LEFT)
    assert judge(verified=BUSY, unverified={"i-1"}, migrated={"i-1"}, ever_held={"i-1"}).outcome is REMAINS
    assert judge(verified=FREE) == NodeJudgement(REMAINS, OutcomeReason.WAITING)
    assert outcome(verified=BUSY, ended=[manual()]) is MANUAL
    assert outcome(verified=BUSY, ever_held={"i-1"}, manual={"i-1"}) is MANUAL
    assert outcome(verified=FREE, ended=[manual()]) is MIGRATED


def test_row_5_stays_until_kubernetes_or_another_migration_says_otherwise() -> None:
    """A refresh has no kubeconfig; what it reads of Ocean is weaker."""
    before = {"i-1": "pods-left"}
    assert judge(reasons=before, ended=[ended()]) == NodeJudgement(REMAINS, OutcomeReason.PODS_LEFT)
    assert outcome(reasons=before, ended=[ended()], verified=FREE) is MIGRATED


def test_row_6_a_finished_migration_needs_a_hand() -> None:
    """Anyone's."""
    assert judge(ended=[manual()]) == NodeJudgement(MANUAL, OutcomeReason.FINISHED)
    assert outcome(manual={"i-1"}, offered=[]) is MANUAL


@pytest.mark.parametrize("offered", [None, [], ["i-1"]])
def test_row_7_finished_without_pods_is_migrated(offered: list[str] | None) -> None:
    """Whatever discovery says."""
    assert judge(ended=[ended()], offered=offered) == NodeJudgement(MIGRATED, OutcomeReason.FINISHED)


@pytest.mark.parametrize(("pods", "before"), [(2, 12), (2, None), (None, 12)])
def test_row_8_finished_with_pods_is_unverified(pods: int | None, before: int | None) -> None:
    """Ocean may count DaemonSet pods, or none at all."""
    assert judge(ended=[ended(pods=pods, before=before)]) == NodeJudgement(MIGRATED, OutcomeReason.UNVERIFIED)


@pytest.mark.parametrize("before", [12, 11])
def test_row_8_finished_is_contradicted_when_no_pod_has_gone(before: int) -> None:
    """Those of all its nodes together count; another node of it without pods is migrated."""
    assert judge(ended=[ended(pods=6, before=before)]) == NodeJudgement(REMAINS, OutcomeReason.CONTRADICTED)
    both = status(instance("i-1", pods=6), instance("i-2", pods=0), state="FINISHED")
    assert not EndedMigration(status=both, pods_before=12).is_contradicted
    assert not EndedMigration(status=status(state="FINISHED"), pods_before=0).is_contradicted


@pytest.mark.parametrize("pods", [6, None])
def test_row_8_a_part_of_the_entries_hides_that_no_pod_has_gone(pods: int | None) -> None:
    """What is missing may be where the pods are; entries without pods and a stopped migration count as they are."""
    part = status(instance("i-1", pods=pods), state="FINISHED")
    seen = EndedMigration(status=part, pods_before=12, held=["i-1", "i-2"])
    assert judge(ended=[seen], ever_held={"i-1"}) == NodeJudgement(REMAINS, OutcomeReason.UNPROVEN)
    assert judge(ended=[replace(seen, held=["i-1"])]) == NodeJudgement(MIGRATED, OutcomeReason.UNVERIFIED)
    empty = status(instance("i-1", pods=0), state="FINISHED")
    assert judge(ended=[replace(seen, status=empty)]) == NodeJudgement(MIGRATED, OutcomeReason.FINISHED)
    stopped = replace(seen, status=replace(part, state="STOPPED"))
    assert judge(ended=[stopped]) == NodeJudgement(REMAINS, OutcomeReason.NOT_DRAINED)


@pytest.mark.parametrize("state", ["STOPPED", "FINISHED_ERROR"])
@pytest.mark.parametrize("offered", [[], ["i-1"]])
def test_rows_9_and_10_an_early_end_moves_what_is_empty(state: str, offered: list[str]) -> None:
    """Missing from discovery proves nothing."""
    held = {"ever_held": {"i-1"}, "offered": offered, "looked_at": NOW, "missing_since": {"i-1": EARLIER}}
    assert judge(ended=[ended(state)], **held) == NodeJudgement(MIGRATED, OutcomeReason.DRAINED)
    for pods in (3, None):
        assert judge(ended=[ended(state, pods=pods)], **held) == NodeJudgement(REMAINS, OutcomeReason.NOT_DRAINED)
    empty = EndedMigration(status=status(instance("i-1", pods=0, state=NEEDS_A_HAND), state=state))
    assert outcome(ended=[empty], **held) is MIGRATED


def test_row_11_a_node_that_two_looks_miss_is_gone() -> None:
    """Two minutes apart; the first look makes it missing."""
    missing: dict[str, Any] = {"offered": [], "looked_at": NOW}
    assert judge(**missing) == NodeJudgement(REMAINS, OutcomeReason.MISSING)
    almost = EARLIER + timedelta(seconds=1)
    assert judge(**missing, missing_since={"i-1": almost}) == NodeJudgement(REMAINS, OutcomeReason.MISSING)
    twice = missing | {"missing_since": {"i-1": EARLIER}}
    assert judge(**twice) == NodeJudgement(GONE, OutcomeReason.MISSING)
    assert outcome(**twice, ever_held={"i-1"}) is REMAINS
    assert outcome(**twice, held={"i-1"}) is REMAINS
    assert outcome(**twice, may_hide=True) is REMAINS
    assert outcome(**twice | {"offered": ["i-1"]}) is REMAINS


def test_missing_since_begins_anew_when_the_row_of_looks_is_broken() -> None:
    """By a look that finds the node, and by a migration that could have hidden it."""

    def missing(**observed: Any) -> dict[str, datetime]:
        before = {"offered": [], "looked_at": NOW, "missing_since": {"i-1": EARLIER}}
        return find_missing(NodeObservations(planned=["i-1"], **(before | observed)))

    assert missing() == {"i-1": EARLIER}
    assert missing(missing_since={}) == {"i-1": NOW}
    assert missing(offered=None) == {"i-1": EARLIER}
    assert missing(missing_since={"i-1": NOW + timedelta(days=365)}) == {"i-1": NOW}  # the clock was set back
    for broken in (
        {"offered": ["i-1"]},
        {"may_hide": True},
        *({name: {"i-1"}} for name in ("held", "ever_held", "migrated", "gone")),
    ):
        assert missing(**broken) == {}


def test_row_12_anything_else_remains() -> None:
    """A terminal state without entries, a lost migration, a lag, a node that waits."""
    no_entry = EndedMigration(status=status(state="FINISHED"))
    assert judge(ended=[no_entry], ever_held={"i-1"}) == NodeJudgement(REMAINS, OutcomeReason.UNPROVEN)
    assert judge(ever_held={"i-1"}, lost={"i-1"}, offered=[]) == NodeJudgement(REMAINS, OutcomeReason.LOST)
    assert judge(offered=["i-1"]) == NodeJudgement(REMAINS, OutcomeReason.WAITING)
    assert judge() == NodeJudgement(REMAINS, OutcomeReason.WAITING)
    for reason in ("contradicted", "not-drained", "unproven"):
        assert judge(ever_held={"i-1"}, reasons={"i-1": reason}).reason == reason


@pytest.mark.parametrize("weaker", [{"offered": ["i-1"]}, {"ended": [ended("STOPPED", pods=3)]}, {"held": {"i-1"}}])
def test_migrated_and_gone_are_final(weaker: dict[str, Any]) -> None:
    """A drained node may be uncordoned, and take pods again."""
    for verified in (VerifiedNodes(), BUSY):
        assert outcome(migrated={"i-1"}, verified=verified, **weaker) is MIGRATED
        assert outcome(gone={"i-1"}, verified=verified, **weaker) is GONE


def test_an_unverified_node_is_settled_by_a_count_of_no_pods_or_by_kubernetes() -> None:
    """Nothing else changes it."""
    before: dict[str, Any] = {"migrated": {"i-1"}, "unverified": {"i-1"}, "ever_held": {"i-1"}}
    unverified = NodeJudgement(MIGRATED, OutcomeReason.UNVERIFIED)
    for weaker in ([], [ended("STOPPED", pods=3)], [ended(pods=6, before=12)], [manual()]):
        assert judge(**before, ended=weaker) == unverified
    assert judge(**before, held={"i-1"}) == unverified
    assert judge(**before, ended=[ended()]).reason is OutcomeReason.FINISHED
    assert judge(**before, verified=FREE).reason is OutcomeReason.VERIFIED
    assert outcome(**before, verified=BUSY) is REMAINS


def test_the_latest_migration_with_an_entry_counts() -> None:
    """A node may have been migrated, uncordoned, and be held again by one that failed."""
    first, second = ended(), ended("FINISHED_ERROR", pods=3, id_="owm-2")
    assert outcome(ended=[first, second]) is REMAINS
    assert outcome(ended=[second, first]) is MIGRATED
    no_entry = EndedMigration(status=status(state="STOPPED", id_="owm-3"))
    assert outcome(ended=[first, no_entry]) is MIGRATED


def test_each_planned_node_has_one_outcome_and_no_other_node_has() -> None:
    """Nodes that a migration held although they are not planned are nobody's."""
    observed = NodeObservations(planned=["i-1", "i-3"], ended=[ended()], offered=["i-3", "i-9"], held={"i-9"})
    judged = determine_outcomes(observed)
    assert {name: found.outcome for name, found in judged.items()} == {"i-1": MIGRATED, "i-3": REMAINS}


def kube(*pods: Pod, nodes: tuple[str, ...] = ("i-1", "i-new"), **more: Any) -> KubernetesSnapshot:
    """Return a cluster of these nodes."""
    known = {name: KubernetesNode(name=f"node-{name}", instance_id=name) for name in nodes}
    return KubernetesSnapshot(nodes=known, pods=pods, **more)


def pod(name: str = "web", kind: str | None = "ReplicaSet", group: str = "apps", **more: Any) -> Pod:
    """Return a pod on the node."""
    owner = None if kind is None else Owner(kind=kind, name=name, group=group)
    return Pod(namespace="shop", name=name, node_name="node-i-1", controller=owner, **more)


@pytest.mark.parametrize(
    ("found", "evictable"),
    [
        (pod(), True),
        (pod(kind=None), True),
        (pod(deleting=True), True),
        (pod(phase="Pending"), True),
        (pod(kind="DaemonSet"), False),
        (pod(kind="DaemonSet", group="apps.kruise.io"), False),
        (pod(kind="ExtendedDaemonSet"), False),
        (pod(mirror=True), False),
        (pod(phase="Succeeded"), False),
        (pod(phase="Failed"), False),
    ],
)
def test_pods_that_a_drain_has_to_evict(found: Pod, evictable: bool) -> None:
    """One that is terminating still runs."""
    assert is_evictable(found) is evictable
    verified = verify_nodes({"i-1": "node-i-1"}, kube=kube(found))
    assert verified.pods == {"i-1": ("shop/web",) if evictable else ()}


def test_a_node_that_has_registered_anew_is_known_by_its_instance() -> None:
    """Under another name its pods are there, and those that are still under the old one; a name alone is nothing."""
    names = {"i-1": "ip-old"}
    renamed = KubernetesNode(instance_id="i-1", name="ip-new")
    taken = KubernetesNode(instance_id="i-2", name="ip-old")

    def left(*pods: Pod, others: tuple[KubernetesNode, ...] = ()) -> tuple[str, ...]:
        nodes = {node.instance_id: node for node in (renamed, *others)}
        return verify_nodes(names, kube=KubernetesSnapshot(nodes=nodes, pods=pods)).pods["i-1"]

    old, new = replace(pod(), node_name="ip-old"), replace(pod(), node_name="ip-new")
    assert left() == ()
    assert left(new) == left(old) == ("shop/web",)
    assert left(old, others=(taken,)) == ()
    twice = {"i-1": frozenset({"ip-new"})}
    for stays, name in ((replace(renamed, name="ip-old"), "ip-old"), (renamed, "ip-even-older")):
        both = KubernetesSnapshot(nodes={"i-1": stays}, other_names=twice, pods=(new,))
        assert verify_nodes({"i-1": name}, kube=both).pods == {"i-1": ("shop/web",)}
    successor = KubernetesSnapshot(nodes={"i-2": taken, **kube().nodes}, pods=(old,))
    verified = verify_nodes({"i-9": "ip-old"}, kube=successor, ocean_nodes=["i-new"])
    assert verified == VerifiedNodes(gone=frozenset({"i-9"}))


def test_absence_counts_only_in_a_complete_list_of_the_right_cluster() -> None:
    """Recognised by an Ocean node; a node of the same name without an instance id may be the one."""
    names = {"i-1": "node-i-1"}

    def gone(cluster: KubernetesSnapshot, *, ocean_nodes: tuple[str, ...] = ("i-new",), name: str = "node-i-1") -> bool:
        return "i-1" in verify_nodes({"i-1": name}, kube=cluster, ocean_nodes=ocean_nodes).gone

    without = ("i-2", "i-new")
    assert gone(kube(nodes=without))
    assert not gone(kube(nodes=without), ocean_nodes=("i-other",))
    assert not gone(kube(nodes=without, gaps={NODES: failed_gap("forbidden")}))
    assert not gone(kube(nodes=without, unidentified=frozenset({"node-i-1"})))
    assert not gone(kube(nodes=without, unidentified=frozenset({"fargate"})), name="")
    assert gone(kube(nodes=without, unidentified=frozenset({"fargate"})))
    assert verify_nodes(names, kube=kube(pod(), gaps={PODS: failed_gap("forbidden")})) == VerifiedNodes()
    assert verify_nodes(names) == VerifiedNodes()


def test_ec2_proves_that_an_instance_is_gone() -> None:
    """Terminated, or not found where another node of the cluster is found; a running one is not verified."""
    names = {"i-1": "", "i-2": ""}

    def gone(**states: str) -> frozenset[str]:
        found = {name.replace("_", "-"): state for name, state in states.items()}
        return verify_nodes(names, instance_states=found).gone

    assert gone(i_1="terminated", i_2="running") == {"i-1"}
    assert gone(i_1="shutting-down", i_2="running") == frozenset()
    assert gone(i_2="running") == frozenset()
    assert gone(i_2="running", i_new="running") == {"i-1"}
    assert gone() == frozenset()
    both = verify_nodes({"i-1": ""}, kube=kube(pod()), instance_states={"i-1": "terminated"})
    assert both == VerifiedNodes(gone=frozenset({"i-1"}))


NODES_OF_THREE = ("i-1", "i-2", "i-3")
node_sets = st.frozensets(st.sampled_from(NODES_OF_THREE))
instances = st.builds(
    instance,
    st.sampled_from(NODES_OF_THREE),
    pods=st.one_of(st.none(), st.integers(0, 3)),
    state=st.sampled_from(["RUNNING", NEEDS_A_HAND]),
)
ends = st.builds(
    lambda nodes, state, before, held: EndedMigration(
        status=status(*{node.instance_id: node for node in nodes}.values(), state=state), pods_before=before, held=held
    ),
    st.lists(instances, max_size=3),
    st.sampled_from(["FINISHED", "STOPPED", "FINISHED_ERROR"]),
    st.one_of(st.none(), st.integers(0, 6)),
    node_sets,
)
moments = st.integers(0, 300).map(lambda seconds: NOW - timedelta(seconds=seconds))
verifications = st.builds(
    lambda pods, gone: VerifiedNodes(pods={name: pods[name] for name in pods if name not in gone}, gone=gone),
    st.dictionaries(st.sampled_from(NODES_OF_THREE), st.sampled_from([(), ("shop/web",)])),
    node_sets,
)
observations = st.builds(
    NodeObservations,
    planned=st.just(NODES_OF_THREE),
    migrated=node_sets,
    unverified=node_sets,
    gone=node_sets,
    manual=node_sets,
    reasons=st.dictionaries(st.sampled_from(NODES_OF_THREE), st.sampled_from([*OutcomeReason, "of-a-newer-version"])),
    unmatched=node_sets,
    held=node_sets,
    may_hide=st.booleans(),
    ended=st.lists(ends, max_size=3),
    ever_held=node_sets,
    lost=node_sets,
    offered=st.one_of(st.none(), node_sets),
    looked_at=st.one_of(st.none(), st.just(NOW)),
    missing_since=st.dictionaries(st.sampled_from(NODES_OF_THREE), moments),
    verified=verifications,
)


def is_held(observed: NodeObservations, name: str) -> bool:
    """Tell whether a migration is known to have held a node."""
    entries = [node.instance_id for end in observed.ended for node in end.status.old_instances]
    return name in observed.ever_held or name in entries


def proves_migration(observed: NodeObservations, name: str) -> bool:
    """Tell whether there is a row of the table by which a node may be migrated, each in its own words."""
    if name in observed.migrated or name in observed.unverified:
        return True
    verified = name in observed.verified.gone or observed.verified.pods.get(name) == ()
    if verified:
        return is_held(observed, name)
    entries = [(end, node) for end in observed.ended for node in end.status.old_instances if node.instance_id == name]
    return any(
        (end.status.state == "FINISHED" and node.state != NEEDS_A_HAND and end.status.instance_ids >= end.held)
        or node.running_pods == 0
        for end, node in entries[-1:]
    )


def proves_absence(observed: NodeObservations, name: str) -> bool:
    """Tell whether there is a row by which a node may be gone."""
    if name in observed.gone:
        return True
    if is_held(observed, name):
        return False
    if name in observed.verified.gone:
        return True
    since = observed.missing_since.get(name)
    if since is None or observed.looked_at is None or observed.offered is None or name in observed.offered:
        return False
    return not observed.may_hide and observed.looked_at - since >= SECOND_LOOK


@given(observations)
def test_safety_nothing_is_migrated_or_gone_without_its_row(observed: NodeObservations) -> None:
    """Whatever was observed."""
    for name, found in determine_outcomes(observed).items():
        if found.outcome is MIGRATED:
            assert proves_migration(observed, name)
        elif found.outcome is GONE:
            assert proves_absence(observed, name)
        settled = name in observed.migrated or name in observed.unverified or name in observed.gone
        if name in observed.held and not settled:
            assert found.outcome in {REMAINS, SKIPPED}
        if observed.verified.pods.get(name) and not (name in observed.gone or name in observed.migrated):
            assert found.outcome in {REMAINS, MANUAL, SKIPPED} or name in observed.unverified


@given(observations)
def test_liveness_complete_evidence_leaves_nothing(observed: NodeObservations) -> None:
    """Where no migration runs, and Kubernetes shows each node that a migration held to be free or away."""
    assume(not observed.held)
    verified = VerifiedNodes(
        pods={name: () for name in NODES_OF_THREE if is_held(observed, name)},
        gone=frozenset(name for name in NODES_OF_THREE if not is_held(observed, name)),
    )
    judged = determine_outcomes(NodeObservations(**{**fields_of(observed), "verified": verified}))
    assert REMAINS not in {found.outcome for found in judged.values()}


@given(observations)
def test_what_was_concluded_stays_concluded(observed: NodeObservations) -> None:
    """The same observations conclude the same, and what is final does not change without verification."""
    judged = determine_outcomes(observed)
    done = {name for name, found in judged.items() if found.outcome is MIGRATED}
    again = NodeObservations(
        **{
            **fields_of(observed),
            "migrated": done,
            "unverified": {name for name, found in judged.items() if found.reason is OutcomeReason.UNVERIFIED},
            "gone": {name for name, found in judged.items() if found.outcome is GONE},
            "ended": (),
            "verified": VerifiedNodes(),
        }
    )
    later = determine_outcomes(again)
    for name, found in judged.items():
        if found.outcome in {MIGRATED, GONE}:
            assert later[name].outcome is found.outcome


def fields_of(observed: NodeObservations) -> dict[str, Any]:
    """Return the fields of observations, to change one."""
    return {name: getattr(observed, name) for name in NodeObservations.__dataclass_fields__}
