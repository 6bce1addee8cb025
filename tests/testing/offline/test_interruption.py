"""Ctrl-C, kills and locks, with the same results on OfflineStack and, where available, on the real engine."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.scenarios.driver import Driver, Running
from tests.scenarios.support import eventually
from tests.support.timing import PATIENCE, ends_soon
from tests.testing.offline.probe import HEAD, behave, calls, forget, methods


def waiting(driver: Driver, directory: Path, method: str, command: str = "up") -> Running:
    """Start a command and return when the method of the resource `a` waits."""
    behave(directory, "a", method, wait=True)
    forget(directory)
    running = driver.start(command)
    running.wait_until(lambda _: method in methods(directory))
    return running


def test_one_interruption_lets_a_step_end(driver: Driver, probe_directory: Path) -> None:
    """After one Ctrl-C the provider is canceled, its partial failure is stored, and no other step starts."""
    driver.write_program(HEAD + "a = Probe('a', size=1)\nProbe('b', size=1, opts=ResourceOptions(depends_on=[a]))\n")
    running = waiting(driver, probe_directory, "create")
    with ends_soon():
        running.interrupt()
        run = running.wait()
    assert run.exit_code == 1
    assert run.failed == {"a"}
    assert run.errors == ["1 error occurred:\n\t* a was interrupted", "update failed"]
    (resource,) = driver.resources()
    assert (resource["id"], resource["initErrors"]) == ("id of a", ["a was interrupted"])
    assert driver.pending_operations() == []
    assert running.plugin_pids() == []
    (probe_directory / "a.create.json").unlink()
    assert driver.up().ops == {"a": "update", "b": "create"}


def test_an_interruption_cancels_even_a_successful_step(driver: Driver, probe_directory: Path) -> None:
    """A step that succeeds after Ctrl-C is stored, and the update is canceled all the same."""
    driver.write_program(HEAD + "a = Probe('a', size=1)\nProbe('b', size=1, opts=ResourceOptions(depends_on=[a]))\n")
    behave(probe_directory, "a", "create", sleep=1.0)
    running = driver.start("up")
    running.wait_until(lambda _: "create" in methods(probe_directory))
    running.interrupt()
    run = running.wait()
    assert run.exit_code == 1
    assert run.errors == ["update canceled"]
    assert [each["id"] for each in driver.resources()] == ["id of a"]
    assert "initErrors" not in driver.stored("a")


def test_sigterm_is_an_interruption(driver: Driver, probe_directory: Path) -> None:
    """A CI runner that terminates the engine has the effect of Ctrl-C."""
    driver.write_program(HEAD + "Probe('a', size=1)\n")
    running = waiting(driver, probe_directory, "create")
    running.terminate()
    run = running.wait()
    assert run.exit_code == 1
    assert run.failed == {"a"}
    assert driver.stored("a")["initErrors"] == ["a was interrupted"]


def test_a_second_interruption_stops_at_once(driver: Driver, probe_directory: Path) -> None:
    """The running step stays as a pending operation, and nothing is locked."""
    driver.write_program(HEAD + "Probe('a', size=1)\n")
    behave(probe_directory, "a", "create", sleep=PATIENCE)
    running = driver.start("up")
    running.wait_until(lambda _: "create" in methods(probe_directory))
    with ends_soon():
        running.interrupt()
        time.sleep(0.5)
        assert running.alive
        running.interrupt_until_it_ends()
        run = running.wait()
    assert run.exit_code != 0
    assert driver.resources() == []
    assert driver.pending_operations() == [("creating", "a")]
    (probe_directory / "a.create.json").unlink()
    again = driver.up()
    assert again.exit_code == 0, again.output
    assert again.ops == {"a": "create"}
    assert any("pending operations" in text for text in again.warnings)


def test_a_killed_engine_leaves_a_lock_and_a_pending_creation(driver: Driver, probe_directory: Path) -> None:
    """After SIGKILL the stack is locked until cancel; the pending creation outlives ups until it is cleared."""
    driver.write_program(HEAD + "Probe('a', size=1)\n")
    running = waiting(driver, probe_directory, "create")
    assert len(running.plugin_pids()) == 1
    running.kill_engine()
    assert driver.pending_operations() == [("creating", "a")]
    assert driver.resources() == []
    (probe_directory / "a.create.json").unlink()

    locked = driver.up()
    assert locked.exit_code != 0
    assert "locked" in locked.output
    assert driver.preview().exit_code == 0
    assert driver.cancel().exit_code == 0
    again = driver.up()
    assert again.exit_code == 0, again.output
    assert again.ops == {"a": "create"}
    assert any("interrupted while creating" in text for text in again.warnings)
    assert driver.pending_operations() == [("creating", "a")]
    assert driver.refresh().exit_code == 0
    assert driver.pending_operations() == [("creating", "a")]
    assert driver.refresh(clear_pending_creates=True).exit_code == 0
    assert driver.pending_operations() == []
    assert driver.destroy().exit_code == 0


def test_destroy_keeps_a_pending_creation(driver: Driver, probe_directory: Path) -> None:
    """A destroy does not know the resource of a killed creation, and keeps the entry."""
    driver.write_program(HEAD + "Probe('a', size=1)\n")
    running = waiting(driver, probe_directory, "create")
    running.kill_all()
    assert driver.cancel().exit_code == 0
    assert driver.destroy().exit_code == 0
    assert "delete" not in methods(probe_directory)
    assert driver.pending_operations() == [("creating", "a")]


def test_a_killed_update_leaves_a_pending_update_until_the_next(driver: Driver, probe_directory: Path) -> None:
    """The resource is unchanged, and the next up removes the entry."""
    driver.write_program(HEAD + "Probe('a', size=1)\n")
    assert driver.up().exit_code == 0
    driver.write_program(HEAD + "Probe('a', size=2)\n")
    running = waiting(driver, probe_directory, "update")
    running.kill_all()
    assert driver.pending_operations() == [("updating", "a")]
    assert driver.stored("a")["inputs"]["size"] == 1
    assert driver.cancel().exit_code == 0
    (probe_directory / "a.update.json").unlink()
    forget(probe_directory)
    again = driver.up()
    assert again.exit_code == 0, again.output
    assert again.ops == {"a": "update"}
    assert [each["old_inputs"]["size"] for each in calls(probe_directory) if each["method"] == "update"] == [1]
    assert driver.pending_operations() == []


@pytest.mark.parametrize("method", ["create", "delete"])
def test_a_killed_plugin_fails_the_step(driver: Driver, probe_directory: Path, method: str) -> None:
    """Nothing is pending, and the next command tries again."""
    driver.write_program(HEAD + "Probe('a', size=1)\n")
    command = "up"
    if method == "delete":
        assert driver.up().exit_code == 0
        command = "destroy"
    running = waiting(driver, probe_directory, method, command)
    running.kill_plugin()
    run = running.wait()
    assert run.exit_code == 1
    assert run.failed == {"a"}
    assert driver.pending_operations() == []
    assert len(driver.resources()) == (1 if method == "delete" else 0)
    (probe_directory / f"a.{method}.json").unlink()
    assert driver.start(command).wait().ops == {"a": method}


def test_updates_exclude_each_other(driver: Driver, probe_directory: Path) -> None:
    """A second update is refused while one runs."""
    driver.write_program(HEAD + "Probe('a', size=1)\n")
    running = waiting(driver, probe_directory, "create")
    other = driver.up()
    assert other.exit_code != 0
    assert "locked" in other.output
    (probe_directory / "a.create.json").unlink()
    assert running.wait().exit_code == 0
    assert driver.up().exit_code == 0


def test_the_plugin_runs_in_a_process_group_of_its_own(driver: Driver, probe_directory: Path) -> None:
    """A Ctrl-C in the terminal does not reach it."""
    driver.write_program(HEAD + "Probe('a', size=1)\n")
    running = waiting(driver, probe_directory, "create")
    (plugin,) = running.plugin_pids()
    assert os.getpgid(plugin) != os.getpgid(running.pid)
    (probe_directory / "a.create.json").unlink()
    assert running.wait().exit_code == 0
    assert running.plugin_pids() == []


def test_steps_run_in_parallel(driver: Driver, probe_directory: Path) -> None:
    """Independent resources are created in parallel, or one after the other if requested."""
    names = "abcd"
    driver.write_program(HEAD + "".join(f"Probe('{name}', size=1)\n" for name in names))
    files = [behave(probe_directory, name, "create", wait=True) for name in names]
    running = driver.start("up")
    running.wait_until(lambda _: methods(probe_directory).count("create") == 4)
    for file in files:
        file.unlink()
    assert running.wait().exit_code == 0
    assert driver.destroy(parallel=1).exit_code == 0
    forget(probe_directory)
    files = [behave(probe_directory, name, "create", wait=True) for name in names]
    running = driver.start("up", parallel=1)
    running.wait_until(lambda _: "create" in methods(probe_directory))
    time.sleep(0.5)
    assert methods(probe_directory).count("create") == 1
    for file in files:
        file.unlink()
    assert running.wait().exit_code == 0


def test_a_killed_engine_ends_its_program(driver: Driver, probe_directory: Path) -> None:
    """The program exits by itself; the plugin keeps running."""
    driver.write_program(HEAD + "Probe('a', size=1)\n")
    running = waiting(driver, probe_directory, "create")
    assert len(running.program_pids()) == 1
    running.kill_engine()
    eventually(lambda: not running.program_pids(), within=30.0)


def test_a_killed_program_lets_a_step_end(driver: Driver, probe_directory: Path) -> None:
    """The running step is stored; the update fails, and leaves neither lock nor pending operation."""
    driver.write_program(HEAD + "Probe('a', size=1)\n")
    running = waiting(driver, probe_directory, "create")
    running.kill_program()
    (probe_directory / "a.create.json").unlink()
    run = running.wait()
    assert run.exit_code == 1
    assert any("program exited with non-zero exit code" in error for error in run.errors)
    assert driver.pending_operations() == []
    again = driver.up()
    assert again.exit_code == 0, again.output
    assert again.ops == {"a": "same"}
