"""May the new nodes register."""

from __future__ import annotations

from typing import Any

import pytest

from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, LaunchTemplate, VirtualNodeGroup
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus, Finding
from ocean_migration_pulumi.migration.checks.iam_roles import check_roles, profiled
from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import AWS_AUTH, KubernetesSnapshot, MappedRole
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode
from tests.support.gaps import failed_gap

PROFILE = "arn:aws:iam::123456789012:instance-profile/team/ocean-profile"
ROLE = "arn:aws:iam::123456789012:role/team/ocean-role"
MAPPED = "arn:aws:iam::123456789012:role/ocean-role"
CLUSTER = Cluster(id="o-1", template=LaunchTemplate(instance_profile=PROFILE))
VNGS = {"ols-1": VirtualNodeGroup(id="ols-1", name="web")}
NODES = [PlannedNode(instance_id="i-1", virtual_node_group_id="ols-1")]
NODE = {"username": "system:node:{{EC2PrivateDNSName}}", "groups": ("system:nodes", "system:bootstrappers", "other")}


def mapped(arn: str, **more: Any) -> MappedRole:
    """Return an entry of aws-auth with all that nodes need."""
    return MappedRole(arn=arn, **{**NODE, **more})


OTHER = (mapped("arn:aws:iam::123456789012:role/another"),)


def facts(*entries: str, types: str | None = "EC2_LINUX", **more: Any) -> AwsFacts:
    """Return the role of the profile, and the access entries with their type."""
    known = {} if types is None else dict.fromkeys(entries, types)
    return AwsFacts(roles={PROFILE: ROLE}, access_entries=frozenset(entries), entry_types=known, **more)


def check(kube: KubernetesSnapshot, cloud: AwsFacts | None, **more: Any) -> CheckResult:
    """Return the one finding about the node of ``web``."""
    given = {"cluster": CLUSTER, "vngs": VNGS, "ocean_nodes": (), **more}
    (check_result,) = check_roles(NODES, kube=kube, cloud=cloud, **given)
    return check_result


@pytest.mark.parametrize(
    ("roles", "cloud", "status", "finding"),
    [
        ((mapped(MAPPED),), facts(), CheckStatus.PASS, Finding.ROLES_MAPPED),
        ((mapped(MAPPED.upper().replace("ARN:AWS:IAM", "arn:aws:iam")),), facts(), CheckStatus.PASS, None),
        (OTHER, facts(ROLE), CheckStatus.PASS, Finding.ROLES_MAPPED),
        (None, facts(ROLE), CheckStatus.PASS, Finding.ROLES_MAPPED),
        (None, facts(ROLE, types="EC2_WINDOWS"), CheckStatus.PASS, Finding.ROLES_MAPPED),
        (OTHER, facts(), CheckStatus.FAIL, Finding.ROLE_NOT_MAPPED),
        (None, facts(), CheckStatus.FAIL, Finding.ROLE_NOT_MAPPED),
        ((mapped(ROLE),), facts(), CheckStatus.FAIL, Finding.ROLE_MAPPED_WITH_PATH),
        ((mapped(ROLE), mapped(MAPPED)), facts(), CheckStatus.PASS, Finding.ROLES_MAPPED),
        ((mapped(MAPPED),), facts(authentication_mode="API"), CheckStatus.FAIL, Finding.ROLE_WITHOUT_ENTRY),
        ((mapped(MAPPED),), facts(authentication_mode="API_AND_CONFIG_MAP"), CheckStatus.PASS, None),
        ((mapped(MAPPED),), facts(authentication_mode="CONFIG_MAP"), CheckStatus.PASS, None),
        (
            (mapped(MAPPED),),
            facts(gaps={"authentication_mode": failed_gap("AccessDenied")}),
            CheckStatus.UNKNOWN,
            Finding.AUTHENTICATION_MODE_NOT_READ,
        ),
        ((mapped(MAPPED),), AwsFacts(roles={PROFILE: ROLE}), CheckStatus.PASS, Finding.ROLES_MAPPED),
        (OTHER, AwsFacts(roles={PROFILE: ROLE}), CheckStatus.UNKNOWN, Finding.ACCESS_ENTRIES_NOT_READ),
        ((mapped(ROLE),), AwsFacts(roles={PROFILE: ROLE}), CheckStatus.UNKNOWN, Finding.ACCESS_ENTRIES_NOT_READ),
    ],
)
def test_role_is_in_aws_auth_or_has_an_access_entry(
    roles: tuple[MappedRole, ...] | None, cloud: AwsFacts, status: CheckStatus, finding: Finding | None
) -> None:
    """In aws-auth without the path that an access entry has; and only where the cluster looks there."""
    check_result = check(KubernetesSnapshot(mapped_roles=roles), cloud)
    assert check_result.status is status
    assert check_result.finding is (finding or check_result.finding)
    if status is not CheckStatus.PASS:
        assert check_result.fields.items() >= {"role": ROLE, "targets": [{"id": "ols-1", "name": "web"}]}.items()


@pytest.mark.parametrize("kind", ["STANDARD", "FARGATE_LINUX", "HYBRID_LINUX", "HYPERPOD_LINUX", "EC2"])
def test_access_entry_of_another_type_fails_whatever_aws_auth_has(kind: str) -> None:
    """EKS looks at the access entry alone."""
    check_result = check(KubernetesSnapshot(mapped_roles=(mapped(MAPPED),)), facts(ROLE, types=kind))
    assert (check_result.status, check_result.finding) == (CheckStatus.FAIL, Finding.ACCESS_ENTRY_OF_OTHER_TYPE)
    assert check_result.fields["type"] == kind


def test_access_entry_whose_type_cannot_be_read_is_unknown() -> None:
    """With the right that is missing."""
    gap = failed_gap("AccessDenied", "allow eks:DescribeAccessEntry")
    check_result = check(KubernetesSnapshot(), facts(ROLE, types=None, gaps={"entry_types": gap}))
    assert (check_result.status, check_result.finding) == (CheckStatus.UNKNOWN, Finding.ACCESS_ENTRY_NOT_READ)
    assert check_result.fields["gap"] == gap.to_json()


@pytest.mark.parametrize(
    ("entry", "username", "missing"),
    [
        ({"groups": ("system:nodes",)}, None, ["system:bootstrappers"]),
        ({"groups": ()}, None, ["system:bootstrappers", "system:nodes"]),
        ({"username": "admin"}, "admin", []),
        ({"username": "system:node:ip-10-0-0-1"}, "system:node:ip-10-0-0-1", []),
        ({"username": "", "groups": ("system:masters",)}, "", ["system:bootstrappers", "system:nodes"]),
    ],
)
def test_entry_of_aws_auth_needs_the_groups_and_the_username_of_nodes(
    entry: dict[str, Any], username: str | None, missing: list[str]
) -> None:
    """What is wrong is named."""
    check_result = check(KubernetesSnapshot(mapped_roles=(mapped(MAPPED, **entry),)), facts())
    assert (check_result.status, check_result.finding) == (CheckStatus.FAIL, Finding.ROLE_MAPPED_WRONG)
    assert (check_result.fields["username"], check_result.fields["missing"]) == (username, missing)


def with_user_data(user_data: str) -> dict[str, VirtualNodeGroup]:
    """Return the VNG with user data."""
    return {"ols-1": VirtualNodeGroup(id="ols-1", name="web", template=LaunchTemplate(user_data=user_data))}


SCRIPT = "#!/bin/bash\n/etc/eks/bootstrap.sh shop"
GATE = "apiVersion: node.eks.aws/v1alpha1\nspec:\n  featureGates:\n    InstanceIdNodeName: {}\n"
BY_ID = '[settings.kubernetes]\nhostname-override-source = "instance-id"\n'


@pytest.mark.parametrize("name", ["SessionName", "SessionNameRaw"])
@pytest.mark.parametrize(
    ("user_data", "by_dns_name", "by_session"),
    [
        ("", CheckStatus.PASS, CheckStatus.UNKNOWN),
        (SCRIPT, CheckStatus.PASS, CheckStatus.FAIL),
        (f"{SCRIPT} --kubelet-extra-args --hostname-override=$ID", CheckStatus.PASS, CheckStatus.UNKNOWN),
        (GATE.format("true"), CheckStatus.FAIL, CheckStatus.PASS),
        (GATE.format("false  # InstanceIdNodeName: true"), CheckStatus.PASS, CheckStatus.FAIL),
        # Without the gate, newer versions of Amazon Linux name nodes by their instance id.
        (GATE.partition("spec")[0], CheckStatus.PASS, CheckStatus.UNKNOWN),
        (BY_ID, CheckStatus.FAIL, CheckStatus.PASS),
        (BY_ID.replace("instance-id", "private-dns-name"), CheckStatus.PASS, CheckStatus.FAIL),
    ],
)
def test_username_is_the_name_of_the_node(
    user_data: str, by_dns_name: CheckStatus, by_session: CheckStatus, name: str
) -> None:
    """The session of an instance is its id, which names a node only if its user data says so."""
    for username, status in ((name, by_session), ("EC2PrivateDNSName", by_dns_name)):
        entry = mapped(MAPPED, username=f"system:node:{{{{{username}}}}}")
        check_result = check(KubernetesSnapshot(mapped_roles=(entry,)), facts(), vngs=with_user_data(user_data))
        assert check_result.status is status
        if status is not CheckStatus.PASS:
            assert check_result.fields["username"] == entry.username
        if status is CheckStatus.UNKNOWN:
            assert check_result.finding is Finding.ROLE_USERNAME_UNSURE


def test_nodes_of_windows_need_a_group_of_their_own() -> None:
    """Without it their pods reach no Service, although the nodes register."""
    vngs = with_user_data("<powershell>Start-EKSBootstrap.ps1 -EKSClusterName shop</powershell>")
    group = "eks:kube-proxy-windows"
    check_result = check(KubernetesSnapshot(mapped_roles=(mapped(MAPPED),)), facts(), vngs=vngs)
    assert (check_result.status, check_result.finding) == (CheckStatus.FAIL, Finding.ROLE_MAPPED_WRONG)
    assert (check_result.fields["missing"], check_result.fields["windows"]) == ([group], True)
    entry = mapped(MAPPED, groups=(*NODE["groups"], group))
    assert check(KubernetesSnapshot(mapped_roles=(entry,)), facts(), vngs=vngs).status is CheckStatus.PASS
    check_result = check(KubernetesSnapshot(), facts(ROLE), vngs=vngs)
    assert (check_result.status, check_result.finding) == (CheckStatus.FAIL, Finding.ACCESS_ENTRY_OF_OTHER_TYPE)
    assert check(KubernetesSnapshot(), facts(ROLE, types="EC2_WINDOWS"), vngs=vngs).status is CheckStatus.PASS


@pytest.mark.parametrize(
    ("profile", "status"),
    [
        ("arn:aws:iam::123456789012:instance-profile/ocean-role", CheckStatus.PASS),
        ("arn:aws:iam::123456789012:instance-profile/team/ocean-role", CheckStatus.PASS),
        ("arn:aws:iam::999999999999:instance-profile/ocean-role", CheckStatus.UNKNOWN),
        ("arn:aws-cn:iam::123456789012:instance-profile/ocean-role", CheckStatus.UNKNOWN),
    ],
)
def test_role_of_another_account_is_another_role(profile: str, status: CheckStatus) -> None:
    """Whatever its name is."""
    cluster = Cluster(id="o-1", template=LaunchTemplate(instance_profile=profile))
    assert check(KubernetesSnapshot(mapped_roles=(mapped(MAPPED),)), None, cluster=cluster).status is status


def test_aws_auth_that_cannot_be_read_leaves_a_role_without_entry_unknown() -> None:
    """It may be mapped there."""
    kube = KubernetesSnapshot(gaps={AWS_AUTH: failed_gap("may not get configmaps (403)", "add a rule")})
    check_result = check(kube, facts())
    assert (check_result.status, check_result.finding) == (CheckStatus.UNKNOWN, Finding.AWS_AUTH_NOT_READ)
    assert check_result.fields["gap"] == kube.gaps[AWS_AUTH].to_json()
    assert check(kube, facts(ROLE)).status is CheckStatus.PASS
    assert check(kube, facts(authentication_mode="API")).finding is Finding.ROLE_WITHOUT_ENTRY


@pytest.mark.parametrize("cloud", [None, AwsFacts(gaps={"roles": failed_gap("AccessDenied", "allow it")})])
def test_without_aws_the_name_of_the_profile_may_be_enough(cloud: AwsFacts | None) -> None:
    """Often role and profile have one name; otherwise nothing is known."""
    same = Cluster(id="o-1", template=LaunchTemplate(instance_profile="ocean-role"))
    assert check(KubernetesSnapshot(mapped_roles=(mapped(MAPPED),)), cloud, cluster=same).status is CheckStatus.PASS
    for entry in (mapped(ROLE), mapped(MAPPED, groups=())):
        assert check(KubernetesSnapshot(mapped_roles=(entry,)), cloud, cluster=same).status is CheckStatus.UNKNOWN
    check_result = check(KubernetesSnapshot(mapped_roles=(mapped(MAPPED),)), cloud)
    assert (check_result.status, check_result.finding) == (CheckStatus.UNKNOWN, Finding.ROLE_NOT_READ)
    assert check_result.fields["profile"] == "ocean-profile"
    assert check_result.fields["gap"] == (cloud.gaps["roles"].to_json() if cloud else None)


def test_nodes_that_have_registered_are_proof_enough() -> None:
    """What works needs no other check."""
    proof = [ClusterNode(instance_id="i-9", virtual_node_group_id="ols-1", registration_status="Registered")]
    denied = facts()
    assert check(KubernetesSnapshot(), denied, ocean_nodes=proof).status is CheckStatus.PASS
    failing = [ClusterNode(instance_id="i-9", virtual_node_group_id="ols-1", registration_status="Failed")]
    assert check(KubernetesSnapshot(), denied, ocean_nodes=failing).status is CheckStatus.FAIL


def test_a_group_without_any_profile_is_unknown() -> None:
    """Something else may give its nodes a role."""
    check_result = check(KubernetesSnapshot(), None, cluster=Cluster(id="o-1"))
    assert (check_result.status, check_result.finding) == (CheckStatus.UNKNOWN, Finding.NO_INSTANCE_PROFILE)


def test_profiles_are_those_of_the_targets_alone() -> None:
    """The VNG's own comes first; nodes without labels and taints go to the cluster's own template, too."""
    own = VirtualNodeGroup(id="ols-2", name="own", template=LaunchTemplate(instance_profile="mine"))
    unused = VirtualNodeGroup(id="ols-3", name="unused")
    nodes = [
        PlannedNode(instance_id=f"i-{number}", virtual_node_group_id=vng)
        for number, vng in enumerate(("ols-1", "ols-2", "Default", None, "ols-gone"))
    ]
    vngs = {**VNGS, "ols-2": own, "ols-3": unused}
    found = {target.vng_id: target.instance_profile for target in profiled(nodes, CLUSTER, vngs)}
    assert found == {"ols-1": PROFILE, "ols-2": "mine", None: PROFILE}
    only = Cluster(id="o-1", template=LaunchTemplate(instance_profile=PROFILE), template_only=True)
    assert None not in [target.vng_id for target in profiled(nodes, only, vngs)]
