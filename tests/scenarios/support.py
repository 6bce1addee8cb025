"""What the scenarios share: programs, what a simulator has seen, and what must be true after each of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from ocean_migration_pulumi.simulator import SimulatorControl
from tests.scenarios.driver import TIMEOUT, Driver, Running

POLL = 0.05
"""Seconds between two polls of a migration."""

_HEADER = "import pulumi\nfrom ocean_migration_pulumi import OceanWorkloadMigration\n"


class Served(Protocol):
    """A simulator, in this process or in one of its own."""

    @property
    def control(self) -> SimulatorControl:
        """A client of the control API."""

    @property
    def ocean_id(self) -> str:
        """The first cluster."""


def resource(ocean_id: str, name: str = "web", *, opts: str = "", **inputs: Any) -> str:
    """Return the source of one resource; without `nodes` it takes the Auto Scaling Group `web`.

    `opts` is the source of its options, such as `pulumi.ResourceOptions(protect=True)`.
    """
    given = {"nodes": {"asg_names": ["web"]}, "batch_size_percentage": 50, **inputs}
    lines = [f"    {key}={value!r}," for key, value in given.items()]
    lines += [f"    opts={opts},"] if opts else []
    return "\n".join([f"{name} = OceanWorkloadMigration(", f"    {name!r},", f"    {ocean_id!r},", *lines, ")\n"])


def program(*resources: str) -> str:
    """Return the source of a program."""
    return _HEADER + "".join(resources)


def instances(simulator: Served, asg_name: str = "web") -> list[str]:
    """Return the instances of an Auto Scaling Group, gone ones included."""
    nodes = simulator.control.nodes(simulator.ocean_id)
    return sorted(node["instance_id"] for node in nodes if node["asg_name"] == asg_name)


def migrations(simulator: Served) -> list[dict[str, Any]]:
    """Return the migrations of the first cluster, oldest first."""
    return simulator.control.migrations(simulator.ocean_id)


def last_request(simulator: Served) -> int:
    """Return the number of the last request so far."""
    return max((entry["n"] for entry in simulator.control.requests()), default=0)


def writes(simulator: Served, since: int = 0) -> list[dict[str, Any]]:
    """Return the writes after a request, whatever came of them."""
    return [entry for entry in simulator.control.requests(since=since) if entry["method"] != "GET"]


def effective_starts(simulator: Served) -> list[frozenset[str]]:
    """Return the node set of each start that was accepted, and not stopped by us before it drained a node."""
    stopped = {entry["migration_id"] for entry in simulator.control.requests(method="PUT") if entry["status"] == 200}
    void = {each["id"] for each in migrations(simulator) if each["id"] in stopped and not each["drained_before_stop"]}
    return [
        frozenset(entry["body"]["migration"]["instanceIds"])
        for entry in simulator.control.requests(effective=True)
        if entry["migration_id"] not in void
    ]


def assert_moved_once(simulator: Served, planned: list[str]) -> None:
    """Assert that every planned node was migrated: one start for each node set, none in two migrations at once."""
    starts = effective_starts(simulator)
    assert len(starts) == len(set(starts)), f"the same nodes were started twice: {starts}"
    ran = migrations(simulator)
    assert all(each["terminal"] for each in ran), ran
    drained = [instance_id for each in ran for instance_id in each["drained"]]
    assert sorted(drained) == sorted(planned), ran
    for older, younger in ((ran[i], ran[j]) for i in range(len(ran)) for j in range(i + 1, len(ran))):
        shared = set(older["instance_ids"]) & set(younger["instance_ids"])
        if shared & set(younger["drained"]):
            assert _ended_at(older) <= younger["created_at"] or not shared & set(older["drained"]), (older, younger)


def assert_done(driver: Driver, planned: list[str], name: str = "web") -> dict[str, Any]:
    """Assert that the state says so, too, and return the outputs."""
    state = driver.resource(name)
    assert state is not None
    outputs: dict[str, Any] = state["outputs"]
    assert outputs["migrated_nodes"] == sorted(planned), outputs
    assert outputs["remaining_nodes"] == []
    assert outputs["succeeded"] is True
    assert not state.get("initErrors")
    return outputs


def assert_nothing_pending(driver: Driver) -> None:
    """Assert that nothing is pending but creations, which the documented refresh clears, and that it does."""
    pending = driver.pending_operations()
    assert {operation for operation, _ in pending} <= {"creating"}
    if pending:
        run = driver.refresh(clear_pending_creates=True)
        assert run.exit_code == 0, run.output
        assert driver.pending_operations() == []


def assert_no_orphans(running: Running, within: float = 30.0) -> None:
    """Assert that the plugins and the program of a command end, whatever became of their engine."""
    eventually(lambda: not running.plugin_pids(), within, "a plugin outlives its engine")
    eventually(lambda: not running.program_pids(), within, "a program outlives its engine")


def eventually(met: Callable[[], bool], within: float = TIMEOUT, message: str = "not in time") -> None:
    """Wait until a condition is met; the bound is generous, for machines that are busy."""
    deadline = time.monotonic() + within
    while not met():
        assert time.monotonic() < deadline, message
        time.sleep(0.01)


def _ended_at(migration: dict[str, Any]) -> float:
    ended = (migration[key] for key in ("completed_at", "errored_at", "stopped_at"))
    return next((at for at in ended if at is not None), float("inf"))
