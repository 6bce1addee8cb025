"""What a recorded migration is compared with, by answers that agree or differ in each way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocean_migration_pulumi.api.client import DISCOVERY, MIGRATIONS
from ocean_migration_pulumi.api.recording.redaction import Exchange
from ocean_migration_pulumi.api.responses import MIGRATION
from ocean_migration_pulumi.api_check.documented import FIELDS
from ocean_migration_pulumi.api_check.live_findings import LiveCode, LiveFinding, check_migration
from ocean_migration_pulumi.api_check.rendering import describe_finding, live_rows, to_json, to_markdown
from tests.api_check.conftest import AT, answer, exchange, refusal

REQUEST = {
    "migration": {
        "instanceIds": ["i-1"],
        "batchSizePercentage": 50,
        "shouldTerminateDrainedNodes": False,
        "shouldEvictStandAlonePods": False,
        "forcePodEvictionOnPdbFailure": False,
    }
}
OFFERED = {"instances": [{"instanceId": "i-1", "runningPods": 6}]}
NOT_OFFERED = {"instances": [{"instanceId": "i-2", "runningPods": 1}]}


def at(seconds: float) -> dict[str, Any]:
    """Return when an exchange was sent."""
    return {"at": AT + timedelta(seconds=seconds)}


def discovery(item: Any, seconds: float) -> Exchange:
    """Return an answer of discovery."""
    return answer(DISCOVERY, item, query={"shouldFetchPods": "true"}, **at(seconds))


def created(item: Any = None, **more: Any) -> Exchange:
    """Return the answer to a start."""
    return answer(MIGRATIONS, item or {"id": "owm-1"}, method="POST", request=REQUEST, **{**at(0), **more})


def status(state: str, seconds: float, **more: Any) -> Exchange:
    """Return a status with all documented fields."""
    whole = {
        **dict.fromkeys(FIELDS["migration-status"]),
        "Id": "owm-1",
        "status": state,
        "oldInstances": [{"instanceId": "i-1", "runningPods": 6}],
        "migrationConfig": {"shouldTerminateDrainedNodes": False, "shouldEvictStandAlonePods": False},
        **more,
    }
    return answer(MIGRATION, whole, **at(seconds))


def listed(state: str | None, seconds: float) -> Exchange:
    """Return a list; None is one without the migration."""
    return answer(MIGRATIONS, *([] if state is None else [{"Id": "owm-1", "state": state}]), **at(seconds))


def stopped(item: Any = None, seconds: float = 30) -> Exchange:
    """Return the answer to a stop."""
    known = item or {"id": "owm-1", "oceanId": "o-1", "state": "STOPPED"}
    return answer(MIGRATION, known, method="PUT", request={"migration": {"state": "STOPPED"}}, **at(seconds))


RUN = (
    discovery(OFFERED, -5),
    created(),
    status("STARTING", 5),
    listed("STARTING", 6),
    discovery(NOT_OFFERED, 7),
    stopped(),
    status("STOPPING", 31),
    status("STOPPED", 60, stoppedAt="2026-05-01T12:01:00.000Z"),
    status("STOPPED", 75, stoppedAt="2026-05-01T12:01:00.000Z"),
    listed("STOPPED", 76),
    discovery(OFFERED, 77),
)


def found(code: LiveCode, *exchanges: Exchange) -> list[LiveFinding]:
    """Return the findings of one code."""
    check = check_migration(exchanges)
    assert check is not None
    return [finding for finding in check.findings if finding.code is code]


def told(code: LiveCode, *exchanges: Exchange) -> tuple[str, str]:
    """Return severity and text of the only finding of a code."""
    [finding] = found(code, *exchanges)
    return str(finding.severity), describe_finding(finding)


def test_documented_answers_are_only_informative() -> None:
    """Each comparison once, in the order of the calls."""
    check = check_migration(RUN)
    assert check is not None
    assert (check.ocean_id, check.migration_id, check.instance_ids) == ("o-1", "owm-1", ("i-1",))
    options = "shouldTerminateDrainedNodes false, shouldEvictStandAlonePods false"
    assert live_rows(check) == (
        ("info", "create", "response to the start: HTTP 200, id"),
        ("info", "STARTING", "oldInstances: i-1"),
        ("info", "STOPPING", "oldInstances: i-1"),
        ("info", "STOPPED", "oldInstances: i-1"),
        ("info", "status", f"migrationConfig: {options}"),
        ("info", "owm-1", "seconds from the start to each state: STARTING 5, STOPPING 31, STOPPED 60"),
        ("info", "owm-1", "lists without the migration: 0, 6s after the start"),
        ("info", "before", "runningPods of the nodes in discovery: i-1 6"),
        ("info", "during", "runningPods of the nodes in discovery: none"),
        ("info", "after", "runningPods of the nodes in discovery: i-1 6"),
        ("info", "stop", "response to the stop: HTTP 200, id, oceanId, state STOPPED"),
        ("info", "owm-1", "last state: STOPPED, 1m00s after the start"),
        ("info", "STOPPED", "time of the end: stoppedAt 2026-05-01T12:01:00.000Z"),
    )


def test_exchanges_without_a_start_are_not_compared() -> None:
    """There is nothing to compare."""
    assert check_migration([]) is None
    assert check_migration([status("STOPPED", 1), listed("STOPPED", 2)]) is None


def test_response_to_the_start() -> None:
    """Documented is the lower-case id alone."""
    code, expected = LiveCode.CREATE_RESPONSE, " (expected HTTP 200, id)"
    assert told(code, created({"Id": "owm-1"})) == ("warning", f"response to the start: HTTP 200, Id{expected}")
    assert told(code, created({"id": "owm-1", "x": 1})) == (
        "warning",
        f"response to the start: HTTP 200, id, x{expected}",
    )
    assert told(code, created({"name": "x"})) == ("error", f"response to the start: HTTP 200, name{expected}")
    refused = refusal(MIGRATIONS, 400, {"code": "BUSY"}, method="POST", request=REQUEST)
    assert told(code, refused) == ("error", f"response to the start: HTTP 400 BUSY{expected}")
    lost = exchange(MIGRATIONS, "", status=None, method="POST", request=REQUEST, error="reset")  # type: ignore[arg-type]  # none came
    assert told(code, lost) == ("warning", f"response to the start: no response{expected}")


def test_migration_of_a_lost_answer_is_known_by_its_nodes() -> None:
    """Another migration's status does not stand for it."""
    lost = exchange(MIGRATIONS, "", status=None, method="POST", request=REQUEST, error="reset")  # type: ignore[arg-type]  # none came
    other = status("STARTING", 1, oldInstances=[{"instanceId": ["i-1"]}, {"instanceId": "i-9"}])
    check = check_migration([lost, other])
    assert check is not None
    assert check.migration_id is None
    again = check_migration([lost, other, status("STARTING", 5)])
    assert again is not None
    assert again.migration_id == "owm-1"


def test_nodes_of_a_status() -> None:
    """They are those that were sent."""
    assert told(LiveCode.STATUS_NODES, created(), status("STARTING", 5, oldInstances=[{"instanceId": "i-2"}])) == (
        "error",
        "oldInstances: i-2 (expected i-1)",
    )
    assert told(LiveCode.STATUS_NODES, created()) == ("error", "oldInstances: none (expected i-1)")


def test_echoed_options() -> None:
    """They are those that were sent."""
    other = {"shouldTerminateDrainedNodes": True, "shouldEvictStandAlonePods": False}
    assert told(LiveCode.ECHOED_OPTIONS, created(), status("STARTING", 5, migrationConfig=other)) == (
        "warning",
        "migrationConfig: shouldTerminateDrainedNodes true, shouldEvictStandAlonePods false (expected "
        "shouldTerminateDrainedNodes false, shouldEvictStandAlonePods false)",
    )
    assert told(LiveCode.ECHOED_OPTIONS, created(), status("STARTING", 5, migrationConfig=None))[0] == "warning"


def test_terminal_state_must_be_the_last() -> None:
    """One that a migration leaves again is an error."""
    assert told(LiveCode.STATE_SEQUENCE, created(), status("STOPPED", 5), status("DRAIN_NODES", 6)) == (
        "error",
        "seconds from the start to each state: STOPPED 5, DRAIN_NODES 6",
    )


def test_list_lags() -> None:
    """The migration appears late or never."""
    code, late = LiveCode.LISTED, (created(), listed(None, 2), listed("STARTING", 20))
    assert told(code, *late) == ("warning", "lists without the migration: 1 (expected 0), 20s after the start")
    assert told(code, created(), listed(None, 2)) == ("error", "lists without the migration: 1 (expected 0)")


def test_discovery_before_the_start_must_have_the_node() -> None:
    """During and after, the documentation does not say."""
    missing = found(LiveCode.DISCOVERY, discovery(NOT_OFFERED, -5), created(), discovery(NOT_OFFERED, 5))
    assert [(each.subject, str(each.severity)) for each in missing] == [("before", "warning"), ("during", "info")]


@pytest.mark.parametrize(
    ("item", "severity"),
    [
        ({"id": "owm-1", "oceanId": "o-1", "state": "STOPPING"}, "warning"),
        ({"Id": "owm-1", "oceanId": "o-1", "state": "STOPPED"}, "warning"),
        ({"oceanId": "o-1", "state": "STOPPED"}, "error"),
    ],
)
def test_response_to_the_stop(item: dict[str, Any], severity: str) -> None:
    """Documented are id, oceanId and STOPPED."""
    assert told(LiveCode.STOP_RESPONSE, created(), status("STARTING", 5), stopped(item))[0] == severity


def test_stop_that_is_refused_or_was_never_sent() -> None:
    """The first accepted one counts."""
    refused = refusal(MIGRATION, 400, {"code": "ENDED"}, method="PUT", **at(20))
    assert told(LiveCode.STOP_RESPONSE, created(), refused) == (
        "error",
        "response to the stop: HTTP 400 ENDED (expected HTTP 200, id, oceanId, state STOPPED)",
    )
    assert told(LiveCode.STOP_RESPONSE, created(), refused, stopped())[0] == "info"
    assert told(LiveCode.STOP_RESPONSE, created()) == (
        "warning",
        "response to the stop: no response (expected HTTP 200, id, oceanId, state STOPPED)",
    )


@pytest.mark.parametrize(
    ("exchanges", "severity", "text"),
    [
        ((stopped(), status("FINISHED", 60)), "warning", "FINISHED (expected STOPPED), 1m00s after the start"),
        ((status("FINISHED", 60),), "info", "FINISHED, 1m00s after the start"),
        ((status("FINISHED_ERROR", 60),), "warning", "FINISHED_ERROR (expected FINISHED), 1m00s after the start"),
        ((status("DRAIN_NODES", 60),), "error", "DRAIN_NODES (expected FINISHED)"),
    ],
)
def test_terminal_states(exchanges: tuple[Exchange, ...], severity: str, text: str) -> None:
    """STOPPED after a stop, FINISHED without one."""
    assert told(LiveCode.TERMINAL_STATE, created(), *exchanges) == (severity, f"last state: {text}")


def test_terminal_time() -> None:
    """The one of the state, and one that can be read."""
    assert told(LiveCode.TERMINAL_TIME, created(), status("FINISHED", 60))[0] == "warning"
    read = status("FINISHED", 60, completedAt="2026-05-01T12:01:00.000Z")
    assert told(LiveCode.TERMINAL_TIME, created(), read) == (
        "info",
        "time of the end: completedAt 2026-05-01T12:01:00.000Z",
    )


def test_last_start_counts() -> None:
    """Of a record with several."""
    check = check_migration([created({"id": "owm-0"}), created({"id": "owm-1"}), status("STARTING", 5)])
    assert check is not None
    assert check.migration_id == "owm-1"


def test_accounts_and_line_breaks_never_get_out() -> None:
    """A record that somebody made otherwise may hold both."""
    strange = status("act-0123abcd", 5, **{"act-4567abcd": 1})
    check = check_migration([created(), strange])
    assert check is not None
    text = str(to_json((), check)) + to_markdown((), "ocean-migration/1", check)
    assert "act-0123abcd" not in text
    assert "act-4567abcd" not in text
    broken = check_migration([created(), status("A\nB", 5)])
    assert broken is not None
    assert all("\n" not in cell for cells in live_rows(broken) for cell in cells)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*FIELDS["migration-status"], "id", "state", "instances", "instanceId"]), inner, max_size=5
        )
    ),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(_VALUES, _VALUES)
def test_any_answer_is_compared(request_body: Any, item: Any) -> None:
    """Whatever the service sends, or a record holds, can be compared and told."""
    exchanges = [
        discovery(item, -1),
        answer(MIGRATIONS, item, method="POST", request=request_body),
        answer(MIGRATION, item),
        answer(MIGRATIONS, item),
        answer(MIGRATION, item, method="PUT"),
        discovery(item, 5),
        status("STOPPED", 6),
    ]
    for started in (exchanges, [created(), *exchanges[2:]]):
        check = check_migration(started)
        assert check is not None
        assert to_json((), check)["live"]["findings"]
        assert to_markdown((), "ocean-migration/1", check)
