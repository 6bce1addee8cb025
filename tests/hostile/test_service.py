"""A service that answers anything: commands tell it in harmless text, or end with an error of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ocean_migration_pulumi import cli
from ocean_migration_pulumi.api import client as routes
from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.responses import CLUSTER, MIGRATION, ApiCall, ApiResponse, decode_body
from ocean_migration_pulumi.api.sender import Sender
from ocean_migration_pulumi.api.settings import Settings
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import OceanMigrationError
from ocean_migration_pulumi.migration.planning import planner
from ocean_migration_pulumi.migration.planning.text.findings_text import render_line
from ocean_migration_pulumi.migration.snapshot.claims import ClaimsRegistry
from ocean_migration_pulumi.migration.snapshot.sources import DataSources
from tests.hostile.garbage import NAMES, NUMBERS, ODD, steers
from tests.migration import builders
from tests.report.pages import Page
from tests.report.rendered import assert_harmless
from tests.support.properties import documents

# To make such an example smaller takes minutes, and it reads well enough as it is.
PATIENT = settings(documents(), phases=(Phase.generate,))
COMMANDS = {
    "clusters": (),
    "candidates": (),
    "plan": ("--all-nodes",),
    "status": ("owm-1",),
    "explain": ("owm-1",),
    "report": ("owm-1",),
    "history": (),
    "nodes": (),
    "logs": (),
    "doctor": (),
}
FORMATS = ("table", "json", "csv", "markdown", "html")
STATES = st.sampled_from(
    (*("FINISHED", "FINISHED_ERROR", "STOPPED", "DRAIN_NODES", "STARTING", "<b>|`") * 4, "", "\x1b[2JFINISHED")
)
TIMES = st.one_of(
    st.sampled_from(("2026-01-02T03:04:05.000Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59Z")), NAMES
)

# Without an id that can be shown nothing is read: with too many of that kind nothing would be told.
_GOOD = ("i-1", "i-2", "i-3", "i-<b>|`", "i-[x](http://b.cc)", "=1+1", "$(id)", "i-'\"&;")
_NEEDED = st.sampled_from((*_GOOD * 4, "", "i-\x1b[2J", "\u202ei-1"))
_INSTANCE = st.fixed_dictionaries(
    {"instanceId": _NEEDED},
    optional={
        "k8sNodeName": ODD, "asgName": ODD, "state": ODD, "runningPods": NUMBERS, "launchSpecId": ODD,
        "podDetails": st.lists(st.fixed_dictionaries({"name": NAMES}, optional={"id": ODD, "kind": ODD}), max_size=2),
    },
)  # fmt: skip
_MIGRATION = st.fixed_dictionaries(
    {"id": _NEEDED, "status": STATES},
    optional={
        "oldInstances": st.lists(_INSTANCE, max_size=3), "newInstances": st.lists(_INSTANCE, max_size=3),
        "unscheduledPodIds": ODD, "newUnscheduledPodIds": st.lists(ODD, max_size=2), "migrationConfig": ODD,
        "createdAt": TIMES, "completedAt": TIMES, "erroredAt": TIMES, "stoppedAt": TIMES, "oceanId": ODD,
    },
)  # fmt: skip
_LAUNCH = st.fixed_dictionaries(
    {"id": _NEEDED},
    optional={
        "name": ODD, "oceanId": ODD, "strategy": st.fixed_dictionaries({"spotPercentage": NUMBERS}),
        "resourceLimits": st.fixed_dictionaries({"maxInstanceCount": NUMBERS}),
        "labels": st.lists(st.fixed_dictionaries({"key": ODD, "value": ODD}), max_size=2),
        "taints": st.lists(st.fixed_dictionaries({"key": ODD, "value": ODD, "effect": ODD}), max_size=2),
    },
)  # fmt: skip
_CLUSTER = st.fixed_dictionaries(
    {"id": _NEEDED},
    optional={
        "name": ODD, "controllerClusterId": ODD, "region": ODD, "compute": ODD,
        "capacity": st.fixed_dictionaries({"maximum": NUMBERS}),
        "strategy": st.fixed_dictionaries({"spotPercentage": NUMBERS, "fallbackToOd": ODD}),
        "autoScaler": st.fixed_dictionaries(
            {"isEnabled": ODD, "resourceLimits": st.fixed_dictionaries({"maxVCpu": NUMBERS, "maxMemoryGib": NUMBERS})}
        ),
        "scheduling": st.fixed_dictionaries(
            {"shutdownHours": st.fixed_dictionaries({"isEnabled": ODD, "timeWindows": st.lists(ODD, max_size=2)})}
        ),
    },
)  # fmt: skip
_NODE = st.fixed_dictionaries(
    {"instanceId": _NEEDED},
    optional={
        "nodeName": ODD, "instanceType": ODD, "availabilityZone": ODD, "launchSpecId": ODD, "launchSpecName": ODD,
        "lifeCycle": ODD, "registrationStatus": ODD, "createdAt": TIMES, "allocatableMilliCpu": NUMBERS,
        "allocatableMemoryInMiB": NUMBERS, "allocatableGpu": NUMBERS,
    },
)  # fmt: skip
_LINE = st.fixed_dictionaries({}, optional={"message": ODD, "severity": ODD, "createdAt": TIMES})
_HEARTBEAT = st.fixed_dictionaries({}, optional={"status": ODD, "lastHeartbeat": TIMES})

ANSWERS = st.fixed_dictionaries(
    {
        routes.CLUSTERS: st.lists(_CLUSTER, max_size=2),
        CLUSTER: st.lists(_CLUSTER, min_size=1, max_size=1),
        routes.MIGRATIONS: st.lists(_MIGRATION, max_size=3),
        MIGRATION: st.lists(_MIGRATION, min_size=1, max_size=1),
        routes.DISCOVERY: st.lists(_INSTANCE, max_size=4),
        routes.NODES: st.lists(_NODE, max_size=3),
        routes.LOG: st.lists(_LINE, max_size=3),
        routes.VIRTUAL_NODE_GROUPS: st.lists(_LAUNCH, max_size=2),
        routes.HEARTBEAT: st.lists(_HEARTBEAT, min_size=1, max_size=1),
    }
)


@pytest.fixture
def anything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Let every call be answered with the items that the test chooses, as they come out of the wire."""
    chosen: dict[str, Any] = {}

    def send(sender: Sender, call: ApiCall, scope: CancelScope) -> Any:
        body = json.dumps({"response": {"items": chosen.get(call.route, [])}}).encode("utf-8", "surrogatepass")
        return decode_body(ApiResponse(status=200, headers={}, body=body))

    monkeypatch.setattr(Sender, "send", send)
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "SPOTINST_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SPOTINST_TOKEN", "canary-token")
    monkeypatch.setenv("SPOTINST_ACCOUNT", "act-1234abcd")
    return chosen


def run(*arguments: str) -> Result:
    """Run a command; its result is text that steers no terminal, and no traceback."""
    result = CliRunner().invoke(cli.main, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert steers(result.stdout) == []
    assert steers(result.stderr) == []
    return result


@pytest.mark.parametrize("command", COMMANDS)
@given(answers=ANSWERS, chosen=st.sampled_from(FORMATS), named=st.booleans())
@PATIENT
def test_whatever_the_service_says_a_command_tells_it_harmlessly(
    command: str, answers: dict[str, Any], chosen: str, named: bool, anything: dict[str, Any]
) -> None:
    """In every format, on stdout and on stderr."""
    anything.clear()
    anything.update(answers)
    arguments = [command, *COMMANDS[command], "-o", chosen]
    if command != "clusters" and named:
        arguments += ["--cluster", "o-1"]
    result = run(*arguments)
    if result.exit_code == 2 and "Invalid value for '-o'" in result.stderr:
        result = run(*(each for each in arguments if each not in {"-o", chosen}))
        return
    if chosen == "json" and result.stdout:
        json.loads(result.stdout)
    if chosen == "html" and "<html" in result.stdout:
        assert not [tag for tag, _ in Page(result.stdout).elements if tag in {"script", "img", "iframe", "b"}]
    if chosen == "markdown" and command != "report":  # that is a document with headings of its own
        assert_harmless(result.stdout)


@given(answers=ANSWERS)
@PATIENT
def test_whatever_the_service_says_a_preview_tells_it_harmlessly(
    answers: dict[str, Any], anything: dict[str, Any]
) -> None:
    """What the engine prints of the resource: the plan, each line about it, and why there is none."""
    anything.clear()
    anything.update(answers)
    sources = DataSources()
    with OceanClient(Settings(token="canary-token", account_id="act-1234abcd")) as client:
        claims = ClaimsRegistry().claims(client.account_id, "o-1")
        spec = builders.spec(ocean_id="o-1", account_id=client.account_id, unmatched_nodes="allow")
        told: list[str] = []
        try:
            found = planner.preview_plan(
                client, claims, CancelScope(short=True), owner="x", spec=spec, old=None, sources=sources
            )
        except OceanMigrationError as error:
            told.append(str(error))
        else:
            told += [*map(render_line, found.diagnostics), *(found.planned or {}).values(), *map(str, found.problems)]
    for line in told:
        assert steers(line) == [], line
