"""The routes of Kubernetes' API, without HTTP: lists, single objects, evictions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ocean_migration_pulumi.testing.simulator.kubernetes_api import objects, selectors, view
from ocean_migration_pulumi.testing.simulator.kubernetes_api import status as kubernetes_status
from ocean_migration_pulumi.testing.simulator.kubernetes_api.access import EVICTIONS, Request
from ocean_migration_pulumi.testing.simulator.kubernetes_api.pages import Pages
from ocean_migration_pulumi.testing.simulator.kubernetes_api.status import KubernetesStatusError
from ocean_migration_pulumi.testing.simulator.kubernetes_api.view import Row
from ocean_migration_pulumi.testing.simulator.world import draining
from ocean_migration_pulumi.testing.simulator.world.budgets import Guards
from ocean_migration_pulumi.testing.simulator.world.pods import labels_of
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster

PREFIX = "/kubernetes/{ocean_id}"


@dataclass(frozen=True, kw_only=True)
class KubernetesAnswer:
    """A successful answer; ``effective`` for the request log: it changed something."""

    body: dict[str, Any]
    status: int = 200
    effective: bool = False


@dataclass(frozen=True, kw_only=True)
class KubernetesCall:
    """A permitted request: its cluster, the parts of its path, its query and its raw body."""

    cluster: SimCluster
    pages: Pages
    now: float
    url_path: str
    path: dict[str, str]
    query: dict[str, str]
    raw_body: bytes


Rule = Callable[[KubernetesCall], KubernetesAnswer]


def _no_labels(thing: Any) -> dict[str, str]:
    return {}


def _no_fields(thing: Any) -> dict[str, str]:
    return {}


@dataclass(frozen=True, kw_only=True)
class KubernetesResource:
    """A kind of object: where it is served, what there is, and how one is written."""

    plural: str
    kind: str
    group: str = ""
    namespaced: bool = True
    rows: Callable[[SimCluster], list[Row]]
    write: Callable[[SimCluster, Row], dict[str, Any]]
    labels: Callable[[Any], dict[str, str]] = _no_labels
    fields: Callable[[Any], dict[str, str]] = _no_fields
    field_names: frozenset[str] = frozenset()

    @property
    def version(self) -> str:
        """Its ``apiVersion``."""
        return f"{self.group}/v1" if self.group else "v1"

    @property
    def base(self) -> str:
        """The path of its API group."""
        return f"{PREFIX}/apis/{self.group}/v1" if self.group else f"{PREFIX}/api/v1"


def _pod_fields(thing: view.PlacedPod) -> dict[str, str]:
    node_name = "" if thing.node is None else thing.node.node_name
    return {"spec.nodeName": node_name, "status.phase": objects.phase(thing)}


RESOURCES = (
    KubernetesResource(
        plural="nodes",
        kind="Node",
        namespaced=False,
        rows=view.nodes,
        write=objects.node,
        labels=objects.node_labels,
    ),
    KubernetesResource(
        plural="pods",
        kind="Pod",
        rows=view.pods,
        write=objects.pod,
        labels=lambda thing: labels_of(thing.pod),
        fields=_pod_fields,
        field_names=frozenset({"spec.nodeName", "status.phase"}),
    ),
    KubernetesResource(
        plural="persistentvolumeclaims",
        kind="PersistentVolumeClaim",
        rows=view.claims,
        write=objects.claim,
    ),
    KubernetesResource(
        plural="persistentvolumes",
        kind="PersistentVolume",
        namespaced=False,
        rows=view.volumes,
        write=objects.volume,
    ),
    KubernetesResource(
        plural="configmaps",
        kind="ConfigMap",
        rows=view.config_maps,
        write=objects.config_map,
    ),
    KubernetesResource(
        plural="poddisruptionbudgets",
        kind="PodDisruptionBudget",
        group="policy",
        rows=view.budgets,
        write=objects.budget,
    ),
    KubernetesResource(
        plural="deployments",
        kind="Deployment",
        group="apps",
        rows=view.deployments,
        write=objects.deployment,
        labels=lambda thing: thing[0].labels,
    ),
    KubernetesResource(
        plural="daemonsets",
        kind="DaemonSet",
        group="apps",
        rows=view.daemon_sets,
        write=objects.daemon_set,
        labels=lambda thing: {"app": thing.name},
    ),
)


@dataclass(frozen=True, kw_only=True)
class KubernetesRoute:
    """A path and what may be done there: by method the verb that a role has to allow, and the rule."""

    template: str
    resource: str = ""
    group: str = ""
    rules: Mapping[str, tuple[str, Rule]] = field(default_factory=dict)

    def request(self, method: str, path: dict[str, str], url_path: str) -> Request:
        """Return what a request of this route asks for."""
        known = method in self.rules
        return Request(
            verb=self.rules[method][0] if known else method.lower(),
            path=url_path,
            resource=self.resource if known else "",
            group=self.group,
            namespace=path.get("namespace", ""),
            name=path.get("name", ""),
        )


def version(call: KubernetesCall) -> KubernetesAnswer:
    """Tell which Kubernetes this is."""
    return KubernetesAnswer(
        body={"major": "1", "minor": "30", "gitVersion": objects.VERSION, "platform": "linux/amd64"}
    )


def list_rows(resource: KubernetesResource, call: KubernetesCall) -> KubernetesAnswer:
    """List objects, in pages when asked to."""
    limit = _limit(call)
    selected = bool(call.query.get("labelSelector") or call.query.get("fieldSelector"))
    if token := call.query.get("continue"):
        page = call.pages.go_on(call.url_path, token, limit)
    else:
        page = call.pages.begin(call.url_path, list(_selected(resource, call)), limit)
    metadata: dict[str, Any] = {"resourceVersion": page.version}
    if page.token is not None:
        metadata["continue"] = page.token
        # The server counts what it did not look at only where it had nothing to select.
        metadata |= {} if selected else {"remainingItemCount": page.remaining}
    items = [resource.write(call.cluster, row) for row in page.rows]
    return KubernetesAnswer(
        body={"kind": f"{resource.kind}List", "apiVersion": resource.version, "metadata": metadata, "items": items}
    )


def _limit(call: KubernetesCall) -> int:
    text = call.query.get("limit") or "0"
    if not text.isdecimal():
        raise KubernetesStatusError(400, f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


def _selected(resource: KubernetesResource, call: KubernetesCall) -> Iterator[Row]:
    labels, fields = call.query.get("labelSelector", ""), call.query.get("fieldSelector", "")
    known = resource.field_names | {"metadata.name", *(["metadata.namespace"] if resource.namespaced else [])}
    try:
        selector = selectors.parse(labels)
        conditions = selectors.parse_fields(fields, known)
    except selectors.SelectorError as error:
        what = f"{resource.version if resource.group else '/v1'}, Resource={resource.plural}"
        raise KubernetesStatusError(
            400,
            f'Unable to find "{what}" that match label selector "{labels}", field selector "{fields}": {error}',
        ) from None
    namespace = call.path.get("namespace")
    for row in resource.rows(call.cluster):
        if namespace not in (None, row.namespace):
            continue
        if selector and not selectors.selects(selector, resource.labels(row.thing)):
            continue
        if conditions:
            found = {"metadata.name": row.name, "metadata.namespace": row.namespace, **resource.fields(row.thing)}
            if any((found[name] == value) != wanted for name, value, wanted in conditions):
                continue
        yield row


def read_row(resource: KubernetesResource, call: KubernetesCall) -> KubernetesAnswer:
    """Return one object."""
    key = (call.path.get("namespace", ""), call.path["name"])
    for row in resource.rows(call.cluster):
        if (row.namespace, row.name) == key:
            written = resource.write(call.cluster, row)
            return KubernetesAnswer(body={"kind": resource.kind, "apiVersion": resource.version, **written})
    raise kubernetes_status.missing(resource.plural, resource.group, key[1])


def evict(call: KubernetesCall) -> KubernetesAnswer:
    """Evict a pod, or only try: a request that does not say ``dryRun`` has its effect."""
    cluster, namespace, name = call.cluster, call.path["namespace"], call.path["name"]
    dry = _is_dry(call, namespace, name)
    placed = view.find_pod(cluster, namespace, name)
    if placed is None:
        raise kubernetes_status.missing("pods", "", name)
    pod, guards = placed.pod, Guards(cluster)
    blocking = guards.blocking(pod) if placed.node is not None else []
    if len(blocking) > 1:
        raise KubernetesStatusError(
            500,
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
            reason="",
        )
    if blocking:
        standing = next(one for one in guards.standings() if one.name == blocking[0])
        cause = (
            f"The disruption budget {standing.name.rpartition('/')[2]} needs {standing.minimum} healthy pods "
            f"and has {standing.healthy} currently"
        )
        raise KubernetesStatusError(
            429,
            "Cannot evict pod as it would violate the pod's disruption budget.",
            details={"causes": [{"reason": "DisruptionBudget", "message": cause}]},
        )
    # The pods of DaemonSets come back to where they were, and one that waits for a node is only made anew.
    leaves = not dry and placed.node is not None and pod in placed.node.pods and pod.controller != "DaemonSet"
    if leaves and placed.node is not None:
        draining.evict(cluster, placed.node, pod, call.now)
    return KubernetesAnswer(body=kubernetes_status.success(201), status=201, effective=not dry)


def _is_dry(call: KubernetesCall, namespace: str, name: str) -> bool:
    """Return whether an eviction is only to be tried, as query or body say; raises for a body of something else."""
    try:
        body = json.loads(call.raw_body or b"{}")
        metadata = body.get("metadata") or {}
        dry = (body.get("deleteOptions") or {}).get("dryRun") or []
        known_as = metadata.get("name", name), metadata.get("namespace", namespace)
    except (AttributeError, ValueError):
        raise KubernetesStatusError(400, "the object provided is unrecognized: couldn't get version/kind") from None
    if body.get("kind", "Eviction") != "Eviction" or known_as != (name, namespace):
        raise KubernetesStatusError(400, f"the body is not an Eviction of the pod {namespace}/{name}")
    wishes = [*dry, *filter(None, [call.query.get("dryRun")])]
    if any(spec != "All" for spec in wishes):
        raise KubernetesStatusError(422, f'dryRun: Unsupported value: {wishes}: supported values: "All"')
    return bool(wishes)


def _routes() -> Iterator[KubernetesRoute]:
    yield KubernetesRoute(template=f"{PREFIX}/version", rules={"GET": ("get", version)})
    for resource in RESOURCES:
        lists = {"GET": ("list", partial(list_rows, resource))}
        reads = {"GET": ("get", partial(read_row, resource))}
        own = f"{resource.base}/namespaces/{{namespace}}" if resource.namespaced else resource.base
        for template, rules in (
            (f"{own}/{resource.plural}/{{name}}", reads),
            (f"{resource.base}/{resource.plural}", lists),
            *([(f"{own}/{resource.plural}", lists)] if resource.namespaced else []),
        ):
            yield KubernetesRoute(template=template, resource=resource.plural, group=resource.group, rules=rules)
    yield KubernetesRoute(
        template=f"{PREFIX}/api/v1/namespaces/{{namespace}}/pods/{{name}}/eviction",
        resource=EVICTIONS,
        rules={"POST": ("create", evict)},
    )


ROUTES = tuple(_routes())
NOWHERE = KubernetesRoute(template=f"{PREFIX}/{{path:path}}")
FORBIDDABLE = tuple(dict.fromkeys(route.resource for route in ROUTES if route.resource))
"""What can be kept from everybody."""
