"""Who may ask Kubernetes for what: the identities of each cluster, their tokens and kubeconfigs."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from ocean_migration_pulumi.testing.simulator.kubernetes_api.status import KubernetesStatusError
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster, World

IDENTITIES = ("preview", "run", "none")
"""To look, to look and evict, and one that may do nothing."""

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
class Request:
    """What is asked for: a resource (the plural, with its subresource where it is one), or else just a path.

    Empty fields: none.
    """

    verb: str
    path: str
    resource: str = ""
    group: str = ""
    namespace: str = ""
    name: str = ""


def token(world: World, ocean_id: str, identity: str) -> str:
    """Return the token of an identity; it follows from the seed."""
    return hashlib.sha256(f"{world.seed}/{ocean_id}/kubernetes/{identity}".encode()).hexdigest()


def tokens(world: World, ocean_id: str) -> dict[str, str]:
    """Return the identities of a cluster by their tokens."""
    return {token(world, ocean_id, identity): identity for identity in IDENTITIES}


def user(identity: str) -> str:
    """Return the name by which Kubernetes knows an identity."""
    return f"system:serviceaccount:ocean-migration:{identity}"


def permit(cluster: SimCluster, identity: str, request: Request) -> None:
    """Raise ``KubernetesError`` for what an identity may not do."""
    may_write = identity == "run" and (request.verb, request.resource) == ("create", EVICTIONS)
    is_read = identity != "none" and request.verb in ("get", "list")
    if (is_read or may_write) and request.resource not in cluster.forbidden_resources:
        return
    raise forbidden(identity, request)


def forbidden(identity: str, request: Request) -> KubernetesStatusError:
    """Return the error of a right that is missing."""
    if not request.resource:
        message = f'forbidden: User "{user(identity)}" cannot {request.verb} path "{request.path}"'
        return KubernetesStatusError(403, message, details={})
    plural = request.resource.partition("/")[0]
    known_as = f"{plural}.{request.group}" if request.group else plural
    which = f'{known_as} "{request.name}"' if request.name else known_as
    where = f'in the namespace "{request.namespace}"' if request.namespace else "at the cluster scope"
    return KubernetesStatusError(
        403,
        f'{which} is forbidden: User "{user(identity)}" cannot {request.verb} resource "{request.resource}" '
        f'in API group "{request.group}" {where}',
        details={
            **({"name": request.name} if request.name else {}),
            **({"group": request.group} if request.group else {}),
            "kind": plural,
        },
    )


def kubeconfig(world: World, url: str, ocean_id: str | None, identity: str) -> str:
    """Return a kubeconfig for a cluster (None: the first) as YAML; raises ``KeyError`` and ``ValueError``."""
    wanted = next(iter(world.clusters), "") if ocean_id is None else ocean_id
    if wanted not in world.clusters:
        raise KeyError(wanted)
    if identity not in IDENTITIES:
        raise ValueError(f"unknown identity {identity!r}: one of {', '.join(IDENTITIES)}")
    return _KUBECONFIG.format(
        cluster=f"simulated-{wanted}",
        server=f"{url}/kubernetes/{wanted}",
        user=identity,
        token=token(world, wanted, identity),
    )


def write_kubeconfig(path: Path, text: str) -> None:
    """Write a kubeconfig that only its owner can read; one that is somebody's own is a ``ValueError``."""
    if path.exists() and not path.read_text(encoding="utf-8", errors="replace").startswith(_FIRST_LINE):
        raise ValueError(f"{path} is not a kubeconfig of this simulator: it is left as it is")
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)
