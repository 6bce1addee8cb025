"""Bodies that are made to hurt: bombs, codings inside of codings, depth without end, and records of anything."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.api import transport
from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.recording.recorder import FORMAT, VERSION
from ocean_migration_pulumi.api.recording.replay_client import RecordedClient, read_record
from ocean_migration_pulumi.api.responses import UNDECODABLE, ApiCall, ApiResponse, decode_body
from ocean_migration_pulumi.api.settings import Settings
from ocean_migration_pulumi.api.single_requests import probe
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import NoAnswerError, OceanMigrationError, ResponseError
from ocean_migration_pulumi.kubernetes.connection.errors import UNEXPECTED
from ocean_migration_pulumi.kubernetes.objects import decoding
from ocean_migration_pulumi.kubernetes.objects.decoding import UnexpectedFormError
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import PODS
from ocean_migration_pulumi.report.pull_request import preview
from tests.hostile.garbage import NAMES, ODD
from tests.kubernetes import fake_api as fake
from tests.kubernetes.support import reading, shop
from tests.support import http_server as http
from tests.support.properties import documents

MIB = 1024 * 1024
PATIENT = documents()


def client_of(server: http.ScriptedServer) -> OceanClient:
    """Return a client of a server."""
    return OceanClient(Settings(base_url=server.url, token="canary-token", account_id="act-1234abcd"))


def bomb(mebibytes: int) -> bytes:
    """Return so many MiB of nothing, compressed."""
    packer = zlib.compressobj(1, wbits=31)
    return b"".join([*(packer.compress(bytes(MIB)) for _ in range(mebibytes)), packer.flush()])


def test_a_compressed_bomb_is_cut_off_at_64_mebibytes() -> None:
    """It is the size after decompression that counts, and no more than two pieces are ever held beside it."""
    assert transport.LARGEST_BODY == 64 * MIB
    body = bomb(200)
    assert len(body) < MIB
    step = http.answer(200, body, Content_Encoding="gzip")
    with http.ScriptedServer([step]) as server, client_of(server) as client:
        tracemalloc.start()
        try:
            with pytest.raises(ResponseError, match="longer than 64 MiB"):
                client.get_cluster("o-1")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 300 * MIB


def test_an_endless_body_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that goes on for ever is left at the limit, whether it has told a length or not."""
    monkeypatch.setattr(transport, "LARGEST_BODY", MIB)
    sent = 0

    def endless(connection: http.Connection, request: http.Received) -> bool:
        nonlocal sent
        connection.socket.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = b"%x\r\n%b\r\n" % (65536, b" " * 65536)
        while not connection.ending.is_set():
            connection.socket.sendall(piece)
            sent += 65536
        return False

    with (
        http.ScriptedServer([endless]) as server,
        client_of(server) as client,
        pytest.raises(ResponseError, match="longer than 1 MiB"),
    ):
        client.get_cluster("o-1")
    assert sent < 64 * MIB


NESTED = {
    "gzip, gzip": gzip.compress(bomb(200)),
    "gzip,gzip": gzip.compress(bomb(200)),
    "deflate, gzip": gzip.compress(zlib.compress(b"{}")),
    "br": b"\x0b\x01\x80{}\x03",
    "zstd": b"(\xb5/\xfd\x04X\x11\x00\x00{}",
    "x-anything": b"{}",
}


@pytest.mark.parametrize("coding", NESTED)
def test_what_was_not_asked_for_is_not_decoded(coding: str) -> None:
    """One coding inside of another would be a thousand times a thousand; a newer one knows no such bound."""
    step = http.answer(200, NESTED[coding], Content_Encoding=coding)
    with http.ScriptedServer([step] * 3) as server, client_of(server) as client:
        with pytest.raises(ResponseError, match="has an encoding that was not requested"):
            client.get_cluster("o-1")
        with pytest.raises(NoAnswerError, match="has an encoding that was not requested"):
            probe(server.url, CancelScope())
        assert {request.headers["accept-encoding"] for request in server.requests} == {"gzip, deflate"}


@pytest.mark.parametrize("coding", NESTED)
def test_nor_does_kubernetes_get_it_decoded(coding: str) -> None:
    """It is a gap of what was asked."""
    api = shop()
    api.faults[fake.PODS] = [http.answer(200, NESTED[coding], Content_Encoding=coding)]
    with api.serve() as server, reading(server.url) as reader:
        assert reader.read_snapshot(CancelScope()).gaps[PODS].fields["message"] == UNEXPECTED


DEEP = {
    "lists": "[" * 100_000,
    "closed lists": "[" * 50_000 + "]" * 50_000,
    "objects": '{"a":' * 50_000 + "1" + "}" * 50_000,
    "just": '{"a":[' * 400 + "]}" * 400,
}


def _read_page(text: str) -> None:
    with suppress(UnexpectedFormError):
        decoding.decode_page(text.encode())


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP.keys())
@pytest.mark.parametrize(
    "read",
    [
        lambda text: decode_body(ApiResponse(status=200, headers={}, body=text.encode())),
        lambda text: decode_body(ApiResponse(status=200, headers={}, body=f'["\\ud800",{text}]'.encode())),
        lambda text: decoding.decode_object(text.encode()),
        _read_page,
        preview.parse_preview,
        lambda text: preview.parse_preview(
            f'{{"steps": [{{"op": {text}, "urn": {text}}}], "diagnostics": [{{"urn": {text}}}]}}'
        ),
    ],
    ids=["answer", "half characters", "kubernetes", "page", "preview", "parts of a preview"],
)
def test_depth_without_end_is_no_document(read: Callable[[str], Any], text: str) -> None:
    """It is no JSON, or an error of ours, and ends no interpreter."""
    with suppress(OceanMigrationError):
        found = read(text)
        assert found is UNDECODABLE or found is None or text == DEEP["just"]


LINES = st.lists(
    st.one_of(
        st.dictionaries(
            st.sampled_from(
                ("at", "seconds", "method", "route", "path", "query", "request", "status", "headers", "body", "text")
            ),
            ODD,
        ),
        ODD,
    ),
    max_size=4,
)  # fmt: skip
FRAME = {"at": "2026-01-02T03:04:05Z", "seconds": 0.1, "method": "GET", "query": {}, "status": 200, "headers": {}}
ROUTES = (
    ("/ocean/aws/k8s/cluster/{ocean_id}", "/ocean/aws/k8s/cluster/o-1"),
    ("/ocean/aws/k8s/cluster/{ocean_id}/migration", "/ocean/aws/k8s/cluster/o-1/migration"),
    ("/ocean/aws/k8s/cluster/{ocean_id}/migration/{migration_id}", "/ocean/aws/k8s/cluster/o-1/migration/owm-1"),
)


@given(lines=LINES, name=NAMES, body=ODD, route=st.sampled_from(ROUTES))
@PATIENT
def test_a_record_of_anything_is_read_or_refused(
    lines: list[Any], name: str, body: Any, route: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What is no exchange is passed over, what is one is answered from, or is an error of ours."""
    path = tmp_path_factory.mktemp("record") / "record.jsonl"
    whole = FRAME | {"route": route[0], "path": route[1], "body": {"response": {"items": [body, {"id": name}]}}}
    written = [
        {"record": FORMAT, "version": VERSION},
        *lines,
        whole,
        FRAME | {"route": name, "path": name, "text": name},
    ]
    path.write_bytes(b"\n".join(json.dumps(line).encode() for line in written) + b"\n\xff\x00{\n")
    client = RecordedClient(read_record(path))
    assert repr(client).isprintable()
    for ask in _questions(client):
        with suppress(OceanMigrationError):
            ask()


def _questions(client: RecordedClient) -> Iterator[Callable[[], object]]:
    yield lambda: client.get_cluster("o-1")
    yield lambda: client.list_migrations("o-1")
    yield lambda: client.get_migration("o-1", "owm-1")
    yield lambda: client.statuses("o-1", "owm-1")
    yield client.clusters
    yield client.migrations
    yield client.server_now


@given(ocean_id=NAMES)
@PATIENT
def test_an_id_never_leads_to_another_route(ocean_id: str) -> None:
    """Whatever it holds, it is one part of the path, or refused."""
    call = ApiCall(method="GET", route="/ocean/aws/k8s/cluster/{ocean_id}/log", ids={"ocean_id": ocean_id})
    with suppress(OceanMigrationError, UnicodeEncodeError):
        path = call.path
        assert path.isascii()
        assert path.isprintable()
        assert path.startswith("/ocean/aws/k8s/cluster/")
        assert path.endswith("/log")
        assert path.count("/") == 6
        assert "?" not in path
