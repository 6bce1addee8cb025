"""A stack and a simulator of its own: what most scenarios are played on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ocean_migration_pulumi.migration.spec.approval import plan_digest
from ocean_migration_pulumi.migration.spec.spec import read_spec
from ocean_migration_pulumi.simulator import Simulator, SimulatorControl
from tests.scenarios import support
from tests.scenarios.driver import Driver, Run, Running
from tests.scenarios.support import POLL

SPEED = 400.0
"""Simulated seconds per real second: a migration of two batches takes a second and a half."""


STARTS = "*/migration"
"""The route of starts, and of the list of migrations."""

STATUSES = "*/migration/owm-*"
"""The route of the status of a migration, and of stops."""


UNKNOWN = frozenset({"[unknown]", "04da6b54-80e4-46f7-96ec-b56ff0331ba9"})
"""How a value that is known only later stands in the events: OfflineStack says so, the engine writes its own sign."""


class Expression(str):
    """Source instead of a value: stands in a program as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Scene:
    """One stack whose program declares migrations on one simulator, for as long as the `with` block lasts."""

    def __init__(self, driver: Driver, *, nodes: int = 4, speed: float = SPEED, **simulator: Any) -> None:
        self.driver = driver
        self.simulator = Simulator(nodes=nodes, speed=speed, **simulator)

    def __enter__(self) -> Self:
        self.simulator.start()
        self.control = self.simulator.control
        self.ocean_id = self.simulator.ocean_id
        self._beat(self.ocean_id)
        point(self.driver, self.simulator.environment)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.simulator.stop()

    def _beat(self, ocean_id: str) -> None:
        beat(self.control, ocean_id)

    def install_controller(self) -> None:
        """Let the controller of a new cluster report for the first time."""
        self.control.heartbeat(self.ocean_id)
        self._beat(self.ocean_id)

    def add_cluster(self, **options: Any) -> str:
        """Add a cluster of four nodes and return its id."""
        ocean_id = str(self.control.add_cluster(4, **options)["id"])
        self._beat(ocean_id)
        return ocean_id

    def declare(self, name: str = "web", *, opts: str = "", **inputs: Any) -> None:
        """Let the program consist of one migration; without `nodes` it takes the Auto Scaling Group `web`."""
        self.program(self.resource(name, opts=opts, **inputs))

    def resource(self, name: str = "web", *, opts: str = "", ocean_id: str | None = None, **inputs: Any) -> str:
        """Return the source of one migration."""
        return support.resource(self.ocean_id if ocean_id is None else ocean_id, name, opts=opts, **inputs)

    def program(self, *resources: str) -> None:
        """Let the program consist of these resources."""
        self.driver.write_program(support.program(*resources))

    def preview(self, **flags: Any) -> Run:
        """Run a preview that succeeds and writes nothing."""
        mark = self.mark()
        run = self.driver.preview(**flags)
        assert run.exit_code == 0, run.output
        assert not self.writes(mark)
        return run

    def up(self, **flags: Any) -> Run:
        """Run an update that succeeds."""
        run = self.driver.up(**flags)
        assert run.exit_code == 0, run.output
        return run

    def up_fails(self, **flags: Any) -> Run:
        """Run an update that fails, with a reason and no traceback of ours."""
        run = self.driver.up(**flags)
        assert_failed(run)
        return run

    def up_unchanged(self, *names: str) -> Run:
        """Run an update that finds nothing to do and writes nothing."""
        mark = self.mark()
        run = self.up()
        assert {run.ops[name] for name in names or ("web",)} == {"same"}, run.output
        assert not self.writes(mark)
        return run

    def up_waiting(self) -> Running:
        """Start an update, and return when it waits for the migration that it started or found."""
        running = self.driver.start("up")
        running.wait_until(lambda run: any("/" in status and "nodes" in status for status in run.statuses))
        return running

    def destroy(self, **flags: Any) -> Run:
        """Run a destruction that succeeds."""
        run = self.driver.destroy(**flags)
        assert run.exit_code == 0, run.output
        return run

    def refresh(self, **flags: Any) -> Run:
        """Run a refresh that succeeds and writes nothing."""
        mark = self.mark()
        run = self.driver.refresh(**flags)
        assert run.exit_code == 0, run.output
        assert not self.writes(mark)
        return run

    def outputs(self, name: str = "web") -> dict[str, Any]:
        """Return the outputs of a migration as the state holds them."""
        outputs: dict[str, Any] = self._resource(name)["outputs"]
        return outputs

    def stored_status(self, name: str) -> str | None:
        """Return the status of a resource's latest migration as the state holds it."""
        status: str | None = self.outputs(name)["status"]
        return status

    def init_errors(self, name: str = "web") -> list[str]:
        """Return why the last update of a migration was a partial failure; empty when it was none."""
        return self._resource(name).get("initErrors") or []

    def _resource(self, name: str) -> dict[str, Any]:
        found = self.driver.resource(name)
        assert found is not None, f"{name} is not in the state"
        return found

    def asg(self, name: str = "web") -> list[str]:
        """Return the instances of an Auto Scaling Group, gone ones included."""
        return support.instances(self.simulator, name)

    def migrations(self) -> list[dict[str, Any]]:
        """Return every migration of the cluster, oldest first."""
        return support.migrations(self.simulator)

    def mark(self) -> int:
        """Return the number of the last request so far."""
        return support.last_request(self.simulator)

    def writes(self, since: int = 0) -> list[dict[str, Any]]:
        """Return the writes after a request."""
        return support.writes(self.simulator, since)

    def starts(self, since: int = 0) -> list[dict[str, Any]]:
        """Return the `migration` part of each start that was accepted after a request."""
        return [each["body"]["migration"] for each in self.control.requests(effective=True, since=since)]

    def stops(self, since: int = 0) -> list[dict[str, Any]]:
        """Return the `migration` part of each stop that was sent after a request."""
        return [each["body"]["migration"] for each in self.control.requests(method="PUT", since=since)]

    def hold(self, held: bool = True) -> None:
        """Freeze every migration of the cluster, or let them go on."""
        self.control.hold(self.ocean_id, held)


def point(driver: Driver, environment: Mapping[str, str]) -> None:
    """Let a driver's commands see the simulator of these variables, and nothing of the machine's own access."""
    variables = driver.environment
    for name in [name for name in variables if name.startswith(("SPOTINST_", "KUBE", "AWS_"))]:
        del variables[name]
    # With access to Kubernetes AWS is asked, too: not even the machine's own credentials service.
    variables["AWS_EC2_METADATA_DISABLED"] = "true"
    # The home of whoever runs the tests may hold credentials.
    home = driver.directory / "user"
    home.mkdir()
    variables |= {**environment, "OCEAN_MIGRATION_POLL_INTERVAL": str(POLL), "HOME": str(home)}


def beat(control: SimulatorControl, ocean_id: str) -> None:
    """Let a controller that is alive stay so: at a scene's speed its ten minutes are over in a second and a half."""
    clusters = control.overview()["clusters"]
    if any(each["id"] == ocean_id and each["heartbeat"] == "ACTIVE" for each in clusters):
        control.heartbeat(ocean_id, age_seconds=-30 * 86_400)


def assert_failed(run: Run) -> None:
    """Assert that a run failed and says why, without a traceback of this package."""
    assert run.exit_code != 0, run.output
    assert run.errors, run.output
    assert 'File "' not in "\n".join(run.errors), run.output


def inputs_of(run: Run, name: str = "web") -> dict[str, Any]:
    """Return the inputs that a run showed of a migration."""
    inputs = run.inputs(name)
    assert inputs is not None, run.output
    return inputs


def plan_of(run: Run, name: str = "web") -> dict[str, str]:
    """Return the planned nodes that a run showed of a migration."""
    planned: dict[str, str] = inputs_of(run, name)["planned_nodes"]
    return planned


def digest_of(run: Run, name: str = "web") -> str:
    """Return the digest of the plan of a preview."""
    return plan_digest(plan_of(run, name), read_spec(inputs_of(run, name))[0])


def said(run: Run, *parts: str) -> bool:
    """Tell whether one message that stays holds all the parts."""
    return any(all(part in message for part in parts) for _, message in run.diagnostics)


def warned(run: Run, *parts: str) -> bool:
    """Tell whether one warning holds all the parts."""
    return any(all(part in message for part in parts) for message in run.warnings)


def failed(run: Run, *parts: str) -> bool:
    """Tell whether one error holds all the parts."""
    return any(all(part in message for part in parts) for message in run.errors)


def everything_below(directory: Path) -> str:
    """Return the text of every file below a directory, to look for what must not be there."""
    return "\n".join(
        path.read_text(encoding="utf-8", errors="replace") for path in directory.rglob("*") if path.is_file()
    )


def plain(document: Any) -> str:
    """Return a document of the state as text."""
    return json.dumps(document)
