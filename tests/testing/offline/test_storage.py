"""The state file: atomic, private, locked, with encrypted secrets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ocean_migration_pulumi.testing.offline.state.state import (
    Journal,
    PendingOperation,
    StateResource,
    group_deletions,
    remove_dangling_references,
)
from ocean_migration_pulumi.testing.offline.state.storage import StateError, StateFile
from ocean_migration_pulumi.testing.offline.state.values import SECRET, SIGNATURE, make_secret


def named(name: str, **options: object) -> StateResource:
    """Return a resource."""
    return StateResource(urn=f"urn::{name}", type="t", custom=True, id=name, **options)  # type: ignore[arg-type]


def test_a_state_is_restored_as_it_was(tmp_path: Path) -> None:
    """All fields of resources and pending operations survive, and the file has encrypted secrets."""
    file = StateFile(tmp_path / "deep" / "state.json")
    resource = named(
        "a", inputs={"x": make_secret({"y": "canary"})}, outputs={"l": [make_secret("canary")]},
        dependencies=["urn::b"], property_dependencies={"x": ["urn::b"]}, custom_timeouts={"create": 1.5},
        protect=True, init_errors=["no"], additional_secret_outputs=["z"], retain_on_delete=True,
        pending_replacement=True, deleted_with="urn::c",
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
    """Only their owner can read state and key, and no temporary file is left."""
    file = StateFile(tmp_path / "state.json")
    file.save(Journal([named("a", inputs={"x": make_secret(1)})], [], file.save))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["state.json", "state.json.key"]
    assert {each.stat().st_mode & 0o777 for each in tmp_path.iterdir()} == {0o600}


def test_secrets_of_another_key_are_refused(tmp_path: Path) -> None:
    """A state without its key is an error."""
    file = StateFile(tmp_path / "state.json")
    file.save(Journal([named("a", inputs={"x": make_secret("canary")})], [], file.save))
    (tmp_path / "state.json.key").unlink()
    with pytest.raises(StateError, match="another key"):
        StateFile(file.path).load()


def test_an_export_with_plain_secrets_can_be_imported(tmp_path: Path) -> None:
    """Its secrets are encrypted."""
    file = StateFile(tmp_path / "state.json")
    shown = {SIGNATURE: SECRET, "plaintext": '"canary"'}
    exported = {**named("a").to_json(), "inputs": {"x": shown}}
    file.write({"version": 3, "deployment": {"resources": [exported]}})
    assert "canary" not in file.path.read_text(encoding="utf-8")
    assert file.load()[0][0].inputs == {"x": make_secret("canary")}


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version": 2, "deployment": {}}', '{"version": 3, "deployment": 1}']
)
def test_damaged_states_are_refused(tmp_path: Path, text: str) -> None:
    """The error names the file."""
    path = tmp_path / "state.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StateError, match=r"state\.json: not a stack's state"):
        StateFile(path).load()


def test_a_write_that_fails_leaves_the_old_state(tmp_path: Path) -> None:
    """No temporary file is left either."""
    path = tmp_path / "state.json"
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        StateFile(path).save(Journal([], [], print))
    assert [each.name for each in tmp_path.iterdir()] == ["state.json"]


def test_the_lock_names_its_holder(tmp_path: Path) -> None:
    """A second holder is refused until the lock is released or removed."""
    file = StateFile(tmp_path / "state.json")
    with file.locked("up"):
        with pytest.raises(StateError, match=r"currently locked \(pid \d+ on .*, up since"), file.locked("up"):
            pytest.fail("locked twice")
        assert file.unlock()
        assert not file.unlock()
    with file.locked("up"):
        assert not (tmp_path / "state.json").exists()


def test_a_frozen_journal_writes_nothing() -> None:
    """It changes in memory only."""
    saved: list[int] = []
    journal = Journal([], [], lambda each: saved.append(len(each.resources())))
    a, b = named("a"), named("b")
    journal.begin(a, "creating")
    journal.end(a, new=a)
    journal.freeze()
    journal.begin(b, "creating")
    journal.end(b, new=b)
    assert saved == [0, 1]


def test_deletions_start_with_dependents() -> None:
    """Groups go from dependents to dependencies, and a circle is broken."""
    a = named("a")
    b = named("b", dependencies=["urn::a"])
    c = named("c", parent="urn::b")
    d = named("d", property_dependencies={"x": ["urn::a"]})
    assert [{each.id for each in group} for group in group_deletions([a, b, c, d])] == [{"c", "d"}, {"b"}, {"a"}]
    x, y = named("x", dependencies=["urn::y"]), named("y", dependencies=["urn::x"])
    assert sum(len(group) for group in group_deletions([x, y])) == 2


def test_dangling_references_are_removed() -> None:
    """Dependencies on a removed resource are removed, and its children lose their parent."""
    left = named("b", parent="urn::a", dependencies=["urn::a"], property_dependencies={"x": ["urn::a"]},
                 deleted_with="urn::a")  # fmt: skip
    (found,) = remove_dangling_references([left])
    assert (found.parent, found.dependencies, found.property_dependencies, found.deleted_with) == (
        "",
        [],
        {"x": []},
        "",
    )
