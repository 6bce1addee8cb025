"""What is read of AWS, against a fake of it on loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader

from ocean_migration_pulumi.aws import AwsReader
from ocean_migration_pulumi.aws.reader import KEPT
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.installation import install_command
from ocean_migration_pulumi.common.single_flight import FAILURES_KEPT
from ocean_migration_pulumi.errors import EngineGoneError, InterruptedWaitError
from ocean_migration_pulumi.migration.planning.text.gaps_text import describe_gap
from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts, AwsQuery, InstanceTypeSpec
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import Resources
from ocean_migration_pulumi.migration.snapshot.protocols import AwsApi
from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode
from tests.support.fake_aws import (
    ACCESS_KEY,
    ACCOUNT,
    REGION,
    SECRET_KEY,
    SESSION_TOKEN,
    Asked,
    FakeAws,
    Reply,
    ec2_error,
    eks_error,
    iam_error,
)
from tests.support.gaps import failed_gap
from tests.support.timing import PATIENCE, ends_soon

QUESTION = AwsQuery(
    region=REGION,
    instance_profiles=("nodes",),
    subnet_ids=("subnet-a", "subnet-b"),
    instance_types=("m5.large",),
    eks_cluster="shop",
)
ACTIONS = {
    "roles": ("GetInstanceProfile", "iam:GetInstanceProfile"),
    "access_entries": ("ListAccessEntries", "eks:ListAccessEntries"),
    "zones": ("DescribeSubnets", "ec2:DescribeSubnets"),
    "machines": ("DescribeInstanceTypes", "ec2:DescribeInstanceTypes"),
}
PARTS = {
    "roles": AwsQuery(region=REGION, instance_profiles=("nodes",)),
    "access_entries": AwsQuery(region=REGION, eks_cluster="shop"),
    "zones": AwsQuery(region=REGION, subnet_ids=("subnet-a", "subnet-b")),
    "machines": AwsQuery(region=REGION, instance_types=("m5.large",)),
}
ENTRY = f"arn:aws:iam::{ACCOUNT}:role/team/node-role"
HTML = Reply(body=b"<html><body>Welcome to the hotel</body></html>", content_type="text/html")


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture(scope="module", autouse=True)
def descriptions() -> Iterator[None]:
    """Let botocore read what it knows of a service once: each session would parse megabytes again."""
    with pytest.MonkeyPatch.context() as patch:
        read = cache(JSONFileLoader().load_file)
        patch.setattr(JSONFileLoader, "load_file", lambda loader, path: read(path))
        yield


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeAws]:
    """Serve an account with all that the question is about, and point boto3 at it with a canary's keys."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    types = {
        "m5.large": (2, 8192, 0, ("x86_64",)),
        "m5.xlarge": (4, 16384, 0, ("i386", "x86_64")),
        "m6g.large": (2, 8192, 0, ("arm64",)),
        "g4dn.12xlarge": (48, 196608, 4, ("x86_64",)),
    }
    with FakeAws(
        profiles={"nodes": "node-role", "team/gpu": "team/gpu-role", "empty": None},
        entries={"shop": [ENTRY]},
        subnets={"subnet-a": "eu-west-1a", "subnet-b": "eu-west-1b"},
        types=types,
    ) as fake:
        environment = {
            "HOME": str(tmp_path),
            "AWS_ENDPOINT_URL": fake.url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_SESSION_TOKEN": SESSION_TOKEN,
            "AWS_CONFIG_FILE": str(tmp_path / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield fake
    # A flight that was left behind would go on to the next test's fake.
    for thread in threading.enumerate():
        if thread.name == "ocean-migration AWS":
            thread.join(PATIENCE)


def scope(seconds: float = 20.0, **more: Any) -> CancelScope:
    """Return a scope of so many real seconds."""
    return CancelScope(**more).at_most(seconds)


def read(
    question: AwsQuery = QUESTION, *, seconds: float = 20.0, reader: AwsReader | None = None, short: bool = False
) -> AwsFacts:
    """Ask; whatever comes back holds no key, and every gap is one line."""
    reader = reader or AwsReader()
    cloud = reader.read_facts(scope(seconds, short=short), question)
    for secret in (ACCESS_KEY, SECRET_KEY, SESSION_TOKEN):
        assert secret not in repr((cloud, reader, vars(reader)))
    for gap in cloud.gaps.values():
        assert "\n" not in describe_gap(gap).line
    return cloud


def test_everything_is_answered_by_a_read_of_each_part(aws: FakeAws) -> None:
    """Roles by profile, principals, zones, machines, and the entry of the role; the user agent says who asks."""
    reader: AwsApi = AwsReader()
    assert reader.read_facts(scope(), QUESTION) == AwsFacts(
        roles={"nodes": f"arn:aws:iam::{ACCOUNT}:role/node-role"},
        access_entries=frozenset({ENTRY}),
        entry_types={ENTRY: "EC2_LINUX"},
        zones={"subnet-a": "eu-west-1a", "subnet-b": "eu-west-1b"},
        machines={"m5.large": InstanceTypeSpec(resources=Resources(milli_cpu=2000, memory_mib=8192))},
    )
    assert sorted(aws.actions) == sorted(["DescribeAccessEntry", *(action for action, _ in ACTIONS.values())])
    assert all("ocean-migration" in asked.user_agent for asked in aws.asked)


def test_nothing_is_asked_for_nothing(aws: FakeAws) -> None:
    """An empty question needs neither calls nor credentials."""
    assert read(AwsQuery(region=REGION, instance_profiles=("",))) == AwsFacts()
    assert aws.asked == []


def test_profile_is_found_by_its_arn(aws: FakeAws) -> None:
    """The path of the ARN is no part of the name; the answer is under what was asked for."""
    arn = f"arn:aws:iam::{ACCOUNT}:instance-profile/team/gpu"
    cloud = read(AwsQuery(region=REGION, instance_profiles=(arn,)))
    assert cloud == AwsFacts(roles={arn: f"arn:aws:iam::{ACCOUNT}:role/team/gpu-role"})
    assert aws.asked[0].parameters["InstanceProfileName"] == "gpu"


@pytest.mark.parametrize(
    ("profile", "code"),
    [
        ("arn:aws:iam::999999999999:instance-profile/nodes", GapCode.INSTANCE_PROFILE_OF_OTHER_ACCOUNT),
        ("gone", GapCode.NO_INSTANCE_PROFILE),
        ("empty", GapCode.INSTANCE_PROFILE_WITHOUT_ROLE),
    ],
)
def test_profile_without_a_role_to_tell_loses_no_other(aws: FakeAws, profile: str, code: GapCode) -> None:
    """A profile of the same name in another account is another profile."""
    cloud = read(AwsQuery(region=REGION, instance_profiles=("nodes", profile)))
    assert cloud.roles == {"nodes": f"arn:aws:iam::{ACCOUNT}:role/node-role"}
    assert cloud.gaps["roles"] == Gap(code, {"profile": profile.rpartition("/")[2]})


def test_launch_times_are_those_of_the_groups_that_were_asked_for(aws: FakeAws) -> None:
    """Of instances that start or run; a name with a wildcard is no pattern."""
    aws.page = 2
    at = "2026-01-02T03:04:05.000Z"
    aws.launched = {
        "i-1": ("web", "running", at), "i-2": ("web", "pending", at), "i-3": ("web", "terminated", at),
        "i-4": ("web-2", "running", at), "i-5": ("web*", "running", at),
    }  # fmt: skip
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    reader = AwsReader()
    assert reader.read_launch_times(scope(), REGION, ["web"]) == {"i-1": moment, "i-2": moment}
    assert reader.read_launch_times(scope(), REGION, ["web*"]) == {"i-5": moment}
    aws.replies["DescribeInstances"] = ec2_error(403, "UnauthorizedOperation")
    assert reader.read_launch_times(scope(), REGION, ["web"]) == {}


def test_access_entries_come_page_by_page(aws: FakeAws) -> None:
    """All pages are read."""
    aws.page = 2
    aws.entries["shop"] = [f"{ENTRY}-{number}" for number in range(5)]
    cloud = read(AwsQuery(region=REGION, eks_cluster="shop"))
    assert cloud == AwsFacts(access_entries=frozenset(aws.entries["shop"]))
    assert len(aws.asked) == 3


def test_only_entries_of_the_roles_are_described(aws: FakeAws) -> None:
    """Their types are told by name; the mode of the cluster matters to roles without an entry."""
    gpu = f"arn:aws:iam::{ACCOUNT}:role/team/gpu-role"
    aws.entries["shop"] = [ENTRY, f"arn:aws:iam::{ACCOUNT}:user/someone", gpu]
    aws.entry_types[gpu] = "STANDARD"
    cloud = read(AwsQuery(region=REGION, instance_profiles=("nodes", "gpu"), eks_cluster="shop"))
    assert cloud.entry_types == {ENTRY: "EC2_LINUX", gpu: "STANDARD"}
    assert (cloud.authentication_mode, cloud.gaps) == ("", {})
    assert aws.actions.count("DescribeAccessEntry") == 2


@pytest.mark.parametrize("mode", ["API", ""])
def test_mode_of_the_cluster_is_read_for_a_role_without_an_entry(aws: FakeAws, mode: str) -> None:
    """Clusters from before there were access entries have none, and use aws-auth."""
    aws.entries["shop"], aws.mode = [], mode
    query = AwsQuery(region=REGION, instance_profiles=("nodes",), eks_cluster="shop")
    assert read(query).authentication_mode == (mode or "CONFIG_MAP")


@pytest.mark.parametrize(
    ("entries", "call", "part"),
    [([ENTRY], "DescribeAccessEntry", "entry_types"), ([], "DescribeCluster", "authentication_mode")],
)
def test_detail_that_is_denied_is_a_gap(aws: FakeAws, entries: list[str], call: str, part: str) -> None:
    """With the right that is missing; the list of entries stays known."""
    aws.entries["shop"] = entries
    aws.replies[call] = eks_error(403, "AccessDeniedException")
    cloud = read(AwsQuery(region=REGION, instance_profiles=("nodes",), eks_cluster="shop"))
    assert cloud.gaps == {part: Gap(GapCode.AWS_DENIED, {"action": f"eks:{call}"})}
    assert cloud.access_entries == frozenset(entries)


def test_entry_that_is_deleted_meanwhile_has_no_type(aws: FakeAws) -> None:
    """It cannot be told any more."""
    aws.replies["DescribeAccessEntry"] = eks_error(404, "ResourceNotFoundException")
    cloud = read()
    assert (cloud.entry_types, cloud.gaps) == ({}, {})


def test_half_of_the_access_entries_are_none(aws: FakeAws) -> None:
    """A role must not seem to have no entry because its page could not be read."""
    aws.page = 1
    aws.entries["shop"] = [f"{ENTRY}-{number}" for number in range(2)]
    aws.replies["ListAccessEntries"] = lambda asked: (
        eks_error(403, "AccessDeniedException") if "nextToken" in asked.parameters else None
    )
    cloud = read(AwsQuery(region=REGION, eks_cluster="shop"))
    assert cloud.access_entries is None
    assert cloud.gaps["access_entries"] == Gap(GapCode.AWS_DENIED, {"action": "eks:ListAccessEntries"})


def test_cluster_that_knows_no_access_entries_has_none(aws: FakeAws) -> None:
    """In the mode CONFIG_MAP, EKS refuses to list them: that is an answer, and no gap."""
    message = "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP]"
    aws.replies["ListAccessEntries"] = eks_error(400, "InvalidRequestException", message)
    assert read(AwsQuery(region=REGION, eks_cluster="shop")) == AwsFacts(access_entries=frozenset())
    aws.replies["ListAccessEntries"] = eks_error(400, "InvalidRequestException", "The cluster is being created")
    cloud = read(AwsQuery(region=REGION, eks_cluster="shop"))
    assert cloud.access_entries is None
    assert cloud.gaps["access_entries"].fields["error"] == "InvalidRequestException"


def test_unknown_cluster_is_a_gap(aws: FakeAws) -> None:
    """It says where it was looked for."""
    cloud = read(AwsQuery(region=REGION, eks_cluster="other"))
    assert cloud.access_entries is None
    assert cloud.gaps["access_entries"] == Gap(GapCode.NO_EKS_CLUSTER, {"cluster": "other", "region": "eu-west-1"})


def test_free_addresses_of_subnets(aws: FakeAws) -> None:
    """They come with the zones."""
    aws.free, aws.blocks = {"subnet-a": 0}, {"subnet-a": "10.0.4.0/22"}
    cloud = read(AwsQuery(region=REGION, subnet_ids=("subnet-a", "subnet-b")))
    assert (cloud.free_addresses, cloud.subnet_sizes) == ({"subnet-a": 0}, {"subnet-a": 1024})
    assert cloud.zones.keys() == {"subnet-a", "subnet-b"}


def test_quotas_and_what_runs(aws: FakeAws) -> None:
    """Of the families that share a quota, page by page."""
    aws.page = 2
    aws.quotas = {"L-34B43A08": 64.0, "L-1216C47A": 32.0}
    aws.running = {
        "i-1": ("m5.large", "", 1),
        "i-2": ("c6g.xlarge", "spot", 2),
        "i-3": ("g4dn.xlarge", "", 2),
        "i-4": ("inf2.xlarge", "", 2),
        "i-5": ("t3.micro", "scheduled", 1),
    }
    cloud = read(AwsQuery(region=REGION, markets=("spot", "on-demand")))
    assert cloud.quotas == {"spot": 64.0, "on-demand": 32.0}
    assert cloud.running == {"i-1": ("on-demand", 2), "i-2": ("spot", 4), "i-5": ("on-demand", 2)}
    assert aws.actions.count("DescribeInstances") == 3


@pytest.mark.parametrize(
    ("call", "part", "reply"),
    [
        ("GetServiceQuota", "quotas", eks_error(400, "AccessDeniedException")),
        ("DescribeInstances", "running", ec2_error(403, "UnauthorizedOperation")),
    ],
)
def test_quota_that_is_denied_is_a_gap(aws: FakeAws, call: str, part: str, reply: Reply) -> None:
    """With the right that is missing."""
    aws.quotas = {"L-34B43A08": 64.0}
    aws.replies[call] = reply
    cloud = read(AwsQuery(region=REGION, markets=("spot",)))
    action = {"quotas": "servicequotas:GetServiceQuota", "running": "ec2:DescribeInstances"}[part]
    assert cloud.gaps == {part: Gap(GapCode.AWS_DENIED, {"action": action})}


def test_unknown_subnet_loses_no_other(aws: FakeAws) -> None:
    """The gap names it."""
    cloud = read(AwsQuery(region=REGION, subnet_ids=("subnet-a", "subnet-gone")))
    assert cloud.zones == {"subnet-a": "eu-west-1a"}
    assert cloud.gaps["zones"] == Gap(GapCode.NO_SUBNETS, {"subnets": ["subnet-gone"]})


def test_patterns_stand_for_all_types_that_they_match(aws: FakeAws) -> None:
    """Architectures are in Kubernetes' words, GPUs are counted, and a type that the region lacks is left out."""
    aws.page = 1
    cloud = read(AwsQuery(region=REGION, instance_types=("m5.*", "m6g.large", "g4dn.12xlarge", "x9.huge")))
    assert cloud.gaps == {}
    assert cloud.machines == {
        "m5.large": InstanceTypeSpec(resources=Resources(milli_cpu=2000, memory_mib=8192)),
        "m5.xlarge": InstanceTypeSpec(resources=Resources(milli_cpu=4000, memory_mib=16384)),
        "m6g.large": InstanceTypeSpec(resources=Resources(milli_cpu=2000, memory_mib=8192), architectures=("arm64",)),
        "g4dn.12xlarge": InstanceTypeSpec(resources=Resources(milli_cpu=48000, memory_mib=196608, gpu=4)),
    }


def test_interfaces_and_attachments_of_a_type(aws: FakeAws) -> None:
    """What limits pods and volumes on its nodes; a type of which EC2 does not tell it has none."""
    aws.limits = {"m5.large": (3, 10, 28, "shared"), "m5.xlarge": (4, 15, 32, "dedicated")}
    large, xlarge = read(AwsQuery(region=REGION, instance_types=("m5.large", "m5.xlarge"))).machines.values()
    assert (large.interfaces, large.addresses_per_interface, large.attachments) == (3, 10, 28)
    assert (large.shares_attachments, large.instance_stores) == (True, 2)
    assert (xlarge.attachments, xlarge.shares_attachments) == (32, False)


def test_prices_of_types(aws: FakeAws) -> None:
    """By the hour, of the cluster's region; reservations and other units are not among them."""
    aws.prices = {"m5.large": [("Quantity", "9"), ("Hrs", "0.0000000000"), ("Hrs", "0.1070000000")]}
    cloud = read(AwsQuery(region=REGION, priced_types=("m5.large", "x9.huge")))
    assert (cloud.prices, cloud.gaps) == ({"m5.large": 0.107}, {})
    assert aws.actions == ["GetProducts", "GetProducts"]
    filters: Any = aws.asked[0].parameters["Filters"]
    assert {"Type": "TERM_MATCH", "Field": "regionCode", "Value": REGION} in filters


def test_many_types_are_asked_a_hundred_at_once(aws: FakeAws) -> None:
    """EC2 takes no more than 200 values of a filter."""
    aws.types = {f"t{number}.large": (2, 4096, 0, ("x86_64",)) for number in range(250)}
    cloud = read(AwsQuery(region=REGION, instance_types=tuple(aws.types)))
    assert cloud.machines.keys() == aws.types.keys()
    assert [len(asked.values("Filter.1.Value")) for asked in aws.asked] == [100, 100, 50]


def refusal(part: str, status: int, iam: str, eks: str, ec2: str) -> Reply:
    """Return a refusal in the words of the service that a part asks."""
    if part == "roles":
        return iam_error(status, iam)
    return eks_error(status, eks) if part == "access_entries" else ec2_error(status, ec2)


@pytest.mark.parametrize("part", ACTIONS)
def test_missing_right_is_a_gap_of_its_part_alone(aws: FakeAws, part: str) -> None:
    """The remedy is the IAM action to allow; the service's own words are not repeated."""
    call, action = ACTIONS[part]
    aws.replies[call] = refusal(part, 403, "AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
    cloud = read()
    assert cloud.gaps == {part: Gap(GapCode.AWS_DENIED, {"action": action})}
    answered = {"roles", "access_entries", "zones", "machines"} - {part}
    assert all(getattr(cloud, each) for each in answered)
    assert not getattr(cloud, part)


@pytest.mark.parametrize("part", ACTIONS)
def test_throttling_is_borne_once(aws: FakeAws, part: str) -> None:
    """One more try, then a gap."""
    call, action = ACTIONS[part]
    aws.replies[call] = refusal(part, 429, "Throttling", "ThrottlingException", "RequestLimitExceeded")
    cloud = read(PARTS[part])
    assert cloud.gaps.keys() == {part}
    assert (cloud.gaps[part].code, cloud.gaps[part].fields["action"]) == (GapCode.AWS_THROTTLED, action)
    assert aws.actions.count(call) == 2


@pytest.mark.parametrize("part", ACTIONS)
def test_refused_keys_are_told_from_missing_rights(aws: FakeAws, part: str) -> None:
    """No right would help."""
    codes = ("InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure")
    aws.replies[ACTIONS[part][0]] = refusal(part, 403, *codes)
    gap = read(PARTS[part]).gaps[part]
    assert gap.code is GapCode.AWS_CREDENTIALS_REFUSED


@pytest.mark.parametrize(
    "reply",
    [
        HTML,
        Reply(status=502, body=HTML.body),
        Reply(body=b"\x00\xff"),
        Reply(body=b"<a><b>1</b></a>"),
        Reply(body=b"[]", content_type="application/json"),
        Reply(status=400, body=f"<R><Error><Code>{SECRET_KEY} in clear</Code></Error></R>".encode()),
    ],
    ids=["html", "bad gateway", "bytes", "other XML", "other JSON", "code of two words"],
)
@pytest.mark.parametrize("part", ACTIONS)
def test_garbage_is_a_gap_or_nothing(aws: FakeAws, part: str, reply: Reply) -> None:
    """Whatever a proxy writes: no exception, nothing made up, nothing of it repeated."""
    aws.replies[ACTIONS[part][0]] = reply
    cloud = read(PARTS[part])
    assert not getattr(cloud, part)
    assert cloud.gaps.keys() <= {part}
    if part != "machines":
        assert part in cloud.gaps or cloud.access_entries == frozenset()


def test_item_without_what_it_is_for_is_a_gap(aws: FakeAws) -> None:
    """What was read before it is kept."""
    whole = "<item><instanceType>m5.large</instanceType>{}</item>".format(
        "<vCpuInfo><defaultVCpus>2</defaultVCpus></vCpuInfo><memoryInfo><sizeInMiB>8192</sizeInMiB></memoryInfo>"
    )
    half = "<item><instanceType>m5.huge</instanceType></item>"
    body = f"<R><instanceTypeSet>{whole}{half}</instanceTypeSet></R>".encode()
    aws.replies["DescribeInstanceTypes"] = Reply(body=body)
    cloud = read()
    assert cloud.machines == {"m5.large": InstanceTypeSpec(resources=Resources(milli_cpu=2000, memory_mib=8192))}
    assert cloud.gaps["machines"] == Gap(
        GapCode.AWS_UNUSABLE, {"action": "ec2:DescribeInstanceTypes", "error": "KeyError"}
    )


def test_nobody_listening_is_a_gap(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network's error is named by its kind."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    cloud = read()
    assert cloud.gaps.keys() == set(ACTIONS)
    assert {gap.code for gap in cloud.gaps.values()} == {GapCode.AWS_UNREACHABLE}


@pytest.mark.slow
def test_slow_part_is_left_behind_at_the_deadline(aws: FakeAws) -> None:
    """The others are answered; the slow one is a gap, and what comes of it later is there for who asks next."""
    reader = AwsReader()
    read(AwsQuery(region=REGION, subnet_ids=("subnet-b",)), reader=reader)  # warm: what is imported takes a moment
    held = threading.Event()

    def slow(asked: Asked) -> Reply | None:
        held.wait(PATIENCE)
        return None

    aws.replies["ListAccessEntries"] = slow
    with ends_soon():
        cloud = read(reader=reader, seconds=10.0)
    assert cloud.gaps == {"access_entries": failed_gap("AWS did not respond in time")}
    assert cloud.access_entries is None
    assert (len(cloud.roles), len(cloud.zones), len(cloud.machines)) == (1, 2, 1)
    held.set()
    assert read(reader=reader).gaps.keys() <= {"access_entries"}


def test_no_time_is_a_gap_and_no_request(aws: FakeAws) -> None:
    """What is known already is told nevertheless."""
    reader = AwsReader()
    assert read(reader=reader, seconds=0.0).gaps.keys() == set(ACTIONS)
    assert aws.asked == []
    whole = read(reader=reader)
    assert whole.gaps == {}
    assert read(reader=reader, seconds=0.0) == whole


def test_interruption_ends_the_wait(aws: FakeAws) -> None:
    """Ctrl-C wakes who waits for AWS."""
    ended = threading.Event()

    def interrupting(asked: Asked) -> Reply:
        ended.set()
        return aws.silence(asked)

    aws.replies["ListAccessEntries"] = interrupting
    with pytest.raises(InterruptedWaitError):
        AwsReader().read_facts(scope(ended=ended), QUESTION)


def test_nothing_is_asked_for_an_engine_that_is_gone(aws: FakeAws) -> None:
    """No thread is started, either."""
    before = threading.active_count()
    with pytest.raises(EngineGoneError):
        AwsReader().read_facts(scope(alive=lambda: False), QUESTION)
    assert threading.active_count() == before
    assert aws.asked == []


def test_answers_are_kept_for_ten_minutes_and_gaps_of_previews_for_half_a_minute(aws: FakeAws) -> None:
    """Part by part; another question asks for itself."""
    clock = Clock()
    reader = AwsReader(clock)
    aws.replies["ListAccessEntries"] = eks_error(403, "AccessDeniedException")
    first = read(reader=reader, short=True)
    del aws.replies["ListAccessEntries"]
    clock.now = FAILURES_KEPT
    aws.asked.clear()
    assert read(reader=reader, short=True) == first
    assert aws.asked == []
    clock.now = FAILURES_KEPT + 1
    assert read(reader=reader, short=True).gaps == {}
    assert aws.actions == ["ListAccessEntries", "DescribeAccessEntry"]
    read(AwsQuery(region=REGION, instance_profiles=("nodes", "team/gpu")), reader=reader)
    assert aws.actions[2:] == ["GetInstanceProfile", "GetInstanceProfile"]
    clock.now = KEPT + 1
    aws.asked.clear()
    read(reader=reader)
    assert sorted(aws.actions) == ["DescribeInstanceTypes", "DescribeSubnets", "GetInstanceProfile"]


def test_states_of_instances_are_asked_for_each_time(aws: FakeAws) -> None:
    """Whether a node still exists must be true now; one that EC2 has dropped is left out, page by page."""
    aws.instances = {"i-1": "running", "i-2": "terminated", "i-3": "running"}
    aws.page = 1
    reader = AwsReader()
    wanted = ["i-1", "i-2", "i-gone"]
    assert reader.read_instance_states(scope(), REGION, wanted) == {"i-1": "running", "i-2": "terminated"}
    aws.instances["i-1"] = "terminated"
    assert reader.read_instance_states(scope(), REGION, wanted)["i-1"] == "terminated"
    assert set(aws.actions) == {"DescribeInstances"}


def test_states_of_instances_that_cannot_be_read_prove_nothing(aws: FakeAws) -> None:
    """An answer in part would make a node seem to be gone."""
    aws.instances = {"i-1": "running"}
    aws.replies["DescribeInstances"] = ec2_error(403, "UnauthorizedOperation")
    assert AwsReader().read_instance_states(scope(), REGION, ["i-1", "i-2"]) == {}


def test_those_who_ask_at_once_share_an_answer(aws: FakeAws) -> None:
    """Twenty resources of a cluster ask once."""
    reader = AwsReader()
    found: list[AwsFacts] = []
    threads = [threading.Thread(target=lambda: found.append(read(reader=reader))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [found[0]] * 20
    assert not found[0].gaps
    assert len(aws.asked) == 5


def test_run_asks_again_where_a_preview_found_a_gap(aws: FakeAws) -> None:
    """It has more time; what the preview could read is kept."""
    reader = AwsReader()
    aws.replies["ListAccessEntries"] = Reply(status=503)
    assert reader.read_facts(scope(short=True), QUESTION).gaps.keys() == {"access_entries"}
    del aws.replies["ListAccessEntries"]
    aws.asked.clear()
    assert reader.read_facts(scope(short=True), QUESTION).gaps.keys() == {"access_entries"}
    assert aws.asked == []
    assert reader.read_facts(scope(), QUESTION).gaps == {}
    assert aws.actions == ["ListAccessEntries", "DescribeAccessEntry"]


def test_hanging_answer_is_not_waited_for_for_ever(aws: FakeAws) -> None:
    """After half a minute the next one asks anew."""
    clock = Clock()
    reader = AwsReader(clock)
    question = AwsQuery(region=REGION, eks_cluster="shop")
    aws.replies["ListAccessEntries"] = aws.silence
    assert read(question, reader=reader, seconds=0.5).gaps
    del aws.replies["ListAccessEntries"]
    clock.now = 30.0
    assert read(question, reader=reader) == AwsFacts(access_entries=frozenset({ENTRY}))


def test_without_boto3_the_gap_says_what_to_install(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is optional."""
    monkeypatch.setitem(sys.modules, "boto3.session", None)
    gaps = read().gaps
    assert gaps.keys() == set(ACTIONS)
    wanted = Gap(GapCode.NO_BOTO3, {"command": install_command("aws")})
    assert set(gaps.values()) == {wanted}


def without_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the keys out of the environment."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)


def test_without_credentials_nothing_is_waited_for(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even the service that has an instance's credentials, which outside of EC2 does not answer."""
    without_keys(monkeypatch)
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    connections: list[Any] = []
    with FakeSilence(connections) as silence:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", silence.url)
        with ends_soon():
            gaps = read(seconds=PATIENCE).gaps
    assert connections
    assert set(gaps.values()) == {Gap(GapCode.NO_AWS_CREDENTIALS)}
    assert aws.asked == []


class FakeSilence:
    """Takes connections and never answers."""

    def __init__(self, connections: list[Any]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections = connections
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def _accept(self) -> None:
        while True:
            try:
                self._connections.append(self._listener.accept()[0])
            except OSError:
                return

    def __enter__(self) -> FakeSilence:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE)
        for connection in self._connections:
            connection.close()


@pytest.mark.parametrize(
    ("profile", "error"),
    [
        ("gone", "ProfileNotFound"),
        ("helper", "CredentialRetrievalError"),
        ("denied", "AccessDenied"),
        ("mfa", "PermissionError"),
    ],
)
def test_credentials_that_cannot_be_used_are_gaps_of_all_parts(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, profile: str, error: str
) -> None:
    """What a helper prints is not repeated, a role that may not be taken is no missing right, nobody is prompted."""
    without_keys(monkeypatch)
    helper = tmp_path / "helper.py"
    helper.write_text(f"import sys\nsys.exit({SECRET_KEY!r})\n")
    role = f"role_arn = arn:aws:iam::{ACCOUNT}:role/reader\nsource_profile = base\n"
    config = (
        f"[profile helper]\ncredential_process = {sys.executable} {helper}\n"
        f"[profile base]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
        f"[profile denied]\n{role}[profile mfa]\n{role}mfa_serial = arn:aws:iam::{ACCOUNT}:mfa/me\n"
    )
    (tmp_path / "config").write_text(config)
    monkeypatch.setenv("AWS_PROFILE", profile)
    aws.replies["AssumeRole"] = iam_error(403, "AccessDenied")
    gaps = read().gaps
    assert gaps.keys() == set(ACTIONS)
    assert set(gaps.values()) == {Gap(GapCode.AWS_CREDENTIALS_UNUSABLE, {"error": error})}
    assert set(aws.actions) <= {"AssumeRole"}


def test_half_of_the_keys_are_none(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key that is there is not repeated."""
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert set(read().gaps.values()) == {Gap(GapCode.AWS_CREDENTIALS_UNUSABLE, {"error": "PartialCredentialsError"})}


def test_unknown_region_is_a_gap(aws: FakeAws) -> None:
    """Nor may one be made up of what the service says."""
    assert read(AwsQuery(region="", subnet_ids=("subnet-a",))).gaps == {"zones": Gap(GapCode.NO_REGION)}
    gap = read(AwsQuery(region="evil.example/", subnet_ids=("subnet-a",))).gaps["zones"]
    assert gap == Gap(GapCode.AWS_UNUSABLE, {"action": "ec2:DescribeSubnets", "error": "InvalidRegionError"})
    assert aws.asked == []


def test_names_of_someone_else_stay_on_one_line(aws: FakeAws) -> None:
    """They come from Spot."""
    question = AwsQuery(region=REGION, instance_profiles=("a\nb",), subnet_ids=("s\n1",), eks_cluster="c\r\nd")
    gaps = read(question).gaps
    assert describe_gap(gaps["roles"]).reason == "instance profile a b does not exist"
    assert describe_gap(gaps["access_entries"]).reason == "EKS cluster c d does not exist in eu-west-1"
    assert describe_gap(gaps["zones"]).reason == "no such subnet: s 1"


def test_importing_the_reader_brings_no_boto3() -> None:
    """Nor does making one: the plugin starts often."""
    code = "from ocean_migration_pulumi.aws import AwsReader; AwsReader(); import sys; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True)
    names = {name.partition(".")[0] for name in found.stdout.decode().split()}
    assert "ocean_migration_pulumi" in names
    assert not names & {"boto3", "botocore", "httpx", "pulumi"}
