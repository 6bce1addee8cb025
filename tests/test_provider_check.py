"""The provider through the real plugin process: bad input, missing settings, unknown values, and the token."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from pulumi.runtime import rpc

from ocean_migration_pulumi.migration.spec.approval import plan_digest
from ocean_migration_pulumi.migration.spec.diagnostic import Code
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.resource.preview_file import VARIABLE, read_previews
from ocean_migration_pulumi.simulator import Simulator
from tests.support.plugin import PluginProcess, plain, status_of
from tests.support.resource_plugin import Resource, config_of, message_of, without_provider

UNKNOWN = rpc.UNKNOWN
ALL = {"all_nodes": True}
TOKEN_VARIABLES = ("SPOTINST_TOKEN", "SPOTINST_ACCOUNT", "SPOTINST_BASE_URL", "SPOTINST_CREDENTIALS_FILE")


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    """Run a simulator whose time stands still but for its own."""
    with Simulator(nodes=6, speed=10_000) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Mapping[str, str]], PluginProcess]]:
    """Return a function that starts a plugin with a config, on a machine without any settings."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        for name in TOKEN_VARIABLES:
            patch.delenv(name, raising=False)

        def start(config: Mapping[str, str]) -> PluginProcess:
            plugin = stack.enter_context(PluginProcess())
            plugin.configure(dict(config))
            return plugin

        yield start


@pytest.fixture(scope="module")
def plugin(sim: Simulator, plugins: Callable[[Mapping[str, str]], PluginProcess]) -> PluginProcess:
    """Return a plugin that is pointed at the simulator."""
    return plugins(config_of(sim))


def writes(sim: Simulator) -> list[dict[str, Any]]:
    """Return the POSTs and PUTs that were sent."""
    return [request for request in sim.control.requests() if request["method"] != "GET"]


BAD = [
    ({"batch_size_percentage": 0}, "batch_size_percentage", "0", "1 to 50"),
    ({"batch_size_percentage": 51}, "batch_size_percentage", "51", "1 to 50"),
    ({"batch_size_percentage": 12.5}, "batch_size_percentage", "12.5", "1 to 50"),
    ({"batch_size_percentage": "ten"}, "batch_size_percentage", "'ten'", "1 to 50"),
    ({"nodes": {}}, "nodes", "no nodes selected", "all_nodes"),
    ({"wait_for": "done"}, "wait_for", "'done'", '"finished", "started" or "progress"'),
    ({"new_nodes": "all"}, "new_nodes", "'all'", '"report" or "migrate"'),
    ({"new_nodes": "Migrate"}, "new_nodes", "'Migrate'", 'did you mean "migrate"?'),
    ({"prerequisites": "enforced"}, "prerequisites", "'enforced'", 'did you mean "enforce"?'),
    ({"stall_timeout": "20 minutes"}, "stall_timeout", "'20 minutes'", '"20m"'),
    ({"soak_time": "never"}, "soak_time", "'never'", '"90s"'),
    ({"nodes": {"all_nodes": True, "limit": "0"}}, "nodes.limit", "'0'", "a number of nodes"),
    ({"nodes": {"all_nodes": True, "limit": "150%"}}, "nodes.limit", "'150%'", '"1%" to "100%"'),
    ({"nodes": {"instance_ids": ["i-none"]}}, "nodes.instance_ids", "'i-none'", "it is not a node of this cluster"),
    ({"ocean_id": "o-none"}, "ocean_id", "o-none", "does not exist"),
]


@pytest.mark.parametrize(("inputs", "name", "value", "allowed"), BAD, ids=repr)
def test_bad_input_fails_the_preview_with_property_value_and_what_is_allowed(
    sim: Simulator, plugin: PluginProcess, inputs: dict[str, Any], name: str, value: str, allowed: str
) -> None:
    """And starts nothing."""
    web = Resource(plugin)
    answer = web.check(**{"ocean_id": sim.ocean_id, "nodes": ALL, **inputs})
    (failure,) = answer.failures
    assert not failure.property  # of a part the engine would print the value as <nil>
    assert failure.reason.startswith(name)
    assert value in failure.reason
    assert allowed in failure.reason
    assert "planned_nodes" not in without_provider(answer.inputs)
    assert writes(sim) == []


def test_id_that_is_in_ocean_already_is_bad_input(sim: Simulator, plugin: PluginProcess) -> None:
    """The reason is another one than for an id of nowhere."""
    ocean_id = sim.control.add_cluster(2)["id"]
    managed = sim.control.add_node(ocean_id, None, ocean_managed=True)["instance_id"]
    (failure,) = Resource(plugin).check(ocean_id=ocean_id, nodes={"instance_ids": [managed]}).failures
    assert "it is already an Ocean node" in failure.reason
    assert failure.reason.startswith("nodes.instance_ids: ")


@pytest.mark.parametrize(
    "inputs",
    [
        {"ocean_id": UNKNOWN},
        {"account_id": UNKNOWN},
        {"nodes": UNKNOWN},
        {"nodes": {"all_nodes": True, "exclude": {"instance_ids": [UNKNOWN]}}},
        {"virtual_node_group_ids": ["ols-1", UNKNOWN]},
    ],
    ids=repr,
)
def test_plan_is_unknown_while_what_it_needs_is(sim: Simulator, plugin: PluginProcess, inputs: dict[str, Any]) -> None:
    """It is shown as such, and `up` may fill it in."""
    answer = Resource(plugin).check(**{"ocean_id": sim.ocean_id, "nodes": ALL, **inputs})
    assert list(answer.failures) == []
    assert answer.inputs.fields["planned_nodes"].string_value == UNKNOWN


def test_unknown_option_does_not_hide_the_plan(sim: Simulator, plugin: PluginProcess) -> None:
    """Only what the plan needs matters; an update is shown all the same."""
    web = Resource(plugin)
    inputs = {"ocean_id": sim.ocean_id, "nodes": ALL}
    answer = web.check(**inputs, triggers=[UNKNOWN])
    assert len(plain(answer.inputs)["planned_nodes"]) == 6
    web.inputs = web.checked(**inputs)
    web.outputs, web.id = web.inputs, "x"
    assert web.diff({**web.inputs, "triggers": [UNKNOWN]}).changes == 2


@pytest.mark.parametrize("name", ["ocean_id", "account_id"])
def test_unknown_place_of_an_existing_resource_is_a_replacement(
    sim: Simulator, plugin: PluginProcess, name: str
) -> None:
    """The worst is shown before it happens; the old one is deleted first."""
    web = Resource(plugin)
    web.inputs = web.checked(ocean_id=sim.ocean_id, nodes=ALL)
    web.outputs, web.id = web.inputs, "x"
    answer = web.diff({**web.inputs, name: UNKNOWN})
    assert list(answer.replaces) == [name]
    assert answer.deleteBeforeReplace


def test_plan_that_ignore_changes_keeps_stays(sim: Simulator, plugin: PluginProcess) -> None:
    """The engine puts the old one into the new inputs."""
    kept = {"i-1": "node web -> web (ols-1)"}
    web = Resource(plugin)
    assert web.checked(ocean_id=sim.ocean_id, nodes=ALL, planned_nodes=kept)["planned_nodes"] == kept


def test_existing_plan_is_kept_while_spot_cannot_be_asked(
    sim: Simulator, plugins: Callable[[Mapping[str, str]], PluginProcess]
) -> None:
    """A warning says so; a change of nodes then ends `update` as a partial failure, so that it stays pending."""
    ended = Simulator(nodes=1)
    with ended:
        address = ended.url
    web = Resource(plugins(config_of(sim, **{"ocean-migration:baseUrl": address})))
    inputs = {"ocean_id": sim.ocean_id, "nodes": ALL}
    assert "planned_nodes" not in web.checked(**inputs)
    assert any(
        "Cannot read the cluster from Spot" in line and "`pulumi up` plans" in line for line in web.said("WARNING")
    )
    kept = {"i-1": "node web -> web (ols-1)"}
    web.inputs = {**inputs, "planned_nodes": kept}
    web.outputs, web.id = {**web.inputs, "migrated_nodes": ["i-1"]}, f"{sim.ocean_id}/web"
    assert web.checked(**inputs)["planned_nodes"] == kept
    assert not web.has_changes(**inputs)
    reason = web.fails_to_update(**{**inputs, "triggers": [1]})
    assert reason.startswith("the changed nodes could not be planned: cannot read the cluster from Spot")
    assert web.outputs["migrated_nodes"] == ["i-1"]
    assert web.outputs["triggers"] == []


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("ocean-migration:token", "no Spot token: set SPOTINST_TOKEN"),
        ("ocean-migration:account", "no Spot account: set account_id"),
    ],
)
@pytest.mark.parametrize("inputs", [{}, {"ocean_id": UNKNOWN}, {"planned_nodes": {"i-1": "node web -> web (ols-1)"}}])
def test_missing_setting_fails_the_preview(
    sim: Simulator,
    plugins: Callable[[Mapping[str, str]], PluginProcess],
    inputs: dict[str, Any],
    missing: str,
    said: str,
) -> None:
    """In one line, also where nothing would be asked yet."""
    config = {name: value for name, value in config_of(sim).items() if name != missing}
    with pytest.raises(grpc.RpcError) as caught:
        Resource(plugins(config)).check(**{"ocean_id": sim.ocean_id, "nodes": ALL, **inputs})
    assert message_of(caught.value).startswith(said)


@pytest.mark.parametrize("missing", ["ocean-migration:token", "ocean-migration:account"])
def test_offline_preview_goes_on_without_token_and_account(
    sim: Simulator, plugins: Callable[[Mapping[str, str]], PluginProcess], missing: str
) -> None:
    """With a warning; the run refuses, and starts nothing."""
    config = config_of(sim, **{"ocean-migration:offlinePreview": "true"})
    web = Resource(plugins({name: value for name, value in config.items() if name != missing}))
    said = f"o Spot {missing.rpartition(':')[2]}: set "
    assert said in web.fails_to_create(ocean_id=sim.ocean_id, nodes=ALL)
    assert any(said in line for line in web.said("WARNING"))
    assert writes(sim) == []


def test_account_that_is_known_only_later_is_not_missing(
    sim: Simulator, plugins: Callable[[Mapping[str, str]], PluginProcess]
) -> None:
    """As when another resource of the stack makes it."""
    config = {name: value for name, value in config_of(sim).items() if name != "ocean-migration:account"}
    answer = Resource(plugins(config)).check(ocean_id=sim.ocean_id, nodes=ALL, account_id=UNKNOWN)
    assert list(answer.failures) == []


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            {"ocean-migration:token": "refused-canary"},
            "Spot refuses the token (from stack config ocean-migration:token)",
        ),
        ({"ocean-migration:baseUrl": "http://spot.example"}, "baseUrl"),
        ({"ocean-migration:pollInterval": "soon"}, "pollInterval"),
        ({"ocean-migration:offlinePreview": "maybe"}, "offlinePreview: 'maybe' is neither true nor false"),
    ],
    ids=["token", "base URL", "poll interval", "offline preview"],
)
def test_refused_token_and_bad_setting_fail_the_preview(
    sim: Simulator, plugins: Callable[[Mapping[str, str]], PluginProcess], config: dict[str, str], said: str
) -> None:
    """In one line that names the setting, and never the token."""
    web = Resource(plugins(config_of(sim, **config)))
    with pytest.raises(grpc.RpcError) as caught:
        web.check(ocean_id=sim.ocean_id, nodes=ALL)
    message = message_of(caught.value)
    assert said in message
    assert "canary" not in message


def test_answer_that_nobody_foresaw_fails_in_one_line(sim: Simulator, plugin: PluginProcess) -> None:
    """No traceback, whatever the service says."""
    other = sim.control.add_cluster(2)["id"]
    sim.control.fault("GET", f"*/{other}*", "shape", times=50)
    web = Resource(plugin)
    assert "planned_nodes" not in web.checked(ocean_id=other, nodes=ALL)
    sim.control.clear_faults()
    assert any("Cannot read the cluster from Spot" in line for line in web.said("WARNING"))


def test_preview_file_holds_what_the_preview_shows(
    sim: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One record for each call of check, with the approval; no token is in it."""
    path = tmp_path / "preview.jsonl"
    monkeypatch.setenv(VARIABLE, str(path))
    with PluginProcess() as plugin:
        plugin.configure(config_of(sim))
        web, other = Resource(plugin), Resource(plugin, name="other")
        inputs = web.checked(ocean_id=sim.ocean_id, nodes=ALL)
        web.checked(ocean_id=sim.ocean_id, nodes=ALL, approved_plan="0123456789abcdef")
        other.checked(ocean_id=sim.ocean_id, nodes={"label_selector": "a=b"})
    assert len(path.read_text().splitlines()) == 3
    records = read_previews(path)
    assert records[web.urn].planned_nodes == inputs["planned_nodes"]
    assert records[web.urn].plan_digest == plan_digest(inputs["planned_nodes"], MigrationSpec())
    assert records[web.urn].approved is False
    said = [*web.said("INFO"), *web.said("WARNING")]
    assert {each.text for each in records[web.urn].diagnostics} == set(said)
    assert records[other.urn].planned_nodes is None
    assert (records[other.urn].unplanned or "").startswith("cannot evaluate label_selector: ")
    assert sim.token not in path.read_text()


def test_preview_file_that_cannot_be_written_is_a_warning(
    sim: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The preview itself ends well."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with PluginProcess() as plugin:
        plugin.configure(config_of(sim))
        web = Resource(plugin)
        assert web.checked(ocean_id=sim.ocean_id, nodes=ALL)["planned_nodes"]
    assert "Cannot write the file that OCEAN_MIGRATION_PREVIEW_FILE names: Is a directory" in web.said("WARNING")


def test_the_preview_says_since_when_drained_nodes_stay(
    sim: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the state, which `check` does not have; once on the screen, and in the preview file."""
    path = tmp_path / "preview.jsonl"
    monkeypatch.setenv(VARIABLE, str(path))
    ocean_id = sim.control.add_cluster(2)["id"]
    with PluginProcess() as plugin:
        plugin.configure(config_of(sim))
        web = Resource(plugin)
        web.create(ocean_id=ocean_id, nodes=ALL)
        plugin.engine.lines.clear()
        assert not web.has_changes(ocean_id=ocean_id, nodes=ALL)
    (line,) = [line for line in web.said("INFO") if "drained" in line]
    assert line == (
        f"2 drained nodes were not terminated (drained {web.outputs['drained_since']}) and cost money while they run. "
        "Whether they still do is unknown without Kubernetes"
    )
    record = read_previews(path)[web.urn]
    assert [each.text for each in record.diagnostics if each.code == Code.NODES_DRAINED] == [line]
    assert record.planned_nodes == web.inputs["planned_nodes"]


def test_token_is_in_nothing_that_leaves_the_plugin(
    sim: Simulator, plugins: Callable[[Mapping[str, str]], PluginProcess], capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither in outputs, inputs and log lines nor in what a failure carries, also when the service repeats it."""
    web = Resource(plugins(config_of(sim)), name="secret")
    ocean_id = sim.control.add_cluster(3, scenario="failure-timeout")["id"]
    web.fails_to_create(ocean_id=ocean_id, nodes=ALL)
    web.update(ocean_id=ocean_id, nodes=ALL)
    web.read()
    sim.control.fault("GET", "*", "status", times=50, status=403)
    with pytest.raises(grpc.RpcError) as caught:
        web.read()
    sim.control.clear_faults()
    status = status_of(caught.value)
    assert status is not None
    everything = json.dumps([web.inputs, web.outputs, web.id, *(line.message for line in web.plugin.engine.lines)])
    assert sim.token not in everything + repr(caught.value) + status.message + str(caught.value.trailing_metadata())
    assert sim.token not in "".join(capfd.readouterr())
    assert "token" not in json.dumps(web.outputs).lower()
