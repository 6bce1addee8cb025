"""Run one migration of one node on the live service: start it, stop it, and wait for its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.models.migration import Candidate, MigrationStatus
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.text import count_noun, list_some
from ocean_migration_pulumi.common.times import format_elapsed
from ocean_migration_pulumi.errors import (
    AnswerLostError,
    ApiError,
    ClusterBusyError,
    DeadlineError,
    InputError,
    MigrationNotFoundError,
    NoAnswerError,
    RateLimitError,
    ServiceError,
)
from ocean_migration_pulumi.migration.snapshot.protocols import Reporter

T = TypeVar("T")

BATCH_SIZE_PERCENTAGE: Final = 50
"""The batch size that is sent: valid for the service (1 to 50), and one batch for a single node."""

_SEARCH_SECONDS: Final = 60.0
"""How long a migration is searched for in the list when the answer to its start was lost."""

_OUTAGES: Final = (NoAnswerError, ServiceError, RateLimitError, MigrationNotFoundError)
"""Errors that a poll survives; a migration that was just started may not exist yet for every route."""


class LiveRun:
    """One migration of one node that terminates, forces and deletes nothing, from its start to its terminal state."""

    def __init__(
        self,
        client: OceanClient,
        scope: CancelScope,
        tell: Reporter,
        *,
        ocean_id: str,
        instance_id: str,
        stop_after: float,
        timeout: float,
        poll_interval: float,
    ) -> None:
        """Prepare the run; nothing is sent.

        Args:
            client: The service.
            scope: Ends the run early.
            tell: Receives the progress.
            ocean_id: The cluster.
            instance_id: The node to migrate.
            stop_after: Seconds from the start to the stop.
            timeout: Seconds from the start within which the migration must end.
            poll_interval: Seconds between two polls.
        """
        self._base_client, self._base_scope = client, scope
        self._client, self._scope = client.within(scope), scope
        self._tell = tell
        self._ocean_id, self._instance_id = ocean_id, instance_id
        self._stop_after, self._timeout, self._poll_interval = stop_after, timeout, poll_interval
        self._listed: frozenset[str] = frozenset()
        self.migration_id: str | None = None
        """The migration, None until its id is known."""
        self.status: MigrationStatus | None = None
        """Its last status."""
        self.stop_sent = False
        """Whether the service has accepted the stop."""
        self.may_have_started = False
        """Whether the answer to the start is missing."""

    @property
    def is_running(self) -> bool:
        """Whether a migration was started and no terminal state was seen."""
        return self.migration_id is not None and not (self.status is not None and self.status.is_terminal)

    def find_candidate(self) -> Candidate:
        """Return the node to migrate.

        Raises:
            ClusterBusyError: When a migration is running on the cluster.
            InputError: When discovery does not return the node, or no Virtual Node Group matches it.
            OceanMigrationError: When the service cannot be read.
        """
        self._ensure_none_is_running()
        candidates = {each.instance_id: each for each in self._client.discover(self._ocean_id)}
        candidate = candidates.get(self._instance_id)
        if candidate is None:
            known = f"candidates: {list_some(sorted(candidates))}" if candidates else "the cluster has no candidates"
            raise InputError("--instance-id", f"{self._instance_id} is not a candidate of {self._ocean_id}; {known}")
        if candidate.virtual_node_group_id is None:
            raise InputError("--instance-id", f"{self._instance_id} matches no Virtual Node Group; choose another node")
        return candidate

    def run(self) -> None:
        """Start the migration, stop it, and wait until it has ended.

        Reads the status at every poll, the list and discovery with every new state, and all three again one poll after
        the terminal state. Answers that differ from the documentation do not end the run.

        Raises:
            ClusterBusyError: When another migration is running; nothing was started.
            DeadlineError: When the migration has not ended in time.
            InterruptedWaitError: When somebody pressed Ctrl-C.
            OceanMigrationError: When the start is refused, or its answer is lost and no migration appears.
        """
        self._ensure_none_is_running()
        self.migration_id = migration_id = self._start()
        started = self._base_scope.clock()
        self._scope = self._base_scope.at_most(self._timeout)
        self._client = self._base_client.within(self._scope)
        self._tell.info(f"Migration {migration_id} has started")
        try:
            self._follow(migration_id, started)
        except DeadlineError:
            msg = f"migration {migration_id} has not ended after {format_elapsed(self._timeout)}"
            raise DeadlineError(msg) from None
        # Once more, one poll after the terminal state, whatever time is left.
        self._scope, self._client = self._base_scope, self._base_client.within(self._base_scope)
        self._scope.sleep(self._poll_interval)
        self._read_status(migration_id)
        self._read_list_and_discovery()

    def _ensure_none_is_running(self) -> None:
        listed = self._client.list_migrations(self._ocean_id)
        self._listed = frozenset(each.id for each in listed)
        running = [each.id for each in listed if not each.is_terminal]
        if running:
            verb = "is" if len(running) == 1 else "are"
            msg = f"migration {list_some(running)} {verb} already running on {self._ocean_id}"
            raise ClusterBusyError(f"{msg}: wait for its end, or stop it")

    def _start(self) -> str:
        try:
            return self._client.create_migration(
                self._ocean_id,
                [self._instance_id],
                batch_size_percentage=BATCH_SIZE_PERCENTAGE,
                should_terminate_drained_nodes=False,
                should_evict_stand_alone_pods=False,
                force_pod_eviction_on_pdb_failure=False,
            )
        except AnswerLostError:
            self.may_have_started = True
            self._tell.warning("The response to the start was lost: searching the list of migrations")
            found = self._search()
            if found is None:
                raise
            return found

    def _search(self) -> str | None:
        """Return the new migration of the node, None when none appears within a minute."""
        until = self._scope.clock() + _SEARCH_SECONDS
        while self._scope.clock() < until:
            for summary in self._try(lambda: self._client.list_migrations(self._ocean_id)) or ():
                if summary.id not in self._listed:
                    status = self._read_status(summary.id)
                    if status is not None and status.instance_ids == {self._instance_id}:
                        return summary.id
            self._scope.sleep(min(2.0, self._poll_interval))
        return None

    def _follow(self, migration_id: str, started: float) -> None:
        while True:
            state = None if self.status is None else self.status.state
            status = self._read_status(migration_id)
            after = self._scope.clock() - started
            if status is not None:
                self.status = status
                pods = count_noun(sum(each.running_pods or 0 for each in status.old_instances), "pod")
                line = f"{pods} left ({status.state}, {format_elapsed(after)})"
                self._tell.status(line)
                if status.state != state:
                    self._tell.info(line)
                    self._read_list_and_discovery()
                if status.is_terminal:
                    return
            if not self.stop_sent and after >= self._stop_after:
                self._stop(migration_id)
            else:
                self._scope.sleep(self._poll_interval)

    def _stop(self, migration_id: str) -> None:
        try:
            self._client.stop_migration(self._ocean_id, migration_id)
        except _OUTAGES as error:
            self._tell.warning(f"No response to the stop: {error}")
            self._scope.sleep(self._poll_interval)
            return
        except ApiError as error:
            # It may have ended since the last poll; otherwise it runs to its end.
            self._tell.warning(f"The stop was refused: {error}")
        else:
            self._tell.info("The stop was sent")
        self.stop_sent = True

    def _read_list_and_discovery(self) -> None:
        self._try(lambda: self._client.list_migrations(self._ocean_id))
        self._try(lambda: self._client.discover(self._ocean_id))

    def _read_status(self, migration_id: str) -> MigrationStatus | None:
        return self._try(lambda: self._client.get_migration(self._ocean_id, migration_id))

    def _try(self, read: Callable[[], T]) -> T | None:
        """Return what was read, None when the service did not answer; the exchange is recorded either way."""
        try:
            return read()
        except _OUTAGES as error:
            self._tell.status(f"No response: {error}")
            return None
