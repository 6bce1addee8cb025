"""What the requests of a kubeconfig's user are signed in by."""

from __future__ import annotations

import base64
import threading
from dataclasses import dataclass, field
from pathlib import Path

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.kubernetes.connection import exec_plugin
from ocean_migration_pulumi.kubernetes.connection.errors import UnreachableError
from ocean_migration_pulumi.kubernetes.connection.kubeconfig import KubeContext, is_token


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What a request is signed in by; its ``repr`` shows none of it."""

    header: str | None = field(default=None, repr=False)
    """``Authorization`` header; None for a user without one."""
    certificate: tuple[str, str] | None = field(default=None, repr=False)
    """Client certificate of a credential plugin and its key, PEM; None when it gave none."""


class SignIn:
    """The credential of one target's user; thread-safe, and no ``repr`` shows it."""

    def __init__(self, target: KubeContext) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._credential: Credential | None = None

    def credential(self, scope: CancelScope, refused: Credential | None = None) -> Credential:
        """Return the credential.

        Args:
            scope: Bounds a credential plugin.
            refused: The credential that the API server refused: another one is returned, if there is another.

        Raises:
            UnreachableError: The token's file cannot be read, or the credential plugin gives nothing usable.
            OperationCancelled: The scope ended while the plugin ran.
        """
        # One thread runs the plugin, the others take what it gives.
        with self._lock:
            if self._credential is None or self._credential == refused:
                self._credential = None
                self._credential = self._read(scope)
            return self._credential

    def _read(self, scope: CancelScope) -> Credential:
        user = self._target.user
        # The order is that of kubectl.
        if "tokenFile" in user:
            return Credential(header=f"Bearer {_token_of_file(user['tokenFile'])}")
        if "token" in user:
            return Credential(header=f"Bearer {user['token']}")
        if "username" in user and "password" in user:
            pair = f"{user['username']}:{user['password']}"
            return Credential(header=f"Basic {base64.b64encode(pair.encode()).decode()}")
        if "exec" in user:
            found = exec_plugin.fetch_credential(user["exec"], self._target.cluster, scope)
            return Credential(header=found.token and f"Bearer {found.token}", certificate=found.certificate)
        return Credential()


def _token_of_file(path: str) -> str:
    try:
        token = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        token = ""
    if not is_token(token):
        raise UnreachableError("the file with the token of the kubeconfig's user cannot be read")
    return token
