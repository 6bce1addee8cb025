"""`make demo`: start the simulator and an engine, and run a migration from preview to destroy."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.text import Text

from examples.demo.engines import EngineError, choose, end
from examples.demo.narrator import DisprovedError, Narrator
from examples.demo.story import Story
from ocean_migration_pulumi.simulator import SimulatorControl

ROOT: Final = Path(__file__).resolve().parents[2]
SPEED: Final = 120
"""Simulated seconds per second: a migration of minutes takes seconds."""

_START_SECONDS: Final = 30.0
_VARIABLES: Final = 5

_READ_NEXT: Final = """\
Read next:
  README.md                     install, write a program, use the real service
  examples/basic                the program that ran here
  docs/reference/resource.md    inputs, outputs, and how the resource behaves
  docs/reference/simulator.md   the simulator: ocean-migration simulator
  docs/how-to/testing.md        test your own programs with OfflineStack"""


@click.command()
@click.option(
    "--engine",
    type=click.Choice(["auto", "pulumi", "offline", "download"]),
    default="auto",
    help="auto and pulumi take the pulumi command on the PATH, download gets it; without one it is OfflineStack.",
)
def main(engine: str) -> None:
    """Run examples/basic from preview to destroy on a simulator; leave nothing behind.

    The exit status is 1 when a step did not do what it claims.
    """
    started = time.monotonic()
    console = Console(highlight=False)
    # Messages of the engine may hold what the terminal's encoding lacks.
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a TextIOWrapper, as the interpreter made it
    with tempfile.TemporaryDirectory(prefix="ocean-migration-demo-", ignore_cleanup_errors=True) as directory:
        home = Path(directory)
        project = home / "project"
        project.mkdir()
        shutil.copy(ROOT / "Pulumi.yaml", project)
        shutil.copytree(ROOT / "examples" / "basic", project / "examples" / "basic")
        console.print(Text("Spot Ocean's workload migration, as code", style="bold"))
        command = f"ocean-migration simulator --nodes 16 --speed {SPEED} --kubeconfig kubeconfig"
        console.print(Text(f"$ {command}", style="bold cyan"))
        with simulator(SPEED, home / "kubeconfig") as environment:
            control = SimulatorControl(environment["SPOTINST_BASE_URL"])
            ocean_id = environment["OCEAN_ID"]
            console.print(Text(_world(control, ocean_id)))
            variables = {**environment, "OCEAN_MIGRATION_POLL_INTERVAL": "0.1"}
            try:
                chosen = choose(engine, project, home, variables, ROOT / ".demo" / "pulumi")
            except EngineError as error:
                console.print(Text(f"  ✗ {error}", style="bold red"))
                sys.exit(1)
            console.print(Text(f"Engine: {chosen.introduction}"))
            try:
                chosen.prepare()
                Story(Narrator(chosen, console), control, ocean_id).tell()
            except DisprovedError as error:
                console.print(Text(f"  ✗ not so: {error}", style="bold red"))
                sys.exit(1)
            except (EngineError, subprocess.SubprocessError) as error:
                console.print(Text(f"  ✗ {error}", style="bold red"))
                sys.exit(1)
    console.print()
    console.print(Text(f"Done in {time.monotonic() - started:.0f} s; nothing of it is left.", style="bold"))
    console.print(Text(_READ_NEXT))


@contextmanager
def simulator(speed: float, kubeconfig: Path) -> Iterator[dict[str, str]]:
    """Run the simulator as the command that it is; the variables are those that it prints."""
    options = ["--nodes", "16", "--speed", str(speed), "--kubeconfig", str(kubeconfig)]
    process = subprocess.Popen(  # noqa: S603 - this interpreter, with our own arguments
        [sys.executable, "-m", "ocean_migration_pulumi", "simulator", *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # it says how to stop it, which the demo does
        text=True,
        process_group=0,
    )
    overdue = threading.Timer(_START_SECONDS, process.kill)
    overdue.start()
    try:
        environment: dict[str, str] = {}
        for line in process.stdout or ():
            name, separator, value = line.removeprefix("export ").strip().partition("=")
            if separator:
                environment[name] = value
            if len(environment) == _VARIABLES:
                break
        else:
            msg = "the simulator did not start; `ocean-migration simulator` shows why"
            raise click.ClickException(msg)
        overdue.cancel()
        yield environment
    finally:
        overdue.cancel()
        end(process)


def _world(control: SimulatorControl, ocean_id: str) -> str:
    nodes = control.nodes(ocean_id)
    groups = sorted({node["asg_name"] for node in nodes})
    return (
        f"Cluster {ocean_id}: {len(nodes)} nodes in {len(groups)} Auto Scaling Groups ({', '.join(groups)}), "
        "2 Virtual Node Groups. The simulator is Spot's API on 127.0.0.1; a minute takes half a second."
    )


if __name__ == "__main__":
    main()
