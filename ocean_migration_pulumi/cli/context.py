"""What commands share: access to the service, the chosen cluster and migration."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.models.cluster import Cluster
from ocean_migration_pulumi.api.models.migration import MigrationSummary
from ocean_migration_pulumi.api.recording.redaction import ExchangeObserver
from ocean_migration_pulumi.api.settings import Settings
from ocean_migration_pulumi.cli.options import OPTIONS, rename_to_option
from ocean_migration_pulumi.cli.output import say
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.text import list_some, nearest_name, sanitize
from ocean_migration_pulumi.common.times import sort_key
from ocean_migration_pulumi.errors import (
    ClusterNotFoundError,
    InputError,
    MigrationNotFoundError,
    MissingAccountError,
    MissingTokenError,
    NotFoundError,
    OceanMigrationError,
    UnknownNameError,
)
from ocean_migration_pulumi.migration.reconcile.waiter import PollPolicy
from ocean_migration_pulumi.migration.snapshot.claims import ClaimsRegistry, ClusterClaims
from ocean_migration_pulumi.migration.snapshot.sources import DataSources
from ocean_migration_pulumi.migration.spec.spec import KUBECONFIG
from ocean_migration_pulumi.resource.session import Session

CLUSTER_VARIABLE: Final = "OCEAN_MIGRATION_CLUSTER"
"""The variable that names the cluster when ``--cluster`` does not."""

KUBERNETES_SECONDS: Final = 60.0
"""How long reading a cluster from Kubernetes may take unless ``--kubernetes-timeout`` says otherwise."""

_TOKENS: Final = ("SPOTINST_TOKEN", "SPOTINST_ACCOUNT")
_NO_CREDENTIALS: Final = "no Spot token: set SPOTINST_TOKEN, or write the file ~/.spotinst/credentials"
_NO_ACCOUNT: Final = "no Spot account: use --account, SPOTINST_ACCOUNT, or a profile with an account"


class CliContext:
    """A command's access to the service, Kubernetes and AWS; everything is opened when it is first needed.

    Attributes:
        scope: Ends with the first SIGINT, SIGTERM or SIGHUP; a second one ends the program.
        observers: Receive every exchange with the service, when added before the first one.
        kubernetes_timeout: Seconds that reading the cluster from Kubernetes may take.
    """

    def __init__(
        self,
        *,
        cluster: str | None = None,
        account: str | None = None,
        profile: str | None = None,
        base_url: str | None = None,
        record: Path | None = None,
        kubeconfig: str | None = None,
        kube_context: str | None = None,
        kubernetes_timeout: float | None = None,
        environ: Mapping[str, str] | None = None,
        scope: CancelScope | None = None,
        quiet: bool = False,
    ) -> None:
        self._given = cluster
        self._quiet = quiet
        self._options = {
            "--account": account,
            "--base-url": base_url,
            "--record": None if record is None else str(record),
            "--profile": profile,
        }
        self._kubeconfig, self._kube_context = kubeconfig, kube_context
        self.kubernetes_timeout = KUBERNETES_SECONDS if kubernetes_timeout is None else kubernetes_timeout
        self._environ = _environment(os.environ if environ is None else environ, profile)
        self._client: OceanClient | None = None
        self._cluster_id: str | None = None
        self._registry = ClaimsRegistry()
        self._session = Session()
        self._settings: Settings | None = None
        self.observers: list[ExchangeObserver] = []
        self.scope = scope or CancelScope()

    @property
    def settings(self) -> Settings:
        """The settings in force.

        Raises SettingsError when one cannot be used.
        """
        if self._settings is None:
            self._settings = Settings.load(None, self._environ, options=self._options)
        return self._settings

    def record_to(self, path: Path) -> None:
        """Record every exchange in this file; only before the first use of ``client``."""
        self._settings = replace(self.settings, record=path)

    @property
    def client(self) -> OceanClient:
        """The service, within this command's scope."""
        if self._client is None:
            if self.settings.token is None:
                raise MissingTokenError(_NO_CREDENTIALS)
            self._client = OceanClient(self.settings, base_scope=self.scope, observers=self.observers)
        return self._client

    @property
    def poll_policy(self) -> PollPolicy:
        """How waits poll."""
        return PollPolicy(poll_interval=self.settings.poll_interval)

    @property
    def cluster_id(self) -> str:
        """The id of the cluster that is meant: the one given by id or by unique name, else the account's only one.

        Raises InputError, naming what there is, when it is not clear which one that is.
        """
        if self._cluster_id is None:
            self._cluster_id = self._found()
        return self._cluster_id

    @property
    def claims(self) -> ClusterClaims:
        """What is known of the cluster."""
        return self._registry.claims(self.client.account_id, self.cluster_id)

    def require_account(self) -> str:
        """Return the account that is asked.

        Raises MissingAccountError when nothing names one: the service would take the oldest one without a word. Without
        a token either, raises MissingTokenError, which names both.
        """
        if self.settings.token is None and self.settings.account_id is None:
            raise MissingTokenError(f"{_NO_CREDENTIALS}; {_NO_ACCOUNT}")
        if self.client.account_id is None:
            raise MissingAccountError(_NO_ACCOUNT)
        return self.client.account_id

    def sources(self) -> DataSources:
        """Return who else can be asked about the cluster: Kubernetes and AWS.

        Raises InputError when the given kubeconfig, or its context, cannot be used.
        """
        try:
            sources = self._session.sources(self._kubeconfig, self._kube_context)
        except InputError as error:
            if error.property_name == KUBECONFIG:
                raise error.renamed(f"{OPTIONS.name(KUBECONFIG)} {self._kubeconfig}") from None
            raise rename_to_option(error) from None
        return sources if self._kubeconfig is None else replace(sources, name=OPTIONS.name(KUBECONFIG))

    def migrations(self) -> list[MigrationSummary]:
        """Return the cluster's migrations, the newest first."""
        found = self.client.list_migrations(self.cluster_id)
        return sorted(found, key=lambda each: (sort_key(each.created_at), each.id), reverse=True)

    def migration_id(self, given: str | None, *, running: bool = False) -> str:
        """Return the migration that is meant: the given one, else the one that runs, else the newest.

        ``running`` takes none but one that runs. Raises InputError when there is none.
        """
        if given is not None:
            if not given:
                raise InputError("MIGRATION", "must not be empty", predicate=True)
            return given
        listed = self.migrations()
        active = [each for each in listed if not each.is_terminal]
        if len(active) > 1:
            named = ", ".join(each.id for each in active)
            raise InputError("", f"several migrations run on {self.cluster_id}: {named}; specify one")
        chosen = active or ([] if running else listed[:1])
        if not chosen:
            kind = "running migration" if running else "migration"
            raise UnknownNameError("", f"no {kind} on {self.cluster_id}")
        return chosen[0].id

    def find_clusters(self) -> Sequence[Cluster]:
        """Return the clusters of the account; only the one that --cluster names, by id or name, if it does.

        Raises:
            UnknownNameError: There is no such cluster.
        """
        clusters = self.client.list_clusters()
        if self._given is None:
            return clusters
        found = [each for each in clusters if self._given in {each.id, each.name}]
        if not found:
            raise self._unknown_cluster(clusters)
        return found

    def explain_unknown(self, error: NotFoundError, migration: str | None) -> OceanMigrationError:
        """Return the error for a cluster or a migration that does not exist, with the nearest name there is."""
        with suppress(OceanMigrationError):
            if isinstance(error, ClusterNotFoundError) and self._given is not None:
                return self._unknown_cluster(self.client.list_clusters())
            if isinstance(error, MigrationNotFoundError) and migration is not None:
                names = [each.id for each in self.migrations()]
                return unknown_name("MIGRATION", f"no migration {migration!r} on {self.cluster_id}", migration, names)
        return error

    def steering(self, verb: str, migration_id: str) -> str:
        """Return the command line that does something with a migration of the cluster."""
        return shlex.join(("ocean-migration", verb, migration_id, "--cluster", self.cluster_id))

    def close(self) -> None:
        """Close the connections."""
        self._session.close()
        if self._client is not None:
            if self._client.observer_trouble is not None and not self._quiet:
                say(f"warning: the record is incomplete: {self._client.observer_trouble}")
            self._client.close()

    def _found(self) -> str:
        if self._given is not None and self._given.startswith("o-"):
            return self._given
        clusters = self.client.list_clusters()
        named = [each for each in clusters if self._given in {None, each.name}]
        if len(named) == 1:
            if self._given is None and not self._quiet:
                say(f"Cluster: {_introduced(named[0])}, the only one in the account")
            return named[0].id
        if self._given is None:
            raise InputError("--cluster", f"is required; the account has {_list_clusters(clusters)}", predicate=True)
        if named:
            several = ", ".join(each.id for each in named)
            raise InputError("--cluster", f"several clusters are named {self._given!r}: {several}; use the id")
        raise self._unknown_cluster(clusters)

    def _unknown_cluster(self, clusters: Sequence[Cluster]) -> InputError:
        names = [name for each in clusters for name in (each.name, each.id) if name]
        given = self._given or ""
        if not given:
            return InputError("--cluster", "must not be empty", predicate=True)
        if nearest_name(given, names):
            return unknown_name("--cluster", f"no cluster {given!r}", given, names)
        return UnknownNameError("--cluster", f"no cluster {given!r}; the account has {_list_clusters(clusters)}")


def _environment(environ: Mapping[str, str], profile: str | None) -> dict[str, str]:
    """Return the environment, without token and account if a profile was given, which takes precedence."""
    return {name: value for name, value in environ.items() if profile is None or name not in _TOKENS}


def unknown_name(name: str, problem: str, given: str, known: Sequence[str]) -> UnknownNameError:
    """Return the error for a value that does not exist: it suggests the nearest one, or lists what exists."""
    nearest = nearest_name(given, known)
    if nearest:
        return UnknownNameError(name, f"{problem}; did you mean `{nearest}`?")
    return UnknownNameError(name, f"{problem}; existing: {list_some(known)}" if known else problem)


def _list_clusters(clusters: Iterable[Cluster]) -> str:
    return list_some(map(_introduced, clusters), 10) or "no cluster"


def _introduced(cluster: Cluster) -> str:
    return f"{sanitize(cluster.name)} ({cluster.id})" if cluster.name else cluster.id
