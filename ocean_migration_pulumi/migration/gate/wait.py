"""Stand between two waves of a migration until the first has succeeded and the cluster is calm."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from ocean_migration_pulumi.api.responses import ApiResponse
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.text import count_noun, count_with_verb, list_some, sanitize
from ocean_migration_pulumi.common.times import format_elapsed, format_time
from ocean_migration_pulumi.errors import (
    DeadlineError,
    InputError,
    InterruptedWaitError,
    KubernetesError,
    MigrationNotFoundError,
    NoAnswerError,
    PrerequisiteError,
    RateLimitError,
    ServiceError,
)
from ocean_migration_pulumi.migration.checks import service
from ocean_migration_pulumi.migration.gate.spec import GateObservation, GateSpec, HttpCheck, KubernetesCondition
from ocean_migration_pulumi.migration.planning.findings_text import render_check
from ocean_migration_pulumi.migration.snapshot.protocols import OceanApi, Reporter
from ocean_migration_pulumi.migration.snapshot.sources import NO_ACCESS

LONGEST_LOOK: Final = 30.0
"""Seconds for each thing that is asked, retries included: what takes longer is asked again in the next look."""

_JITTER: Final = 0.1
_LONGEST_REASON: Final = 200
_NOT_NOW: Final = (NoAnswerError, ServiceError, RateLimitError, KubernetesError)


class GateKubernetes(Protocol):
    """What a gate asks of Kubernetes; nothing is ever changed there.

    Each raises KubernetesError when it cannot be asked now, PrerequisiteError when a right is missing or the
    credentials are refused, and InterruptedWaitError or EngineGoneError when the operation may not go on.
    """

    def instances(self, scope: CancelScope) -> frozenset[str]:
        """Return the instance ids of the cluster's nodes."""

    def pending_pods(self, scope: CancelScope) -> tuple[str, ...]:
        """Return the pods that wait for a node, as namespace and name."""

    def observe(self, scope: CancelScope, wanted: Sequence[KubernetesCondition]) -> tuple[GateObservation, ...]:
        """Return what was seen of each condition, in their order."""


Probe = Callable[[str, CancelScope], ApiResponse]
"""GETs a URL; raises NoAnswerError, SettingsError or a WaitEndedError."""


@dataclass(slots=True, kw_only=True)
class GateContext:
    """Everything that a gate works with.

    ``kubernetes`` is None without access, and ``absent`` says why; ``explicit`` marks access that the gate's own inputs
    name: then it must be there, and of the right cluster. ``poll_interval`` is the seconds between two looks (±10 %).
    """

    spec: GateSpec
    api: OceanApi
    scope: CancelScope
    tell: Reporter
    probe: Probe
    poll_interval: float = 15.0
    kubernetes: GateKubernetes | None = None
    absent: str = NO_ACCESS
    explicit: bool = False
    recognized: bool = False


@dataclass(frozen=True, slots=True)
class GateResult:
    """When a gate opened, in the service's time, and what was seen then."""

    at: str
    seen: tuple[str, ...]


def wait_for_gate(gate: GateContext) -> GateResult:
    """Wait until everything that the gate asks for has held for ``hold_for`` without a break.

    What cannot be asked now does not hold now. Raises PrerequisiteError when waiting is of no use, an error of the API
    that another try does not mend, or a WaitEndedError.
    """
    _refuse_failed_wave(gate.spec)
    _refuse_missing_access(gate)
    scope, spec = gate.scope, gate.spec
    begun = scope.clock()
    since: float | None = None
    looks: list[GateObservation] = []
    gate.tell.status("looking whether the cluster is calm")
    try:
        while True:
            scope.check()
            now = scope.clock()
            looks = list(_look(gate))
            if all(look.met for look in looks):
                since = now if since is None else since
                if now >= since + spec.hold_for:
                    break
            else:
                since = None
            gate.tell.status(_line(looks, since, scope.clock(), begun, spec.hold_for))
            pause = gate.poll_interval * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads the looks
            if since is not None:
                pause = min(pause, max(0.0, since + spec.hold_for - scope.clock()))
            scope.sleep(pause)
    except InterruptedWaitError as error:
        waited = format_elapsed(scope.clock() - begun)
        msg = f"interrupted after {waited}; the gate is not open ({_missing(looks)}). `pulumi up` asks again."
        raise type(error)(msg) from None
    except DeadlineError as error:
        waited = format_elapsed(scope.clock() - begun)
        msg = f"the gate did not open within {waited}: {_missing(looks)}; see to it, then run `pulumi up` again"
        raise type(error)(msg) from None
    seen = tuple(look.seen for look in looks)
    gate.tell.info(f"open after {format_elapsed(scope.clock() - begun)}" + (f": {', '.join(seen)}" if seen else ""))
    return GateResult(format_time(gate.api.server_now()), seen)


def _refuse_failed_wave(spec: GateSpec) -> None:
    if spec.succeeded:
        return
    latest = f" (its latest migration is {spec.migration_ids[-1]})" if spec.migration_ids else ""
    left = ""
    if spec.remaining:
        left = f": {count_with_verb(len(spec.remaining), 'node', 'remain')}, {list_some(spec.remaining)}"
    msg = (
        f"the wave before did not succeed{latest}{left}; nothing was waited for. Bring that wave to its end, then run "
        "`pulumi up` again"
    )
    raise PrerequisiteError(msg)


def _refuse_missing_access(gate: GateContext) -> None:
    if gate.kubernetes is None and (gate.spec.kubernetes_conditions or gate.explicit):
        name = "kubernetes_conditions" if gate.spec.kubernetes_conditions else "kubeconfig"
        msg = f"{name}: {gate.absent}"
        raise PrerequisiteError(msg)


def _look(gate: GateContext) -> Iterator[GateObservation]:
    """Look once at everything; nothing is left out for what was seen before it."""
    spec = gate.spec
    if spec.heartbeat:
        yield from _asked(gate, "Ocean", _heartbeat)
    if gate.kubernetes is not None and (spec.scheduled or spec.kubernetes_conditions):
        yield from _asked(gate, "Kubernetes", _in_kubernetes)
    if gate.kubernetes is None and spec.scheduled:
        yield from _asked(gate, "Ocean", _unscheduled)
    for check in spec.http_checks:
        yield _answers(gate, check)


def _asked(
    gate: GateContext, whom: str, ask: Callable[[GateContext, CancelScope], list[GateObservation]]
) -> list[GateObservation]:
    """Return what was seen; what cannot be asked now, or does not answer in time, is not as it has to be."""
    try:
        return ask(gate, gate.scope.at_most(LONGEST_LOOK))
    except _NOT_NOW as error:
        return [GateObservation(False, sanitize(str(error), _LONGEST_REASON))]
    except DeadlineError:
        gate.scope.check()
        return [GateObservation(False, f"{whom} did not answer in time")]


def _heartbeat(gate: GateContext, scope: CancelScope) -> list[GateObservation]:
    heartbeat = gate.api.within(scope).get_heartbeat(gate.spec.ocean_id)
    now = gate.api.server_now()
    seen = render_check(service.check_connection(heartbeat, now)).seen
    return [GateObservation(service.is_alive(heartbeat, now), seen)]


def _unscheduled(gate: GateContext, scope: CancelScope) -> list[GateObservation]:
    """Look at the pods that the latest migration left without a node, as far as the service tells."""
    if not gate.spec.migration_ids:
        return [GateObservation(True, "no migration ran before")]
    latest = gate.spec.migration_ids[-1]
    try:
        status = gate.api.within(scope).get_migration(gate.spec.ocean_id, latest)
    except MigrationNotFoundError:
        return [GateObservation(True, f"migration {latest} is no longer listed: its unscheduled pods are not known")]
    pods = {*status.unscheduled_pods, *status.new_unscheduled_pods}
    return [GateObservation(not pods, f"{count_noun(len(pods), 'pod')} unscheduled" if pods else "all pods scheduled")]


def _in_kubernetes(gate: GateContext, scope: CancelScope) -> list[GateObservation]:
    spec, kubernetes = gate.spec, gate.kubernetes
    looks: list[GateObservation] = []
    try:
        if kubernetes is None or not _recognized(gate, kubernetes, scope):
            return looks
        if spec.scheduled:
            pods = sorted(map(sanitize, kubernetes.pending_pods(scope)))
            waiting = f"{count_with_verb(len(pods), 'pod', 'wait')} for a node ({list_some(pods)})"
            looks.append(GateObservation(not pods, waiting if pods else "all pods scheduled"))
        if spec.kubernetes_conditions:
            looks += kubernetes.observe(scope, spec.kubernetes_conditions)
    except PrerequisiteError as error:
        _do_without(gate, str(error))
        return []
    return looks


def _recognized(gate: GateContext, kubernetes: GateKubernetes, scope: CancelScope) -> bool:
    """Make sure, once, that it is the cluster of which the service offers or runs instances."""
    if gate.recognized:
        return True
    nodes = kubernetes.instances(scope)
    api, ocean_id = gate.api.within(scope), gate.spec.ocean_id
    known = {node.instance_id for node in api.discover(ocean_id, fetch_pods=False)}
    known |= {node.instance_id for node in api.list_nodes(ocean_id)}
    if nodes and known and not nodes & known:
        of_another = "it is of another cluster: none of its nodes is one that Ocean offers or runs"
        if gate.explicit:
            raise InputError("kubeconfig", f"{of_another}; give that of the cluster {ocean_id}")
        _do_without(gate, f"the access to Kubernetes is not used, {of_another}")
        return False
    gate.recognized = True
    return True


def _do_without(gate: GateContext, why: str) -> None:
    """Go on without the access that the environment gave; raise PrerequisiteError when the gate asks for it."""
    gate.kubernetes, gate.absent = None, why
    _refuse_missing_access(gate)
    gate.tell.warning(f"{why}; unscheduled pods are told by Ocean alone")


def _answers(gate: GateContext, check: HttpCheck) -> GateObservation:
    try:
        answer = gate.probe(check.url, gate.scope)
    except NoAnswerError as error:
        return GateObservation(False, f"{check.subject}: {sanitize(str(error), _LONGEST_REASON)}")
    seen = f"{check.subject} answers {answer.status}"
    if answer.status != check.status:
        return GateObservation(False, f"{seen} instead of {check.status}")
    if check.contains is not None and check.contains.encode() not in answer.body:
        return GateObservation(False, f"{seen}, but without the text that is asked for")
    return GateObservation(True, seen)


def _line(looks: Sequence[GateObservation], since: float | None, now: float, begun: float, hold_for: float) -> str:
    """Return the live line: what is waited for, or how long everything has held."""
    waited = format_elapsed(now - begun)
    if since is None:
        return f"waiting: {_missing(looks)}, {waited}"
    return f"calm for {format_elapsed(now - since)} of {format_elapsed(hold_for)}, {waited}"


def _missing(looks: Sequence[GateObservation]) -> str:
    missing = [look.seen for look in looks if not look.met]
    if missing:
        return ", ".join(missing)
    return "it was not calm for long enough" if looks else "nothing was seen yet"
