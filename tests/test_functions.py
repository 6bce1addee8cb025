"""The functions for programs: called directly, and in programs, against the simulator."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pulumi
import pytest
from pulumi.runtime import MockResourceArgs

import ocean_migration_pulumi as om
from ocean_migration_pulumi import functions, results
from ocean_migration_pulumi.errors import (
    AuthenticationError,
    ClusterNotFoundError,
    DeadlineError,
    InputError,
    MigrationNotFoundError,
    MissingTokenError,
    NoAnswerError,
    OceanMigrationError,
    RateLimitError,
    SettingsError,
)
from ocean_migration_pulumi.simulator import Simulator
from ocean_migration_pulumi.testing import OfflineStack, ResourceMocks
from ocean_migration_pulumi.testing.offline.engine.events import Result
from tests.support.timing import ends_soon

EKS_ASG = "eks-blue-7cc6a7a2-1e5c-4b5e-9d6b-4a1f4fd3c1f2"

CALLS: Mapping[str, Callable[[str], results.FunctionResult]] = MappingProxyType(
    {
        "get_migration_candidates": om.get_migration_candidates,
        "get_migrations": om.get_migrations,
        "get_migration": lambda ocean_id: om.get_migration(ocean_id, "owm-12345678"),
        "get_cluster_nodes": om.get_cluster_nodes,
        "get_cluster_log": om.get_cluster_log,
    }
)


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """Run a simulator in which nothing moves by itself."""
    with Simulator(nodes=6) as simulator:
        simulator.control.clock(manual=True)
        yield simulator


@pytest.fixture
def environment(sim: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    """Point this process at the simulator, as if it were a program without any config."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("SPOTINST_SHARED_CREDENTIALS_FILE", "SPOTINST_CREDENTIALS_FILE", "SPOTINST_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in sim.environment.items():
        monkeypatch.setenv(name, value)
    configure({})
    yield monkeypatch
    configure({})


@pytest.fixture
def ocean_id(sim: Simulator, environment: pytest.MonkeyPatch) -> str:
    """Return the cluster, which this process can ask for."""
    return sim.ocean_id


def configure(config: Mapping[str, str], *, secrets: tuple[str, ...] = ()) -> None:
    """Set the stack's config of this process."""
    pulumi.runtime.set_all_config(dict(config), list(secrets))


def methods(sim: Simulator) -> set[str]:
    """Return the methods of all requests so far."""
    return {entry["method"] for entry in sim.control.requests()}


def by_name(sim: Simulator, asg_name: str) -> list[str]:
    """Return the sorted ids of the nodes of a group."""
    nodes = sim.control.nodes(sim.ocean_id)
    return sorted(node["instance_id"] for node in nodes if node["asg_name"] == asg_name)


def test_candidates_are_all_nodes_that_can_be_migrated(sim: Simulator, ocean_id: str) -> None:
    """By instance id, with the name of the Virtual Node Group that each matches."""
    sim.control.add_node(ocean_id, asg_name=EKS_ASG, labels={"gpu": "true"})
    found = om.get_migration_candidates(ocean_id)
    nodes = {node["instance_id"]: node for node in sim.control.nodes(ocean_id)}
    assert [node.instance_id for node in found.nodes] == sorted(nodes)
    for node in found.nodes:
        assert (node.node_name, node.asg_name) == (
            nodes[node.instance_id]["node_name"],
            nodes[node.instance_id]["asg_name"],
        )
        assert node.running_pods == len(nodes[node.instance_id]["pods"])
    groups = {node.asg_name: (node.virtual_node_group_id, node.virtual_node_group_name) for node in found.nodes}
    assert groups["web"][1] == "web"
    assert groups["web"][0] is not None
    assert groups["web"][0].startswith("ols-")
    assert groups["api"] == ("Default", None)
    assert groups[EKS_ASG] == (None, None)
    assert {node.asg_name: node.eks_node_group for node in found.nodes} == {
        "web": None,
        "api": None,
        "batch": None,
        EKS_ASG: "blue",
    }
    assert methods(sim) == {"GET"}
    assert len(sim.control.requests()) == 2


@pytest.mark.parametrize("as_class", [True, False], ids=["NodeSelectorArgs", "dictionary"])
def test_selector_is_that_of_the_resource(sim: Simulator, ocean_id: str, as_class: bool) -> None:
    """Globs, exclude and limit mean the same."""
    web = by_name(sim, "web")
    nodes: Any = {"asg_names": ["w*", "api"], "exclude": {"instance_ids": [web[0]], "asg_names": ["web"]}, "limit": "2"}
    if as_class:
        nodes = om.NodeSelectorArgs(**{**nodes, "exclude": om.NodeSelectorArgs(**nodes["exclude"])})
    expected = sorted(web[1:] + by_name(sim, "api"))[:2]
    assert [node.instance_id for node in om.get_migration_candidates(ocean_id, nodes=nodes).nodes] == expected


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ({"label_selector": "gpu=true"}, "nodes.label_selector: needs access to Kubernetes"),
        ({"all_nodes": True, "exclude": {"label_selector": "a=b"}}, "nodes.exclude.label_selector: needs access"),
        ({}, "nodes: no nodes selected"),
        ({"asg_name": "web"}, "nodes.asg_name: unknown field; did you mean `asg_names`?"),
        ({"limit": 1.5, "all_nodes": True}, "nodes.limit must be a number of nodes such as"),
        (["i-1"], "nodes must be a selector"),
    ],
)
def test_selector_that_cannot_be_judged_is_refused(sim: Simulator, ocean_id: str, nodes: Any, message: str) -> None:
    """Nothing is asked for it."""
    with pytest.raises(InputError) as caught:
        om.get_migration_candidates(ocean_id, nodes=nodes)
    assert str(caught.value).startswith(message)
    assert sim.control.requests() == []


def test_migrations_are_listed_oldest_first(sim: Simulator, ocean_id: str) -> None:
    """Running and ended ones."""
    web, api = by_name(sim, "web"), by_name(sim, "api")
    assert om.get_migrations(ocean_id) == om.Migrations(ocean_id=ocean_id, migrations=())
    first = sim.control.start_foreign_migration(ocean_id, web)
    sim.control.advance(60)
    sim.control.set_state(ocean_id, first, "FINISHED")
    sim.control.advance(60)
    second = sim.control.start_foreign_migration(ocean_id, api)
    listed = om.get_migrations(ocean_id).migrations
    assert [(each.id, each.ended) for each in listed] == [(first, True), (second, False)]
    assert listed[0].status == "FINISHED"
    assert all(each.created_at for each in listed)
    assert methods(sim) == {"GET"}


def test_migration_has_its_nodes_flags_and_times(sim: Simulator, ocean_id: str) -> None:
    """As it stands."""
    web = by_name(sim, "web")
    migration_id = sim.control.start_foreign_migration(ocean_id, web, terminate=True)
    sim.control.advance(600)
    found = om.get_migration(ocean_id, migration_id)
    assert (found.ocean_id, found.id) == (ocean_id, migration_id)
    assert sorted(node.instance_id for node in found.old_nodes) == web
    assert {node.asg_name for node in found.old_nodes} == {"web"}
    assert found.new_nodes
    assert (found.should_terminate_drained_nodes, found.should_evict_stand_alone_pods) == (True, False)
    assert found.created_at is not None
    assert found.ended is (found.completed_at is not None)
    assert methods(sim) == {"GET"}


def test_pods_that_a_migration_left_are_named(sim: Simulator, ocean_id: str) -> None:
    """With what the service calls them."""
    web = by_name(sim, "web")
    sim.control.add_pod(ocean_id, web[0], name="debug", controller=None)
    migration_id = sim.control.start_foreign_migration(ocean_id, web)
    for _ in range(40):
        sim.control.advance(60)
    left = {pod.name: pod.kind for node in om.get_migration(ocean_id, migration_id).old_nodes for pod in node.pods}
    assert left["debug"] == "STAND_ALONE_POD"


def test_unknown_migration_and_cluster_are_told_apart(ocean_id: str) -> None:
    """By the errors of the client."""
    with pytest.raises(MigrationNotFoundError):
        om.get_migration(ocean_id, "owm-00000000")
    for call in CALLS.values():
        with pytest.raises(ClusterNotFoundError):
            call("o-00000000")


def test_nodes_are_those_of_ocean(sim: Simulator, ocean_id: str) -> None:
    """All of them, or those of one Virtual Node Group."""
    assert om.get_cluster_nodes(ocean_id).nodes == ()
    group = next(
        node.virtual_node_group_id for node in om.get_migration_candidates(ocean_id).nodes if node.asg_name == "web"
    )
    sim.control.start_foreign_migration(ocean_id, by_name(sim, "web") + by_name(sim, "batch"))
    sim.control.advance(600)
    every = om.get_cluster_nodes(ocean_id).nodes
    started = {node["instance_id"] for node in sim.control.nodes(ocean_id) if node["ocean_managed"]}
    assert [node.instance_id for node in every] == sorted(started)
    web = om.get_cluster_nodes(ocean_id, virtual_node_group_id=group).nodes
    assert {(node.virtual_node_group_id, node.virtual_node_group_name) for node in web} == {(group, "web")}
    assert 0 < len(web) < len(every)
    assert all(node.instance_type and node.availability_zone and node.life_cycle for node in web)
    assert methods(sim) == {"GET"}


def test_log_is_oldest_first(sim: Simulator, ocean_id: str) -> None:
    """Lines of one moment are in the order in which they were written."""
    for age, message in ((3600, "an hour ago"), (60, "a minute ago"), (0, "now"), (0, "now, too")):
        sim.control.write_log(ocean_id, message, age_seconds=age)
    # The simulated time stands still, and may be a moment behind this process.
    found = [line.message for line in om.get_cluster_log(ocean_id).lines]
    assert [message for message in found if "ago" in message or "now" in message] == [
        "an hour ago",
        "a minute ago",
        "now",
        "now, too",
    ]
    recent = om.get_cluster_log(ocean_id, since="30m").lines
    assert "an hour ago" not in [line.message for line in recent]
    assert "a minute ago" in [line.message for line in recent]
    assert methods(sim) == {"GET"}


def test_log_is_cut_by_times_severity_and_number(sim: Simulator, ocean_id: str) -> None:
    """A time has a zone or is in UTC; a span is before now at either end."""
    now = datetime.now(UTC)
    sim.control.write_log(ocean_id, "old", severity="ERROR", age_seconds=7200)
    sim.control.write_log(ocean_id, "new", severity="WARN", age_seconds=60)
    since, until = ((now - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ") for hours in (3, 1))
    assert [line.message for line in om.get_cluster_log(ocean_id, since=since, until=until).lines] == ["old"]
    assert [line.message for line in om.get_cluster_log(ocean_id, since="3h", until="1h").lines] == ["old"]
    assert [line.message for line in om.get_cluster_log(ocean_id, severity="WARN").lines] == ["new"]
    assert [line.message for line in om.get_cluster_log(ocean_id, limit=1).lines] != ["old"]
    assert len(om.get_cluster_log(ocean_id, limit=1).lines) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"since": "yesterday"}, "since must be an age such as"),
        ({"since": "99999999999d"}, "since must be an age such as"),
        ({"until": ""}, "until must not be empty"),
        ({"since": "1h", "until": "2h"}, "until: '2h' is before the start ('1h')"),
        ({"severity": "error"}, 'severity must be "ALL", "INFO", "DEBUG", "WARN" or "ERROR", not'),
        ({"limit": 0}, "limit must be a whole number from 1 to 1000, not 0"),
        ({"limit": 1001}, "limit must be a whole number from 1 to 1000, not 1001"),
        ({"account_id": ""}, "account_id must not be empty"),
    ],
)
def test_argument_of_the_log_that_is_not_allowed_is_named(
    sim: Simulator, ocean_id: str, arguments: dict[str, Any], message: str
) -> None:
    """Nothing is asked for it."""
    with pytest.raises(InputError) as caught:
        om.get_cluster_log(ocean_id, **arguments)
    assert str(caught.value).startswith(message)
    assert sim.control.requests() == []


@pytest.mark.parametrize("name", CALLS)
def test_id_that_is_none_is_refused(sim: Simulator, environment: pytest.MonkeyPatch, name: str) -> None:
    """An empty one would be another call."""
    for wrong in ("", " ", None, 5):
        with pytest.raises(InputError, match="ocean_id"):
            CALLS[name](wrong)  # type: ignore[arg-type]  # what a program without types may pass
    assert sim.control.requests() == []


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("key", ["ocean-migration:token", "spotinst:token"])
def test_token_in_clear_is_refused_before_anything_is_asked(sim: Simulator, ocean_id: str, name: str, key: str) -> None:
    """By the function and by its twin, with the words of the resource."""
    configure({key: sim.token})
    twin: Callable[..., Any] = getattr(om, f"{name}_output")
    more = {"migration_id": "owm-1"} if name == "get_migration" else {}
    for call in (CALLS[name], lambda ocean_id: twin(ocean_id, **more)):
        with pytest.raises(
            SettingsError, match=("is in plain text: set it again with `pulumi config set --secret")
        ) as caught:
            call(ocean_id)
        assert sim.token not in str(caught.value)
    assert sim.control.requests() == []


@pytest.mark.parametrize("namespace", ["ocean-migration", "spotinst"])
def test_settings_of_the_stack_win(
    sim: Simulator, ocean_id: str, environment: pytest.MonkeyPatch, namespace: str
) -> None:
    """Over the environment; an argument wins over both."""
    account = sim.control.add_account()
    environment.setenv("SPOTINST_TOKEN", "wrong")
    environment.setenv("SPOTINST_ACCOUNT", "act-wrong")
    key = f"{namespace}:token"
    configure({key: sim.token, f"{namespace}:account": sim.account_id}, secrets=(key,))
    assert len(om.get_migration_candidates(ocean_id).nodes) == 6
    assert sim.control.requests()[-1]["query"]["accountId"] == sim.account_id
    with pytest.raises(ClusterNotFoundError):
        om.get_migrations(ocean_id, account_id=account)
    assert sim.control.requests()[-1]["query"]["accountId"] == account


def test_base_url_of_the_stack_is_asked(sim: Simulator, ocean_id: str, environment: pytest.MonkeyPatch) -> None:
    """Not that of the environment."""
    environment.setenv("SPOTINST_BASE_URL", "http://127.0.0.1:9")
    configure({"ocean-migration:baseUrl": sim.url})
    assert om.get_migrations(ocean_id).migrations == ()


@pytest.mark.parametrize("name", CALLS)
def test_what_fails_is_one_line_without_the_token(
    sim: Simulator, ocean_id: str, environment: pytest.MonkeyPatch, name: str
) -> None:
    """A refused token, none, nobody there."""
    token = sim.token
    problems: list[OceanMigrationError] = []
    sim.control.rotate_token()
    with pytest.raises(AuthenticationError) as refused:
        CALLS[name](ocean_id)
    problems.append(refused.value)
    environment.delenv("SPOTINST_TOKEN")
    with pytest.raises(MissingTokenError) as missing:
        CALLS[name](ocean_id)
    problems.append(missing.value)
    environment.setenv("SPOTINST_TOKEN", token)
    environment.setenv("SPOTINST_BASE_URL", "http://127.0.0.1:9")
    environment.setattr(functions, "BUDGET", 0.3)
    with pytest.raises((NoAnswerError, DeadlineError)) as unreachable:
        CALLS[name](ocean_id)
    problems.append(unreachable.value)
    for problem in problems:
        assert token not in f"{problem} {problem!r} {problem.__cause__!r}"
        assert len(str(problem).splitlines()) == 1


@pytest.mark.parametrize("name", CALLS)
def test_slow_service_costs_no_more_than_the_budget(
    sim: Simulator, ocean_id: str, environment: pytest.MonkeyPatch, name: str
) -> None:
    """Thirty seconds, here less; a closed rate limit that outlives it is not waited for."""
    assert functions.BUDGET == 30.0
    environment.setattr(functions, "BUDGET", 0.5)
    with sim.control.barrier("GET", "*"), ends_soon(), pytest.raises((DeadlineError, NoAnswerError)):
        CALLS[name](ocean_id)


def test_closed_rate_limit_is_told_at_once(sim: Simulator, ocean_id: str) -> None:
    """A program is not held up for a minute."""
    sim.control.fault("GET", "*/migration", "429", seconds=300)
    with ends_soon(), pytest.raises(RateLimitError):
        om.get_migrations(ocean_id)


def test_results_are_frozen_and_become_dictionaries(sim: Simulator, ocean_id: str) -> None:
    """The whole of it, down to the last pod, as JSON takes it."""
    migration_id = sim.control.start_foreign_migration(ocean_id, by_name(sim, "web"))
    sim.control.advance(600)
    found = om.get_migration(ocean_id, migration_id)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.status = "FINISHED"  # type: ignore[misc]  # that is the point
    plain = json.loads(json.dumps(found.to_dict()))
    assert plain["old_nodes"][0]["instance_id"] == found.old_nodes[0].instance_id
    assert plain.keys() == {field.name for field in dataclasses.fields(found)}
    assert found == om.get_migration(ocean_id, migration_id)


# In programs


class OneCluster(ResourceMocks):
    """Creates a thing whose id is that of the cluster."""

    def __init__(self, ocean_id: str) -> None:
        self.ocean_id = ocean_id

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Return the cluster's id."""
        return self.ocean_id, dict(args.inputs)


def stack(sim: Simulator, tmp_path: Path, program: str) -> OfflineStack:
    """Return a stack of a program, the token among its secrets."""
    directory = tmp_path / "program"
    directory.mkdir(exist_ok=True)
    head = "import os\nimport pulumi\nimport ocean_migration_pulumi as om\n\nocean_id = os.environ['OCEAN_ID']\n"
    (directory / "__main__.py").write_text(head + program)
    environment = {**sim.environment, "OCEAN_MIGRATION_POLL_INTERVAL": "0.05", "HOME": str(tmp_path)}
    del environment["SPOTINST_TOKEN"]
    return OfflineStack(
        directory,
        tmp_path / "state.json",
        secrets={"ocean-migration:token": sim.token},
        mocks=OneCluster(sim.ocean_id),
        environment=environment,
    )


def said(result: Result) -> str:
    """Return all that a command said."""
    return "\n".join([str(result.error), *(line.message for line in result.diagnostics), repr(result.outputs)])


EXPORTS = """
for name, more in (
    ("get_migration_candidates", {}),
    ("get_migrations", {}),
    ("get_migration", {"migration_id": os.environ["MIGRATION_ID"]}),
    ("get_cluster_nodes", {}),
    ("get_cluster_log", {}),
):
    prompt = getattr(om, name)(ocean_id, **more)
    later = getattr(om, f"{name}_output")(pulumi.Output.from_input(ocean_id), **more)
    pulumi.export(f"{name} prompt", prompt)
    pulumi.export(f"{name} later", later)
    pulumi.export(f"{name} json", pulumi.Output.json_dumps(later.apply(lambda found: found.to_dict())))

web = om.NodeSelectorArgs(asg_names=[pulumi.Output.from_input("web")])
candidates = om.get_migration_candidates_output(ocean_id, nodes=web)
pulumi.export("nodes", candidates.nodes)
pulumi.export("first", candidates.nodes[0].instance_id)
pulumi.export("pods", candidates.apply(lambda found: sum(node.running_pods or 0 for node in found.nodes)))
pulumi.export("status", om.get_migration_output(ocean_id, os.environ["MIGRATION_ID"]).status)
"""


def test_results_are_exported_whole_and_in_pieces(
    sim: Simulator, ocean_id: str, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In the preview as in the update; with GETs alone, and the token nowhere."""
    web, api = by_name(sim, "web"), by_name(sim, "api")
    migration_id = sim.control.start_foreign_migration(ocean_id, api)
    sim.control.advance(600)
    environment.setenv("MIGRATION_ID", migration_id)
    made = stack(sim, tmp_path, EXPORTS)
    preview, up = made.preview(), made.up()
    for result in (preview, up):
        assert result.succeeded, said(result)
        assert sim.token not in said(result)
    assert up.outputs == made.preview().outputs
    assert methods(sim) == {"GET"}
    for kept in tmp_path.glob("state*"):
        assert sim.token not in kept.read_text(errors="replace")
    outputs = up.outputs
    assert outputs["first"] == web[0]
    assert [node["instance_id"] for node in outputs["nodes"]] == web
    assert outputs["pods"] == sum(node["running_pods"] for node in outputs["nodes"]) > 0
    for name, call in CALLS.items():
        expected = om.get_migration(ocean_id, migration_id) if name == "get_migration" else call(ocean_id)
        plain = json.loads(json.dumps(expected.to_dict()))
        assert outputs[f"{name} prompt"] == outputs[f"{name} later"] == plain, name
        assert json.loads(outputs[f"{name} json"]) == plain
    assert outputs["status"] == outputs["get_migration prompt"]["status"]


UNKNOWN = """
class Thing(pulumi.CustomResource):
    def __init__(self, name):
        super().__init__("test:index:Thing", name, {})

cluster = Thing("cluster")
candidates = om.get_migration_candidates_output(cluster.id)
listed = om.get_migration_candidates_output(ocean_id, nodes={"instance_ids": [cluster.id], "asg_names": ["web"]})
pulumi.export("ids", candidates.apply(lambda found: [node.instance_id for node in found.nodes]))
pulumi.export("nodes", candidates.nodes)
pulumi.export("listed", listed.nodes)
pulumi.export("migrations", om.get_migrations_output(cluster.id))
pulumi.export("migration", om.get_migration_output(ocean_id, cluster.id).recover(lambda error: str(error)))
pulumi.export("lines", om.get_cluster_log_output(cluster.id).lines)
pulumi.export("running", om.get_cluster_nodes_output(cluster.id, account_id=os.environ["SPOTINST_ACCOUNT"]).nodes)
"""


def test_what_is_unknown_in_a_preview_is_not_asked(sim: Simulator, tmp_path: Path) -> None:
    """The update knows it, and asks."""
    made = stack(sim, tmp_path, UNKNOWN)
    preview = made.preview()
    assert preview.succeeded, said(preview)
    assert sim.control.requests() == []
    up = made.up()
    assert up.succeeded, said(up)
    assert methods(sim) == {"GET"}
    assert up.outputs["ids"] == sorted(node["instance_id"] for node in sim.control.nodes(sim.ocean_id))
    assert [node["instance_id"] for node in up.outputs["nodes"]] == up.outputs["ids"]
    assert up.outputs["listed"] == []
    assert up.outputs["migrations"] == {"ocean_id": sim.ocean_id, "migrations": []}
    assert sim.ocean_id in up.outputs["migration"]
    before = len(sim.control.requests())
    assert made.preview().succeeded
    assert len(sim.control.requests()) > before


MIGRATION = """
candidates = om.get_migration_candidates(ocean_id, nodes={"asg_names": ["web"]})
web = om.OceanWorkloadMigration(
    "web",
    ocean_id=ocean_id,
    nodes={"instance_ids": [node.instance_id for node in candidates.nodes] or ["i-none"]},
    wait_for="started",
    opts=pulumi.ResourceOptions(ignore_changes=["nodes"]),
)
migration = om.get_migration_output(ocean_id, web.migration_id)
pulumi.export("old", migration.apply(lambda found: [node.instance_id for node in found.old_nodes]))
"""


def test_functions_and_the_resource_work_together(sim: Simulator, tmp_path: Path) -> None:
    """What a function found can be migrated, and the migration be looked at, in one program."""
    web = by_name(sim, "web")
    made = stack(sim, tmp_path, MIGRATION)
    preview = made.preview()
    assert preview.succeeded, said(preview)
    assert methods(sim) == {"GET"}
    up = made.up()
    assert up.succeeded, said(up)
    assert sorted(up.outputs["old"]) == web
    assert [entry["method"] for entry in sim.control.requests() if entry["method"] != "GET"] == ["POST"]


SECRET = """
candidates = om.get_migration_candidates_output(pulumi.Output.secret(ocean_id))
pulumi.export("nodes", candidates.nodes)
"""


def test_result_of_a_secret_argument_is_secret(sim: Simulator, tmp_path: Path) -> None:
    """It is not in the state in clear."""
    made = stack(sim, tmp_path, SECRET)
    up = made.up()
    assert up.succeeded, said(up)
    text = (tmp_path / "state.json").read_text()
    assert all(node["instance_id"] not in text for node in sim.control.nodes(sim.ocean_id))


PROMPT = """
om.get_migrations(pulumi.Output.from_input(ocean_id))
"""

SELECTOR = """
om.get_migration_candidates(ocean_id, nodes=om.NodeSelectorArgs(asg_names=[pulumi.Output.from_input("web")]))
"""


@pytest.mark.parametrize(("program", "name"), [(PROMPT, "ocean_id"), (SELECTOR, "nodes.asg_names")])
def test_output_in_the_place_of_a_value_is_refused(sim: Simulator, tmp_path: Path, program: str, name: str) -> None:
    """The message names the twin."""
    result = stack(sim, tmp_path, program).preview()
    assert not result.succeeded
    assert (
        f"{name}: is an Output, whose value is not known yet; use the variant of the function that ends in `_output`"
    ) in said(result)
    assert sim.control.requests() == []


def test_failure_ends_the_program_with_its_reason(sim: Simulator, tmp_path: Path) -> None:
    """In one line, without a traceback; the token is nowhere."""
    token = sim.token
    made = stack(sim, tmp_path, "pulumi.export('found', om.get_migrations_output('o-00000000'))\n")
    result = made.preview()
    assert not result.succeeded
    assert "Traceback" not in said(result)
    assert "o-00000000" in said(result)
    sim.control.rotate_token()
    result = made.preview()
    assert not result.succeeded
    assert "Spot refuses the token (from stack config ocean-migration:token)" in said(result)
    assert "Traceback" not in said(result)
    assert token not in said(result)
