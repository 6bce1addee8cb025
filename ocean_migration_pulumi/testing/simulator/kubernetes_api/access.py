"""Access to the Kubernetes API: the identities of each cluster, their rights, tokens and kubeconfigs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ocean_migration_pulumi.testing.simulator.kubernetes_api.status import KubernetesStatusError
from ocean_migration_pulumi.testing.simulator.server.storage import write_private_file
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster, World

IDENTITIES = ("preview", "run", "none")
"""``preview`` may read, ``run`` may read and evict, ``none`` has no rights."""

EVICTIONS = "pods/eviction"

_FIRST_LINE = "# Written by `ocean-migration simulator`, for a simulated cluster.\n"
_KUBECONFIG = (
    _FIRST_LINE
    + """apiVersion: v1
kind: Config
clusters:
- name: {cluster}
  cluster:
    server: {server}
contexts:
- name: {cluster}
  context:
    cluster: {cluster}
    user: {user}
current-context: {cluster}
users:
- name: {user}
  user:
    token: {token}
"""
)


@dataclass(frozen=True, kw_only=True)
class AccessRequest:
    """What a request needs a right for: a resource, or a path that serves no resource."""

    verb: str
    """The verb of Kubernetes' RBAC, such as ``list``."""
    path: str
    """The path within the cluster's API."""
    resource: str = ""
    """The plural, with the subresource if there is one; empty for a path that serves no resource."""
    group: str = ""
    """The API group, empty for the core group."""
    namespace: str = ""
    """The namespace, empty for the whole cluster."""
    name: str = ""
    """The name of the object, empty for a list."""


def build_token(world: World, ocean_id: str, identity: str) -> str:
    """Return the token of an identity, derived from the seed."""
    return hashlib.sha256(f"{world.seed}/{ocean_id}/kubernetes/{identity}".encode()).hexdigest()


def build_tokens(world: World, ocean_id: str) -> dict[str, str]:
    """Return the identities of a cluster by their tokens."""
    return {build_token(world, ocean_id, identity): identity for identity in IDENTITIES}


def get_user_name(identity: str) -> str:
    """Return the Kubernetes user name of an identity."""
    return f"system:serviceaccount:ocean-migration:{identity}"


def check_access(cluster: SimCluster, identity: str, request: AccessRequest) -> None:
    """Raise ``KubernetesStatusError`` when an identity lacks the right for a request."""
    may_write = identity == "run" and (request.verb, request.resource) == ("create", EVICTIONS)
    is_read = identity != "none" and request.verb in ("get", "list")
    if (is_read or may_write) and request.resource not in cluster.forbidden_resources:
        return
    raise build_forbidden_error(identity, request)


def build_forbidden_error(identity: str, request: AccessRequest) -> KubernetesStatusError:
    """Return the error for a missing right."""
    if not request.resource:
        message = f'forbidden: User "{get_user_name(identity)}" cannot {request.verb} path "{request.path}"'
        return KubernetesStatusError(403, message, details={})
    plural = request.resource.partition("/")[0]
    resource = f"{plural}.{request.group}" if request.group else plural
    target = f'{resource} "{request.name}"' if request.name else resource
    scope = f'in the namespace "{request.namespace}"' if request.namespace else "at the cluster scope"
    return KubernetesStatusError(
        403,
        f'{target} is forbidden: User "{get_user_name(identity)}" cannot {request.verb} resource "{request.resource}" '
        f'in API group "{request.group}" {scope}',
        details={
            **({"name": request.name} if request.name else {}),
            **({"group": request.group} if request.group else {}),
            "kind": plural,
        },
    )


def build_kubeconfig(world: World, url: str, ocean_id: str | None, identity: str) -> str:
    """Build a kubeconfig as YAML.

    Args:
        world: The simulated world.
        url: The base URL of the simulator.
        ocean_id: The cluster; None for the first one.
        identity: One of ``IDENTITIES``.

    Raises:
        KeyError: The cluster does not exist.
        ValueError: The identity does not exist.
    """
    ocean_id = next(iter(world.clusters), "") if ocean_id is None else ocean_id
    if ocean_id not in world.clusters:
        raise KeyError(ocean_id)
    if identity not in IDENTITIES:
        raise ValueError(f"unknown identity {identity!r}: one of {', '.join(IDENTITIES)}")
    return _KUBECONFIG.format(
        cluster=f"simulated-{ocean_id}",
        server=f"{url}/kubernetes/{ocean_id}",
        user=identity,
        token=build_token(world, ocean_id, identity),
    )


def write_kubeconfig(path: Path, text: str) -> None:
    """Write a kubeconfig that only its owner can read; raises ``ValueError`` for a file of another program."""
    if path.exists() and not path.read_text(encoding="utf-8", errors="replace").startswith(_FIRST_LINE):
        raise ValueError(f"{path} was not written by this simulator and is not replaced")
    write_private_file(path, text)
