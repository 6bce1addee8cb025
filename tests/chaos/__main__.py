"""Kill everything and lie at random moments, many times, and see that nothing is lost or claimed: `make chaos`."""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import click

from tests.chaos.playing import Outcome, play
from tests.chaos.schedule import MOST_LIES, MOST_STRIKES, Schedule, decide
from tests.chaos.table import details, line, table
from tests.scenarios import pulumi_driver
from tests.support.signals import restore_signals


class _Range(click.ParamType[tuple[int, int]]):
    name = "A-B"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        first, _, last = str(value).partition("-")
        try:
            found = int(first), int(last or first)
        except ValueError:
            self.fail("two numbers with - between, or one", param, ctx)
        if not 3 <= found[0] <= found[1]:
            self.fail("from 3 nodes on, one for each Auto Scaling Group", param, ctx)
        return found


@click.command()
@click.option("--runs", type=click.IntRange(min=1), default=500, show_default=True, help="Runs on each engine.")
@click.option("--seed", type=int, help="The seed of the first run, by default a random one; the next ones follow it.")
@click.option(
    "--engine",
    type=click.Choice(["all", "offline", "pulumi"]),
    default="all",
    show_default=True,
    help="all: OfflineStack, and the `pulumi` on the PATH where there is one.",
)
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Runs at a time.")
@click.option("--nodes", type=_Range(), default="8-64", show_default=True, help="Nodes of a run.")
@click.option("--strikes", type=click.IntRange(1, 9), default=MOST_STRIKES, show_default=True, help="Kills at most.")
@click.option("--lies", type=click.IntRange(0, 9), default=MOST_LIES, show_default=True, help="Lies at most.")
def main(runs: int, seed: int | None, engine: str, jobs: int, nodes: tuple[int, int], strikes: int, lies: int) -> None:
    """Play runs that are killed and lied to at random moments, and print a table.

    A run that fails, or that is played alone by its seed, is told in full: what happened when, what is wrong, and the
    requests around the kills. The exit status is 1 when any failed.
    """
    missing = pulumi_driver.missing()
    if engine == "pulumi" and missing:
        raise click.ClickException(missing)
    engines = ["offline", *([] if missing else ["pulumi"])] if engine == "all" else [engine]
    first = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    click.echo(f"seeds {first} to {first + runs - 1} on {' and '.join(engines)}, {jobs} at a time")
    schedules = [
        (decide(first + number, nodes=nodes, strikes=strikes, lies=lies), each)
        for number in range(runs)
        for each in engines
    ]
    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for done in as_completed([pool.submit(_played, *each) for each in schedules]):
                outcome = done.result()
                outcomes.append(outcome)
                click.echo(line(outcome, len(outcomes), len(schedules)))
                if outcome.broken or runs == 1:
                    click.echo("\n".join(details(outcome)))
                outcome.requests.clear()
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    click.echo("\n".join(table(outcomes)))
    failed = sorted(f"{each.schedule.seed} on {each.engine}" for each in outcomes if each.broken)
    if failed:
        click.echo(f"failed: {', '.join(failed)}")
        sys.exit(1)


def _played(schedule: Schedule, engine: str) -> Outcome:
    """Play a run in a directory of its own, which is kept when it failed."""
    directory = Path(tempfile.mkdtemp(prefix=f"chaos-{schedule.seed}-{engine}-"))
    outcome = play(schedule, engine, directory)
    if outcome.broken:
        outcome.run_report.append(f"its files: {directory}")
    else:
        shutil.rmtree(directory)
    return outcome


if __name__ == "__main__":
    restore_signals()
    main()
