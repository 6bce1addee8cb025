"""Dynamic providers that show from inside the plugin process what `ocean_migration_pulumi.host` gives them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from pulumi.dynamic import (
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

from ocean_migration_pulumi import host


class PlainProbe(ResourceProvider):
    """Does what the property ``do`` says, with nothing prepared."""

    serialize_as_secret_always = False

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Return the inputs with what the call tells, and with what is unknown."""
        host.current_call().warning("checked")
        added = {**news, "planned": {"i-1": "node-1"}}
        if host.contains_unknown(news.get("nodes")):
            added["planned"] = host.unknown()
        return CheckResult({**added, "saw": _seen(host.current_call())}, [])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Do it."""
        done = _act(props)
        return CreateResult("probe/1", done if props["do"] == "succeed" else {**props, **done})

    def update(self, id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Do it."""
        return UpdateResult({**news, **_act(news)})

    def delete(self, id: str, props: dict[str, Any]) -> None:
        """Do it, and write what it brought to the file ``report``, as a delete returns nothing."""
        Path(props["report"]).write_text(json.dumps(_act(props)))

    def read(self, id: str, props: dict[str, Any]) -> ReadResult:
        """Do it."""
        return ReadResult(id, {**props, **_act(props)})

    def diff(self, id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Answer with the keys of the old inputs as those that changed."""
        old_inputs = host.current_call().old_inputs
        return DiffResult(changes=True, replaces=["none"] if old_inputs is None else sorted(old_inputs))


class Probe(PlainProbe):
    """The same in a prepared process."""

    def configure(self, req: ConfigureRequest) -> None:
        """Prepare the process, twice, as a second provider would."""
        host.prepare()
        host.prepare()


class SmallProbe(PlainProbe):
    """The same with room for fewer RPCs at once than the host has."""

    def configure(self, req: ConfigureRequest) -> None:
        """Prepare the process."""
        host.prepare(pool_size=1)


class LateProbe(PlainProbe):
    """The same in a process that is prepared late: when the file ``loading``, which it makes, is gone."""

    def __init__(self, loading: Path) -> None:
        self.loading = loading

    def configure(self, req: ConfigureRequest) -> None:
        """Wait, and prepare the process."""
        self.loading.touch()
        while self.loading.exists():
            time.sleep(0.01)
        host.prepare()


def _act(props: dict[str, Any]) -> dict[str, Any]:
    call = host.current_call()
    match props["do"]:
        case "see":
            return {"saw": _seen(call)}
        case "wait":
            return _wait(call, props)
        case "fail":
            outputs = json.loads(props.get("outputs", "{}"))
            host.fail(props["message"], id=props.get("id"), properties=outputs, inputs=props.get("inputs"))
        case "succeed":
            return dict(json.loads(props["outputs"]))
        case "fail-oddly":
            host.fail("cannot be saved", id="probe/1", properties={"x": object()})
        case "log":
            call.info("started")
            call.status("1/16 nodes")
            call.warning("a pod blocks")
            call.error("two pods block")
        case "burst":
            started = time.monotonic()
            for number in range(int(props["lines"])):
                call.status(f"{number // 2} done")
            call.status("all done")
            call.status("all done")
            return {"took": time.monotonic() - started}
        case "info":
            started = time.monotonic()
            call.info("is anybody there")
            return {"took": time.monotonic() - started}
        case "write":
            _write_on(call, Path(props["file"]))
    return {}


def _seen(call: host.EngineCall) -> dict[str, Any]:
    return {
        "method": call.method,
        "urn": call.urn,
        "timeout": json.dumps(call.timeout),
        "preview": json.dumps(call.preview),
        "active": call.is_active(),
        "interrupted": call.interrupted(),
        "ended": call.ended.is_set(),
        "old_inputs": json.dumps(call.old_inputs),
    }


def _wait(call: host.EngineCall, props: dict[str, Any]) -> dict[str, Any]:
    call.info("waiting")
    if call.ended.wait(props["seconds"]):
        reason = "interrupted" if call.interrupted() else "the engine is gone"
        host.fail(f"{reason}; owm-1 goes on", id="probe/1", properties={"migration_id": "owm-1"})
    return {"saw": _seen(call)}


def _write_on(call: host.EngineCall, file: Path) -> None:
    """Write every few milliseconds as long as somebody wants it, then once that nobody does; and stay."""
    wanted = True
    while True:
        if wanted or call.is_active():
            wanted = call.is_active()
            with file.open("a") as lines:
                lines.write("wanted\n" if wanted else "no longer\n")
        call.ended.wait(0.005)
