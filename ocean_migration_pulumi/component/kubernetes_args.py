"""Arguments of the component for the Ocean Controller and the Cluster Autoscaler, and their checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypedDict

import pulumi
from pulumi import Input, Output

from ocean_migration_pulumi.component import argument_types
from ocean_migration_pulumi.component.known_inputs import check_types
from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.host import one_line_constructor
from ocean_migration_pulumi.migration.spec import input_readers
from ocean_migration_pulumi.resource.stack_config import check_stack_config, stack_config

CHART: Final = "ocean-kubernetes-controller"
"""Name of the chart of the Ocean Controller."""
CHART_VERSION: Final = "0.1.74"
"""Default version of the chart, which has version 2.3.0 of the controller."""
REPOSITORY: Final = "https://charts.spot.io"
"""Default repository of the chart."""
RELEASE: Final = "ocean-controller"
"""Default name of the Helm release."""
NAMESPACE: Final = "spot-system"
"""Default namespace of the Helm release."""

_CONFIG_NAMESPACES: Final = ("ocean-migration", "spotinst")
_RESERVED_VALUES: Final[Mapping[str, str]] = {
    "token": "values are not secret; set existing_secret or token_in_state",
    "clusterIdentifier": "it is taken from the Ocean cluster",
}


class ControllerArgsDict(TypedDict, total=False):
    """How to install the Ocean Controller, as a dictionary; see ``ControllerArgs``."""

    existing_secret: Input[str]
    token_in_state: bool
    token: Input[str]
    version: Input[str]
    repository: Input[str]
    release_name: Input[str]
    namespace: Input[str]
    auto_update: bool
    metrics_server: Input[bool]
    replace_v1: bool
    values: Mapping[str, Any]


@one_line_constructor
@dataclass(kw_only=True)
class ControllerArgs:
    """How to install version 2 of the Ocean Controller: the chart ``ocean-kubernetes-controller``.

    The controller needs a Spot token. Create a Secret in the namespace of the release with two keys: ``token``, and
    ``account`` (``act-...``). Then set ``existing_secret``, and the stack never sees the token::

        kubectl create namespace spot-system
        kubectl --namespace spot-system create secret generic spot --from-file=token --from-literal=account=act-...

    The controller reads the Secret at startup: restart it after a change. A controller that is already installed is not
    adopted: leave ``controller`` out, or import its release first.
    """

    existing_secret: Input[str] | None = None
    """Name of the Secret; mutually exclusive with ``token_in_state``. Sets ``secret.create=false`` and ``secret.name``
    of the chart."""
    token_in_state: bool = False
    """Whether the stack creates the Secret. The token is then in the stack's state, encrypted, and readable by everyone
    who can read the stack's secrets. A new token restarts the controller."""
    token: Input[str] | None = field(default=None, repr=False)
    """Token for ``token_in_state``; must be a secret, such as ``pulumi.Config().require_secret("spotToken")``. None
    means ``ocean-migration:token`` or ``spotinst:token`` of the stack's config."""
    version: Input[str] = CHART_VERSION
    """Version of the chart."""
    repository: Input[str] = REPOSITORY
    """Repository of the chart."""
    release_name: Input[str] = RELEASE
    """Name of the Helm release."""
    namespace: Input[str] = NAMESPACE
    """Namespace of the release; created if it does not exist, never deleted."""
    auto_update: bool = False
    """Whether the controller may install newer versions of the chart. Off, unlike in the chart: an update restarts the
    controller, also during a migration, and the next change of the release reverts it."""
    metrics_server: Input[bool] = False
    """Whether the chart installs metrics-server. Off, unlike in the chart: the installation fails if one exists. Pod
    autoscaling and Ocean's right-sizing need one, a migration does not."""
    replace_v1: bool | None = None
    """Whether to scale version 1 of the controller to zero first, as version 2 requires. It stays at zero when the
    stack is destroyed. None means to ask the cluster, if it can be reached."""
    values: Mapping[str, Any] | None = None
    """More values of the chart, which override those of the component; the token has its own inputs. None means no
    more values."""


class ClusterAutoscalerArgsDict(TypedDict, total=False):
    """The Cluster Autoscaler to scale to zero, as a dictionary; see ``ClusterAutoscalerArgs``."""

    name: Input[str]
    namespace: Input[str]
    restore_on_destroy: bool


@one_line_constructor
@dataclass(kw_only=True)
class ClusterAutoscalerArgs:
    """The Cluster Autoscaler to scale to zero, as two autoscalers work against each other.

    A server-side apply takes over the number of replicas of its Deployment. The annotation
    ``ocean-migration/replicas`` of the Deployment records the former number, if it was known.
    """

    name: Input[str] | None = None
    """Name of the Deployment. None means to ask the cluster, and to scale every Cluster Autoscaler to zero."""
    namespace: Input[str] | None = None
    """Namespace of the Deployment; requires ``name``. None means ``kube-system``."""
    restore_on_destroy: bool = False
    """Whether destroying the stack releases the number of replicas; requires ``name``. Kubernetes then sets its
    default, 1, and a tool that applies the Deployment sets its own number again. By default the Deployment stays at
    zero."""


def check_controller_args(args: ControllerArgs, account: Input[str] | None = None) -> None:
    """Check the arguments before any resource is registered.

    Args:
        args: The arguments.
        account: The Spot account; None means the account of the stack's config.

    Raises:
        InputError: An argument is not allowed.
        SettingsError: The token in the stack's config is not a secret.
    """
    name = "controller"
    check_types(args, name, argument_types.CONTROLLER)
    if args.existing_secret is None and not args.token_in_state:
        raise InputError(f"{name}.existing_secret", "is required without token_in_state", predicate=True)
    if args.existing_secret is not None and args.token_in_state:
        raise input_readers.exclusive_error(f"{name}.token_in_state", "existing_secret")
    if args.token is not None and not args.token_in_state:
        raise InputError(
            f"{name}.token", ("requires token_in_state, because the token is then in the state"), predicate=True
        )
    if args.token is not None and not isinstance(args.token, Output):
        # The message must not show the value: it may be the token itself.
        raise plain_token_error()
    _check_values(args.values, f"{name}.values")
    if args.token_in_state:
        if args.token is None:
            _find_token_namespace()
        find_token_account(account)


def check_autoscaler_args(args: ClusterAutoscalerArgs) -> None:
    """Check the arguments.

    Raises:
        InputError: An argument is not allowed.
    """
    name = "cluster_autoscaler"
    check_types(args, name, argument_types.CLUSTER_AUTOSCALER)
    if args.name is None and args.namespace is not None:
        raise InputError(f"{name}.namespace", "requires name", predicate=True)
    if args.name is None and args.restore_on_destroy:
        raise InputError(f"{name}.name", "is required with restore_on_destroy", predicate=True)


def read_token(args: ControllerArgs) -> Output[str]:
    """Return the token for ``token_in_state``, as a secret.

    Raises:
        InputError: There is no token.
        SettingsError: The token in the stack's config is not a secret.
    """
    if isinstance(args.token, Output):
        return Output.secret(args.token)
    return pulumi.Config(_find_token_namespace()).require_secret("token")


def find_token_account(account: Input[str] | None) -> Input[str]:
    """Return the account of the token: the argument, or that of the stack's config.

    Raises:
        InputError: There is no account.
    """
    if account is not None:
        return account
    keys = [f"{namespace}:account" for namespace in _CONFIG_NAMESPACES]
    configured = stack_config(keys)
    for key in keys:
        if key in configured:
            return configured[key]
    remedy = "set it, or run `pulumi config set ocean-migration:account act-...`"
    raise InputError("account_id", f"is required with controller.token_in_state; {remedy}", predicate=True)


def plain_token_error() -> InputError:
    """Return the error for a token that the state would hold in plain text."""
    allowed = 'a secret, such as `pulumi.Config().require_secret("spotToken")`'
    return input_readers.secret_error("controller.token", allowed)


def _find_token_namespace() -> str:
    """Return the namespace of the stack's config that has the token, and refuse a token that is not secret."""
    check_stack_config()
    for namespace in _CONFIG_NAMESPACES:
        if pulumi.Config(namespace).get("token") is not None:
            return namespace
    remedy = "set it, or run `pulumi config set --secret ocean-migration:token`"
    raise InputError("controller.token", f"is required with token_in_state; {remedy}", predicate=True)


def _check_values(given: Mapping[str, Any] | None, name: str) -> None:
    if given is None:
        return
    if not isinstance(given, Mapping):
        raise input_readers.secret_error(name, "a dictionary; only its values may be Outputs")
    if "secret" in given:
        raise InputError(f"{name}.secret", "is not allowed: set existing_secret or token_in_state", predicate=True)
    spotinst = given.get("spotinst", {})
    if not isinstance(spotinst, Mapping):
        raise input_readers.secret_error(f"{name}.spotinst", "a dictionary; only its values may be Outputs")
    for key, why in _RESERVED_VALUES.items():
        if key in spotinst:
            raise InputError(f"{name}.spotinst.{key}", f"is not allowed: {why}", predicate=True)
