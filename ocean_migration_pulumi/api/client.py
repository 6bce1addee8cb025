"""OceanClient: Spot's Ocean API for Kubernetes on AWS, one method for each endpoint."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

from ocean_migration_pulumi.api import responses
from ocean_migration_pulumi.api.models import decode
from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, VirtualNodeGroup
from ocean_migration_pulumi.api.models.migration import (
    Candidate,
    Heartbeat,
    LogEntry,
    MigrationStatus,
    MigrationSummary,
)
from ocean_migration_pulumi.api.recording.recorder import Recorder
from ocean_migration_pulumi.api.recording.redaction import ExchangeObserver
from ocean_migration_pulumi.api.responses import CLUSTER, MIGRATION, ApiCall
from ocean_migration_pulumi.api.sender import Sender, answer_lost
from ocean_migration_pulumi.api.settings import Settings
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import InputError, MissingAccountError, ResponseError

MIGRATIONS = CLUSTER + "/migration"
DISCOVERY = CLUSTER + "/migration/discovery"
NODES = CLUSTER + "/nodes"
LOG = CLUSTER + "/log"
CLUSTERS = "/ocean/aws/k8s/cluster"
VIRTUAL_NODE_GROUPS = "/ocean/aws/k8s/launchSpec"
CLUSTER_IMPORT = CLUSTERS + "/autoScalingGroup/import"
VNG_IMPORT = VIRTUAL_NODE_GROUPS + "/autoScalingGroup/import"
NODE_GROUP_IMPORT = VIRTUAL_NODE_GROUPS + "/eksNodeGroup/import"
HEARTBEAT = "/ocean/k8s/cluster/{ocean_id}/controllerHeartbeat"

_Model = TypeVar("_Model")


class OceanClient:
    """Spot's Ocean API for Kubernetes on AWS; thread-safe.

    Every call is bounded by the client's scope, and sends the account when it is known. GETs, imports and the stop are
    retried, a create only while it provably had no effect.

    Every call raises an OceanMigrationError: MissingTokenError without a token; AuthenticationError,
    PermissionDeniedError, ClusterNotFoundError, MigrationNotFoundError, RateLimitError, RequestRejectedError or
    ServiceError when the service refuses; NoAnswerError without a response; ResponseError for a response that is not
    what Spot's API reference promises; OperationCancelled or DeadlineError when the scope ends.
    """

    def __init__(
        self, settings: Settings, *, base_scope: CancelScope | None = None, observers: Sequence[ExchangeObserver] = ()
    ) -> None:
        """Prepare the client; nothing is sent yet.

        Args:
            settings: Base URL, token and account.
            base_scope: Bounds the calls; None does not.
            observers: Called with each exchange after its end, in the order of the ends. The record of the settings is
                one more observer.

        Raises:
            SettingsError: The record cannot be written.
        """
        self.settings = settings
        self.account_id = settings.account_id
        self._scope = base_scope or CancelScope()
        self._recorder = None
        if settings.record is not None:
            self._recorder = Recorder(settings.record, name=settings.sources.get("record", "record"))
            observers = (*observers, self._recorder)
        self._sender = Sender(settings, observers)

    def within(self, scope: CancelScope) -> OceanClient:
        """Return this client with another scope; connections, token and rate limits are shared."""
        view = copy.copy(self)
        view._scope = scope
        return view

    def close(self) -> None:
        """Close the connections and the record, for all views of ``within``, too."""
        self._sender.close()
        if self._recorder is not None:
            self._recorder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"OceanClient(base_url={self.settings.base_url!r}, account_id={self.account_id!r})"

    @property
    def observer_trouble(self) -> Exception | None:
        """The first error of an observer, such as a record that could not be written; None without one."""
        return self._sender.observation.trouble

    def server_now(self) -> datetime:
        """Return the local time corrected by the ``Date`` of the service's last answer, in UTC."""
        return self._sender.server_now()

    def list_migrations(self, ocean_id: str) -> tuple[MigrationSummary, ...]:
        """Return the cluster's migrations, running and ended ones.

        One that the service lists more than once has ended only if all its entries say so.
        """
        found = self._get_all(MIGRATIONS, MigrationSummary.from_api, ocean_id=ocean_id)
        ended_first = sorted(found, key=lambda summary: not summary.is_terminal)
        by_id = {summary.id: summary for summary in ended_first}
        return tuple(by_id[name] for name in dict.fromkeys(summary.id for summary in found))

    def get_migration(self, ocean_id: str, migration_id: str) -> MigrationStatus:
        """Return the status of one migration; that of another one, or of another cluster, is no response."""

        def read(item: Any) -> MigrationStatus:
            status = MigrationStatus.from_api(item)
            if status.id != migration_id or status.ocean_id not in {"", ocean_id}:
                raise decode.wrong(f"the status of migration {migration_id} is that of another one")
            return status

        return self._get(MIGRATION, read, ocean_id=ocean_id, migration_id=migration_id)

    def create_migration(
        self,
        ocean_id: str,
        instance_ids: Sequence[str],
        *,
        batch_size_percentage: int,
        should_terminate_drained_nodes: bool,
        should_evict_stand_alone_pods: bool,
        force_pod_eviction_on_pdb_failure: bool,
    ) -> str:
        """Start a migration and return its id.

        Args:
            ocean_id: The cluster.
            instance_ids: Nodes to migrate, one or more.
            batch_size_percentage: Nodes of a batch, in percent of the migration's nodes.
            should_terminate_drained_nodes: Terminate nodes once they are drained.
            should_evict_stand_alone_pods: Evict standalone pods, too.
            force_pod_eviction_on_pdb_failure: Evict pods that a PodDisruptionBudget blocks.

        Raises:
            AnswerLostError: The migration may have started, but no id arrived. Search the list before starting another
                one. Any other error means that none was started.
        """
        if not instance_ids:
            raise InputError("instance_ids", "names no instance")
        migration = {
            "instanceIds": list(instance_ids),
            "shouldTerminateDrainedNodes": should_terminate_drained_nodes,
            "shouldEvictStandAlonePods": should_evict_stand_alone_pods,
            "forcePodEvictionOnPdbFailure": force_pod_eviction_on_pdb_failure,
            "batchSizePercentage": batch_size_percentage,
        }
        call = self._write("POST", MIGRATIONS, {"migration": migration}, ocean_id=ocean_id)
        try:
            return self._one(call, _created_id)
        except ResponseError as exc:
            raise answer_lost(exc) from exc

    def stop_migration(
        self, ocean_id: str, migration_id: str, *, should_terminate_drained_nodes: bool = False
    ) -> MigrationSummary:
        """Ask a migration to stop after its current batch; poll its status for the end. Safe to repeat.

        Args:
            ocean_id: The cluster.
            migration_id: The migration.
            should_terminate_drained_nodes: Terminate the nodes that are drained by then.
        """
        migration = {"state": "STOPPED", "shouldTerminateDrainedNodes": should_terminate_drained_nodes}
        call = self._write("PUT", MIGRATION, {"migration": migration}, ocean_id=ocean_id, migration_id=migration_id)
        return self._one(call, MigrationSummary.from_api)

    def discover(self, ocean_id: str, *, fetch_pods: bool = True) -> tuple[Candidate, ...]:
        """Return the candidates; ``fetch_pods`` asks for their number of pods, too."""
        call = self._call(DISCOVERY, {"shouldFetchPods": "true" if fetch_pods else "false"}, ocean_id=ocean_id)
        data = self._sender.send(call, self._scope)
        found: list[Any] = []
        for item in responses.response_items(call, data):
            nested = item.get("instances", item) if isinstance(item, dict) else item
            # The API reference nests the nodes of AWS and lists those of AKS flat.
            if isinstance(nested, list):
                found += nested
            elif nested is not None:
                found.append(nested)
        candidates = _read_all(call, data, found, Candidate.from_api)
        return tuple({candidate.instance_id: candidate for candidate in candidates}.values())

    def list_nodes(self, ocean_id: str, *, virtual_node_group_id: str | None = None) -> tuple[ClusterNode, ...]:
        """Return the nodes that Ocean runs, all of them or those of one Virtual Node Group."""
        return self._get_all(NODES, ClusterNode.from_api, {"launchSpecId": virtual_node_group_id}, ocean_id=ocean_id)

    def get_log(
        self,
        ocean_id: str,
        *,
        since: datetime,
        until: datetime,
        severity: str = "ALL",
        limit: int = 1000,
    ) -> tuple[LogEntry, ...]:
        """Return the cluster's log between two times.

        Args:
            ocean_id: The cluster.
            since: Beginning, with a time zone.
            until: End, with a time zone.
            severity: ALL, INFO, DEBUG, ERROR or WARN.
            limit: Lines, at most 1000.
        """
        query = {
            "fromDate": _milliseconds("since", since),
            "toDate": _milliseconds("until", until),
            "severity": severity,
            "limit": str(limit),
        }
        return self._get_all(LOG, LogEntry.from_api, query, ocean_id=ocean_id)

    def get_heartbeat(self, ocean_id: str) -> Heartbeat:
        """Return the heartbeat of the Ocean controller, an empty one when the service knows none."""
        found = self._get_all(HEARTBEAT, Heartbeat.from_api, ocean_id=ocean_id)
        return found[0] if found else Heartbeat()

    def get_cluster(self, ocean_id: str) -> Cluster:
        """Return one cluster."""
        return self._get(CLUSTER, Cluster.from_api, ocean_id=ocean_id)

    def list_clusters(self) -> tuple[Cluster, ...]:
        """Return the clusters of the account."""
        return self._get_all(CLUSTERS, Cluster.from_api)

    def list_virtual_node_groups(self, ocean_id: str) -> tuple[VirtualNodeGroup, ...]:
        """Return the cluster's Virtual Node Groups."""
        if not ocean_id:
            raise InputError("ocean_id", f"{ocean_id!r} is not an id")
        return self._get_all(VIRTUAL_NODE_GROUPS, VirtualNodeGroup.from_api, {"oceanId": ocean_id})

    def import_cluster_from_asg(self, asg_name: str, region: str) -> dict[str, Any]:
        """Return the configuration, as the service has it, of a cluster like an Auto Scaling Group; nothing is created.

        Args:
            asg_name: The Auto Scaling Group.
            region: Its AWS region.
        """
        query = {"autoScalingGroupName": _named("asg_name", asg_name), "region": _named("region", region)}
        return self._import(CLUSTER_IMPORT, query, {"cluster": {}})

    def import_vng_from_asg(
        self,
        asg_name: str,
        ocean_id: str,
        *,
        name: str | None = None,
        labels: Sequence[Mapping[str, str]] = (),
        taints: Sequence[Mapping[str, str]] = (),
    ) -> dict[str, Any]:
        """Return the configuration of a Virtual Node Group like an Auto Scaling Group; nothing is created.

        Args:
            asg_name: The Auto Scaling Group.
            ocean_id: The cluster.
            name: Name of the Virtual Node Group; None: the service decides.
            labels: Each with ``key`` and ``value``; Kubernetes' built-in labels are refused.
            taints: Each with ``key``, ``value`` and ``effect``.
        """
        query = {"autoScalingGroupName": _named("asg_name", asg_name), "oceanId": _named("ocean_id", ocean_id)}
        return self._import(VNG_IMPORT, query, {"launchSpec": _launch_spec(name, labels, taints)})

    def import_vng_from_node_group(
        self,
        eks_cluster: str,
        node_group: str,
        *,
        region: str | None = None,
        ocean_id: str | None = None,
        name: str | None = None,
        labels: Sequence[Mapping[str, str]] = (),
    ) -> dict[str, Any]:
        """Return the configuration of a Virtual Node Group like an EKS managed node group; nothing is created.

        Spot's policy in AWS needs eks:ListNodegroups and eks:DescribeNodegroup.

        Args:
            eks_cluster: Name of the cluster in EKS.
            node_group: The managed node group.
            region: Its AWS region; give this or ``ocean_id``.
            ocean_id: The cluster in Ocean; give this or ``region``.
            name: Name of the Virtual Node Group; None: the service decides.
            labels: Each with ``key`` and ``value``.
        """
        if bool(region) == bool(ocean_id):
            raise InputError("region", "give either a region or an Ocean cluster, not both")
        query = {
            "eksClusterName": _named("eks_cluster", eks_cluster),
            "eksNodeGroupName": _named("node_group", node_group),
            "region": region,
            "oceanId": ocean_id,
        }
        return self._import(NODE_GROUP_IMPORT, query, {"launchSpec": _launch_spec(name, labels, ())})

    def _import(self, route: str, query: Mapping[str, str | None], body: Mapping[str, Any]) -> dict[str, Any]:
        """Send a POST that creates nothing: it needs no account, and may be repeated like a GET."""
        call = replace(self._call(route, query), method="POST", body=body, reads=True)
        return self._one(call, lambda item: decode.mapping(item, "a configuration"))

    def _call(self, route: str, query: Mapping[str, str | None], **ids: str) -> ApiCall:
        known = {"accountId": self.account_id} | dict(query)
        return ApiCall(method="GET", route=route, ids=ids, query={key: value for key, value in known.items() if value})

    def _write(self, method: str, route: str, body: Mapping[str, Any], **ids: str) -> ApiCall:
        """Return a write; without an account the service would pick the organization's oldest one."""
        if not self.account_id:
            msg = (
                "no account: set account_id, SPOTINST_ACCOUNT or `pulumi config set ocean-migration:account`; without "
                "one, Spot would use the oldest account of the organization"
            )
            raise MissingAccountError(msg)
        return ApiCall(method=method, route=route, ids=ids, query={"accountId": self.account_id}, body=body)

    def _get(self, route: str, read: Callable[[Any], _Model], **ids: str) -> _Model:
        return self._one(self._call(route, {}, **ids), read)

    def _one(self, call: ApiCall, read: Callable[[Any], _Model]) -> _Model:
        data = self._sender.send(call, self._scope)
        found = responses.response_items(call, data)
        if not found:
            raise responses.unusable_answer(call, "no item", data)
        return _read_all(call, data, found[:1], read)[0]

    def _get_all(
        self,
        route: str,
        read: Callable[[Any], _Model],
        query: Mapping[str, str | None] | None = None,
        **ids: str,
    ) -> tuple[_Model, ...]:
        call = self._call(route, query or {}, **ids)
        data = self._sender.send(call, self._scope)
        return _read_all(call, data, responses.response_items(call, data), read)


def _read_all(call: ApiCall, data: Any, found: list[Any], read: Callable[[Any], _Model]) -> tuple[_Model, ...]:
    try:
        return tuple(map(read, found))
    except ResponseError as exc:
        raise responses.unusable_answer(call, str(exc), data) from exc


def _created_id(item: Any) -> str:
    return decode.required(decode.identity(decode.mapping(item, "a migration")), "the id of a migration")


def _named(name: str, value: str) -> str:
    if not value:
        raise InputError(name, f"{value!r} is not a name")
    return value


def _launch_spec(
    name: str | None, labels: Sequence[Mapping[str, str]], taints: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    known = {"name": name, "labels": [dict(label) for label in labels], "taints": [dict(taint) for taint in taints]}
    return {key: value for key, value in known.items() if value}


def _milliseconds(name: str, moment: datetime) -> str:
    if moment.tzinfo is None:
        raise InputError(name, f"{moment} has no time zone")
    return str(round(moment.timestamp() * 1000))
