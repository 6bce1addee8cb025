"""The routes of the Kubernetes API: lists, single objects and evictions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ocean_migration_pulumi.testing.simulator.kubernetes_api import objects, selectors, view
from ocean_migration_pulumi.testing.simulator.kubernetes_api import status as kubernetes_status
from ocean_migration_pulumi.testing.simulator.kubernetes_api.access import EVICTIONS, AccessRequest
from ocean_migration_pulumi.testing.simulator.kubernetes_api.pages import PagedLists
from ocean_migration_pulumi.testing.simulator.kubernetes_api.resources import PREFIX, RESOURCES, KubernetesResource
from ocean_migration_pulumi.testing.simulator.kubernetes_api.status import KubernetesStatusError
from ocean_migration_pulumi.testing.simulator.kubernetes_api.view import Row
from ocean_migration_pulumi.testing.simulator.world import draining
from ocean_migration_pulumi.testing.simulator.world.budgets import DisruptionBudgets
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster


@dataclass(frozen=True, kw_only=True)
class KubernetesReply:
    """A successful response."""

    body: dict[str, Any]
    """The JSON body."""
    status: int = 200
    """The HTTP status."""
    effective: bool = False
    """Whether the request log marks the request as effective."""


@dataclass(frozen=True, kw_only=True)
class KubernetesContext:
    """An authorized request."""

    cluster: SimCluster
    """The cluster."""
    paged_lists: PagedLists
    """The lists that can be continued."""
    now: float
    """The simulated time in epoch seconds."""
    url_path: str
    """The whole path."""
    path: dict[str, str]
    """The parameters of the path."""
    query: dict[str, str]
    """The parameters of the query."""
    raw_body: bytes
    """The body."""


Handler = Callable[[KubernetesContext], KubernetesReply]


@dataclass(frozen=True, kw_only=True)
class KubernetesRoute:
    """A path of the API."""

    template: str
    """The path template."""
    resource: str = ""
    """The plural of the resource, with its subresource; empty where the path serves no resource."""
    group: str = ""
    """The API group, empty for the core group."""
    handlers: Mapping[str, tuple[str, Handler]] = field(default_factory=dict)
    """By HTTP method: the RBAC verb, and the function that handles the request."""

    def build_access_request(self, method: str, path: dict[str, str], url_path: str) -> AccessRequest:
        """Return what a request of this route needs a right for."""
        supported = method in self.handlers
        return AccessRequest(
            verb=self.handlers[method][0] if supported else method.lower(),
            path=url_path,
            resource=self.resource if supported else "",
            group=self.group,
            namespace=path.get("namespace", ""),
            name=path.get("name", ""),
        )


def get_version(context: KubernetesContext) -> KubernetesReply:
    """Return the version of Kubernetes."""
    return KubernetesReply(body={"major": "1", "minor": "30", "gitVersion": objects.VERSION, "platform": "linux/amd64"})


def list_objects(resource: KubernetesResource, context: KubernetesContext) -> KubernetesReply:
    """List objects, in pages where the query has a limit."""
    limit = _parse_limit(context)
    selected = bool(context.query.get("labelSelector") or context.query.get("fieldSelector"))
    if token := context.query.get("continue"):
        page = context.paged_lists.continue_list(context.url_path, token, limit)
    else:
        page = context.paged_lists.start_list(context.url_path, list(_select_rows(resource, context)), limit)
    metadata: dict[str, Any] = {"resourceVersion": page.version}
    if page.token is not None:
        metadata["continue"] = page.token
        # The API server counts the remaining objects only where there is no selector.
        metadata |= {} if selected else {"remainingItemCount": page.remaining}
    items = [resource.render(context.cluster, row) for row in page.rows]
    return KubernetesReply(
        body={"kind": f"{resource.kind}List", "apiVersion": resource.version, "metadata": metadata, "items": items}
    )


def _parse_limit(context: KubernetesContext) -> int:
    text = context.query.get("limit") or "0"
    if not text.isdecimal():
        raise KubernetesStatusError(400, f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


def _select_rows(resource: KubernetesResource, context: KubernetesContext) -> Iterator[Row]:
    labels, fields = context.query.get("labelSelector", ""), context.query.get("fieldSelector", "")
    known = resource.field_names | {"metadata.name", *(["metadata.namespace"] if resource.namespaced else [])}
    try:
        selector = selectors.parse_selector(labels)
        conditions = selectors.parse_field_selector(fields, known)
    except selectors.SelectorError as error:
        queried = f"{resource.version if resource.group else '/v1'}, Resource={resource.plural}"
        raise KubernetesStatusError(
            400,
            f'Unable to find "{queried}" that match label selector "{labels}", field selector "{fields}": {error}',
        ) from None
    namespace = context.path.get("namespace")
    for row in resource.find_rows(context.cluster, context.now):
        if namespace not in (None, row.namespace):
            continue
        if selector and not selectors.selects(selector, resource.get_labels(row.source)):
            continue
        if conditions:
            values = {"metadata.name": row.name, "metadata.namespace": row.namespace, **resource.get_fields(row.source)}
            if any((values[name] == value) != equal for name, value, equal in conditions):
                continue
        yield row


def get_object(resource: KubernetesResource, context: KubernetesContext) -> KubernetesReply:
    """Return a single object."""
    key = (context.path.get("namespace", ""), context.path["name"])
    for row in resource.find_rows(context.cluster, context.now):
        if (row.namespace, row.name) == key:
            document = resource.render(context.cluster, row)
            return KubernetesReply(body={"kind": resource.kind, "apiVersion": resource.version, **document})
    raise kubernetes_status.build_not_found_error(resource.plural, resource.group, key[1])


def evict_pod(context: KubernetesContext) -> KubernetesReply:
    """Evict a pod; a request with ``dryRun`` is checked only."""
    cluster, namespace, name = context.cluster, context.path["namespace"], context.path["name"]
    dry_run = _is_dry_run(context, namespace, name)
    placed = view.find_pod(cluster, namespace, name)
    if placed is None:
        raise kubernetes_status.build_not_found_error("pods", "", name)
    pod, budgets = placed.pod, DisruptionBudgets(cluster)
    blockers = budgets.find_blockers(pod) if placed.node is not None else []
    if len(blockers) > 1:
        raise KubernetesStatusError(
            500,
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
            reason="",
        )
    if blockers:
        status = next(status for status in budgets.list_statuses() if status.name == blockers[0])
        cause = (
            f"The disruption budget {status.name.rpartition('/')[2]} needs {status.minimum} healthy pods "
            f"and has {status.healthy} currently"
        )
        raise KubernetesStatusError(
            429,
            "Cannot evict pod as it would violate the pod's disruption budget.",
            details={"causes": [{"reason": "DisruptionBudget", "message": cause}]},
        )
    # A DaemonSet recreates its pod on the same node, and a pending pod is recreated as a pending pod.
    moves = placed.node is not None and pod in placed.node.pods and pod.controller != "DaemonSet"
    if not dry_run and moves and placed.node is not None:
        draining.evict_pod(cluster, placed.node, pod, context.now)
    return KubernetesReply(body=kubernetes_status.build_success(201), status=201, effective=not dry_run)


def _is_dry_run(context: KubernetesContext, namespace: str, name: str) -> bool:
    """Return whether query or body request a dry run; raises for a body that is not this pod's Eviction."""
    try:
        body = json.loads(context.raw_body or b"{}")
        metadata = body.get("metadata") or {}
        dry_run = (body.get("deleteOptions") or {}).get("dryRun") or []
        target = metadata.get("name", name), metadata.get("namespace", namespace)
    except (AttributeError, ValueError):
        raise KubernetesStatusError(400, "the object provided is unrecognized: couldn't get version/kind") from None
    if body.get("kind", "Eviction") != "Eviction" or target != (name, namespace):
        raise KubernetesStatusError(400, f"the body is not an Eviction of the pod {namespace}/{name}")
    values = [*dry_run, *filter(None, [context.query.get("dryRun")])]
    if any(value != "All" for value in values):
        raise KubernetesStatusError(422, f'dryRun: Unsupported value: {values}: supported values: "All"')
    return bool(values)


def _build_routes() -> Iterator[KubernetesRoute]:
    yield KubernetesRoute(template=f"{PREFIX}/version", handlers={"GET": ("get", get_version)})
    for resource in RESOURCES:
        lists = {"GET": ("list", partial(list_objects, resource))}
        reads = {"GET": ("get", partial(get_object, resource))}
        base = resource.base_path
        scope = f"{base}/namespaces/{{namespace}}" if resource.namespaced else base
        for template, handlers in (
            (f"{scope}/{resource.plural}/{{name}}", reads),
            (f"{base}/{resource.plural}", lists),
            *([(f"{scope}/{resource.plural}", lists)] if resource.namespaced else []),
        ):
            yield KubernetesRoute(template=template, resource=resource.plural, group=resource.group, handlers=handlers)
    yield KubernetesRoute(
        template=f"{PREFIX}/api/v1/namespaces/{{namespace}}/pods/{{name}}/eviction",
        resource=EVICTIONS,
        handlers={"POST": ("create", evict_pod)},
    )


ROUTES = tuple(_build_routes())
UNKNOWN_PATH = KubernetesRoute(template=f"{PREFIX}/{{path:path}}")
FORBIDDABLE = tuple(dict.fromkeys(route.resource for route in ROUTES if route.resource))
"""The resources that the control API can forbid."""
