"""Pages of lists that arrive in pieces."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.kubernetes.objects import list_decoding
from ocean_migration_pulumi.kubernetes.objects.decoding import UnexpectedFormError, decode_item, decode_page
from ocean_migration_pulumi.kubernetes.objects.list_decoding import ListDecoder

INNER = {"metadata": {"name": "inner"}, "spec": {}}
PODS: list[Any] = [
    {"metadata": {"name": f"pod-{number}"}, "spec": {"templates": [INNER, INNER], "text": '"items":[{"metadata":{'}}
    for number in range(4)
]
METADATA = {"resourceVersion": "7", "continue": "next", "remainingItemCount": 3}


def read_name(raw: Any) -> str:
    """Read what has a name."""
    metadata = decode_item(raw)["metadata"]
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise UnexpectedFormError
    name: str = metadata["name"]
    return name


def decode(body: bytes, sizes: list[int]) -> tuple[list[str], ListDecoder[str]]:
    """Return what a decoder makes of a body in pieces of these sizes, the last one again and again."""
    decoder = ListDecoder(read_name)
    found: list[str] = []
    start = 0
    for size in [*sizes, *[sizes[-1]] * len(body)]:
        if start < len(body):
            found += decoder.feed(body[start : start + size])
        start += size
    return found + decoder.finish(), decoder


BODIES = {
    "compact": json.dumps({"kind": "List", "metadata": METADATA, "items": PODS}, separators=(",", ":")),
    "spaces": json.dumps({"kind": "List", "metadata": METADATA, "items": PODS}, indent=1),
    "metadata last": json.dumps({"items": PODS, "metadata": METADATA}),
    "kinds": json.dumps({"metadata": METADATA, "items": [{"kind": "Pod", **pod} for pod in PODS]}),
}


@pytest.mark.parametrize("name", BODIES)
@given(sizes=st.lists(st.integers(1, 200), min_size=1, max_size=20))
def test_pieces_make_no_difference(name: str, sizes: list[int]) -> None:
    """Wherever they are cut; objects inside of objects, and texts, begin nothing."""
    found, decoder = decode(BODIES[name].encode(), sizes)
    assert found == [pod["metadata"]["name"] for pod in PODS]
    assert (decoder.following, decoder.remaining, decoder.unusable) == ("next", 3, 0)


@pytest.mark.parametrize("name", ["compact", "spaces", "kinds"])
def test_objects_are_there_before_the_page_is(name: str) -> None:
    """All but the last one; and the token with the head."""
    decoder = ListDecoder(read_name)
    body = BODIES[name].encode()
    assert decoder.feed(body[: body.index(b"[") + 1]) == []
    assert (decoder.following, decoder.remaining) == ("next", 3)
    assert len(decoder.feed(body[body.index(b"[") + 1 :])) == len(PODS) - 1


@pytest.mark.parametrize(
    ("items", "found", "unusable"),
    [
        ("null", [], 0),
        ("[]", [], 0),
        (" [ ] ", [], 0),
        ('[{"metadata":{"name":"a"}}]', ["a"], 0),
        ('[{"metadata":{"name":"a"}},{"metadata":{"name":7}},{"metadata":{"name":"c"}}]', ["a", "c"], 1),
        ('[{"metadata":{"name":"a"}},7,null,{"metadata":{"name":"c"}}]', ["a", "c"], 2),
        ('[{},{"metadata":{"name":"b"}}]', ["b"], 1),
        ('[7,{"metadata":{"name":"b"}}]', ["b"], 1),
        ('[{"metadata":[]},{"metadata":{"name":"b"}}]', ["b"], 1),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_unusual_lists(items: str, found: list[str], unusable: int, size: int) -> None:
    """An object that cannot be read loses no other."""
    names, decoder = decode(f'{{"metadata":{{}},"items":{items}}}'.encode(), [size])
    assert (sorted(names), decoder.unusable, decoder.following) == (found, unusable, "")


def test_page_that_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer may not fill the memory, while a page that is decoded may be as long as it likes."""
    monkeypatch.setattr(list_decoding, "_MOST_HELD", 10_000)
    found, _ = decode(json.dumps({"items": PODS * 100}).encode(), [1000])
    assert len(found) == 100 * len(PODS)
    with pytest.raises(UnexpectedFormError):
        decode(b'{"items":[{"metadata":' + b" " * 10_000, [1000])


@pytest.mark.parametrize(
    "body",
    [
        "<html>",
        "[]",
        '{"items":[{"metadata":{"name":"a"}}',
        '{"items":[{"metadata":{"name":"a"}}]',
        '{"items":[{"metadata":{"name":"a"}} {"metadata":{"name":"a"}}]}',
        '{"metadata":{"continue":7},"items":[]}',
        '{"kind": , "items":[]}',
        '{"items":{}}',
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_what_is_no_list_is_refused(body: str, size: int) -> None:
    """As it is when it arrives at once."""
    with pytest.raises(UnexpectedFormError):
        decode_page(body.encode())
    with pytest.raises(UnexpectedFormError):
        decode(body.encode(), [size])
