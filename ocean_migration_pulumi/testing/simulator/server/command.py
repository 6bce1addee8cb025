"""The command ``ocean-migration simulator``."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from ocean_migration_pulumi.testing.simulator.kubernetes_api.access import write_kubeconfig
from ocean_migration_pulumi.testing.simulator.world.scenarios import SCENARIOS

if TYPE_CHECKING:
    from ocean_migration_pulumi.testing.simulator.server.server import Simulator

_IDLE_SECONDS = 3600.0
_READY = "The simulator is running. Press Ctrl-C to stop it."


_EXAMPLE = """\b
Example:
  ocean-migration simulator --scenario blocking-pdb --speed 120

"""
_EPILOG = (
    _EXAMPLE
    + "\b\nScenarios:\n"
    + "\n".join(f"  {name}: {scenario.description}" for name, scenario in SCENARIOS.items())
)


class _RefusedOptionError(click.ClickException):
    """A file or a combination of options that the simulator cannot use: wrong usage, in one line."""

    exit_code = 2


@click.command("simulator", epilog=_EPILOG)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    default=0,
    help="Port on 127.0.0.1. Default: 0, which selects a free one.",
)
@click.option(
    "--nodes",
    type=click.IntRange(1, 50_000),
    metavar="N",
    default=None,
    help="Nodes to migrate. Default: 16, or 10,000 in the scenario large.",
)
@click.option(
    "--scenario",
    type=click.Choice(list(SCENARIOS)),
    metavar="NAME",
    default="success",
    show_default=True,
    help="The scenario of the simulated world; see below.",
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0, max=10_000, min_open=True),
    metavar="N",
    default=None,
    help="Simulated seconds per real second. Default: 60.",
)
@click.option(
    "--seed",
    type=int,
    metavar="N",
    default=0,
    help="Seed of all ids and tokens: the same seed creates the same world.",
)
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    metavar="FILE",
    help="Keep the state in this file. An existing file takes precedence over --nodes, --scenario and --seed.",
)
@click.option(
    "--kubeconfig",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    metavar="FILE",
    help="Write a kubeconfig for the first cluster, with the right to evict pods, to this file.",
)
@click.option(
    "--intercept",
    is_flag=True,
    help="Serve api.spotinst.io through a proxy, and print the variables for clients with a fixed base URL.",
)
@click.option(
    "--replay",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    metavar="FILE",
    help="Replay a file of --record instead of a simulated world.",
)
@click.option(
    "--world",
    type=click.File("rb"),
    metavar="FILE",
    help="Serve the cluster that this JSON file describes, instead of a generated one.",
)
@click.option(
    "--export",
    is_flag=True,
    help='Run in the background and print only exports, for `eval "$(ocean-migration simulator --export)"`.',
)
@click.option(
    "--latency",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="MS",
    help="Delay every request by real milliseconds.",
)
def command(
    port: int,
    nodes: int | None,
    scenario: str,
    speed: float | None,
    seed: int,
    state: Path | None,
    kubeconfig: Path | None,
    intercept: bool,
    replay: Path | None,
    world: BinaryIO | None,
    latency: float,
    export: bool,
) -> None:
    """Serve Spot's Ocean API and the Kubernetes API of its clusters on loopback, without any real cluster.

    The first line of output is the base URL. The next lines are shell exports that direct clients to it. With
    --intercept the last ones are for clients with a fixed base URL, such as the Pulumi provider of Spot: a proxy, and
    the file of the certificate to trust, which is removed at the end.

    Stop the simulator with Ctrl-C or SIGTERM. With --export it runs in the background, and the output says how to stop
    it.
    """
    if export:
        _start_in_background()
        return
    from ocean_migration_pulumi.testing.simulator.server.server import Simulator

    try:
        simulator = Simulator(
            nodes=nodes,
            scenario=scenario,
            speed=speed,
            seed=seed,
            state_file=state,
            latency_ms=latency,
            port=port,
            replay=replay,
            world=None if world is None else _load_description(world),
        )
    except OSError as error:
        raise _RefusedOptionError(f"cannot use {error.filename}: {error.strerror}") from None
    except ValueError as error:
        where = "" if world is None else f"{world.name}: "
        raise _RefusedOptionError(f"{where}{error}") from None
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)
    with ExitStack() as running:
        try:
            running.enter_context(simulator)
        except OSError as error:
            raise click.ClickException(f"cannot serve on 127.0.0.1:{port}: {error.strerror}") from None
        variables = simulator.environment
        if kubeconfig is not None:
            variables["KUBECONFIG"] = _write_kubeconfig(kubeconfig.absolute(), simulator)
        if intercept:
            variables |= simulator.proxy_environment
        click.echo(simulator.url)
        for name, value in variables.items():
            click.echo(f"export {name}={shlex.quote(value)}")
        sys.stdout.flush()
        click.echo(_READY, err=True)
        while True:
            time.sleep(_IDLE_SECONDS)


def _start_in_background() -> None:
    """Start the same command without ``--export`` as a process of its own, and print what a shell evaluates."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--export"]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        process = subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-m", "ocean_migration_pulumi", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        messages = process.stderr or ()
        for message in messages:
            if message.strip() == _READY:
                break
            click.echo(message, nl=False, err=True)
        else:
            sys.exit(process.wait())
        output.seek(0)
        exports = [line for line in output if line.startswith("export ")]
    click.echo(f"{''.join(exports)}export SIMULATOR_PID={process.pid}")
    click.echo(f"Stop the simulator with: kill {process.pid}", err=True)


def _load_description(file: BinaryIO) -> dict[str, Any]:
    """Load the description of a cluster."""
    try:
        description = json.load(file)
    except (ValueError, RecursionError) as error:
        msg = f"not JSON: {error}"
        raise ValueError(msg) from None
    if not isinstance(description, dict):
        msg = "not a description of a cluster: it is not a JSON object"
        raise ValueError(msg)
    return description


def _write_kubeconfig(path: Path, simulator: Simulator) -> str:
    """Write a kubeconfig and return its path."""
    try:
        write_kubeconfig(path, simulator.kubeconfig(identity="run"))
    except KeyError:
        raise click.ClickException("there is no cluster to write a kubeconfig for") from None
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {error.strerror}") from None
    except ValueError as error:
        raise _RefusedOptionError(str(error)) from None
    return str(path)


def _exit(number: int, frame: FrameType | None) -> None:
    # A second signal must not interrupt the shutdown that the first one started.
    for other in (signal.SIGTERM, signal.SIGINT):
        signal.signal(other, signal.SIG_IGN)
    sys.exit(0)
