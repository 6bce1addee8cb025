"""Who is told what, and when: the events of a run, as the decision code announces them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from ocean_migration_pulumi.errors import (
    DeadlineError,
    DuplicateMigrationError,
    EngineGoneError,
    InterruptedWaitError,
    MigrationError,
    MigrationFailedError,
    MigrationStoppedError,
    PrerequisiteError,
    StalledError,
    UnheardError,
)
from ocean_migration_pulumi.migration.reconcile import reconcile
from ocean_migration_pulumi.migration.reconcile.events import Event, discard_event, resource_name
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.migration.state.resource_state import ResourceState
from tests.migration.reconcile.test_start import CREATE, WEB, collide
from tests.migration.stage import Stage, StagedContext

URN = "urn:pulumi:dev::shop::pulumi-python:dynamic/ocean-migration:OceanWorkloadMigration::web"


@dataclass
class Listener:
    """Keeps the events."""

    events: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        """Take an event."""
        self.events.append(event)

    @property
    def kinds(self) -> list[str]:
        """What has happened, in its order."""
        return [event.kind.value for event in self.events]

    @property
    def last(self) -> Event:
        """The last event."""
        return self.events[-1]


def heard(
    stage: Stage, spec: MigrationSpec, state: ResourceState | None = None, **more: Any
) -> tuple[Listener, StagedContext]:
    """Run create or update, which succeeds."""
    listener = Listener()
    return listener, stage.up(spec, state, events=listener, **more)


def heard_failing(
    stage: Stage, error: type[Exception], spec: MigrationSpec, state: ResourceState | None = None, **more: Any
) -> tuple[Listener, StagedContext]:
    """Run create or update, which ends with an error."""
    listener = Listener()
    return listener, stage.fails(error, spec, state, events=listener, **more)[0]


def stopped_by_someone_else(stage: Stage) -> None:
    """Let someone else stop the first migration."""
    stage.control.stop_foreign(stage.ocean_id, stage.migrations()[0]["id"])


def test_start_and_end_are_announced(stage: Stage) -> None:
    """With the numbers of that moment, by the service's clock."""
    listener, _ = heard(stage, stage.planned(stage.spec(nodes=WEB)), owner=URN)
    started, finished = listener.events
    assert (started.kind, finished.kind) == ("started", "finished")
    (migration,) = stage.migrations()
    for event in listener.events:
        assert (event.ocean_id, event.migration_id, event.resource) == (stage.ocean_id, migration["id"], "web")
        assert (event.reason, event.remedy) == (None, None)
        assert event.at.endswith("Z")
    nodes = len(migration["instance_ids"])
    assert (started.state, started.nodes_done, started.nodes, started.pods_left) == ("STARTING", 0, nodes, None)
    assert started.message == f"migration {migration['id']} of {nodes} nodes has started"
    assert (finished.state, finished.nodes_done, finished.nodes, finished.pods_left) == ("FINISHED", nodes, nodes, 0)
    assert finished.message.startswith(f"migration {migration['id']} finished after ")
    assert started.at < finished.at


def test_owner_outside_of_a_stack_is_no_resource() -> None:
    """A URN ends with the resource's name; another owner has none."""
    assert resource_name(URN) == "web"
    assert resource_name("o-1#0123456789abcdef") is None


def test_nobody_has_to_listen(stage: Stage) -> None:
    """A job announces to nobody, unless it is told to whom."""
    assert stage.up(stage.planned(stage.spec(nodes=WEB))).events is discard_event


def test_leftovers_are_told_with_the_end(stages: Callable[..., Stage]) -> None:
    """It finished, and there is something to do."""
    stage = stages("stand-alone-pods")
    listener, context = heard(stage, stage.planned(stage.spec(nodes=WEB)))
    assert listener.kinds == ["started", "finished"]
    assert listener.last.reason == "leftovers"
    assert "pods that Ocean does not move are left on " in listener.last.message
    assert listener.last.remedy == "Move them by hand, or set should_evict_stand_alone_pods"
    assert any("move them by hand" in line for line in context.reporter.warnings)


def test_failure_is_told_with_reason_and_remedy(stages: Callable[..., Stage]) -> None:
    """As the output has it."""
    stage = stages("failure-connectivity")
    listener, context = heard_failing(stage, MigrationFailedError, stage.planned(stage.spec(nodes=WEB)))
    assert listener.kinds == ["started", "failed"]
    assert context.state.failure is not None
    assert listener.last.state == "FINISHED_ERROR"
    assert listener.last.reason == context.state.failure["reason"] == "connectivity"
    assert listener.last.remedy == context.state.failure["remedy"]
    assert context.state.failure["message"] in listener.last.message


def test_stop_of_someone_else_is_told_once(stage: Stage) -> None:
    """With its time; what is found stopped again is nothing new."""
    stage.clock.after(60, lambda: stopped_by_someone_else(stage))
    spec = stage.planned(stage.spec(nodes=WEB))
    listener, context = heard_failing(stage, MigrationStoppedError, spec)
    assert listener.kinds == ["started", "stopped"]
    assert listener.last.reason == "others"
    assert f"was stopped by someone else at {context.state.migrations[0].stopped_at}, " in listener.last.message
    again, _ = heard(stage, spec, context.state)
    assert again.events == []


def test_stop_of_ours_is_told_with_its_cause(stage: Stage) -> None:
    """A migration that does what is no longer wanted, and the one that follows it."""
    stage.clock.after(30, stage.ended.set)
    spec = stage.planned(stage.spec(nodes=WEB, should_evict_stand_alone_pods=True))
    listener, context = heard_failing(stage, InterruptedWaitError, spec)
    assert listener.kinds == ["started", "interrupted"]
    stage.restart()
    again, _ = heard(stage, stage.planned(stage.spec(nodes=WEB), spec), context.state)
    assert again.kinds[:2] == ["stopped", "started"]
    assert again.events[0].reason == "us"
    assert again.events[0].message.endswith("(should_evict_stand_alone_pods is now false)")


@pytest.mark.parametrize(
    ("error", "kind", "seconds"), [(DeadlineError, "timed_out", 40.0), (StalledError, "stalled", 3000.0)]
)
def test_wait_that_ends_early_is_told(stage: Stage, error: type[Exception], kind: str, seconds: float) -> None:
    """The migration goes on; the run that sees its end tells of that, and of no second start."""
    stage.control.hold(stage.ocean_id)
    spec = stage.planned(stage.spec(nodes=WEB))
    listener, context = heard_failing(stage, error, spec, seconds=seconds)
    assert listener.kinds == ["started", kind]
    assert "continues in Ocean (0 of " in listener.last.message
    assert "pulumi up" not in listener.last.message
    assert listener.last.state not in {"", "STOPPED"}
    stage.control.hold(stage.ocean_id, False)
    stage.restart()
    again, _ = heard(stage, spec, context.state)
    assert again.kinds == ["finished"]


def test_stop_after_a_timeout_is_one_event(stage: Stage) -> None:
    """That the time was up is its cause."""
    spec = stage.planned(stage.spec(nodes=WEB, on_timeout="stop"))
    listener, _ = heard_failing(stage, DeadlineError, spec, seconds=60.0)
    assert listener.kinds == ["started", "stopped"]
    assert listener.last.reason == "us"
    assert "(the deadline passed after " in listener.last.message


def test_stop_that_does_not_succeed_is_told(stage: Stage) -> None:
    """The migration goes on, then."""
    stage.control.hold(stage.ocean_id)
    stage.control.fault("PUT", "*/migration/*", "status", status=400)
    spec = stage.planned(stage.spec(nodes=WEB, on_timeout="stop"))
    listener, _ = heard_failing(stage, StalledError, spec)
    assert listener.kinds == ["started", "stalled"]
    assert "did not succeed" in listener.last.message


def test_end_that_nobody_waited_for_is_told_by_the_next_run(stage: Stage) -> None:
    """Whatever the end was."""
    stage.clock.after(30, stage.ended.set)
    spec = stage.planned(stage.spec(nodes=WEB))
    _, context = heard_failing(stage, InterruptedWaitError, spec)
    stage.control.advance(4 * 3600)
    stage.restart()
    listener, done = heard(stage, spec, context.state)
    assert listener.kinds == ["finished"]
    assert listener.last.message.endswith("it ended while no run was waiting for it")
    assert heard(stage, spec, done.state)[0].events == []


def test_migration_that_ocean_forgets_is_told(stage: Stage) -> None:
    """In the wait, and in the next run."""

    def forget() -> None:
        stage.control.advance(7200)
        stage.control.forget_migrations(stage.ocean_id)

    stage.clock.after(60, forget)
    spec = stage.planned(stage.spec(nodes=WEB))
    listener = Listener()
    context, message = stage.fails(MigrationError, spec, events=listener)
    assert listener.kinds == ["started", "unheard"]
    assert listener.last.reason == "lost"
    assert listener.last.message == message
    api = stage.planned(stage.spec(nodes={"asg_names": ["api"]}))
    running, context = heard(stage, replace(api, wait_for="started"))
    assert running.kinds == ["started"]
    forget()
    stage.restart()
    again = Listener()
    stage.fails(MigrationError, api, context.state, events=again)
    assert again.kinds == ["unheard"]


def test_service_that_is_silent_is_told(stage: Stage) -> None:
    """What becomes of the migration cannot be known."""
    stage.clock.after(60, lambda: stage.control.fault("GET", "*/migration/owm-*", "status", times=10_000, status=403))
    listener, _ = heard_failing(stage, UnheardError, stage.planned(stage.spec(nodes=WEB)))
    assert listener.kinds == ["started", "unheard"]


def test_lost_answer_is_one_start(stage: Stage) -> None:
    """Told when the migration is found."""
    stage.control.fault("POST", CREATE, "reset-after")
    listener, _ = heard(stage, stage.planned(stage.spec(nodes=WEB)))
    assert listener.kinds == ["started", "finished"]


def test_start_that_is_found_only_by_the_next_run_is_told_by_it(stage: Stage) -> None:
    """The first did not know whether there was one."""
    spec = stage.planned(stage.spec(nodes=WEB))
    stage.control.fault("POST", CREATE, "500")
    stage.clock.after(10, stage.ended.set)
    listener, context = heard_failing(stage, MigrationError, spec)
    assert listener.events == []
    stage.restart()
    web = stage.ids("web")
    stage.clock.after(20, lambda: stage.control.start_foreign_migration(stage.ocean_id, web, batch_size_percentage=20))
    again, _ = heard(stage, spec, context.state)
    assert again.kinds == ["started", "finished"]
    assert again.events[0].message.startswith("Adopted migration owm-")


def test_adopted_migration_was_not_started_now(stage: Stage) -> None:
    """Its end is told all the same."""
    spec = stage.planned(stage.spec(nodes=WEB))
    assert spec.planned_nodes is not None
    stage.control.start_foreign_migration(stage.ocean_id, sorted(spec.planned_nodes))
    listener, _ = heard(stage, spec)
    assert listener.kinds == ["finished"]


def test_collision_is_told_as_our_stop(stage: Stage) -> None:
    """The younger of two migrations gives way."""
    spec = stage.planned(stage.spec(nodes=WEB))
    collide(stage, older=True)
    listener, _ = heard_failing(stage, DuplicateMigrationError, spec)
    assert listener.kinds == ["started", "stopped"]
    assert listener.last.reason == "us"
    assert "is older" in listener.last.message


def test_nothing_is_announced_without_a_migration(stage: Stage) -> None:
    """What fails before the start is for the run alone."""
    spec = stage.planned(stage.spec(nodes=WEB))
    stage.control.heartbeat(stage.ocean_id, age_seconds=3600)
    listener, _ = heard_failing(stage, PrerequisiteError, spec)
    assert listener.events == []


def test_engine_that_is_gone_hears_nothing(stage: Stage) -> None:
    """Nor does anybody else."""
    listener = Listener()
    gone = threading.Event()
    context = stage.context(stage.planned(stage.spec(nodes=WEB)), events=listener)
    context.scope = stage.clock.scope(seconds=3000, alive=lambda: not gone.is_set())
    stage.clock.after(60, gone.set)
    with pytest.raises(EngineGoneError):
        reconcile.reconcile(context)
    assert listener.kinds == ["started"]
