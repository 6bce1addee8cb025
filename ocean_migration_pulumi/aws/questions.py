"""The calls to AWS for each part of ``AwsFacts``, and for the states of instances; all of them only read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any, Final

from ocean_migration_pulumi.aws.access import gap_for_error
from ocean_migration_pulumi.migration.scheduling.aws_facts import ON_DEMAND, SPOT, InstanceTypeSpec
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import Resources
from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode

_CHUNK: Final = 100
QUOTA_CODES: Final = {SPOT: "L-34B43A08", ON_DEMAND: "L-1216C47A"}
_STANDARD: Final = re.compile(r"[acdhimrtz]\d")
_PRICES_REGION: Final = "us-east-1"
"""Where AWS tells the prices of all its commercial regions."""
_PRICED: Final = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "licenseModel": "No License required",
}
_ARCHITECTURES: Final = {"x86_64": "amd64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsRequest:
    """How one part of ``AwsFacts`` is read."""

    service: str
    """Name of the client in boto3."""
    action: str
    """The IAM action that the call needs."""
    ask: Callable[[Any, tuple[str, ...], dict[str, Any]], Gap | None] = field(repr=False)
    """Fills a dictionary from a client and names, and returns the gap of what it could not find."""
    region: str = ""
    """Where it is read; empty for the region of the cluster."""


def _roles(client: Any, profiles: tuple[str, ...], found: dict[str, Any]) -> Gap | None:
    """Find the role of each instance profile, which is given by name or ARN."""
    gaps = []
    for profile in profiles:
        name = profile.rpartition("/")[2]
        fields = {"profile": name}
        try:
            answer = client.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
        except client.exceptions.NoSuchEntityException:
            gaps.append(Gap(GapCode.NO_INSTANCE_PROFILE, fields))
            continue
        except client.exceptions.ClientError as error:
            gaps.append(gap_for_error(error, "iam:GetInstanceProfile"))
            continue
        roles = [role["Arn"] for role in answer.get("Roles", ())]
        if profile.startswith("arn:") and answer.get("Arn") != profile:
            gaps.append(Gap(GapCode.INSTANCE_PROFILE_OF_OTHER_ACCOUNT, fields))
        elif not roles:
            gaps.append(Gap(GapCode.INSTANCE_PROFILE_WITHOUT_ROLE, fields))
        else:
            found[profile] = roles[0]
    return Gap.join(gaps)


def _access_entries(client: Any, clusters: tuple[str, ...], found: dict[str, Any]) -> Gap | None:
    """Find the principals of all access entries of the one cluster."""
    (cluster,) = clusters
    try:
        for page in client.get_paginator("list_access_entries").paginate(clusterName=cluster):
            found |= dict.fromkeys(page.get("accessEntries", ()))
    except client.exceptions.ResourceNotFoundException:
        return Gap(GapCode.NO_EKS_CLUSTER, {"cluster": cluster, "region": client.meta.region_name})
    except client.exceptions.InvalidRequestException as error:
        if "authentication mode" not in str(error):
            raise
        # A cluster in the mode CONFIG_MAP has no access entries, and that is all there is to know.
        found.clear()
    return None


def _entry_types(client: Any, names: tuple[str, ...], found: dict[str, Any]) -> Gap | None:
    """Find the types of access entries; the first name is the cluster, the others are principals."""
    cluster, *principals = names
    for principal in principals:
        with suppress(client.exceptions.ResourceNotFoundException):  # deleted since they were listed
            answer = client.describe_access_entry(clusterName=cluster, principalArn=principal)
            found[principal] = answer["accessEntry"]["type"]
    return None


def _authentication_mode(client: Any, clusters: tuple[str, ...], found: dict[str, Any]) -> Gap | None:
    """Find the authentication mode of the one cluster."""
    (cluster,) = clusters
    # Clusters from before there were access entries have no such field.
    access = client.describe_cluster(name=cluster)["cluster"].get("accessConfig", {})
    found[cluster] = access.get("authenticationMode", "CONFIG_MAP")
    return None


def _zones(client: Any, subnet_ids: tuple[str, ...], found: dict[str, Any]) -> Gap | None:
    """Find the availability zone of each subnet, how many addresses it has left, and how many it has."""
    # Asked by id, one that does not exist would lose all the others.
    for subnet in _pages(client, "describe_subnets", "Subnets", "subnet-id", subnet_ids):
        free, block = subnet.get("AvailableIpAddressCount"), subnet.get("CidrBlock")
        size = ip_network(block, strict=False).num_addresses if block else None
        found[subnet["SubnetId"]] = subnet["AvailabilityZone"], free, size
    unknown = sorted(set(subnet_ids) - found.keys())
    return Gap(GapCode.NO_SUBNETS, {"subnets": unknown}) if unknown else None


def _machines(client: Any, types: tuple[str, ...], found: dict[str, Any]) -> Gap | None:
    """Find each instance type, and all that a pattern matches."""
    # Asked by name, one that does not exist would lose all the others.
    for each in _pages(client, "describe_instance_types", "InstanceTypes", "instance-type", types):
        gpus = each.get("GpuInfo", {}).get("Gpus", ())
        network, storage = each.get("NetworkInfo", {}), each.get("EbsInfo", {})
        disks = each.get("InstanceStorageInfo", {}).get("Disks", ())
        architectures = each.get("ProcessorInfo", {}).get("SupportedArchitectures", ("x86_64",))
        found[each["InstanceType"]] = InstanceTypeSpec(
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
    return None


def _instances(client: Any, instance_ids: tuple[str, ...], found: dict[str, Any]) -> Gap | None:
    """Find the state of each instance; EC2 drops one an hour after its termination."""
    # Asked by id, one that does not exist would lose all the others.
    for reservation in _pages(client, "describe_instances", "Reservations", "instance-id", instance_ids):
        found |= {each["InstanceId"]: each["State"]["Name"] for each in reservation.get("Instances", ())}
    return None


def _quotas(client: Any, markets: tuple[str, ...], found: dict[str, Any]) -> Gap | None:
    """Find how many vCPUs of standard instances the account may run in each market."""
    for market in markets:
        answer = client.get_service_quota(ServiceCode="ec2", QuotaCode=QUOTA_CODES[market])
        found[market] = answer["Quota"]["Value"]
    return None


def _running(client: Any, markets: tuple[str, ...], found: dict[str, Any]) -> Gap | None:
    """Find market and vCPUs of each running instance of the families that share a quota."""
    filters = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    for page in client.get_paginator("describe_instances").paginate(Filters=filters):
        for each in (instance for reservation in page.get("Reservations", ()) for instance in reservation["Instances"]):
            if _STANDARD.match(each["InstanceType"]):
                market = SPOT if each.get("InstanceLifecycle") == SPOT else ON_DEMAND
                options = each["CpuOptions"]
                found[each["InstanceId"]] = market, options["CoreCount"] * options["ThreadsPerCore"]
    return None


def _prices(client: Any, names: tuple[str, ...], found: dict[str, Any]) -> Gap | None:
    """Find what an hour of each instance type costs; the first name is the region, the others are types."""
    region, *types = names
    for kind in types:
        wanted = {"regionCode": region, "instanceType": kind, **_PRICED}
        filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in wanted.items()]
        for page in client.get_paginator("get_products").paginate(ServiceCode="AmazonEC2", Filters=filters):
            for product in map(json.loads, page.get("PriceList", ())):
                for price in _hourly_prices(product):
                    found[kind] = price
    return None


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
    "instances": AwsRequest(service="ec2", action="ec2:DescribeInstances", ask=_instances),
}
