"""Session: what a plugin process keeps between the calls of the engine: config, clients, readers and claims."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import MissingAccountError, SettingsError
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec, digest_value

if TYPE_CHECKING:
    from ocean_migration_pulumi.api.client import OceanClient
    from ocean_migration_pulumi.api.settings import Settings
    from ocean_migration_pulumi.aws import AwsReader
    from ocean_migration_pulumi.host import EngineCall
    from ocean_migration_pulumi.kubernetes import KubernetesReader
    from ocean_migration_pulumi.migration.snapshot.claims import ClaimsRegistry
    from ocean_migration_pulumi.migration.snapshot.snapshot import DrainedNodes
    from ocean_migration_pulumi.migration.snapshot.sources import DataSources
    from ocean_migration_pulumi.migration.state.migration_record import UnansweredStart
    from ocean_migration_pulumi.resource.preview_file import PreviewRecord

CONFIG_KEYS: Final = (
    "ocean-migration:token",
    "ocean-migration:account",
    "ocean-migration:baseUrl",
    "ocean-migration:pollInterval",
    "ocean-migration:record",
    "ocean-migration:requireApproval",
    "ocean-migration:offlinePreview",
    "spotinst:token",
    "spotinst:account",
)
"""Keys of the stack config in use."""


class Session:
    """One per process; thread-safe.

    Attributes:
        unplanned: By URN, why ``check`` could not plan a changed selection, for which the old plan is wrong.
        previews: By URN, what ``check`` found of drained nodes, which ``diff`` completes from the state, and its record
            in the preview file, if any.
        hidden: By URN, the inputs that ``check`` removed, so that no state has them.
        adopts: By URN, the running migration that ``check`` found, and that ``create`` adopts.

    """

    def __init__(self) -> None:
        self.unplanned: dict[str, str] = {}
        self.hidden: dict[str, Mapping[str, Any]] = {}
        self.previews: dict[str, tuple[PreviewRecord | None, DrainedNodes]] = {}
        self.adopts: dict[str, UnansweredStart] = {}
        self._config: dict[str, str] = {}
        self._clients: dict[str | None, OceanClient] = {}
        self._readers: dict[str, KubernetesReader] = {}
        self._aws: AwsReader | None = None
        self._registry: ClaimsRegistry | None = None
        self._lock = threading.Lock()

    @property
    def registry(self) -> ClaimsRegistry:
        """The claims of the resources of this process."""
        # Imported late: a preview of an unknown cluster does not need it.
        from ocean_migration_pulumi.migration.snapshot.claims import ClaimsRegistry

        with self._lock:
            if self._registry is None:
                self._registry = ClaimsRegistry()
            return self._registry

    def configure(self, get: Callable[[str], object]) -> None:
        """Set the stack config from ``get``, which returns a key's value, and drop the clients of an earlier config."""
        found = {key: get(key) for key in CONFIG_KEYS}
        with self._lock:
            self._config = {key: str(value) for key, value in found.items() if value is not None}
            self._clients.clear()

    def client(self, account_id: str | None) -> OceanClient:
        """Return the client for an account; None: the account of the settings.

        Raises:
            SettingsError: A setting cannot be used.

        """
        # Imported late: they bring httpx, which a preview of an unknown cluster does not need.
        from ocean_migration_pulumi.api.client import OceanClient
        from ocean_migration_pulumi.api.settings import Settings

        with self._lock:
            client = self._clients.get(account_id)
            if client is None:
                settings = Settings.load(self._config, os.environ, account_id=account_id)
                client = self._clients[account_id] = OceanClient(settings)
            return client

    def check_settings(self, account_id: str | None, *, account_later: bool = False) -> None:
        """Check that every setting can be used, and that there are a token and an account.

        Args:
            account_id: The account that the inputs name; None: they name none.
            account_later: Whether they name one that is known only later.

        Raises:
            SettingsError: A setting cannot be used, or is missing and ``offlinePreview`` is not set.

        """
        from ocean_migration_pulumi.api.settings import Settings

        with self._lock:
            settings = Settings.load(self._config, os.environ, account_id=account_id)
        if settings.offline_preview:
            return
        try:
            settings.require_credentials()
        except MissingAccountError:
            if not account_later:
                raise

    def sources(self, kubeconfig: str | None, context: str | None) -> DataSources:
        """Return the data sources besides Spot; a kubeconfig of the environment that cannot be used counts as absent.

        Args:
            kubeconfig: Content or path of a kubeconfig; None: use the environment.
            context: A context of the kubeconfig; None: the current one.

        Raises:
            InputError: The given kubeconfig, or its context, cannot be used.

        """
        from ocean_migration_pulumi.migration.snapshot.sources import DataSources
        from ocean_migration_pulumi.migration.spec.gap import Gap

        try:
            reader = self.reader(kubeconfig, context)
        except SettingsError as error:
            return DataSources(absent=Gap.from_error(error), is_named=True, explicit=kubeconfig is not None)
        if reader is None:
            return DataSources()
        from ocean_migration_pulumi.aws import AwsReader
        from ocean_migration_pulumi.kubernetes import find_runner

        with self._lock:
            if self._aws is None and find_spec("boto3"):
                self._aws = AwsReader()
        return DataSources(
            kubernetes=reader,
            is_named=True,
            explicit=reader.access.explicit,
            name=reader.access.source,
            aws=self._aws,
            eks_cluster=reader.access.eks_cluster,
            runner=find_runner(os.environ),
        )

    def reader(self, kubeconfig: str | None, context: str | None) -> KubernetesReader | None:
        """Return the reader of a cluster; None without access.

        Args:
            kubeconfig: Content or path of a kubeconfig; None: use the environment.
            context: A context of the kubeconfig; None: the current one.

        Raises:
            InputError: The given kubeconfig, or its context, cannot be used.
            SettingsError: The kubeconfig of the environment cannot be used, or the extra is not installed.

        """
        from ocean_migration_pulumi.kubernetes import KubernetesReader, find_access

        access = find_access(kubeconfig, context, os.environ)
        if access is None:
            return None
        with self._lock:
            return self._readers.setdefault(access.key, KubernetesReader(access))

    @property
    def record_trouble(self) -> Exception | None:
        """Why the record is not complete; None while it is."""
        with self._lock:
            return next((trouble for each in self._clients.values() if (trouble := each.observer_trouble)), None)

    def close(self) -> None:
        """Close the connections; those of a plugin end with its process."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            for reader in self._readers.values():
                reader.close()


SESSION: Final = Session()
"""The session of this process."""


def owner_of(urn: str, spec: MigrationSpec) -> str:
    """Return the name of a resource in this process: its URN, or a digest of its selection where it has none."""
    return urn or f"{spec.ocean_id}#{digest_value(spec.nodes.to_inputs())}"


def make_scope(call: EngineCall, settings: Settings, seconds: float) -> CancelScope:
    """Return the bounds of an operation: its deadline, that of the whole run, and the engine's cancellation.

    Args:
        call: The engine's call.
        settings: The settings, which have the end of the run.
        seconds: Seconds that the operation may take.
    """
    now, run_ends = time.monotonic(), settings.run_ends
    return CancelScope(
        deadline=now + seconds,
        run_ends=None if run_ends is None else now + (run_ends - datetime.now(UTC)).total_seconds(),
        ended=call.ended,
        alive=call.is_active,
    )
