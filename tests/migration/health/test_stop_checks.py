"""The checks of ``stop_when``: what counts as a failure, what says nothing, and when a migration is stopped."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.api.responses import ApiResponse
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import KubernetesError, NoAnswerError, PrerequisiteError, SettingsError
from ocean_migration_pulumi.migration.health.look_thread import LookThread
from ocean_migration_pulumi.migration.health.stop_checks import CheckSeries, CheckWatch, start_series
from ocean_migration_pulumi.migration.snapshot.sources import NO_ACCESS
from ocean_migration_pulumi.migration.spec.conditions import (
    ConditionObservation,
    HttpCheck,
    KubernetesCondition,
    ObservationCode,
)
from ocean_migration_pulumi.migration.spec.stop_conditions import StopCheck
from tests.migration.health.support import OCEAN, PLANNED, START

URL = "https://shop.example/health"
SHOP = StopCheck(check=HttpCheck(url=f"{URL}?key=canary"))
STRICT = StopCheck(check=HttpCheck(url=URL), fails_without_answer=True)
TLS = StopCheck(
    check=KubernetesCondition(kind="Certificate", name="tls", namespace="shop", api_version="cert-manager.io/v1")
)
SEEN = {
    "pass": ConditionObservation(True, ObservationCode.URL_ANSWERED, URL, {"status": 200}),
    "fail": ConditionObservation(False, ObservationCode.URL_STATUS, URL, {"status": 503, "expected": 200}),
    "silent": ConditionObservation(False, ObservationCode.FAILED, URL, {"message": "no answer"}, answered=False),
    "gone": ConditionObservation(False, ObservationCode.NO_OBJECT, URL, is_present=False),
}


def play(kinds: Sequence[str], check: StopCheck = SHOP, *, passed: bool = True) -> CheckSeries:
    """Look once a minute."""
    (series,) = start_series([check], [check.name] if passed else [])
    for minute, kind in enumerate(kinds):
        series = series.advance(SEEN[kind], START + timedelta(minutes=minute))
    return series


def test_stops_after_its_time_and_not_earlier() -> None:
    """With what was seen, and for how long."""
    assert play(["fail"] * 10).find_cause() is None
    cause = play(["fail"] * 11).find_cause()
    assert cause is not None
    assert (cause.cause, cause.check, cause.seconds) == ("HTTP check", URL, 600.0)
    assert (cause.observation, cause.workloads) == (SEEN["fail"], ())
    found = play(["fail"] * 11, TLS).find_cause()
    assert found is not None
    assert (found.cause, found.check) == ("condition", "Certificate shop/tls Ready=True")


def test_three_looks_have_to_show_it_however_short_its_time() -> None:
    """One bad answer of a deployment that is restarted is none."""
    short = StopCheck(check=HttpCheck(url=URL), seconds=0.0)
    assert play(["fail"] * 2, short).find_cause() is None
    assert play(["fail"] * 3, short).find_cause() is not None


@pytest.mark.parametrize("between", ["pass", "silent", "gone"])
def test_look_that_does_not_show_it_resets(between: str) -> None:
    """Whether it passed, or nothing can be said."""
    assert play(["fail"] * 10 + [between] + ["fail"] * 10).find_cause() is None
    assert play(["fail"] * 20 + [between]).find_cause() is None


def test_no_answer_counts_only_when_the_check_says_so() -> None:
    """An object that is not there never does: somebody has deleted it."""
    assert play(["silent"] * 30).find_cause() is None
    assert play(["silent", "fail"] * 6, STRICT).find_cause() is not None
    assert play(["gone"] * 30, STRICT).find_cause() is None


def test_what_failed_before_the_start_does_not_stop_until_it_has_passed() -> None:
    """The migration has not broken it."""
    assert play(["fail"] * 30, passed=False).find_cause() is None
    assert play(["fail"] * 30 + ["pass"] + ["fail"] * 11, passed=False).find_cause() is not None


@given(st.lists(st.sampled_from(sorted(SEEN)), max_size=40), st.booleans())
def test_only_an_unbroken_series_at_the_end_counts(kinds: list[str], passed: bool) -> None:
    """Whatever came before."""
    expected = len(kinds) > 10 and kinds[-11:] == ["fail"] * 11 and (passed or "pass" in kinds)
    # What failed before it passed does not count, though the series were long enough with it.
    assert (play(kinds, passed=passed).find_cause() is not None) == expected


class Cluster:
    """Kubernetes as a test tells it."""

    def __init__(self, *nodes: str) -> None:
        self.nodes = frozenset(nodes)
        self.says: ConditionObservation | Exception = SEEN["pass"]
        self.identified = 0

    def instances(self, scope: CancelScope) -> frozenset[str]:
        """Return its nodes."""
        self.identified += 1
        return self.nodes

    def observe(self, scope: CancelScope, wanted: Sequence[KubernetesCondition]) -> tuple[ConditionObservation, ...]:
        """Return what the test says."""
        assert len(wanted) == 1
        if isinstance(self.says, Exception):
            raise self.says
        return (self.says,)


def answering(status: int) -> Callable[[str, CancelScope], ApiResponse]:
    """Return a probe that gets this answer."""
    return lambda url, scope: ApiResponse(status=status, body=b"", headers={})


def watch(*checks: StopCheck, kubernetes: Cluster | None = None, probe: object = None) -> CheckWatch:
    """Return the watch of checks that have passed before."""

    def find_nodes(scope: CancelScope) -> Collection[str]:
        return {PLANNED, OCEAN}

    return CheckWatch(
        series=start_series(checks, [each.name for each in checks]),
        scope=CancelScope(),
        now=lambda: START,
        probe=probe,  # type: ignore[arg-type]
        kubernetes=kubernetes,
        absent=NO_ACCESS,
        find_nodes=find_nodes,
        thread=LookThread(60.0),
    )


def test_looks_at_all_checks_at_once() -> None:
    """The cluster is recognised once, and every look counts for each check by itself."""
    cluster = Cluster(OCEAN)
    cluster.says = SEEN["fail"]
    seen = watch(SHOP, TLS, kubernetes=cluster, probe=answering(503))
    for _ in range(3):
        seen.observe()
    assert [each.looks for each in seen.series] == [3, 3]
    assert cluster.identified == 1
    assert seen.list_failing() == [SEEN["fail"], SEEN["fail"]]


@pytest.mark.parametrize(
    "error", [KubernetesError("Kubernetes responded with 503"), PrerequisiteError("ci may not get certificates (403)")]
)
@pytest.mark.parametrize("strict", [False, True])
def test_api_server_that_does_not_answer_says_nothing(error: Exception, strict: bool) -> None:
    """A refusal does not even when the check says that no answer is a failure: the object may be well."""
    cluster = Cluster(OCEAN)
    cluster.says = error
    seen = watch(StopCheck(check=TLS.check, fails_without_answer=strict), kubernetes=cluster)
    seen.observe()
    assert seen.series[0].looks == int(strict and not isinstance(error, PrerequisiteError))
    (failing,) = seen.list_failing()
    assert (failing.code, failing.subject, failing.fields) == ("failed", TLS.name, {"message": str(error)})


@pytest.mark.parametrize("kubernetes", [None, Cluster("i-of-another"), Cluster()])
def test_without_access_or_with_that_of_another_cluster_nothing_is_said(kubernetes: Cluster | None) -> None:
    """Its objects are not those of this cluster."""
    seen = watch(StopCheck(check=TLS.check, fails_without_answer=True), kubernetes=kubernetes)
    seen.observe()
    assert seen.series[0].looks == 0
    (failing,) = seen.list_failing()
    assert failing.code == ("gap" if kubernetes is None else "other-cluster")


@pytest.mark.parametrize("error", [NoAnswerError("no response within 5 s"), SettingsError("the proxy cannot be used")])
def test_url_that_does_not_answer_says_nothing(error: Exception) -> None:
    """The runner's own network may be the reason; no text has the query of the URL."""

    def probe(url: str, scope: CancelScope) -> ApiResponse:
        raise error

    seen = watch(SHOP, STRICT, probe=probe)
    seen.observe()
    assert [each.looks for each in seen.series] == [0, 1]
    assert not any("canary" in text for text in map(repr, seen.list_failing()))
    assert "canary" not in repr(seen)


def test_names_of_checks_that_passed_are_recorded() -> None:
    """Two URLs that differ in their queries have one name: both have to pass."""
    other = StopCheck(check=HttpCheck(url=f"{URL}?key=other", status=204))
    assert watch(SHOP, other).passed == [URL]
    found = watch(SHOP, other, probe=answering(200))
    found.series = start_series([SHOP, other], [])
    found.observe()
    assert found.passed == []


def test_looks_beside_the_polls_one_at_a_time() -> None:
    """And once a minute."""
    looks: list[int] = []
    thread = LookThread(60.0)
    for now in (0.0, 15.0, 59.0, 60.0, 75.0):
        thread.start_when_due(lambda now=now: looks.append(int(now)), now)  # type: ignore[misc]
        while thread._thread is not None and thread._thread.is_alive():
            thread._thread.join()
    assert looks == [0, 60]
