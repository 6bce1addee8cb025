"""How the connection to an API server is opened, and why that fails."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ocean_migration_pulumi.api.loopback import is_loopback
from ocean_migration_pulumi.migration.plan import clean

from .errors import UnreachableError
from .kubeconfig import Target

if TYPE_CHECKING:
    import httpx2

_REASONS: Final[Mapping[type[BaseException], str]] = {
    ssl.SSLError: "TLS fails",
    ConnectionRefusedError: "connection refused",
    ConnectionResetError: "the connection was reset",
    socket.gaierror: "the name of its server is not known",
}


def open_client(target: Target) -> httpx2.Client:
    """Return lightkube's HTTP client: it knows the certificates and the ways to sign in of a kubeconfig.

    Raises UnreachableError.
    """
    try:
        from lightkube.config.client_adapter import Client, ConnectionParams
        from lightkube.config.kubeconfig import KubeConfig
    except ImportError:
        msg = "lightkube, which reads Kubernetes, is not installed"
        raise UnreachableError(msg, "pip install 'ocean-migration[kubernetes]'") from None
    user = {key: value for key, value in target.user.items() if key != "exec"}
    config = KubeConfig.from_dict(
        {
            "current-context": "it",
            "clusters": [{"name": "it", "cluster": dict(target.cluster)}],
            "users": [{"name": "it", "user": user}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        }
    ).get()
    parameters = ConnectionParams(
        # Like kubectl: nothing on this machine is reached through the environment's proxy.
        trust_env=not is_loopback(target.cluster["server"]),
        proxy=target.cluster.get("proxy-url"),
    )
    try:
        return Client(config, parameters)  # type: ignore[arg-type]  # None only without a context
    except (OSError, ValueError, ImportError) as exc:
        # What exactly is wrong may quote a key, or the password of a proxy.
        msg = f"the certificates of the access, or the proxy, cannot be used ({type(exc).__name__})"
        raise UnreachableError(msg) from None


def why(error: BaseException) -> str:
    """Say why the API server cannot be reached; the errors' own texts may quote a token or a key."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"Kubernetes cannot be reached: its certificate is not trusted ({clean(cause.verify_message)})"
        for kind, reason in _REASONS.items():
            if isinstance(cause, kind):
                return f"Kubernetes cannot be reached: {reason}"
        cause = cause.__cause__ or cause.__context__
    return f"Kubernetes cannot be reached ({type(error).__name__})"
