"""Types of the arguments that become inputs of other packages' resources, which report a wrong one too late."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from ocean_migration_pulumi.migration.spec.input_readers import (
    ACCOUNT,
    ENDPOINTS,
    FLAG,
    KUBECONFIG_CONTENT,
    TEXT,
    TEXTS,
    InputType,
    choice,
    input_error,
    percentage,
    read_whole_number,
    secret_error,
)

_MOST_INSTANCES: Final = 1_000_000


def _read_map(name: str, value: Any) -> Mapping[str, Any]:
    """Read a map of anything; the message does not show it, as it may hold a secret."""
    if not isinstance(value, Mapping):
        raise secret_error(name, "a dictionary; only its values may be Outputs")
    return value


def _read_string(name: str, value: Any) -> str:
    """Read a string, which may be empty."""
    if not isinstance(value, str):
        raise input_error(name, value, "a string")
    return value


def _read_labels(name: str, value: Any) -> dict[str, str]:
    """Read labels; a number or a flag would become another text than in a manifest."""
    return {key: _read_string(f"{name}.{key}", item) for key, item in _read_map(name, value).items()}


_STRING: Final = InputType(_read_string, "str")
_MAP: Final = InputType(_read_map, "Mapping[str, Any]")
_LABELS: Final = InputType(_read_labels, "Mapping[str, str]")
_INSTANCES: Final = InputType(partial(read_whole_number, low=0, high=_MOST_INSTANCES), "int")

COMPONENT: Final[Mapping[str, InputType]] = {
    "ocean_id": TEXT,
    "cluster_name": TEXT,
    "cluster_options": _MAP,
    "protect": FLAG,
    "account_id": ACCOUNT,
    "kubeconfig": KUBECONFIG_CONTENT,
    "kube_context": TEXT,
    "notifications": ENDPOINTS,
}
"""Types of the fields of ``OceanMigrationArgs`` that are no arguments themselves."""

IMPORT_FROM: Final[Mapping[str, InputType]] = dict.fromkeys(
    ("eks_cluster", "auto_scaling_group", "node_group", "region"), TEXT
)
"""Types of the fields of ``ImportFromArgs``."""

VIRTUAL_NODE_GROUP: Final[Mapping[str, InputType]] = {
    "auto_scaling_group": TEXT,
    "node_group": TEXT,
    "eks_cluster": TEXT,
    "labels": _LABELS,
    "spot_percentage": percentage(0, 100),
    "instance_types": TEXTS,
    "max_instance_count": _INSTANCES,
    "options": _MAP,
}
"""Types of the fields of ``VirtualNodeGroupArgs`` but its name and taints."""

TAINT: Final[Mapping[str, InputType]] = {
    "key": TEXT,
    "value": _STRING,
    "effect": choice("NoSchedule", "PreferNoSchedule", "NoExecute"),
}
"""Types of the fields of ``TaintArgs``."""

RETIRE: Final[Mapping[str, InputType]] = dict.fromkeys(
    ("auto_scaling_group", "node_group", "eks_cluster", "declaration"), TEXT
)
"""Types of the fields of ``RetireArgs``."""

CONTROLLER: Final[Mapping[str, InputType]] = {
    **dict.fromkeys(("existing_secret", "version", "repository", "release_name", "namespace"), TEXT),
    **dict.fromkeys(("token_in_state", "auto_update", "metrics_server", "replace_v1"), FLAG),
}
"""Types of the fields of ``ControllerArgs`` but its token and values."""

CLUSTER_AUTOSCALER: Final[Mapping[str, InputType]] = {"name": TEXT, "namespace": TEXT, "restore_on_destroy": FLAG}
"""Types of the fields of ``ClusterAutoscalerArgs``."""
