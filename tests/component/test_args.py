"""The arguments: two forms of each, and a word on every field."""

from __future__ import annotations

import ast
import inspect
from dataclasses import fields
from typing import Any

import pytest

from ocean_migration_pulumi import NodeSelectorArgs
from ocean_migration_pulumi.component import args, kubernetes_args
from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.gate import OceanMigrationGate
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
    """In the same order and of the same types, where None stands for an absent key."""
    form = getattr(inspect.getmodule(kind), f"{kind.__name__}Dict")
    types = {field.name: str(field.type).removesuffix(" | None") for field in fields(kind)}
    assert list(types.items()) == [(name, hint.__forward_arg__) for name, hint in form.__annotations__.items()]
    assert form.__total__ is False


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_field_is_documented(kind: type[Any]) -> None:
    """A sentence below each; inputs of a resource are documented by their declaration alone."""
    documented = {args.WaveArgs: args.WAVE_OPTIONS, args.GateArgs: args.GATE_OPTIONS}.get(kind, ())
    (definition,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(definition, ast.ClassDef)
    body = definition.body
    for field in fields(kind):
        index = next(
            number
            for number, node in enumerate(body)
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == field.name
        )
        if field.name in documented:
            continue
        below = body[index + 1]
        assert isinstance(below, ast.Expr), field.name
        assert isinstance(below.value, ast.Constant), field.name
        assert str(below.value.value).rstrip().endswith("."), field.name


def test_a_wave_has_every_option_of_a_migration() -> None:
    """By the same names and of the same types; the component sets the others, and how long to wait is up to it."""
    own = {"resource_name", "opts", "ocean_id", "nodes", "virtual_node_group_ids", "planned_elsewhere"}
    own |= {"account_id", "kubeconfig", "kube_context", "notifications", "wait_for", "wait_for_percentage"}
    # Waves have a default of their own.
    own |= {"stop_when"}
    parameters = inspect.signature(OceanWorkloadMigration).parameters
    assert list(args.WAVE_OPTIONS) == [name for name in parameters if name not in own]
    types = {field.name: field.type for field in fields(args.WaveArgs)}
    assert set(types) == {*args.WAVE_OPTIONS, "name", "nodes", "virtual_node_groups", "stop_when", "timeouts", "gate"}
    assert {name: types[name] for name in args.WAVE_OPTIONS} == {
        name: parameters[name].annotation for name in args.WAVE_OPTIONS
    }


def test_a_gate_has_only_inputs_of_its_resource() -> None:
    """By the same names."""
    assert set(args.GATE_OPTIONS) < set(inspect.signature(OceanMigrationGate).parameters)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "ocean_id is required without import_from"),
        ({"ocean_id": "o-1", "import_from": {}}, "ocean_id: mutually exclusive with import_from"),
        (
            {"ocean_id": "o-1", "cluster_name": "shop"},
            "cluster_name requires import_from: an existing cluster is not changed",
        ),
        ({"ocean_id": "o-1", "wave": []}, "args.wave: unknown field; did you mean `waves`?"),
        ({"ocean_id": "o-1", "waves": [{"nodes": {"all_nodes": True}}]}, "waves[0].name is required"),
        ({"ocean_id": "o-1", "waves": [{"name": "", "nodes": {}}]}, "waves[0].name must not be empty"),
        ({"ocean_id": "o-1", "waves": ["a"]}, "waves[0] must be WaveArgs or a dictionary, not str"),
        (
            {"ocean_id": "o-1", "waves": [{"name": "a", "nodes": {}}, {"name": "a", "nodes": {}}]},
            "waves[1].name must be unique, 'a' is already used",
        ),
        (
            {"ocean_id": "o-1", "waves": [{"name": "a", "nodes": {}, "gate": {"time_out": "5m"}}]},
            "waves[0].gate.time_out: unknown field; did you mean `timeout`?",
        ),
        (
            {"ocean_id": "o-1", "waves": [{"name": "a", "nodes": {"asg_name": ["web"]}}]},
            "waves[0].nodes.asg_name: unknown field; did you mean `asg_names`?",
        ),
        (
            {"ocean_id": "o-1", "waves": [{"name": "a", "nodes": NodeSelectorArgs(limit="x", all_nodes=True)}]},
            'waves[0].nodes.limit must be a number of nodes such as "5", or "1%" to "100%" of them, not \'x\'',
        ),
        (
            {"ocean_id": "o-1", "waves": [{"name": "a", "nodes": {"all_nodes": True}, "soak_time": "long"}]},
            'waves[0].soak_time must be a duration such as "90s", "20m" or "1h30m", not \'long\'',
        ),
        (
            {"ocean_id": "o-1", "waves": [{"name": "a", "nodes": {"all_nodes": True}, "gate": {"hold_for": "long"}}]},
            'waves[0].gate.hold_for must be a duration such as "90s", "20m" or "1h30m", not \'long\'',
        ),
        (
            {"ocean_id": "o-1", "waves": [{"name": "a", "nodes": {"all_nodes": True}, "virtual_node_groups": ["w"]}]},
            "waves[0].virtual_node_groups[0] must be left out: the component makes none, not 'w'",
        ),
        (
            {"ocean_id": "o-1", "virtual_node_groups": [{"name": "a", "node_group": "x", "auto_scaling_group": "y"}]},
            "virtual_node_groups[0].node_group: mutually exclusive with auto_scaling_group",
        ),
        (
            {"ocean_id": "o-1", "virtual_node_groups": [{"name": "a", "node_group": "x"}]},
            "virtual_node_groups[0].eks_cluster is required with node_group without import_from",
        ),
        (
            {"ocean_id": "o-1", "virtual_node_groups": [{"name": "a", "eks_cluster": "x"}]},
            "virtual_node_groups[0].eks_cluster requires node_group",
        ),
        ({"ocean_id": "o-1", "retire": [{}]}, "retire[0].auto_scaling_group is required without node_group"),
        (
            {"ocean_id": "o-1", "retire": [{"node_group": "x"}]},
            "retire[0].eks_cluster is required without import_from",
        ),
        ({"import_from": {"auto_scaling_group": "web"}}, "import_from.eks_cluster is required"),
    ],
    ids=repr,
)
def test_every_kind_of_bad_argument_has_one_clear_line(arguments: dict[str, Any], message: str) -> None:
    """It names the argument down to the field, before anything is registered."""
    with pytest.raises(InputError) as caught:
        args.check_args(arguments)  # type: ignore[arg-type]  # what a program may pass at run time
    assert str(caught.value) == message


def test_what_is_given_as_a_class_is_taken_as_it_is() -> None:
    """At every level, mixed with dictionaries."""
    wave = args.WaveArgs(name="a", nodes=NodeSelectorArgs(all_nodes=True), gate={"timeout": "5m"})
    declared = args.check_args(
        args.OceanMigrationArgs(ocean_id="o-1", waves=[wave], retire=[{"auto_scaling_group": "web"}])
    )
    assert declared.waves == [wave]
    assert declared.gates == [args.GateArgs(timeout="5m")]
    assert declared.retire == [args.RetireArgs(auto_scaling_group="web")]
