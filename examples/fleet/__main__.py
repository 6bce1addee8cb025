"""Bring one stack per cluster up, several at a time: python -m examples.fleet CLUSTERS."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import click
from rich.console import Console

from .deploying import Stacks
from .running import Outcome, run
from .table import summary

PROGRAM = Path(__file__).parent.parent / "waves"


@click.command()
@click.argument("clusters", type=click.File("r"))
@click.option("--program", type=click.Path(exists=True, path_type=Path), default=PROGRAM, help="Each stack's program.")
@click.option("--parallel", type=click.IntRange(min=1), default=4, show_default=True, help="Clusters at a time.")
@click.option("--logs", type=click.Path(path_type=Path), default=Path("logs"), show_default=True, help="Where logs go.")
def main(clusters: TextIO, program: Path, parallel: int, logs: Path) -> None:
    """Bring one stack per cluster up; CLUSTERS is JSON: the config of each stack by the name of its cluster.

    The exit status is 1 when any cluster failed or was not reached. Ctrl-C interrupts every stack that runs, and starts
    no other.
    """
    fleet: Mapping[str, Mapping[str, str]] = json.load(clusters)
    console = Console()
    stacks = Stacks(program, logs)

    def ended(outcome: Outcome) -> None:
        console.print(f"{outcome.cluster}: {outcome.result}", highlight=False, markup=False)

    outcomes = run(fleet, stacks.deploy, stacks.interrupt, parallel=parallel, ended=ended)
    console.print(summary(outcomes))
    sys.exit(0 if all(outcome.succeeded for outcome in outcomes) else 1)


if __name__ == "__main__":
    main()
