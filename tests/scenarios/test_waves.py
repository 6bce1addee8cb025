"""Several resources of one stack: waves, shared calls, and inputs that other resources give."""

from __future__ import annotations

from typing import Any

from tests.scenarios.driver import Driver
from tests.scenarios.scene import UNKNOWN, Expression, Scene, everything_below, inputs_of, plain, plan_of, said, warned

_AFTER_WEB = "pulumi.ResourceOptions(depends_on=[web])"
_EARLIER = Expression(
    '{"all_nodes": True, "exclude": {"instance_ids": web.planned_nodes.apply(lambda nodes: [*nodes])}}'
)
_LATER = "from tests.scenarios.later import Later\n"


def test_a_later_wave_excludes_what_an_earlier_one_planned(driver: Driver) -> None:
    """The earlier plan is known in the preview; it may grow without the later one planning again."""
    with Scene(driver) as scene:
        web = scene.asg("web")
        rest = sorted([*scene.asg("api"), *scene.asg("batch")])
        program = [scene.resource(new_nodes="migrate"), scene.resource("rest", opts=_AFTER_WEB, nodes=_EARLIER)]
        scene.program(*program)
        preview = scene.preview()
        assert sorted(plan_of(preview)) == web
        assert sorted(plan_of(preview, "rest")) == rest
        assert len(scene.control.requests()) <= 6
        scene.up()
        assert [start["instanceIds"] for start in scene.starts()] == [web, rest]
        assert scene.outputs("rest")["migrated_nodes"] == rest
        first, second = scene.migrations()
        assert second["created_at"] >= first["completed_at"]
        scene.up_unchanged("web", "rest")

        joined = scene.control.add_node(scene.ocean_id, "web")["instance_id"]
        stranger = scene.control.add_node(scene.ocean_id, "api")["instance_id"]
        preview = scene.preview()
        assert sorted(plan_of(preview)) == sorted([*web, joined])
        assert sorted(plan_of(preview, "rest")) == rest
        mark = scene.mark()
        scene.up()
        assert [start["instanceIds"] for start in scene.starts(mark)] == [[joined]]
        assert stranger not in plain(scene.outputs("rest")["planned_nodes"])


def test_waves_are_disjoint_whatever_their_selectors_say(driver: Driver) -> None:
    """A later wave takes every node but those that earlier ones have planned; its own exclude counts beside."""
    with Scene(driver) as scene:
        web, batch = scene.asg("web"), scene.asg("batch")
        rest = scene.resource(
            "rest",
            opts=_AFTER_WEB,
            nodes={"all_nodes": True, "exclude": {"asg_names": ["batch"]}},
            planned_elsewhere=Expression("web.planned_nodes.apply(lambda nodes: [*nodes])"),
        )
        scene.program(scene.resource(new_nodes="migrate"), rest)
        preview = scene.preview()
        assert sorted(plan_of(preview)) == web
        assert sorted(plan_of(preview, "rest")) == scene.asg("api")
        scene.up()
        assert [start["instanceIds"] for start in scene.starts()] == [web, scene.asg("api")]
        joined = scene.control.add_node(scene.ocean_id, "web")["instance_id"]
        scene.up()
        assert scene.starts()[-1]["instanceIds"] == [joined]
        assert sorted(scene.outputs("rest")["planned_nodes"]) == scene.asg("api")
        assert not set(batch) & set(scene.outputs("rest")["planned_nodes"])
        scene.up_unchanged("web", "rest")


def test_many_resources_of_a_cluster_share_the_calls_of_a_preview(driver: Driver) -> None:
    """Ten resources ask no more than one: six calls, and one status for each migration of the last day."""
    with Scene(driver, nodes=20) as scene:
        nodes = sorted(node["instance_id"] for node in scene.control.nodes(scene.ocean_id))
        names = [f"wave{number}" for number in range(10)]
        scene.program(
            *(
                scene.resource(name, nodes={"instance_ids": nodes[2 * number : 2 * number + 2]})
                for number, name in enumerate(names)
            )
        )
        preview = scene.preview()
        assert {preview.ops[name] for name in names} == {"create"}
        assert len(scene.control.requests()) <= 6
        scene.hold()
        running = scene.control.start_foreign_migration(scene.ocean_id, nodes[:2])
        mark = scene.mark()
        scene.preview()
        statuses = [call for call in scene.control.requests(since=mark) if call["path"].endswith(running)]
        assert len(statuses) == 1
        assert len(scene.control.requests(since=mark)) <= 6 + len(statuses)


def test_waves_without_dependencies_run_one_after_the_other(driver: Driver) -> None:
    """Two resources of one cluster at once: each migrates its own nodes, and neither takes the other's migration."""
    with Scene(driver) as scene:
        scene.program(scene.resource("web"), scene.resource("api", nodes={"asg_names": ["api"]}))
        scene.up()
        assert sorted(start["instanceIds"] for start in scene.starts()) == sorted([scene.asg("api"), scene.asg("web")])
        for name in ("web", "api"):
            outputs = scene.outputs(name)
            assert outputs["migrated_nodes"] == scene.asg(name)
            assert [each["origin"] for each in outputs["migrations"]] == ["started"]
        first, second = sorted(scene.migrations(), key=lambda each: each["created_at"])
        assert second["created_at"] >= first["completed_at"]
        scene.up_unchanged("web", "api")


def test_a_cluster_of_the_same_stack_is_known_later(driver: Driver) -> None:
    """While the cluster's id is unknown so is the plan; `up` plans. Another cluster replaces, delete first."""
    with Scene(driver) as scene:
        migration = scene.resource(ocean_id=Expression("cluster.value"))
        scene.program(_LATER, f'cluster = Later("cluster", {scene.ocean_id!r})\n', migration)
        preview = scene.preview()
        assert preview.ops["web"] == "create"
        assert inputs_of(preview)["planned_nodes"] in UNKNOWN
        assert not scene.control.requests()
        scene.up()
        assert sorted(scene.outputs()["planned_nodes"]) == scene.asg()
        scene.up_unchanged("web", "cluster")

        other = scene.add_cluster()
        scene.program(_LATER, f'cluster = Later("cluster", {other!r})\n', migration)
        assert scene.preview().ops["web"] == "replace"
        mark = scene.mark()
        assert scene.up().ops["web"] == "replace"
        theirs = sorted(node["instance_id"] for node in scene.control.nodes(other) if node["asg_name"] == "web")
        assert [start["instanceIds"] for start in scene.starts(mark)] == [theirs]


def test_groups_of_the_same_stack_come_first(driver: Driver) -> None:
    """While a Virtual Node Group's id is unknown so is the plan; the id itself is never compared."""
    with Scene(driver) as scene:
        group = _LATER + 'group = Later("group", "ols-12345678")\n'
        scene.program(group, scene.resource(virtual_node_group_ids=Expression("[group.value]")))
        preview = scene.preview()
        assert inputs_of(preview)["planned_nodes"] in UNKNOWN
        assert not scene.control.requests()
        scene.up()
        assert sorted(scene.outputs()["planned_nodes"]) == scene.asg()
        scene.declare(virtual_node_group_ids=["ols-87654321"])
        assert scene.preview().ops["web"] == "same"


def test_the_token_is_nowhere(driver: Driver) -> None:
    """A token of the stack's config is in no state, output, event or message, whatever goes wrong."""
    with Scene(driver, scenario="failure-timeout") as scene:
        token = scene.driver.environment.pop("SPOTINST_TOKEN")
        scene.driver.configure(secret=True, **{"spotinst:token": token})
        scene.declare()
        said_so_far = [scene.preview(), scene.up_fails(), scene.up()]
        scene.control.rotate_token()
        said_so_far += [scene.driver.preview(), scene.driver.refresh(), scene.driver.destroy()]
        assert all(run.exit_code != 0 for run in said_so_far[-3:])
        for run in said_so_far:
            assert token not in run.output
            assert token not in plain(run.events)
        assert token not in plain(scene.driver.state())
        # The engine's own files hold the config encrypted; OfflineStack says that it does not.
        if driver.name == "pulumi":
            assert token not in everything_below(scene.driver.directory)


def test_a_token_in_clear_is_refused(driver: Driver) -> None:
    """Stack config that is no secret may not hold the token."""
    with Scene(driver) as scene:
        token = scene.driver.environment.pop("SPOTINST_TOKEN")
        config: dict[str, Any] = {"ocean-migration:token": token}
        scene.driver.configure(**config)
        scene.declare()
        run = scene.driver.preview()
        assert run.exit_code != 0
        assert "ocean-migration:token is in plain text" in run.output
        assert "Traceback" not in run.output
        assert not scene.control.requests()


def test_the_pull_request_sees_what_is_in_the_way_of_each_wave(driver: Driver) -> None:
    """Plan and warnings are said for the resource that they concern, not for its neighbours."""
    with Scene(driver, scenario="unmatched-nodes") as scene:
        scene.program(scene.resource("web"), scene.resource("batch", nodes={"asg_names": ["batch"]}))
        preview = scene.preview()
        assert any("no Virtual Node Group" in text for _, text in preview.messages("web"))
        assert not any("no Virtual Node Group" in text for _, text in preview.messages("batch"))
        assert said(preview, "Plan ", "1 node,")
        assert warned(preview, "No access to Kubernetes")
