"""Kubernetes' JSON as the plain data that the rest of the package works with; what does not matter is dropped."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from ocean_migration_pulumi.kubernetes.objects.affinities import label_term, node_terms
from ocean_migration_pulumi.kubernetes.objects.json_fields import (
    UnexpectedFormError,
    flag,
    objects,
    pairs,
    part,
    required,
    text,
    whole,
)
from ocean_migration_pulumi.kubernetes.objects.quantities import requests
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    Budget,
    Deployment,
    KubernetesNode,
    Owner,
    Pod,
    Taint,
    Toleration,
)

_INSTANCE: Final = re.compile(r"aws://.*/(i-[0-9A-Za-z]+)")
_MIRROR: Final = "kubernetes.io/config.mirror"
_ANNOTATIONS: Final = frozenset(
    {
        "cluster-autoscaler.kubernetes.io/safe-to-evict",
        "karpenter.sh/do-not-disrupt",
        "karpenter.sh/do-not-evict",
    }
)
_OWNERS: Final = frozenset(
    {
        "argocd.argoproj.io/instance",
        "argocd.argoproj.io/tracking-id",
        "meta.helm.sh/release-name",
    }
)


def node(data: Mapping[str, Any]) -> KubernetesNode:
    """Read a Node."""
    metadata, spec = part(data, "metadata"), part(data, "spec")
    match = _INSTANCE.fullmatch(text(spec, "providerID"))
    return KubernetesNode(
        name=required(metadata, "name"),
        instance_id=match[1] if match else "",
        labels=pairs(metadata, "labels"),
        taints=tuple(
            Taint(key=required(item, "key"), value=text(item, "value"), effect=text(item, "effect", "NoSchedule"))
            for item in objects(spec, "taints")
        ),
        cordoned=flag(spec, "unschedulable"),
    )


def pod(data: Mapping[str, Any]) -> Pod:
    """Read a Pod; where its volumes are is not known yet."""
    metadata, spec, status = part(data, "metadata"), part(data, "spec"), part(data, "status")
    name = required(metadata, "name")
    annotations = pairs(metadata, "annotations")
    volumes = objects(spec, "volumes")
    required_nodes = part(spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    return Pod(
        namespace=required(metadata, "namespace"),
        name=name,
        node_name=text(spec, "nodeName"),
        phase=text(status, "phase", "Unknown"),
        ready=any(
            text(condition, "type") == "Ready" and text(condition, "status") == "True"
            for condition in objects(status, "conditions")
        ),
        deleting=bool(text(metadata, "deletionTimestamp")),
        controller=_controller(metadata),
        finalizers=tuple(item for item in metadata.get("finalizers") or () if isinstance(item, str)),
        mirror=_MIRROR in annotations,
        labels=pairs(metadata, "labels"),
        annotations={key: annotations[key] for key in _ANNOTATIONS & annotations.keys()},
        node_selector=pairs(spec, "nodeSelector"),
        terms=node_terms(required_nodes),
        tolerations=tuple(_toleration(item) for item in objects(spec, "tolerations")),
        empty_dir=any(volume.get("emptyDir") is not None for volume in volumes),
        claims=tuple(claim for volume in volumes if (claim := _claim_of(volume, name))),
        requests=requests(spec),
    )


def budget(data: Mapping[str, Any]) -> Budget:
    """Read a PodDisruptionBudget."""
    metadata, spec, status = part(data, "metadata"), part(data, "spec"), part(data, "status")
    return Budget(
        namespace=required(metadata, "namespace"),
        name=required(metadata, "name"),
        selector=label_term(spec.get("selector")),
        disruptions_allowed=whole(status, "disruptionsAllowed"),
        current_healthy=whole(status, "currentHealthy"),
        desired_healthy=whole(status, "desiredHealthy"),
        expected_pods=whole(status, "expectedPods"),
        always_allows_unhealthy=text(spec, "unhealthyPodEvictionPolicy") == "AlwaysAllow",
    )


def deployment(data: Mapping[str, Any]) -> Deployment:
    """Read a Deployment."""
    metadata, spec = part(data, "metadata"), part(data, "spec")
    annotations = pairs(metadata, "annotations")
    containers = objects(part(spec, "template", "spec"), "containers")
    return Deployment(
        namespace=required(metadata, "namespace"),
        name=required(metadata, "name"),
        labels=pairs(metadata, "labels"),
        annotations={key: annotations[key] for key in _OWNERS & annotations.keys()},
        images=tuple(image for container in containers if (image := text(container, "image"))),
        replicas=whole(spec, "replicas", 1),
        ready_replicas=whole(part(data, "status"), "readyReplicas"),
    )


def full_name(data: Mapping[str, Any]) -> tuple[str, str]:
    """Return namespace and name."""
    metadata = part(data, "metadata")
    return required(metadata, "namespace"), required(metadata, "name")


def name_of(data: Mapping[str, Any]) -> str:
    """Return the name."""
    return required(part(data, "metadata"), "name")


def volume_of_claim(data: Mapping[str, Any]) -> str:
    """Return the PersistentVolume of a claim, empty while it has none."""
    return text(part(data, "spec"), "volumeName")


def mapped_roles(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Read the role ARNs of the ConfigMap ``aws-auth``; raise UnexpectedFormError when they are no list of roles."""
    written = pairs(data, "data").get("mapRoles", "").strip()
    return tuple(required(item, "rolearn") for item in objects({"roles": _yaml(written)}, "roles"))


def _yaml(written: str) -> Any:
    import yaml

    try:
        # Not every JSON is YAML: it may be indented by tabs.
        return json.loads(written)
    except (ValueError, RecursionError):
        pass
    try:
        return yaml.safe_load(written)
    except (ValueError, RecursionError, yaml.YAMLError):
        raise UnexpectedFormError from None


def _controller(metadata: Mapping[str, Any]) -> Owner | None:
    for owner in objects(metadata, "ownerReferences"):
        if flag(owner, "controller"):
            return Owner(kind=required(owner, "kind"), name=required(owner, "name"))
    return None


def _toleration(item: Mapping[str, Any]) -> Toleration:
    return Toleration(
        key=text(item, "key"),
        operator=text(item, "operator", "Equal"),
        value=text(item, "value"),
        effect=text(item, "effect"),
    )


def _claim_of(volume: Mapping[str, Any], pod_name: str) -> str:
    if volume.get("ephemeral") is not None:
        return f"{pod_name}-{required(volume, 'name')}"
    claim = part(volume, "persistentVolumeClaim")
    return required(claim, "claimName") if claim else ""
