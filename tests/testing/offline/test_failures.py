"""Failures, with the same results on OfflineStack and, where available, on the real engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.driver import Driver
from tests.testing.offline.probe import HEAD, behave, calls, forget, methods


def test_a_failed_creation_leaves_nothing(driver: Driver, probe_directory: Path) -> None:
    """It is a one-line error, leaves neither resource nor pending operation, and is tried again."""
    driver.write_program(HEAD + "Probe('a', size=1)\n")
    how = behave(probe_directory, "a", "create", fail="a broke")
    failed = driver.up()
    assert failed.exit_code == 1
    assert failed.failed == {"a"}
    assert failed.errors == ["a broke", "update failed"]
    assert driver.resources() == []
    assert driver.pending_operations() == []
    how.unlink()
    again = driver.up()
    assert again.exit_code == 0, again.output
    assert again.ops == {"a": "create"}
    assert methods(probe_directory).count("create") == 2


def test_a_partial_creation_is_stored_and_updated_by_the_next_up(driver: Driver, probe_directory: Path) -> None:
    """A partial failure of a creation stores id, outputs, new inputs and reasons; the next up calls update."""
    driver.write_program(HEAD + "Probe('a', size=1)\n")
    how = behave(probe_directory, "a", "create", partial="a is not ready")
    failed = driver.up()
    assert failed.exit_code == 1
    assert failed.failed == {"a"}
    assert failed.errors == ["1 error occurred:\n\t* a is not ready", "update failed"]
    resource = driver.stored("a")
    assert resource["id"] == "id of a"
    assert resource["initErrors"] == ["a is not ready"]
    assert resource["inputs"]["size"] == 1
    assert resource["outputs"]["made"] == "partly"
    assert resource["outputs"]["__provider"] == resource["inputs"]["__provider"]
    assert driver.pending_operations() == []

    how.unlink()
    forget(probe_directory)
    preview = driver.preview()
    assert preview.ops == {"a": "update"}
    forget(probe_directory)
    again = driver.up()
    assert again.exit_code == 0, again.output
    assert again.ops == {"a": "update"}
    assert methods(probe_directory) == ["configure", "check", "diff", "update"]
    resource = driver.stored("a")
    assert "initErrors" not in resource
    assert resource["outputs"]["made"] == "a 2"


def test_a_partial_update_keeps_the_old_inputs(driver: Driver, probe_directory: Path) -> None:
    """A partial failure of an update stores new outputs and reasons beside the old inputs."""
    driver.write_program(HEAD + "Probe('a', size=1)\n")
    assert driver.up().exit_code == 0
    driver.write_program(HEAD + "Probe('a', size=2)\n")
    how = behave(probe_directory, "a", "update", partial="a is not ready")
    failed = driver.up()
    assert failed.exit_code == 1
    resource = driver.stored("a")
    assert resource["initErrors"] == ["a is not ready"]
    assert resource["inputs"]["size"] == 1
    assert resource["outputs"]["size"] == 2
    assert resource["outputs"]["made"] == "partly"
    how.unlink()
    driver.write_program(HEAD + "Probe('a', size=1)\n")
    forget(probe_directory)
    again = driver.up()
    assert again.ops == {"a": "update"}
    assert [each["olds"] for each in calls(probe_directory) if each["method"] == "update"] == [
        {"computed": "of 2", "label": "a", "made": "partly", "size": 2}
    ]
    assert "initErrors" not in driver.stored("a")


def test_a_failed_update_changes_nothing(driver: Driver, probe_directory: Path) -> None:
    """An update that fails with nothing to save leaves the resource as it was."""
    driver.write_program(HEAD + "Probe('a', size=1)\n")
    assert driver.up().exit_code == 0
    before = driver.stored("a")
    driver.write_program(HEAD + "Probe('a', size=2)\n")
    behave(probe_directory, "a", "update", fail="a broke")
    failed = driver.up()
    assert failed.exit_code == 1
    assert failed.errors == ["a broke", "update failed"]
    after = driver.stored("a")
    assert {key: after[key] for key in ("id", "inputs", "outputs")} == {
        key: before[key] for key in ("id", "inputs", "outputs")
    }
    assert "initErrors" not in after


def test_a_failed_deletion_keeps_the_resource(driver: Driver, probe_directory: Path) -> None:
    """A resource that cannot be deleted stays in the state, with its dependencies."""
    driver.write_program(HEAD + "a = Probe('a', size=1)\nProbe('b', size=1, opts=ResourceOptions(depends_on=[a]))\n")
    assert driver.up().exit_code == 0
    how = behave(probe_directory, "b", "delete", fail="b stays")
    failed = driver.destroy()
    assert failed.exit_code == 1
    assert failed.errors == ["b stays", "update failed"]
    assert {each["id"] for each in driver.resources()} == {"id of a", "id of b"}
    assert driver.pending_operations() == []
    how.unlink()
    assert driver.destroy().exit_code == 0
    assert driver.resources() == []


def test_invalid_inputs_are_named_and_change_nothing(driver: Driver, probe_directory: Path) -> None:
    """The error names the property, in a preview and in an update."""
    driver.write_program(HEAD + "Probe('a', size=0, zone='nowhere')\n")
    kind = "pulumi-python:dynamic/probe:Probe resource 'a'"
    for run in (driver.preview(), driver.up()):
        assert run.exit_code != 0
        assert run.errors == [
            f"{kind}: property size value {{0}} has a problem: must not be 0",
            f"{kind}: property zone.name value {{<nil>}} has a problem: unknown",
            f"{kind} has a problem: nothing fits",
        ]
    assert driver.resources() == []
    assert set(methods(probe_directory)) == {"configure", "check"}


@pytest.mark.parametrize("method", ["check", "diff"])
def test_a_check_or_diff_that_fails_ends_the_update(driver: Driver, probe_directory: Path, method: str) -> None:
    """The exception of check or diff is the error of the preview and of the update."""
    driver.write_program(HEAD + "Probe('a', size=1)\n")
    assert driver.up().exit_code == 0
    behave(probe_directory, "a", method, fail="no idea")
    for run in (driver.preview(), driver.up()):
        assert run.exit_code != 0
        assert run.errors == ["no idea"]
    assert driver.stored("a")["id"] == "id of a"


def test_a_failure_lets_running_steps_end(driver: Driver, probe_directory: Path) -> None:
    """When one resource fails, running steps end and are stored, and no other step starts."""
    driver.write_program(
        HEAD + "Probe('a', size=1)\nb = Probe('b', size=1)\nProbe('c', size=1, opts=ResourceOptions(depends_on=[b]))\n"
    )
    behave(probe_directory, "a", "create", fail="a broke")
    slow = behave(probe_directory, "b", "create", wait=True)
    running = driver.start("up")
    running.wait_until(lambda run: "a" in run.failed and methods(probe_directory).count("create") == 2)
    slow.unlink()
    run = running.wait()
    assert run.exit_code == 1
    assert run.failed == {"a"}
    assert [each["id"] for each in driver.resources()] == ["id of b"]
    assert "c" not in [each["news"].get("label") for each in calls(probe_directory) if each["method"] == "create"]


def test_a_program_that_raises_deletes_nothing(driver: Driver) -> None:
    """A program that fails keeps the resources that it registered, and those that it did not reach."""
    driver.write_program(HEAD + "Probe('a', size=1)\nProbe('b', size=1)\npulumi.export('x', 1)\n")
    assert driver.up().exit_code == 0
    driver.write_program(HEAD + "Probe('a', size=2)\nprint('so far')\nraise ValueError('of the program')\n")
    run = driver.up()
    assert run.exit_code != 0
    assert "ValueError: of the program" in run.errors[0]
    assert ("info", "so far") in run.diagnostics
    assert {each["id"] for each in driver.resources()} == {"id of a", "id of b"}
    assert driver.outputs() == {"x": 1}


def test_a_name_used_twice_is_refused(driver: Driver) -> None:
    """Two resources with the same name and type are an error."""
    driver.write_program(HEAD + "Probe('a', size=1)\nProbe('a', size=1)\n")
    run = driver.preview()
    assert run.exit_code != 0
    assert any("Duplicate resource URN" in error for error in run.errors)
