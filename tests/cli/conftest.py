"""A terminal with a simulator behind it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result

from ocean_migration_pulumi import cli
from ocean_migration_pulumi.simulator import Simulator

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


class Terminal:
    """Runs commands in this process; stdin, stdout and stderr are no terminal, as in a pipe."""

    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        self.ocean_id = sim.ocean_id

    def run(self, *arguments: str, given: str | None = None) -> Result:
        """Run a command on the simulator's cluster; what nobody foresaw is raised."""
        cluster = [] if "--cluster" in arguments else ["--cluster", self.ocean_id]
        return self.plain(*arguments, *cluster, given=given)

    def plain(self, *arguments: str, given: str | None = None) -> Result:
        """Run a command without naming a cluster."""
        return CliRunner().invoke(cli.main, list(arguments), input=given, catch_exceptions=False)

    def json(self, *arguments: str, status: int = 0) -> Any:
        """Run a command and return its JSON, which its documented schema describes whole."""
        result = self.run(*arguments, "--json")
        assert result.exit_code == status, result.output
        data = json.loads(result.stdout)
        described(arguments[0], data)
        return data


def described(name: str, data: Any) -> None:
    """Check data against the schema in docs/schemas; a key that it does not describe is an error here."""
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(_closed(schema)).validate(data)


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(part) for key, part in copy.copy(schema).items()}
    if "properties" in closed:
        closed.setdefault("additionalProperties", False)
    return closed


@pytest.fixture
def scenario() -> str:
    """Name what the simulator plays; a test may name something else."""
    return "success"


@pytest.fixture
def terminal(scenario: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """Give a terminal whose environment points at a fresh simulator of five nodes, a minute in a tenth of a second."""
    with Simulator(nodes=5, scenario=scenario, speed=600) as sim:
        for name, value in sim.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("OCEAN_MIGRATION_POLL_INTERVAL", "0.05")
        monkeypatch.delenv("KUBECONFIG", raising=False)
        yield Terminal(sim)


@pytest.fixture
def as_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let stdin pass for a terminal, once called."""

    def pretend() -> None:
        monkeypatch.setattr("ocean_migration_pulumi.cli.commands.migrate.start.is_interactive", lambda: True)

    return pretend
