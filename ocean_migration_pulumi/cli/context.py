"""What commands share: access to the service, the chosen cluster and migration, and interruption."""

from __future__ import annotations

import os
import shlex
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.models.cluster import Cluster
from ocean_migration_pulumi.api.models.migration import MigrationSummary
from ocean_migration_pulumi.api.recording.redaction import ExchangeObserver
from ocean_migration_pulumi.api.settings import Settings
from ocean_migration_pulumi.cli.options import OPTIONS, rename_to_option
from ocean_migration_pulumi.cli.output import say
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.text import list_some, nearest_name, one_line, sanitize
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

R = TypeVar("R")

CLUSTER_VARIABLE: Final = "OCEAN_MIGRATION_CLUSTER"
"""The variable that names the cluster when ``--cluster`` does not."""

KUBERNETES_SECONDS: Final = 60.0
"""How long reading a cluster from Kubernetes may take unless ``--kubernetes-timeout`` says otherwise."""

_TOKENS: Final = ("SPOTINST_TOKEN", "SPOTINST_ACCOUNT")
_NO_CREDENTIALS: Final = "no Spot token: set SPOTINST_TOKEN, or write the file ~/.spotinst/credentials"
_NO_ACCOUNT: Final = "no Spot account: use --account, SPOTINST_ACCOUNT, or a profile with an account"
_COMPLETION_SECONDS: Final = 2.0
_HANGUP: Final[signal.Signals | None] = getattr(signal, "SIGHUP", None)
"""What a closed terminal sends; None on Windows."""


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


def complete_cluster(click_context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name or id of a cluster; with nothing when the service cannot be asked."""
    found: list[CompletionItem] = []
    with suppress(Exception), _completing(click_context) as context:  # a shell shows whatever is printed here
        for each in context.client.list_clusters():
            names = [(each.id, each.name), *([(each.name, each.id)] if each.name else [])]
            found += [
                CompletionItem(name, help=one_line(other)) for name, other in names if _completes(name, incomplete)
            ]
    return found


def complete_migration(
    click_context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the id of a migration of the cluster, the newest first; with nothing when it cannot be asked."""
    with suppress(Exception), _completing(click_context) as context:  # a shell shows whatever is printed here
        return [
            CompletionItem(each.id, help=one_line(each.state))
            for each in context.migrations()
            if _completes(each.id, incomplete)
        ]
    return []


def _completes(name: str, incomplete: str) -> bool:
    """Tell whether a shell may be given a name: one of several lines would be several."""
    return name.startswith(incomplete) and name.isprintable()


@contextmanager
def _completing(click_context: click.Context) -> Iterator[CliContext]:
    given = {name: click_context.params.get(name) for name in ("account", "profile", "base_url")}
    cluster = click_context.params.get("cluster") or os.environ.get(CLUSTER_VARIABLE)
    context = CliContext(
        cluster=cluster, **given, scope=CancelScope(short=True).at_most(_COMPLETION_SECONDS), quiet=True
    )
    try:
        yield context
    finally:
        context.close()


_PARAMETERS: Final = (
    "cluster",
    "account",
    "profile",
    "base_url",
    "record",
    "kubeconfig",
    "kube_context",
    "kubernetes_timeout",
)
_OPTIONS: Final = (
    click.option(
        OPTIONS.name("ocean_id"),
        "cluster",
        envvar=CLUSTER_VARIABLE,
        metavar="ID|NAME",
        shell_complete=complete_cluster,
        help="Ocean cluster, id or unique name. Optional if the account has only one.",
        show_envvar=True,
    ),
    click.option(
        OPTIONS.name("account_id"),
        "account",
        metavar="act-...",
        help="Spot account. Default: SPOTINST_ACCOUNT, else that of the profile.",
    ),
    click.option(
        "--profile", metavar="NAME", help="Profile of the credentials file. Takes precedence over SPOTINST_TOKEN."
    ),
    click.option("--base-url", metavar="URL", help="Base URL of Spot's API, such as that of a simulator."),
    click.option(
        "--record",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Record the API traffic in this file, without secrets.",
    ),
)
_KUBERNETES_OPTIONS: Final = (
    click.option(
        OPTIONS.name(KUBECONFIG),
        "kubeconfig",
        type=click.Path(exists=True, dir_okay=False),
        metavar="FILE",
        help="Kubeconfig of the cluster. Default: KUBECONFIG.",
    ),
    click.option(
        OPTIONS.name("kube_context"),
        "kube_context",
        metavar="NAME",
        help="Context of the kubeconfig. Default: its current context.",
    ),
)


def context_options(function: Callable[..., R]) -> Callable[..., R]:
    """Add the options of a CliContext to a command, which is called with it as ``context``."""

    @wraps(function)
    def with_context(**given: Any) -> R:
        context = CliContext(**{name: given.pop(name, None) for name in _PARAMETERS})
        try:
            with interruptible(context.scope.ended):
                return function(context=context, **given)
        except NotFoundError as error:
            raise context.explain_unknown(error, given.get("migration")) from error
        finally:
            context.close()

    return _decorated(with_context, _OPTIONS)


def kubernetes_options(function: Callable[..., R]) -> Callable[..., R]:
    """Add the options for access to Kubernetes; stands above ``context_options``."""
    return _decorated(function, _KUBERNETES_OPTIONS)


def kubernetes_timeout_option(function: Callable[..., R]) -> Callable[..., R]:
    """Add the option that bounds how long Kubernetes is read; stands above ``context_options``."""
    return click.option(
        "--kubernetes-timeout",
        type=click.FloatRange(min=1),
        metavar="SECONDS",
        default=KUBERNETES_SECONDS,
        show_default=True,
        help="Maximum time to read from Kubernetes. Anything not read by then is reported as unknown.",
    )(function)


def migration_argument(function: Callable[..., R]) -> Callable[..., R]:
    """Add the argument ``migration``, None without one: see ``CliContext.migration_id``."""
    return click.argument("migration", required=False, metavar="[MIGRATION]", shell_complete=complete_migration)(
        function
    )


def _decorated(function: Callable[..., R], options: tuple[Callable[..., Any], ...]) -> Callable[..., R]:
    for option in reversed(options):
        function = option(function)
    return function


@contextmanager
def interruptible(ended: threading.Event) -> Iterator[None]:
    """Let the first SIGINT, SIGTERM or SIGHUP end what waits in an orderly way; the next one ends the program.

    A closed terminal sends SIGHUP. Under ``nohup`` it is ignored, and stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    if _HANGUP is not None and signal.getsignal(_HANGUP) is not signal.SIG_IGN:
        before[_HANGUP] = signal.getsignal(_HANGUP)

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()
        restore()

    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        restore()
