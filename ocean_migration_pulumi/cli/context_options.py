"""The options of commands that need a CliContext, their completion, and the interruption of such a command."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from ocean_migration_pulumi.cli.context import CLUSTER_VARIABLE, KUBERNETES_SECONDS, CliContext
from ocean_migration_pulumi.cli.options import OPTIONS
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.text import one_line
from ocean_migration_pulumi.errors import NotFoundError
from ocean_migration_pulumi.migration.spec.spec import KUBECONFIG

R = TypeVar("R")

_COMPLETION_SECONDS: Final = 2.0
_HANGUP: Final[signal.Signals | None] = getattr(signal, "SIGHUP", None)
"""What a closed terminal sends; None on Windows."""


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
        type=click.IntRange(min=1),
        metavar="SECONDS",
        default=int(KUBERNETES_SECONDS),
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
