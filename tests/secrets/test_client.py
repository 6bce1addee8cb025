"""The token, from the settings to the socket: whatever goes wrong, nothing but the request itself holds it."""

from __future__ import annotations

import base64
import faulthandler
import io
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from rich.console import Console
from rich.traceback import Traceback

from ocean_migration_pulumi.api import sender
from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.settings import Settings, TokenSource
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import InterruptedWaitError, OceanMigrationError
from tests.secrets.finder import Finder, everything_logged, with_variables
from tests.support import http_server as http
from tests.support.timing import PATIENCE

TOKEN = 'canary-7f3a/0+b"c&d%e<f'
OTHER = "another-canary-of-a-profile"
FINDER = Finder(TOKEN, OTHER)

ECHOES: dict[str, Callable[[str], str]] = {
    "plain": str,
    "percent": lambda token: quote(token, safe=""),
    "base64": lambda token: base64.b64encode(f"Bearer {token}".encode()).decode(),
    "base64-shifted": lambda token: base64.urlsafe_b64encode(f"x:{token}".encode()).decode(),
}


def settings_of(url: str, **more: Any) -> Settings:
    """Return settings with two tokens."""
    others = (TokenSource(name="SPOTINST_TOKEN", token=OTHER),)
    return Settings(base_url=url, token=TOKEN, account_id="act-1234abcd", alternatives=others, **more)


def failing(kind: str) -> list[http.Step]:
    """Return a script of answers that are none, and hold the request's own secret where a proxy would show it."""
    echo = ECHOES.get(kind, str)(TOKEN)
    scripts: dict[str, list[http.Step]] = {
        "refused": [http.error(401, {"code": "x", "message": echo})] * 4,
        "redirect": [http.answer(302, echo.encode(), Location=f"http://127.0.0.1:1/?t={quote(TOKEN, safe='')}")],
        "reset": [http.reset],
        "hang-up": [http.hang_up],
        "truncated": [http.truncated(http.envelope({"x": echo}))],
        "not-http": [http.raw(b"SSH-2.0-server\r\n\r\n")],
        "bad-coding": [http.answer(200, echo.encode(), Content_Encoding="gzip")],
        "not-json": [http.answer(200, f"<p>{echo}</p>".encode())],
        "html-500": [http.answer(500, f"<p>{echo}</p>".encode())],
    }
    return scripts.get(kind) or [http.error(400, {"code": "x", "message": f"you sent {echo} here", "field": echo})]


CALLS: dict[str, Callable[[OceanClient], object]] = {
    "get": lambda client: client.get_cluster("o-1"),
    "create": lambda client: client.create_migration(
        "o-1",
        ["i-1"],
        batch_size_percentage=20,
        should_terminate_drained_nodes=False,
        should_evict_stand_alone_pods=False,
        force_pod_eviction_on_pdb_failure=False,
    ),
}
KINDS = ("refused", "redirect", "reset", "hang-up", "truncated", "not-http", "bad-coding", "not-json", "html-500")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", [*KINDS, *ECHOES])
def test_nothing_tells_the_token(kind: str, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither errors with all they come from, nor logs of any library, nor the record, nor what a tracker keeps."""
    monkeypatch.setattr(sender, "FAILED", replace(sender.FAILED, attempts=1))
    record = tmp_path / "record.jsonl"
    script = failing(kind)
    with (
        http.ScriptedServer(script) as server,
        OceanClient(settings_of(server.url, record=record)) as client,
        everything_logged() as lines,
        pytest.raises(OceanMigrationError) as caught,
    ):
        CALLS[call](client)
    assert server.requests
    assert TOKEN in server.requests[0].headers["authorization"]
    # What a server has put into its headers is logged by httpcore before anybody else sees it.
    logs = [line for line in lines if not line.startswith("httpcore.http11 receive_response_headers")]
    FINDER.refute(
        error=caught.value,
        variables=with_variables(caught.value),
        logs=logs,
        record=record.read_bytes(),
        client=client,
    )
    if kind == "refused":
        FINDER.refute(drawn=drawn(caught.value))


def drawn(error: BaseException) -> str:
    """Return a traceback as rich draws it."""
    console = Console(file=io.StringIO(), width=200)
    console.print(Traceback.from_exception(type(error), error, error.__traceback__))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_nothing_that_holds_the_token_shows_it() -> None:
    """Settings, sources, the client, and all that it is made of."""
    settings = settings_of("https://spot.example")
    loaded = Settings.load({"ocean-migration:token": TOKEN}, {"SPOTINST_TOKEN": OTHER})
    with OceanClient(settings) as client:
        holders = [settings, loaded, *settings.alternatives, *loaded.alternatives, client, client.within(CancelScope())]
        holders += [client._sender, client._sender._transport, client._sender._tokens, client._sender.observation]
        for holder in holders:
            FINDER.refute(**{type(holder).__name__: holder})
    assert (loaded.token, loaded.alternatives[0].token) == (TOKEN, OTHER)


def test_settings_that_are_wrong_do_not_quote() -> None:
    """Not a token with a space, not one in a URL."""
    for config in (
        {"ocean-migration:token": f"{TOKEN} {OTHER}"},
        {"ocean-migration:baseUrl": f"https://user:{quote(TOKEN, safe='')}@spot.example"},
        {"ocean-migration:baseUrl": f"https://{OTHER}@spot.example"},
        {"ocean-migration:baseUrl": f"ftp://spot.example/{OTHER}"},
    ):
        with pytest.raises(OceanMigrationError) as caught:
            Settings.load(config, {})
        FINDER.refute(error=caught.value)


def test_dump_of_all_threads_has_no_values(tmp_path: Path) -> None:
    """What a process that hangs tells of itself, in the middle of a call."""
    arrived = threading.Event()
    scope = CancelScope()
    with (
        http.ScriptedServer([http.setting(arrived, http.silence)]) as server,
        OceanClient(settings_of(server.url), base_scope=scope) as client,
    ):

        def ask() -> None:
            with pytest.raises(InterruptedWaitError):
                client.get_cluster("o-1")

        thread = threading.Thread(target=ask)
        thread.start()
        assert arrived.wait(PATIENCE)
        with (tmp_path / "dump").open("w+b") as dump:
            faulthandler.dump_traceback(dump, all_threads=True)
            dump.seek(0)
            text = dump.read()
        scope.ended.set()
        thread.join(PATIENCE)
    assert b"transport.py" in text
    FINDER.refute(dump=text)


def test_libraries_log_at_all() -> None:
    """Or the tests above would look at nothing."""
    with (
        http.ScriptedServer([http.items({"id": "o-1"})]) as server,
        OceanClient(settings_of(server.url)) as client,
        everything_logged() as lines,
    ):
        client.get_cluster("o-1")
    assert {line.partition(" ")[0] for line in lines} >= {"httpx", "httpcore.http11", "httpcore.connection"}
    assert logging.getLogger().level != logging.DEBUG
    FINDER.refute(logs=lines)
