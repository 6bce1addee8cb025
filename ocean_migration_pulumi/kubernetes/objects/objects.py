"""Reads Kubernetes objects from the API server's JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from ocean_migration_pulumi.common.text import one_line
from ocean_migration_pulumi.kubernetes.objects.affinities import read_label_term
from ocean_migration_pulumi.kubernetes.objects.decoding import (
    UnexpectedFormError,
    decode_yaml,
    read_condition,
    read_flag,
    read_int,
    read_objects,
    read_pairs,
    read_part,
    read_text,
    require_text,
)
from ocean_migration_pulumi.kubernetes.objects.quantities import read_allocatable
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    Budget,
    Deployment,
    KubernetesNode,
    MappedRole,
    Taint,
)

_INSTANCE: Final = re.compile(r"aws://.*/(i-[0-9A-Za-z]+)")
_SYNC_FAILED: Final = "SyncFailed"
_NO_PODS: Final = frozenset({"0", "0%"})
_ALL_PODS: Final = "100%"
_LONGEST_PROBLEM: Final = 200
_UNSCHEDULABLE: Final = "node.kubernetes.io/unschedulable"
_READ_ONLY: Final = "SPOTINST_READONLY_MODE"
_TRUE: Final = frozenset({"1", "t", "true"})
_SOURCES: Final = (("configMapRef", "ConfigMap"), ("secretRef", "Secret"))
_KEY_SOURCES: Final = (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret"))
_OWNERS: Final = frozenset(
    {
        "argocd.argoproj.io/instance",
        "argocd.argoproj.io/tracking-id",
        "meta.helm.sh/release-name",
    }
)


def read_node(data: Mapping[str, Any]) -> KubernetesNode:
    """Read a Node."""
    metadata, spec = read_part(data, "metadata"), read_part(data, "spec")
    match = _INSTANCE.fullmatch(read_text(spec, "providerID"))
    condition = read_condition(read_part(data, "status"), "Ready")
    ready = read_text(condition, "status")
    return KubernetesNode(
        name=require_text(metadata, "name"),
        instance_id=match[1] if match else "",
        labels=read_pairs(metadata, "labels"),
        taints=read_taints(spec),
        cordoned=read_flag(spec, "unschedulable"),
        cordoned_since=next(
            (
                read_text(taint, "timeAdded")
                for taint in read_objects(spec, "taints")
                if read_text(taint, "key") == _UNSCHEDULABLE
            ),
            "",
        ),
        allocatable=read_allocatable(read_part(data, "status")),
        ready=ready in {"", "True"},
        not_ready_since=read_text(condition, "lastTransitionTime") if ready not in {"", "True"} else "",
    )


def read_taints(spec: Mapping[str, Any]) -> tuple[Taint, ...]:
    """Read the taints of a node, or of the nodes that a NodePool starts."""
    return tuple(
        Taint(
            key=require_text(item, "key"),
            value=read_text(item, "value"),
            effect=read_text(item, "effect", "NoSchedule"),
        )
        for item in read_objects(spec, "taints")
    )


def read_budget(data: Mapping[str, Any]) -> Budget:
    """Read a PodDisruptionBudget."""
    metadata, spec, status = read_part(data, "metadata"), read_part(data, "spec"), read_part(data, "status")
    return Budget(
        namespace=require_text(metadata, "namespace"),
        name=require_text(metadata, "name"),
        selector=read_label_term(spec.get("selector")),
        disruptions_allowed=read_int(status, "disruptionsAllowed"),
        current_healthy=read_int(status, "currentHealthy"),
        desired_healthy=read_int(status, "desiredHealthy"),
        expected_pods=read_int(status, "expectedPods"),
        always_allows_unhealthy=read_text(spec, "unhealthyPodEvictionPolicy") == "AlwaysAllow",
        problem=_sync_failure(read_condition(status, "DisruptionAllowed")),
        # A percentage of pods that may be unavailable is rounded up: only 0% of them is none.
        is_closed=str(spec.get("maxUnavailable", "")) in _NO_PODS or str(spec.get("minAvailable", "")) == _ALL_PODS,
        is_processed=read_int(status, "observedGeneration") >= read_int(metadata, "generation"),
    )


def _sync_failure(condition: Mapping[str, Any]) -> str:
    """Return why the controller of budgets could not compute one; it allows no disruption then."""
    if read_text(condition, "reason") != _SYNC_FAILED:
        return ""
    return one_line(read_text(condition, "message"), _LONGEST_PROBLEM) or _SYNC_FAILED


def read_deployment(data: Mapping[str, Any]) -> Deployment:
    """Read a Deployment."""
    metadata, spec = read_part(data, "metadata"), read_part(data, "spec")
    annotations = read_pairs(metadata, "annotations")
    containers = read_objects(read_part(spec, "template", "spec"), "containers")
    return Deployment(
        namespace=require_text(metadata, "namespace"),
        name=require_text(metadata, "name"),
        labels=read_pairs(metadata, "labels"),
        annotations={key: annotations[key] for key in _OWNERS & annotations.keys()},
        images=tuple(image for container in containers if (image := read_text(container, "image"))),
        replicas=read_int(spec, "replicas", 1),
        ready_replicas=read_int(read_part(data, "status"), "readyReplicas"),
        read_only=any(_is_true(_read_only_value(container)) for container in containers),
        read_only_from=tuple(dict.fromkeys(source for each in containers for source in _read_only_sources(each))),
        selector=read_label_term(spec.get("selector")),
        surges=_surges(read_part(spec, "strategy")) and not read_flag(spec, "paused"),
    )


def _read_only_variable(container: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the entry of ``env`` that counts, the last one of its name; None when there is none."""
    named = [each for each in read_objects(container, "env") if read_text(each, "name") == _READ_ONLY]
    return named[-1] if named else None


def _read_only_value(container: Mapping[str, Any]) -> str:
    return read_text(_read_only_variable(container) or {}, "value")


def _is_true(value: str) -> bool:
    """Tell whether a value is true to a program in Go."""
    return value.strip().casefold() in _TRUE


def _read_only_sources(container: Mapping[str, Any]) -> Iterator[str]:
    """Yield the ConfigMaps and Secrets that may set the variable by which a controller only reports."""
    variable = _read_only_variable(container)
    if variable is not None:
        if read_text(variable, "value").startswith("$("):
            yield "another variable"
        yield from _named_sources(read_part(variable, "valueFrom"), _KEY_SOURCES)
        return
    for each in read_objects(container, "envFrom"):
        if _READ_ONLY.startswith(read_text(each, "prefix")):
            yield from _named_sources(each, _SOURCES)


def _named_sources(data: Mapping[str, Any], kinds: Iterable[tuple[str, str]]) -> Iterator[str]:
    for key, kind in kinds:
        if found := read_part(data, key):
            yield f"{kind} {read_text(found, 'name')}"


def _surges(strategy: Mapping[str, Any]) -> bool:
    """Tell whether a Deployment starts a new pod before it ends an old one, as it does by default."""
    surge = read_part(strategy, "rollingUpdate").get("maxSurge")
    return read_text(strategy, "type") != "Recreate" and surge not in (0, "0", "0%")


def read_full_name(data: Mapping[str, Any]) -> tuple[str, str]:
    """Return namespace and name."""
    metadata = read_part(data, "metadata")
    return require_text(metadata, "namespace"), require_text(metadata, "name")


def read_name(data: Mapping[str, Any]) -> str:
    """Return the name."""
    return require_text(read_part(data, "metadata"), "name")


def read_volume_name(data: Mapping[str, Any]) -> str:
    """Return the name of a claim's PersistentVolume; empty while it has none."""
    return read_text(read_part(data, "spec"), "volumeName")


def read_mapped_roles(data: Mapping[str, Any]) -> tuple[MappedRole, ...]:
    """Read the mapped roles of the ConfigMap ``aws-auth`` like aws-iam-authenticator, which EKS runs.

    It skips entries that it cannot use and those of SSO permission sets, ignores the case of keys, and of several
    entries with the same ARN keeps the last one.

    Raises:
        UnexpectedFormError: They are no list at all.
    """
    found: dict[str, MappedRole] = {}
    for entry in _read_list(decode_yaml(read_pairs(data, "data").get("mapRoles", ""))):
        fields = {str(key).lower(): value for key, value in entry.items()} if isinstance(entry, dict) else {}
        arn, groups = fields.get("rolearn"), fields.get("groups")
        if not isinstance(arn, str) or not arn or fields.get("sso") is not None:
            continue
        username = fields.get("username")
        # What is of another type is as if it were absent: `json.Unmarshal` of Go goes on after it.
        role = MappedRole(
            arn=arn,
            username=username if isinstance(username, str) else "",
            groups=tuple(filter(lambda group: isinstance(group, str), groups)) if isinstance(groups, list) else (),
        )
        # Taken out first, so that the order is that of the entries that count.
        found.pop(arn.lower(), None)
        found[arn.lower()] = role
    return tuple(found.values())


def _read_list(value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise UnexpectedFormError
    return value
