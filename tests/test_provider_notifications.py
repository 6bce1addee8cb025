"""Notifications of the resource, through the real plugin process: who is told, and where their URLs never are."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime import rpc

from ocean_migration_pulumi.component.args import OceanMigrationArgs, WaveArgs, check_args
from ocean_migration_pulumi.component.resources.waves import make_waves
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec, read_spec
from ocean_migration_pulumi.simulator import Simulator
from ocean_migration_pulumi.testing import OfflineStack
from tests.support import http_server as http
from tests.support.plugin import PluginProcess, plain
from tests.support.plugin_clock import PluginClock
from tests.support.resource_plugin import Cluster, Resource, config_of, without_settings
from tests.support.timing import PATIENCE, until

WEB = {"asg_names": ["web"]}
CANARY = "/services/T0/B0/canary+of/ours"


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> PluginClock:
    """Make the clock of the plugin."""
    return PluginClock(tmp_path_factory.mktemp("clock") / "ahead")


@pytest.fixture(scope="module")
def running(clock: PluginClock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Simulator, PluginProcess]]:
    """Run a fast simulator, and a plugin without any settings that gives a server as much time as it takes."""
    poll_policy = (
        f"from ocean_migration_pulumi.api import single_requests\nsingle_requests.LONGEST_PROBE = {PATIENCE}\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        without_settings(patch, tmp_path_factory.mktemp("home"))
        with Simulator(nodes=1, speed=600) as simulator, PluginProcess(before=clock.source + poll_policy) as plugin:
            plugin.configure(config_of(simulator))
            yield simulator, plugin


@pytest.fixture
def sim(running: tuple[Simulator, PluginProcess]) -> Iterator[Cluster]:
    """Add a cluster."""
    simulator, _ = running
    cluster = Cluster(simulator, str(simulator.control.add_cluster(4)["id"]))
    simulator.control.clear_requests()
    yield cluster
    simulator.control.clear_faults()


@pytest.fixture
def plugin(running: tuple[Simulator, PluginProcess]) -> PluginProcess:
    """Return the plugin; what it has logged before is forgotten."""
    _, plugin = running
    plugin.engine.lines.clear()
    return plugin


def everything_said(plugin: PluginProcess) -> str:
    """Return all that the plugin has logged, live lines included."""
    return "\n".join(line.message for line in plugin.engine.lines)


def assert_kept_secret(text: str) -> None:
    """Assert that a text holds the canary in no form."""
    encoded = base64.b64encode(CANARY.encode()).decode()
    for form in (CANARY, "canary", encoded, encoded.rstrip("="), quote(CANARY, safe=""), quote(CANARY)):
        assert form not in text


def events(server: http.ScriptedServer) -> list[str]:
    """Return what a server was told has happened."""
    return [request.json["event"] for request in server.requests]


def test_run_tells_start_and_end_and_keeps_the_url(sim: Cluster, plugin: PluginProcess) -> None:
    """In the run alone; the URL stays in the memory of this process, and is no change of the resource."""
    with http.ScriptedServer([http.answer(200)] * 9) as server:
        given: dict[str, Any] = {"ocean_id": sim.ocean_id, "nodes": WEB, "notifications": [server.url + CANARY]}
        web = Resource(plugin)
        web.checked(**given)
        assert server.requests == []
        web.create(**given)
        assert events(server) == ["started", "finished"]
        assert {request.target for request in server.requests} == {CANARY}
        assert {request.json["resource"] for request in server.requests} == {"web"}
        assert sim.token not in repr(server.requests)
        without = {name: value for name, value in given.items() if name != "notifications"}
        assert not web.has_changes(**given)
        assert not web.has_changes(**without)
        web.update(**without)
        assert web.read()
        web.delete()
        assert len(server.requests) == 2
    for text in (json.dumps(web.inputs), json.dumps(web.outputs), everything_said(plugin)):
        assert_kept_secret(text)
        assert "notification" not in text


def test_resumed_run_tells_no_second_start(sim: Cluster, plugin: PluginProcess, clock: PluginClock) -> None:
    """What ended the first, and how it ended after all."""
    with http.ScriptedServer([http.answer(200)] * 9) as server:
        given: dict[str, Any] = {"ocean_id": sim.ocean_id, "nodes": WEB, "notifications": server.url + CANARY}
        sim.control.hold(sim.ocean_id)
        web = Resource(plugin)

        def pass_deadline() -> None:
            until(lambda: events(server) == ["started"])
            clock.advance(3600.0)

        web.fails_to_create(**given, timeout=3600.0, meanwhile=pass_deadline)
        assert events(server) == ["started", "timed_out"]
        sim.control.hold(sim.ocean_id, False)
        web.update(**given)
        assert events(server) == ["started", "timed_out", "finished"]


def test_server_that_fails_is_a_warning_of_the_row(sim: Cluster, plugin: PluginProcess) -> None:
    """One, whatever was to be told; the migration succeeds."""
    with http.ScriptedServer([http.answer(404)] * 9) as server:
        web = Resource(plugin)
        web.create(ocean_id=sim.ocean_id, nodes=WEB, notifications=[server.url + CANARY])
        assert web.outputs["succeeded"] is True
        assert events(server) == ["started", "finished"]
    warnings = [line for line in web.said("WARNING") if "notification" in line]
    assert warnings == ["notification to 127.0.0.1 not delivered: HTTP 404"]
    assert_kept_secret(everything_said(plugin))


def test_server_that_hangs_costs_a_run_no_more_than_two_seconds(sim: Cluster, plugin: PluginProcess) -> None:
    """At its end: until then it goes on as if nobody was to be told; an attempt by itself would take longer."""
    with http.ScriptedServer([http.silence] * 9) as server:
        web = Resource(plugin)
        web.create(ocean_id=sim.ocean_id, nodes=WEB, notifications=[server.url + CANARY])
        assert events(server) == ["started"]
    assert web.outputs["succeeded"] is True
    (line,) = [line for line in web.said("WARNING") if "notification" in line]
    assert line == "notification to 127.0.0.1 not delivered: no response by the end of the run"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("http://chat.example/canary", "notifications"),
        ("https://user:canary@chat.example/x", "notifications"),
        ("canary", "notifications"),
        ("", "notifications"),
        (["https://chat.example/x", "ftp://chat.example/canary"], "notifications[1]"),
        (["https://chat.example:0/canary"], "notifications[0]"),
        (["https://chat.example/a canary"], "notifications[0]"),
        (["https://chat.example:99999/canary"], "notifications[0]"),
        (["https://[canary/x"], "notifications[0]"),
        ([["https://chat.example/canary"]], "notifications[0]"),
        ([7], "notifications[0]"),
        (7, "notifications"),
        ({"url": "https://chat.example/canary"}, "notifications"),
    ],
)
def test_url_that_cannot_be_used_is_refused_without_being_shown(given: Any, name: str) -> None:
    """In one line, with what is allowed."""
    spec, (problem,) = read_spec({"ocean_id": "o-1", "nodes": WEB, "notifications": given})
    assert problem.property_name == name
    assert problem.message.startswith("must be ")
    assert "canary" not in str(problem)
    assert "\n" not in str(problem)
    assert spec.notifications == ()


def test_host_of_a_wrong_url_is_shown() -> None:
    """So that one knows which it is."""
    _, (problem,) = read_spec({"ocean_id": "o-1", "nodes": WEB, "notifications": "http://chat.example/canary"})
    assert problem.message == "must be an https URL (http only for this machine); the host is 'chat.example'"


def test_urls_are_read_once_each() -> None:
    """One or many, to this machine without encryption, too; what shows a spec does not show them."""
    urls = ["https://chat.example/canary", "http://localhost:8080/x", "http://[::1]:1/x", "https://chat.example/canary"]
    spec, problems = read_spec({"ocean_id": "o-1", "nodes": WEB, "notifications": urls})
    assert problems == []
    assert spec.notifications == tuple(urls[:3])
    assert "canary" not in repr(spec)
    assert read_spec({"ocean_id": "o-1", "nodes": WEB, "notifications": urls[0]})[0].notifications == (urls[0],)
    assert (
        read_spec({"ocean_id": "o-1", "nodes": WEB, "notifications": []})[0]
        == read_spec({"ocean_id": "o-1", "nodes": WEB})[0]
    )
    assert MigrationSpec().notifications == ()


@given(before=st.text(max_size=12), after=st.text(max_size=12), scheme=st.sampled_from(["http://", "https://", ""]))
def test_refusal_never_shows_more_than_the_host(before: str, after: str, scheme: str) -> None:
    """Whatever was given, and wherever the secret stands in it."""
    url = f"{scheme}chat.example/{before}canary{after}"
    spec, problems = read_spec({"ocean_id": "o-1", "nodes": WEB, "notifications": [url]})
    assert spec.notifications == (() if problems else (url,))
    for problem in problems:
        assert "canary" not in str(problem)
        assert "\n" not in str(problem)


def test_wrong_url_fails_the_preview(sim: Cluster, plugin: PluginProcess) -> None:
    """And one that is known only later does not; neither is in the inputs that come back."""
    complete: dict[str, Any] = {"ocean_id": sim.ocean_id, "nodes": WEB}
    answer = Resource(plugin).check(**complete, notifications=["http://chat.example/canary"])
    (reason,) = [failure.reason for failure in answer.failures]
    assert reason.startswith("notifications[0] ")
    assert "canary" not in reason
    assert "notifications" not in plain(answer.inputs)
    later = Resource(plugin).checked(**complete, notifications=[rpc.UNKNOWN])
    assert "notifications" not in later
    assert len(later["planned_nodes"]) == 2


def test_program_sends_urls_as_secrets_and_no_state_has_them(sim: Cluster, tmp_path: Path) -> None:
    """From the program to the state file, in a preview and an update; the preview tells nobody."""
    with http.ScriptedServer([http.answer(200)] * 9) as server:
        program = (
            "import pulumi\n"
            "from ocean_migration_pulumi import OceanWorkloadMigration\n"
            "url = pulumi.Config().require_secret('url')\n"
            f"OceanWorkloadMigration('web', {sim.ocean_id!r}, {WEB!r}, notifications=[url])\n"
        )
        (tmp_path / "program").mkdir()
        (tmp_path / "program" / "__main__.py").write_text(program, encoding="utf-8")
        stack = OfflineStack(
            tmp_path / "program",
            tmp_path / "state.json",
            secrets={"url": server.url + CANARY},
            environment={**sim.simulator.environment, "OCEAN_MIGRATION_POLL_INTERVAL": "0.05"},
        )
        preview = stack.preview()
        assert preview.succeeded, preview.error
        assert server.requests == []
        up = stack.up()
        assert up.succeeded, up.error
        assert events(server) == ["started", "finished"]
    state = (tmp_path / "state.json").read_text(encoding="utf-8")
    assert_kept_secret(state)
    (web,) = [each for each in json.loads(state)["deployment"]["resources"] if each["urn"].endswith("::web")]
    assert "notifications" not in web["inputs"].keys() | web["outputs"].keys()
    assert_kept_secret(repr(preview) + repr(up))


class Registrations(pulumi.runtime.Mocks):
    """Keeps the inputs of each resource by its name."""

    def __init__(self) -> None:
        self.inputs: dict[str, dict[str, Any]] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Make a resource of its inputs."""
        self.inputs[args.name] = args.inputs
        return args.name, args.inputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        """Answer nothing: no function is called."""
        return {}, None


def test_component_hands_them_to_its_waves_alone() -> None:
    """As secrets; a gate tells nobody."""
    made = Registrations()
    pulumi.runtime.set_mocks(made, preview=False)

    @pulumi.runtime.test  # type: ignore[untyped-decorator]  # it has no types of its own
    def program() -> None:
        parent = pulumi.ComponentResource("test:index:Parent", "parent")
        waves = [WaveArgs(name=name, nodes={"all_nodes": True}) for name in ("one", "two")]
        args = OceanMigrationArgs(ocean_id="o-1", waves=waves, notifications=["https://chat.example/x"])
        make_waves("shop", check_args(args), ocean_id="o-1", vngs={}, depends_on=[], parent=parent)

    program()
    told = {name: inputs.get("notifications") for name, inputs in made.inputs.items()}
    assert {name for name, value in told.items() if value is not None} == {"shop-one", "shop-two"}
    for wave in ("shop-one", "shop-two"):
        assert rpc.is_rpc_secret(told[wave])
        assert rpc.unwrap_rpc_secret(told[wave]) == ["https://chat.example/x"]
