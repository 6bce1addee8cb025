"""Wait between two waves until the first has succeeded and the cluster is healthy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ocean_migration_pulumi.common.text import count_with_verb, list_some
from ocean_migration_pulumi.common.times import format_elapsed, format_time
from ocean_migration_pulumi.errors import DeadlineError, InterruptedWaitError, PrerequisiteError
from ocean_migration_pulumi.migration.gate.observations import GateContext, observe_cluster, refuse_missing_access
from ocean_migration_pulumi.migration.gate.spec import GateSpec
from ocean_migration_pulumi.migration.planning.text.gaps_text import describe_gap
from ocean_migration_pulumi.migration.reconcile.readiness.observations_text import describe_observation
from ocean_migration_pulumi.migration.reconcile.waiter import PollPolicy, Waiter
from ocean_migration_pulumi.migration.spec.conditions import ConditionObservation


@dataclass(frozen=True, slots=True)
class GateResult:
    """A gate that has opened."""

    at: str
    """When the gate opened, by Spot's clock."""
    seen: tuple[str, ...]
    """One line for each condition that held."""


def wait_for_gate(gate: GateContext) -> GateResult:
    """Wait until all conditions have held for ``hold_for`` without interruption.

    A condition that cannot be checked does not hold.

    Raises:
        PrerequisiteError: The condition can never hold, such as after a failed wave.
        DeadlineError: The gate did not open in time.
        OperationCancelled: The caller no longer wants the operation.
        OceanMigrationError: An error that repeating does not solve.
    """
    _refuse_failed_wave(gate.spec)
    refuse_missing_access(gate)
    if gate.kubernetes is None and gate.spec.workload_baseline is not None:
        gate.reporter.warning(
            f"unknown whether the workloads of the previous wave are ready: {describe_gap(gate.absent).line}"
        )
    hold_for = gate.spec.hold_for

    def observe() -> list[ConditionObservation]:
        observations = list(observe_cluster(gate))
        if waiter.last is not None and not all(each.met for each in observations):
            # A poll that the deadline cut short would hide what the one before it saw.
            gate.scope.check()
        return observations

    def describe(observations: Sequence[ConditionObservation]) -> str:
        if waiter.held is None:
            return f"waiting: {_describe_missing(observations, hold_for)}"
        return f"healthy for {format_elapsed(waiter.held)} of {format_elapsed(hold_for)}"

    waiter = Waiter(
        observe,
        scope=gate.scope,
        reporter=gate.reporter,
        policy=PollPolicy(poll_interval=gate.poll_interval),
        describe=describe,
    )
    gate.reporter.status("checking whether the cluster is healthy")
    try:
        observations = waiter.until(lambda seen: all(each.met for each in seen), hold_for=hold_for)
    except InterruptedWaitError as error:
        waited, missing = format_elapsed(waiter.elapsed), _describe_missing(waiter.last or (), hold_for)
        msg = f"{error} after {waited}, before the gate opened: {missing}; run `pulumi up` to check again"
        raise type(error)(msg) from None
    except DeadlineError:
        waited, missing = format_elapsed(waiter.elapsed), _describe_missing(waiter.last or (), hold_for)
        msg = f"the gate did not open within {waited}: {missing}; fix this, then run `pulumi up` again"
        raise DeadlineError(msg) from None
    seen = tuple(map(describe_observation, observations))
    gate.reporter.info(f"open after {format_elapsed(waiter.elapsed)}" + (f": {', '.join(seen)}" if seen else ""))
    return GateResult(format_time(gate.api.server_now()), seen)


def _refuse_failed_wave(spec: GateSpec) -> None:
    if spec.succeeded:
        return
    latest = f" (its latest migration is {spec.migration_ids[-1]})" if spec.migration_ids else ""
    left = ""
    if spec.remaining:
        left = f": {count_with_verb(len(spec.remaining), 'node', 'remain')}, {list_some(spec.remaining)}"
    msg = (
        f"the previous wave did not succeed{latest}{left}; the gate did not wait. Complete that wave, then run "
        "`pulumi up` again"
    )
    raise PrerequisiteError(msg)


def _describe_missing(observations: Sequence[ConditionObservation], hold_for: float) -> str:
    missing = [describe_observation(each) for each in observations if not each.met]
    if missing:
        return ", ".join(missing)
    if not observations:
        return "nothing has been checked yet"
    return f"the conditions had not held for {format_elapsed(hold_for)}"
