"""The calls to a provider, the same on OfflineStack and, where available, on the real engine."""

from __future__ import annotations

from pathlib import Path

from tests.scenarios.driver import Driver
from tests.testing.offline.probe import HEAD, calls, forget, methods, only


def test_the_lifecycle_of_a_resource(driver: Driver, probe_directory: Path) -> None:
    """Preview, create, same, update and delete call the provider with the same arguments as the real engine."""
    driver.write_program(HEAD + "a = Probe('a', size=1)\npulumi.export('made', a.made)\n")
    preview = driver.preview()
    assert preview.exit_code == 0, preview.output
    assert preview.ops == {"a": "create"}
    assert (preview.inputs("a") or {})["computed"] == "of 1"
    assert methods(probe_directory) == ["configure", "check"]
    assert driver.resources() == []
    forget(probe_directory)

    up = driver.up()
    assert up.exit_code == 0, up.output
    assert up.ops == {"a": "create"}
    assert calls(probe_directory) == [
        {"method": "configure", "config": {}},
        {"method": "check", "olds": {}, "news": {"label": "a", "size": 1}},
        {"method": "create", "news": {"computed": "of 1", "label": "a", "size": 1}, "timeout": None},
    ]
    assert up.statuses == ["creating a"]
    assert up.messages("a") == [("warning", "a is a probe")]
    resource = driver.stored("a")
    assert resource["id"] == "id of a"
    assert resource["inputs"].keys() == {"__provider", "computed", "label", "size"}
    assert resource["outputs"] == {**resource["inputs"], "made": "a 1"}
    assert driver.outputs() == {"made": "a 1"}
    forget(probe_directory)

    again = driver.up()
    assert again.exit_code == 0, again.output
    assert again.ops == {"a": "same"}
    assert methods(probe_directory) == ["configure", "check", "diff"]
    before = {"computed": "of 1", "label": "a", "size": 1}
    assert only(probe_directory, "check") == {"method": "check", "olds": before, "news": {"label": "a", "size": 1}}
    assert only(probe_directory, "diff") == {
        "method": "diff",
        "id": "id of a",
        "olds": {**before, "made": "a 1"},
        "news": before,
        "old_inputs": before,
    }
    forget(probe_directory)

    driver.write_program(HEAD + "a = Probe('a', size=2)\n")
    changed = driver.up()
    assert changed.exit_code == 0, changed.output
    assert changed.ops == {"a": "update"}
    after = {"computed": "of 2", "label": "a", "size": 2}
    assert only(probe_directory, "update") == {
        "method": "update",
        "id": "id of a",
        "olds": {**before, "made": "a 1"},
        "news": after,
        "timeout": None,
        "old_inputs": before,
    }
    assert driver.stored("a")["outputs"]["made"] == "a 2"
    assert driver.outputs() == {}
    forget(probe_directory)

    driver.write_program(HEAD)
    gone = driver.up()
    assert gone.exit_code == 0, gone.output
    assert gone.ops == {"a": "delete"}
    assert only(probe_directory, "delete")["olds"] == {**after, "made": "a 2"}
    assert driver.resources() == []
