"""Finds the access to a cluster: the input ``kubeconfig``, ``KUBECONFIG``, or the service account of a pod."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from ocean_migration_pulumi.common.installation import install_command
from ocean_migration_pulumi.common.text import list_some, nearest_name, one_line, sanitize, shorten_value
from ocean_migration_pulumi.errors import InputError, SettingsError
from ocean_migration_pulumi.kubernetes.connection.kubeconfig import (
    NO_COMPRESSION,
    Kubeconfig,
    KubeconfigError,
    KubeContext,
    choose_context,
    merge_kubeconfigs,
    parse_kubeconfig,
)
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import RunnerPod

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")

_EXTRA: Final = ("msgspec", "yaml")
_ALLOWED: Final = "give the content of a kubeconfig (YAML or JSON), or its path"
_LONGEST_PATH: Final = 200
_ARN: Final = re.compile(r"arn:aws[a-z-]*:eks:(?P<region>[a-z0-9-]+):\d*:cluster/(?P<name>[\w-]+)")
_HOST: Final = re.compile(r"https://[^/]*\.(?P<region>[a-z0-9-]+)\.eks\.amazonaws\.com(?:\.cn)?(?:[:/].*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesAccess:
    """A cluster and the credentials for it; its ``repr`` has no secret."""

    source: str
    """Where it was found, as messages name it."""
    explicit: bool
    """Whether the inputs of the resource name it."""
    key: str
    """The same for the same access."""
    eks_cluster: str | None = None
    """Name of the cluster in EKS; None when the access does not have it."""
    region: str | None = None
    """AWS region; None when the access does not have it."""
    target: KubeContext = field(repr=False, compare=False)
    """Server and credentials."""


def find_access(
    kubeconfig: str | None,
    context: str | None,
    environ: Mapping[str, str],
    *,
    service_account: Path = SERVICE_ACCOUNT,
) -> KubernetesAccess | None:
    """Return the first access of these: the given kubeconfig, ``KUBECONFIG``, the service account of the pod.

    The kubeconfig in the home directory says nothing about a stack and is never read. No error quotes a kubeconfig.

    Args:
        kubeconfig: Content or path of a kubeconfig; None: use the environment.
        context: A context of the kubeconfig; None: the current one. With one, the pod's service account is not used.
        environ: The environment; files of ``KUBECONFIG`` are merged as kubectl does.
        service_account: Directory of the pod's service account.

    Returns:
        The access; None when there is none.

    Raises:
        InputError: The given kubeconfig, or its context, cannot be used.
        SettingsError: The kubeconfig of the environment cannot be used, or the extra is not installed.
    """
    if not all(map(find_spec, _EXTRA)):
        msg = f"access to Kubernetes requires the extra `kubernetes`: run `{install_command('kubernetes')}`"
        raise SettingsError(msg)
    if kubeconfig is not None:
        return _of_input(kubeconfig, context)
    if environ.get("KUBECONFIG"):
        return _of_environment(environ["KUBECONFIG"], context)
    # A pod of a CI system often runs in another cluster: a context can only be one of a kubeconfig.
    return None if context else _of_pod(environ, service_account)


def find_runner(environ: Mapping[str, str], *, service_account: Path = SERVICE_ACCOUNT) -> RunnerPod | None:
    """Return the pod that this process runs in; None outside of any, or when it is not known.

    The token of its service account names it. Without one, the host name does, unless the pod has that of its node.
    """
    claims = _read_claims(service_account / "token")
    if claims is not None:
        return claims
    name = environ.get("HOSTNAME")
    if not environ.get("KUBERNETES_SERVICE_HOST") or not name:
        return None
    try:
        namespace = (service_account / "namespace").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        namespace = environ.get("POD_NAMESPACE", "")
    return RunnerPod(namespace, name) if namespace else None


def _read_claims(token: Path) -> RunnerPod | None:
    """Return the pod that a token is bound to; None when it is bound to none, or cannot be read."""
    try:
        payload = token.read_text(encoding="ascii").split(".")[1]
        bound = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["kubernetes.io"]
        found = RunnerPod(bound["namespace"], bound["pod"]["name"], bound["pod"]["uid"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return found if all(isinstance(part, str) and part for part in found) else None


def _of_input(kubeconfig: str, context: str | None) -> KubernetesAccess:
    try:
        if "\n" in kubeconfig.strip() or kubeconfig.lstrip().startswith("{"):
            found = parse_kubeconfig(kubeconfig, None)
        else:
            found = _read(Path(kubeconfig.strip()).expanduser())
        target = choose_context(found, context)
    except KubeconfigError as error:
        if error.contexts is not None:
            raise _unknown_context(context, error.contexts) from None
        hint = _encoded_hint(kubeconfig)
        raise InputError("kubeconfig", hint or str(error), remedy="" if hint else _ALLOWED) from None
    except (OSError, RuntimeError, ValueError):
        # The value itself is a secret, even when it looks like a path.
        hint, msg = _encoded_hint(kubeconfig), "it is neither a kubeconfig nor the path of a file that can be read"
        raise InputError("kubeconfig", hint or msg, remedy="" if hint else _ALLOWED) from None
    return _access("the input kubeconfig", target, explicit=True)


def _of_environment(paths: str, context: str | None) -> KubernetesAccess:
    try:
        if "\n" in paths or paths.lstrip().startswith("{") or _encoded_hint(paths):
            raise KubeconfigError("it contains a kubeconfig, but must be the path of one")
        found = list(_files(paths))
        if not found:
            raise KubeconfigError(f"{one_line(paths, _LONGEST_PATH)} does not exist")
        target = choose_context(merge_kubeconfigs(found), context)
    except KubeconfigError as error:
        if error.contexts is not None:
            raise _unknown_context(context, error.contexts) from None
        raise SettingsError(f"KUBECONFIG: {error}") from None
    except (OSError, RuntimeError, ValueError):
        raise SettingsError(f"KUBECONFIG: {one_line(paths, _LONGEST_PATH)} cannot be read") from None
    return _access("KUBECONFIG", target, explicit=context is not None)


def _encoded_hint(text: str) -> str:
    """Return what to do about a kubeconfig that is still encoded in base64; empty for anything else."""
    try:
        content = base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        return ""
    return "it is encoded in base64; decode it first" if b"clusters" in content else ""


def _files(paths: str) -> Iterator[Kubeconfig]:
    for name in paths.split(os.pathsep):
        # Like kubectl: a missing file is ignored.
        if name and Path(name).exists():
            try:
                yield _read(Path(name))
            except KubeconfigError as error:
                raise KubeconfigError(f"{one_line(name, _LONGEST_PATH)}: {error}") from None


def _read(path: Path) -> Kubeconfig:
    return parse_kubeconfig(path.read_text(encoding="utf-8-sig"), path.absolute().parent)


def _of_pod(environ: Mapping[str, str], service_account: Path) -> KubernetesAccess | None:
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT", "443")
    token, authority = service_account / "token", service_account / "ca.crt"
    if not host or not token.is_file() or not authority.is_file():
        return None
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    return _access(
        "the service account of this pod",
        KubeContext(
            context="pod",
            cluster_name="pod",
            # A pod's link to the API server is faster than compression.
            cluster={"server": server, "certificate-authority": str(authority), NO_COMPRESSION: True},
            user={"tokenFile": str(token)},
        ),
        explicit=False,
    )


def _access(source: str, target: KubeContext, *, explicit: bool) -> KubernetesAccess:
    content = json.dumps([source, target.cluster, target.user], sort_keys=True)
    name, region = _eks(target)
    return KubernetesAccess(
        source=source,
        explicit=explicit,
        key=hashlib.sha256(content.encode()).hexdigest()[:16],
        eks_cluster=name,
        region=region,
        target=target,
    )


def _eks(target: KubeContext) -> tuple[str | None, str | None]:
    """Return the cluster's name in EKS and its region; None for what the access does not have."""
    arguments = target.user.get("exec", {}).get("args", [])
    name = _option(arguments, "--cluster-name") or _option(arguments, "--cluster-id") or _option(arguments, "-i")
    region = _option(arguments, "--region")
    for text in (target.cluster_name, target.context):
        if match := _ARN.fullmatch(text):
            name, region = name or match["name"], region or match["region"]
    if region is None and (match := _HOST.fullmatch(target.cluster["server"])):
        region = match["region"]
    return name, region


def _option(arguments: list[str], option: str) -> str | None:
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=False):
        if argument == option and following:
            return following
        if argument.startswith(f"{option}="):
            return argument.removeprefix(f"{option}=") or None
    return None


def _unknown_context(context: str | None, known: list[str]) -> InputError:
    nearest = nearest_name(context or "", known)
    hint = f"did you mean `{sanitize(nearest)}`?" if nearest else f"existing: {list_some(map(sanitize, known))}"
    return InputError("kube_context", f"the kubeconfig has no context {shorten_value(context)}; {hint}")
