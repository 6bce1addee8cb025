"""The arguments: two forms of each, and a word on every field."""

from __future__ import annotations

import ast
import inspect
from dataclasses import fields
from typing import Any

import pytest
from pulumi import Output

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
    own |= {"later_migrations"}
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
            {"ocean_id": "o-1", "waves": [{"name": "a", "nodes": {"all_nodes": True}, "gate": {"hold_for": "1h"}}]},
            "waves[0].gate.hold_for must be shorter than timeout (15m), not '1h'",
        ),
        (
            {"ocean_id": "o-1", "waves": [{"name": "a", "nodes": {"all_nodes": True}, "virtual_node_groups": ["w"]}]},
            "waves[0].virtual_node_groups[0] must be left out: the component creates none, not 'w'",
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
        *(
            (
                {"ocean_id": "o-1", "virtual_node_groups": [{"name": "a", field: value, "options": {argument: []}}]},
                f"virtual_node_groups[0].options.{argument}: mutually exclusive with {field}",
            )
            for field, value, argument in (
                ("labels", {}, "labels"),
                ("taints", [], "taints"),
                ("spot_percentage", 0, "strategies"),
                ("instance_types", ["m5.large"], "instance_types"),
                ("max_instance_count", 5, "resource_limits"),
            )
        ),
        (
            {
                "import_from": {"eks_cluster": "shop", "node_group": "web"},
                "cluster_name": "shop",
                "cluster_options": {"name": "store"},
            },
            "cluster_options.name: mutually exclusive with cluster_name",
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


GROUP = "virtual_node_groups[0]"
PERCENTAGE = "must be a whole percentage from 0 to 100, not "
LATER = "must be known to the program, not an Output"
OUTPUT: Any = "an Output"
"""Stands for an Output, which cannot be made before the test runs."""


def with_outputs(value: Any) -> Any:
    """Return a value with an Output wherever it stands for one."""
    if isinstance(value, dict):
        return {key: with_outputs(item) for key, item in value.items()}
    if isinstance(value, list):
        return [with_outputs(item) for item in value]
    return Output.from_input("later") if value == OUTPUT else value


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"waves": "web"}, "waves must be a list of WaveArgs or dictionaries, not str"),
        ({"waves": {"name": "a"}}, "waves must be a list of WaveArgs or dictionaries, not dict"),
        ({"waves": 3}, "waves must be a list of WaveArgs or dictionaries, not int"),
        ({"waves": OUTPUT}, "waves must be a list of WaveArgs or dictionaries, not Output"),
        ({"waves": [OUTPUT]}, "waves[0] must be WaveArgs or a dictionary, not Output"),
        ({"retire": [{"auto_scaling_group": ["web"]}]}, "retire[0].auto_scaling_group must be a string, not ['web']"),
        ({"retire": [{"auto_scaling_group": OUTPUT}]}, f"retire[0].auto_scaling_group {LATER}"),
        ({"ocean_id": ""}, "ocean_id must not be empty"),
        ({"account_id": "123"}, "account_id must be a Spot account id such as act-123abcd, not '123'"),
        ({"protect": "no"}, "protect must be true or false, not 'no'"),
        ({"protect": OUTPUT}, f"protect {LATER}"),
        ({"kubeconfig": 5}, "kubeconfig must be the content of a kubeconfig (text or mapping) or the path of one"),
        ({"controller": {"existing_secret": "a", "version": 1}}, "controller.version must be a string, not 1"),
        ({"controller": {"existing_secret": "a", "replace_v1": OUTPUT}}, f"controller.replace_v1 {LATER}"),
        ({"cluster_autoscaler": {"name": 1}}, "cluster_autoscaler.name must be a string, not 1"),
        ({"group": {"name": OUTPUT}}, f"{GROUP}.name {LATER}"),
        (
            {"group": {"spot_percentage": 101}},
            f"{GROUP}.spot_percentage {PERCENTAGE}101",
        ),
        (
            {"group": {"spot_percentage": 9.5}},
            f"{GROUP}.spot_percentage {PERCENTAGE}9.5",
        ),
        (
            {"group": {"spot_percentage": True}},
            f"{GROUP}.spot_percentage {PERCENTAGE}True",
        ),
        ({"group": {"labels": {"a": OUTPUT, "b": 1}}}, f"{GROUP}.labels.b must be a string, not 1"),
        ({"group": {"labels": OUTPUT}}, f"{GROUP}.labels {LATER}"),
        ({"group": {"taints": {"key": "a"}}}, f"{GROUP}.taints must be a list of TaintArgs or dictionaries, not dict"),
        ({"group": {"taints": [{"kei": "a"}]}}, f"{GROUP}.taints[0].kei: unknown field; did you mean `key`?"),
        (
            {"group": {"taints": [{"key": OUTPUT, "effect": "no"}]}},
            f'{GROUP}.taints[0].effect must be "NoSchedule", "PreferNoSchedule" or "NoExecute", not \'no\'',
        ),
        ({"group": {"instance_types": "m5"}}, f"{GROUP}.instance_types must be a list of strings, not 'm5'"),
        ({"group": {"instance_types": [OUTPUT, 1]}}, f"{GROUP}.instance_types[1] must be a string, not 1"),
        ({"group": {"options": {"name": "a"}}}, f"{GROUP}.options.name is not allowed: the component sets it"),
        ({"group": {"options": ["a"]}}, f"{GROUP}.options must be a dictionary; only its values may be Outputs"),
        ({"wave": {"name": OUTPUT}}, f"waves[0].name {LATER}"),
        ({"wave": {"timeouts": {"create": "1h"}}}, "waves[0].timeouts must be pulumi.CustomTimeouts"),
        ({"wave": {"virtual_node_groups": [OUTPUT]}}, f"waves[0].virtual_node_groups[0] {LATER}"),
        (
            {"wave": {"nodes": {"asg_name": [OUTPUT]}}},
            "waves[0].nodes.asg_name: unknown field; did you mean `asg_names`?",
        ),
        (
            {"wave": {"nodes": {"instance_ids": [OUTPUT], "exclude": {"asg_name": OUTPUT}}}},
            "waves[0].nodes.exclude.asg_name: unknown field; did you mean `asg_names`?",
        ),
        ({"wave": {"nodes": {"asg_names": [OUTPUT, 1]}}}, "waves[0].nodes.asg_names[1] must be a string, not 1"),
        (
            {"wave": {"nodes": {"limit": OUTPUT, "all_nodes": "yes"}}},
            "waves[0].nodes.all_nodes must be true or false, not 'yes'",
        ),
        (
            {"wave": {"gate": {"http_checks": [{"url": OUTPUT, "stat": 200}]}}},
            "waves[0].gate.http_checks[0].stat: unknown field; did you mean `status`?",
        ),
        (
            {"wave": {"gate": {"http_checks": [OUTPUT, {"url": "https://a.example", "stat": 200}]}}},
            "waves[0].gate.http_checks[1].stat: unknown field; did you mean `status`?",
        ),
        (
            {"wave": {"gate": {"http_checks": [OUTPUT, {"url": "https://a.example"}, OUTPUT, {"status": "no"}]}}},
            "waves[0].gate.http_checks[3].status must be a whole number from 100 to 599, not 'no'",
        ),
        (
            {"wave": {"nodes": {"instance_ids": [OUTPUT], "exclude": {"instance_ids": [OUTPUT, 5]}}}},
            "waves[0].nodes.exclude.instance_ids[1] must be a string, not 5",
        ),
        (
            {"waves": [{"name": "a", "nodes": OUTPUT}, {"name": "b", "nodes": {"asg_name": ["web"]}}]},
            "waves[1].nodes.asg_name: unknown field; did you mean `asg_names`?",
        ),
        (
            {"wave": {"freeze": {"weekly": [OUTPUT, "Fri 16:00 - Mon"]}}},
            "waves[0].freeze.weekly[1] must be a window such as \"Fri 16:00 - Mon 08:00\", not 'Fri 16:00 - Mon'",
        ),
        (
            {"wave": {"freeze": {"not_before": OUTPUT, "zone": "UTC"}}},
            "waves[0].freeze.zone: unknown field; did you mean `time_zone`?",
        ),
    ],
    ids=repr,
)
def test_wrong_types_are_refused_also_beside_outputs(arguments: dict[str, Any], message: str) -> None:
    """Before anything is registered: the resources of other packages would report them too late, or not at all."""
    given = {"ocean_id": "o-1", **with_outputs(arguments)}
    if group := given.pop("group", None):
        given["virtual_node_groups"] = [{"name": "a", **group}]
    if wave := given.pop("wave", None):
        given["waves"] = [{"name": "a", "nodes": {"all_nodes": True}, **wave}]
    with pytest.raises(InputError) as caught:
        args.check_args(given)  # type: ignore[arg-type]  # what a program may pass at run time
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "nodes",
    [
        {"asg_names": [OUTPUT]},
        {"instance_ids": OUTPUT},
        {"asg_names": ["web"], "exclude": {"instance_ids": [OUTPUT]}},
        {"all_nodes": True, "limit": OUTPUT, "exclude": {"instance_ids": OUTPUT}},
        OUTPUT,
    ],
    ids=repr,
)
def test_outputs_are_left_to_the_resource(nodes: Any) -> None:
    """A value that is known later is not judged, and nothing that depends on it is."""
    waves = (each for each in [{"name": "a", "nodes": with_outputs(nodes), "triggers": [Output.from_input(1)]}])
    group = {"name": "a", "spot_percentage": 50.0, "labels": {"a": Output.from_input("b")}}
    declared = args.check_args(
        {"ocean_id": Output.from_input("o-1"), "virtual_node_groups": (group,), "waves": waves}  # type: ignore[typeddict-item]
    )
    assert [wave.name for wave in declared.waves] == ["a"]


def test_none_is_an_absent_field_of_a_class_too() -> None:
    """So a missing key of the config neither lifts the protection nor passes for a required value."""
    assert args.check_args(args.OceanMigrationArgs(ocean_id="o-1", protect=None)).args.protect is True  # type: ignore[arg-type]
    source = args.ImportFromArgs(eks_cluster=None, auto_scaling_group="web")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^import_from\.eks_cluster is required$"):
        args.check_args(args.OceanMigrationArgs(import_from=source))


def test_what_is_given_as_a_class_is_taken_as_it_is() -> None:
    """At every level, mixed with dictionaries."""
    wave = args.WaveArgs(name="a", nodes=NodeSelectorArgs(all_nodes=True), gate={"timeout": "5m"})
    declared = args.check_args(
        args.OceanMigrationArgs(ocean_id="o-1", waves=[wave], retire=[{"auto_scaling_group": "web"}])
    )
    assert declared.waves == [wave]
    assert declared.gates == [args.GateArgs(timeout="5m")]
    assert declared.retire == [args.RetireArgs(auto_scaling_group="web")]
