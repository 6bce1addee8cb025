"""The ``Authorization`` header of a kubeconfig's user."""

from __future__ import annotations

import base64
import threading
from pathlib import Path

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.kubernetes.connection import exec_plugin
from ocean_migration_pulumi.kubernetes.connection.errors import UnreachableError
from ocean_migration_pulumi.kubernetes.connection.kubeconfig import KubeContext, is_token


class SignIn:
    """The ``Authorization`` header of one target's user; thread-safe, and no ``repr`` shows it."""

    def __init__(self, target: KubeContext) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._header: str | None = None

    def header(self, scope: CancelScope, refused: str | None = None) -> str | None:
        """Return the header; None for a user without one, who may have a client certificate.

        Args:
            scope: Bounds a credential plugin.
            refused: The header that the API server refused: another one is returned, if there is another.

        Raises:
            UnreachableError: The token's file cannot be read, or the credential plugin gives no token.
            OperationCancelled: The scope ended while the plugin ran.
        """
        # One thread runs the plugin, the others take what it gives.
        with self._lock:
            if self._header is None or self._header == refused:
                self._header = None
                self._header = self._read(scope)
            return self._header

    def _read(self, scope: CancelScope) -> str | None:
        user = self._target.user
        # The order is that of kubectl.
        if "tokenFile" in user:
            return f"Bearer {_token_of_file(user['tokenFile'])}"
        if "token" in user:
            return f"Bearer {user['token']}"
        if "username" in user and "password" in user:
            pair = f"{user['username']}:{user['password']}"
            return f"Basic {base64.b64encode(pair.encode()).decode()}"
        if "exec" in user:
            return f"Bearer {exec_plugin.fetch_token(user['exec'], self._target.cluster, scope)}"
        return None


def _token_of_file(path: str) -> str:
    try:
        token = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        token = ""
    if not is_token(token):
        raise UnreachableError("the file with the token of the kubeconfig's user cannot be read")
    return token
