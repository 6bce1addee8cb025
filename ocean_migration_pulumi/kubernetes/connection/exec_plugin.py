"""Runs the credential plugin of a kubeconfig, such as ``aws eks get-token``; no error quotes its output."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.text import sanitize
from ocean_migration_pulumi.errors import DeadlineError, OperationCancelled
from ocean_migration_pulumi.kubernetes.connection.errors import UnreachableError
from ocean_migration_pulumi.kubernetes.connection.kubeconfig import is_token

LONGEST_RUN: Final = 60.0
"""Seconds after which a plugin is killed, whatever the scope allows."""

_LOOK_AROUND: Final = 0.1
_CLUSTER_KEYS: Final = (
    "server",
    "tls-server-name",
    "certificate-authority-data",
    "proxy-url",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginCredential:
    """What a plugin answered; its ``repr`` shows none of it."""

    token: str | None = field(default=None, repr=False)
    """Bearer token; None when there is none."""
    certificate: tuple[str, str] | None = field(default=None, repr=False)
    """Client certificate and its key, PEM; None when there is none."""


def fetch_credential(plugin: Mapping[str, Any], cluster: Mapping[str, Any], scope: CancelScope) -> PluginCredential:
    """Run a plugin, without a terminal and for at most ``LONGEST_RUN``, and return its token, certificate or both.

    Args:
        plugin: ``exec`` of the kubeconfig's user.
        cluster: The kubeconfig's cluster, for a plugin that wants to know it.
        scope: Bounds the run.

    Raises:
        UnreachableError: The plugin gave nothing usable; the error names the command and its exit code only.
        OperationCancelled: The operation was cancelled.
        DeadlineError: The deadline passed.
    """
    name = sanitize(Path(plugin["command"]).name)
    remedy = "run the command of the kubeconfig's exec by hand, as the user that runs Pulumi"
    try:
        code, output = _run(plugin, cluster, scope, name)
    except FileNotFoundError:
        msg = f"the credential plugin {name} is not installed"
        raise UnreachableError(msg, f"install {name} where Pulumi runs") from None
    except (OSError, ValueError) as exc:
        raise UnreachableError(f"the credential plugin {name} cannot be run ({type(exc).__name__})", remedy) from None
    if code:
        raise UnreachableError(f"the credential plugin {name} failed (exit code {code})", remedy)
    found = _credential(output)
    if found is None:
        raise UnreachableError(
            f"the credential plugin {name} returned neither a token nor a certificate with its key", remedy
        )
    return found


def _run(plugin: Mapping[str, Any], cluster: Mapping[str, Any], scope: CancelScope, name: str) -> tuple[int, bytes]:
    bounded = scope.at_most(LONGEST_RUN)
    bounded.check()
    with subprocess.Popen(  # noqa: S603 - the kubeconfig's own command, as kubectl runs it
        [plugin["command"], *plugin["args"]],
        # As with kubectl, the plugin gets the whole environment: it has the AWS credentials.
        env={**os.environ, **plugin["env"], "KUBERNETES_EXEC_INFO": _information(plugin, cluster)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        while True:
            try:
                output, _ = process.communicate(timeout=_LOOK_AROUND)
            except subprocess.TimeoutExpired:
                try:
                    bounded.check()
                except (OperationCancelled, DeadlineError):
                    process.kill()
                    scope.check()
                    msg = f"the credential plugin {name} did not respond within {LONGEST_RUN:g} s"
                    raise UnreachableError(msg) from None
            else:
                return process.returncode, output


def _information(plugin: Mapping[str, Any], cluster: Mapping[str, Any]) -> str:
    """Return ``KUBERNETES_EXEC_INFO``: the version of the protocol, and the cluster if the plugin wants to know it."""
    spec: dict[str, Any] = {"interactive": False}
    if plugin["provideClusterInfo"]:
        spec["cluster"] = {key: cluster[key] for key in _CLUSTER_KEYS if key in cluster}
    return json.dumps({"apiVersion": plugin["apiVersion"], "kind": "ExecCredential", "spec": spec})


def _credential(output: bytes) -> PluginCredential | None:
    try:
        status = json.loads(output)["status"]
        parts = [status.get(key) or "" for key in ("token", "clientCertificateData", "clientKeyData")]
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return None
    if not all(isinstance(part, str) for part in parts):
        return None
    token, certificate, key = parts
    if bool(certificate) != bool(key) or not (token or key) or (token and not is_token(token)):
        return None
    return PluginCredential(token=token or None, certificate=(certificate, key) if key else None)
