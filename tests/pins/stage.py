"""A stack on a simulator whose acts are written down: what was done as data, what was said as words."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from click.testing import CliRunner

from ocean_migration_pulumi.simulator import Simulator
from ocean_migration_pulumi.testing import Diagnostic, OfflineStack, Result, Step
from tests.pins.command import main

SPEED = 1200.0
"""Simulated seconds per real second: a migration of two batches takes half a second."""

TIMEOUT = 120.0
"""Real seconds after which a situation that does not come about fails."""

_POLL = "0.05"
_BEATING = -30 * 86_400
_MIGRATION = "pulumi-python:dynamic/ocean-migration:OceanWorkloadMigration"
_STACK_TYPE = "pulumi:pulumi:Stack"
_WORDS = frozenset({"message", "remedy"})
"""The parts of the output `failure` that are words."""

_COLON = "(?::|&#58;\u200b?)"
"""A colon, in Markdown with what keeps it from being a link."""
_TIME = re.compile(rf"\d{{4}}-\d\d-\d\d[T ]\d\d{_COLON}\d\d({_COLON}\d\d(\.\d+)?)?(Z| UTC)?")
_PORT = re.compile(r"127\.0\.0\.1:\d+")
_SOME_PORT = "127.0.0.1:<port>"
_VARYING = (
    (_TIME, "<time>"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<id>"),
    (_PORT, _SOME_PORT),
    (re.compile(r"Connection re(set by peer|fused)|Broken pipe"), "<how the connection ended>"),
    (re.compile(r"(?<![\w.-])(\d+(\.\d+)?(ms|[smhd]))+(?!\w)"), "<duration>"),
    (re.compile(r"(?<![\w.-])\d+(\.\d+)? (seconds?|min|minutes?|hours?|days?|[smhd])(?!\w)"), "<duration>"),
)


_RUNNING = (
    *("STARTING", "AWAIT_REPLACEMENTS", "HANDLE_UNSCHEDULE", "DRAIN_NODES", "VALIDATE_DRAIN", "RESCHEDULE_NODES"),
    *("TERMINATE_NODES", "AWAIT_TERMINATION", "STOPPING", "ERROR"),
)
"""The service's states of a migration that is to go on."""

_STATES = re.compile(rf"\b({'|'.join(_RUNNING)}|STOPPED|FINISHED|FINISHED_ERROR)\b")
"""Each of the service's states."""

_BATCH = re.compile(r"^\d+/\d+ nodes\b.*: batch \d+( of \d+)? done after ")
"""The line of a batch."""


class Expression(str):
    """Source instead of a value: stands in a program as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Running:
    """A command that runs on a thread of its own."""

    def __init__(self, stage: Stage, command: str, stack: OfflineStack) -> None:
        self._stage = stage
        self._command = command
        self._stack = stack
        self._mark = stage.mark()
        self._result: Result | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def until(self, met: Callable[[], bool]) -> None:
        """Wait until a condition is met; fail when the command ends before."""
        deadline = time.monotonic() + TIMEOUT
        while not met():
            assert self._thread.is_alive(), f"{self._command} has ended: {self._result and self._result.diagnostics}"
            assert time.monotonic() < deadline, "not in time"
            time.sleep(0.01)

    def until_polled(self, migration_id: str = "owm-", times: int = 4) -> None:
        """Wait until the command has asked so often for the status of a migration, after its last write."""

        def asked() -> int:
            requests = self._stage.control.requests(since=self._mark)
            count = 0
            for each in requests:
                if each["method"] != "GET":
                    count = 0
                elif f"/migration/{migration_id}" in each["path"]:
                    count += 1
            return count

        self.until(lambda: asked() >= times)

    def until_started(self) -> None:
        """Wait until the command has started a migration and waits for it."""
        self.until(lambda: bool(self._stage.writes(self._mark)))
        self.until_polled()

    def interrupt(self) -> None:
        """Do what Ctrl-C does."""
        self._stack.interrupt()

    def wait(self) -> Result:
        """Wait for the end, and write down what came of it."""
        self._thread.join(TIMEOUT)
        assert self._result is not None, "no end in time"
        self._stage.note(self._command, self._result, self._mark)
        return self._result

    def _run(self) -> None:
        self._result = getattr(self._stack, self._command)()


class Stage:
    """One stack whose program declares resources on one simulator, for as long as the `with` block lasts.

    `acts`, `words` and `comments` hold what its commands did, what they said, and the comments on their previews.
    """

    def __init__(self, directory: Path, **simulator: Any) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.acts: list[dict[str, Any]] = []
        self.words: list[str] = []
        self.comments: list[str] = []
        self.secrets: dict[str, str] = {}
        self.config: dict[str, str] = {}
        self.environment: dict[str, str] = {}
        self._directory = directory
        self._preview_file = directory / "preview.jsonl"
        self._program = directory / "program.py"
        self.program()
        self.simulator = Simulator(**{"speed": SPEED, **({} if "world" in simulator else {"nodes": 4}), **simulator})

    def __enter__(self) -> Self:
        self.simulator.start()
        self.control = self.simulator.control
        self.ocean_id = self.simulator.ocean_id
        self.beat(self.ocean_id)
        self.environment = {
            **self.simulator.environment,
            "OCEAN_MIGRATION_POLL_INTERVAL": _POLL,
            "HOME": str(self._directory),
            "AWS_EC2_METADATA_DISABLED": "true",
            "OCEAN_MIGRATION_PREVIEW_FILE": str(self._preview_file),
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.simulator.stop()

    def beat(self, ocean_id: str) -> None:
        """Let a controller that is alive stay so: at this speed its ten minutes are over in half a second."""
        clusters = self.control.overview()["clusters"]
        if any(each["id"] == ocean_id and each["heartbeat"] == "ACTIVE" for each in clusters):
            self.control.heartbeat(ocean_id, age_seconds=_BEATING)

    def add_cluster(self, **options: Any) -> str:
        """Add a cluster of four nodes and return its id."""
        ocean_id = str(self.control.add_cluster(4, **options)["id"])
        self.beat(ocean_id)
        return ocean_id

    def asg(self, name: str = "web", ocean_id: str | None = None) -> list[str]:
        """Return the instances of an Auto Scaling Group, gone ones included."""
        nodes = self.control.nodes(ocean_id or self.ocean_id)
        return sorted(node["instance_id"] for node in nodes if node["asg_name"] == name)

    def migrations(self) -> list[dict[str, Any]]:
        """Return every migration of the cluster, oldest first."""
        return self.control.migrations(self.ocean_id)

    def hold(self, held: bool = True) -> None:
        """Freeze every migration of the cluster, or let them go on."""
        self.control.hold(self.ocean_id, held)

    def mark(self) -> int:
        """Return the number of the last request so far."""
        return max((entry["n"] for entry in self.control.requests(api="all")), default=0)

    def writes(self, since: int = 0) -> list[dict[str, Any]]:
        """Return the writes to Spot after a request, whatever came of them."""
        return [entry for entry in self.control.requests(since=since) if entry["method"] != "GET"]

    def resource(
        self, name: str = "web", kind: str = "OceanWorkloadMigration", /, *, opts: str = "", **inputs: Any
    ) -> str:
        """Return the source of one resource; a migration without `nodes` takes the Auto Scaling Group `web`."""
        given: dict[str, Any] = {"ocean_id": self.ocean_id}
        if kind == "OceanWorkloadMigration":
            given |= {"nodes": {"asg_names": ["web"]}, "batch_size_percentage": 50}
        lines = [f"    {key}={value!r}," for key, value in {**given, **inputs}.items()]
        lines += [f"    opts=pulumi.ResourceOptions({opts})," if opts else ""]
        return "\n".join([f"{name} = {kind}(", f"    {name!r},", *lines, ")\n"])

    def program(self, *sources: str) -> None:
        """Let the program consist of this."""
        head = "import pulumi\nfrom ocean_migration_pulumi import *\n"
        self._program.write_text(head + "".join(sources), encoding="utf-8")

    def declare(self, *, opts: str = "", **inputs: Any) -> None:
        """Let the program consist of one migration."""
        self.program(self.resource(opts=opts, **inputs))

    def stack(self) -> OfflineStack:
        """Return the stack with the settings of now."""
        return OfflineStack(
            self._program,
            self._directory / "state.json",
            project="pins",
            config=self.config,
            secrets=self.secrets,
            environment=self.environment,
        )

    def preview(self) -> Result:
        """Run a preview, and make the comment of it as the pipelines do."""
        self._preview_file.unlink(missing_ok=True)
        return self.begin("preview").wait()

    def up(self) -> Result:
        """Run an update."""
        return self.begin("up").wait()

    def refresh(self) -> Result:
        """Run a refresh."""
        return self.begin("refresh").wait()

    def destroy(self) -> Result:
        """Run a destruction."""
        return self.begin("destroy").wait()

    def begin(self, command: str) -> Running:
        """Start a command."""
        return Running(self, command, self.stack())

    def outputs(self, name: str = "web") -> dict[str, Any]:
        """Return the outputs of a resource as the state holds them."""
        (found,) = (each for each in self.resources() if _name(each["urn"]) == name)
        outputs: dict[str, Any] = found["outputs"]
        return outputs

    def resources(self) -> list[dict[str, Any]]:
        """Return the resources of the state, the stack and providers left out."""
        return [each for each in self.stack().export()["deployment"].get("resources") or () if _counts(each["type"])]

    def note(self, command: str, result: Result, since: int) -> None:
        """Write down what came of a command."""
        number = len(self.acts) + 1
        said = [each for each in result.diagnostics if _stays(each, live=command != "preview")]
        act: dict[str, Any] = {
            "command": command,
            "succeeded": result.succeeded,
            "steps": _steps(result.steps),
            "failed": sorted({each.name for each in result.steps if each.error}),
            "inputs": {each.name: _data(each.inputs) for each in result.steps if _counts(each.type) and each.inputs},
            "diagnostics": _counted((_name(each.urn), each.severity) for each in said),
            "writes": [_write(each) for each in self.writes(since)],
        }
        resources = self.resources()
        words = [f"{_name(each.urn)}: {each.severity}: {_words(each.message.strip())}" for each in said]
        if command == "preview":
            act["comment"] = self._comment(result, resources)
        else:
            act["state"] = {_name(each["urn"]): _stored(each, act["inputs"]) for each in resources}
            for each in resources:
                words += [f"{_name(each['urn'])}: init error: {_words(text)}" for text in each.get("initErrors") or ()]
                failure = (each.get("outputs") or {}).get("failure") or {}
                words += [
                    f"{_name(each['urn'])}: {part}: {_words(failure[part])}" for part in sorted(_WORDS & {*failure})
                ]
        self.acts.append(act)
        # Of one resource in order; resources at once say things in any order.
        words.sort(key=lambda line: line.partition(": ")[0])
        self.words += [f"## {number}. {command}", *words, ""]

    def _comment(self, result: Result, resources: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """Make the comment of a preview and return how the command ended, with and without approval required."""
        text = json.dumps(_document(result, resources), sort_keys=True)  # as the engine does
        status = ["--preview-file", str(self._preview_file)]
        status += [] if result.succeeded else ["--preview-status", "255"]
        made = CliRunner().invoke(main(), ["comment", *status], input=text)
        judged = CliRunner().invoke(main(), ["comment", "--require-approved", *status], input=text)
        self.comments += [f"<!-- {len(self.acts) + 1}. preview -->", _words(made.stdout)]
        return {"exit_status": made.exit_code, "exit_status_when_approval_is_required": judged.exit_code}


def _document(result: Result, resources: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a preview as `pulumi preview --json` prints it."""
    stored = {each["urn"]: each for each in resources}
    steps = []
    for step in result.steps:
        made: dict[str, Any] = {"op": step.op, "urn": step.urn}
        if step.op not in {"delete", "delete-replaced"}:
            made["newState"] = {"urn": step.urn, "type": step.type, "inputs": step.inputs}
        if step.urn in stored:
            made["oldState"] = stored[step.urn]
        if step.op == "replace":
            made["replaceReasons"] = step.diff_keys
        if step.op != "same":
            steps.append(made)
    said = [
        {"urn": each.urn, "severity": each.severity, "message": f"{each.message}\n"}
        for each in result.diagnostics
        if _stays(each, live=False)
    ]
    return {"steps": steps, "diagnostics": said, "changeSummary": {}}


def _stays(said: Diagnostic, *, live: bool) -> bool:
    """Tell whether a message is there each time; which states a wait meets is chance."""
    if said.ephemeral or said.severity == "debug":
        return False
    return not (live and said.severity == "info" and (_STATES.search(said.message) or _BATCH.search(said.message)))


def _steps(steps: Iterable[Step]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for step in steps:
        if _counts(step.type):
            found.setdefault(step.name, []).append(step.result or step.op)
    return found


def _counted(pairs: Iterable[tuple[str, str]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (name, severity), count in Counter(pairs).items():
        found.setdefault(name, {})[severity] = count
    return found


def _write(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"method": entry["method"], "path": entry["path"], "body": _data(entry["body"]), "status": entry["status"]}


def _stored(resource: Mapping[str, Any], shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resource of the state; `shown` is the inputs that the steps had, by name."""
    inputs = _data(resource.get("inputs") or {})
    return {
        "type": resource["type"],
        "id": resource.get("id"),
        "inputs": "as in the step" if inputs == shown.get(_name(resource["urn"])) else inputs,
        "outputs": _data(resource.get("outputs") or {}),
        "init_errors": len(resource.get("initErrors") or ()),
    }


def _data(value: Any) -> Any:
    """Return data without what varies, and without words."""
    if isinstance(value, Mapping):
        # Whether a poll meets a migration before it drains is chance.
        found = {key: _part(key, item) for key, item in value.items() if key not in {"__provider", "pods_before"}}
        if value.get("status") in _RUNNING:
            # How far a migration is when a wait for it ends is chance, too.
            found |= {key: "<varies>" for key in ("status", "ocean_nodes", "unscheduled_pods") if key in found}
        return found
    if isinstance(value, (list, tuple)):
        return [_data(item) for item in value]
    return _PORT.sub(_SOME_PORT, _TIME.sub("<time>", value)) if isinstance(value, str) else value


def _part(key: str, value: Any) -> Any:
    if key == "failure" and isinstance(value, Mapping):
        return {name: "<words>" if name in _WORDS else item for name, item in value.items()}
    if key == "seen":
        return ["<words>"] * len(value)
    if key == "timeline" and value:
        # Which states a poll meets is chance.
        return [dict.fromkeys(value[-1], "<varies>")]
    return _data(value)


def _words(text: str) -> str:
    for pattern, instead in _VARYING:
        text = pattern.sub(instead, text)
    return text


def _name(urn: str) -> str:
    return urn.rpartition("::")[2] or "stack"


def _counts(type_: str) -> bool:
    return type_ != _STACK_TYPE and not type_.startswith("pulumi:providers:")
