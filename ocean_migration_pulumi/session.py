"""What the plugin's process keeps between the calls of the engine: settings, clients, and the registry."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ocean_migration_pulumi.migration.registry import Registry

if TYPE_CHECKING:
    from ocean_migration_pulumi.api.client import OceanClient

CONFIG_KEYS: Final = (
    "ocean-migration:token",
    "ocean-migration:account",
    "ocean-migration:baseUrl",
    "ocean-migration:pollInterval",
    "spotinst:token",
    "spotinst:account",
)
"""The keys of the stack's config that are read."""


class Session:
    """One per process; thread-safe.

    ``unplanned`` holds, by URN, why ``check`` could not turn a changed selection into a plan: ``update`` of the same
    process must not take the old plan for the new one.
    """

    def __init__(self) -> None:
        self.registry = Registry()
        self.unplanned: dict[str, str] = {}
        self._config: dict[str, str] = {}
        self._clients: dict[str | None, OceanClient] = {}
        self._lock = threading.Lock()

    def configure(self, config: Mapping[str, str]) -> None:
        """Take over the stack's config; clients of an earlier one are dropped."""
        with self._lock:
            self._config = dict(config)
            self._clients.clear()

    def client(self, account_id: str | None) -> OceanClient:
        """Return the client for an account; None means the account of the settings.

        Raises SettingsError when a setting cannot be used.
        """
        # The client brings httpx, which a preview of an unknown cluster does not need.
        from ocean_migration_pulumi.api.client import OceanClient
        from ocean_migration_pulumi.api.settings import Settings

        with self._lock:
            client = self._clients.get(account_id)
            if client is None:
                settings = Settings.load(self._config, os.environ, account_id=account_id)
                client = self._clients[account_id] = OceanClient(settings)
            return client


SESSION: Final = Session()
"""The session of this process."""
