"""Refreshes, with the same results on OfflineStack and, where available, on the real engine."""

from __future__ import annotations

from pathlib import Path

from tests.scenarios.driver import Driver
from tests.testing.offline.probe import HEAD, behave, forget, methods, only


def test_a_refresh_reads_and_compares(driver: Driver, probe_directory: Path) -> None:
    """A refresh calls read with the outputs, then diff, and stores what was read."""
    driver.write_program(HEAD + "Probe('a', size=1)\n")
    assert driver.up().exit_code == 0
    forget(probe_directory)
    unchanged = driver.refresh()
    assert unchanged.exit_code == 0, unchanged.output
    assert unchanged.ops == {"a": "same"}
    assert methods(probe_directory) == ["configure", "read", "diff"]
    known = {"computed": "of 1", "label": "a", "size": 1}
    assert only(probe_directory, "read") == {"method": "read", "id": "id of a", "olds": {**known, "made": "a 1"}}
    diff = only(probe_directory, "diff")
    assert (diff["olds"], diff["news"], diff["old_inputs"]) == ({**known, "made": "a 1"}, known, known)

    behave(probe_directory, "a", "read", outputs={"made": "elsewhere"})
    changed = driver.refresh()
    assert changed.exit_code == 0, changed.output
    assert changed.ops == {"a": "same"}
    assert driver.stored("a")["outputs"]["made"] == "elsewhere"
    assert driver.stored("a")["inputs"] == driver.stored("a")["inputs"] | known


def test_a_refresh_removes_missing_resources(driver: Driver, probe_directory: Path) -> None:
    """A resource that read does not find is removed, and its dependents no longer depend on it."""
    driver.write_program(HEAD + "a = Probe('a', size=1)\nProbe('b', size=1, extra=a.made)\n")
    assert driver.up().exit_code == 0
    how = behave(probe_directory, "a", "read", gone=True)
    run = driver.refresh()
    assert run.exit_code == 0, run.output
    assert run.ops == {"a": "delete", "b": "same"}
    (left,) = driver.resources()
    assert left["id"] == "id of b"
    assert left.get("dependencies", []) == []
    how.unlink()
    assert driver.up().ops == {"a": "create", "b": "same"}


def test_a_read_that_fails_fails_the_refresh(driver: Driver, probe_directory: Path) -> None:
    """The other resources are stored all the same."""
    driver.write_program(HEAD + "Probe('a', size=1)\nProbe('b', size=1)\n")
    assert driver.up().exit_code == 0
    behave(probe_directory, "a", "read", fail="not now")
    behave(probe_directory, "b", "read", outputs={"made": "elsewhere"})
    run = driver.refresh()
    assert run.exit_code == 1
    assert run.errors == ["not now", "update failed"]
    assert driver.stored("a")["outputs"]["made"] == "a 1"
    assert driver.stored("b")["outputs"]["made"] == "elsewhere"


def test_a_refresh_clears_the_reasons_of_a_partial_failure(driver: Driver, probe_directory: Path) -> None:
    """A read that succeeds takes `initErrors` away, so that the next up does nothing by itself."""
    driver.write_program(HEAD + "Probe('a', size=1)\n")
    behave(probe_directory, "a", "create", partial="a is not ready").touch()
    assert driver.up().exit_code == 1
    assert driver.stored("a")["initErrors"] == ["a is not ready"]
    assert driver.refresh().exit_code == 0
    assert "initErrors" not in driver.stored("a")
    assert driver.up().ops == {"a": "same"}


def test_an_unhealthy_read_is_a_warning(driver: Driver, probe_directory: Path) -> None:
    """A partial failure of a read warns, stores the reasons, and makes the next up update."""
    driver.write_program(HEAD + "Probe('a', size=1)\n")
    assert driver.up().exit_code == 0
    how = behave(probe_directory, "a", "read", partial="a is ill")
    run = driver.refresh()
    assert run.exit_code == 0, run.output
    assert any("a is ill" in text for text in run.warnings)
    assert driver.stored("a")["initErrors"] == ["a is ill"]
    how.unlink()
    assert driver.up().ops == {"a": "update"}


def test_up_with_refresh(driver: Driver, probe_directory: Path) -> None:
    """An up that refreshes first reads with the old configuration and updates with the new one."""
    driver.configure(plain="one")
    driver.write_program(HEAD + "Probe('a', size=1)\n")
    assert driver.up().exit_code == 0
    driver.configure(plain="two")
    behave(probe_directory, "a", "read", gone=True)
    forget(probe_directory)
    run = driver.up(refresh=True)
    assert run.exit_code == 0, run.output
    assert methods(probe_directory) == ["configure", "read", "configure", "check", "create"]
    assert len(driver.resources()) == 1


def test_up_with_a_refresh_that_fails(driver: Driver, probe_directory: Path) -> None:
    """An up whose refresh fails ends there: the program does not run, and nothing is deleted."""
    driver.write_program(HEAD + "Probe('a', size=1)\n")
    assert driver.up().exit_code == 0
    behave(probe_directory, "a", "read", fail="not now")
    forget(probe_directory)
    run = driver.up(refresh=True)
    assert run.exit_code == 1
    assert run.errors == ["not now", "update failed"]
    assert methods(probe_directory) == ["configure", "read"]
    assert driver.stored("a")["outputs"]["made"] == "a 1"
