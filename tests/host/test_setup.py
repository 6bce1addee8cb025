"""The process made fit for long waits."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ocean_migration_pulumi import host
from tests.support.host_changes import OTHER_POOL, OTHER_THREAD
from tests.support.plugin import PluginProcess, init_failure_of
from tests.support.probe_provider import Probe
from tests.support.timing import PATIENCE


def test_many_waits_run_at_once() -> None:
    """32 calls wait at the same time, though the host has four threads."""
    with PluginProcess() as plugin:
        plugin.create({"do": "see"}, Probe())
        waits = [plugin.start_create({"do": "wait", "seconds": PATIENCE}, Probe()) for _ in range(32)]
        plugin.wait_for("waiting", times=32)
        plugin.cancel()
        assert {init_failure_of(wait.exception()).id for wait in waits} == {"probe/1"}


def test_rpcs_that_queued_before_the_first_configure_run_at_once_too(tmp_path: Path) -> None:
    """A destroy begins with many Deletes at the same moment: those that queued meanwhile get threads as well."""
    with PluginProcess() as plugin:
        waits = [
            plugin.start_delete({"do": "wait", "seconds": PATIENCE, "report": str(tmp_path / str(number))}, Probe())
            for number in range(32)
        ]
        plugin.wait_for("waiting", times=32)
        plugin.cancel()
        for wait in waits:
            assert "interrupted" in str(wait.exception())


def test_rpcs_after_those_that_queued_run_at_once_too(tmp_path: Path) -> None:
    """What brought threads to those that queued makes no thread pass for an idle one afterwards."""
    with PluginProcess() as plugin:
        waits = []
        for batch in (1, 2):
            waits += [
                plugin.start_delete(
                    {"do": "wait", "seconds": PATIENCE, "report": str(tmp_path / f"{batch}-{each}")}, Probe()
                )
                for each in range(16)
            ]
            plugin.wait_for("waiting", times=16 * batch)
        plugin.cancel()
        for wait in waits:
            assert "interrupted" in str(wait.exception())


def test_other_pools_run_as_many_as_they_have_threads() -> None:
    """Where the pool is not the expected one, waits queue as they do in the host itself, and all end well."""
    for change in (OTHER_POOL, OTHER_THREAD):
        with PluginProcess(**change) as plugin:
            started = time.monotonic()
            waits = [plugin.start_create({"do": "wait", "seconds": 0.3}, Probe()) for _ in range(8)]
            assert all(wait.result().id == "probe/1" for wait in waits)
            assert time.monotonic() - started > 0.55


def test_prepare_outside_the_host_does_nothing() -> None:
    """On a pool of somebody else's it raises nothing, changes nothing and starts no thread."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        before = threading.active_count()
        pool.submit(host.prepare).result()
        assert pool._max_workers == 1
        assert threading.active_count() == before + 1  # the pool's own
