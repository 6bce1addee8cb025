"""What was approved is what starts: a change of anything that a reviewer approves starts nothing."""

from __future__ import annotations

import html
import json
from typing import Any

from click.testing import CliRunner, Result

from ocean_migration_pulumi import cli
from tests.report.documents import document, step
from tests.scenarios.driver import Driver, Run
from tests.scenarios.scene import UNKNOWN, Expression, Scene, digest_of, failed, inputs_of, plan_of, said, warned

APPROVED = {"batch_size_percentage": 5, "triggers": ["first"]}
CHANGES: dict[str, dict[str, Any]] = {
    "terminate drained nodes: off -> on": {"should_terminate_drained_nodes": True},
    "evict stand alone pods: off -> on": {"should_evict_stand_alone_pods": True},
    "force pod eviction on pdb failure: off -> on": {"force_pod_eviction_on_pdb_failure": True},
    "batch size percentage: 5 -> 50": {"batch_size_percentage": 50},
    "prerequisites: enforce -> off": {"prerequisites": "off"},
    "batch size percentage: 5 -> 50, terminate drained nodes: off -> on, prerequisites: enforce -> warn": {
        "batch_size_percentage": 50,
        "should_terminate_drained_nodes": True,
        "prerequisites": "warn",
    },
}


def comment(run: Run) -> Result:
    """Let the pipeline judge a preview."""
    return comment_on(inputs_of(run))


def comment_on(inputs: dict[str, Any], **more: Any) -> Result:
    """Let the pipeline judge a step of a preview with these inputs."""
    text = document([step("web", inputs, **more)])
    return CliRunner(env={"OCEAN_MIGRATION_PREVIEW_FILE": None}).invoke(
        cli.main, ["comment", "--require-approved"], input=text
    )


def test_a_changed_option_starts_nothing(driver: Driver) -> None:
    """The comment and `up` refuse, and name the option."""
    with Scene(driver) as scene:
        scene.declare(**APPROVED)
        digest = digest_of(scene.preview())
        for text, change in CHANGES.items():
            scene.declare(**{**APPROVED, **change}, approved_plan=digest)
            preview = scene.preview()
            judged = comment(preview)
            assert judged.exit_code == 4
            assert f"Changed since the approval: {text}." in judged.stdout
            assert warned(preview, "not the approved plan", text)
            assert failed(scene.up_fails(), "not the approved plan", text)
        scene.declare(**{**APPROVED, "triggers": ["second"]}, approved_plan=digest)
        untold = "Changed since the approval: planned nodes, triggers or stop_when (their approved values"
        judged = comment(scene.preview())
        assert judged.exit_code == 4
        assert untold in judged.stdout
        assert failed(scene.up_fails(), "not the approved plan", digest, untold)
        assert not scene.writes()
        scene.declare(**APPROVED, approved_plan=digest)
        assert comment(scene.preview()).exit_code == 0
        scene.up()
        assert scene.outputs()["plan_digest"] == digest


def test_changed_triggers_are_named(driver: Driver) -> None:
    """The state has those that were approved; nodes that have been migrated are not migrated again."""
    with Scene(driver) as scene:
        scene.declare()
        digest = digest_of(scene.preview())
        scene.declare(approved_plan=digest)
        scene.control.arm_failure(scene.ocean_id, "instances")
        scene.up_fails()
        mark = scene.mark()
        scene.declare(approved_plan=digest, triggers=["again"])
        assert failed(scene.up_fails(), "not the approved plan", "triggers: changed")
        assert not scene.writes(mark)
        scene.declare(approved_plan=digest)
        scene.up()
        assert scene.outputs()["migrated_nodes"] == scene.asg()


def test_what_is_no_digest_is_bad_input(driver: Driver) -> None:
    """A word, and a digest that is too short, while something would start."""
    with Scene(driver) as scene:
        scene.declare()
        digest = digest_of(scene.preview())
        for wrong in ("xyz", digest[:8]):
            scene.declare(approved_plan=wrong)
            run = scene.driver.up()
            assert run.exit_code != 0
            assert "16" in run.output
            assert "approved_plan" in run.output
        assert not scene.writes()
        scene.declare(approved_plan=digest[:16])
        scene.up()
        scene.declare(approved_plan=digest[:8])
        assert warned(scene.up(), "too short")
        assert len(scene.writes()) == 1


def test_an_approval_of_a_misspelled_name_is_reported(driver: Driver) -> None:
    """It approves nothing, which a preview and an `up` say; where an approval is required, nothing starts."""
    with Scene(driver) as scene:
        scene.declare()
        digest = digest_of(scene.preview())
        approved = {"ocean-migration:approvedPlan": f'{{"wbe": "{digest}"}}'}
        scene.driver.configure(**approved, **{"ocean-migration:requireApproval": "true"})
        for run in (scene.preview(), scene.up_fails()):
            assert warned(run, "approvedPlan.wbe` approves nothing", "did you mean `web`?")
        assert not scene.writes()


def test_a_required_approval_starts_nothing_unapproved(driver: Driver) -> None:
    """Neither a new plan nor a node that joined after the check; refresh, destroy and `same` need none."""
    with Scene(driver) as scene:
        scene.driver.configure(**{"ocean-migration:requireApproval": "true"})
        scene.declare(new_nodes="migrate")
        preview = scene.preview()
        assert warned(preview, "is not approved, and an approval is required", digest_of(preview))
        assert failed(scene.up_fails(), "is not approved", digest_of(preview))
        assert not scene.writes()
        digest = digest_of(preview)
        scene.declare(new_nodes="migrate", approved_plan=digest)
        scene.up()
        scene.declare(new_nodes="migrate")
        scene.up()
        scene.control.add_node(scene.ocean_id, "web")
        assert failed(scene.up_fails(), "is not approved, and an approval is required")
        assert len(scene.writes()) == 1
        scene.refresh()
        scene.destroy()


def test_nodes_that_a_colleague_held_are_approved_once_their_group_is_known(driver: Driver) -> None:
    """An approval covers no Virtual Node Group that the reviewer could not see; the next plan has it."""
    with Scene(driver) as scene:
        scene.driver.configure(**{"ocean-migration:requireApproval": "true"})
        scene.hold()
        other = scene.control.start_foreign_migration(scene.ocean_id, scene.asg(), terminate=True)
        scene.declare()
        preview = scene.preview()
        assert all(entry.endswith("(unknown)") for entry in plan_of(preview).values())
        held = digest_of(preview)
        scene.declare(approved_plan=held)
        running = scene.driver.start("up")
        running.wait_until(lambda run: said(run, "waiting for migration", other))
        scene.control.stop_foreign(scene.ocean_id, other)
        scene.hold(False)
        assert failed(running.wait(), "is not the approved plan", held, "Changed since the approval: planned nodes")
        assert not scene.starts()
        preview = scene.preview()
        digest = digest_of(preview)
        assert not any(entry.endswith("(unknown)") for entry in plan_of(preview).values())
        assert warned(preview, "is not the approved plan", digest)
        assert comment(preview).exit_code == 4
        scene.declare(approved_plan=digest)
        assert comment(scene.preview()).exit_code == 0
        scene.up()
        assert scene.outputs()["plan_digest"] == digest
        assert scene.outputs()["migrated_nodes"] == scene.asg()
        scene.up_unchanged()


def test_what_is_known_later_is_unknown_at_every_depth(driver: Driver) -> None:
    """The comment never shows the engine's sign for it, also not for a part of a list."""
    with Scene(driver) as scene:
        scene.declare(nodes={"asg_names": ["web"], "exclude": {"instance_ids": []}})
        scene.up()
        before = scene.driver.stored("web")["inputs"]
        later = 'from tests.scenarios.later import Later\nlater = Later("later", "i-0123abcd")\n'
        nodes = Expression('{"asg_names": ["web"], "exclude": {"instance_ids": ["i-4567cdef", later.value]}}')
        scene.program(later, scene.resource(nodes=nodes))
        inputs = inputs_of(scene.preview())
        assert inputs["nodes"]["exclude"]["instance_ids"][1] in UNKNOWN
        # The events may spell it otherwise; `pulumi preview --json` prints the engine's own sign.
        (sign,) = UNKNOWN - {"[unknown]"}
        inputs = json.loads(json.dumps(inputs).replace("[unknown]", sign))
        told = html.unescape(comment_on(inputs, op="update", before=before).stdout)
        assert '["i-4567cdef", "[unknown]"]' in told
        assert sign not in told
