"""What must be true when a run has converged, whatever was killed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from tests.chaos.service import Service
from tests.chaos.stories import Story
from tests.scenarios.driver import Driver
from tests.scenarios.support import assert_moved_once, assert_nothing_pending, migrations

_COMES_TO_REST: Final = 120.0
"""Seconds for what the simulator had ended and then forgot in a kill: it saves reads a tenth of a second later."""


def find_broken(driver: Driver, service: Service, story: Story, *, honest: bool) -> list[str]:
    """Return what is not as it must be; ``honest``: nothing but kills has happened."""
    found: list[str] = []
    nodes = {name: service.nodes(*groups) for name, groups in story.planned.items()}
    _come_to_rest(service)
    if honest:
        with _told(found, "in the simulator"):
            moved = [instance_id for group in nodes.values() for instance_id in group]
            assert_moved_once(service, [name for name in moved if name not in _with_standalone_pods(service)])
    found += _sent_in_vain(service)
    for name, instance_ids in nodes.items():
        with _told(found, f"the state of {name}"):
            outputs = driver.stored(name)["outputs"]
            assert outputs["succeeded"] is True, outputs
            assert outputs["remaining_nodes"] == [], outputs
            assert not driver.stored(name).get("initErrors")
            if honest:
                assert sorted([*outputs["migrated_nodes"], *outputs["manual_nodes"]]) == instance_ids, outputs
    known = {each["id"] for resource in driver.resources() for each in resource["outputs"].get("migrations") or ()}
    started = {each["id"] for each in migrations(service) if not each["foreign"]}
    if not started <= known:
        found.append(f"ids: the simulator has {sorted(started)}, the outputs have {sorted(known)}")
    with _told(found, "pending"):
        assert_nothing_pending(driver)
    return found


def find_remains(driver: Driver, service: Service) -> list[str]:
    """Return what is left of a stack that was destroyed."""
    left = [f"the state still has {each['urn'].rpartition('::')[2]}" for each in driver.resources()]
    running = [each["id"] for each in migrations(service) if not each["foreign"] and not each["terminal"]]
    return left + [f"{migration} runs on" for migration in running]


def _sent_in_vain(service: Service) -> list[str]:
    """Return which nodes were sent in a start although a migration of ours had drained them before."""
    ours = {name for each in migrations(service) if not each["foreign"] for name in each["drained"]}
    drained = {
        node["instance_id"]: node["drained_at"]
        for node in service.control.nodes(service.ocean_id)
        if node["drained_at"] is not None and node["instance_id"] in ours
    }
    return [
        f"{name} was drained, and sent again in {entry['migration_id']}"
        for entry in service.control.requests(effective=True)
        for name in entry["body"]["migration"]["instanceIds"]
        if drained.get(name, entry["now"]) < entry["now"]
    ]


def _with_standalone_pods(service: Service) -> set[str]:
    nodes = service.control.nodes(service.ocean_id)
    return {node["instance_id"] for node in nodes if any(pod["controller"] is None for pod in node["pods"])}


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
