"""Kubeconfigs: parsed, merged as kubectl does, validated for the one context in use; no error quotes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from ocean_migration_pulumi.common.loopback import is_loopback
from ocean_migration_pulumi.common.proxies import PROXY_SCHEMES
from ocean_migration_pulumi.kubernetes.objects.decoding import UnexpectedFormError, decode_yaml

EXEC_VERSIONS: Final = tuple(f"client.authentication.k8s.io/{version}" for version in ("v1", "v1beta1", "v1alpha1"))
"""The versions of the protocol of credential plugins; as far as tokens go they are the same."""

NO_COMPRESSION: Final = "disable-compression"
"""Key of a cluster whose link is faster than compression."""

_CLUSTER_TEXTS: Final = (
    "server",
    "certificate-authority",
    "certificate-authority-data",
    "tls-server-name",
    "proxy-url",
)
_USER_TEXTS: Final = (
    "token",
    "tokenFile",
    "username",
    "password",
    "client-certificate",
    "client-certificate-data",
    "client-key",
    "client-key-data",
)
_FILES: Final = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
_IMPERSONATION: Final = {"as": "Impersonate-User", "as-uid": "Impersonate-Uid"}
_VISIBLE: Final = re.compile(r"[!-~]+")
_HEADER: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")


class KubeconfigError(Exception):
    """A kubeconfig that cannot be used; the message has none of its content."""

    def __init__(self, message: str, *, contexts: Iterable[str] | None = None) -> None:
        """Describe the problem.

        Args:
            message: One line.
            contexts: Names of the contexts, if the kubeconfig does not have the requested one. None for other problems.
        """
        super().__init__(message)
        self.contexts = None if contexts is None else list(contexts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubeconfig:
    """The entries of one or several kubeconfigs; paths are absolute."""

    current: str = ""
    """Name of the current context; empty when there is none."""
    clusters: Mapping[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    """Clusters by name, as the kubeconfig has them."""
    users: Mapping[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    """Users by name, as the kubeconfig has them."""
    contexts: Mapping[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    """Contexts by name, as the kubeconfig has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeContext:
    """The validated cluster and user of one context of a kubeconfig."""

    context: str = field(repr=False)
    """Name of the context."""
    cluster_name: str = field(repr=False)
    """Name of the cluster."""
    cluster: Mapping[str, Any] = field(repr=False)
    """The kubeconfig's cluster: ``server`` and how to verify it."""
    user: Mapping[str, Any] = field(repr=False)
    """The kubeconfig's user: its credentials, or the plugin that has them."""


def parse_kubeconfig(text: str, directory: Path | None) -> Kubeconfig:
    """Parse a kubeconfig.

    Args:
        text: YAML or JSON.
        directory: Where relative paths start; None refuses them.

    Raises:
        KubeconfigError: It is not a kubeconfig.
    """
    # Like kubectl: an empty file is a kubeconfig without entries.
    data = _mapping(_decoded(text) or {}, "it is not a kubeconfig")
    return Kubeconfig(
        current=_text(data, "current-context"),
        clusters=_entries(data, "clusters", "cluster", directory),
        users=_entries(data, "users", "user", directory),
        contexts=_entries(data, "contexts", "context", directory),
    )


def merge_kubeconfigs(several: Iterable[Kubeconfig]) -> Kubeconfig:
    """Return several kubeconfigs as one; the first one that has a name wins."""
    total = Kubeconfig()
    for each in several:
        total = Kubeconfig(
            current=total.current or each.current,
            clusters={**each.clusters, **total.clusters},
            users={**each.users, **total.users},
            contexts={**each.contexts, **total.contexts},
        )
    return total


def choose_context(kubeconfig: Kubeconfig, context: str | None) -> KubeContext:
    """Return the entries of a context, None: the current one; raise KubeconfigError when they cannot be used."""
    name = context or kubeconfig.current
    if not name:
        raise KubeconfigError("it has no current-context: select a context")
    if name not in kubeconfig.contexts:
        raise KubeconfigError("its current-context does not exist", contexts=kubeconfig.contexts if context else None)
    found = kubeconfig.contexts[name]
    cluster_name, user_name = _text(found, "cluster"), _text(found, "user")
    if cluster_name not in kubeconfig.clusters:
        raise KubeconfigError("the cluster of its context is missing")
    if user_name and user_name not in kubeconfig.users:
        raise KubeconfigError("the user of its context is missing")
    return KubeContext(
        context=name,
        cluster_name=cluster_name,
        cluster=_cluster(kubeconfig.clusters[cluster_name]),
        user=_user(kubeconfig.users[user_name] if user_name else {}),
    )


def is_token(text: str) -> bool:
    """Tell whether a text may be sent as a bearer token: printable ASCII without spaces."""
    return _VISIBLE.fullmatch(text) is not None


def _decoded(text: str) -> Any:
    try:
        return decode_yaml(text)
    except UnexpectedFormError:
        raise KubeconfigError("it is neither YAML nor JSON") from None


def _entries(data: Mapping[str, Any], key: str, kind: str, directory: Path | None) -> dict[str, dict[str, Any]]:
    listed = data.get(key)
    if listed is None:
        return {}
    if not isinstance(listed, list):
        raise KubeconfigError(f"its {key} is not a list")
    found: dict[str, dict[str, Any]] = {}
    for item in listed:
        entry = _mapping(item, f"one of its {key} is not an entry of a kubeconfig")
        name = _text(entry, "name")
        if name in found:
            raise KubeconfigError(f"two of its {key} have the same name")
        found[name] = _absolute(_mapping(entry.get(kind) or {}, f"a {kind} is not a mapping"), directory)
    return found


def _absolute(entry: dict[str, Any], directory: Path | None) -> dict[str, Any]:
    """Return a cluster or a user with its paths made absolute."""
    found = dict(entry)
    for key in _FILES:
        if path := _text(found, key):
            found[key] = _below(path, directory, key)
    plugin = found.get("exec")
    if isinstance(plugin, dict):
        command = _text(plugin, "command")
        # A bare name is looked for on the PATH.
        if "/" in command:
            found["exec"] = {**plugin, "command": _below(command, directory, "command")}
    return found


def _below(path: str, directory: Path | None, key: str) -> str:
    if directory is None and not Path(path).is_absolute():
        raise KubeconfigError(f"{key} is a relative path, which is allowed only in a kubeconfig file")
    return str((directory or Path()) / path)


def _cluster(entry: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {key: value for key in _CLUSTER_TEXTS if (value := _text(entry, key))}
    if "server" in found and "://" not in found["server"]:
        found["server"] = f"https://{found['server']}"
    if not _is_url(found.get("server", ""), "http", "https"):
        raise KubeconfigError("its server is not a URL such as https://example.eks.amazonaws.com")
    if "@" in urlsplit(found["server"]).netloc:
        raise KubeconfigError("its server must not contain credentials: they belong to its user")
    if urlsplit(found["server"]).scheme == "http" and not is_loopback(found["server"]):
        raise KubeconfigError("its server must begin with https:// (http is allowed for this machine only)")
    if "proxy-url" in found and not _is_url(found["proxy-url"], *PROXY_SCHEMES):
        raise KubeconfigError("its proxy-url is not a URL")
    insecure = entry.get("insecure-skip-tls-verify")
    if insecure is not None and not isinstance(insecure, bool):
        raise KubeconfigError("insecure-skip-tls-verify is neither true nor false")
    if insecure:
        msg = (
            "insecure-skip-tls-verify is not supported, because any server could then read the token: set "
            "certificate-authority-data, and tls-server-name if the certificate has another name"
        )
        raise KubeconfigError(msg)
    # kubectl has the option for lists over fast links; anything but true is its default.
    if entry.get(NO_COMPRESSION) is True:
        found[NO_COMPRESSION] = True
    return _with_files(found)


def _user(entry: Mapping[str, Any]) -> dict[str, Any]:
    if entry.get("auth-provider"):
        raise KubeconfigError("its user has auth-provider, which is not supported; use exec")
    found: dict[str, Any] = {key: value for key in _USER_TEXTS if (value := _text(entry, key))}
    if "token" in found and not is_token(found["token"]):
        raise KubeconfigError("the token of its user contains characters that are not allowed")
    certificate, key = ({name, f"{name}-data"} for name in ("client-certificate", "client-key"))
    if bool(certificate & found.keys()) != bool(key & found.keys()):
        raise KubeconfigError("its user has only one of client-certificate and client-key")
    if headers := list(_impersonation(entry)):
        if not all(_HEADER.fullmatch(value) for _, value in headers):
            raise KubeconfigError("the user to impersonate is not valid")
        found["impersonation"] = headers
    if (plugin := entry.get("exec")) is not None:
        found["exec"] = _plugin(_mapping(plugin, "exec is not a mapping"))
    return _with_files(found)


def _impersonation(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Return the headers by which a user acts as another one."""
    for key, header in _IMPERSONATION.items():
        if value := _text(entry, key):
            yield header, value
    extra = _mapping(entry.get("as-user-extra") or {}, "as-user-extra is not a mapping")
    lists = [("Impersonate-Group", entry.get("as-groups") or [])]
    lists += [(f"Impersonate-Extra-{quote(str(name), safe='')}", values or []) for name, values in extra.items()]
    for header, values in lists:
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise KubeconfigError("as-groups and as-user-extra have values that are not lists of strings")
        yield from ((header, value) for value in values)


def _plugin(entry: Mapping[str, Any]) -> dict[str, Any]:
    version, command = _text(entry, "apiVersion"), _text(entry, "command")
    if version not in EXEC_VERSIONS:
        raise KubeconfigError(f"the apiVersion of exec is none of {', '.join(EXEC_VERSIONS)}")
    arguments, variables = entry.get("args") or [], entry.get("env") or []
    if not command or not isinstance(arguments, list) or not all(isinstance(item, str) for item in arguments):
        raise KubeconfigError("exec has no command, or args that are not a list of strings")
    form = "env of exec is not a list of names and values"
    if not isinstance(variables, list):
        raise KubeconfigError(form)
    named = [_mapping(item, form) for item in variables]
    return {
        "apiVersion": version,
        "command": command,
        "args": arguments,
        "env": {_text(item, "name"): _text(item, "value") for item in named},
        "provideClusterInfo": entry.get("provideClusterInfo") is True,
    }


def _with_files(found: dict[str, Any]) -> dict[str, Any]:
    for key in _FILES:
        if key in found and not Path(found[key]).is_file():
            raise KubeconfigError(f"the file of its {key} does not exist")
    return found


def _is_url(value: str, *schemes: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _mapping(value: Any, otherwise: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise KubeconfigError(otherwise)
    return value


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise KubeconfigError(f"{key} is not a string")
    return value
