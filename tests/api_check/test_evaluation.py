"""What answers say to each question, by answers that say it in each way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.api.client import DISCOVERY, HEARTBEAT, LOG, MIGRATIONS, NODES
from ocean_migration_pulumi.api.recording.redaction import Exchange
from ocean_migration_pulumi.api.responses import CLUSTER, MIGRATION
from ocean_migration_pulumi.api_check import Verdict, answer_questions
from ocean_migration_pulumi.api_check.documented import IN_INSTANCE, IN_NODE, IN_STATUS, KINDS
from ocean_migration_pulumi.api_check.evaluation import QUESTIONS
from ocean_migration_pulumi.api_check.response_questions import ABSENT_CLUSTER, ABSENT_MIGRATION
from tests.api_check.conftest import AT, answer, answered, exchange, refusal
from tests.support.properties import documents

Said = Callable[..., tuple[str, str]]

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
    assert len(set(keys)) == len(keys) > 40
    assert all(question.asks.endswith("?") for question in QUESTIONS)


def test_nothing_seen_settles_nothing() -> None:
    """Neither without any answer nor without one that can be read."""
    nothing = [exchange(MIGRATIONS, None, status=None, error="connection refused")]  # type: ignore[arg-type]  # none came
    for exchanges in ([], nothing):
        assert {each.verdict for each in answer_questions(exchanges)} == {Verdict.NOT_SEEN}


@pytest.mark.parametrize("body", ["<html>", "", "[1]", '{"response": 3}', '{"response": {"items": {}}}', "null"])
def test_answers_of_any_form_are_judged(body: str) -> None:
    """What is no answer of the service fails no question."""
    routes = (MIGRATIONS, MIGRATION, DISCOVERY, NODES, LOG, HEARTBEAT, CLUSTER)
    assert len(answer_questions([exchange(route, body) for route in routes])) == len(QUESTIONS)


@pytest.mark.parametrize("item", [None, 3, "x", [], {}, {"instances": None}, {"oldInstances": [3], "Id": None}])
def test_items_of_any_form_are_judged(item: Any) -> None:
    """One that is no object, or an empty one, fails no question."""
    routes = (MIGRATIONS, MIGRATION, DISCOVERY, NODES, LOG, HEARTBEAT, CLUSTER)
    assert len(answer_questions([answer(route, item) for route in routes])) == len(QUESTIONS)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*IN_STATUS, *IN_INSTANCE, *IN_NODE, "instances", "id", "x"]), inner, max_size=5
        )
    ),
    max_leaves=6,
)


@documents()
@given(st.lists(_VALUES, max_size=3))
def test_any_answer_is_judged(items: list[Any]) -> None:
    """Nobody has seen the real ones: whatever comes is told, on one line, and fails nothing."""
    for route in KINDS:
        for each in answer_questions([answer(route, *items), refusal(route, 400, *items)]):
            assert "\n" not in each.says + "".join(each.evidence)


def test_casing_of_ids(said: Said) -> None:
    """Documented is Id in list and status, and id in what writes answer."""
    assert said("id-casing", answer(MIGRATIONS, LISTED), answer(MIGRATION, STATUS)) == (
        "settled",
        "list: Id; status: Id",
    )
    lower = {"id": "owm-1", "state": "FINISHED"}
    assert said("id-casing", answer(MIGRATIONS, lower)) == ("differs", "list: id")
    assert said("id-casing-of-writes", answer(MIGRATIONS, {"id": "owm-1"}, method="POST")) == ("settled", "id")
    assert said("id-casing-of-writes", answer(MIGRATION, {"Id": "owm-1"}, method="PUT")) == ("differs", "Id")


def test_states_of_migrations(said: Said) -> None:
    """One beyond the 13 differs, by name."""
    assert said("migration-states", answer(MIGRATIONS, LISTED), answer(MIGRATION, STATUS)) == (
        "settled",
        "FINISHED (1), DRAIN_NODES (1)",
    )
    paused = answer(MIGRATION, {"Id": "owm-1", "status": "PAUSED"})
    assert said("migration-states", paused) == ("differs", "PAUSED (1); not documented: PAUSED")
    assert said("state-field", answer(MIGRATIONS, LISTED), answer(MIGRATION, STATUS))[0] == "settled"
    assert said("state-field", answer(MIGRATIONS, {"Id": "owm-1", "status": "FINISHED"}))[0] == "differs"


def test_states_of_instances_and_kinds_of_pods(said: Said) -> None:
    """What was seen settles what nothing documents."""
    status = answer(MIGRATION, STATUS)
    assert said("instance-states", status) == (
        "settled",
        "oldInstances: DRAINED (1), REQUIRES_MANUAL_MIGRATION (1); newInstances: RUNNING (1); beyond the two that are "
        "named: DRAINED",
    )
    assert said("pod-kinds", status) == ("settled", "STAND_ALONE_POD")


@pytest.mark.parametrize(
    ("value", "verdict", "says"),
    [
        ("", "settled", "string (1)"),
        ("p-1", "settled", "string (1)"),
        (["p-1"], "differs", "list (1)"),
        (None, "not seen", "null (1): nothing was unscheduled"),
    ],
)
def test_type_of_unscheduled_pods(said: Said, value: Any, verdict: str, says: str) -> None:
    """A string is documented; null tells nothing."""
    for field, key in (
        ("unscheduledPodIds", "type-of-unscheduled-pods"),
        ("newUnscheduledPodIds", "type-of-new-unscheduled-pods"),
    ):
        assert said(key, answer(MIGRATION, {"Id": "owm-1", "status": "STOPPED", field: value})) == (verdict, says)


def test_type_of_running_pods(said: Said) -> None:
    """An integer is documented, and a string is its example."""
    assert said("type-of-running-pods", answer(MIGRATION, STATUS)) == ("settled", "integer (2)")
    assert said("type-of-running-pods", discovered({**NODE, "runningPods": "6"})) == ("differs", "string (1)")


def test_options_that_are_echoed(said: Said) -> None:
    """Batch size or force would be news."""
    assert said("echoed-options", answer(MIGRATION, STATUS)) == (
        "settled",
        "shouldEvictStandAlonePods, shouldTerminateDrainedNodes",
    )
    config = {**STATUS["migrationConfig"], "batchSizePercentage": 20}  # type: ignore[dict-item]  # it is an object
    verdict, says = said("echoed-options", answer(MIGRATION, {**STATUS, "migrationConfig": config}))
    assert verdict == "differs"
    assert says.startswith("batchSizePercentage")


def test_history_and_durations(said: Said) -> None:
    """By what is listed: how old the oldest is, and from begin to end."""
    other = {**LISTED, "Id": "owm-2", "createdAt": "2026-04-11T12:00:00.000Z", "completedAt": None, "state": "STOPPED"}
    both = answer(MIGRATIONS, LISTED, other)
    assert said("history", both) == ("settled", "2 listed, the oldest is 30 days old: they are kept at least so long")
    assert said("durations", both) == ("settled", "1 ended: 30m00s to 30m00s, the longest one FINISHED")


def test_concurrency(said: Said) -> None:
    """Two that run, two that overlapped, or a start that is refused while one runs."""
    running = {"Id": "owm-2", "state": "DRAIN_NODES", "createdAt": "2026-05-01T11:59:00.000Z"}
    assert said("concurrency", answer(MIGRATIONS, running, {**running, "Id": "owm-3"})) == (
        "settled",
        "several run at once: 2",
    )
    overlapping = {**LISTED, "Id": "owm-2", "createdAt": "2026-04-01T12:10:00.000Z"}
    assert said("concurrency", answer(MIGRATIONS, LISTED, overlapping)) == ("settled", "two overlapped")
    refused = refusal(MIGRATIONS, 400, {"code": "BUSY", "message": "one runs"}, method="POST")
    assert said("concurrency", answer(MIGRATIONS, running), refused) == ("settled", "a start was refused while one ran")
    assert said("concurrency", answer(MIGRATIONS, LISTED))[0] == "not seen"


def test_refusals_of_writes_are_settled_by_a_record(said: Said) -> None:
    """GETs cannot tell them."""
    start = refusal(MIGRATIONS, 400, {"code": "BUSY", "message": "one runs"}, method="POST")
    stop = refusal(MIGRATION, 404, {"code": "ENDED", "message": "over"}, method="PUT")
    assert said("refused-start", start, stop) == ("settled", "HTTP 400 BUSY")
    assert said("refused-stop", start, stop) == ("settled", "HTTP 404 ENDED")
    assert said("refused-stop", answer(MIGRATION, STATUS))[0] == "not seen"


def test_shape_of_discovery(said: Said) -> None:
    """Nested in one item or several, or flat as for AKS."""
    assert said("discovery-shape", discovered(NODE)) == ("settled", "nested, one item, 1 instances in all answers")
    several = answer(DISCOVERY, {"instances": [NODE]}, {"instances": [NODE]})
    assert said("discovery-shape", several) == ("settled", "nested, 2 items, 2 instances in all answers")
    assert said("discovery-shape", answer(DISCOVERY, NODE, NODE)) == ("differs", "flat: 2 items without instances")
    assert said("discovery-shape", answer(DISCOVERY)) == ("not seen", "discovery answers no item")


@pytest.mark.parametrize(
    ("match", "verdict", "says"),
    [
        ("Default", "settled", "Default"),
        ("DEFAULT", "differs", "DEFAULT"),
        ("ols-2", "not seen", "every node matches a Virtual Node Group, or none"),
        ("any", "differs", "neither an id, null nor Default: any"),
    ],
)
def test_spelling_of_default(said: Said, match: str, verdict: str, says: str) -> None:
    """Its casing is shown nowhere."""
    assert said("default-match", discovered(NODE, {**NODE, "launchSpecId": match})) == (verdict, says)


def test_no_match_and_no_group(said: Said) -> None:
    """How each is written."""
    assert said("no-match", discovered({**NODE, "launchSpecId": None})) == ("settled", "null (1)")
    assert said("no-match", discovered({"instanceId": "i-1"})) == ("differs", "absent (1)")
    assert said("no-match", discovered(NODE)) == ("not seen", "every node has a match")
    assert said("no-asg", discovered(NODE, {**NODE, "asgName": None})) == ("settled", "1 of 2 nodes")


def test_pods_on_demand(said: Said) -> None:
    """Told with the parameter, and only with it."""
    without = {key: value for key, value in NODE.items() if key != "runningPods"}
    asked = discovered(NODE)
    assert said("pods-on-demand", asked, discovered(without, pods="false"))[0] == "settled"
    assert said("pods-on-demand", asked, discovered(NODE, pods="false"))[0] == "differs"
    assert said("pods-on-demand", discovered(without)) == ("differs", "shouldFetchPods=true: not told")


def test_values_of_nodes_log_and_heartbeat(said: Said) -> None:
    """Those that are documented, and others by name."""
    node = {"instanceId": "i-1", "lifeCycle": "Spot", "registrationStatus": "Registered", "allocatableGpu": 0.5}
    assert said("life-cycles", answer(NODES, node)) == ("settled", "Spot (1)")
    assert said("life-cycles", answer(NODES, {"lifeCycle": "SPOT"})) == ("differs", "SPOT (1); not documented: SPOT")
    assert said("registration-statuses", answer(NODES, node)) == ("settled", "Registered (1)")
    assert said("node-numbers", answer(NODES, node)) == ("settled", "numbers")
    assert said("node-numbers", answer(NODES, {"allocatableGpu": "1"})) == ("differs", "not numbers: allocatableGpu")
    assert said("heartbeat-statuses", answer(HEARTBEAT, {"status": "ACTIVE"})) == ("settled", "ACTIVE")
    assert said("heartbeat-statuses", answer(HEARTBEAT)) == ("not seen", "no controller was ever heard: no item")
    assert said("log-severities", answer(LOG, {"severity": "INFO"}))[0] == "settled"
    assert said("log-severities", answer(LOG, {"severity": "WARNING"}))[0] == "differs"


def test_words_of_failures(said: Said) -> None:
    """The known sentences by their reason; an error of a migration in other words is news."""
    known = {"message": "The migration has stopped due to technical timeout.", "severity": "ERROR"}
    assert said("log-failures", answer(LOG, known)) == ("settled", "known: timeout")
    strange = {"message": "Migration owm-1 broke.", "severity": "ERROR"}
    assert said("log-failures", answer(LOG, known, strange)) == (
        "differs",
        "known: timeout; errors of migrations in other words: 1",
    )
    other = {"message": "Instance i-1 was launched.", "severity": "INFO"}
    assert said("log-failures", answer(LOG, other)) == ("not seen", "no line tells of a migration that failed")


def test_parameters_of_the_log(said: Said) -> None:
    """Milliseconds, and the id of the Ocean cluster."""
    query = {"fromDate": "1714564800000"}
    assert said("log-dates", answer(LOG, query=query)) == ("settled", "accepted, 0 lines")
    refused = refusal(LOG, 400, {"code": "ValidationError", "message": "fromDate"}, query=query)
    assert said("log-dates", refused) == ("differs", "refused with HTTP 400")
    assert said("log-cluster", refused) == ("differs", "the Ocean id is refused")
    assert said("log-dates", answer(LOG, query={"fromDate": "2024-05-01"}))[0] == "not seen"


def test_fields_are_compared_by_name(said: Said) -> None:
    """Unknown ones are told, and documented ones that no item has."""
    assert said("fields-of-migration-list", answer(MIGRATIONS, LISTED)) == ("settled", "1 seen")
    more = {**LISTED, "progress": 50}
    assert said("fields-of-migration-list", answer(MIGRATIONS, more)) == ("differs", "1 seen; not documented: progress")
    assert said("fields-of-pod", answer(MIGRATION, STATUS)) == ("settled", "1 seen")
    assert said("fields-of-heartbeat", answer(HEARTBEAT, {"status": "ACTIVE"})) == (
        "settled",
        "1 seen; in none of them: lastHeartbeat",
    )
    lower = {"id" if key == "Id" else key: value for key, value in LISTED.items()}
    assert said("fields-of-migration-list", answer(MIGRATIONS, lower)) == ("settled", "1 seen")


def test_envelope_and_kinds(said: Said) -> None:
    """What is missing is told by name."""
    assert said("envelope", answer(MIGRATIONS, LISTED))[0] == "settled"
    bare = exchange(MIGRATIONS, {"response": {"status": {}, "kind": "x", "items": [1], "count": 2}})
    verdict, says = said("envelope", bare)
    assert verdict == "differs"
    assert "request.id (1)" in says
    assert "response.count that is the number of items (1)" in says
    assert said("kinds", bare) == ("differs", f"{MIGRATIONS}: x")
    assert said("kinds", answer(LOG)) == ("settled", "spotinst:ocean:cluster:log")


def test_what_does_not_exist(said: Said) -> None:
    """By the ids that nobody has, and no others."""
    path = f"/ocean/aws/k8s/cluster/o-1/migration/{ABSENT_MIGRATION}"
    missing = refusal(MIGRATION, 400, {"code": "MIGRATION_GONE", "message": "no"}, path=path)
    assert said("missing-migration", missing) == ("settled", "HTTP 400, code MIGRATION_GONE")
    assert said("missing-migration", refusal(MIGRATION, 400, {"code": "x"})) == ("not seen", "it was not asked for")
    cluster = f"/ocean/aws/k8s/cluster/{ABSENT_CLUSTER}"
    assert said("missing-cluster", refusal(CLUSTER, 404, path=cluster)) == ("differs", "HTTP 404, code none")
    known = refusal(CLUSTER, 400, {"code": "CLUSTER_DOESNT_EXIST"}, path=cluster)
    assert said("missing-cluster", known) == ("settled", "HTTP 400, code CLUSTER_DOESNT_EXIST")
    assert said("missing-cluster", answer(CLUSTER, path=cluster))[0] == "differs"


def test_refusals_and_statuses(said: Said) -> None:
    """By what they hold, and by their numbers."""
    assert said("errors", refusal(LOG, 400, {"code": "x", "message": "y"})) == (
        "settled",
        "HTTP 400 with errors of code, message (1)",
    )
    assert said("errors", refusal(LOG, 401))[1] == "HTTP 401 without errors (1)"
    assert said("errors", exchange(LOG, "<html>", status=502)) == ("differs", "HTTP 502 without an envelope (1)")
    assert said("errors", refusal(LOG, 400, {"reason": "x"}))[0] == "differs"
    assert said("http-statuses", answer(LOG), answer(LOG)) == ("settled", "GET 200 (2)")
    assert said("http-statuses", answer(LOG, status=206))[0] == "differs"


def test_rate_limits(said: Said) -> None:
    """Per route, and every answer must have one."""
    limited = answer(LOG, headers={"x-ratelimit-limit": "120"})
    assert said("rate-limits", limited) == ("settled", f"GET {LOG}: 120 in 60 s")
    bare = Exchange(at=AT, seconds=0.1, method="GET", route=NODES, path=NODES, status=200, body="{}")
    assert said("rate-limits", bare) == ("differs", "no answer has X-RateLimit-Limit")
    assert said("rate-limits", limited, bare) == ("differs", f"GET {LOG}: 120 in 60 s; without: GET {NODES}")
    assert said("rate-limit-reset", limited) == ("settled", "1")
    epoch = answer(LOG, headers={"x-ratelimit-reset": "1714564800"})
    assert said("rate-limit-reset", epoch) == ("differs", "1714564800")
    assert said("rate-limit-reset", bare)[0] == "not seen"


def test_retry_after(said: Said) -> None:
    """Its absence counts only with HTTP 429."""
    assert said("retry-after", answer(LOG))[0] == "not seen"
    assert said("retry-after", refusal(LOG, 429)) == ("settled", "not sent, not even with HTTP 429")
    assert said("retry-after", refusal(LOG, 429, headers={"retry-after": "7"})) == ("settled", "with HTTP 429: 7")


@pytest.mark.parametrize(
    ("value", "verdict", "form"),
    [
        ("2021-10-11T05:51:06.000Z", "settled", "like 2024-05-01T12:00:00.000Z"),
        ("2021-10-1T05:51:06.000Z", "settled", "like 2024-05-01T12:00:00.000Z; like 2024-5-1T12:00:00.000Z"),
        ("2018-10-10T10:50:29.000+0000", "settled", "2024-05-01T12:00:00.000+0000"),
        (1714564800000, "differs", "like JSON's integer"),
        ("yesterday", "differs", "like another text"),
    ],
)
def test_forms_of_times(said: Said, value: Any, verdict: str, form: str) -> None:
    """One that this package cannot read differs."""
    found = said("times", answer(LOG, {"createdAt": value}))
    assert found[0] == verdict
    assert form in found[1]


def test_accounts_and_line_breaks_never_get_out() -> None:
    """A record that somebody made otherwise may hold both."""
    error = {"code": "x", "message": "account act-0123abcd\nis closed"}
    found = answered("errors", [refusal(LOG, 400, error)])
    assert "act-0123abcd" not in str(found)
    assert "act-recorded-" in found.evidence[0]
    assert "\n" not in found.evidence[0]


def test_evidence_is_short() -> None:
    """However long the answer was."""
    found = answered("discovery-shape", [discovered(*({**NODE, "instanceId": f"i-{n}"} for n in range(1000)))])
    assert all(len(text) <= 160 for text in found.evidence)


def test_last_look_counts_for_the_age() -> None:
    """Not the clock of whoever judges a record."""
    later = answer(MIGRATIONS, LISTED, at=AT + timedelta(days=10))
    assert "40 days old" in answered("history", [later]).says
