"""What a seed decides: the program, the cluster, what is killed when, and how the service lies. Always the same."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tests.chaos import stories

MOST_STRIKES: Final = 3
MOST_LIES: Final = 3

LONGEST_LIE: Final = 59.0
"""Simulated seconds that a lie lasts at most, but for contradictions and lost entries."""

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


class Command(StrEnum):
    """An operation that is struck."""

    UP = "up"
    REFRESH = "refresh"
    DESTROY = "destroy"


class LieKind(StrEnum):
    """How the service lies, or what it says late or of others."""

    FORGET = "forget"
    """Statuses deny the migration."""
    FORGET_LISTED = "forget everywhere"
    """Statuses deny the migration, and the list is empty."""
    EMPTY_LIST = "empty list"
    """The list is empty."""
    LIST_LAG = "list lag"
    """The list is that of some time ago."""
    DISCOVERY_LAG = "discovery lag"
    """Discovery hides nodes for some time after the end of their migration."""
    END = "early end"
    """Some statuses show a terminal state."""
    END_LISTED = "early end in the list"
    """Some lists show a terminal state."""
    BACKWARDS = "backwards"
    """Some statuses show a state of the past."""
    NO_ENTRIES = "no entries"
    """Some statuses have no old nodes."""
    FLAP = "flap"
    """A number of pods goes up and down."""
    FINISHED_WITH_PODS = "finished with pods"
    """The migration is finished at once, for good, with the pods where they are."""
    COLLEAGUE = "colleague"
    """Another user migrates some of the nodes, with other flags."""
    CROWD = "crowd"
    """Other users' migrations have ended, more than anybody reads."""


ENDS: Final = frozenset({LieKind.END, LieKind.END_LISTED})
"""Lies that confirm each other: two of them would be what the service can be believed."""

BY_STATUSES: Final = frozenset(LieKind) - {LieKind.EMPTY_LIST, LieKind.END_LISTED, LieKind.FORGET_LISTED}
"""What is counted by requests for statuses; for the others the rare ones for the list count."""

BY_TIME: Final = frozenset({LieKind.FINISHED_WITH_PODS, LieKind.COLLEAGUE, LieKind.CROWD})
"""What happens in the world; the others are faults, which strike from some request on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One kill."""

    command: Command
    """The operation during which it strikes."""
    victim: Victim
    """What is killed."""
    moment: Moment
    """From when on its time is counted."""
    count: int
    """The number of the request, for the moment of that name."""
    seconds: float
    """Real seconds after the moment."""
    down: float
    """Real seconds that the simulator is down."""

    def __str__(self) -> str:
        moment = f"{self.moment} {self.count}" if self.moment is Moment.REQUEST else str(self.moment)
        down = f", down for {self.down:.2f} s" if self.victim is Victim.SIMULATOR else ""
        return f"{self.victim}, {self.seconds:.2f} s after {moment} of {self.command}{down}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lie:
    """One lie, or one event that a colleague causes."""

    kind: LieKind
    """What it is."""
    after: int
    """How many matching requests pass before it; for what happens by time, how many statuses."""
    times: int
    """How many requests it strikes at most."""
    lasts: float
    """Simulated seconds that it lasts at most, or by which something lags."""
    state: str
    """The state that is shown."""
    share: float
    """The share of the nodes that a colleague migrates, from 0 to 1."""
    flags: tuple[bool, bool, bool]
    """Whether a colleague terminates, evicts and forces."""

    def __str__(self) -> str:
        return f"{self.kind} ({self.state}) after {self.after} requests, {self.times} times, for {self.lasts:.0f} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """One node that AWS takes away, which is no lie."""

    after: int
    """How many statuses pass before it; 0 is before the first start."""
    place: float
    """Which of the nodes, from 0 to 1."""
    notice: float
    """Simulated seconds of notice."""

    def __str__(self) -> str:
        return f"a node is terminated after {self.after} statuses, with {self.notice:.0f} s of notice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One run."""

    seed: int
    """Decides everything."""
    arguments: str
    """The arguments of the command that decide it again."""
    nodes: int
    """Nodes of the cluster."""
    story: str
    """The name of the programs."""
    batch_size_percentage: int
    """The input of that name."""
    terminate: bool
    """Whether drained nodes are terminated."""
    speed: float
    """Simulated seconds per real second."""
    latency_ms: int
    """Real milliseconds of each response."""
    hasty: bool
    """Whether the user runs `pulumi cancel` and `pulumi up` at once after a kill, before the orphans have ended."""
    kubernetes: bool
    """Whether the user has access to Kubernetes."""
    count_daemonset_pods: bool
    """Whether the service counts pods of DaemonSets."""
    standalone: bool
    """Whether a node has a standalone pod, which needs manual migration."""
    commands: tuple[Command, ...]
    """The operations, in their order."""
    strikes: tuple[Strike, ...]
    """The kills."""
    lies: tuple[Lie, ...]
    """The lies."""
    losses: tuple[Loss, ...]
    """The nodes that AWS takes away."""

    @property
    def honest(self) -> bool:
        """Whether nothing but kills happens."""
        return not self.lies and not self.losses

    def __str__(self) -> str:
        options = {
            "terminating": self.terminate,
            "hasty": self.hasty,
            "with Kubernetes": self.kubernetes,
            "counting pods of DaemonSets": self.count_daemonset_pods,
            "a standalone pod": self.standalone,
        }
        head = (
            f"{self.story}: {', '.join(self.commands)}; {self.nodes} nodes, batches of {self.batch_size_percentage} %, "
            f"speed {self.speed:.0f}, latency {self.latency_ms} ms"
        )
        head += "".join(f", {name}" for name, given in options.items() if given)
        happens = [("kill", self.strikes), ("lie", self.lies), ("loss", self.losses)]
        lines = [f"  {what} {number}: {each}" for what, some in happens for number, each in enumerate(some, 1)]
        return "\n".join([head, *lines])


def decide(
    seed: int, *, nodes: tuple[int, int] = (8, 64), strikes: int = MOST_STRIKES, lies: int = MOST_LIES
) -> Schedule:
    """Return the run of a seed, with a number of nodes in a range, and at most so many kills and lies."""
    chance = random.Random(seed)  # noqa: S311 - a reproducible run, no secret
    story = chance.choice(stories.NAMES)
    batch = chance.choice((20, 25, 34, 50))
    terminate = chance.random() < 0.4
    lasts = chance.uniform(3.0, 10.0)
    simulated = _BATCH_SECONDS * -(-100 // batch) + _TERMINATION_SECONDS * terminate
    commands = chance.choices(_COMMANDS, weights=(5, 2, 2, 1))[0]
    kills = chance.randint(0 if lies else 1, strikes)
    return Schedule(
        seed=seed,
        arguments=f"--seed {seed} --nodes {nodes[0]}-{nodes[1]} --strikes {strikes} --lies {lies}",
        nodes=chance.randint(*nodes),
        story=story,
        batch_size_percentage=batch,
        terminate=terminate,
        speed=simulated / lasts,
        latency_ms=chance.choice((5, 20, 50, 100)),
        hasty=chance.random() < 0.3,
        kubernetes=chance.random() < 0.4,
        count_daemonset_pods=chance.random() < 0.3,
        standalone=chance.random() < 0.2,
        commands=commands,
        strikes=tuple(
            sorted(
                (_strike(chance, lasts, commands, first=number == 0) for number in range(kills)),
                key=lambda strike: commands.index(strike.command),
            )
        ),
        lies=_lies(chance, chance.randint(0 if kills else 1, lies) if lies else 0, story),
        losses=tuple(_loss(chance) for _ in range(chance.choices((0, 1, 2), weights=(6, 3, 1))[0] if lies else 0)),
    )


_COMMANDS: Final = (
    (Command.UP,),
    (Command.UP, Command.REFRESH, Command.UP),
    (Command.UP, Command.DESTROY),
    (Command.UP, Command.REFRESH, Command.DESTROY),
)


def _strike(chance: random.Random, lasts: float, commands: tuple[Command, ...], *, first: bool) -> Strike:
    moment = chance.choices(list(Moment), weights=(3, 4, 2 if first else 0, 4))[0]
    longest = {Moment.BEGIN: 3.0, Moment.REQUEST: 0.1, Moment.START: 0.3, Moment.LOOK: 1.1 * lasts}[moment]
    return Strike(
        command=chance.choice(commands),
        victim=chance.choice(list(Victim)),
        moment=moment,
        count=chance.randint(1, 18),
        seconds=chance.uniform(0.0, longest),
        down=chance.uniform(0.0, 1.5),
    )


def _lies(chance: random.Random, number: int, story: str) -> tuple[Lie, ...]:
    lies: list[Lie] = []
    # The first example has no triggers, without which nobody starts contradicted nodes again.
    possible = [kind for kind in LieKind if story != "basic" or kind is not LieKind.FINISHED_WITH_PODS]
    while len(lies) < number:
        kind = chance.choice(possible)
        possible = [each for each in possible if each is not kind and not {each, kind} <= ENDS]
        lies.append(
            Lie(
                kind=kind,
                after=chance.randint(0, 10 if kind in BY_STATUSES else 4),
                times=chance.randint(1, 30),
                lasts=chance.uniform(5.0, LONGEST_LIE),
                state=chance.choice(_SHOWN[kind]) if kind in _SHOWN else "-",
                share=chance.uniform(0.0, 1.0),
                flags=(chance.random() < 0.5, chance.random() < 0.5, chance.random() < 0.5),
            )
        )
    return tuple(lies)


_TERMINAL: Final = ("FINISHED", "FINISHED_ERROR", "STOPPED")
_SHOWN: Final = {
    LieKind.END: _TERMINAL,
    LieKind.END_LISTED: _TERMINAL,
    LieKind.BACKWARDS: ("STARTING", "AWAIT_REPLACEMENTS", "DRAIN_NODES"),
}


def _loss(chance: random.Random) -> Loss:
    return Loss(
        after=chance.randint(0, 10),
        place=chance.random(),
        notice=chance.choice((0.0, 120.0)),
    )
