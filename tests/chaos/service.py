"""The simulator as a process that can be killed, and restarted with its state file on the same port."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from ocean_migration_pulumi.simulator import SimulatorControl
from tests.chaos.schedule import Schedule
from tests.scenarios.scene import beat
from tests.support.timing import PATIENCE
from tests.testing.simulator.process import Remote, running

_TRIES: Final = 20
_PAUSE: Final = 0.2


class Service:
    """The simulator of one run, for as long as the ``with`` block lasts."""

    def __init__(self, schedule: Schedule, state: Path) -> None:
        self._arguments = (
            *("--state", str(state), "--nodes", str(schedule.nodes), "--seed", str(schedule.seed)),
            *("--speed", str(schedule.speed), "--latency", str(schedule.latency_ms)),
        )
        self._started = ExitStack()
        self._remote = self._start("0")
        beat(self.control, self.ocean_id)
        if schedule.count_daemonset_pods:
            self.control.quirk("count_daemonset_pods", "yes")
        if schedule.standalone:
            self.control.add_pod(self.ocean_id, self.nodes("web")[0], name="alone", controller=None)

    @property
    def control(self) -> SimulatorControl:
        """A client of the control API."""
        return self._remote.control

    @property
    def ocean_id(self) -> str:
        """The one cluster."""
        return self._remote.ocean_id

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point clients at the simulator."""
        return {"SPOTINST_BASE_URL": self._remote.url, **self._remote.exports}

    def kill(self) -> None:
        """Kill it."""
        self._remote.process.kill()
        self._remote.process.wait(PATIENCE)

    def restart(self) -> None:
        """Start it again as it was."""
        port = self._remote.url.rpartition(":")[2]
        for _ in range(_TRIES):
            try:
                self._remote = self._start(port)
            except ValueError:
                # It printed nothing: a connection of somebody else has the port for the moment.
                time.sleep(_PAUSE)
            else:
                return
        msg = f"the simulator does not start again on port {port}"
        raise RuntimeError(msg)

    def requests(self, since: int = 0, *, api: str = "spot") -> list[dict[str, Any]]:
        """Return the requests after a number; none while it is down."""
        try:
            return self.control.requests(since=since, api=api)
        except OSError:
            return []

    def mark(self) -> int:
        """Return the number of the last request so far."""
        return max((entry["n"] for entry in self.requests()), default=0)

    def write_kubeconfig(self, path: Path) -> None:
        """Write a kubeconfig that may read the cluster."""
        path.write_text(self.control.kubeconfig(self.ocean_id), encoding="utf-8")

    def nodes(self, *groups: str) -> list[str]:
        """Return the instances of Auto Scaling Groups, gone ones included."""
        nodes = self.control.nodes(self.ocean_id)
        return sorted(node["instance_id"] for node in nodes if node["asg_name"] in groups)

    def _start(self, port: str) -> Remote:
        return self._started.enter_context(running(*self._arguments, "--port", port))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._started.close()
