"""The state file: whole at any time, private, locked, with secrets encrypted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ocean_migration_pulumi.testing.offline.state.state import (
    Journal,
    PendingOperation,
    StateResource,
    deletion_order,
    without_dangling,
)
from ocean_migration_pulumi.testing.offline.state.storage import StateError, StateFile
from ocean_migration_pulumi.testing.offline.state.values import SECRET, SIGNATURE, secret


def named(name: str, **options: object) -> StateResource:
    """Return a resource."""
    return StateResource(urn=f"urn::{name}", type="t", custom=True, id=name, **options)  # type: ignore[arg-type]


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    """All fields of resources and pending operations survive; secrets are encrypted on the way."""
    file = StateFile(tmp_path / "deep" / "state.json")
    resource = named(
        "a", inputs={"x": secret({"y": "canary"})}, outputs={"l": [secret("canary")]}, dependencies=["urn::b"],
        property_dependencies={"x": ["urn::b"]}, custom_timeouts={"create": 1.5}, protect=True, init_errors=["no"],
        additional_secret_outputs=["z"], retain_on_delete=True, pending_replacement=True, deleted_with="urn::c",
    )  # fmt: skip
    journal = Journal(
        [resource], [PendingOperation(named("b"), "creating"), PendingOperation(named("c"), "updating")], file.save
    )
    file.save(journal)
    assert "canary" not in file.path.read_text(encoding="utf-8")
    resources, operations = file.load()
    assert [each.to_json() for each in resources] == [resource.to_json()]
    assert [(each.type, each.resource.id) for each in operations] == [("creating", "b")]
    before = json.loads(file.path.read_text(encoding="utf-8"))["deployment"]["resources"]
    again = StateFile(file.path)
    again.save(Journal(*again.load(), again.save))
    assert json.loads(file.path.read_text(encoding="utf-8"))["deployment"]["resources"] == before


def test_files_are_private_and_whole(tmp_path: Path) -> None:
    """State and key can be read by their owner alone; nothing temporary is left."""
    file = StateFile(tmp_path / "state.json")
    file.save(Journal([named("a", inputs={"x": secret(1)})], [], file.save))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["state.json", "state.json.key"]
    assert {each.stat().st_mode & 0o777 for each in tmp_path.iterdir()} == {0o600}


def test_secrets_of_another_key_are_refused(tmp_path: Path) -> None:
    """A state whose key is gone is an error, not garbage."""
    file = StateFile(tmp_path / "state.json")
    file.save(Journal([named("a", inputs={"x": secret("canary")})], [], file.save))
    (tmp_path / "state.json.key").unlink()
    with pytest.raises(StateError, match="another key"):
        StateFile(file.path).load()


def test_plain_secrets_of_an_export_are_taken_over(tmp_path: Path) -> None:
    """A state exported with its secrets shown can be imported."""
    file = StateFile(tmp_path / "state.json")
    shown = {SIGNATURE: SECRET, "plaintext": '"canary"'}
    exported = {**named("a").to_json(), "inputs": {"x": shown}}
    file.write({"version": 3, "deployment": {"resources": [exported]}})
    assert "canary" not in file.path.read_text(encoding="utf-8")
    assert file.load()[0][0].inputs == {"x": secret("canary")}


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version": 2, "deployment": {}}', '{"version": 3, "deployment": 1}']
)
def test_damaged_states_are_refused(tmp_path: Path, text: str) -> None:
    """What is not a state is named as such."""
    path = tmp_path / "state.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StateError, match=r"state\.json: not a stack's state"):
        StateFile(path).load()


def test_a_write_that_fails_leaves_the_old_state(tmp_path: Path) -> None:
    """When the new state cannot be put in place the old one stays, and nothing temporary is left."""
    path = tmp_path / "state.json"
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        StateFile(path).save(Journal([], [], print))
    assert [each.name for each in tmp_path.iterdir()] == ["state.json"]


def test_the_lock_excludes_and_tells_who_holds_it(tmp_path: Path) -> None:
    """A second holder is refused until the lock is given back or taken away."""
    file = StateFile(tmp_path / "state.json")
    with file.locked("up"):
        with pytest.raises(StateError, match=r"currently locked \(pid \d+ on .*, up since"), file.locked("up"):
            pytest.fail("locked twice")
        assert file.unlock()
        assert not file.unlock()
    with file.locked("up"):
        assert not (tmp_path / "state.json").exists()


def test_a_frozen_journal_writes_nothing() -> None:
    """After it is frozen a journal changes in memory alone."""
    saved: list[int] = []
    journal = Journal([], [], lambda each: saved.append(len(each.resources())))
    a, b = named("a"), named("b")
    journal.begin(a, "creating")
    journal.end(a, new=a)
    journal.freeze()
    journal.begin(b, "creating")
    journal.end(b, new=b)
    assert saved == [0, 1]


def test_deletions_start_with_what_nothing_needs() -> None:
    """Groups go from dependents to dependencies; a circle is broken rather than waited for."""
    a = named("a")
    b = named("b", dependencies=["urn::a"])
    c = named("c", parent="urn::b")
    d = named("d", property_dependencies={"x": ["urn::a"]})
    assert [{each.id for each in group} for group in deletion_order([a, b, c, d])] == [{"c", "d"}, {"b"}, {"a"}]
    x, y = named("x", dependencies=["urn::y"]), named("y", dependencies=["urn::x"])
    assert sum(len(group) for group in deletion_order([x, y])) == 2


def test_references_to_what_is_gone_are_removed() -> None:
    """Dependencies on a resource that left the state go with it, and children lose their parent."""
    left = named("b", parent="urn::a", dependencies=["urn::a"], property_dependencies={"x": ["urn::a"]},
                 deleted_with="urn::a")  # fmt: skip
    (found,) = without_dangling([left])
    assert (found.parent, found.dependencies, found.property_dependencies, found.deleted_with) == (
        "",
        [],
        {"x": []},
        "",
    )
