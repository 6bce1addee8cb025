"""OfflineStack as a library: results, mocks and refused inputs."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks

from ocean_migration_pulumi.testing import EventLog, OfflineStack, ResourceMocks, StateError
from ocean_migration_pulumi.testing.offline.engine.display import Display
from tests.support.timing import PATIENCE
from tests.testing.offline.probe import HEAD, behave, calls, methods

OTHER = (
    "class Thing(pulumi.CustomResource):\n"
    "    ref: pulumi.Output[str]\n"
    "    def __init__(self, name, opts=None, **props):\n"
    "        super().__init__('other:index:Thing', name, {'ref': None, **props}, opts)\n"
)


class Shelf(ResourceMocks):
    """Mocks that keep what they made."""

    def __init__(self) -> None:
        self.things: dict[str, dict[str, Any]] = {}

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Put a thing on the shelf."""
        if args.inputs.get("size") == 13:
            msg = "unlucky"
            raise ValueError(msg)
        self.things[args.name] = dict(args.inputs)
        return f"thing-{args.name}", {**args.inputs, "ref": f"ref of {args.name}"}

    def update_resource(self, args: MockResourceArgs, outputs: dict[str, Any]) -> dict[str, Any]:
        """Change a thing on the shelf."""
        self.things[args.name] = dict(args.inputs)
        return super().update_resource(args, outputs)

    def delete_resource(self, args: MockResourceArgs, outputs: dict[str, Any]) -> None:
        """Take a thing off the shelf."""
        assert args.resource_id == f"thing-{args.name}"
        del self.things[args.name]

    def read_resource(self, args: MockResourceArgs, outputs: dict[str, Any]) -> dict[str, Any] | None:
        """Look whether a thing is on the shelf."""
        return outputs if args.name in self.things else None

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        """Answer one function, and refuse an argument of another."""
        if args.token == "other:index:bad":
            return {}, [("size", "too large")]
        return {"answer": f"{args.token} {args.args['x']}"}, None


class Plain(Mocks):
    """Mocks as the SDK knows them."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Return the inputs and a reference."""
        return f"{args.name}-id", {**args.inputs, "ref": "plain"}

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        """Answer nothing."""
        return {}, None


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Make a directory for a program."""
    directory = tmp_path / "things"
    directory.mkdir()
    return directory


def write(program: Path, source: str) -> None:
    """Write the program's source."""
    (program / "__main__.py").write_text(HEAD + source, encoding="utf-8")


def stack_of(program: Path, **options: Any) -> OfflineStack:
    """Return a stack of the program."""
    options.setdefault("environment", {"PROBE_DIR": str(program.parent)})
    return OfflineStack(program, program.parent / "state.json", **options)


def test_results(program: Path) -> None:
    """A result has steps, inputs before and after, diagnostics, outputs and counts."""
    write(program, "a = Probe('a', size=1)\npulumi.export('made', a.made)\npulumi.log.info('hello')\n")
    stack = stack_of(program)
    created = stack.up()
    assert created.succeeded
    assert created.error is None
    assert created.summary == {"create": 2}
    assert created.outputs == {"made": "a 1"}
    assert [(each.op, each.name) for each in created.steps] == [("create", "things-dev"), ("create", "a")]
    assert created.steps[1].type == "pulumi-python:dynamic/probe:Probe"
    assert created.steps[1].urn == "urn:pulumi:dev::things::pulumi-python:dynamic/probe:Probe::a"
    assert ("info", "hello") in [(each.severity, each.message) for each in created.diagnostics]
    assert [each.message for each in created.diagnostics if each.ephemeral] == ["creating a"]

    write(program, "a = Probe('a', size=2)\n")
    preview = stack.preview()
    (step,) = [each for each in preview.steps if each.name == "a"]
    assert (step.op, step.diff_keys) == ("update", ["computed", "size"])
    assert (step.inputs_before["size"], step.inputs["size"]) == (1, 2)
    assert preview.summary == {"same": 1, "update": 1}
    document = created.to_json()
    assert json.loads(json.dumps(document)) == document
    assert document["steps"][1]["outputs"]["made"] == "a 1"


def test_the_project_is_named_by_its_settings(program: Path) -> None:
    """`Pulumi.yaml` names the project and the program, arguments take precedence, and a file can be a program."""
    (program / "src").mkdir()
    (program / "Pulumi.yaml").write_text("name: named\nruntime: python\nmain: src\n", encoding="utf-8")
    write(program / "src", "pulumi.export('at', f'{pulumi.get_project()}/{pulumi.get_stack()}')\n")
    assert stack_of(program).up().outputs == {"at": "named/dev"}
    assert stack_of(program, project="other", stack="prod").preview().outputs == {"at": "other/prod"}
    file = program / "src" / "single.py"
    file.write_text("import pulumi, __main__ as m\npulumi.export('file', __file__)\n", encoding="utf-8")
    alone = OfflineStack(file, program / "alone.json").up()
    assert alone.outputs == {"file": str(file)}
    with pytest.raises(FileNotFoundError, match="no program at"):
        OfflineStack(program / "missing", program / "s.json")


def test_configuration_reaches_the_program(program: Path) -> None:
    """Keys without a namespace are the project's; secrets are secret outputs, and in no repr."""
    write(
        program,
        "config = pulumi.Config()\n"
        "pulumi.export('plain', config.require('plain'))\n"
        "pulumi.export('secret', config.require_secret('token'))\n"
        "pulumi.export('other', pulumi.Config('other').require('x'))\n",
    )
    stack = stack_of(program, config={"plain": "p", "other:x": "o"}, secrets={"token": "canary"})
    result = stack.up()
    assert result.outputs == {"plain": "p", "secret": "[secret]", "other": "o"}
    assert "canary" not in repr(stack) + repr(result) + (program.parent / "state.json").read_text(encoding="utf-8")


def test_the_lifecycle_of_a_mocked_resource(program: Path) -> None:
    """Mocked resources are created, updated, read and deleted."""
    shelf = Shelf()
    stack = stack_of(program, mocks=shelf)
    write(program, OTHER + "t = Thing('t', size=1)\nProbe('a', size=1, extra=t.ref)\n")
    preview = stack.preview()
    assert preview.succeeded
    assert shelf.things == {}
    assert next(each for each in preview.steps if each.name == "a").inputs["extra"] == "[unknown]"
    assert stack.up().succeeded
    assert shelf.things == {"t": {"size": 1}}
    assert calls(program.parent)[-1]["news"]["extra"] == "ref of t"
    write(program, OTHER + "t = Thing('t', size=2)\nProbe('a', size=1, extra=t.ref)\n")
    assert stack.up().summary == {"same": 2, "update": 1}
    assert shelf.things == {"t": {"size": 2}}
    shelf.things.clear()
    assert stack.refresh().summary == {"delete": 1, "same": 1}
    assert stack.up().summary == {"same": 2, "create": 1}
    assert stack.destroy().summary == {"delete": 3}
    assert shelf.things == {}


def test_plain_mocks_suffice(program: Path) -> None:
    """Mocks of the SDK create; an update merges the inputs into the outputs."""
    stack = stack_of(program, mocks=Plain())
    write(program, OTHER + "pulumi.export('size', Thing('t', size=1).ref)\n")
    assert stack.up().outputs == {"size": "plain"}
    write(program, OTHER + "Thing('t', size=2)\n")
    assert stack.up().summary == {"same": 1, "update": 1}
    assert stack.refresh().summary == {"same": 1}
    assert stack.destroy().succeeded


def test_without_mocks_other_packages_are_refused(program: Path) -> None:
    """A resource of another package is an error that says what to do."""
    write(program, OTHER + "Thing('t', size=1)\n")
    result = stack_of(program).up()
    assert not result.succeeded
    assert "pass `mocks`" in str([each.message for each in result.diagnostics])


def test_a_mock_that_raises_fails_its_step(program: Path) -> None:
    """The exception of a mock is the error of the step."""
    write(program, OTHER + "Thing('t', size=13)\n")
    result = stack_of(program, mocks=Shelf()).up()
    assert result.error == "update failed"
    # The SDK in the program may or may not notice in time that the engine has ended, and say so in between.
    messages = [each.message for each in result.diagnostics]
    assert (messages[0], messages[-1]) == ("ValueError: unlucky", "update failed")


def test_functions_and_external_resources(program: Path) -> None:
    """Mocks answer functions, invalid arguments are errors, and external resources are read."""
    write(
        program,
        OTHER
        + "pulumi.export('f', pulumi.runtime.invoke('other:index:f', {'x': 1}).value['answer'])\n"
        + "pulumi.export('t', Thing('t', opts=ResourceOptions(id='thing-t')).ref)\n",
    )
    shelf = Shelf()
    shelf.things["t"] = {}
    stack = stack_of(program, mocks=shelf)
    result = stack.up()
    assert result.succeeded, result.diagnostics
    assert result.outputs["f"] == "other:index:f 1"
    assert result.summary == {"create": 1, "read": 1}
    assert stack.destroy().succeeded
    assert shelf.things == {"t": {}}
    shelf.things.clear()
    assert not stack.up().succeeded
    write(program, "pulumi.runtime.invoke('other:index:bad', {})\n")
    refused = stack.up()
    assert not refused.succeeded
    assert "too large" in str(refused.diagnostics)


def test_unsupported_features_are_refused(program: Path) -> None:
    """Imports and invalid timeouts are errors."""
    stack = stack_of(program)
    write(program, "Probe('a', size=1, opts=ResourceOptions(import_='x'))\n")
    assert "does not support imports" in str(stack.up().diagnostics)
    timeouts = "custom_timeouts=pulumi.CustomTimeouts(create='soon')"
    write(program, f"Probe('a', size=1, opts=ResourceOptions({timeouts}))\n")
    assert "customTimeout" in str(stack.up().diagnostics)


def test_the_state_is_protected(program: Path) -> None:
    """A resource with dependents cannot be removed; a lock or a damaged state is an error."""
    write(program, "a = Probe('a', size=1)\nProbe('b', size=1, opts=ResourceOptions(depends_on=[a], protect=True))\n")
    stack = stack_of(program)
    assert stack.up().succeeded
    urns = {each["urn"].rpartition("::")[2]: each["urn"] for each in stack.export()["deployment"]["resources"]}
    for urn, reason in ((urns["a"], "needed by"), (urns["b"], "protected"), ("urn:x", "no such resource")):
        with pytest.raises(StateError, match=reason):
            stack.remove_from_state(urn)
    lock = program.parent / "state.json.lock"
    lock.write_text("pid 1 on elsewhere", encoding="utf-8")
    result = stack.up()
    assert not result.succeeded
    assert "pid 1 on elsewhere" in str(result.error)
    with pytest.raises(StateError, match="locked"):
        stack.import_state(stack.export())
    assert stack.cancel().succeeded
    assert "not locked" in stack.cancel().diagnostics[0].message
    (program.parent / "state.json").write_text("{}", encoding="utf-8")
    assert "not a stack's state" in str(stack.up().error)


def test_an_interruption_by_another_thread(program: Path) -> None:
    """`interrupt` ends an update from any thread; a later update is not affected by it."""
    write(program, "Probe('a', size=1)\n")
    stack = stack_of(program)
    how = behave(program.parent, "a", "create", wait=True)
    results = []
    thread = threading.Thread(target=lambda: results.append(stack.up()))
    thread.start()
    while "create" not in methods(program.parent):
        thread.join(0.01)
        assert thread.is_alive()
    stack.interrupt()
    thread.join(PATIENCE)
    assert results[0].error == "update failed"
    assert stack.export()["deployment"]["resources"][-1]["initErrors"] == ["a was interrupted"]
    how.unlink()
    assert stack.up().succeeded


def test_display_and_event_log(program: Path) -> None:
    """The display prints rows, changes, messages, outputs and counts; the event log has the same as JSON."""
    lines: list[str] = []
    log = program.parent / "events.jsonl"
    write(
        program,
        "a = Probe('a', size=1, items=['x'], tags={'k': 'v', 'w': 'x'}, flag=True)\npulumi.export('o', a.tags)\n",
    )
    stack = stack_of(program)
    assert stack.up().succeeded
    write(
        program, "Probe('a', size=2, items=['x', 'y'], tags={'k': 'z'}, token=Output.secret('canary'))\nprint('hi')\n"
    )
    stack = stack_of(program, observers=[Display(lines.append, preview=True), EventLog(log)])
    assert stack.preview().succeeded
    text = "\n".join(lines)
    for line in (
        " ~  pulumi-python:dynamic:Probe a update",
        "      - flag: true",
        '      ~ items: ["x"] => ["x", "y"]',
        "      ~ size: 1 => 2",
        "      ~ tags:",
        '          ~ k: "v" => "z"',
        '          - w: "x"',
        "      + token: [secret]",
        "    hi",
        "    ~ 1 to update",
        "    1 unchanged",
    ):
        assert line in lines, text
    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [each["sequence"] for each in events] == list(range(len(events)))
    assert events[-1]["summaryEvent"]["resourceChanges"] == {"same": 1, "update": 1}
    assert "canary" not in text + log.read_text(encoding="utf-8")

    assert stack.up().succeeded
    later = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert later[: len(events)] == events
    assert [each["sequence"] for each in later] == list(range(len(later)))
    assert sum("summaryEvent" in each for each in later) == 2


def test_display_of_an_update(program: Path) -> None:
    """An update shows live lines, failures, warnings and how it ended."""
    lines: list[str] = []
    write(program, "Probe('a', size=1)\nProbe('b', size=1)\n")
    behave(program.parent, "b", "create", fail="b broke")
    result = stack_of(program, observers=[Display(lines.append, preview=False)]).up()
    assert result.error == "update failed"
    text = "\n".join(lines)
    for part in (" a creating (0s)", "creating a", "**creating failed** error: b broke", "warning: a is a probe"):
        assert part in text
    assert lines[-1] == "error: update failed"
