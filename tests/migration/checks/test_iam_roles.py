"""May the new nodes register."""

from __future__ import annotations

from typing import Any

import pytest

from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, LaunchTemplate, VirtualNodeGroup
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus, Finding
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
    ("mapped", "entries", "status", "finding"),
    [
        ((MAPPED,), frozenset(), CheckStatus.PASS, Finding.ROLES_MAPPED),
        (OTHER, frozenset({ROLE}), CheckStatus.PASS, Finding.ROLES_MAPPED),
        (None, frozenset({ROLE}), CheckStatus.PASS, Finding.ROLES_MAPPED),
        (OTHER, frozenset(), CheckStatus.FAIL, Finding.ROLE_NOT_MAPPED),
        ((ROLE,), frozenset(), CheckStatus.FAIL, Finding.ROLE_NOT_MAPPED),
        (None, frozenset(), CheckStatus.FAIL, Finding.ROLE_NOT_MAPPED),
        (OTHER, None, CheckStatus.UNKNOWN, Finding.ACCESS_ENTRIES_NOT_READ),
    ],
)
def test_role_is_in_aws_auth_or_has_an_access_entry(
    mapped: tuple[str, ...] | None, entries: frozenset[str] | None, status: CheckStatus, finding: Finding
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
    assert (check_result.status, check_result.finding) == (status, finding)
    named = {"role": ROLE, "targets": [{"id": "ols-1", "name": "web"}]}
    if status is CheckStatus.UNKNOWN:
        unread = {"reason": "AccessDenied", "remedy": "allow eks:ListAccessEntries"}
        assert check_result.fields == {**named, **unread}
    if status is CheckStatus.FAIL:
        assert check_result.fields == named


def test_aws_auth_that_cannot_be_read_leaves_a_role_without_entry_unknown() -> None:
    """It may be mapped there."""
    kube = KubernetesSnapshot(gaps={AWS_AUTH: Gap(reason="may not get configmaps (403)", remedy="add a rule")})
    cloud = AwsFacts(roles={PROFILE: ROLE}, access_entries=frozenset())
    check_result = check(kube, cloud)
    assert (check_result.status, check_result.finding) == (CheckStatus.UNKNOWN, Finding.AWS_AUTH_NOT_READ)
    assert check_result.fields["remedy"] == "add a rule"
    assert check(kube, AwsFacts(roles={PROFILE: ROLE}, access_entries=frozenset({ROLE}))).status is CheckStatus.PASS


@pytest.mark.parametrize("cloud", [None, AwsFacts(gaps={"roles": Gap(reason="AccessDenied", remedy="allow it")})])
def test_without_aws_the_name_of_the_profile_may_be_enough(cloud: AwsFacts | None) -> None:
    """Often role and profile have one name; otherwise nothing is known."""
    same = Cluster(id="o-1", template=LaunchTemplate(instance_profile="ocean-role"))
    assert check(KubernetesSnapshot(mapped_roles=(MAPPED,)), cloud, cluster=same).status is CheckStatus.PASS
    check_result = check(KubernetesSnapshot(mapped_roles=(MAPPED,)), cloud)
    assert (check_result.status, check_result.finding) == (CheckStatus.UNKNOWN, Finding.ROLE_NOT_READ)
    assert check_result.fields["profile"] == "ocean-profile"
    assert check_result.fields["reason"] == ("AccessDenied" if cloud else "")


def test_nodes_that_have_registered_are_proof_enough() -> None:
    """What works needs no other check."""
    proof = [ClusterNode(instance_id="i-9", virtual_node_group_id="ols-1", registration_status="Registered")]
    denied = AwsFacts(roles={PROFILE: ROLE}, access_entries=frozenset())
    assert check(KubernetesSnapshot(), denied, ocean_nodes=proof).status is CheckStatus.PASS
    failing = [ClusterNode(instance_id="i-9", virtual_node_group_id="ols-1", registration_status="Failed")]
    assert check(KubernetesSnapshot(), denied, ocean_nodes=failing).status is CheckStatus.FAIL


def test_a_group_without_any_profile_is_unknown() -> None:
    """Something else may give its nodes a role."""
    check_result = check(KubernetesSnapshot(), None, cluster=Cluster(id="o-1"))
    assert (check_result.status, check_result.finding) == (CheckStatus.UNKNOWN, Finding.NO_INSTANCE_PROFILE)


def test_profiles_are_those_of_the_targets_alone() -> None:
    """The group's own comes first; nodes without labels and taints go to the cluster's own template, too."""
    own = VirtualNodeGroup(id="ols-2", name="own", template=LaunchTemplate(instance_profile="mine"))
    unused = VirtualNodeGroup(id="ols-3", name="unused")
    nodes = [
        PlannedNode(instance_id=f"i-{number}", virtual_node_group_id=group)
        for number, group in enumerate(("ols-1", "ols-2", "Default", None, "ols-gone"))
    ]
    groups = {**GROUPS, "ols-2": own, "ols-3": unused}
    found = {target.group_id: target.instance_profile for target in profiled(nodes, CLUSTER, groups)}
    assert found == {"ols-1": PROFILE, "ols-2": "mine", None: PROFILE}
    only = Cluster(id="o-1", template=LaunchTemplate(instance_profile=PROFILE), template_only=True)
    assert None not in [target.group_id for target in profiled(nodes, only, groups)]
