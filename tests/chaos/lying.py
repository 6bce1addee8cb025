"""Lets the service lie, colleagues meddle and nodes go, each when so many statuses of migrations were asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Self

from ocean_migration_pulumi.simulator import ControlError
from tests.chaos.schedule import BY_TIME, Lie, LieKind, Loss, Schedule
from tests.chaos.service import Service
from tests.scenarios.scene import STARTS, STATUSES

_PAUSE: Final = 0.1
"""Real seconds between two looks at the requests."""

_MANY: Final = 1_000_000
"""More requests than a run has: the time ends the lie."""


class Meddler:
    """Arms the lies of a run, and lets happen what happens in the world, until it is closed."""

    def __init__(self, schedule: Schedule, service: Service, note: Callable[[str], None]) -> None:
        self._service = service
        self._note = note
        self._over = threading.Event()
        for lie in schedule.lies:
            self._arm(lie)
        due: list[Lie | Loss] = [*(lie for lie in schedule.lies if lie.kind in BY_TIME), *schedule.losses]
        self._due = sorted(due, key=lambda each: each.after)
        self._thread = threading.Thread(target=self._watch)

    def _arm(self, lie: Lie) -> None:
        """Arm a lie that strikes requests, or let something lag."""
        control = self._service.control
        for route in _DENIED.get(lie.kind, ()):
            control.fault("GET", route, "forget", after=lie.after, times=_MANY, lasts=lie.lasts)
        if lie.kind in _LAGS:
            control.quirk(_LAGS[lie.kind], f"{lie.lasts:.0f}s")
        elif lie.kind is LieKind.FLAP:
            control.fault("GET", STATUSES, "flap", after=lie.after, times=_MANY, lasts=lie.lasts)
        elif lie.kind in _CONTRADICTED:
            state = None if lie.kind is LieKind.NO_ENTRIES else lie.state
            control.fault(
                "GET",
                _CONTRADICTED[lie.kind],
                "contradict",
                after=lie.after,
                times=lie.times,
                state=state,
                entries=lie.kind is not LieKind.NO_ENTRIES,
            )

    def _watch(self) -> None:
        mark = self._service.mark()
        while self._due and not self._over.wait(_PAUSE):
            asked = sum("/migration/owm-" in entry["path"] for entry in self._service.requests(mark))
            while self._due and self._due[0].after <= asked:
                each = self._due.pop(0)
                try:
                    self._note(self._happen(each))
                except OSError:
                    self._due.insert(0, each)  # the simulator is down
                    break
                except ControlError as error:
                    self._note(f"not possible: {each}: {error}")

    def _happen(self, each: Lie | Loss) -> str:
        """Let something happen in the world, and return what."""
        service, control = self._service, self._service.control
        nodes = [node for node in control.nodes(service.ocean_id) if node["asg_name"] and not node["terminated"]]
        names = [node["instance_id"] for node in nodes]
        if isinstance(each, Loss):
            name = names[int(each.place * len(names))]
            control.terminate_node(service.ocean_id, name, notice_seconds=each.notice)
            return f"{name} is terminated, with {each.notice:.0f} s of notice"
        if each.kind is LieKind.CROWD:
            control.add_ended_migrations(service.ocean_id)
            return "25 migrations of others have ended"
        if each.kind is LieKind.COLLEAGUE:
            chosen = names[: max(1, int(each.share * len(names)))]
            terminate, evict, force = each.flags
            migration = control.start_foreign_migration(
                service.ocean_id, chosen, terminate=terminate, evict=evict, force=force
            )
            return f"a colleague migrates {len(chosen)} nodes as {migration}"
        running = [one["id"] for one in control.migrations(service.ocean_id) if not one["terminal"]]
        for migration in running:
            control.set_state(service.ocean_id, migration, "FINISHED")
        return f"finished with all pods: {', '.join(running) or 'none runs'}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def end(self) -> None:
        """End all lies, and let nothing more happen."""
        self._over.set()
        self._thread.join()
        self._service.control.clear_faults()
        for name in _LAGS.values():
            self._service.control.quirk(name, "0s")


_DENIED: Final = {
    LieKind.FORGET: (STATUSES,),
    LieKind.FORGET_LISTED: (STATUSES, STARTS),
    LieKind.EMPTY_LIST: (STARTS,),
}
_LAGS: Final = {LieKind.LIST_LAG: "list_lag", LieKind.DISCOVERY_LAG: "discovery_lag"}
_CONTRADICTED: Final = {
    LieKind.END: STATUSES,
    LieKind.END_LISTED: STARTS,
    LieKind.BACKWARDS: STATUSES,
    LieKind.NO_ENTRIES: STATUSES,
}
