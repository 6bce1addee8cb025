"""Each question, by responses that are as documented and by others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocean_migration_pulumi.api.client import DISCOVERY, HEARTBEAT, LOG, MIGRATIONS, NODES
from ocean_migration_pulumi.api.recording.redaction import Exchange
from ocean_migration_pulumi.api.responses import CLUSTER, MIGRATION
from ocean_migration_pulumi.api_check.documented import FIELDS
from ocean_migration_pulumi.api_check.questions import (
    ABSENT_CLUSTER,
    ABSENT_MIGRATION,
    QUESTIONS,
    Verdict,
    answer_questions,
)
from tests.api_check.conftest import AT, answer, answered, exchange, refusal

Said = Callable[..., tuple[str, str]]

ROUTES = (MIGRATIONS, MIGRATION, DISCOVERY, NODES, LOG, HEARTBEAT, CLUSTER)
LISTED = {
    "Id": "owm-1",
    "state": "FINISHED",
    "createdAt": "2026-04-01T12:00:00.000Z",
    "completedAt": "2026-04-01T12:30:00.000Z",
}
STATUS = {
    "Id": "owm-1",
    "status": "DRAIN_NODES",
    "oldInstances": [
        {"instanceId": "i-1", "state": "DRAINED", "runningPods": 0},
        {
            "instanceId": "i-2",
            "state": "REQUIRES_MANUAL_MIGRATION",
            "runningPods": 1,
            "podDetails": [{"id": "p-1", "name": "debug", "kind": "STAND_ALONE_POD"}],
        },
    ],
    "newInstances": [{"instanceId": "i-3", "state": "RUNNING"}],
    "unscheduledPodIds": "",
    "migrationConfig": {"shouldTerminateDrainedNodes": True, "shouldEvictStandAlonePods": False},
}
NODE = {"instanceId": "i-1", "launchSpecId": "ols-1", "asgName": "web", "runningPods": 6}


def discovered(*nodes: dict[str, Any], pods: str = "true") -> Exchange:
    """Return an answer of discovery."""
    return answer(DISCOVERY, {"instances": list(nodes)}, query={"shouldFetchPods": pods})


def test_questions_have_names_of_their_own() -> None:
    """They stay the same, and are what a program looks for."""
    keys = [question.key for question in QUESTIONS]
    assert len(set(keys)) == len(keys)
    assert all(question.text.endswith("?") for question in QUESTIONS)


def test_nothing_seen_settles_nothing() -> None:
    """Neither without any answer nor without one that can be read."""
    nothing = [exchange(MIGRATIONS, None, status=None, error="connection refused")]  # type: ignore[arg-type]  # none came
    for exchanges in ([], nothing):
        assert {each.verdict for each in answer_questions(exchanges)} == {Verdict.NOT_SEEN}


@pytest.mark.parametrize("body", ["<html>", "", "[1]", '{"response": 3}', '{"response": {"items": {}}}', "null"])
def test_answers_of_any_form_are_judged(body: str) -> None:
    """What is no answer of the service fails no question."""
    assert len(answer_questions([exchange(route, body) for route in ROUTES])) == len(QUESTIONS)


@pytest.mark.parametrize("item", [None, 3, "x", [], {}, {"instances": None}, {"oldInstances": [3], "Id": None}])
def test_items_of_any_form_are_judged(item: Any) -> None:
    """One that is no object, or an empty one, fails no question."""
    assert len(answer_questions([answer(route, item) for route in ROUTES])) == len(QUESTIONS)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*(name for fields in FIELDS.values() for name in fields), "instances", "id", "x"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=6,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(_VALUES, max_size=3))
def test_any_answer_is_judged(items: list[Any]) -> None:
    """Nobody has seen the real ones: whatever comes is told, on one line, and fails nothing."""
    for route in ROUTES:
        for each in answer_questions([answer(route, *items), refusal(route, 400, *items)]):
            assert "\n" not in each.answer + "".join(each.evidence)


MISSING_MIGRATION = {"path": f"/ocean/aws/k8s/cluster/o-1/migration/{ABSENT_MIGRATION}"}
MISSING_CLUSTER = {"path": f"/ocean/aws/k8s/cluster/{ABSENT_CLUSTER}"}
UNCOUNTED = {key: value for key, value in NODE.items() if key != "runningPods"}
RUNNING = {"Id": "owm-2", "state": "DRAIN_NODES", "createdAt": "2026-05-01T11:59:00.000Z"}
BUSY = refusal(MIGRATIONS, 400, {"code": "BUSY", "message": "one runs"}, method="POST")
TIMEOUT = {"message": "The migration has stopped due to technical timeout.", "severity": "ERROR"}
CONFIG = {"shouldTerminateDrainedNodes": True, "shouldEvictStandAlonePods": False}
BARE = Exchange(at=AT, seconds=0.1, method="GET", route=NODES, path=NODES, status=200, body="{}")


def status(**fields: Any) -> Exchange:
    """Return a status of a migration."""
    return answer(MIGRATION, {"Id": "owm-1", "status": "STOPPED", **fields})


@pytest.mark.parametrize(
    ("key", "exchanges", "says"),
    [
        ("fields-of-migration-list", [answer(MIGRATIONS, LISTED)], ["state FINISHED", "createdAt time"]),
        ("fields-of-migration-status", [answer(MIGRATION, STATUS)], ["status DRAIN_NODES", "no erroredAt"]),
        ("fields-of-migration-status", [status(unscheduledPodIds="")], ["unscheduledPodIds string"]),
        ("fields-of-echoed-options", [status(migrationConfig=CONFIG)], ["shouldTerminateDrainedNodes boolean"]),
        ("fields-of-instance", [answer(MIGRATION, STATUS)], ["state DRAINED", "runningPods integer (2)"]),
        ("fields-of-pod", [answer(MIGRATION, STATUS)], ["kind STAND_ALONE_POD"]),
        ("fields-of-start", [answer(MIGRATIONS, {"id": "owm-1"}, method="POST")], ["id string"]),
        ("fields-of-discovery", [discovered(NODE)], ["instances list"]),
        ("fields-of-candidate", [discovered({**NODE, "launchSpecId": "Default"})], ["launchSpecId Default"]),
        ("fields-of-candidate", [discovered(NODE, {**NODE, "asgName": None})], ["launchSpecId id (2)"]),
        ("fields-of-node", [answer(NODES, {"allocatableGpu": 0.5, "lifeCycle": "Spot"})], ["allocatableGpu number"]),
        ("fields-of-heartbeat", [answer(HEARTBEAT, {"status": "ACTIVE"})], ["status ACTIVE", "no lastHeartbeat"]),
        ("fields-of-log", [answer(LOG, {"createdAt": "2018-10-10T10:50:29.000+0000"})], ["createdAt time"]),
        ("fields-of-response", [answer(LOG)], ["count integer", "no errors"]),
        ("fields-of-error", [refusal(LOG, 400, {"code": "x", "message": "y"})], ["code string", "no field"]),
        ("history", [answer(MIGRATIONS, LISTED)], ["the oldest migration is 30 days old"]),
        ("history", [answer(MIGRATIONS, LISTED, at=AT + timedelta(days=10))], ["the oldest migration is 40 days old"]),
        ("concurrency", [answer(MIGRATIONS, RUNNING, {**RUNNING, "Id": "owm-3"})], ["ran at the same time"]),
        ("concurrency", [answer(MIGRATIONS, LISTED, {**LISTED, "Id": "owm-2"})], ["ran at the same time"]),
        ("concurrency", [answer(MIGRATIONS, RUNNING), BUSY], ["a start was refused while a migration ran"]),
        ("refused-start", [BUSY], ["HTTP 400 BUSY"]),
        ("refused-stop", [refusal(MIGRATION, 404, {"code": "ENDED"}, method="PUT")], ["HTTP 404 ENDED"]),
        (
            "pods-on-demand",
            [discovered(NODE), discovered(UNCOUNTED, pods="false")],
            ["shouldFetchPods=true: with runningPods", "shouldFetchPods=false: without runningPods"],
        ),
        ("log-failures", [answer(LOG, TIMEOUT)], ["timeout"]),
        ("log-query", [answer(LOG)], ["HTTP 200"]),
        ("missing-migration", [refusal(MIGRATION, 400, {"code": "GONE"}, **MISSING_MIGRATION)], ["HTTP 400 GONE"]),
        (
            "missing-cluster",
            [refusal(CLUSTER, 400, {"code": "CLUSTER_DOESNT_EXIST"}, **MISSING_CLUSTER)],
            ["HTTP 400 CLUSTER_DOESNT_EXIST"],
        ),
        ("rate-limits", [answer(LOG)], ["60"]),
        ("rate-limit-reset", [answer(LOG)], ["1"]),
        ("retry-after", [refusal(LOG, 429)], ["none"]),
        ("retry-after", [refusal(LOG, 429, headers={"retry-after": "7"})], ["7"]),
    ],
)
def test_documented_responses_settle(said: Said, key: str, exchanges: list[Exchange], says: list[str]) -> None:
    """They name what was observed."""
    verdict, answered = said(key, *exchanges)
    assert verdict == "settled"
    assert all(each in answered for each in says)


@pytest.mark.parametrize(
    ("key", "exchanges", "says"),
    [
        ("fields-of-migration-list", [answer(MIGRATIONS, {**LISTED, "progress": 50})], "progress"),
        ("fields-of-migration-list", [answer(MIGRATIONS, {"id": "owm-1"})], "id"),
        ("fields-of-migration-list", [answer(MIGRATIONS, {"Id": "owm-1", "status": "FINISHED"})], "status"),
        ("fields-of-migration-status", [status(status="PAUSED")], "status PAUSED"),
        ("fields-of-migration-status", [status(newUnscheduledPodIds=["p-1"])], "newUnscheduledPodIds list"),
        ("fields-of-migration-status", [status(createdAt="yesterday")], "createdAt unreadable"),
        ("fields-of-migration-status", [status(createdAt=1714564800000)], "createdAt unreadable"),
        ("fields-of-echoed-options", [status(migrationConfig={"batchSizePercentage": 20})], "batchSizePercentage"),
        ("fields-of-stop", [answer(MIGRATION, {"Id": "owm-1"}, method="PUT")], "Id"),
        ("fields-of-discovery", [answer(DISCOVERY, {"instanceId": "i-1"})], "instanceId"),
        ("fields-of-candidate", [discovered({**NODE, "launchSpecId": "DEFAULT"})], "launchSpecId DEFAULT"),
        ("fields-of-candidate", [discovered({**NODE, "runningPods": "6"})], "runningPods string"),
        ("fields-of-node", [answer(NODES, {"lifeCycle": "SPOT"})], "lifeCycle SPOT"),
        ("fields-of-node", [answer(NODES, {"allocatableGpu": "1"})], "allocatableGpu string"),
        ("fields-of-log", [answer(LOG, {"severity": "WARNING"})], "severity WARNING"),
        ("fields-of-error", [refusal(LOG, 400, {"reason": "x"})], "reason"),
        ("pods-on-demand", [discovered(UNCOUNTED)], "shouldFetchPods=true: without runningPods"),
        ("log-failures", [answer(LOG, {"message": "Migration broke.", "severity": "ERROR"})], "another sentence"),
        ("log-query", [refusal(LOG, 400, {"code": "ValidationError"})], "HTTP 400 ValidationError"),
        ("missing-cluster", [refusal(CLUSTER, 404, **MISSING_CLUSTER)], "HTTP 404"),
        ("missing-cluster", [answer(CLUSTER, **MISSING_CLUSTER)], "HTTP 200"),
        ("rate-limits", [BARE], "none"),
        ("rate-limit-reset", [answer(LOG, headers={"x-ratelimit-reset": "1714564800"})], "1714564800"),
    ],
)
def test_other_responses_differ(said: Said, key: str, exchanges: list[Exchange], says: str) -> None:
    """They name what is not as documented, after what is."""
    verdict, answered = said(key, *exchanges)
    assert (verdict, answered.rpartition("not as documented: ")[2]) == ("differs", says)


@pytest.mark.parametrize(
    ("key", "exchanges"),
    [
        ("concurrency", [answer(MIGRATIONS, LISTED)]),
        ("refused-stop", [answer(MIGRATION, STATUS)]),
        ("fields-of-discovery", [answer(DISCOVERY)]),
        ("fields-of-heartbeat", [answer(HEARTBEAT)]),
        ("log-failures", [answer(LOG, {"message": "Instance i-1 was launched.", "severity": "INFO"})]),
        ("missing-migration", [refusal(MIGRATION, 400, {"code": "x"})]),
        ("retry-after", [answer(LOG)]),
    ],
)
def test_responses_without_the_value_leave_a_question_open(said: Said, key: str, exchanges: list[Exchange]) -> None:
    """What was not observed is not settled."""
    assert said(key, *exchanges)[0] == "not seen"


def test_accounts_and_line_breaks_never_get_out() -> None:
    """A record that somebody made otherwise may hold both."""
    error = {"code": "x", "message": "account act-0123abcd\nis closed"}
    found = answered("refused-start", [refusal(MIGRATIONS, 400, error, method="POST")])
    assert "act-0123abcd" not in str(found)
    assert "act-recorded-" in found.evidence[0]
    assert "\n" not in found.evidence[0]


def test_evidence_is_short() -> None:
    """However long the answer was."""
    found = answered("fields-of-discovery", [answer(DISCOVERY, {"x": ["i-1"] * 1000})])
    assert found.evidence
    assert all(len(text) <= 160 for text in found.evidence)
