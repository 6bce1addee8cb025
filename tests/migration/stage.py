"""A simulator, a client and a clock that moves both: what provider and engine are to the decision code."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.settings import Settings
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.migration.planning import planner
from ocean_migration_pulumi.migration.reconcile import reconcile
from ocean_migration_pulumi.migration.reconcile.context import ReconcileContext
from ocean_migration_pulumi.migration.reconcile.waiter import PollPolicy
from ocean_migration_pulumi.migration.snapshot.claims import ClaimsRegistry
from ocean_migration_pulumi.migration.snapshot.snapshot import PlanPreview
from ocean_migration_pulumi.migration.snapshot.sources import DataSources
from ocean_migration_pulumi.migration.spec.approval import plan_digest
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.migration.state.resource_state import ResourceState
from ocean_migration_pulumi.simulator import Simulator
from tests.migration import builders
from tests.migration.tellers import RecordingTeller
from tests.support.fake_clock import FakeClock

OWNER = "urn:web"


class StageClock(FakeClock):
    """Moves the simulated time with its own, and lets things happen on the way."""

    def __init__(self, sim: Simulator) -> None:
        super().__init__()
        self._sim = sim
        self._due: list[tuple[float, Callable[[], object]]] = []

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Let something happen so many seconds from now, or with the next sleep that goes beyond."""
        self._due.append((self.now + seconds, action))

    def wait(self, event: Any, seconds: float) -> bool:
        """Let the time pass here and in the simulator."""
        if seconds > 0 and not event.is_set():
            self._sim.control.advance(seconds)
        over = super().wait(event, seconds)
        for entry in [entry for entry in self._due if entry[0] <= self.now]:
            self._due.remove(entry)
            entry[1]()
        return over or event.is_set()


@dataclass(slots=True, kw_only=True)
class StagedContext(ReconcileContext):
    """A context whose lines are kept."""

    reporter: RecordingTeller


class Stage:
    """One process of the plugin, after another: ``restart`` forgets what a process knows."""

    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        self.control = sim.control
        self.control.clock(manual=True)
        self.ocean_id = sim.ocean_id
        self.settings = Settings(base_url=sim.url, token=sim.token, account_id=sim.account_id)
        self.client = OceanClient(self.settings)
        self.clock = StageClock(sim)
        self.ended = self.scope().ended
        self.sources = DataSources()
        self.restart()

    def restart(self) -> None:
        """Begin a new process: what is not in the state is forgotten."""
        self.registry = ClaimsRegistry()
        self.ended = CancelScope().ended

    def scope(self, seconds: float | None = None, **more: Any) -> CancelScope:
        """Return the bounds of an operation."""
        return self.clock.scope(seconds=seconds, **more)

    def spec(self, **options: Any) -> MigrationSpec:
        """Return a wish for this cluster."""
        options.setdefault("ocean_id", self.ocean_id)
        return builders.spec(**options)

    def preview(self, spec: MigrationSpec, old: MigrationSpec | None = None, *, owner: str = OWNER) -> PlanPreview:
        """Plan a wish, as ``check`` does."""
        claims = self.registry.claims(self.client.account_id, spec.ocean_id)
        account = self.client.account_id
        return planner.preview_plan(
            self.client,
            claims,
            self.scope(short=True),
            owner=owner,
            spec=replace(spec, account_id=account),
            old=old and replace(old, account_id=old.account_id or account),
            sources=self.sources,
        )

    def planned(self, spec: MigrationSpec, old: MigrationSpec | None = None, *, owner: str = OWNER) -> MigrationSpec:
        """Return a wish with its plan."""
        found = self.preview(spec, old, owner=owner)
        assert found.problems == ()
        return replace(spec, planned_nodes=found.planned)

    def context(
        self,
        spec: MigrationSpec,
        state: ResourceState | None = None,
        *,
        owner: str = OWNER,
        seconds: float = 3000.0,
        **more: Any,
    ) -> StagedContext:
        """Return the context of a run; a state goes through its outputs first."""
        stored = None if state is None else ResourceState.from_outputs(json.loads(json.dumps(outputs(state, spec))))
        return StagedContext(
            api=self.client,
            claims=self.registry.claims(self.client.account_id, self.ocean_id),
            scope=self.scope(seconds, ended=self.ended),
            reporter=RecordingTeller(),
            owner=owner,
            spec=spec,
            state=stored or ResourceState(effective_account_id=self.client.account_id),
            poll_policy=PollPolicy(stall_timeout=spec.stall_timeout),
            creating=state is None,
            sources=self.sources,
            **more,
        )

    def up(
        self, spec: MigrationSpec, state: ResourceState | None = None, *, unplanned: str | None = None, **more: Any
    ) -> StagedContext:
        """Run create (without a state) or update; the wish must have its plan."""
        context = self.context(spec, state, **more)
        reconcile.reconcile(context, unplanned=unplanned)
        return context

    def fails(
        self, error: type[Exception], spec: MigrationSpec, state: ResourceState | None = None, **more: Any
    ) -> tuple[StagedContext, str]:
        """Run create or update, which must end with an error; return the context and the message, which is one line."""
        context = self.context(spec, state, **more)
        with pytest.raises(error) as caught:
            reconcile.reconcile(context)
        assert caught.type is error
        assert "\n" not in str(caught.value)
        assert self.sim.token not in str(caught.value)
        return context, str(caught.value)

    def requests(self, method: str) -> list[dict[str, Any]]:
        """Return the logged requests of a method."""
        return self.control.requests(method=method)

    def asked_for(self) -> list[list[str]]:
        """Return the instance ids of each start that was accepted, in their order."""
        return [
            sorted(request["body"]["migration"]["instanceIds"])
            for request in self.control.requests(method="POST", effective=True)
        ]

    def writes(self) -> int:
        """Return how many POSTs and PUTs were sent."""
        return len(self.requests("POST")) + len(self.requests("PUT"))

    def migrations(self) -> list[dict[str, Any]]:
        """Return the simulator's migrations."""
        return self.control.migrations(self.ocean_id)

    def ids(self, asg_name: str | None = None) -> list[str]:
        """Return the ids of the nodes that are not Ocean's, of one group or of all."""
        nodes = self.control.nodes(self.ocean_id)
        return sorted(
            node["instance_id"]
            for node in nodes
            if not node["ocean_managed"] and not node["terminated"] and asg_name in {None, node["asg_name"]}
        )


def outputs(state: ResourceState, spec: MigrationSpec) -> dict[str, Any]:
    """Return the outputs as the provider writes them."""
    return state.to_outputs(spec, {"ocean_id": spec.ocean_id}, plan_digest(state.planned, spec))
