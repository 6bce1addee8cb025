"""The GETs of ``api-check``, on a simulator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.recording.redaction import Exchange
from ocean_migration_pulumi.api.settings import Settings
from ocean_migration_pulumi.api_check.probes import send_probes
from ocean_migration_pulumi.api_check.questions import Verdict, answer_questions
from ocean_migration_pulumi.api_check.rendering import COLUMNS, question_rows, summarize, to_json, to_markdown
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import AuthenticationError, ClusterNotFoundError, DeadlineError
from ocean_migration_pulumi.simulator import Simulator
from tests.report.rendered import structure


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """Return a simulator with a migration that finished, one that failed, one that was stopped, one that runs."""
    with Simulator(nodes=8) as simulator:
        control, ocean_id = simulator.control, simulator.ocean_id
        control.clock(manual=True)
        ids = [node["instance_id"] for node in control.nodes(ocean_id)]
        finished = control.start_foreign_migration(ocean_id=ocean_id, instance_ids=ids[:2])
        control.advance(2000)
        failed = control.start_foreign_migration(ocean_id=ocean_id, instance_ids=ids[2:4])
        control.fail_migration(ocean_id=ocean_id, migration_id=failed)
        control.advance(2000)
        stopped = control.start_foreign_migration(ocean_id=ocean_id, instance_ids=ids[4:6])
        control.stop_foreign(ocean_id=ocean_id, migration_id=stopped)
        control.advance(2000)
        assert finished != stopped
        control.start_foreign_migration(ocean_id=ocean_id, instance_ids=ids[6:8])
        control.advance(150)
        yield simulator


def probe(
    sim: Simulator, *, ocean_id: str | None = None, token: str | None = None, scope: CancelScope | None = None
) -> list[Exchange]:
    """Send the GETs to a simulator and return the exchanges; None is its own cluster, its own token, no deadline."""
    exchanges: list[Exchange] = []
    settings = Settings(base_url=sim.url, token=token or sim.token, account_id=sim.account_id)
    with OceanClient(settings, base_scope=scope, observers=[exchanges.append]) as client:
        send_probes(client, ocean_id or sim.ocean_id)
    return exchanges


def test_nothing_but_at_most_15_gets_are_sent(sim: Simulator) -> None:
    """And nothing of the cluster has changed afterwards."""
    before = sim.control.migrations(sim.ocean_id)
    exchanges = probe(sim)
    sent = sim.control.requests(api="all")
    assert {request["method"] for request in sent} == {"GET"}
    assert len(sent) == len(exchanges) == 15
    assert sim.control.migrations(sim.ocean_id) == before


def test_no_account_and_no_token_are_kept(sim: Simulator) -> None:
    """So that what comes of it can be pasted."""
    exchanges = probe(sim)
    text = (
        str(exchanges)
        + to_markdown(answer_questions(exchanges), "ocean-migration/1")
        + str(to_json(answer_questions(exchanges)))
    )
    assert sim.token not in text
    assert sim.account_id not in text


def test_default_readings_differ_nowhere(sim: Simulator) -> None:
    """The simulator answers as the API reference promises, and settles most of it."""
    found = {each.question.key: each for each in answer_questions(probe(sim))}
    assert [each.question.key for each in found.values() if each.verdict is Verdict.DIFFERS] == []
    assert {key for key, each in found.items() if each.verdict is Verdict.NOT_SEEN} == {
        "fields-of-start",
        "fields-of-stop",
        "fields-of-pod",
        "concurrency",
        "refused-start",
        "refused-stop",
        "retry-after",
    }
    assert found["missing-migration"].answer == "HTTP 400 MIGRATION_DOESNT_EXIST"
    assert found["missing-cluster"].answer == "HTTP 400 CLUSTER_DOESNT_EXIST"
    assert found["log-failures"].answer == "connectivity (2)"
    assert found["rate-limits"].answer == "100000 (15)"


@pytest.mark.parametrize(
    ("quirk", "value", "key", "verdict", "says"),
    [
        ("runningPods", "string", "fields-of-candidate", "differs", "runningPods string"),
        ("discovery", "flat", "fields-of-discovery", "differs", "instanceId"),
        ("discovery", "several", "fields-of-discovery", "settled", "instances list (4)"),
        ("unscheduledPodIds", "list", "fields-of-migration-status", "differs", "unscheduledPodIds list"),
        ("idKey", "id", "fields-of-migration-status", "differs", "not as documented: id"),
        ("default", "DEFAULT", "fields-of-candidate", "differs", "launchSpecId DEFAULT"),
        ("dates", "offset", "fields-of-migration-list", "settled", "createdAt time"),
        ("concurrent_migrations", "allow", "missing-migration", "settled", "HTTP 400 MIGRATION_DOESNT_EXIST"),
    ],
)
def test_each_other_reading_is_found(sim: Simulator, quirk: str, value: str, key: str, verdict: str, says: str) -> None:
    """What the documents leave open, in each way that the simulator knows."""
    sim.control.quirk(quirk, value)
    found = {each.question.key: each for each in answer_questions(probe(sim))}
    assert str(found[key].verdict) == verdict
    assert says in found[key].answer


def test_single_refusals_stop_nothing(sim: Simulator) -> None:
    """The rest is asked for, and the refusal is an answer."""
    sim.control.fault("GET", "*/log", "html-404", times=9)
    exchanges = probe(sim)
    assert len(exchanges) == 15
    found = {each.question.key: each for each in answer_questions(exchanges)}
    assert found["log-query"].verdict is Verdict.DIFFERS
    assert found["missing-cluster"].verdict is Verdict.SETTLED


def test_what_ends_everything_is_raised(sim: Simulator) -> None:
    """A cluster that does not exist, a refused token, a deadline."""
    with pytest.raises(ClusterNotFoundError):
        probe(sim, ocean_id="o-11111111")
    with pytest.raises(DeadlineError):
        probe(sim, scope=CancelScope().at_most(0))
    sim.control.rotate_token()
    with pytest.raises(AuthenticationError):
        probe(sim, token="f" * 64)


def test_forms_of_the_result(sim: Simulator) -> None:
    """Rows, JSON and Markdown tell every question once, those first that differ."""
    sim.control.quirk("default", "default")
    found = answer_questions(probe(sim))
    table = question_rows(found)
    assert len(table) == len(found)
    assert all(len(row) == len(COLUMNS) for row in table)
    assert [row[0] for row in table][0:2] == ["differs", "settled"]
    assert "not as documented: launchSpecId default (6) (documented: 5 fields: k8sNodeName" in table[0][2]
    data = to_json(found)
    assert sum(data["summary"].values()) == len(data["questions"]) == len(found)
    assert data["summary"]["differs"] == 1
    text = to_markdown(found, "ocean-migration/1")
    assert structure(text).count("tr_open tr ") == len(found) + 3
    assert summarize(found).startswith(f"{len(found)} questions: ")
