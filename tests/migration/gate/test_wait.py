"""What a gate waits for, on a clock that only moves when it sleeps."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.api.models.cluster import ClusterNode
from ocean_migration_pulumi.api.models.migration import Candidate, Heartbeat, MigrationStatus, MigrationSummary
from ocean_migration_pulumi.api.responses import ApiResponse
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.times import format_time
from ocean_migration_pulumi.errors import (
    AuthenticationError,
    DeadlineError,
    EngineGoneError,
    InputError,
    InterruptedWaitError,
    KubernetesError,
    MigrationNotFoundError,
    NoAnswerError,
    OceanMigrationError,
    PrerequisiteError,
    ServiceError,
)
from ocean_migration_pulumi.migration.gate.observations import LONGEST_LOOK, GateContext
from ocean_migration_pulumi.migration.gate.spec import GateSpec
from ocean_migration_pulumi.migration.gate.wait import GateResult, wait_for_gate
from ocean_migration_pulumi.migration.snapshot.protocols import OceanApi
from ocean_migration_pulumi.migration.spec.conditions import (
    ConditionObservation,
    HttpCheck,
    KubernetesCondition,
    ObservationCode,
)
from tests.migration.builders import candidate, status
from tests.migration.tellers import RecordingTeller
from tests.support.fake_clock import FakeClock
from tests.support.gaps import failed_gap

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DEAD = Heartbeat(status="INACTIVE", last_heartbeat=format_time(NOW - timedelta(hours=1)))
ALIVE = Heartbeat(status="ACTIVE", last_heartbeat=format_time(NOW))
SHOP = HttpCheck(url="https://shop.example/health?key=canary")
CART = KubernetesCondition(kind="Deployment", namespace="shop", name="cart", condition="Available")
HUNG = "hung"


def take(script: list[Any], scope: CancelScope) -> Any:
    """Return, or raise, the next of a script, of which the last stays; HUNG lasts as long as the scope lets it."""
    found = script.pop(0) if len(script) > 1 else script[0]
    if found is HUNG:
        left = scope.remaining()
        assert left is not None
        scope.sleep(left)
    if isinstance(found, Exception):
        raise found
    return found


def available(status: str = "True") -> ConditionObservation:
    """Return what is seen of the Deployment."""
    fields = {"condition": "Available", "status": status, "reason": ""}
    return ConditionObservation(status == "True", ObservationCode.CONDITION, "Deployment shop/cart", fields)


@dataclass
class FakeOcean:
    """The service, which answers one thing after the other."""

    heartbeats: list[Any] = field(default_factory=lambda: [ALIVE])
    statuses: list[Any] = field(default_factory=lambda: [status(state="FINISHED")])
    offered: tuple[Candidate, ...] = ()
    own: tuple[ClusterNode, ...] = ()
    listed: tuple[MigrationSummary, ...] = ()
    asked: list[str] = field(default_factory=list)
    scope: CancelScope = field(default_factory=CancelScope)

    def within(self, scope: CancelScope) -> FakeOcean:
        """Return the same under other bounds."""
        self.scope = scope
        return self

    def server_now(self) -> datetime:
        """Return the service's time."""
        return NOW

    def get_heartbeat(self, ocean_id: str) -> Heartbeat:
        """Return the next sign of life."""
        self.asked.append(f"heartbeat {ocean_id}")
        return cast(Heartbeat, take(self.heartbeats, self.scope))

    def get_migration(self, ocean_id: str, migration_id: str) -> MigrationStatus:
        """Return the next status."""
        self.asked.append(f"migration {migration_id}")
        return cast(MigrationStatus, take(self.statuses, self.scope))

    def list_migrations(self, ocean_id: str) -> tuple[MigrationSummary, ...]:
        """Return the migrations that are listed."""
        return self.listed

    def discover(self, ocean_id: str, *, fetch_pods: bool = True) -> tuple[Candidate, ...]:
        """Return the nodes that are offered."""
        self.asked.append("discovery")
        return self.offered

    def list_nodes(self, ocean_id: str) -> tuple[ClusterNode, ...]:
        """Return Ocean's own nodes."""
        return self.own


@dataclass
class FakeKubernetes:
    """A cluster, which answers one thing after the other."""

    nodes: list[Any] = field(default_factory=lambda: [frozenset({"i-1"})])
    pending: list[Any] = field(default_factory=lambda: [()])
    conditions: list[Any] = field(default_factory=lambda: [(available(),)])

    def instances(self, scope: CancelScope) -> frozenset[str]:
        """Return the next nodes."""
        return cast("frozenset[str]", take(self.nodes, scope))

    def pending_pods(self, scope: CancelScope) -> tuple[str, ...]:
        """Return the next pods."""
        return cast("tuple[str, ...]", take(self.pending, scope))

    def observe(self, scope: CancelScope, wanted: Sequence[KubernetesCondition]) -> tuple[ConditionObservation, ...]:
        """Return what is seen next."""
        assert wanted == (CART,)
        return cast("tuple[ConditionObservation, ...]", take(self.conditions, scope))


class Stand:
    """A gate with all that it needs."""

    def __init__(self, *, ocean: FakeOcean | None = None, answers: Iterable[Any] = (), **more: Any) -> None:
        self.clock = FakeClock()
        self.reporter = RecordingTeller()
        self.ocean = ocean or FakeOcean(offered=(candidate("i-1"),))
        self.answers = list(answers)
        self.probed: list[str] = []
        seconds = more.pop("seconds", 900.0)
        bounds = {name: more.pop(name) for name in ("ended", "alive") if name in more}
        self.gate = GateContext(
            spec=GateSpec(ocean_id="o-1", **more.pop("spec", {})),
            api=cast(OceanApi, self.ocean),
            scope=self.clock.scope(seconds=seconds, **bounds),
            reporter=self.reporter,
            probe=self.probe,
            **more,
        )

    def probe(self, url: str, scope: CancelScope) -> ApiResponse:
        """Return the next answer of the URL: a status, with a body or without."""
        self.probed.append(url)
        found = take(self.answers, scope)
        code, body = found if isinstance(found, tuple) else (found, b"")
        return ApiResponse(status=code, headers={}, body=body)

    def opens(self) -> GateResult:
        """Wait until the gate opens."""
        return wait_for_gate(self.gate)

    def stays_shut(self, kind: type[OceanMigrationError]) -> str:
        """Return why the gate did not open: one line."""
        with pytest.raises(kind) as caught:
            self.opens()
        assert type(caught.value) is kind
        assert "\n" not in str(caught.value)
        assert "canary" not in str(caught.value)
        assert self.reporter.infos == []
        return str(caught.value)

    @property
    def waited(self) -> float:
        """Seconds that have passed."""
        return self.clock.now - 1000.0


def test_calm_cluster_opens_after_the_hold() -> None:
    """And not before; the line says what was seen."""
    stand = Stand(spec={"migration_ids": ("owm-1", "owm-2")})
    passage = stand.opens()
    assert passage.at == "2026-01-02T03:04:05.000Z"
    assert passage.seen == ("Ocean Controller is connected", "all pods scheduled")
    assert stand.waited == pytest.approx(30.0)
    assert stand.reporter.infos == ["open after 30s: Ocean Controller is connected, all pods scheduled"]
    assert set(stand.ocean.asked) == {"heartbeat o-1", "migration owm-2"}


def test_gate_without_hold_opens_at_the_first_look() -> None:
    """Nothing is slept."""
    stand = Stand(spec={"hold_for": 0.0})
    assert stand.opens().seen == ("Ocean Controller is connected", "no migration ran before")
    assert stand.clock.sleeps == []


def test_gate_that_asks_for_nothing_asks_nobody() -> None:
    """Only that the wave before has succeeded."""
    stand = Stand(spec={"hold_for": 0.0, "scheduled": False, "heartbeat": False})
    assert stand.opens().seen == ()
    assert stand.ocean.asked == []
    assert stand.reporter.infos == ["open after 0s"]


def test_live_line_names_everything_that_is_waited_for() -> None:
    """Unscheduled pods, the answer of a URL, and how long; then for how long it is calm."""
    leaving = [
        status(unscheduled_pods=("a",), new_unscheduled_pods=("a", "b")),
        status(unscheduled_pods=("b",)),
        status(),
    ]
    stand = Stand(
        ocean=FakeOcean(statuses=leaving),
        answers=[503, NoAnswerError("no response: ConnectError"), 200],
        spec={"migration_ids": ("owm-1",), "http_checks": (SHOP,)},
    )
    assert stand.opens().seen[1:] == ("all pods scheduled", "https://shop.example/health responds with 200")
    first, second, third = stand.reporter.statuses[1:4]
    assert first == "waiting: 2 pods unscheduled, https://shop.example/health responds with 503 instead of 200, 0s"
    assert second.startswith("waiting: 1 pod unscheduled, https://shop.example/health: no response: ConnectError, ")
    assert third.startswith("healthy for 0s of 30s, ")
    assert stand.probed[0] == SHOP.url
    assert not any("canary" in line for line in stand.reporter.statuses + stand.reporter.infos)


def test_break_begins_the_hold_anew() -> None:
    """One bad look among good ones, whatever it is of."""
    stand = Stand(answers=[200, 200, 500, 200], spec={"http_checks": (SHOP,)}, poll_interval=10.0)
    stand.opens()
    assert stand.waited >= 18.0 + 9.0 + 30.0


def test_status_and_text_of_an_answer_count() -> None:
    """A text is looked for as it is, and not told."""
    check = HttpCheck(url="http://shop.example/", status=204, contains="grün")
    stand = Stand(
        answers=[200, (204, b"canary"), (204, "alles grün".encode())],
        spec={"http_checks": (check,), "hold_for": 0.0},
    )
    assert stand.opens().seen[-1] == "http://shop.example/ responds with 204"
    assert "responds with 200 instead of 204" in stand.reporter.statuses[1]
    assert "responds with 204, but the response does not contain the required text" in stand.reporter.statuses[2]


@pytest.mark.parametrize(
    ("remaining", "named"),
    [(("i-1", "i-2"), ": 2 nodes remain, i-1, i-2; "), ((), "; ")],
)
def test_wave_that_did_not_succeed_keeps_the_gate_shut(remaining: tuple[str, ...], named: str) -> None:
    """At once: nothing is asked."""
    stand = Stand(spec={"succeeded": False, "migration_ids": ("owm-1",), "remaining": remaining})
    reason = stand.stays_shut(PrerequisiteError)
    assert reason.startswith("the previous wave did not succeed (its latest migration is owm-1)" + named)
    assert (stand.ocean.asked, stand.waited) == ([], 0.0)


@pytest.mark.parametrize(
    "outage", [NoAnswerError("GET /x: no answer"), ServiceError("it fails", status=500)], ids=["no answer", "fails"]
)
def test_outage_of_ocean_is_waited_out(outage: OceanMigrationError) -> None:
    """With its reason in the live line."""
    stand = Stand(ocean=FakeOcean(heartbeats=[outage, DEAD, ALIVE]))
    stand.opens()
    assert f"waiting: {outage}, " in stand.reporter.statuses[1]
    assert "waiting: Ocean Controller is INACTIVE (last heartbeat 1h00m ago)" in stand.reporter.statuses[2]


def test_ocean_that_hangs_is_asked_again() -> None:
    """One look does not use up the time of all."""
    stand = Stand(ocean=FakeOcean(heartbeats=[HUNG, ALIVE]), spec={"hold_for": 0.0})
    stand.opens()
    assert stand.reporter.statuses[1] == f"waiting: Ocean did not respond in time, {LONGEST_LOOK:.0f}s"


def test_refused_token_ends_it_at_once() -> None:
    """Another try would not mend it."""
    stand = Stand(ocean=FakeOcean(heartbeats=[AuthenticationError("the token is refused", status=401)]))
    assert "the token is refused" in stand.stays_shut(AuthenticationError)
    assert stand.waited == 0.0


GONE = MigrationNotFoundError("gone", status=404)
WAVE = {"migration_ids": ("owm-1",), "hold_for": 0.0}


def test_one_denial_of_the_migration_opens_no_gate() -> None:
    """Its pods that wait for a node are asked for again, however long the list has it."""
    waiting = status(state="FINISHED", unscheduled_pods=("pod-1",))
    listed = (MigrationSummary(id="owm-1", state="FINISHED"),)
    for listing, row in ((listed, [GONE] * 20), ((), [GONE])):
        ocean = FakeOcean(statuses=[*row, waiting, status(state="FINISHED")], listed=listing)
        stand = Stand(ocean=ocean, spec=WAVE)
        assert stand.opens().seen[-1] == "all pods scheduled"
        assert any("1 pod unscheduled" in line for line in stand.reporter.statuses)


def test_a_migration_that_status_and_list_deny_for_a_minute_is_told() -> None:
    """Its pods are then not known, and that is said."""
    stand = Stand(ocean=FakeOcean(statuses=[GONE]), spec=WAVE)
    assert "owm-1 is not found: its unscheduled pods are not known" in stand.opens().seen[-1]
    assert stand.waited >= 65.0


def test_deadline_says_what_was_missing() -> None:
    """At the last look."""
    stand = Stand(answers=[503], spec={"http_checks": (SHOP,)}, seconds=120.0)
    assert stand.stays_shut(DeadlineError) == (
        "the gate did not open within 2m00s: https://shop.example/health responds with 503 instead of 200; fix "
        "this, then run `pulumi up` again"
    )


def test_a_poll_that_the_deadline_cuts_short_hides_nothing() -> None:
    """Whatever error it ends with: the reason is what the poll before it saw."""

    class SilentAtTheEnd(FakeKubernetes):
        def pending_pods(self, scope: CancelScope) -> tuple[str, ...]:
            if (scope.remaining() or 0.0) > LONGEST_LOOK - 1:
                return ("shop/waits",)
            with suppress(DeadlineError):
                scope.sleep(LONGEST_LOOK)
            raise KubernetesError("Kubernetes did not respond in time")

    stand = Stand(kubernetes=SilentAtTheEnd(), seconds=50.0)
    assert "1 pod waits for a node (shop/waits)" in stand.stays_shut(DeadlineError)


def test_deadline_in_the_hold_says_so() -> None:
    """Everything held, but not for long enough."""
    stand = Stand(spec={"hold_for": 60.0}, seconds=45.0)
    assert "the conditions had not held for 1m00s" in stand.stays_shut(DeadlineError)


def test_deadline_in_the_first_look_has_seen_nothing() -> None:
    """Ocean hangs for longer than there is time."""
    stand = Stand(ocean=FakeOcean(heartbeats=[HUNG]), seconds=5.0)
    assert "nothing has been checked yet" in stand.stays_shut(DeadlineError)


def test_ctrl_c_is_one_clear_reason() -> None:
    """What was missing, and that the next run asks again."""
    ended = threading.Event()
    stand = Stand(ended=ended, spec={"http_checks": (SHOP,)})

    def probe(url: str, scope: CancelScope) -> ApiResponse:
        if stand.waited > 20:
            ended.set()
        return ApiResponse(status=503, headers={}, body=b"")

    stand.gate.probe = probe
    reason = stand.stays_shut(InterruptedWaitError)
    assert reason.startswith("interrupted after ")
    assert ", before the gate opened: https://shop.example/health responds with 503" in reason
    assert reason.endswith("run `pulumi up` to check again")


def test_engine_that_is_gone_ends_it() -> None:
    """Nobody waits for the gate any more."""
    stand = Stand(alive=lambda: False)
    stand.stays_shut(EngineGoneError)
    assert stand.ocean.asked == []


def test_kubernetes_tells_pending_pods_and_conditions() -> None:
    """Then the service is not asked for the migration's pods, which may be old."""
    kubernetes = FakeKubernetes(
        pending=[("shop/b", "shop/a"), ("shop/b",), ()],
        conditions=[
            (available("False"),),
            (available(),),
        ],
    )
    stand = Stand(
        kubernetes=kubernetes,
        spec={"migration_ids": ("owm-1",), "kubernetes_conditions": (CART,), "hold_for": 0.0},
    )
    assert stand.opens().seen == (
        "Ocean Controller is connected",
        "all pods scheduled",
        "Deployment shop/cart is Available",
    )
    assert stand.reporter.statuses[1] == (
        "waiting: 2 pods wait for a node (shop/a, shop/b), Deployment shop/cart is not Available, 0s"
    )
    assert "1 pod waits for a node (shop/b)" in stand.reporter.statuses[2]
    assert not any(asked.startswith("migration") for asked in stand.ocean.asked)
    assert stand.ocean.asked.count("discovery") == 1


def test_conditions_alone_leave_pods_out() -> None:
    """As ``scheduled=False`` asks."""
    kubernetes = FakeKubernetes(pending=[("shop/a",)])
    stand = Stand(kubernetes=kubernetes, spec={"scheduled": False, "kubernetes_conditions": (CART,), "hold_for": 0.0})
    assert stand.opens().seen == ("Ocean Controller is connected", "Deployment shop/cart is Available")


@pytest.mark.parametrize("part", ["nodes", "pending", "conditions"])
def test_outage_of_kubernetes_is_waited_out(part: str) -> None:
    """Whichever question meets it."""
    kubernetes = FakeKubernetes()
    getattr(kubernetes, part).insert(0, KubernetesError("Kubernetes cannot be reached: connection refused"))
    stand = Stand(kubernetes=kubernetes, spec={"kubernetes_conditions": (CART,), "hold_for": 0.0})
    assert len(stand.opens().seen) == 3
    assert stand.reporter.statuses[1] == "waiting: Kubernetes cannot be reached: connection refused, 0s"


def test_conditions_need_access() -> None:
    """At once, with the reason why there is none."""
    stand = Stand(spec={"kubernetes_conditions": (CART,)}, absent=failed_gap("there is none"))
    assert stand.stays_shut(PrerequisiteError) == "kubernetes_conditions: there is none"
    assert Stand(explicit=True, absent=failed_gap("broken")).stays_shut(PrerequisiteError) == "kubeconfig: broken"


def test_missing_right_ends_it_when_the_gate_asks_for_kubernetes() -> None:
    """By a kubeconfig of its own, or by a condition."""
    refused = PrerequisiteError("may not list pods (403); add to the role: {}")
    for more in ({"explicit": True}, {"spec": {"kubernetes_conditions": (CART,)}}):
        stand = Stand(kubernetes=FakeKubernetes(pending=[refused]), **more)
        assert "may not list pods (403)" in stand.stays_shut(PrerequisiteError)


def test_access_of_the_environment_without_the_right_is_done_without() -> None:
    """A warning says so, once, and the service tells what it knows."""
    refused = PrerequisiteError("may not list pods (403); add to the role: {}")
    stand = Stand(kubernetes=FakeKubernetes(pending=[refused]), spec={"migration_ids": ("owm-1",)})
    assert stand.opens().seen == ("Ocean Controller is connected", "all pods scheduled")
    (warning,) = stand.reporter.warnings
    assert warning.startswith("may not list pods (403)")
    assert "migration owm-1" in stand.ocean.asked


def test_kubeconfig_of_another_cluster_is_refused() -> None:
    """Its calm would say nothing."""
    kubernetes = FakeKubernetes(nodes=[frozenset({"i-9"})])
    stand = Stand(kubernetes=kubernetes, explicit=True)
    assert "use the kubeconfig of cluster o-1" in stand.stays_shut(InputError)


@pytest.mark.parametrize("more", [{"explicit": True}, {"spec": {"kubernetes_conditions": (CART,)}}])
def test_cluster_without_instance_ids_is_unknown(more: dict[str, Any]) -> None:
    """Its nodes have no ``providerID`` yet: its calm may be that of another cluster."""
    stand = Stand(kubernetes=FakeKubernetes(nodes=[frozenset()]), **more)
    assert "unknown whether the kubeconfig belongs to this cluster" in stand.stays_shut(DeadlineError)


def test_environment_of_an_unknown_cluster_is_not_used() -> None:
    """Then the service alone tells what waits."""
    stand = Stand(kubernetes=FakeKubernetes(nodes=[frozenset()], pending=[("shop/a",)]))
    stand.opens()
    assert "unknown whether" in stand.reporter.warnings[0]


def test_environment_of_another_cluster_is_not_used() -> None:
    """Except where a condition needs one: then there is none."""
    kubernetes = FakeKubernetes(nodes=[frozenset({"i-9"})], pending=[("shop/a",)])
    stand = Stand(kubernetes=kubernetes)
    stand.opens()
    assert "belongs to another cluster" in stand.reporter.warnings[0]
    asking = Stand(kubernetes=kubernetes, spec={"kubernetes_conditions": (CART,)})
    assert "belongs to another cluster" in asking.stays_shut(PrerequisiteError)


def test_nodes_that_ocean_runs_make_it_the_right_cluster() -> None:
    """After the last wave none is offered any more."""
    ocean = FakeOcean(own=(ClusterNode(instance_id="i-1"),))
    stand = Stand(ocean=ocean, kubernetes=FakeKubernetes(), explicit=True, spec={"hold_for": 0.0})
    assert stand.opens().seen[-1] == "all pods scheduled"


@given(
    looks=st.lists(st.booleans(), max_size=40),
    hold_for=st.floats(0, 120),
    poll_interval=st.floats(1, 40),
)
def test_gate_opens_only_after_an_unbroken_hold(looks: list[bool], hold_for: float, poll_interval: float) -> None:
    """Whatever comes before: from the last bad look on, so much time must have passed."""
    stand = Stand(spec={"hold_for": hold_for, "http_checks": (SHOP,)}, poll_interval=poll_interval, seconds=None)
    bad: list[float] = []
    good: list[float] = []
    script = iter(looks)

    def probe(url: str, scope: CancelScope) -> ApiResponse:
        calm = next(script, True)
        (good if calm else bad).append(stand.clock.now)
        return ApiResponse(status=200 if calm else 500, headers={}, body=b"")

    stand.gate.probe = probe
    stand.opens()
    held = [at for at in good if not bad or at > bad[-1]]
    assert good[-1] == held[-1] == stand.clock.now
    assert held[-1] >= held[0] + hold_for
    assert len(held) == 1 or held[-2] < held[0] + hold_for
