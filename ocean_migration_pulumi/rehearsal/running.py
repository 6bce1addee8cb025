"""Run a planned migration in a simulator, through the client and the wait that a real one goes through."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.models import MigrationState, MigrationStatus
from ocean_migration_pulumi.api.scope import Scope
from ocean_migration_pulumi.api.settings import Settings
from ocean_migration_pulumi.errors import DeadlineError, InputError, StalledError
from ocean_migration_pulumi.migration.failures import Failure, why
from ocean_migration_pulumi.migration.plan import batch_count, batch_size, counted, some, told
from ocean_migration_pulumi.migration.story import Moment
from ocean_migration_pulumi.migration.waiter import Patience, Progress, Waiter
from ocean_migration_pulumi.migration.wish import Wish

from .describing import Described
from .prediction import ENDLESS, STALLED, LeftNode, LeftPod, Rehearsal

if TYPE_CHECKING:
    from ocean_migration_pulumi.simulator import Simulator

LONGEST: Final = 3 * 24 * 3600.0
"""Simulated seconds after which a rehearsal gives up."""

_POLL: Final = 15.0
_POLL_OF_MANY: Final = 60.0
_MANY: Final = 500

_UNTOUCHED: Final = "RUNNING"
_STAYING: Final = frozenset({"DaemonSet", "Node"})
_ENDED: Final = frozenset({"Succeeded", "Failed"})


def rehearse(described: Described, wish: Wish, nodes: Collection[str], *, scope: Scope | None = None) -> Rehearsal:
    """Migrate these instances in a simulator of the described cluster, with the wish's options; nothing real is asked.

    Of ``scope`` (None: none) only the interruption counts. What else a wish asks for, such as prerequisites, judges
    whether a real migration starts, and is not rehearsed. Raises InputError without any node, SettingsError without the
    simulator's libraries, or InterruptedWaitError.
    """
    from ocean_migration_pulumi.simulator import Simulator

    there = {node["instance_id"]: node for node in described.world["nodes"] if not node.get("ocean_managed")}
    chosen = sorted(name for name in nodes if name in there)
    unmatched = [name for name in chosen if there[name]["told_match"] == ""]
    notes = list(described.notes)
    if unmatched and wish.unmatched_nodes == "skip":
        chosen = [name for name in chosen if name not in set(unmatched)]
        notes.append(f"{told(len(unmatched), 'node', 'match')} no Virtual Node Group, skipped: {some(unmatched)}")
    elif unmatched:
        notes.append(f"{told(len(unmatched), 'node', 'match')} no Virtual Node Group: {some(unmatched)}")
    if gone := sorted(set(nodes) - there.keys()):
        notes.append(f"{counted(len(gone), 'planned node')} not offered any more, left out: {some(gone)}")
    if not chosen:
        raise InputError("nodes", "there is no node to rehearse the migration of")
    ended = scope.ended if scope is not None else threading.Event()
    with Simulator(world=described.world) as simulator:
        run = _Run(simulator=simulator, ended=ended, wish=wish, nodes=chosen)
        with OceanClient(run.settings, base_scope=run.scope) as client:
            end, status = run.migrate(client)
            failure = None
            if status.state == MigrationState.FINISHED_ERROR:
                failure = why(client, run.scope, simulator.ocean_id, status, client.server_now())
        return replace(_told(run, described, end, status, failure), notes=tuple(notes))


@dataclass(slots=True, kw_only=True)
class _Run:
    """One rehearsal: its simulator, and the clock that both sides of it go by."""

    simulator: Simulator
    ended: threading.Event
    wish: Wish
    nodes: list[str]
    moments: list[Moment] = field(init=False, default_factory=list)
    seconds: float = field(init=False, default=0.0)
    begun: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.begun = datetime.fromtimestamp(self.simulator.control.clock(manual=True)["now"], UTC)

    @property
    def settings(self) -> Settings:
        """Where the simulator is; nothing of the user's own settings."""
        simulator = self.simulator
        return Settings(base_url=simulator.url, token=simulator.token, account_id=simulator.account_id)

    @property
    def poll(self) -> float:
        """Simulated seconds between two looks."""
        return _POLL if len(self.nodes) <= _MANY else _POLL_OF_MANY

    @property
    def scope(self) -> Scope:
        """Bounds whose sleeps take no time, but move the simulated one."""
        return Scope(deadline=LONGEST, ended=self.ended, clock=lambda: self.seconds, wait=self._pass)

    def _pass(self, event: threading.Event, seconds: float) -> bool:
        if seconds > 0 and not event.is_set():
            # A wait spreads its polls at random: here that would only make one rehearsal unlike the next.
            step = self.poll if abs(seconds - self.poll) < self.poll / 5 else seconds
            self.simulator.control.advance(step)
            self.seconds += step
        return event.is_set()

    def migrate(self, client: OceanClient) -> tuple[str, MigrationStatus]:
        """Start the migration and wait for what becomes of it; return its end and its last status."""
        wish, ocean_id = self.wish, self.simulator.ocean_id
        migration_id = client.create_migration(
            ocean_id,
            self.nodes,
            batch_size_percentage=wish.batch_size_percentage,
            should_terminate_drained_nodes=wish.should_terminate_drained_nodes,
            should_evict_stand_alone_pods=wish.should_evict_stand_alone_pods,
            force_pod_eviction_on_pdb_failure=wish.force_pod_eviction_on_pdb_failure,
        )
        waiter = Waiter(
            lambda: client.get_migration(ocean_id, migration_id),
            scope=self.scope,
            tell=_Silent(),
            patience=Patience(poll_interval=self.poll, stall_timeout=wish.stall_timeout),
            on_status=self._take,
        )
        try:
            status = waiter.until(lambda status: False)
        except (DeadlineError, StalledError) as error:
            if waiter.last is None:
                raise
            return STALLED if isinstance(error, StalledError) else ENDLESS, waiter.last
        return status.state, status

    def _take(self, status: MigrationStatus) -> None:
        moment = Moment.of(self.begun + timedelta(seconds=self.seconds), status)
        if not self.moments or replace(moment, at=self.moments[-1].at) != self.moments[-1]:
            self.moments.append(moment)


class _Silent:
    """Says nothing: of a rehearsal only the result is told."""

    def status(self, message: str) -> None:
        """Show nothing."""

    def info(self, message: str) -> None:
        """Say nothing."""

    def warning(self, message: str) -> None:
        """Say nothing."""


def _told(run: _Run, described: Described, end: str, status: MigrationStatus, failure: Failure | None) -> Rehearsal:
    simulator, world = run.simulator, described.world
    nodes = {node["instance_id"]: node for node in simulator.control.nodes(simulator.ocean_id)}
    before = {pod["id"] for pod in world["pending"]}
    homeless = tuple(dict.fromkeys((*status.unscheduled_pods, *status.new_unscheduled_pods)))
    left = [
        LeftNode(
            instance_id=name,
            node_name=node["node_name"],
            asg_name=node["asg_name"],
            drained=drained,
            pods=tuple(LeftPod(name=_name(pod), why=_why(pod, run.wish, drained=drained)) for pod in _work(node)),
        )
        for name, drained in ((each.instance_id, each.state != _UNTOUCHED) for each in status.old_instances)
        if (node := nodes.get(name)) and not node["terminated"] and _work(node)
    ]
    return Rehearsal(
        ocean_id=simulator.ocean_id,
        cluster_name=str(world["cluster"].get("name") or ""),
        moments=tuple(run.moments),
        nodes=len(run.nodes),
        batch_size=batch_size(len(run.nodes), run.wish.batch_size_percentage),
        batches=batch_count(len(run.nodes), run.wish.batch_size_percentage),
        seconds=run.seconds,
        end=end,
        done=Progress.of(status).done,
        failure=failure,
        left=tuple(left),
        unscheduled=homeless,
        waiting=tuple(name for name in homeless if name in before),
        new_nodes=len(status.new_instances),
    )


def _work(node: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [pod for pod in node["pods"] if pod["controller"] not in _STAYING and pod["phase"] not in _ENDED]


def _name(pod: Mapping[str, Any]) -> str:
    return f"{pod['namespace']}/{pod['name']}"


def _why(pod: Mapping[str, Any], wish: Wish, *, drained: bool) -> str:
    if not drained:
        return "its node was not drained before the migration ended"
    if pod["controller"] is None and not wish.should_evict_stand_alone_pods:
        return "nothing starts it again, and should_evict_stand_alone_pods is not set"
    if not wish.force_pod_eviction_on_pdb_failure:
        return "a PodDisruptionBudget does not let it go, and force_pod_eviction_on_pdb_failure is not set"
    return "it was not evicted before the migration ended"
