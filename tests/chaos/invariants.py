"""What must be true when a run has converged, whatever was killed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from tests.chaos.service import Service
from tests.scenarios.driver import Driver
from tests.scenarios.support import assert_done, assert_moved_once, assert_nothing_pending, migrations

_COMES_TO_REST: Final = 120.0
"""Seconds for what the simulator had ended and then forgot in a kill: it saves reads a tenth of a second later."""


def broken(driver: Driver, service: Service, planned: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return what is not as it must be; ``planned`` has the Auto Scaling Groups of each resource."""
    found: list[str] = []
    nodes = {name: service.nodes(*groups) for name, groups in planned.items()}
    _come_to_rest(service)
    with _told(found, "in the simulator"):
        assert_moved_once(service, [instance_id for group in nodes.values() for instance_id in group])
    for name, instance_ids in nodes.items():
        with _told(found, f"the state of {name}"):
            assert_done(driver, instance_ids, name)
    known = {each["id"] for resource in driver.resources() for each in resource["outputs"].get("migrations") or ()}
    started = {each["id"] for each in migrations(service) if not each["foreign"]}
    if started != known:
        found.append(f"ids: the simulator has {sorted(started)}, the outputs have {sorted(known)}")
    with _told(found, "pending"):
        assert_nothing_pending(driver)
    return found


def unsettled(driver: Driver, planned: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return what a last preview finds to do: it loads the state, and nothing may be left."""
    run = driver.preview()
    if run.exit_code != 0:
        return [f"the last preview failed: {' / '.join(run.errors) or run.output}"]
    return [f"the last preview finds {run.ops[name]} for {name}" for name in planned if run.ops[name] != "same"]


def _come_to_rest(service: Service) -> None:
    deadline = time.monotonic() + _COMES_TO_REST
    running: Callable[[], bool] = lambda: any(not each["terminal"] for each in migrations(service))  # noqa: E731
    while running() and time.monotonic() < deadline:
        time.sleep(0.05)


@contextmanager
def _told(found: list[str], where: str) -> Iterator[None]:
    try:
        yield
    except AssertionError as error:
        found.append(f"{where}: {error}")
