"""Errors of a program: one line with the nearest name, whatever a call gets wrong."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pulumi
import pytest

import ocean_migration_pulumi
from ocean_migration_pulumi import (
    GateArgs,
    NodeSelectorArgs,
    OceanMigration,
    OceanMigrationArgs,
    OceanMigrationGate,
    OceanWorkloadMigration,
    WaveArgs,
    get_cluster_log_output,
    get_migration,
    get_migration_candidates,
)
from ocean_migration_pulumi.errors import InputError, OceanMigrationError, UnknownFieldError
from ocean_migration_pulumi.host import one_line_errors

WRONG: list[tuple[Callable[..., object], tuple[Any, ...], dict[str, Any], str]] = [
    (
        OceanWorkloadMigration,
        ("web", "o-1", {}),
        {"batch_size": 20},
        'batch_size is not an argument of OceanWorkloadMigration "web"; did you mean `batch_size_percentage`?',
    ),
    (
        OceanWorkloadMigration,
        ("web",),
        {"ocean_id": "o-1", "asg_names": ["web*"]},
        'asg_names is not an argument of OceanWorkloadMigration "web"; did you mean `nodes.asg_names`?',
    ),
    (
        OceanWorkloadMigration,
        ("web", "o-1", {}),
        {"force": True},
        'force is not an argument of OceanWorkloadMigration "web"; did you mean `force_pod_eviction_on_pdb_failure`?',
    ),
    (
        OceanWorkloadMigration,
        ("web", "o-1", {}),
        {"depends_on": []},
        'depends_on is not an argument of OceanWorkloadMigration "web"; did you mean `opts.depends_on`?',
    ),
    (OceanWorkloadMigration, ("web", "o-1"), {}, 'nodes is required in OceanWorkloadMigration "web"'),
    (OceanWorkloadMigration, (), {}, "resource_name is required in OceanWorkloadMigration"),
    (
        OceanWorkloadMigration,
        ("web", "o-1", {}, "report"),
        {},
        'OceanWorkloadMigration "web" takes at most 3 arguments by position; pass the others by name',
    ),
    (
        OceanWorkloadMigration,
        ("web", "o-1", {}),
        {"ocean_id": "o-2"},
        'ocean_id is given twice in OceanWorkloadMigration "web"',
    ),
    (
        OceanMigrationGate,
        ("gate", "o-1"),
        {"conditions": []},
        'conditions is not an argument of OceanMigrationGate "gate"; did you mean `kubernetes_conditions`?',
    ),
    (
        OceanMigration,
        ("shop",),
        {"wave": []},
        'wave is not an argument of OceanMigration "shop"; did you mean `args.waves`?',
    ),
    (OceanMigrationArgs, (), {"wave": []}, "wave is not an argument of OceanMigrationArgs; did you mean `waves`?"),
    (
        WaveArgs,
        (),
        {"name": "canary", "batch_size": 20},
        "batch_size is not an argument of WaveArgs; did you mean `batch_size_percentage`?",
    ),
    (GateArgs, (), {"hold": "5m"}, "hold is not an argument of GateArgs; did you mean `hold_for`?"),
    (
        NodeSelectorArgs,
        (),
        {"asg_name": ["web"]},
        "asg_name is not an argument of NodeSelectorArgs; did you mean `asg_names`?",
    ),
    (NodeSelectorArgs, (["web"],), {}, "NodeSelectorArgs takes no arguments by position; pass the others by name"),
    (
        get_migration_candidates,
        ("o-1",),
        {"account": "act-1"},
        "account is not an argument of get_migration_candidates; did you mean `account_id`?",
    ),
    (get_migration, ("o-1",), {}, "migration_id is required in get_migration"),
    (
        get_cluster_log_output,
        ("o-1",),
        {"zone": "x"},
        "zone is not an argument of get_cluster_log_output; arguments: ocean_id, since, until, severity, limit, "
        "account_id",
    ),
]


@pytest.mark.parametrize(("call", "args", "more", "message"), WRONG, ids=lambda each: getattr(each, "__name__", None))
def test_wrong_argument_is_one_line(
    call: Callable[..., object], args: tuple[Any, ...], more: dict[str, Any], message: str
) -> None:
    """It names the argument and the nearest one, and Pulumi's language host prints it without a traceback."""
    with pytest.raises(InputError) as raised:
        call(*args, **more)
    assert isinstance(raised.value, pulumi.RunError)
    assert str(raised.value) == f"{message} [invalid-input]"
    assert isinstance(raised.value, UnknownFieldError) == ("is not an argument" in message)


def test_every_class_and_function_for_programs_is_covered() -> None:
    """None of them raises Python's TypeError for an argument that does not exist."""
    for name in ocean_migration_pulumi.__all__:
        found = getattr(ocean_migration_pulumi, name)
        arguments = name.endswith("Args") or name.startswith("get_")
        if arguments or (inspect.isclass(found) and issubclass(found, pulumi.Resource)):
            with pytest.raises(InputError, match=r"^no_such_argument is not an argument of"):
                found(no_such_argument=1)


def test_type_error_of_the_function_itself_stays() -> None:
    """Only a call that does not fit the signature is explained."""

    @one_line_errors
    def add(left: Any, right: Any) -> Any:
        return left + right

    with pytest.raises(TypeError, match="unsupported operand"):
        add(1, "2")
    with pytest.raises(OceanMigrationError, match="right is required in"):
        add(1)


def test_signatures_stay_those_of_the_source() -> None:
    """Editors, type checkers and the reference show every argument."""
    assert "batch_size_percentage" in inspect.signature(OceanWorkloadMigration).parameters
    assert "asg_names" in inspect.signature(NodeSelectorArgs).parameters
    assert "ocean_id" in inspect.signature(get_migration).parameters
