"""The arguments: two forms of each, and a word on every field."""

from __future__ import annotations

import ast
import inspect
from dataclasses import fields
from typing import Any

import pytest

from ocean_migration_pulumi import NodeSelectorArgs
from ocean_migration_pulumi.component import args, kubernetes_args
from ocean_migration_pulumi.component.resources.waves import _OPTIONS
from ocean_migration_pulumi.provider import OceanWorkloadMigration

KINDS = [
    args.ImportFromArgs,
    args.TaintArgs,
    args.VirtualNodeGroupArgs,
    args.GateArgs,
    args.WaveArgs,
    args.RetireArgs,
    args.OceanMigrationArgs,
    kubernetes_args.ControllerArgs,
    kubernetes_args.ClusterAutoscalerArgs,
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_class_and_dictionary_have_the_same_fields(kind: type[Any]) -> None:
    """In the same order."""
    twin = getattr(inspect.getmodule(kind), f"{kind.__name__}Dict")
    assert [field.name for field in fields(kind)] == list(twin.__annotations__)
    assert twin.__total__ is False


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_field_is_documented(kind: type[Any]) -> None:
    """A sentence below each, that says what None means where it may be None."""
    (definition,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(definition, ast.ClassDef)
    body = definition.body
    for field in fields(kind):
        index = next(
            number
            for number, node in enumerate(body)
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == field.name
        )
        below = body[index + 1]
        assert isinstance(below, ast.Expr), field.name
        assert isinstance(below.value, ast.Constant), field.name
        assert str(below.value.value).rstrip().endswith("."), field.name


def test_a_wave_has_every_option_of_a_migration() -> None:
    """Those that the component gives itself left out; how long is waited for is a wave's end."""
    own = {"resource_name", "opts", "ocean_id", "nodes", "virtual_node_group_ids", "planned_elsewhere"}
    own |= {"account_id", "kubeconfig", "kube_context", "notifications", "wait_for", "wait_for_percentage"}
    options = set(inspect.signature(OceanWorkloadMigration).parameters) - own
    assert set(_OPTIONS) == options
    assert {field.name for field in fields(args.WaveArgs)} == options | {"name", "nodes", "timeouts", "gate"}


def test_what_is_given_as_a_class_is_taken_as_it_is() -> None:
    """At every level, mixed with dictionaries."""
    wave = args.WaveArgs(name="a", nodes=NodeSelectorArgs(all_nodes=True), gate={"timeout": "5m"})
    declared = args.declare(
        args.OceanMigrationArgs(ocean_id="o-1", waves=[wave], retire=[{"auto_scaling_group": "web"}])
    )
    assert declared.waves == [wave]
    assert declared.gates == [args.GateArgs(timeout="5m")]
    assert declared.retire == [args.RetireArgs(auto_scaling_group="web")]
