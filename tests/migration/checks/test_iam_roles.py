"""May the new nodes register."""

from __future__ import annotations

from typing import Any

import pytest

from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, LaunchTemplate, VirtualNodeGroup
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus
from ocean_migration_pulumi.migration.checks.iam_roles import check_roles, profiled
from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import AWS_AUTH, Gap, KubernetesSnapshot
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode

PROFILE = "arn:aws:iam::123456789012:instance-profile/team/ocean-profile"
ROLE = "arn:aws:iam::123456789012:role/team/ocean-role"
MAPPED = "arn:aws:iam::123456789012:role/ocean-role"
CLUSTER = Cluster(id="o-1", template=LaunchTemplate(instance_profile=PROFILE))
GROUPS = {"ols-1": VirtualNodeGroup(id="ols-1", name="web")}
NODES = [PlannedNode(instance_id="i-1", virtual_node_group_id="ols-1")]
OTHER = ("arn:aws:iam::123456789012:role/another",)


def check(kube: KubernetesSnapshot, cloud: AwsFacts | None, **more: Any) -> CheckResult:
    """Return the one finding about the node of ``web``."""
    given = {"cluster": CLUSTER, "groups": GROUPS, "ocean_nodes": (), **more}
    (check_result,) = check_roles(NODES, kube=kube, cloud=cloud, **given)
    return check_result


@pytest.mark.parametrize(
    ("mapped", "entries", "verdict", "seen"),
    [
        ((MAPPED,), frozenset(), CheckStatus.PASS, "may register"),
        (OTHER, frozenset({ROLE}), CheckStatus.PASS, "may register"),
        (None, frozenset({ROLE}), CheckStatus.PASS, "may register"),
        (OTHER, frozenset(), CheckStatus.FAIL, "neither in aws-auth nor has an access entry"),
        ((ROLE,), frozenset(), CheckStatus.FAIL, "neither in aws-auth nor has an access entry"),
        (None, frozenset(), CheckStatus.FAIL, "neither in aws-auth nor has an access entry"),
        (OTHER, None, CheckStatus.UNKNOWN, "access entries could not be read: AccessDenied"),
    ],
)
def test_role_is_in_aws_auth_or_has_an_access_entry(
    mapped: tuple[str, ...] | None, entries: frozenset[str] | None, verdict: CheckStatus, seen: str
) -> None:
    """With the path that aws-auth has to leave out, or without; a refusal is none of either."""
    gaps = (
        {}
        if entries is not None
        else {"access_entries": Gap(reason="AccessDenied", remedy="allow eks:ListAccessEntries")}
    )
    check_result = check(
        KubernetesSnapshot(mapped_roles=mapped), AwsFacts(roles={PROFILE: ROLE}, access_entries=entries, gaps=gaps)
    )
    assert check_result.verdict is verdict
    assert seen in check_result.seen
    if verdict is CheckStatus.UNKNOWN:
        assert "allow eks:ListAccessEntries" in check_result.remedy
    if verdict is CheckStatus.FAIL:
        assert ROLE in check_result.seen
        assert "web (ols-1)" in check_result.seen


def test_aws_auth_that_cannot_be_read_leaves_a_role_without_entry_unknown() -> None:
    """It may be mapped there."""
    kube = KubernetesSnapshot(gaps={AWS_AUTH: Gap(reason="may not get configmaps (403)", remedy="add a rule")})
    cloud = AwsFacts(roles={PROFILE: ROLE}, access_entries=frozenset())
    check_result = check(kube, cloud)
    assert (check_result.verdict, check_result.remedy) == (CheckStatus.UNKNOWN, "add a rule")
    assert check(kube, AwsFacts(roles={PROFILE: ROLE}, access_entries=frozenset({ROLE}))).verdict is CheckStatus.PASS


@pytest.mark.parametrize("cloud", [None, AwsFacts(gaps={"roles": Gap(reason="AccessDenied", remedy="allow it")})])
def test_without_aws_the_name_of_the_profile_may_be_enough(cloud: AwsFacts | None) -> None:
    """Often role and profile have one name; otherwise nothing is known."""
    same = Cluster(id="o-1", template=LaunchTemplate(instance_profile="ocean-role"))
    assert check(KubernetesSnapshot(mapped_roles=(MAPPED,)), cloud, cluster=same).verdict is CheckStatus.PASS
    check_result = check(KubernetesSnapshot(mapped_roles=(MAPPED,)), cloud)
    assert check_result.verdict is CheckStatus.UNKNOWN
    assert "role of instance profile ocean-profile (web (ols-1)) is not known" in check_result.seen
    assert ("AccessDenied" in check_result.seen) is (cloud is not None)


def test_nodes_that_have_registered_are_proof_enough() -> None:
    """What works needs no other check."""
    proof = [ClusterNode(instance_id="i-9", virtual_node_group_id="ols-1", registration_status="Registered")]
    denied = AwsFacts(roles={PROFILE: ROLE}, access_entries=frozenset())
    assert check(KubernetesSnapshot(), denied, ocean_nodes=proof).verdict is CheckStatus.PASS
    failing = [ClusterNode(instance_id="i-9", virtual_node_group_id="ols-1", registration_status="Failed")]
    assert check(KubernetesSnapshot(), denied, ocean_nodes=failing).verdict is CheckStatus.FAIL


def test_a_group_without_any_profile_is_unknown() -> None:
    """Something else may give its nodes a role."""
    check_result = check(KubernetesSnapshot(), None, cluster=Cluster(id="o-1"))
    assert (check_result.verdict, check_result.seen) == (
        CheckStatus.UNKNOWN,
        "no instance profile is set for web (ols-1)",
    )


def test_profiles_are_those_of_the_targets_alone() -> None:
    """The group's own comes first; nodes without labels and taints go to the cluster's own template, too."""
    own = VirtualNodeGroup(id="ols-2", name="own", template=LaunchTemplate(instance_profile="mine"))
    unused = VirtualNodeGroup(id="ols-3", name="unused")
    nodes = [
        PlannedNode(instance_id=f"i-{number}", virtual_node_group_id=group)
        for number, group in enumerate(("ols-1", "ols-2", "Default", None, "ols-gone"))
    ]
    groups = {**GROUPS, "ols-2": own, "ols-3": unused}
    found = {target.name: target.instance_profile for target in profiled(nodes, CLUSTER, groups)}
    assert found == {"web (ols-1)": PROFILE, "own (ols-2)": "mine", "cluster o-1": PROFILE}
    only = Cluster(id="o-1", template=LaunchTemplate(instance_profile=PROFILE), template_only=True)
    assert "cluster o-1" not in [target.name for target in profiled(nodes, only, groups)]
