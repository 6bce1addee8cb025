"""User data of EKS nodes: the labels and taints that it sets, and user data that sets them.

Five forms are known: arguments of the kubelet in a script (bootstrap.sh of Amazon Linux 2, Start-EKSBootstrap.ps1 of
Windows), variables of eksctl, NodeConfig of nodeadm (Amazon Linux 2023), settings of Bottlerocket, and MIME documents
of several parts.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from ocean_migration_pulumi.api.models.user_data import walk_mime
from ocean_migration_pulumi.common.json_values import as_list
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import Taint

_MULTIPART: Final = re.compile(r"^content-type:[ \t]*multipart/", re.IGNORECASE | re.MULTILINE)
_FLAG: Final = r"""(?:--{name}[=\s]+|\b{variable}=)\\?["']?(?P<value>[^\s"'\\);]+)"""
_LABELS: Final = re.compile(_FLAG.format(name="node-labels", variable="NODE_LABELS"))
_TAINTS: Final = re.compile(_FLAG.format(name="register-with-taints", variable="NODE_TAINTS"))
"""Arguments of the kubelet, and the variables by which eksctl has them in a file of its user data."""
_COMMENT: Final = re.compile(r"(?:^[ \t]*#(?!!)|[ \t]#[ \t]).*$", re.MULTILINE)
_EXTRA_ARGUMENTS: Final = re.compile(
    r"""-(?:-kubelet-extra-args|KubeletExtraArgs)[=\s]+(?P<value>"(?:\\.|[^"\\])*"|'[^']*'|\S*)""", re.DOTALL
)
_CONTINUED: Final = re.compile(r"\\\r?\n")
"""What a shell takes away: words on both sides of it are one."""
_UNQUOTED_ARGUMENT: Final = re.compile(
    r"""(?P<kept>--kubelet-extra-args[ \t]+--[^\s"'$]+)(?=[ \t])(?P<others>[^\n;&|]*)"""
)
"""Of arguments that are not in quotes, bootstrap.sh gives the first word to the kubelet, and ignores the others."""
_VARIABLE: Final = re.compile(r"[$`]|\{\{|%\w+%")
_SCRIPT: Final = re.compile(r"bootstrap\.sh|EKSBootstrap|nodeadm|--node-labels|--register-with-taints|NODE_LABELS=")
_NODE_CONFIG: Final = re.compile(r"^\s*[\"']?apiVersion[\"']?:\s*[\"']?node\.eks\.aws/", re.MULTILINE)
_SETTINGS: Final = re.compile(r"^\s*\[?\s*[\"']?settings\b", re.MULTILINE)
_NAMED_BY_ID: Final = re.compile(
    r"InstanceIdNodeName[\"']?\s*:\s*(?P<gate>true|false)|hostname-override-source[\"']?\s*=\s*[\"']?(?P<source>[\w-]+)"
)
_CLUSTER_FIELDS: Final = ("name", "apiServerEndpoint", "certificateAuthority", "cidr")
_CLUSTER_SETTINGS: Final = ("cluster-name", "api-server", "cluster-certificate", "cluster-dns-ip")
_BOOTSTRAP: Final = re.compile(r"bootstrap\.sh(?P<arguments>[^\n;&|]*)")
_WHOLE_VARIABLE: Final = re.compile(r"""["']?\$""")
_BOOTSTRAPPED: Final = re.compile(r"bootstrap\.sh\s+[\"']?(?P<name>[\w-]+)")


@dataclass(slots=True)
class NodeRegistration:
    """The labels and taints with which nodes register."""

    labels: dict[str, str] = field(default_factory=dict)
    """Values of labels by key."""
    taints: set[Taint] = field(default_factory=set)
    """The taints."""
    is_known: bool = False
    """Whether user data of a known form was found."""
    is_complete: bool = True
    """Whether everything could be read; variables of a script cannot."""


def read_user_data(user_data: str) -> NodeRegistration:
    """Return what user data sets, as far as it can be read."""
    found = NodeRegistration()
    for part in _split_parts(user_data):
        # A script may write the configuration that a program reads later.
        is_script = _is_script(part)
        if _NODE_CONFIG.search(part) and not is_script:
            _read_node_config(part, found)
        elif _SETTINGS.search(part) and not is_script:
            _read_settings(part, found)
        elif _SCRIPT.search(part):
            found.is_known = True
            _read_script(_COMMENT.sub("", _CONTINUED.sub("", part)), found)
    return found


def is_named_by_id(user_data: str) -> bool | None:
    """Tell whether nodes are named by their instance id, and not by their private DNS name; None when not known.

    With nodeadm it depends on a feature gate, whose default is not the same on all versions of Amazon Linux.
    """
    text = "\n".join(_COMMENT.sub("", part) for part in _split_parts(user_data))
    if match := _NAMED_BY_ID.search(text):
        return match["gate"] == "true" or match["source"] == "instance-id"
    found = read_user_data(user_data)
    if not found.is_known or not found.is_complete or "hostname-override" in text:
        return None
    return None if _NODE_CONFIG.search(text) else False


def render_user_data(cluster_user_data: str, labels: Mapping[str, str], taints: Iterable[Taint]) -> str:
    """Return user data in the form of the cluster's, with these labels and taints; empty for an unknown form.

    Of the cluster's only name, endpoint, certificate authority and network of the cluster are taken: the rest may hold
    secrets.
    """
    flags = kubelet_flags(labels, taints)
    for part in _split_parts(cluster_user_data):
        if _NODE_CONFIG.search(part):
            return _render_node_config(part, flags)
        if _SETTINGS.search(part) and not _is_script(part):
            return _render_settings(part, labels, taints)
        if match := _BOOTSTRAPPED.search(_CONTINUED.sub("", part)):
            return (
                "#!/bin/bash\n"
                f"/etc/eks/bootstrap.sh {match['name']} --kubelet-extra-args {shlex.quote(' '.join(flags))}\n"
            )
    return ""


def kubelet_flags(labels: Mapping[str, str], taints: Iterable[Taint]) -> list[str]:
    """Return the arguments by which a kubelet registers with labels and taints."""
    named = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    tainted = ",".join(sorted(map(format_taint, taints)))
    flags = [f"--node-labels={named}"] if named else []
    return [*flags, f"--register-with-taints={tainted}"] if tainted else flags


def format_taint(taint: Taint) -> str:
    """Return a taint as `kubectl` and kubelets write it."""
    value = f"={taint.value}" if taint.value else ""
    return f"{taint.key}{value}:{taint.effect}"


def _split_parts(user_data: str) -> Iterator[str]:
    if not _MULTIPART.search(user_data[:1000]):
        yield user_data
        return
    for part in walk_mime(user_data):
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes):
            yield payload.decode(errors="replace")


def _is_script(part: str) -> bool:
    return part.lstrip().startswith("#!")


def _read_script(text: str, found: NodeRegistration) -> None:
    """Read the arguments that a script gives to the kubelet; those that a variable holds may be set anywhere."""
    _read_flags(_UNQUOTED_ARGUMENT.sub(r"\g<kept>", text), found)
    has_variables = any(_VARIABLE.search(match["value"]) for match in _EXTRA_ARGUMENTS.finditer(text))
    if has_variables or "registerWithTaints" in text or _passes_unknown_options(text):
        found.is_complete = False


def _passes_unknown_options(text: str) -> bool:
    """Tell whether bootstrap.sh gets a variable that is neither the name of the cluster nor the value of an option."""
    for match in _BOOTSTRAP.finditer(text):
        words = match["arguments"].split()
        for before, word in pairwise(words):
            if _WHOLE_VARIABLE.match(word) and not (before.startswith("--") and "=" not in before):
                return True
    return False


def _read_flags(text: str, found: NodeRegistration) -> None:
    for match in _LABELS.finditer(text):
        for pair in match["value"].split(","):
            key, _, value = pair.partition("=")
            if _VARIABLE.search(pair):
                found.is_complete = False
            elif key:
                found.labels[key] = value
    for match in _TAINTS.finditer(text):
        for written in match["value"].split(","):
            _add_taint(written, found)


def _add_taint(written: str, found: NodeRegistration) -> None:
    """Add a taint that is written ``key=value:effect`` or ``key:effect``."""
    start, _, effect = written.rpartition(":")
    key, _, value = start.partition("=")
    if _VARIABLE.search(written):
        found.is_complete = False
    elif key and effect:
        found.taints.add(Taint(key=key, value=value, effect=effect))


def _read_node_config(part: str, found: NodeRegistration) -> None:
    documents = _yaml(part)
    found.is_known = True
    if documents is None:
        found.is_complete = False
        return
    for document in documents:
        kubelet = _part(document, "spec", "kubelet")
        # An argument and its value may be two flags.
        _read_flags("\n".join(map(str, as_list(kubelet.get("flags")))), found)
        for taint in as_list(_part(kubelet, "config").get("registerWithTaints")):
            if isinstance(taint, dict):
                values = {name: str(taint.get(name) or "") for name in ("key", "value", "effect")}
                found.taints.add(Taint(**values))


def _read_settings(part: str, found: NodeRegistration) -> None:
    found.is_known = True
    settings = _toml(part)
    if settings is None:
        found.is_complete = False
        return
    found.labels |= {key: str(value) for key, value in _part(settings, "node-labels").items()}
    for key, values in _part(settings, "node-taints").items():
        # Older versions have one text for each key, newer ones a list.
        for value in values if isinstance(values, list) else [values]:
            _add_taint(f"{key}={value}", found)


def _render_node_config(part: str, flags: list[str]) -> str:
    import yaml

    documents = _yaml(part) or []
    cluster = next((known for each in documents if (known := _part(each, "spec", "cluster"))), {})
    kept = {name: cluster[name] for name in _CLUSTER_FIELDS if name in cluster}
    document = {
        "apiVersion": "node.eks.aws/v1alpha1",
        "kind": "NodeConfig",
        "spec": {"cluster": kept, "kubelet": {"flags": flags}},
    }
    rendered: str = yaml.safe_dump(document, sort_keys=False, width=10_000)
    return rendered


def _render_settings(part: str, labels: Mapping[str, str], taints: Iterable[Taint]) -> str:
    settings = _toml(part) or {}
    lines = ["[settings.kubernetes]"]
    lines += [
        f"{name} = {_quoted(settings[name])}" for name in _CLUSTER_SETTINGS if isinstance(settings.get(name), str)
    ]
    if labels:
        lines += ["[settings.kubernetes.node-labels]"]
        lines += [f"{_quoted(key)} = {_quoted(value)}" for key, value in sorted(labels.items())]
    tainted: dict[str, list[str]] = {}
    for taint in taints:
        tainted.setdefault(taint.key, []).append(f"{taint.value}:{taint.effect}")
    if tainted:
        lines += ["[settings.kubernetes.node-taints]"]
        lines += [f"{_quoted(key)} = [{', '.join(map(_quoted, values))}]" for key, values in sorted(tainted.items())]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _toml(part: str) -> dict[str, Any] | None:
    try:
        return _part(tomllib.loads(part), "settings", "kubernetes")
    except ValueError:
        return None


def _yaml(part: str) -> list[Any] | None:
    """Return the documents of YAML; None when they cannot be read, or nothing is there to read them."""
    try:
        import yaml

        return list(yaml.safe_load_all(part))
    except (ImportError, ValueError, RecursionError):
        return None
    except yaml.YAMLError:
        return None


def _part(data: Any, *keys: str) -> dict[str, Any]:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}
