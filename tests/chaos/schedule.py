"""What a seed decides: the program, the cluster, and what is killed when. The same seed decides the same."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from tests.scenarios import support
from tests.scenarios.scene import Expression

ROOT: Final = Path(__file__).parents[2]

MOST_STRIKES: Final = 3

_BATCH_SECONDS: Final = 210.0
"""Simulated seconds that a batch takes, roughly."""

_TERMINATION_SECONDS: Final = 180.0


class Victim(StrEnum):
    """What a kill strikes."""

    PROGRAM = "program"
    PLUGIN = "plugin"
    ENGINE = "engine"
    GROUP = "group"
    SIMULATOR = "simulator"


class Moment(StrEnum):
    """From what on the time to a kill is counted: the command's begin, a request of it, or what that request is for."""

    BEGIN = "its begin"
    REQUEST = "request"
    START = "its first write"
    LOOK = "its first look at a migration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One kill: ``seconds`` after a moment of an ``up``; ``count`` says which request.

    The simulator is down for ``down`` seconds.
    """

    victim: Victim
    moment: Moment
    count: int
    seconds: float
    down: float

    def __str__(self) -> str:
        moment = f"{self.moment} {self.count}" if self.moment is Moment.REQUEST else str(self.moment)
        down = f", down for {self.down:.2f} s" if self.victim is Victim.SIMULATOR else ""
        return f"{self.victim}, {self.seconds:.2f} s after {moment}{down}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One run, which ``arguments`` decide again.

    ``story`` names the programs; ``speed`` is simulated seconds per real second. A ``hasty`` user runs `pulumi cancel`
    and `pulumi up` at once after a kill, before the orphans have ended.
    """

    seed: int
    arguments: str
    nodes: int
    run_report: str
    batch_size_percentage: int
    terminate: bool
    speed: float
    latency_ms: int
    hasty: bool
    strikes: tuple[Strike, ...]

    def __str__(self) -> str:
        head = (
            f"{self.run_report}, {self.nodes} nodes, batches of {self.batch_size_percentage} %"
            f"{', terminating' if self.terminate else ''}, speed {self.speed:.0f}, latency {self.latency_ms} ms"
            f"{', hasty' if self.hasty else ''}"
        )
        return "\n".join([head, *(f"  kill {number}: {each}" for number, each in enumerate(self.strikes, 1))])


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Programs that follow each other; the kills strike the last one.

    ``planned`` has the Auto Scaling Groups of each resource of the last one. ``fails``: the migration of the first one
    fails half way.
    """

    programs: tuple[str, ...]
    planned: dict[str, tuple[str, ...]]
    fails: bool = False


def decide(seed: int, *, nodes: tuple[int, int] = (8, 64), strikes: int = MOST_STRIKES) -> Schedule:
    """Return the run of a seed, with a number of nodes in a range and at most so many strikes."""
    chance = random.Random(seed)  # noqa: S311 - a reproducible run, no secret
    run_report = chance.choice(sorted(_STORIES))
    batch = chance.choice((20, 25, 34, 50))
    terminate = chance.random() < 0.4
    lasts = chance.uniform(1.5, 8.0)
    simulated = _BATCH_SECONDS * -(-100 // batch) + _TERMINATION_SECONDS * terminate
    return Schedule(
        seed=seed,
        arguments=f"--seed {seed} --nodes {nodes[0]}-{nodes[1]} --strikes {strikes}",
        nodes=chance.randint(*nodes),
        run_report=run_report,
        batch_size_percentage=batch,
        terminate=terminate,
        speed=simulated / lasts,
        latency_ms=chance.choice((5, 20, 50, 100)),
        hasty=chance.random() < 0.3,
        strikes=tuple(_strike(chance, lasts, first=number == 0) for number in range(chance.randint(1, strikes))),
    )


def tell(schedule: Schedule, ocean_id: str) -> Story:
    """Return the programs of a run, on a cluster."""
    return _STORIES[schedule.run_report](schedule, ocean_id)


def _strike(chance: random.Random, lasts: float, *, first: bool) -> Strike:
    moment = chance.choices(list(Moment), weights=(3, 4, 2 if first else 0, 4))[0]
    longest = {Moment.BEGIN: 3.0, Moment.REQUEST: 0.1, Moment.START: 0.3, Moment.LOOK: 1.1 * lasts}[moment]
    return Strike(
        victim=chance.choice(list(Victim)),
        moment=moment,
        count=chance.randint(1, 18),
        seconds=chance.uniform(0.0, longest),
        down=chance.uniform(0.0, 1.5),
    )


def _basic(schedule: Schedule, ocean_id: str) -> Story:
    """Take the first example, as it is."""
    source = (ROOT / "examples" / "basic" / "__main__.py").read_text(encoding="utf-8")
    return Story(programs=(source,), planned={"workers": ("web",)})


def _one(schedule: Schedule, ocean_id: str) -> Story:
    """Let one resource take every node."""
    groups = ("api", "batch", "web")
    return Story(
        programs=(support.program(_resource(schedule, ocean_id, "web", nodes={"all_nodes": True})),),
        planned={"web": groups},
    )


def _two(schedule: Schedule, ocean_id: str) -> Story:
    """Let two resources of one cluster wait for each other."""
    first, second = _resource(schedule, ocean_id, "web"), _resource(schedule, ocean_id, "api")
    return Story(programs=(support.program(first, second),), planned={"web": ("web",), "api": ("api",)})


def _waves(schedule: Schedule, ocean_id: str) -> Story:
    """Let a second resource take the rest, when the first is done."""
    rest = _resource(
        schedule,
        ocean_id,
        "rest",
        opts="pulumi.ResourceOptions(depends_on=[web])",
        nodes={"asg_names": ["web", "api"]},
        planned_elsewhere=Expression("web.planned_nodes.apply(lambda nodes: [*nodes])"),
    )
    return Story(
        programs=(support.program(_resource(schedule, ocean_id, "web"), rest),),
        planned={"web": ("web",), "rest": ("api",)},
    )


def _grown(schedule: Schedule, ocean_id: str) -> Story:
    """Let a resource that is done take more nodes: the kills strike its update."""
    before = _resource(schedule, ocean_id, "web")
    after = _resource(schedule, ocean_id, "web", nodes={"asg_names": ["web", "batch"]})
    return Story(programs=(support.program(before), support.program(after)), planned={"web": ("web", "batch")})


def _failed(schedule: Schedule, ocean_id: str) -> Story:
    """Let the first migration fail half way: the kills strike the follow-up."""
    program = support.program(_resource(schedule, ocean_id, "web", nodes={"asg_names": ["web", "api"]}))
    return Story(programs=(program, program), planned={"web": ("web", "api")}, fails=True)


_STORIES = {"basic": _basic, "one": _one, "two": _two, "waves": _waves, "grown": _grown, "failed": _failed}


def _resource(schedule: Schedule, ocean_id: str, name: str, *, opts: str = "", **inputs: object) -> str:
    given = {
        "nodes": {"asg_names": [name]},
        "batch_size_percentage": schedule.batch_size_percentage,
        "should_terminate_drained_nodes": schedule.terminate,
        **inputs,
    }
    return support.resource(ocean_id, name, opts=opts, **given)
