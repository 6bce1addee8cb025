"""The flight record: what is kept of an exchange, what never is, and a file that several may write."""

from __future__ import annotations

import base64
import errno
import json
import os
import stat
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.recording.recorder import Recorder
from ocean_migration_pulumi.api.recording.redaction import (
    CUT,
    LONGEST_TEXT,
    REDACTED,
    Exchange,
    ExchangeObservation,
    Redaction,
    account_placeholder,
)
from ocean_migration_pulumi.api.recording.replay_client import read_record
from ocean_migration_pulumi.api.responses import ApiCall, ApiResponse
from ocean_migration_pulumi.api.settings import Settings, TokenSource
from ocean_migration_pulumi.errors import (
    InterruptedWaitError,
    NoAnswerError,
    OceanMigrationError,
    ServiceError,
    SettingsError,
)
from ocean_migration_pulumi.resource.session import Session
from tests.support import http_server as http
from tests.support.fake_clock import FakeClock

TOKEN = 'canary-7f3a/0+b"c'
OTHER_TOKEN = "canary-of-another-source"
ACCOUNT = "act-1234abcd"
CLUSTER = {"id": "o-1", "name": "web", "region": "eu-west-1"}
SAMPLE = Exchange(
    at=datetime(2026, 1, 31, 10, 0, 2, 125000, tzinfo=UTC),
    seconds=0.3,
    method="GET",
    route="/ocean/aws/k8s/cluster/{ocean_id}",
    path="/ocean/aws/k8s/cluster/o-1",
    query={"accountId": "act-recorded-1"},
    status=200,
    headers={"date": "Sat, 31 Jan 2026 10:00:02 GMT"},
    body='{"response": {"items": []}}',
    is_json=True,
)


@contextmanager
def serving(script: Iterable[http.Step], path: Path, **more: Any) -> Iterator[OceanClient]:
    """Return a client, which records, of a server with this script."""
    with http.ScriptedServer(script) as server:
        settings = Settings(
            base_url=server.url,
            token=TOKEN,
            account_id=ACCOUNT,
            record=path,
            alternatives=(TokenSource(name="another", token=OTHER_TOKEN),),
        )
        with OceanClient(settings, base_scope=FakeClock().scope(), **more) as client:
            yield client


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a record after its first one."""
    first, *found = map(json.loads, path.read_text().splitlines())
    assert first["record"] == "ocean-migration"
    return found


def test_an_exchange_is_one_readable_line(tmp_path: Path) -> None:
    """The file is for its owner only; account and headers are kept as far as they matter."""
    path = tmp_path / "run.jsonl"
    steps = [
        http.items(
            CLUSTER, Content_Type="application/json", Set_Cookie="a=b", X_RateLimit_Remaining="7", Server="nginx"
        )
    ]
    with serving(steps, path) as client:
        cluster = client.get_cluster("o-1")
        assert client.observer_trouble is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (line,) = lines(path)
    assert line["route"] == "/ocean/aws/k8s/cluster/{ocean_id}"
    assert (line["method"], line["path"], line["status"]) == ("GET", "/ocean/aws/k8s/cluster/o-1", 200)
    assert line["query"] == {"accountId": account_placeholder(ACCOUNT)}
    assert line["headers"] == {"content-type": "application/json", "x-ratelimit-remaining": "7"}
    assert line["body"]["response"]["items"] == [CLUSTER]
    assert 0 <= line["seconds"] < 60
    assert abs((datetime.fromisoformat(line["at"]) - datetime.now(UTC)).total_seconds()) < 60
    assert cluster.id == "o-1"


def echo(text: str) -> list[http.Step]:
    """Answer with a text: in an error of the service, in a page, in a header, in JSON of another shape, in an item."""
    return [
        http.error(400, {"code": "Bad", "message": f"no {text} here"}),
        http.answer(404, f"<p>{text}</p>".encode(), Content_Type="text/html"),
        http.answer(400, http.refusal(400), Content_Type=text),
        http.answer(400, json.dumps([{text: text}, "\\" + text]).replace("a", "\\u0061").encode("utf-16")),
        http.items(CLUSTER | {"description": text}),
    ]


@pytest.mark.parametrize("token", [TOKEN, OTHER_TOKEN])
def test_no_token_is_ever_in_the_file(tmp_path: Path, token: str) -> None:
    """Not as it is, percent-encoded, in lower-case escapes, within base64, and not in HTML or escaped JSON."""
    path = tmp_path / "run.jsonl"
    forms = [token, quote(token, safe=""), quote(token, safe="").replace("%2F", "%2f").replace("%2B", "%2b")]
    forms += [base64.b64encode(f"{before}{token}:x".encode()).decode() for before in ("", "u", "us")]
    forms += [base64.urlsafe_b64encode(f"{before}{token}".encode()).decode() for before in ("", "u", "us")]
    forms.append(token.replace('"', "&quot;"))
    with serving([step for form in forms for step in echo(form)], path) as client:
        for number in range(5 * len(forms)):
            try:
                client.get_cluster("o-1")
            except OceanMigrationError:
                assert number % 5 < 4
    text = path.read_text()
    assert len(lines(path)) == 5 * len(forms)
    for line in lines(path):
        assert not any(form in json.dumps(line, ensure_ascii=False) for form in forms)
    for hidden in ("canary", "Bearer", "cookie", ACCOUNT, base64.b64encode(b"canary").decode()[:7]):
        assert hidden.lower() not in text.lower()
    assert text.count("[token]") >= 5 * len(forms) - 1


def test_secrets_are_hidden_and_the_rest_is_not(tmp_path: Path) -> None:
    """User data, and what stands under the name of a secret: in JSON, in half of some, and in a text."""
    path = tmp_path / "run.jsonl"
    secret = "hunter2-hunter2"
    body = CLUSTER | {
        "userData": secret,
        "keyPair": "ops",
        "auth": {"PASSWORD": [secret, {"apiKey": secret}], "enabled": True},
        "metadata": {"httpTokens": "required", "hopLimit": 2},
        "tags": [{"tagKey": "db-password", "tagValue": secret}, {"tagKey": "team", "tagValue": "shop"}],
        "note": f"said password={secret}, and went on",
        "absent": {"secret": None},
    }
    steps = [
        http.items(body),
        http.answer(400, json.dumps({"userData": secret, "name": "web"}).encode()[:-8]),
        http.answer(400, f"token: {secret}\nAuthorization: Basic {secret}\ncookie='{secret}' end".encode()),
        http.error(400, {"code": "x", "message": f'refused: {{"clientSecret": "{secret}"}}'}),
    ]
    with serving(steps, path) as client:
        client.get_cluster("o-1")
        for _ in steps[1:]:
            with pytest.raises(OceanMigrationError):
                client.get_cluster("o-1")
    assert secret not in path.read_text()
    item = lines(path)[0]["body"]["response"]["items"][0]
    assert item["userData"] == REDACTED
    assert item["keyPair"] == "ops"
    assert item["auth"] == {"PASSWORD": [REDACTED, {"apiKey": REDACTED}], "enabled": True}
    assert item["metadata"] == {"httpTokens": REDACTED, "hopLimit": 2}
    assert item["tags"] == [
        {"tagKey": "db-password", "tagValue": REDACTED},
        {"tagKey": "team", "tagValue": "shop"},
    ]
    assert item["note"] == f"said password={REDACTED}, and went on"
    assert item["absent"] == {"secret": None}
    assert lines(path)[2]["text"].endswith(f"cookie={REDACTED} end")


texts = st.text(max_size=8) | st.sampled_from([TOKEN, f"<{TOKEN}>", base64.b64encode(TOKEN.encode()).decode(), ACCOUNT])
documents = st.recursive(
    texts | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(document=documents, indent=st.sampled_from([None, 1]))
def test_json_stays_json_in_one_line(document: Any, indent: int | None) -> None:
    """Whatever is replaced in it; and nothing is when there is nothing to hide."""
    text, is_json = Redaction([TOKEN], [ACCOUNT]).body(json.dumps(document, indent=indent).encode())
    assert is_json
    assert "\n" not in text
    assert TOKEN not in json.dumps(json.loads(text), ensure_ascii=False).replace('\\"', '"')
    assert ACCOUNT not in text
    assert type(json.loads(text)) is type(document)
    harmless, _ = Redaction().body(json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    if "act-" not in harmless and REDACTED not in harmless:
        assert json.loads(harmless) == document


def test_a_number_that_holds_the_token_becomes_a_text() -> None:
    """A token of digits must not break what it stands in; a short one is part of anything, and is left."""
    redaction = Redaction(["12345678", "777"], ["999"])
    text, _ = redaction.body(b'{"a": 1234567890, "b": 777, "c": 999, "d": 9990}')
    assert json.loads(text) == {"a": "[token]90", "b": 777, "c": account_placeholder("999"), "d": 9990}


def test_most_answers_are_not_written_anew() -> None:
    """Of 10,000 nodes nothing has to be replaced but the account: even the spaces are as they came."""
    nodes = [{"instanceId": f"i-{number:017x}", "asgName": "web", "runningPods": 3} for number in range(10_000)]
    body = json.dumps({"request": {"url": f"/x?accountId={ACCOUNT}"}, "response": {"items": nodes}}, indent=1)
    text, is_json = Redaction([TOKEN], [ACCOUNT]).body(body.encode())
    assert is_json
    assert text == body.replace("\n", " ").replace(ACCOUNT, account_placeholder(ACCOUNT))


def test_what_is_no_json_is_cut(tmp_path: Path) -> None:
    """With a mark, and after its secrets were replaced, one at the cut included; nesting without end is no JSON."""
    redaction = Redaction([TOKEN])
    text, is_json = redaction.body(b"x" * (LONGEST_TEXT - 3) + TOKEN.encode() + b"y" * 100)
    assert (len(text), is_json) == (LONGEST_TEXT + len(CUT), False)
    assert text.endswith("xx[to" + CUT)
    assert redaction.body(b"\xff\xfe\xfd")[1] is False
    assert redaction.body(b"[" * 100_000) == ("[" * LONGEST_TEXT + CUT, False)
    assert redaction.body(b"") == ("", False)


def test_accounts_have_stable_stand_ins() -> None:
    """The same one always, another one for another account, also for accounts that nobody named; not within words."""
    redaction = Redaction(accounts=[ACCOUNT, account_placeholder("act-0")])
    other = "act-99887766"
    assert redaction.text(f"{ACCOUNT},{other}") == f"{account_placeholder(ACCOUNT)},{account_placeholder(other)}"
    assert account_placeholder(ACCOUNT) != account_placeholder(other)
    assert account_placeholder(account_placeholder(ACCOUNT)) == account_placeholder(ACCOUNT)
    for kept in (f"imp{ACCOUNT}", f"{ACCOUNT}0", f"{ACCOUNT}-web", account_placeholder("act-0")):
        assert redaction.text(kept) == kept


def test_failures_are_recorded_without_the_place(tmp_path: Path) -> None:
    """Each attempt is an exchange of its own; what is no answer has an error, which has no host."""
    path = tmp_path / "run.jsonl"
    with serving([http.reset, http.answer(503, b"busy"), http.items(CLUSTER)], path) as client:
        client.get_cluster("o-1")
        base_url = client.settings.base_url
    failed, busy, good = lines(path)
    assert "status" not in failed
    assert "body" not in failed
    assert failed["error"].startswith("GET /ocean/aws/k8s/cluster/o-1: no response from [base URL]: ")
    assert "127.0.0.1" not in path.read_text()
    assert base_url.rpartition(":")[2] not in failed["error"]
    assert (busy["status"], busy["text"], good["status"]) == (503, "busy", 200)


def test_what_was_never_tried_is_no_exchange(tmp_path: Path) -> None:
    """An operation that has ended sends nothing."""
    path = tmp_path / "run.jsonl"
    with serving([], path) as client:
        scope = FakeClock().scope()
        scope.ended.set()
        with pytest.raises(InterruptedWaitError):
            client.within(scope).get_cluster("o-1")
    assert lines(path) == []


def test_a_write_is_recorded_with_what_it_asked_for(tmp_path: Path) -> None:
    """So that a replay can tell another request from it."""
    path = tmp_path / "run.jsonl"
    with serving([http.items({"id": "owm-1", "state": "STOPPING"})], path) as client:
        client.stop_migration("o-1", "owm-1")
    (line,) = lines(path)
    assert line["request"] == {"migration": {"state": "STOPPED", "shouldTerminateDrainedNodes": False}}


def test_observers_are_told_in_order_and_cannot_break_a_call(tmp_path: Path) -> None:
    """All of them, after each exchange; the first trouble is kept for whoever can tell of it."""
    seen: list[int | None] = []
    errors = iter([ValueError("first"), ValueError("second"), ValueError("third")])

    def fails(exchange: Exchange) -> None:
        raise next(errors)

    steps = [http.answer(500), http.items(CLUSTER), http.answer(404, http.refusal(404))]
    with serving(
        steps, tmp_path / "run.jsonl", observers=[fails, lambda exchange: seen.append(exchange.status)]
    ) as api:
        assert api.observer_trouble is None
        api.get_cluster("o-1")
        with pytest.raises(OceanMigrationError):
            api.get_cluster("o-1")
        assert seen == [500, 200, 404]
        assert str(api.observer_trouble) == "first"
    assert [exchange.status for exchange in read_record(tmp_path / "run.jsonl")] == seen


def test_a_full_disk_breaks_no_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trouble is there for whoever can tell of it; a record that cannot even begin is refused."""

    def full(file: int, data: memoryview) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with serving([http.items(CLUSTER)], tmp_path / "run.jsonl") as client:
        monkeypatch.setattr(os, "write", full)
        assert client.get_cluster("o-1").id == "o-1"
        assert isinstance(client.observer_trouble, OSError)
        with pytest.raises(SettingsError, match=r"record: the record .* cannot be written: No space left on device"):
            Recorder(tmp_path / "another.jsonl")


def test_trouble_with_the_redaction_breaks_no_call() -> None:
    """Then nobody is told anything: what is not redacted must not get out."""

    class Broken(Redaction):
        def text(self, text: str) -> str:
            raise RuntimeError("broken")

    seen: list[Exchange] = []
    observation = ExchangeObservation([seen.append], Broken())
    answer = ApiResponse(status=200, headers={}, body=b"{}")
    observation.report(ApiCall(method="GET", route="/x"), answer, datetime.now(UTC), time.monotonic())
    assert (seen, str(observation.trouble)) == ([], "broken")


def test_several_may_write_one_record(tmp_path: Path) -> None:
    """Each line is whole, however long; one that somebody left behind is closed first."""
    path = tmp_path / "run.jsonl"
    Recorder(path).close()
    with path.open("ab") as file:
        file.write(b'{"at": "2026-01')
    recorders = [Recorder(path) for _ in range(4)]
    long = replace(SAMPLE, body=json.dumps({"x": "y" * 200_000}))

    def write(recorder: Recorder) -> None:
        for _ in range(5):
            recorder(long)

    threads = [threading.Thread(target=write, args=(recorder,)) for recorder in recorders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for recorder in recorders:
        recorder.close()
        recorder(SAMPLE)
        recorder.close()
    assert read_record(path) == (long,) * 20


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.mkdir(), "cannot be opened: Is a directory"),
        (lambda path: path.write_text("apiVersion: v1\n"), "exists and is not a record: choose another file"),
        (lambda path: path.write_text('{"record": "ocean-migration", "version": 2}\n'), "is not a record"),
        (os.mkfifo, "is not a regular file"),
        (lambda path: path.symlink_to("nowhere/file"), "cannot be opened: No such file or directory"),
    ],
    ids=["a folder", "another format", "a later version", "a pipe", "a link to nowhere"],
)
def test_what_cannot_be_a_record_is_said_at_once(tmp_path: Path, make: Any, said: str) -> None:
    """In one line that names the setting, before anything is asked; what is there stays as it is."""
    path = tmp_path / "run.jsonl"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    settings = Settings(record=path, sources={"record": "OCEAN_MIGRATION_RECORD"})
    with pytest.raises(SettingsError, match=said) as raised:
        OceanClient(settings)
    assert str(raised.value).startswith("OCEAN_MIGRATION_RECORD: ")
    assert len(str(raised.value).splitlines()) == 1
    assert before is None or path.read_bytes() == before


def test_a_path_that_no_file_can_have(tmp_path: Path) -> None:
    """It is a setting like any other that cannot be used."""
    with pytest.raises(SettingsError, match=r"record: the record .* cannot be opened"):
        Recorder(tmp_path / "a\0b")


def test_no_answer_at_all_is_recorded(tmp_path: Path) -> None:
    """Every attempt of a call that fails in the end."""
    path = tmp_path / "run.jsonl"
    with serving([http.reset] * 5, path) as client, pytest.raises(NoAnswerError):
        client.get_cluster("o-1")
    assert [exchange.error is not None for exchange in read_record(path)] == [True] * 5


def test_times_are_the_services(tmp_path: Path) -> None:
    """As far as it told them: a clock of this machine that is wrong does not get into the record."""
    path = tmp_path / "run.jsonl"
    steps = [http.items(CLUSTER, Date="Sat, 31 Jan 2026 10:00:02 GMT"), http.answer(500)]
    with serving([*steps, *[http.answer(500)] * 4], path) as client:
        client.get_cluster("o-1")
        with pytest.raises(ServiceError):
            client.get_cluster("o-1")
    for exchange in read_record(path):
        assert abs((exchange.at - SAMPLE.at).total_seconds()) < 30


def test_the_config_of_a_stack_can_ask_for_a_record(tmp_path: Path) -> None:
    """The resource reads it as it reads its other settings."""
    path = tmp_path / "run.jsonl"
    with http.ScriptedServer([http.items(CLUSTER)]) as server:
        config = {
            "ocean-migration:record": str(path),
            "ocean-migration:token": TOKEN,
            "ocean-migration:baseUrl": server.url,
        }
        session = Session()
        session.configure(config.get)
        with session.client(ACCOUNT) as client:
            client.get_cluster("o-1")
    assert [exchange.path for exchange in read_record(path)] == ["/ocean/aws/k8s/cluster/o-1"]
