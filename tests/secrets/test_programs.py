"""A whole stack with every secret that it can have: what becomes of them in all that an engine and a command leave."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ocean_migration_pulumi import cli
from ocean_migration_pulumi.simulator import Simulator
from tests.scenarios import pulumi_driver
from tests.scenarios.driver import Driver, Run
from tests.scenarios.offline_driver import OfflineDriver
from tests.scenarios.pulumi_driver import PulumiDriver
from tests.scenarios.scene import Expression, Scene
from tests.secrets.finder import Finder, everything_logged
from tests.support import http_server as http

TOKEN = "canary-7f3a/0+b&c%d-of-the-service"
PATH = "/services/T0/B0/canary+of/the-channel"

# Every process of the stack logs all there is to a file of its own.
LOGGING = """
import logging, os, pathlib
logging.basicConfig(level=logging.DEBUG, filename=pathlib.Path(__file__).parent / f"{os.getpid()}.log")
"""


@pytest.fixture(autouse=True)
def forked() -> None:
    """Start the processes of a stack as for everybody: those that are forked would log nothing."""


@pytest.fixture(params=["offline", "pulumi"])
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Driver]:
    """Make a stack on each engine; skip the real one where there is none."""
    if request.param == "pulumi" and (reason := pulumi_driver.missing()):
        pytest.skip(reason)
    kind = {"offline": OfflineDriver, "pulumi": PulumiDriver}[request.param]
    stack = kind(tmp_path / "stack", {})
    yield stack
    stack.close()


def configured(config: str) -> Expression:
    """Return the source of a secret of the stack's config."""
    return Expression(f"pulumi.Config().require_secret({config!r})")


def token_of(kubeconfig: str) -> str:
    """Return the token in a kubeconfig."""
    return kubeconfig.partition("token: ")[2].splitlines()[0].strip("\"' ")


def test_a_stack_leaves_no_secret_anywhere(driver: Driver, tmp_path: Path) -> None:
    """Token, kubeconfig and URL: not in previews, saved plans, states, events, logs, records, whatever goes wrong."""
    (logs := tmp_path / "logs").mkdir()
    (logs / "sitecustomize.py").write_text(LOGGING)
    driver.environment["PYTHONPATH"] = f"{logs}:{driver.environment['PYTHONPATH']}"
    record, plan = tmp_path / "record.jsonl", tmp_path / "plan.json"
    channel = http.ScriptedServer([http.answer(308, Location=f"http://127.0.0.1:1{PATH}"), *[http.answer(200)] * 40])
    with channel, Scene(driver, scenario="failure-timeout") as scene:
        scene.simulator._simulation.world.tokens = [TOKEN]
        del driver.environment["SPOTINST_TOKEN"]
        kubeconfig = scene.simulator.kubeconfig(identity="run")
        finder = Finder(TOKEN, token_of(kubeconfig), PATH)
        secrets: dict[str, Any] = {"spotinst:token": TOKEN, "kubeconfig": kubeconfig, "channel": channel.url + PATH}
        driver.configure(secret=True, **secrets)
        settings: dict[str, Any] = {"ocean-migration:record": str(record)}
        driver.configure(**settings)
        scene.declare(kubeconfig=configured("kubeconfig"), notifications=[configured("channel")])
        saving = {"save_plan": plan} if driver.name == "pulumi" else {}
        runs: list[Run] = [scene.preview(**saving), scene.up_fails()]
        assert {request.target for request in channel.requests} == {PATH}
        scene.control.rotate_token()
        runs.append(driver.up())
        assert runs[-1].exit_code != 0
        state, requests = driver.state(), scene.control.requests(api="all")
    for number, run in enumerate(runs):
        finder.refute(**{f"output {number}": run.output, f"events {number}": run.events})
    finder.refute(state=state, requests=requests, record=record.read_bytes())
    # OfflineStack says that it does not encrypt its configuration; it keeps none in a file either.
    finder.refute_below(tmp_path)
    told = "".join(path.read_text() for path in logs.glob("*.log"))
    assert "httpcore" in told, "nobody has logged"


COMMANDS: dict[str, tuple[str, ...]] = {
    "config": (),
    "clusters": (),
    "candidates": (),
    "plan": ("--all-nodes",),
    "start": ("--all-nodes", "--yes", "--watch"),
    "status": (),
    "watch": (),
    "wait": (),
    "explain": (),
    "report": (),
    "history": (),
    "nodes": (),
    "logs": (),
    "doctor": (),
}


@pytest.mark.parametrize("accepted", [True, False], ids=["accepted", "refused"])
def test_no_command_tells_a_secret(accepted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In any format, to stdout or stderr, with the service's consent or without."""
    with Simulator(nodes=2, speed=2000) as sim, everything_logged() as lines:
        sim._simulation.world.tokens = [TOKEN if accepted else "another-token-of-the-service"]
        text = sim.kubeconfig(identity="run")
        (kubeconfig := tmp_path / "kubeconfig").write_text(text)
        finder = Finder(TOKEN, token_of(text))
        for name, value in {**sim.environment, "SPOTINST_TOKEN": TOKEN, "KUBECONFIG": str(kubeconfig)}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("OCEAN_MIGRATION_POLL_INTERVAL", "0.05")
        record = tmp_path / "record.jsonl"
        for name, options in COMMANDS.items():
            arguments = [name, *options, "--cluster", sim.ocean_id, "--record", str(record)]
            result = CliRunner().invoke(cli.main, arguments)
            assert isinstance(result.exception, SystemExit | None), name
            assert accepted or name == "config" or result.exit_code != 0, name
            finder.refute(**{name: f"{name} {result.output} {result.stderr}"})
        as_json = CliRunner().invoke(cli.main, ["config", "--json"])
        assert "[set]" in as_json.output
        finder.refute(config=json.loads(as_json.output), record=record.read_bytes(), logs=lines)
