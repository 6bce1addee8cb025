"""The preview, rule by rule, on a simulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.errors import AuthenticationError
from ocean_migration_pulumi.migration.checks.check_result import Finding
from ocean_migration_pulumi.migration.planning.planner import BUDGET
from ocean_migration_pulumi.migration.planning.text.findings_text import render
from ocean_migration_pulumi.migration.spec.approval import plan_digest
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Severity, UnplannedCause, UnplannedEffect
from ocean_migration_pulumi.migration.spec.gap import GapCode
from ocean_migration_pulumi.migration.spec.planned_nodes import parse_planned
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from tests.migration.diagnostics import codes_of, fields_of, findings_of, with_code
from tests.migration.stage import Stage

WEB = {"asg_names": ["web"]}


def test_new_resource_plans_every_matching_node(stage: Stage) -> None:
    """One entry for each, sorted, and one line with digest, pods and batches."""
    found = stage.preview(stage.spec(nodes=WEB))
    assert found.planned is not None
    assert list(found.planned) == stage.ids("web")
    assert all(" web -> web (ols-" in entry for entry in found.planned.values())
    summary = found.diagnostics[0]
    assert summary.code is Code.PLAN_SUMMARY
    counts = {"nodes": 3, "moved": 0, "migrated": 0, "waiting": 3, "active": 0, "pods": 19}
    batches = {"batches": 3, "batch_size": 1}
    assert summary.fields == {"digest": plan_digest(found.planned, MigrationSpec()), **counts, **batches}
    assert findings_of(found) == {Finding.KUBERNETES_NOT_READ: Code.CHECK_UNKNOWN}
    assert found.unplanned is None
    assert stage.writes() == 0


def test_preview_asks_at_most_six_times_however_many_resources_share_the_cluster(stage: Stage) -> None:
    """And once for each migration that runs or was created in the last 24 hours; for an ended one only once."""
    for number in range(5):
        nodes = {"instance_ids": stage.ids("web")[:1]}
        assert stage.preview(stage.spec(nodes=nodes), owner=f"urn:{number}").planned
    assert len(stage.control.requests()) <= 6
    stage.up(stage.planned(stage.spec(nodes=WEB)))
    stage.restart()
    stage.control.clear_requests()
    for number in range(5):
        stage.preview(stage.spec(), owner=f"urn:{number}")
    assert len(stage.control.requests()) <= 7


def test_same_inputs_again_keep_every_entry_word_for_word(stage: Stage) -> None:
    """Although the nodes are gone, renamed or match another VNG."""
    old = stage.planned(stage.spec(nodes=WEB))
    kept = {name: f"renamed {entry}" for name, entry in (old.planned_nodes or {}).items()}
    for name in stage.ids("web")[:2]:
        stage.control.remove_node(stage.ocean_id, name)
    found = stage.preview(old, replace(old, planned_nodes=kept))
    assert found.planned == kept
    assert found.unplanned is None


def test_changed_nodes_drop_what_they_contradict_and_take_what_they_match(stage: Stage) -> None:
    """By id, name or ASG; what cannot be known of a kept entry does not drop it."""
    old = stage.planned(stage.spec(nodes={"asg_names": ["web", "api"]}))
    found = stage.preview(stage.spec(nodes={"asg_names": ["api", "batch"]}), old)
    assert list(found.planned or {}) == sorted([*stage.ids("api"), *stage.ids("batch")])
    by_group = stage.preview(stage.spec(nodes={"virtual_node_groups": ["ols-none"]}), old)
    assert by_group.planned == old.planned_nodes


def test_joined_node_is_planned_only_when_asked_for(stage: Stage) -> None:
    """By new_nodes, by triggers, or by another selection."""
    old = stage.planned(stage.spec(nodes=WEB))
    new = stage.control.add_node(stage.ocean_id, "web")["instance_id"]
    stage.restart()
    told = stage.preview(old, old)
    assert told.planned == old.planned_nodes
    assert fields_of(told, Code.NODES_NEW) == [{"nodes": [new]}]
    for spec in (
        replace(old, new_nodes="migrate"),
        replace(old, triggers=(1,)),
        stage.spec(nodes={"asg_names": ["web", "none"]}),
    ):
        stage.restart()
        found = stage.preview(replace(spec, planned_nodes=None), old)
        assert set(found.planned or {}) - set(old.planned_nodes or {}) == {new}


def test_exclude_that_gained_ids_changes_nothing(stage: Stage) -> None:
    """It adds no node and removes no kept entry; but who expected that must be told."""
    old = stage.planned(stage.spec(nodes=WEB))
    excluded = list(old.planned_nodes or {})[:2]
    stage.control.add_node(stage.ocean_id, "web")
    stage.restart()
    gained = stage.spec(nodes={**WEB, "exclude": {"instance_ids": excluded}})
    found = stage.preview(gained, old)
    assert found.planned == old.planned_nodes
    assert fields_of(found, Code.NODES_EXCLUDED) == [{"nodes": excluded}]
    for instance_id in excluded:
        stage.control.remove_node(stage.ocean_id, instance_id)
    stage.restart()
    assert Code.NODES_EXCLUDED not in codes_of(stage.preview(gained, old))


def test_limit_takes_kept_entries_first(stage: Stage) -> None:
    """A node with a smaller id that joins does not push one out."""
    old = stage.planned(stage.spec(nodes={**WEB, "limit": "2"}))
    assert list(old.planned_nodes or {}) == stage.ids("web")[:2]
    stage.control.add_node(stage.ocean_id, "web", instance_id="i-0")
    stage.restart()
    assert stage.preview(replace(old, new_nodes="migrate"), old).planned == old.planned_nodes
    wider = stage.preview(stage.spec(nodes={**WEB, "limit": "3"}), old)
    assert set(wider.planned or {}) == {*(old.planned_nodes or {}), "i-0"}


@pytest.mark.parametrize("ended", [False, True], ids=["running", "ended"])
def test_limit_of_a_killed_create_takes_what_it_had_started(stage: Stage, ended: bool) -> None:
    """Not as many nodes again: those of its migration come before smaller ids."""
    chosen = stage.ids("web")[-1]
    limited = stage.spec(nodes={**WEB, "limit": "1"})
    stage.control.start_foreign_migration(stage.ocean_id, [chosen], terminate=False, evict=False)
    if ended:
        stage.control.advance(7200)
    found = stage.preview(limited)
    assert list(found.planned or {}) == [chosen]
    if ended:
        assert found.planned is not None
        assert found.planned[chosen].endswith(f"in {stage.migrations()[0]['id']}")
        assert plan_digest(found.planned, MigrationSpec()) == ""
        assert render(found.diagnostics[0]) == "Nothing to do: 1 planned node, migrated earlier"


@pytest.mark.parametrize("when_busy", ["wait", "fail"])
def test_nodes_that_a_migration_of_other_flags_holds_are_planned_and_named(stage: Stage, when_busy: str) -> None:
    """It would not be adopted: the run waits for it, or refuses. Of nodes that are merely followed nothing is said."""
    other = stage.control.start_foreign_migration(stage.ocean_id, stage.ids("web"), terminate=True, evict=False)
    found = stage.preview(stage.spec(nodes=WEB, when_busy=when_busy))
    assert sorted(found.planned or {}) == stage.ids("web")
    (held,) = with_code(found, Code.NODES_HELD)
    assert (held.subject, held.fields) == (other, {"nodes": stage.ids("web"), "waits": when_busy == "wait"})
    assert held.severity is (Severity.WARNING if when_busy == "wait" else Severity.ERROR)
    old = replace(stage.spec(nodes=WEB), planned_nodes={})
    assert stage.preview(replace(old, planned_nodes=None), old).planned == {}


def test_node_that_a_migration_has_given_back_gets_its_group_into_the_plan(stage: Stage) -> None:
    """One that it still holds stays as it was planned; a new digest asks for a new approval."""
    web, api = stage.ids("web")[0], stage.ids("api")[0]
    other = stage.control.start_foreign_migration(stage.ocean_id, [web], terminate=True)
    old = stage.planned(stage.spec(nodes={"instance_ids": [web, api]}, approved_plan="0" * 16))
    planned = old.planned_nodes or {}
    assert planned[web].endswith("(unknown)")
    assert stage.preview(replace(old, planned_nodes=None), old).planned == planned
    stage.control.stop_foreign(stage.ocean_id, other)
    stage.control.advance(600)
    stage.restart()
    found = stage.preview(replace(old, planned_nodes=None), old)
    assert found.planned is not None
    assert " web -> web (ols-" in found.planned[web]
    assert found.planned[api] == planned[api]
    assert plan_digest(found.planned, MigrationSpec()) != plan_digest(planned, MigrationSpec())
    assert with_code(found, Code.PLAN_NOT_APPROVED)


def test_required_approval_is_missing_although_a_node_is_held(stage: Stage) -> None:
    """Whatever its Virtual Node Group is, no digest is given."""
    stage.control.start_foreign_migration(stage.ocean_id, stage.ids("web")[:1], terminate=True)
    found = stage.preview(stage.spec(nodes=WEB, require_approval=True))
    (missing,) = with_code(found, Code.PLAN_NOT_APPROVED)
    assert missing.fields["digest"] == plan_digest(found.planned or {}, MigrationSpec())


def test_a_running_migration_that_is_denied_is_named(stage: Stage) -> None:
    """Its nodes are not known, so the plan may lack some."""
    other = stage.control.start_foreign_migration(stage.ocean_id, stage.ids("web"))
    stage.control.fault("GET", "*/migration/owm-*", "status", times=100, status=404)
    found = stage.preview(stage.spec())
    assert sorted(found.planned or {}) == sorted({*stage.ids()} - {*stage.ids("web")})
    assert [(each.subject, each.fields["nodes"]) for each in with_code(found, Code.NODES_HELD)] == [(other, [])]


def test_migration_of_other_days_is_none_of_ours(stage: Stage) -> None:
    """Its nodes are not planned."""
    stage.control.start_foreign_migration(stage.ocean_id, stage.ids("web"), terminate=True, evict=False)
    stage.control.advance(7200)
    assert list(stage.preview(stage.spec(nodes=WEB, should_terminate_drained_nodes=True)).planned or {}) != []
    stage.control.advance(86_400)
    stage.restart()
    assert stage.preview(stage.spec(nodes=WEB, should_terminate_drained_nodes=True)).planned == {}


def test_ended_migration_counts_only_for_what_a_killed_or_failed_run_may_have_started(stage: Stage) -> None:
    """Not for nodes that are merely followed; one with other nodes counts only when nothing else is selected."""
    stage.control.start_foreign_migration(stage.ocean_id, stage.ids("web") + stage.ids("api"), evict=False)
    stage.control.advance(7200)
    moved = stage.preview(stage.spec(nodes=WEB)).planned or {}
    assert {parse_planned(moved)[name].migration_id for name in stage.ids("web")} == {stage.migrations()[0]["id"]}
    changed = stage.preview(stage.spec(), replace(stage.spec(nodes=WEB), planned_nodes={}))
    assert len(changed.planned or {}) == 6
    assert len(stage.preview(stage.spec()).planned or {}) == 6
    following = stage.spec(new_nodes="migrate")
    old = replace(following, planned_nodes={})
    assert list(stage.preview(following, old).planned or {}) == stage.ids("batch")


def test_selection_that_cannot_be_judged_is_not_counted_as_true(stage: Stage) -> None:
    """Of a running migration nobody tells the VNGs any more: its nodes are named, and not planned."""
    vng = next(iter((stage.planned(stage.spec(nodes=WEB)).planned_nodes or {}).values()))[-13:-1]
    stage.restart()
    stage.control.start_foreign_migration(stage.ocean_id, stage.ids("web"), evict=False)
    found = stage.preview(stage.spec(nodes={"virtual_node_groups": [vng]}))
    assert found.planned == {}
    assert fields_of(found, Code.NODES_UNDECIDED) == [{"nodes": stage.ids("web")}]
    excluding = stage.preview(stage.spec(nodes={"all_nodes": True, "exclude": {"virtual_node_groups": ["ols-x"]}}))
    assert not set(stage.ids("web")) & set(excluding.planned or {})


@pytest.mark.parametrize("old", [False, True], ids=["new", "existing"])
@pytest.mark.parametrize("why", ["labels", "no account", "no token", "down", "rate limit", "no heartbeat"])
def test_what_cannot_be_planned_leaves_the_plan_as_it_was(stages: Callable[..., Stage], why: str, old: bool) -> None:
    """A new resource has none, an existing one keeps its own; the warning says what is missing."""
    stage = stages("never-heartbeat" if why == "no heartbeat" else "success")
    nodes: dict[str, Any] = {"label_selector": "a=b"} if why == "labels" else WEB
    before = replace(stage.spec(nodes=nodes), planned_nodes={"i-1": "kept"}) if old else None
    cause, said = {
        "labels": (UnplannedCause.NO_LABELS, ""),
        "no account": (UnplannedCause.NO_ACCOUNT, ""),
        "no token": (UnplannedCause.SPOT_UNAVAILABLE, "no Spot token: set SPOTINST_TOKEN"),
        "down": (UnplannedCause.SPOT_UNAVAILABLE, ""),
        "rate limit": (UnplannedCause.SPOT_UNAVAILABLE, "HTTP 429"),
        "no heartbeat": (UnplannedCause.CONTROLLER_NEVER_REPORTED, stage.ocean_id),
    }[why]
    if why == "no account":
        stage.client = OceanClient(replace(stage.settings, account_id=None))
    elif why == "no token":
        stage.client = OceanClient(replace(stage.settings, token=None))
    elif why == "down":
        stage.control.fault("GET", "*", "503", times=1000, seconds=0)
    elif why == "rate limit":
        stage.control.fault("GET", "*/discovery", "429", times=100, seconds=1000)
    found = stage.preview(stage.spec(nodes=nodes), before)
    stage.client.close()
    assert found.planned == ({"i-1": "kept"} if old else None)
    assert (found.unplanned is None) is old
    (fields,) = fields_of(found, Code.UNPLANNED)
    assert len(found.diagnostics) == 1
    assert fields["cause"] == cause
    assert said in fields["detail"]
    assert fields["gap"] == ({"code": GapCode.NO_ACCESS} if why == "labels" else None)
    assert fields["effect"] == (UnplannedEffect.PLAN_STAYS if old else UnplannedEffect.PLANNED_BY_UP)


def test_changed_selection_that_cannot_be_planned_is_marked(stage: Stage) -> None:
    """So that `update` does not take the old plan for the new one."""
    stage.control.fault("GET", "*", "503", times=1000, seconds=0)
    old = replace(stage.spec(nodes=WEB), planned_nodes={"i-1": "kept"})
    for changed in (stage.spec(), replace(old, triggers=(1,), planned_nodes=None)):
        found = stage.preview(changed, old)
        assert found.planned == {"i-1": "kept"}
        assert found.diagnostics == (found.unplanned,)
        assert fields_of(found, Code.UNPLANNED)[0]["cause"] == UnplannedCause.SPOT_UNAVAILABLE


def test_service_that_is_down_costs_a_preview_its_seconds_once(stage: Stage) -> None:
    """However many resources share the cluster."""
    stage.control.fault("GET", "*", "503", times=1000, seconds=0)
    stage.preview(stage.spec(), owner="one")
    asked = len(stage.control.requests())
    spent = sum(stage.clock.sleeps)
    stage.preview(stage.spec(), owner="two")
    assert len(stage.control.requests()) == asked
    assert sum(stage.clock.sleeps) == spent
    assert spent <= 5 * BUDGET  # five questions at once, by a clock that adds up what passes side by side


def test_plan_that_create_made_stays_absent_until_something_changes(stage: Stage) -> None:
    """The record is in the outputs."""
    old = stage.spec(nodes=WEB)
    found = stage.preview(stage.spec(nodes=WEB), old)
    assert found.planned is None
    assert codes_of(found) == {Code.PLAN_KEPT_BY_RUN}
    assert list(stage.preview(replace(old, triggers=(1,)), old).planned or {}) == stage.ids("web")
    stage.control.fault("GET", "*", "503", times=1000, seconds=0)
    stage.restart()
    down = stage.preview(stage.spec(nodes=WEB), old)
    assert down.planned is None
    assert down.unplanned is None
    assert fields_of(down, Code.UNPLANNED)[0]["effect"] == UnplannedEffect.OUTPUT_STAYS


def test_replacement_is_planned_afresh(stage: Stage) -> None:
    """Entries of another cluster or account say nothing of this one."""
    old = replace(stage.spec(ocean_id="o-other", nodes=WEB), planned_nodes={"i-1": "kept"})
    assert list(stage.preview(stage.spec(nodes=WEB), old).planned or {}) == stage.ids("web")
    other_account = replace(stage.spec(nodes=WEB), planned_nodes={"i-1": "kept"}, account_id="act-other")
    assert list(stage.preview(stage.spec(nodes=WEB), other_account).planned or {}) == stage.ids("web")


def test_cluster_that_does_not_exist_is_bad_input(stage: Stage) -> None:
    """The property and the id are named."""
    (problem,) = stage.preview(stage.spec(ocean_id="o-none")).problems
    assert problem.property_name == "ocean_id"
    assert "cluster o-none does not exist" in problem.message


def test_refused_token_is_an_error(stage: Stage) -> None:
    """Not a service that cannot be asked."""
    stage.control.revoke_token(stage.sim.token)
    with pytest.raises(AuthenticationError):
        stage.preview(stage.spec())


def test_id_that_was_never_a_candidate_is_bad_input_and_says_why(stage: Stage) -> None:
    """Not of the cluster, or Ocean's already; one that another migration holds is planned."""
    managed = stage.control.add_node(stage.ocean_id, None, ocean_managed=True)["instance_id"]
    held = stage.ids("api")[0]
    stage.control.start_foreign_migration(stage.ocean_id, [held], terminate=True)
    ids = ["i-none", managed, held, stage.ids("web")[0]]
    problems = stage.preview(stage.spec(nodes={"instance_ids": ids})).problems
    assert {problem.property_name for problem in problems} == {"nodes.instance_ids"}
    reasons = {problem.message.split("'")[1]: problem.message for problem in problems}
    assert "it is not a node of this cluster" in reasons.pop("i-none")
    assert "it is already an Ocean node" in reasons.pop(managed)
    assert reasons == {}


def test_id_that_a_migration_of_somebody_else_has_taken_names_it(stage: Stage) -> None:
    """Discovery no longer offers the node, and its migration was never ours: no riddle about a node that was here."""
    taken = stage.ids("api")[0]
    theirs = stage.control.start_foreign_migration(stage.ocean_id, [taken], evict=True)
    stage.control.advance(3600)
    (problem,) = stage.preview(stage.spec(nodes={"instance_ids": [taken]})).problems
    assert f"migration {theirs} of another stack or user holds it" in problem.message


def test_id_of_the_old_plan_is_no_bad_input(stage: Stage) -> None:
    """It was migrated and is gone."""
    spec = stage.spec(nodes={"instance_ids": ["i-gone"]})
    found = stage.preview(spec, replace(spec, planned_nodes={"i-gone": "kept"}))
    assert found.problems == ()
    assert found.planned == {"i-gone": "kept"}
