"""Import clusters and Virtual Node Groups from groups of nodes: from Spot's import calls, and from AWS for the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from ocean_migration_pulumi.api.models.user_data import UserData
from ocean_migration_pulumi.common.text import list_some, sanitize
from ocean_migration_pulumi.component.importing import aws_sources
from ocean_migration_pulumi.component.importing.aws_sources import NodesGroup
from ocean_migration_pulumi.component.importing.builder import NODES_NEED, PROGRAM, ConfigurationBuilder
from ocean_migration_pulumi.component.importing.conversion import Converted, convert_cluster, convert_vng
from ocean_migration_pulumi.component.importing.field_rules import Left, at, is_nothing
from ocean_migration_pulumi.component.importing.spotinst_fields import CLUSTER, GROUP, TEMPLATE, instance_profile
from ocean_migration_pulumi.component.importing.user_data import has_group_labels, remove_group_labels
from ocean_migration_pulumi.errors import (
    ClusterNotFoundError,
    NotFoundError,
    OceanMigrationError,
    RequestRejectedError,
    SourceGoneError,
)
from ocean_migration_pulumi.migration.checks.user_data import NodeRegistration, read_user_data
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import Taint

if TYPE_CHECKING:
    from pulumi import InvokeOptions

    from ocean_migration_pulumi.api.client import OceanClient

T = TypeVar("T")

_GONE = re.compile(
    r"(group|asg)\W.*(not[ _]?found|(doesn'?t|does[ _]not)[ _]exist)|CANT_GET_(AUTO_SCALING|EKS_NODE)_GROUP",
    re.IGNORECASE,
)
"""What Spot may say of a group that is not there: its words for that are in no API reference."""
_WHITELIST = "compute.instanceTypes.whitelist"
_SPOT_SHARE = "strategy.spotPercentage"
_BUILT_IN_LABELS = re.compile(
    r"(kubernetes\.io|(beta|topology|node|failure-domain\.beta)\.kubernetes\.io|spotinst\.io|eks\.amazonaws\.com)/.*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoScalingGroupSource:
    """An Auto Scaling Group to import from."""

    name: str

    def __str__(self) -> str:
        return f"Auto Scaling Group {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroupSource:
    """A managed node group of an EKS cluster to import from."""

    name: str
    eks_cluster: str

    def __str__(self) -> str:
        return f"EKS node group {self.name}"


Source = AutoScalingGroupSource | NodeGroupSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """An imported configuration."""

    arguments: dict[str, Any]
    """Keyword arguments of a resource of pulumi_spotinst."""
    lines: tuple[str, ...] = ()
    """What was imported from where, a line each."""
    warnings: tuple[str, ...] = ()
    """What was left behind or may be wrong, and what to do, a line each."""


def import_cluster(
    client: OceanClient,
    source: Source,
    *,
    eks_cluster: str,
    region: str | None = None,
    name: str | None = None,
    declared: Collection[str] = (),
    options: InvokeOptions | None = None,
) -> Imported:
    """Return the arguments of an Ocean cluster like a group of nodes of an EKS cluster.

    ``region`` None is that of the AWS provider, ``name`` None is the one that Spot proposes. ``declared`` are the
    arguments that the program sets itself: nothing is said of those. ``options`` name the AWS provider to ask with.
    Raises SourceGoneError when the group does not exist, and any other OceanMigrationError when something cannot be
    asked or no cluster can be made of the answers.
    """
    asked_for = PROGRAM if region else "the AWS provider"
    region = region or aws_sources.region_of(options)
    known: NodesGroup | None = None
    group = source.name
    if isinstance(source, NodeGroupSource):
        known = aws_sources.node_group(source.eks_cluster, source.name, region, options)
        group = known.auto_scaling_group
    if isinstance(source, NodeGroupSource) and not group:
        document, origin = _document_without_group(client, source, region), str(source)
    else:
        document = _asked(source, lambda: client.import_cluster_from_asg(group, region))
        origin = f"Auto Scaling Group {group}"
    draft = ConfigurationBuilder(
        document=document,
        origin=f"{origin}, by Spot's import",
        template=f"{TEMPLATE}.",
        table=CLUSTER,
        declared=declared,
    )
    draft.put(
        "controllerClusterId",
        eks_cluster,
        ("the name of the EKS cluster, because Spot creates another one at each import"),
    )
    draft.fill("region", region, asked_for)
    if name:
        draft.put("name", name, PROGRAM)
    draft.leave(
        "capacity.target",
        "it is the current number of instances of the group",
        "no action needed: Ocean launches what the pods need",
    )
    if at(draft.document, "capacity.maximum") == 0:
        draft.leave("capacity.maximum", "it is 0, and Ocean would launch no node", "set max_size to limit the cluster")
    if minimum := at(draft.document, "capacity.minimum"):
        # The provider sends a target of 0 when it is left out, which Spot refuses below the minimum.
        draft.put("capacity.target", minimum, PROGRAM)
    if draft.lacks(*NODES_NEED) or is_nothing(at(draft.document, "compute.subnetIds")):
        known = known or aws_sources.auto_scaling_group(group, region, options)
        draft.fill("compute.subnetIds", list(known.subnet_ids), str(source))
        draft.fill_from(known.template)
    if known is not None:
        draft.warn_of_template(known.template)
        _leave_purchase(draft, known, "Ocean's default")
    types = known.instance_types if known else ()
    if types and is_nothing(at(draft.document, _WHITELIST)):
        reason = f"the group's {list_some(types)} would limit every Virtual Node Group of the cluster"
        draft.left.append(Left(path=_WHITELIST, reason=reason, remedy="set instance types if you want that"))
    draft.warn_of_lacks()
    _adapt_user_data(draft, source, known)
    return _finished(draft, source, convert_cluster, ("subnet_ids", "image_id", "security_groups"))


def import_vng(
    client: OceanClient,
    source: Source,
    *,
    region: str | None = None,
    ocean_id: str | None = None,
    name: str | None = None,
    declared: Collection[str] = (),
    options: InvokeOptions | None = None,
) -> Imported:
    """Return the arguments of a Virtual Node Group like a group of nodes, with its labels and taints.

    ``ocean_id`` None is for a cluster that does not exist yet, so that ``ocean_id`` is not among the arguments; a
    program that makes the cluster itself passes None always, as the two ways may not tell the same. ``name`` None is
    the name of the source. ``region``, ``declared``, ``options`` and errors are those of ``import_cluster``.
    """
    region = region or aws_sources.region_of(options)
    name = name or source.name
    if isinstance(source, NodeGroupSource):
        known = aws_sources.node_group(source.eks_cluster, source.name, region, options)
    else:
        known = aws_sources.auto_scaling_group(source.name, region, options)
    labels = [{"key": key, "value": value} for key, value in known.labels.items() if not _BUILT_IN_LABELS.match(key)]
    document = _group_document(client, source, region=region, ocean_id=ocean_id, name=name, labels=labels, known=known)
    draft = ConfigurationBuilder(
        document=document, origin=f"{source}, by Spot's import", table=GROUP, declared=declared
    )
    draft.put("name", name, PROGRAM)
    # Without a cluster, or asked by region, Spot may name any: which one it is, only the program knows.
    draft.put("oceanId", ocean_id, PROGRAM)
    if labels:
        draft.put("labels", labels, known.labels_origin)
    if known.taints:
        draft.put("taints", [dict(taint) for taint in known.taints], known.labels_origin)
    built_in = sorted(key for key in known.labels if _BUILT_IN_LABELS.match(key))
    if built_in:
        reason = f"{list_some(built_in)}: labels that Kubernetes, EKS or Spot set themselves"
        draft.left.append(
            Left(path="labels", reason=reason, remedy=("no action needed, unless a pod selects nodes by them"))
        )
    draft.fill("subnetIds", list(known.subnet_ids), str(source))
    draft.fill("instanceTypes", list(known.instance_types), known.types_origin or str(source))
    if known.has_requirements and not draft.declares("instanceTypesFilters"):
        reason = "the group selects instance types by their attributes"
        remedy = "set `instance_types` or `instance_types_filters`"
        draft.left.append(Left(path="instanceTypes", reason=reason, remedy=remedy))
    if known.other_templates:
        templates = list_some(list(known.other_templates))
        draft.warn("imageId", f"the group also uses {templates}, not copied: declare a Virtual Node Group like it")
    if draft.lacks(*NODES_NEED):
        draft.fill_from(known.template)
    draft.warn_of_template(known.template)
    _leave_purchase(draft, known, "the cluster's")
    _adapt_user_data(draft, source, known)
    return _finished(draft, source, convert_vng, ())


def _leave_purchase(draft: ConfigurationBuilder, known: NodesGroup, instead: str) -> None:
    """Say what the group runs On-Demand, unless Spot's import has a share: Ocean has no On-Demand base to copy to."""
    if known.purchase and is_nothing(at(draft.document, _SPOT_SHARE)):
        remedy = f"set `spot_percentage`, else {instead} applies"
        draft.left.append(Left(path=_SPOT_SHARE, reason=f"the group runs {known.purchase}", remedy=remedy))


def _adapt_user_data(draft: ConfigurationBuilder, source: Source, known: NodesGroup | None) -> None:
    """Take labels of a managed node group out of the user data, and warn of labels and taints that it does not set."""
    path = f"{draft.template}userData"
    if is_nothing(at(draft.document, path)):
        return
    user_data = UserData.decode(str(at(draft.document, path)))
    if user_data is None:
        draft.warn(
            path, f"user data of {source} cannot be read, as it is not text in base64: check its labels and taints"
        )
        return
    adapted = remove_group_labels(user_data.text)
    if adapted != user_data.text:
        encoded = replace(user_data, text=adapted).encode()
        draft.put(path, encoded, draft.origins.get(path, draft.origin))
        draft.warn(
            path,
            "labels of the node group (eks.amazonaws.com/...) are removed from user data, because Ocean's nodes are in "
            "no node group; no action needed, unless a pod selects nodes by them",
        )
    if has_group_labels(adapted):
        draft.warn(
            path,
            "user data has labels of a node group (eks.amazonaws.com/nodegroup) in a form that is not adapted: remove "
            "them, because Ocean's nodes are in no node group",
        )
    if known is not None:
        _compare_user_data(draft, path, read_user_data(adapted), known)


def _compare_user_data(
    draft: ConfigurationBuilder, path: str, registration: NodeRegistration, known: NodesGroup
) -> None:
    """Warn of labels and taints of a group that its user data does not set, unless the program sets others."""
    labels = [
        f"{key}={value}"
        for key, value in known.labels.items()
        if not _BUILT_IN_LABELS.match(key) and registration.labels.get(key) != value
    ]
    taints = [
        f"{taint['key']}={taint['value']}:{taint['effect']}"
        for taint in known.taints
        if Taint(**taint) not in registration.taints
    ]
    is_read = registration.is_known and registration.is_complete
    for kind, flag, missing in (("labels", "--node-labels", labels), ("taints", "--register-with-taints", taints)):
        if not missing or draft.declares(kind):
            continue
        what = f"the {kind} {list_some(missing)} of {known.labels_origin}"
        if is_read:
            remedy = f"nodes join without them. Add them to {flag} in user_data"
            draft.warn(path, f"user data does not set {what}: {remedy}")
        else:
            draft.warn(path, f"user data is of a form that cannot be read: check that it sets {what}")


def _document_without_group(client: OceanClient, source: NodeGroupSource, region: str) -> dict[str, Any]:
    """Return what a node group without any Auto Scaling Group tells of a cluster."""
    found = _asked(source, lambda: client.import_vng_from_node_group(source.eks_cluster, source.name, region=region))
    # A cluster has these in other places, or not at all; the types of instances are known of AWS.
    elsewhere = {"name", "oceanId", "subnetIds", "instanceTypes"}
    template = {name: part for name, part in found.items() if name not in elsewhere}
    compute = {"subnetIds": found.get("subnetIds"), "launchSpecification": template}
    return {"name": source.name, "compute": compute}


def _group_document(
    client: OceanClient,
    source: Source,
    *,
    region: str,
    ocean_id: str | None,
    name: str,
    labels: Sequence[Mapping[str, str]],
    known: NodesGroup,
) -> dict[str, Any]:
    """Return the service's configuration of a Virtual Node Group, without a cluster from that of a cluster."""
    if isinstance(source, NodeGroupSource):
        where = {"ocean_id": ocean_id} if ocean_id else {"region": region}
        return _asked(
            source,
            lambda: client.import_vng_from_node_group(
                source.eks_cluster, source.name, name=name, labels=labels, **where
            ),
        )
    if ocean_id:
        return _asked(
            source,
            lambda: client.import_vng_from_asg(source.name, ocean_id, name=name, labels=labels, taints=known.taints),
        )
    cluster = _asked(source, lambda: client.import_cluster_from_asg(source.name, region))
    return {**(at(cluster, TEMPLATE) or {}), "subnetIds": at(cluster, "compute.subnetIds")}


def _asked(source: Source, ask: Callable[[], T]) -> T:
    try:
        return ask()
    except ClusterNotFoundError:
        raise
    except (NotFoundError, RequestRejectedError) as exc:
        if isinstance(exc, RequestRejectedError) and not _GONE.search(f"{exc.code} {exc.reason}"):
            raise
        raise SourceGoneError(f"{source} does not exist, according to Spot's import: {exc}") from exc


def _finished(
    draft: ConfigurationBuilder,
    source: Source,
    convert: Callable[[Mapping[str, Any]], Converted],
    required: Sequence[str],
) -> Imported:
    """Return the arguments, and all that is to be said about them."""
    draft.drop_reserved_tags()
    converted = convert(draft.document)
    missing = [name for name in required if name not in converted.arguments and name not in draft.declared]
    if missing:
        what = ", ".join(missing)
        msg = (
            f"{source}: neither Spot's import nor AWS reports {what}, which a cluster needs: set an existing "
            "`ocean_id` instead"
        )
        raise OceanMigrationError(msg)
    _warn_of_owned_profile(draft)
    left = [
        f"{part.path} is not copied: {part.reason}; {part.remedy}"
        for part in (*draft.left, *converted.left)
        if not draft.declares(part.path)
    ]
    return Imported(
        arguments=converted.arguments,
        lines=tuple(map(sanitize, draft.describe_origins(converted.taken))),
        warnings=tuple(map(sanitize, (*draft.warnings, *left))),
    )


def _warn_of_owned_profile(draft: ConfigurationBuilder) -> None:
    """Warn when the instance profile is one that EKS made for a managed node group."""
    path = f"{draft.template}iamInstanceProfile"
    name = (instance_profile(at(draft.document, path)) or "").rpartition("/")[2]
    if name.startswith("eks-"):
        draft.warn(
            path,
            f"instance profile {name} belongs to an EKS node group, and EKS deletes it with the node group: make one "
            "of your own for its role before you retire that",
        )
