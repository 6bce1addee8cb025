"""The programs of a run, and which nodes each of their resources plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from tests.scenarios import support
from tests.scenarios.scene import Expression

ROOT: Final = Path(__file__).parents[2]


class Options(Protocol):
    """What a story needs to know of a run."""

    @property
    def story(self) -> str:
        """The name of the story."""

    @property
    def batch_size_percentage(self) -> int:
        """The input of that name."""

    @property
    def terminate(self) -> bool:
        """Whether drained nodes are terminated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Programs that follow each other; kills and lies strike the last one."""

    programs: tuple[str, ...]
    """The programs, each the source of its `__main__.py`."""
    planned: dict[str, tuple[str, ...]]
    """The Auto Scaling Groups of each migration of the last program."""
    after: dict[str, str] = field(default_factory=dict)
    """For a migration that waits for another one to succeed: the name of that one."""
    fails: bool = False
    """Whether the migration of the first program fails half way."""


def tell(options: Options, ocean_id: str, triggers: Sequence[str] = ()) -> Story:
    """Return the programs of a run, on a cluster."""
    return _STORIES[options.story](options, ocean_id, triggers)


def _basic(options: Options, ocean_id: str, triggers: Sequence[str]) -> Story:
    """Take the first example, as it is."""
    source = (ROOT / "examples" / "basic" / "__main__.py").read_text(encoding="utf-8")
    return Story(programs=(source,), planned={"workers": ("web",)})


def _one(options: Options, ocean_id: str, triggers: Sequence[str]) -> Story:
    """Let one resource take every node."""
    resource = _resource(options, ocean_id, "web", triggers, nodes={"all_nodes": True})
    return Story(programs=(support.program(resource),), planned={"web": ("api", "batch", "web")})


def _two(options: Options, ocean_id: str, triggers: Sequence[str]) -> Story:
    """Let two resources of one cluster wait for each other."""
    both = [_resource(options, ocean_id, name, triggers) for name in ("web", "api")]
    return Story(programs=(support.program(*both),), planned={"web": ("web",), "api": ("api",)})


def _waves(options: Options, ocean_id: str, triggers: Sequence[str]) -> Story:
    """Let a second resource take the rest, when the first is done."""
    web = _resource(options, ocean_id, "web", triggers)
    rest = _rest(options, ocean_id, triggers, after="web")
    return Story(
        programs=(support.program(web, rest),), planned={"web": ("web",), "rest": ("api",)}, after={"rest": "web"}
    )


def _gated(options: Options, ocean_id: str, triggers: Sequence[str]) -> Story:
    """Let a gate open between two waves."""
    web = _resource(options, ocean_id, "web", triggers)
    gate = (
        "from ocean_migration_pulumi import OceanMigrationGate\n"
        f'gate = OceanMigrationGate("gate", {ocean_id!r}, migration_ids=[web.migration_id], hold_for="1s",\n'
        "    succeeded=web.succeeded, remaining=web.remaining_nodes)\n"
    )
    rest = _rest(options, ocean_id, triggers, after="gate")
    return Story(
        programs=(support.program(web, gate, rest),), planned={"web": ("web",), "rest": ("api",)}, after={"rest": "web"}
    )


def _grown(options: Options, ocean_id: str, triggers: Sequence[str]) -> Story:
    """Let a resource that is done take more nodes: its update is struck."""
    before = _resource(options, ocean_id, "web", triggers)
    after = _resource(options, ocean_id, "web", triggers, nodes={"asg_names": ["web", "batch"]})
    return Story(programs=(support.program(before), support.program(after)), planned={"web": ("web", "batch")})


def _failed(options: Options, ocean_id: str, triggers: Sequence[str]) -> Story:
    """Let the first migration fail half way: the follow-up is struck."""
    program = support.program(_resource(options, ocean_id, "web", triggers, nodes={"asg_names": ["web", "api"]}))
    return Story(programs=(program, program), planned={"web": ("web", "api")}, fails=True)


_STORIES = {
    "basic": _basic,
    "one": _one,
    "two": _two,
    "waves": _waves,
    "gated": _gated,
    "grown": _grown,
    "failed": _failed,
}

NAMES: Final = tuple(sorted(_STORIES))
"""The names of all stories."""


def _rest(options: Options, ocean_id: str, triggers: Sequence[str], *, after: str) -> str:
    return _resource(
        options,
        ocean_id,
        "rest",
        triggers,
        opts=f"pulumi.ResourceOptions(depends_on=[{after}])",
        nodes={"asg_names": ["web", "api"]},
        planned_elsewhere=Expression("web.planned_nodes.apply(lambda nodes: [*nodes])"),
    )


def _resource(
    options: Options, ocean_id: str, name: str, triggers: Sequence[str], *, opts: str = "", **inputs: object
) -> str:
    given = {
        "nodes": {"asg_names": [name]},
        "batch_size_percentage": options.batch_size_percentage,
        "should_terminate_drained_nodes": options.terminate,
        **({"triggers": list(triggers)} if triggers else {}),
        **inputs,
    }
    return support.resource(ocean_id, name, opts=opts, **given)
