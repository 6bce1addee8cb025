"""Replacements and deletions, the same on OfflineStack and, where available, on the real engine."""

from __future__ import annotations

from pathlib import Path

from tests.scenarios.driver import Driver
from tests.testing.offline.probe import HEAD, behave, calls, forget, methods


def sequence(directory: Path) -> list[tuple[str, str]]:
    """Return method and label of each call that changes something."""
    found = []
    for each in calls(directory):
        if each["method"] in ("create", "update", "delete"):
            found.append((each["method"], (each.get("news") or each["olds"])["label"]))
    return found


def test_delete_before_create(driver: Driver, probe_directory: Path) -> None:
    """A replacement that the provider wants so deletes first; it is checked again without the old inputs."""
    driver.write_program(HEAD + "Probe('a', size=1, zone='x')\n")
    assert driver.up().exit_code == 0
    driver.write_program(HEAD + "Probe('a', size=1, zone='y')\n")
    forget(probe_directory)
    preview = driver.preview()
    assert preview.ops == {"a": "replace"}
    forget(probe_directory)
    run = driver.up()
    assert run.exit_code == 0, run.output
    assert run.ops == {"a": "replace"}
    assert methods(probe_directory) == ["configure", "check", "diff", "check", "delete", "create"]
    checks = [each["olds"] for each in calls(probe_directory) if each["method"] == "check"]
    assert checks == [{"computed": "of 1", "label": "a", "size": 1, "zone": "x"}, {}]
    assert [each["inputs"]["zone"] for each in driver.resources()] == ["y"]


def test_create_before_delete(driver: Driver, probe_directory: Path) -> None:
    """Any other replacement creates first and deletes the old one at the end."""
    driver.write_program(HEAD + "Probe('a', size=1, region='x')\nProbe('b', size=1)\n")
    assert driver.up().exit_code == 0
    driver.write_program(HEAD + "Probe('a', size=1, region='y')\nProbe('b', size=2)\n")
    forget(probe_directory)
    run = driver.up()
    assert run.exit_code == 0, run.output
    assert run.ops == {"a": "replace", "b": "update"}
    assert sequence(probe_directory)[-1] == ("delete", "a")
    assert set(sequence(probe_directory)[:2]) == {("create", "a"), ("update", "b")}
    (deleted,) = [each["olds"] for each in calls(probe_directory) if each["method"] == "delete"]
    assert deleted["region"] == "x"
    assert len(driver.resources()) == 2


def test_the_option_wins_over_the_provider(driver: Driver, probe_directory: Path) -> None:
    """`delete_before_replace` of the resource overrides the provider, in both directions."""
    one = "Probe('a', size=1, region='{0}', opts=ResourceOptions(delete_before_replace=True))\n"
    two = "Probe('b', size=1, zone='{0}', opts=ResourceOptions(delete_before_replace=False))\n"
    driver.write_program(HEAD + (one + two).format("x"))
    assert driver.up().exit_code == 0
    driver.write_program(HEAD + (one + two).format("y"))
    forget(probe_directory)
    assert driver.up().exit_code == 0
    done = sequence(probe_directory)
    assert done.index(("delete", "a")) < done.index(("create", "a"))
    assert done.index(("delete", "b")) > done.index(("create", "b"))


def test_dependents_are_deleted_first(driver: Driver, probe_directory: Path) -> None:
    """Dependents whose replacement is forced are deleted before the resource, and created again."""
    program = (
        "a = Probe('a', size=1, zone='{0}')\n"
        "b = Probe('b', size=1, zone=a.made)\n"
        "Probe('c', size=1, extra=a.made)\n"
        "Probe('d', size=1, opts=ResourceOptions(depends_on=[b]))\n"
    )
    driver.write_program(HEAD + program.format("x"))
    assert driver.up().exit_code == 0
    driver.write_program(HEAD + program.format("y"))
    forget(probe_directory)
    preview = driver.preview()
    assert preview.exit_code == 0, preview.output
    assert preview.ops == {"a": "replace", "b": "replace", "c": "update", "d": "same"}
    forget(probe_directory)
    run = driver.up()
    assert run.exit_code == 0, run.output
    assert run.ops == {"a": "replace", "b": "replace", "c": "same", "d": "same"}
    assert sequence(probe_directory) == [("delete", "b"), ("delete", "a"), ("create", "a"), ("create", "b")]
    assert len(driver.resources()) == 4


def test_a_replacement_creates_later_after_a_failed_creation(driver: Driver, probe_directory: Path) -> None:
    """The next up creates, and does not delete again."""
    driver.write_program(HEAD + "Probe('a', size=1, zone='x')\n")
    assert driver.up().exit_code == 0
    driver.write_program(HEAD + "Probe('a', size=1, zone='y')\n")
    how = behave(probe_directory, "a", "create", fail="a broke")
    assert driver.up().exit_code == 1
    assert [each.get("pendingReplacement") for each in driver.resources()] == [True]
    how.unlink()
    forget(probe_directory)
    run = driver.up()
    assert run.exit_code == 0, run.output
    assert sequence(probe_directory) == [("create", "a")]
    (resource,) = driver.resources()
    assert "pendingReplacement" not in resource
    assert resource["inputs"]["zone"] == "y"


def test_a_replacement_deletes_later_after_a_failed_deletion(driver: Driver, probe_directory: Path) -> None:
    """The old resource stays marked, and the next up deletes it."""
    driver.write_program(HEAD + "Probe('a', size=1, region='x')\n")
    assert driver.up().exit_code == 0
    driver.write_program(HEAD + "Probe('a', size=1, region='y')\n")
    how = behave(probe_directory, "a", "delete", fail="a stays")
    assert driver.up().exit_code == 1
    assert sorted((each["inputs"]["region"], each.get("delete", False)) for each in driver.resources()) == [
        ("x", True),
        ("y", False),
    ]
    how.unlink()
    forget(probe_directory)
    assert driver.up().exit_code == 0
    assert sequence(probe_directory) == [("delete", "a")]
    assert len(driver.resources()) == 1


def test_a_replaced_resource_that_left_the_program_is_forgotten(driver: Driver, probe_directory: Path) -> None:
    """A resource that was deleted for a replacement and is no longer registered is not deleted again."""
    driver.write_program(HEAD + "Probe('a', size=1, zone='x')\n")
    assert driver.up().exit_code == 0
    driver.write_program(HEAD + "Probe('a', size=1, zone='y')\n")
    behave(probe_directory, "a", "create", fail="a broke")
    assert driver.up().exit_code == 1
    forget(probe_directory)
    driver.write_program(HEAD)
    assert driver.up().exit_code == 0
    assert sequence(probe_directory) == []
    assert driver.resources() == []


def test_destroy_goes_from_dependents_to_dependencies(driver: Driver, probe_directory: Path) -> None:
    """Dependents are deleted before dependencies, children before parents, and nothing is left."""
    driver.write_program(
        HEAD
        + "a = Probe('a', size=1)\n"
        + "b = Probe('b', size=1, extra=a.made)\n"
        + "c = Probe('c', size=1, opts=ResourceOptions(depends_on=[b]))\n"
        + "Probe('d', size=1, opts=ResourceOptions(parent=c))\n"
    )
    assert driver.up().exit_code == 0
    assert driver.stored("d")["urn"].split("::")[2] == "pulumi-python:dynamic/probe:Probe$" * 1 + (
        "pulumi-python:dynamic/probe:Probe"
    )
    forget(probe_directory)
    run = driver.destroy()
    assert run.exit_code == 0, run.output
    assert run.ops == dict.fromkeys("abcd", "delete")
    assert sequence(probe_directory) == [("delete", name) for name in "dcba"]
    assert driver.state()["deployment"].get("resources", []) == []


def test_deleted_with(driver: Driver, probe_directory: Path) -> None:
    """A resource that is deleted with another one is not deleted by itself."""
    driver.write_program(
        HEAD + "a = Probe('a', size=1)\nProbe('b', size=1, opts=ResourceOptions(deleted_with=a, depends_on=[a]))\n"
    )
    assert driver.up().exit_code == 0
    forget(probe_directory)
    assert driver.destroy().exit_code == 0
    assert sequence(probe_directory) == [("delete", "a")]
