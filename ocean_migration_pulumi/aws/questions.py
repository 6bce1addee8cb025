"""The calls to AWS for each part of ``AwsFacts``, and for the states of instances; all of them only read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any, Final

from ocean_migration_pulumi.aws.access import gap_for_error
from ocean_migration_pulumi.migration.scheduling.aws_facts import ON_DEMAND, SPOT, InstanceTypeSpec, is_standard_type
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import Resources
from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode

_CHUNK: Final = 100
QUOTA_CODES: Final = {SPOT: "L-34B43A08", ON_DEMAND: "L-1216C47A"}
_PRICES_REGION: Final = "us-east-1"
"""Where AWS tells the prices of all its commercial regions."""
_PRICED: Final = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "licenseModel": "No License required",
}
_ASG_TAG: Final = "aws:autoscaling:groupName"
_ALIVE: Final = frozenset({"pending", "running"})
_ARCHITECTURES: Final = {"x86_64": "amd64", "arm64": "arm64"}


Answers = Iterator[tuple[str, Any] | Gap]
"""The answers to a request as they arrive: a value by its name, or why something is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsRequest:
    """How one part of ``AwsFacts`` is read."""

    service: str
    """Name of the client in boto3."""
    action: str
    """The IAM action that the call needs."""
    ask: Callable[[Any, tuple[str, ...]], Answers] = field(repr=False)
    """Asks a client about names."""
    region: str = ""
    """Where it is read; empty for the region of the cluster."""


def _roles(client: Any, profiles: tuple[str, ...]) -> Answers:
    """Find the role of each instance profile, which is given by name or ARN."""
    for profile in profiles:
        name = profile.rpartition("/")[2]
        fields = {"profile": name}
        try:
            answer = client.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
        except client.exceptions.NoSuchEntityException:
            yield Gap(GapCode.NO_INSTANCE_PROFILE, fields)
            continue
        except client.exceptions.ClientError as error:
            yield gap_for_error(error, "iam:GetInstanceProfile")
            continue
        roles = [role["Arn"] for role in answer.get("Roles", ())]
        if profile.startswith("arn:") and answer.get("Arn") != profile:
            yield Gap(GapCode.INSTANCE_PROFILE_OF_OTHER_ACCOUNT, fields)
        elif not roles:
            yield Gap(GapCode.INSTANCE_PROFILE_WITHOUT_ROLE, fields)
        else:
            yield profile, roles[0]


def _access_entries(client: Any, clusters: tuple[str, ...]) -> Answers:
    """Find the principals of all access entries of the one cluster."""
    (cluster,) = clusters
    try:
        for page in client.get_paginator("list_access_entries").paginate(clusterName=cluster):
            for principal in page.get("accessEntries", ()):
                yield principal, None
    except client.exceptions.ResourceNotFoundException:
        yield Gap(GapCode.NO_EKS_CLUSTER, {"cluster": cluster, "region": client.meta.region_name})
    except client.exceptions.InvalidRequestException as error:
        # A cluster in the mode CONFIG_MAP has no access entries, and that is all there is to know.
        if "authentication mode" not in str(error):
            raise


def _entry_types(client: Any, names: tuple[str, ...]) -> Answers:
    """Find the types of access entries; the first name is the cluster, the others are principals."""
    cluster, *principals = names
    for principal in principals:
        with suppress(client.exceptions.ResourceNotFoundException):  # deleted since they were listed
            answer = client.describe_access_entry(clusterName=cluster, principalArn=principal)
            yield principal, answer["accessEntry"]["type"]


def _authentication_mode(client: Any, clusters: tuple[str, ...]) -> Answers:
    """Find the authentication mode of the one cluster."""
    (cluster,) = clusters
    # Clusters from before there were access entries have no such field.
    access = client.describe_cluster(name=cluster)["cluster"].get("accessConfig", {})
    yield cluster, access.get("authenticationMode", "CONFIG_MAP")


def _zones(client: Any, subnet_ids: tuple[str, ...]) -> Answers:
    """Find the availability zone of each subnet, how many addresses it has left, and how many it has."""
    unknown = set(subnet_ids)
    # Asked by id, one that does not exist would lose all the others.
    for subnet in _pages(client, "describe_subnets", "Subnets", "subnet-id", subnet_ids):
        free, block = subnet.get("AvailableIpAddressCount"), subnet.get("CidrBlock")
        size = ip_network(block, strict=False).num_addresses if block else None
        unknown.discard(subnet["SubnetId"])
        yield subnet["SubnetId"], (subnet["AvailabilityZone"], free, size)
    if unknown:
        yield Gap(GapCode.NO_SUBNETS, {"subnets": sorted(unknown)})


def _machines(client: Any, types: tuple[str, ...]) -> Answers:
    """Find each instance type, and all that a pattern matches."""
    # Asked by name, one that does not exist would lose all the others.
    for each in _pages(client, "describe_instance_types", "InstanceTypes", "instance-type", types):
        gpus = each.get("GpuInfo", {}).get("Gpus", ())
        network, storage = each.get("NetworkInfo", {}), each.get("EbsInfo", {})
        disks = each.get("InstanceStorageInfo", {}).get("Disks", ())
        architectures = each.get("ProcessorInfo", {}).get("SupportedArchitectures", ("x86_64",))
        spec = InstanceTypeSpec(
            resources=Resources(
                milli_cpu=1000 * each["VCpuInfo"]["DefaultVCpus"],
                memory_mib=each["MemoryInfo"]["SizeInMiB"],
                gpu=sum(gpu.get("Count", 0) for gpu in gpus),
            ),
            architectures=tuple(_ARCHITECTURES[name] for name in architectures if name in _ARCHITECTURES),
            interfaces=network.get("MaximumNetworkInterfaces"),
            addresses_per_interface=network.get("Ipv4AddressesPerInterface"),
            attachments=storage.get("MaximumEbsAttachments"),
            shares_attachments=storage.get("AttachmentLimitType", "shared") == "shared",
            instance_stores=sum(disk.get("Count", 0) for disk in disks),
        )
        yield each["InstanceType"], spec


def _instances(client: Any, instance_ids: tuple[str, ...]) -> Answers:
    """Find the state of each instance; EC2 drops one an hour after its termination."""
    # Asked by id, one that does not exist would lose all the others.
    for reservation in _pages(client, "describe_instances", "Reservations", "instance-id", instance_ids):
        for each in reservation.get("Instances", ()):
            yield each["InstanceId"], each["State"]["Name"]


def _launch_times(client: Any, asg_names: tuple[str, ...]) -> Answers:
    """Find when each instance of these Auto Scaling Groups was launched that starts or runs."""
    # EC2 takes a wildcard in the value of a filter: only names that are equal count.
    for reservation in _pages(client, "describe_instances", "Reservations", f"tag:{_ASG_TAG}", asg_names):
        for each in reservation.get("Instances", ()):
            tags = {tag["Key"]: tag["Value"] for tag in each.get("Tags", ())}
            if tags.get(_ASG_TAG) in asg_names and each["State"]["Name"] in _ALIVE:
                yield each["InstanceId"], each["LaunchTime"]


def _quotas(client: Any, markets: tuple[str, ...]) -> Answers:
    """Find how many vCPUs of standard instances the account may run in each market."""
    for market in markets:
        answer = client.get_service_quota(ServiceCode="ec2", QuotaCode=QUOTA_CODES[market])
        yield market, answer["Quota"]["Value"]


def _running(client: Any, markets: tuple[str, ...]) -> Answers:
    """Find market and vCPUs of each running instance of the families that share a quota."""
    filters = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    for page in client.get_paginator("describe_instances").paginate(Filters=filters):
        for each in (instance for reservation in page.get("Reservations", ()) for instance in reservation["Instances"]):
            if is_standard_type(each["InstanceType"]):
                market = SPOT if each.get("InstanceLifecycle") == SPOT else ON_DEMAND
                options = each["CpuOptions"]
                yield each["InstanceId"], (market, options["CoreCount"] * options["ThreadsPerCore"])


def _prices(client: Any, names: tuple[str, ...]) -> Answers:
    """Find what an hour of each instance type costs; the first name is the region, the others are types."""
    region, *types = names
    for kind in types:
        wanted = {"regionCode": region, "instanceType": kind, **_PRICED}
        filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in wanted.items()]
        for page in client.get_paginator("get_products").paginate(ServiceCode="AmazonEC2", Filters=filters):
            for product in map(json.loads, page.get("PriceList", ())):
                for price in _hourly_prices(product):
                    yield kind, price


def _hourly_prices(product: dict[str, Any]) -> Iterator[float]:
    for offer in product["terms"].get("OnDemand", {}).values():
        for dimension in offer["priceDimensions"].values():
            price = float(dimension["pricePerUnit"].get("USD", 0))
            if dimension["unit"] == "Hrs" and price > 0:
                yield price


def _pages(client: Any, operation: str, items: str, name: str, values: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Return what a filter lets through; AWS takes 200 values of one at once."""
    for start in range(0, len(values), _CHUNK):
        filters = [{"Name": name, "Values": list(values[start : start + _CHUNK])}]
        for page in client.get_paginator(operation).paginate(Filters=filters):
            yield from page.get(items, ())


PARTS: Final = {
    "roles": AwsRequest(service="iam", action="iam:GetInstanceProfile", ask=_roles),
    "access_entries": AwsRequest(service="eks", action="eks:ListAccessEntries", ask=_access_entries),
    "entry_types": AwsRequest(service="eks", action="eks:DescribeAccessEntry", ask=_entry_types),
    "authentication_mode": AwsRequest(service="eks", action="eks:DescribeCluster", ask=_authentication_mode),
    "zones": AwsRequest(service="ec2", action="ec2:DescribeSubnets", ask=_zones),
    "machines": AwsRequest(service="ec2", action="ec2:DescribeInstanceTypes", ask=_machines),
    "quotas": AwsRequest(service="service-quotas", action="servicequotas:GetServiceQuota", ask=_quotas),
    "running": AwsRequest(service="ec2", action="ec2:DescribeInstances", ask=_running),
    "prices": AwsRequest(service="pricing", action="pricing:GetProducts", ask=_prices, region=_PRICES_REGION),
    "launch_times": AwsRequest(service="ec2", action="ec2:DescribeInstances", ask=_launch_times),
    "instances": AwsRequest(service="ec2", action="ec2:DescribeInstances", ask=_instances),
}
