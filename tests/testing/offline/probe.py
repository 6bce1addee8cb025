"""A dynamic resource that records how the engine calls it, and behaves as files beside the record say.

The directory is named by the variable `PROBE_DIR`: `calls.jsonl` holds the calls; `<name>.<method>.json` says how a
call ends: `{"fail": text}`, `{"partial": text}`, `{"crash": true}` (the plugin dies), `{"gone": true}` (read) or
`{"outputs": {...}}`; with `"wait": true` the call waits until the file is gone or it is told to end,
with `"sleep": seconds` it hears of nothing for so long, and with `"print": text` it prints.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from ocean_migration_pulumi import host

HEAD = "import pulumi\nfrom pulumi import Output, ResourceOptions\nfrom tests.testing.offline.probe import Probe\n"
"""How a program that uses the probe begins."""

_lock = threading.Lock()
_config: dict[str, str] = {}


class ProbeProvider(ResourceProvider):
    """Records its calls; see the module."""

    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Take note of the configuration."""
        host.prepare()
        for key in ("plain", "token"):
            value = req.config.get(key)
            if value is not None:
                _config[key] = value
        _record("configure", config=dict(_config))

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Add `computed`; refuse a size of 0."""
        _record("check", olds=olds, news=news)
        inputs = {
            **news,
            "computed": host.unknown() if host.is_unknown(news.get("size")) else f"of {_plain(news.get('size'))}",
        }
        failures = [CheckFailure("size", "must not be 0")] if news.get("size") == 0 else []
        if news.get("zone") == "nowhere":
            failures += [CheckFailure("zone.name", "unknown"), CheckFailure("", "nothing fits")]
        _behave("check", str(news.get("label")), {})
        return CheckResult(inputs, failures)

    def diff(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """See changes of `size` and `extra`; replace for another `zone` (delete first) or `region` (create first)."""
        before = host.current_call().old_inputs or {}
        _record("diff", id=id_, olds=olds, news=news, old_inputs=before)
        _behave("diff", str(news.get("label")), {})
        changed = [key for key in ("size", "extra", "zone", "region") if _differs(before.get(key), news.get(key))]
        replaces = [key for key in changed if key in ("zone", "region")]
        return DiffResult(bool(changed) or news.get("always") is True, replaces, [], "zone" in replaces)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Return the inputs and `made`."""
        call = host.current_call()
        label = str(props["label"])
        _record("create", news=props, timeout=call.timeout)
        call.status(f"creating {label}")
        call.warning(f"{label} is a probe")
        outputs = {**props, "made": f"{label} 1"}
        outputs.update(_behave("create", label, outputs))
        return CreateResult(f"id of {label}", outputs)

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Return the inputs and another `made`."""
        call = host.current_call()
        label = str(news["label"])
        _record("update", id=id_, olds=olds, news=news, timeout=call.timeout, old_inputs=call.old_inputs)
        outputs = {**news, "made": f"{label} 2"}
        outputs.update(_behave("update", label, outputs))
        return UpdateResult(outputs)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return what the state holds."""
        _record("read", id=id_, olds=props)
        found = _behave("read", str(props["label"]), dict(props))
        return ReadResult("", {}) if found.get("gone") else ReadResult(id_, {**props, **found})

    def delete(self, id_: str, props: dict[str, Any]) -> None:
        """Do nothing."""
        _record("delete", id=id_, olds=props, timeout=host.current_call().timeout)
        _behave("delete", str(props["label"]), {})


class Probe(Resource, module="probe", name="Probe"):
    """A resource whose `label` is its name."""

    made: Output[str]
    computed: Output[str]
    size: Output[Any]
    token: Output[str]

    def __init__(self, name: str, opts: ResourceOptions | None = None, **props: Input[Any]) -> None:
        super().__init__(ProbeProvider(), name, {"label": name, "made": None, "computed": None, **props}, opts)


def calls(directory: Path) -> list[dict[str, Any]]:
    """Return the calls so far; those to check hold what the engine sent, without the pickled provider."""
    path = directory / "calls.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def methods(directory: Path) -> list[str]:
    """Return the methods called so far."""
    return [each["method"] for each in calls(directory)]


def only(directory: Path, method: str) -> dict[str, Any]:
    """Return the one call of a method so far."""
    (found,) = [each for each in calls(directory) if each["method"] == method]
    return found


def forget(directory: Path) -> None:
    """Forget the calls so far."""
    (directory / "calls.jsonl").unlink(missing_ok=True)


def behave(directory: Path, name: str, method: str, **how: Any) -> Path:
    """Say how a method of a resource is to end; return the file, which can be removed to let it go on."""
    path = directory / f"{name}.{method}.json"
    path.write_text(json.dumps(how), encoding="utf-8")
    return path


def _record(method: str, **what: Any) -> None:
    shown = {key: _shown(value) for key, value in what.items()}
    with _lock, (Path(os.environ["PROBE_DIR"]) / "calls.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"method": method, **shown}) + "\n")


def _behave(method: str, name: str, outputs: dict[str, Any]) -> dict[str, Any]:
    path = Path(os.environ["PROBE_DIR"]) / f"{name}.{method}.json"
    if not path.exists():
        return {}
    how = json.loads(path.read_text(encoding="utf-8"))
    if "print" in how:
        print(how["print"], flush=True)  # noqa: T201 - what a careless provider does
    time.sleep(how.get("sleep", 0.0))
    if how.get("wait"):
        _wait(path, name, outputs)
    if how.get("crash"):
        os.kill(os.getpid(), signal.SIGKILL)
    if "fail" in how:
        host.fail(how["fail"])
    if "partial" in how:
        host.fail(how["partial"], id=f"id of {name}", properties={**outputs, "made": "partly"})
    return {"gone": True} if how.get("gone") else dict(how.get("outputs", {}))


def _wait(path: Path, name: str, outputs: dict[str, Any]) -> None:
    call = host.current_call()
    while path.exists():
        if call.ended.wait(0.01):
            host.fail(f"{name} was interrupted", id=f"id of {name}", properties={**outputs, "made": "interrupted"})


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _differs(old: Any, new: Any) -> bool:
    return bool(host.is_unknown(new) or old != new)


def _shown(value: Any) -> Any:
    if host.is_unknown(value):
        return "[unknown]"
    if isinstance(value, dict):
        return {key: _shown(item) for key, item in sorted(value.items()) if key != "__provider"}
    return [_shown(item) for item in value] if isinstance(value, (list, tuple)) else value
