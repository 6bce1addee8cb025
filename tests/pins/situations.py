"""The situations whose goldens are pinned: each plays commands on a stage, which writes down what comes of them."""

# ruff: noqa: D401 - a docstring says what happens in a situation

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.pins.stage import SPEED, Expression, Running, Stage

STATE_0_1 = Path(__file__).parents[1] / "data" / "state-0.1.json"


@dataclass(frozen=True)
class Situation:
    """What is played, and the options of the simulator that it is played on."""

    play: Callable[[Stage], None]
    simulator: dict[str, Any]


SITUATIONS: dict[str, Situation] = {}
"""Every situation by name."""

_KUBECONFIG = Expression('pulumi.Config().require_secret("kubeconfig")')
_PLANNED_0_1 = re.compile(r"(\S+) (\S+) -> (.*) \((\S+)\)")
_GATE = {"hold_for": "0s"}
_WAVES = [
    {"name": "canary", "nodes": {"asg_names": ["web"], "limit": "1"}, "gate": _GATE},
    {"name": "rest", "nodes": {"asg_names": ["web"]}},
]


def situation(**simulator: Any) -> Callable[[Callable[[Stage], None]], Callable[[Stage], None]]:
    """Take a function into the table, under its own name."""

    def add(play: Callable[[Stage], None]) -> Callable[[Stage], None]:
        SITUATIONS[play.__name__] = Situation(play, simulator)
        return play

    return add


def _timeouts(**timeouts: str) -> str:
    given = ", ".join(f"{name}={value!r}" for name, value in timeouts.items())
    return f"custom_timeouts=pulumi.CustomTimeouts({given})"


def _interrupted(stage: Stage, **inputs: Any) -> None:
    """Start a migration that stands still, and interrupt the wait for it."""
    stage.hold()
    stage.declare(**inputs)
    running = stage.begin("up")
    running.until_started()
    running.interrupt()
    running.wait()


def _released(stage: Stage, running: Running) -> None:
    """Let the migrations go on as soon as a command waits for one."""
    running.until_polled()
    stage.hold(False)
    running.wait()


def _stopping(stage: Stage, running: Running) -> None:
    """Let the migrations go on as soon as a command has asked for a stop and waits for it."""
    running.until(lambda: any(each["method"] == "PUT" for each in stage.writes()))
    _released(stage, running)


@contextmanager
def _seldom_asked(stage: Stage) -> Iterator[None]:
    """Let a deadline pass between two questions and not within one, which is told in other words."""
    usual = stage.environment["OCEAN_MIGRATION_POLL_INTERVAL"]
    stage.environment["OCEAN_MIGRATION_POLL_INTERVAL"] = "2"
    yield
    stage.environment["OCEAN_MIGRATION_POLL_INTERVAL"] = usual


def _keep_busy(stage: Stage) -> None:
    """Freeze the migration that runs from the beginning, before the time runs fast."""
    stage.hold()
    stage.control.clock(speed=SPEED)


def _declared_shop(stage: Stage) -> None:
    given = {"ocean_id": stage.ocean_id, "waves": _WAVES}
    stage.program(f"shop = OceanMigration('shop', {given!r})\npulumi.export('totals', shop.totals)\n")


def _give_kubeconfig(stage: Stage, identity: str) -> None:
    stage.secrets["kubeconfig"] = stage.simulator.kubeconfig(identity=identity)


@situation()
def new_plan(stage: Stage) -> None:
    """Planned, migrated, and nothing left to do; destroy leaves the workloads where they are."""
    stage.declare()
    stage.preview()
    stage.up()
    stage.preview()
    stage.up()
    stage.destroy()


@situation()
def joined_node(stage: Stage) -> None:
    """Told of with `report`, followed with `migrate`."""
    stage.declare()
    stage.up()
    stage.control.add_node(stage.ocean_id, "web")
    stage.preview()
    stage.declare(new_nodes="migrate")
    stage.preview()
    stage.up()


@situation()
def refilling_group(stage: Stage) -> None:
    """Terminated nodes come back: they are not followed for ever."""
    stage.declare(new_nodes="migrate", should_terminate_drained_nodes=True)
    stage.preview()
    stage.up()
    for _ in range(2):
        stage.control.add_node(stage.ocean_id, "web")
    stage.preview()


@situation()
def changed_options(stage: Stage) -> None:
    """When nothing remains they are recorded only."""
    stage.declare()
    stage.up()
    stage.declare(
        batch_size_percentage=10,
        force_pod_eviction_on_pdb_failure=True,
        should_evict_stand_alone_pods=True,
        should_terminate_drained_nodes=True,
        terminate_drained_nodes_on_stop=True,
        on_timeout="stop",
        stall_timeout="10m",
        when_busy="fail",
        prerequisites="warn",
        unmatched_nodes="skip",
        account_id=stage.simulator.account_id,
    )
    stage.preview()
    stage.up()


@situation()
def wait_for_started(stage: Stage) -> None:
    """`up` goes on when the migration has started; a refresh follows it."""
    stage.hold()
    stage.declare(wait_for="started")
    stage.preview()
    stage.up()
    stage.refresh()
    stage.hold(False)
    stage.control.advance(3600)
    stage.refresh()
    stage.preview()


@situation(scenario="stall")
def wait_for_progress(stage: Stage) -> None:
    """`up` goes on when half of the nodes are done; destroy stops the rest."""
    stage.declare(wait_for="progress", wait_for_percentage=50, terminate_drained_nodes_on_stop=True)
    stage.preview()
    stage.up()
    stage.preview()
    stage.destroy()


@situation()
def soaked(stage: Stage) -> None:
    """The end is watched for a while."""
    stage.declare(soak_time="100ms")
    stage.preview()
    stage.up()
    stage.preview()


@situation(scenario="stand-alone-pods")
def manual_pods(stage: Stage) -> None:
    """Pods that are left over are named, and taken when `triggers` change and it is allowed."""
    stage.declare()
    stage.preview()
    stage.up()
    stage.preview()
    stage.declare(triggers=["again"], should_evict_stand_alone_pods=True)
    stage.preview()
    stage.up()


@situation()
def triggers(stage: Stage) -> None:
    """A migrated node that has pods again is taken once more when they change."""
    stage.declare()
    stage.up()
    again = stage.asg()[0]
    stage.control.set_node(stage.ocean_id, again, cordoned=False)
    stage.control.add_pod(stage.ocean_id, again, name="back")
    stage.preview()
    stage.declare(triggers=[1, "a"])
    stage.preview()
    stage.up()


@situation(scenario="failure-instances")
def failed_and_resumed(stage: Stage) -> None:
    """A migration that fails half way; the next `up` takes what remains."""
    stage.declare()
    stage.up()
    stage.preview()
    stage.up()
    stage.preview()


@situation(scenario="failure-connectivity")
def failed_and_refreshed(stage: Stage) -> None:
    """A refresh loses nothing of it."""
    stage.declare()
    stage.up()
    stage.refresh()
    stage.preview()


@situation()
def deadline(stage: Stage) -> None:
    """Custom timeouts end the wait; the next `up` waits for the same migration."""
    stage.hold()
    stage.declare(opts=_timeouts(create="5s", update="2m"))
    with _seldom_asked(stage):
        stage.up()
    stage.preview()
    _released(stage, stage.begin("up"))


@situation(scenario="stall")
def stalled(stage: Stage) -> None:
    """A stall ends the wait, and the migration goes on."""
    stage.declare(stall_timeout="2s")
    stage.up()
    stage.preview()


@situation(scenario="stall")
def stalled_and_stopped(stage: Stage) -> None:
    """`on_timeout="stop"`, with what is drained terminated."""
    stage.declare(stall_timeout="2s", on_timeout="stop", terminate_drained_nodes_on_stop=True)
    stage.preview()
    stage.up()
    stage.preview()


@situation()
def interrupted(stage: Stage) -> None:
    """Ctrl-C saves the migration, and the next `up` waits for it."""
    _interrupted(stage)
    stage.preview()
    _released(stage, stage.begin("up"))


@situation()
def options_for_the_next_migration(stage: Stage) -> None:
    """A running migration goes on with the options that it was started with."""
    _interrupted(stage)
    stage.declare(batch_size_percentage=20, should_evict_stand_alone_pods=True)
    stage.preview()
    _released(stage, stage.begin("up"))


@situation()
def flag_taken_back(stage: Stage) -> None:
    """A running migration that does what is no longer wanted is stopped, and started anew."""
    _interrupted(stage, should_terminate_drained_nodes=True)
    stage.declare(should_terminate_drained_nodes=False)
    stage.preview()
    _stopping(stage, stage.begin("up"))


@situation()
def node_taken_out(stage: Stage) -> None:
    """So is one that moves a node which is no longer selected."""
    _interrupted(stage, nodes={"asg_names": ["web", "api"]})
    stage.declare(nodes={"asg_names": ["web", "api"], "exclude": {"asg_names": ["ap*"]}})
    stage.preview()
    _stopping(stage, stage.begin("up"))


@situation()
def stopped_by_others(stage: Stage) -> None:
    """It is not started again until `triggers` change."""
    stage.hold()
    stage.declare()
    running = stage.begin("up")
    running.until_started()
    stage.control.stop_foreign(stage.ocean_id, stage.migrations()[0]["id"])
    stage.hold(False)
    running.wait()
    stage.preview()
    stage.up()
    stage.declare(triggers=["after the incident"])
    stage.preview()
    stage.up()


@situation()
def adopted(stage: Stage) -> None:
    """The same nodes with the same flags are migrated already."""
    stage.hold()
    stage.control.start_foreign_migration(stage.ocean_id, stage.asg())
    stage.declare()
    stage.preview()
    _released(stage, stage.begin("up"))


@situation()
def adopted_in_part(stage: Stage) -> None:
    """A migration that also moves other nodes is waited for, and left alone by destroy."""
    stage.hold()
    stage.control.start_foreign_migration(stage.ocean_id, stage.asg())
    stage.declare(nodes={"asg_names": ["web"], "limit": "1"}, wait_for="started")
    stage.preview()
    stage.up()
    stage.destroy()


@situation()
def adopted_after_its_end(stage: Stage) -> None:
    """What a lost run began and what failed since is recorded, and what it left is migrated."""
    stage.hold()
    theirs = stage.control.start_foreign_migration(stage.ocean_id, stage.asg())
    stage.control.fail_migration(stage.ocean_id, theirs, "timeout")
    stage.hold(False)
    stage.control.advance(60)
    stage.declare()
    stage.preview()
    stage.up()


@situation(scenario="busy-cluster", speed=1.0)
def foreign_migration(stage: Stage) -> None:
    """It is waited for."""
    _keep_busy(stage)
    stage.declare()
    stage.preview()
    _released(stage, stage.begin("up"))


@situation(scenario="busy-cluster", speed=1.0)
def foreign_migration_refused(stage: Stage) -> None:
    """`when_busy="fail"`."""
    _keep_busy(stage)
    stage.declare(when_busy="fail")
    stage.preview()
    stage.up()


@situation(scenario="busy-cluster", speed=1.0, nodes=6)
def vanished_node(stage: Stage) -> None:
    """A planned node that is gone before the start is dropped."""
    _keep_busy(stage)
    stage.declare()
    running = stage.begin("up")
    running.until_polled()
    stage.control.remove_node(stage.ocean_id, stage.asg()[0])
    stage.hold(False)
    running.wait()
    stage.preview()


@situation(scenario="unmatched-nodes", nodes=8)
def unmatched_nodes(stage: Stage) -> None:
    """Refused, skipped, and allowed."""
    stage.declare()
    stage.preview()
    stage.up()
    stage.declare(unmatched_nodes="skip")
    stage.preview()
    stage.up()
    stage.declare(unmatched_nodes="allow", triggers=["all"])
    stage.preview()
    stage.up()


def _prerequisites(stage: Stage, way: str) -> None:
    stage.declare(prerequisites=way)
    stage.preview()
    stage.up()


@situation(scenario="dead-controller")
def prerequisites_enforced(stage: Stage) -> None:
    """A controller that is silent: nothing is started."""
    _prerequisites(stage, "enforce")


@situation(scenario="dead-controller")
def prerequisites_warned_of(stage: Stage) -> None:
    """A controller that is silent: started all the same, and failed for that very reason."""
    _prerequisites(stage, "warn")


@situation(scenario="dead-controller")
def prerequisites_off(stage: Stage) -> None:
    """A controller that is silent: nobody looks."""
    _prerequisites(stage, "off")


@situation()
def approval(stage: Stage) -> None:
    """Another plan than the approved one is refused; the approved one runs, and its follow-up needs its own."""
    stage.declare(approved_plan="0123456789abcdef")
    stage.preview()
    stage.up()
    # The digest is known from a twin of this world, whose ids are the same.
    with Stage(Path(stage.environment["HOME"]) / "twin") as twin:
        twin.declare()
        twin.up()
        digest = twin.outputs()["plan_digest"]
    stage.config["ocean-migration:approvedPlan"] = json.dumps({"web": digest})
    stage.declare()
    stage.preview()
    stage.up()
    stage.control.add_node(stage.ocean_id, "web")
    stage.declare(new_nodes="migrate")
    stage.preview()
    stage.up()


@situation()
def no_service(stage: Stage) -> None:
    """A preview goes on without a plan, or with the old one."""
    complete = dict(stage.environment)
    stage.environment["SPOTINST_BASE_URL"] = "http://127.0.0.1:9"
    stage.declare()
    stage.preview()
    stage.environment = dict(complete)
    stage.up()
    stage.environment["SPOTINST_BASE_URL"] = "http://127.0.0.1:9"
    stage.declare(nodes={"asg_names": ["web", "api"]})
    stage.preview()


@situation()
def no_account_and_no_token(stage: Stage) -> None:
    """The preview says what to set, `up` refuses; a token that the service refuses fails the preview."""
    stage.declare()
    stage.environment["SPOTINST_ACCOUNT"] = ""
    stage.preview()
    stage.up()
    stage.environment["SPOTINST_TOKEN"] = ""
    stage.preview()
    stage.environment |= {**stage.simulator.environment, "SPOTINST_TOKEN": "not-a-token-of-this-service"}
    stage.preview()


@situation()
def bad_input(stage: Stage) -> None:
    """Every property that is wrong is named."""
    stage.declare(batch_size_percentage=51, nodes={}, when_busy="panic", stall_timeout="soon", wait_for="ever")
    stage.preview()
    stage.declare(nodes={"instance_ids": ["i-0123"]})
    stage.preview()
    stage.program(stage.resource(ocean_id="o-00000000"))
    stage.preview()


@situation()
def no_node(stage: Stage) -> None:
    """A selector that matches nothing."""
    stage.declare(nodes={"asg_names": ["none-*"]}, when_no_nodes="succeed")
    stage.preview()
    stage.up()


@situation(nodes=8)
def limit(stage: Stage) -> None:
    """Kept nodes are taken first."""
    stage.declare(nodes={"asg_names": ["web"], "limit": "2"})
    stage.preview()
    stage.up()
    stage.declare(nodes={"asg_names": ["web"], "limit": "100%"})
    stage.preview()
    stage.up()


@situation(scenario="never-heartbeat")
def new_cluster(stage: Stage) -> None:
    """The controller is waited for, and the plan is made then."""
    stage.declare()
    stage.preview()
    running = stage.begin("up")
    heartbeats = "/controllerHeartbeat"
    running.until(lambda: sum(each["path"].endswith(heartbeats) for each in stage.control.requests()) > 8)
    stage.control.heartbeat(stage.ocean_id)
    stage.beat(stage.ocean_id)
    running.wait()


@situation()
def ignored_changes(stage: Stage) -> None:
    """The old plan stays."""
    stage.declare()
    stage.up()
    stage.control.add_node(stage.ocean_id, "web")
    stage.declare(new_nodes="migrate", nodes={"all_nodes": True}, opts='ignore_changes=["planned_nodes", "nodes"]')
    stage.preview()
    stage.up()


@situation(scenario="kubernetes-trouble", nodes=6)
def blockers(stage: Stage) -> None:
    """What only Kubernetes knows is named in the preview, and refused by the run; overruled, an eviction is tried."""
    _give_kubeconfig(stage, "run")
    stage.declare(kubeconfig=_KUBECONFIG)
    stage.preview()
    stage.up()
    stage.control.remove_pod(stage.ocean_id, "forecast-0")
    nodes = stage.control.nodes(stage.ocean_id)
    homeless = next(node for node in nodes if any(pod["name"] == "images-0" for pod in node["pods"]))
    stage.control.remove_pod(stage.ocean_id, "images-0", instance_id=homeless["instance_id"])
    stage.hold()
    stage.declare(kubeconfig=_KUBECONFIG, should_evict_stand_alone_pods=True)
    stage.preview()
    running = stage.begin("up")
    running.until_started()
    running.interrupt()
    running.wait()


@situation(scenario="autoscaler-on")
def other_autoscalers(stage: Stage) -> None:
    """They are a prerequisite that is not met."""
    _give_kubeconfig(stage, "run")
    stage.declare(kubeconfig=_KUBECONFIG)
    stage.preview()
    stage.up()


@situation(nodes=6)
def label_waves(stage: Stage) -> None:
    """Nodes are selected by label; the later wave excludes what the first one took."""
    _give_kubeconfig(stage, "run")
    first = stage.resource("web", kubeconfig=_KUBECONFIG, nodes={"label_selector": "workload=web"})
    rest = stage.resource(
        "rest",
        kubeconfig=_KUBECONFIG,
        nodes={"all_nodes": True, "exclude": {"label_selector": "workload=web"}},
        opts="depends_on=[web]",
    )
    stage.program(first, rest)
    stage.preview()
    stage.up()
    stage.preview()


@situation()
def kubernetes_forbidden(stage: Stage) -> None:
    """Labels cannot be judged, and a kubeconfig of another cluster is refused."""
    _give_kubeconfig(stage, "none")
    stage.declare(kubeconfig=_KUBECONFIG, nodes={"label_selector": "workload=web"})
    stage.preview()
    stage.up()
    stage.secrets["kubeconfig"] = stage.simulator.kubeconfig(stage.add_cluster(name="other"))
    stage.declare(kubeconfig=_KUBECONFIG)
    stage.preview()


@situation()
def disjoint_waves(stage: Stage) -> None:
    """A later wave takes every node but those that the earlier one has planned."""
    rest = stage.resource(
        "rest",
        opts="depends_on=[web]",
        nodes={"all_nodes": True, "exclude": {"asg_names": ["batch"]}},
        planned_elsewhere=Expression("web.planned_nodes.apply(sorted)"),
    )
    stage.program(stage.resource(new_nodes="migrate"), rest)
    stage.preview()
    stage.up()
    stage.control.add_node(stage.ocean_id, "web")
    stage.preview()
    stage.up()


@situation()
def gate(stage: Stage) -> None:
    """A gate of its own, and a plan that is known only when it has opened."""
    gate = stage.resource(
        "calm",
        "OceanMigrationGate",
        migration_ids=Expression("web.migrations.apply(lambda runs: [run['id'] for run in runs or ()])"),
        succeeded=Expression("web.succeeded"),
        remaining=Expression("web.remaining_nodes"),
        hold_for="0s",
    )
    later = Expression(f"calm.passed_at.apply(lambda _: {stage.ocean_id!r})")
    after = stage.resource("api", ocean_id=later, nodes={"asg_names": ["api"]})
    stage.program(stage.resource(), gate, after)
    stage.preview()
    stage.up()
    stage.preview()


@situation()
def every_input(stage: Stage) -> None:
    """All inputs of a migration and of a gate at once, secrets included."""
    kubeconfig = stage.simulator.kubeconfig(identity="run")
    stage.secrets |= {"kubeconfig": kubeconfig, "webhook": f"{stage.simulator.url}/nobody-listens"}
    (context,) = re.findall(r"^current-context: (\S+)$", kubeconfig, re.MULTILINE)
    access = {"kubeconfig": _KUBECONFIG, "kube_context": context, "account_id": stage.simulator.account_id}
    web = stage.resource(
        nodes={"asg_names": ["we*"], "exclude": {"node_names": ["none"]}, "limit": "100%"},
        new_nodes="migrate",
        should_terminate_drained_nodes=True,
        should_evict_stand_alone_pods=True,
        force_pod_eviction_on_pdb_failure=True,
        unmatched_nodes="skip",
        virtual_node_group_ids=["ols-0"],
        planned_elsewhere=["i-0"],
        prerequisites="warn",
        when_busy="wait",
        wait_for="finished",
        stall_timeout="10m",
        soak_time="100ms",
        on_timeout="stop",
        terminate_drained_nodes_on_stop=True,
        triggers=["a", 1, True, {"b": None}],
        notifications=Expression('pulumi.Config().require_secret("webhook")'),
        **access,
    )
    (node,) = (each["node_name"] for each in stage.control.nodes(stage.ocean_id) if each["asg_name"] == "batch")
    gate = stage.resource(
        "calm",
        "OceanMigrationGate",
        migration_ids=[],
        succeeded=True,
        remaining=[],
        scheduled=True,
        heartbeat=True,
        kubernetes_conditions=[{"kind": "Node", "name": node, "condition": "Ready"}],
        http_checks=[{"url": f"{stage.simulator.url}/", "status": 401}],
        hold_for="0s",
        timeout="1m",
        opts="depends_on=[web]",
        **access,
    )
    stage.program(web, gate)
    stage.preview()
    stage.up()
    stage.preview()


@situation()
def gate_that_stays_shut(stage: Stage) -> None:
    """It says what is missing."""
    stage.control.heartbeat(stage.ocean_id, status="INACTIVE", age_seconds=3600)
    stage.program(
        stage.resource("calm", "OceanMigrationGate", succeeded=False, remaining=["i-0123"], hold_for="0s"),
        stage.resource("awake", "OceanMigrationGate", hold_for="0s", timeout="1s"),
    )
    stage.preview()
    stage.up()
    stage.program(stage.resource("calm", "OceanMigrationGate", hold_for="soon", http_checks=[{"url": "ftp://a"}]))
    stage.preview()


@situation(nodes=8)
def component(stage: Stage) -> None:
    """Waves with a gate between them."""
    _declared_shop(stage)
    stage.preview()
    stage.up()
    stage.preview()
    stage.destroy()


@situation(nodes=8)
def component_whose_wave_fails(stage: Stage) -> None:
    """The later waves come with the next `up`."""
    _declared_shop(stage)
    stage.control.arm_failure(stage.ocean_id, "instances")
    stage.up()
    stage.preview()
    stage.up()


def _world_0_1() -> dict[str, Any]:
    """Return the world of the stored state: its cluster, and the nodes that it planned."""
    resources = json.loads(STATE_0_1.read_text(encoding="utf-8"))["deployment"]["resources"]
    (ocean_id,) = {each["inputs"]["ocean_id"] for each in resources if "ocean_id" in each.get("inputs", {})}
    (account,) = {each["outputs"]["effective_account_id"] for each in resources if "ocean_id" in each.get("inputs", {})}
    groups, nodes = {}, []
    for each in resources:
        for instance_id, line in each.get("inputs", {}).get("planned_nodes", {}).items():
            ((name, asg, group, group_id),) = _PLANNED_0_1.findall(line)
            if group_id != "Default":
                groups[group_id] = group
            node = {"instance_id": instance_id, "node_name": name, "asg_name": asg, "told_match": group_id, "pods": 3}
            nodes.append(node)
    return {
        "account": account,
        "cluster": {"id": ocean_id, "name": "shop"},
        "groups": [{"id": group_id, "name": group} for group_id, group in sorted(groups.items())],
        "nodes": sorted(nodes, key=lambda node: str(node["instance_id"])),
    }


@situation(world=_world_0_1())
def state_of_0_1(stage: Stage) -> None:
    """A state that version 0.1 has written: one resource is done, the other one has work left."""
    document = json.loads(STATE_0_1.read_text(encoding="utf-8"))
    text = json.dumps(document).replace("::shop::", "::pins::").replace("shop-dev", "pins-dev")
    stage.stack().import_state(json.loads(text))
    stored = {each["urn"].rpartition("::")[2]: each for each in document["deployment"]["resources"]}
    sources = []
    for name in ("web", "api"):
        inputs = {
            key: value for key, value in stored[name]["inputs"].items() if key not in {"__provider", "planned_nodes"}
        }
        sources.append(stage.resource(name, **{"batch_size_percentage": None, **inputs}))
    stage.program(*sources)
    stage.preview()
    stage.refresh()
    stage.preview()
    stage.up()


@situation()
def older_state(stage: Stage) -> None:
    """A state that was restored finds the migration that it does not know."""
    stage.declare()
    stage.up()
    older = stage.stack().export()
    stage.declare(nodes={"asg_names": ["web", "api"]})
    stage.up()
    stage.control.clock(manual=True)
    stage.stack().import_state(older)
    stage.preview()
    stage.up()


@situation()
def destroyed_while_it_runs(stage: Stage) -> None:
    """It is stopped; a deadline of the delete keeps the resource, and the next destroy goes on."""
    stage.hold()
    stage.declare(wait_for="started", opts=_timeouts(delete="3s"))
    stage.up()
    with _seldom_asked(stage):
        stage.destroy()
    _released(stage, stage.begin("destroy"))


@situation()
def replaced_by_another_cluster(stage: Stage) -> None:
    """The migration of the old cluster is stopped first."""
    stage.hold()
    stage.declare(wait_for="started")
    stage.up()
    other = stage.add_cluster()
    stage.program(stage.resource(ocean_id=other))
    stage.preview()
    _stopping(stage, stage.begin("up"))


@situation()
def renamed(stage: Stage) -> None:
    """A new name takes the running migration along."""
    stage.hold()
    stage.declare(wait_for="started")
    stage.up()
    stage.program(stage.resource("shop", wait_for="started"))
    stage.preview()
    stage.up()


@situation()
def another_account(stage: Stage) -> None:
    """It replaces."""
    stage.declare()
    stage.up()
    account_id = stage.control.add_account()
    other = stage.add_cluster(account_id=account_id)
    stage.program(stage.resource(ocean_id=other, account_id=account_id))
    stage.preview()
    stage.up()


@situation()
def cluster_gone(stage: Stage) -> None:
    """A refresh takes the resource out of the state; a refusal does not."""
    stage.declare()
    stage.up()
    stage.control.fault("GET", f"*/cluster/{stage.ocean_id}", "status", status=403, times=1_000)
    stage.refresh()
    stage.control.clear_faults()
    stage.control.delete_cluster(stage.ocean_id)
    stage.refresh()
    stage.preview()


@situation()
def retained(stage: Stage) -> None:
    """A delete leaves the running migration alone."""
    stage.hold()
    stage.declare(wait_for="started", opts="retain_on_delete=True")
    stage.up()
    stage.program()
    stage.preview()
    stage.destroy()


@situation()
def lost_answer(stage: Stage) -> None:
    """A start whose answer is lost is found in the list."""
    stage.declare()
    stage.control.fault("POST", "*/migration", "reset-after")
    stage.up()
    stage.preview()


@situation()
def refused_start(stage: Stage) -> None:
    """Nothing is saved."""
    stage.declare()
    stage.control.fault("POST", "*/migration", "status", status=400)
    stage.up()
    stage.preview()


@situation()
def unanswered_start(stage: Stage) -> None:
    """A start that may have happened is looked for by the next `up`, before it starts another."""
    stage.declare(opts=_timeouts(create="5s"))
    stage.control.fault("POST", "*/migration", "reset-before")
    with _seldom_asked(stage):
        stage.up()
    stage.preview()
    stage.up()


@situation()
def forgotten_migration(stage: Stage) -> None:
    """A migration that is no longer listed is not concluded upon by a refresh: its nodes remain."""
    stage.hold()
    stage.declare(wait_for="started")
    stage.up()
    stage.hold(False)
    stage.control.advance(3600)
    stage.control.forget_migrations(stage.ocean_id)
    stage.refresh()
    stage.preview()
