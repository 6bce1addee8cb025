"""The component's input types for what is done in Kubernetes, and what must be true of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypedDict

import pulumi
from pulumi import Input, Output

from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.spec import input_readers
from ocean_migration_pulumi.resource.stack_config import refuse_plain_token, stack_config

CHART: Final = "ocean-kubernetes-controller"
CHART_VERSION: Final = "0.1.74"
"""The version of the chart that is installed unless another one is asked for; it brings controller 2.3.0."""
REPOSITORY: Final = "https://charts.spot.io"
RELEASE: Final = "ocean-controller"
NAMESPACE: Final = "spot-system"

_CONFIGS: Final = ("ocean-migration", "spotinst")
_OWN_VALUES: Final[Mapping[str, str]] = {
    "token": "the token comes from existing_secret, or with token_in_state from token: values are in clear",
    "clusterIdentifier": "it is the Ocean cluster's own, and taken from there",
}


class ControllerArgsDict(TypedDict, total=False):
    """How the Ocean Controller is installed, as a dictionary; see ``ControllerArgs``."""

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


@dataclass(kw_only=True)
class ControllerArgs:
    """How version 2 of the Ocean Controller is installed: the chart ``ocean-kubernetes-controller``.

    It needs a token of Spot. The usual way is a Secret that something else has made, in the namespace of the release
    and with two keys: ``token``, a token of Spot, and ``account``, the account's id (``act-...``)::

        kubectl create namespace spot-system
        kubectl --namespace spot-system create secret generic spot --from-file=token --from-literal=account=act-...

    Then ``existing_secret`` is ``spot``, and no token comes near the stack. The controller reads the Secret when it
    starts: after a change of it, restart the controller. A controller that somebody else has installed is not taken
    over: leave ``controller`` out then, or import its release first.
    """

    existing_secret: Input[str] | None = None
    """The name of that Secret; this, or ``token_in_state``. The chart's values are ``secret.create=false`` and
    ``secret.name``."""
    token_in_state: bool = False
    """Whether the stack makes the Secret. Then the token is in the stack's state, encrypted with the stack's key, and
    whoever may read the stack's secrets has it; in the cluster it is in the Secret alone, and not among the values of
    the release. A new token makes a new Secret and starts the controller anew."""
    token: Input[str] | None = field(default=None, repr=False)
    """The token for ``token_in_state``, which has to be a secret: ``pulumi.Config().require_secret("spotToken")``. None
    means the one of the stack's config, ``ocean-migration:token`` or ``spotinst:token``."""
    version: Input[str] = CHART_VERSION
    """The version of the chart."""
    repository: Input[str] = REPOSITORY
    """Where the chart comes from."""
    release_name: Input[str] = RELEASE
    """The name of the Helm release."""
    namespace: Input[str] = NAMESPACE
    """The namespace of the release; it is made when there is none, and never deleted."""
    auto_update: bool = False
    """Whether the controller may install newer versions of the chart by itself, as the chart has it by default. Off, as
    the version is the program's: an update in the middle of a migration starts the controller anew, and the next change
    of the release takes it back."""
    metrics_server: Input[bool] = False
    """Whether the chart brings a metrics-server. Off, unlike in the chart: its installation fails where there is
    another one, as in many clusters. A migration needs none; where nothing else serves metrics, autoscaling of pods and
    Ocean's right-sizing need this one."""
    replace_v1: bool | None = None
    """Whether version 1 of the controller is there and is scaled to zero first: version 2 waits for that. None means
    that the cluster is asked, if there is access to it. It stays at zero when the stack is destroyed."""
    values: Mapping[str, Any] | None = None
    """More values of the chart, merged over those of the component; those of the token have inputs of their own. None
    means none."""


class ClusterAutoscalerArgsDict(TypedDict, total=False):
    """The Cluster Autoscaler to switch off, as a dictionary; see ``ClusterAutoscalerArgs``."""

    name: Input[str]
    namespace: Input[str]
    restore_on_destroy: bool


@dataclass(kw_only=True)
class ClusterAutoscalerArgs:
    """The Cluster Autoscaler, whose Deployment is scaled to zero: two autoscalers work against each other.

    The number of replicas is taken over by a server-side apply, and whoever owned it no longer does. How many there
    were, when that was seen, stays on the Deployment: in the annotation ``ocean-migration/replicas``.
    """

    name: Input[str] | None = None
    """The name of its Deployment. None means that the cluster is asked, and that every Cluster Autoscaler found is
    switched off."""
    namespace: Input[str] | None = None
    """The Deployment's namespace, with ``name``; None means ``kube-system``."""
    restore_on_destroy: bool = False
    """Whether destroying the stack gives the number of replicas back, which needs ``name``. Nobody owns the number
    then, so Kubernetes sets its default, 1, however many there were; a tool that applies the Deployment sets its own
    again. By default the Deployment stays at zero, and nothing is sent."""


def judge_controller(args: ControllerArgs, account: Input[str] | None = None) -> None:
    """Judge these arguments, as far as that is possible before anything is registered.

    ``account`` is the Spot account, None for that of the stack's config. Raises InputError, or SettingsError when the
    config has a token in clear.
    """
    name = "controller"
    for flag in ("token_in_state", "auto_update"):
        input_readers.read_flag(f"{name}.{flag}", getattr(args, flag))
    if args.replace_v1 is not None:
        input_readers.read_flag(f"{name}.replace_v1", args.replace_v1)
    if args.existing_secret is None and not args.token_in_state:
        told = (
            "give the name of a Secret with the keys token and account, or token_in_state, and the state has the token"
        )
        raise InputError(f"{name}.existing_secret", told)
    if args.existing_secret is not None and args.token_in_state:
        raise InputError(f"{name}.token_in_state", "goes not with existing_secret: give one of them")
    if args.token is not None and not args.token_in_state:
        raise InputError(f"{name}.token", "goes only with token_in_state, for it would be in the stack's state")
    if args.token is not None and not isinstance(args.token, Output):
        # Never shown: it may be the token itself.
        raise not_secret()
    if args.existing_secret is not None and not isinstance(args.existing_secret, Output):
        input_readers.read_text(f"{name}.existing_secret", args.existing_secret)
    _judge_values(args.values, f"{name}.values")
    if args.token_in_state:
        if args.token is None:
            _namespace_of_token()
        account_for_token(account)


def judge_autoscaler(args: ClusterAutoscalerArgs) -> None:
    """Raise InputError when these arguments cannot be used."""
    name = "cluster_autoscaler"
    input_readers.read_flag(f"{name}.restore_on_destroy", args.restore_on_destroy)
    if args.name is None and args.namespace is not None:
        raise InputError(f"{name}.namespace", "goes only with name")
    if args.name is None and args.restore_on_destroy:
        told = "is required with restore_on_destroy: else it came back whenever the cluster cannot be asked"
        raise InputError(f"{name}.name", told)


def token_of(args: ControllerArgs) -> Output[str]:
    """Return the token for ``token_in_state``, as a secret.

    Raises InputError when there is none, or SettingsError when the config has one in clear.
    """
    if isinstance(args.token, Output):
        return Output.secret(args.token)
    return pulumi.Config(_namespace_of_token()).require_secret("token")


def account_for_token(given: Input[str] | None) -> Input[str]:
    """Return the account that goes with the token: the given one, or that of the stack's config.

    Raises InputError when there is none.
    """
    if given is not None:
        return given
    keys = [f"{namespace}:account" for namespace in _CONFIGS]
    configured = stack_config(keys)
    for key in keys:
        if key in configured:
            return configured[key]
    allowed = "give it, or set it with `pulumi config set ocean-migration:account act-...`"
    raise InputError("account_id", f"is required with token_in_state in controller; {allowed}")


def not_secret() -> InputError:
    """Return the error for a token that would be in the state in clear."""
    allowed = 'pulumi.Config().require_secret("spotToken"), set with `pulumi config set --secret spotToken`'
    return InputError("controller.token", f"is no secret; give one, such as {allowed}")


def _namespace_of_token() -> str:
    """Return the namespace of the stack's config that has the token."""
    refuse_plain_token()
    for namespace in _CONFIGS:
        if pulumi.Config(namespace).get("token") is not None:
            return namespace
    allowed = "give it, or set it with `pulumi config set --secret ocean-migration:token`"
    raise InputError("controller.token", f"is required with token_in_state; {allowed}")


def _judge_values(given: Mapping[str, Any] | None, name: str) -> None:
    if given is None:
        return
    if not isinstance(given, Mapping):
        raise InputError(name, "is no dictionary; give one, whose values may be Outputs")
    if "secret" in given:
        raise InputError(f"{name}.secret", "has inputs of its own: existing_secret, or token_in_state")
    spotinst = given.get("spotinst", {})
    if not isinstance(spotinst, Mapping):
        raise InputError(f"{name}.spotinst", "is no dictionary; give one, whose values may be Outputs")
    for key, why in _OWN_VALUES.items():
        if key in spotinst:
            raise InputError(f"{name}.spotinst.{key}", f"is not allowed: {why}")
