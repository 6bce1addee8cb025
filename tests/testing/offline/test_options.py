"""Resource options, with the same results on OfflineStack and, where available, on the real engine."""

from __future__ import annotations

import json
from pathlib import Path

from tests.scenarios.driver import Driver
from tests.testing.offline.probe import HEAD, calls, forget, methods, only


def test_ignore_changes(driver: Driver, probe_directory: Path) -> None:
    """Ignored inputs keep their old values, at the top, within an object and within a list."""
    program = (
        "Probe('a', size={0}, extra={{'x': {0}, 'y': {0}}}, items=[{{'z': {0}}}],"
        " opts=ResourceOptions(ignore_changes=['size', 'extra.x', 'items[0].z', 'computed']))\n"
    )
    driver.write_program(HEAD + program.format(1))
    assert driver.up().exit_code == 0
    driver.write_program(HEAD + program.format(2))
    forget(probe_directory)
    run = driver.up()
    assert run.exit_code == 0, run.output
    assert only(probe_directory, "check")["news"] == {
        "computed": "of 1",
        "extra": {"x": 1, "y": 2},
        "items": [{"z": 1}],
        "label": "a",
        "size": 1,
    }
    assert run.ops == {"a": "update"}


def test_protect(driver: Driver, probe_directory: Path) -> None:
    """A protected resource is neither deleted nor replaced; the others are still deleted."""
    program = "Probe('a', size=1, zone='{0}', opts=ResourceOptions(protect={1}))\nProbe('b', size=1)\n"
    driver.write_program(HEAD + program.format("x", True))
    assert driver.up().exit_code == 0
    assert driver.stored("a")["protect"] is True
    forget(probe_directory)
    driver.write_program(HEAD + program.format("y", True))
    replaced = driver.up()
    assert replaced.exit_code != 0
    assert "unable to replace resource" in replaced.errors[0]
    destroyed = driver.destroy()
    assert destroyed.exit_code != 0
    assert "cannot be deleted" in destroyed.errors[0]
    assert [each["id"] for each in driver.resources()] == ["id of a"]
    assert methods(probe_directory).count("delete") == 1
    driver.write_program(HEAD + program.format("y", False))
    assert driver.up().exit_code == 0
    assert driver.destroy().exit_code == 0


def test_retain_on_delete(driver: Driver, probe_directory: Path) -> None:
    """A retained resource leaves the state without being deleted."""
    driver.write_program(HEAD + "Probe('a', size=1, opts=ResourceOptions(retain_on_delete=True))\n")
    assert driver.up().exit_code == 0
    forget(probe_directory)
    run = driver.destroy()
    assert run.exit_code == 0, run.output
    assert run.ops == {"a": "delete"}
    assert "delete" not in methods(probe_directory)
    assert driver.resources() == []


def test_custom_timeouts(driver: Driver, probe_directory: Path) -> None:
    """Custom timeouts reach the provider in seconds, that of the deletion from the state."""
    program = (
        "Probe('a', size={0},"
        " opts=ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create='10m', update='1h30m', delete='5s')))\n"
    )
    driver.write_program(HEAD + program.format(1))
    assert driver.up().exit_code == 0
    driver.write_program(HEAD + program.format(2))
    assert driver.up().exit_code == 0
    assert driver.destroy().exit_code == 0
    timeouts = {each["method"]: each["timeout"] for each in calls(probe_directory) if "timeout" in each}
    assert timeouts == {"create": 600.0, "update": 5400.0, "delete": 5.0}


def test_unknown_values_in_previews(driver: Driver, probe_directory: Path) -> None:
    """In a preview an output that does not exist yet is unknown, and an output that repeats an input is known."""
    driver.write_program(HEAD + "a = Probe('a', size=1)\nProbe('b', size=a.made, extra=a.size)\n")
    preview = driver.preview()
    assert preview.exit_code == 0, preview.output
    news = {each["news"]["label"]: each["news"] for each in calls(probe_directory) if each["method"] == "check"}
    assert news["b"] == {"extra": 1, "label": "b", "size": "[unknown]"}
    assert driver.up().exit_code == 0
    assert driver.stored("b")["inputs"]["size"] == "a 1"
    assert driver.stored("b")["dependencies"] == [driver.stored("a")["urn"]]

    driver.write_program(HEAD + "a = Probe('a', size=2)\nProbe('b', size=a.made, extra=a.size)\n")
    forget(probe_directory)
    preview = driver.preview()
    assert preview.ops == {"a": "update", "b": "update"}
    news = {each["news"]["label"]: each["news"] for each in calls(probe_directory) if each["method"] == "check"}
    assert news["b"] == {"extra": 2, "label": "b", "size": "[unknown]"}


def test_a_same_step_stores_new_inputs_and_keeps_outputs(driver: Driver, probe_directory: Path) -> None:
    """Inputs that diff ignores are stored without an update, and the outputs stay."""
    driver.write_program(HEAD + "Probe('a', size=1, note='x')\n")
    assert driver.up().exit_code == 0
    driver.write_program(HEAD + "Probe('a', size=1, note='y')\n")
    run = driver.up()
    assert run.ops == {"a": "same"}
    assert driver.stored("a")["inputs"]["note"] == "y"
    assert driver.stored("a")["outputs"]["note"] == "x"
    forget(probe_directory)
    assert driver.up().ops == {"a": "same"}
    assert only(probe_directory, "check")["olds"]["note"] == "y"
    assert only(probe_directory, "diff")["olds"]["note"] == "x"


def test_secrets(driver: Driver, probe_directory: Path) -> None:
    """Secrets reach the provider in clear and stay encrypted in the state, and out of every output."""
    driver.configure(secret=True, token="canary-of-the-config")
    driver.write_program(
        HEAD
        + "config = pulumi.Config()\n"
        + "a = Probe('a', size=1, token=config.require_secret('token'), nested={'deep': Output.secret('canary-deep')},"
        + " opts=ResourceOptions(additional_secret_outputs=['made']))\n"
        + "pulumi.export('token', a.token)\npulumi.export('made', a.made)\n"
    )
    outputs = [driver.preview().output]
    run = driver.up()
    assert run.exit_code == 0, run.output
    outputs += [run.output, json.dumps(run.events), json.dumps(driver.state())]
    assert only_config(probe_directory) == {"token": "canary-of-the-config"}
    news = next(each["news"] for each in calls(probe_directory) if each["method"] == "create")
    assert (news["token"], news["nested"]) == ("canary-of-the-config", {"deep": "canary-deep"})
    resource = driver.stored("a")
    for value in (resource["inputs"]["token"], resource["outputs"]["token"], resource["outputs"]["made"]):
        assert "ciphertext" in value
    assert "ciphertext" in driver.outputs()["token"]
    assert "canary" not in "".join(outputs)
    forget(probe_directory)
    assert driver.up().ops == {"a": "same"}
    assert only(probe_directory, "check")["olds"]["token"] == "canary-of-the-config"
    assert driver.stored("a")["outputs"]["token"]["ciphertext"]
    assert driver.destroy().exit_code == 0


def only_config(directory: Path) -> dict[str, str]:
    """Return the configuration that the provider saw last."""
    return dict([each["config"] for each in calls(directory) if each["method"] == "configure"][-1])


def test_destroy_and_refresh_use_the_configuration_of_the_last_up(driver: Driver, probe_directory: Path) -> None:
    """An up configures the provider with today's configuration; a refresh and a destroy with that of the last up."""
    driver.configure(plain="one")
    driver.write_program(HEAD + "Probe('a', size=1)\n")
    assert driver.up().exit_code == 0
    assert only_config(probe_directory) == {"plain": "one"}
    driver.configure(plain="two")
    forget(probe_directory)
    assert driver.refresh().exit_code == 0
    assert only_config(probe_directory) == {"plain": "one"}
    forget(probe_directory)
    assert driver.up().ops == {"a": "same"}
    assert only_config(probe_directory) == {"plain": "two"}
    driver.unconfigure("plain")
    forget(probe_directory)
    assert driver.destroy().exit_code == 0
    assert only_config(probe_directory) == {"plain": "two"}


def test_components(driver: Driver) -> None:
    """A component is a parent: its type is part of the URN, its outputs are stored, and it passes on protection."""
    driver.write_program(
        HEAD
        + "class Group(pulumi.ComponentResource):\n"
        + "    def __init__(self, name, opts=None):\n"
        + "        super().__init__('tests:index:Group', name, None, opts)\n"
        + "        child = Probe('a', size=1, opts=ResourceOptions(parent=self))\n"
        + "        self.register_outputs({'made': child.made})\n"
        + "Group('g', opts=ResourceOptions(protect=True))\n"
    )
    run = driver.up()
    assert run.exit_code == 0, run.output
    assert run.ops == {"g": "create", "a": "create"}
    group, child = driver.stored("g"), driver.stored("a")
    assert group["outputs"] == {"made": "a 1"}
    assert child["urn"].split("::")[2] == "tests:index:Group$pulumi-python:dynamic/probe:Probe"
    assert child["parent"] == group["urn"]
    assert (group["protect"], child["protect"]) == (True, True)
    assert driver.up().ops == {"g": "same", "a": "same"}
    assert driver.destroy().exit_code != 0


def test_a_rename_with_an_alias(driver: Driver, probe_directory: Path) -> None:
    """A resource that is renamed with an alias stays the same resource."""
    driver.write_program(HEAD + "Probe('a', size=1)\n")
    assert driver.up().exit_code == 0
    driver.write_program(HEAD + "Probe('b', size=1, opts=ResourceOptions(aliases=[pulumi.Alias(name='a')]))\n")
    forget(probe_directory)
    run = driver.up()
    assert run.exit_code == 0, run.output
    assert run.ops == {"b": "same"}
    assert "create" not in methods(probe_directory)
    assert [each["id"] for each in driver.resources()] == ["id of a"]


def test_children_of_a_component_with_an_alias(driver: Driver, probe_directory: Path) -> None:
    """They move and are renamed with it: a name that begins with the component's has begun with its former name."""
    declared = """
class Group(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("tests:index:Group", name, None, opts)
        below = ResourceOptions(parent=self)
        inner = pulumi.ComponentResource("tests:index:Inner", f"{name}-inner", None, below)
        Probe(f"{name}-inner-a", size=1, opts=ResourceOptions(parent=inner))
        Probe("b", size=1, opts=below)
        Probe("d", size=1, opts=ResourceOptions(parent=self, aliases=[pulumi.Alias(name="c")]))

outer = pulumi.ComponentResource("tests:index:Outer", "outer")
"""
    earlier = declared.replace('Probe("d"', 'Probe("c"').replace(', aliases=[pulumi.Alias(name="c")]', "")
    driver.write_program(f"{HEAD}{earlier}Group('g')\n")
    assert driver.up().exit_code == 0
    moved = "parent=outer, aliases=[pulumi.Alias(name='g', parent=pulumi.ROOT_STACK_RESOURCE)]"
    driver.write_program(f"{HEAD}{declared}Group('h', ResourceOptions({moved}))\n")
    forget(probe_directory)
    run = driver.up()
    assert run.exit_code == 0, run.output
    assert run.ops == dict.fromkeys(["outer", "h", "h-inner", "h-inner-a", "b", "d"], "same")
    assert "create" not in methods(probe_directory)


def test_state_delete_and_import(driver: Driver, probe_directory: Path) -> None:
    """A resource can be removed from the state, and an older state restored."""
    driver.write_program(HEAD + "a = Probe('a', size=1)\nProbe('b', size=1, opts=ResourceOptions(depends_on=[a]))\n")
    assert driver.up().exit_code == 0
    older = driver.state()
    assert driver.state_delete("a").exit_code != 0
    assert driver.state_delete("b").exit_code == 0
    assert [each["id"] for each in driver.resources()] == ["id of a"]
    forget(probe_directory)
    assert driver.up().ops == {"a": "same", "b": "create"}
    driver.import_state(older)
    assert driver.up().ops == {"a": "same", "b": "same"}
