"""Strikes: waits for the moment of a kill, kills, and sees what is left behind end without another write."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from tests.chaos.schedule import Moment, Strike, Victim
from tests.chaos.service import Service
from tests.scenarios.driver import Running
from tests.support.timing import LAST_WRITE

ORPHANS_END: Final = 30.0
"""Seconds for orphans to end: they take less than two, the rest is for a machine that is busy."""

_LANGUAGE_HOST: Final = "pulumi-language-python "
_PLUGIN: Final = ("pulumi.dynamic", "pulumi-resource-pulumi-python")

_PAUSE: Final = 0.02


def await_moment(strike: Strike, running: Running, service: Service, *, began: float, mark: int) -> bool:
    """Wait for the moment of a strike, and for its victim to exist; return False when the command ends before.

    ``began`` is when the command began by the monotonic clock, ``mark`` the number of the last request before it.
    """
    if strike.moment is not Moment.BEGIN:
        if not _until(lambda: _reached(strike, service.requests(mark)), running):
            return False
        began = time.monotonic()
    moment = began + strike.seconds
    victims: dict[Victim, Callable[[], object]] = {
        Victim.PROGRAM: running.program_pids,
        Victim.PLUGIN: running.plugin_pids,
    }
    exists = victims.get(strike.victim, lambda: True)
    return _until(lambda: time.monotonic() >= moment and bool(exists()), running)


def strike_processes(strike: Strike, running: Running) -> None:
    """Kill processes of a command."""
    kill = {
        Victim.PROGRAM: running.kill_program,
        Victim.PLUGIN: running.kill_plugin,
        Victim.ENGINE: running.kill_engine,
        Victim.GROUP: running.kill_all,
    }
    kill[strike.victim]()


def must_end(processes: Mapping[int, str], *, called: bool) -> dict[int, str]:
    """Return those of the processes of a killed engine that have to end; ``called``: it had called the plugin.

    What knows nothing of Ocean is Pulumi's own affair. Its host of the program looks whether its engine lives every
    five minutes. Its host of dynamic providers never does: this package does so for it, from the first call on.
    """
    pulumis = (_LANGUAGE_HOST, *(() if called else _PLUGIN))
    return {pid: command for pid, command in processes.items() if not any(part in command for part in pulumis)}


def orphans_left(orphans: Mapping[int, str], running: Callable[[], Collection[int]]) -> list[str]:
    """Wait for orphans to end, and return what is wrong with those that do not; ``running`` tells what runs."""
    deadline = time.monotonic() + ORPHANS_END
    while left := orphans.keys() & set(running()):
        if time.monotonic() > deadline:
            return [f"an orphan outlives its engine by {ORPHANS_END:.0f} s: {orphans[pid]}" for pid in left]
        time.sleep(_PAUSE)
    return []


def late_writes(service: Service, killed_at: float) -> list[str]:
    """Return what is wrong with the writes since a kill, which only orphans can have sent."""
    return [
        f"{entry['method']} {entry['path']} {entry['at'] - killed_at:.2f} s after the kill of its engine"
        for entry in service.requests()
        if entry["method"] != "GET" and entry["at"] > killed_at + LAST_WRITE
    ]


def _reached(strike: Strike, requests: list[dict[str, Any]]) -> bool:
    if strike.moment is Moment.REQUEST:
        return len(requests) >= strike.count
    if strike.moment is Moment.START:
        return any(entry["method"] != "GET" for entry in requests)
    return any("/migration/owm-" in entry["path"] for entry in requests)


def _until(met: Callable[[], bool], running: Running) -> bool:
    while running.alive:
        if met():
            return running.alive
        time.sleep(_PAUSE)
    return False
