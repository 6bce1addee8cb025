"""The journal of starts: what a killed run leaves for the next one, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ocean_migration_pulumi.migration.state.migration_record import UnansweredStart
from ocean_migration_pulumi.resource.start_journal import StartJournal, open_journal

START = UnansweredStart(listed=["owm-0"], instance_ids=["i-1", "i-2"], at="2026-01-02T03:04:05.000Z")
PLACE = ("https://api.example.com", "act-1", "o-1")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the engine have a home of its own."""
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    return tmp_path


def test_a_start_is_kept_until_it_is_known_to_have_had_no_effect() -> None:
    """It is replaced by the one with its id."""
    journal = open_journal("urn:web", *PLACE)
    assert journal.find_start() is None
    journal.note_start(START)
    assert open_journal("urn:web", *PLACE).find_start() == START
    known = UnansweredStart(listed=[], instance_ids=["i-1"], migration_id="owm-1")
    journal.note_start(known)
    assert journal.find_start() == known
    journal.note_start(None)
    journal.note_start(None)
    assert journal.find_start() is None


def test_resources_clusters_accounts_and_services_have_journals_of_their_own() -> None:
    """A stack that is made again elsewhere finds nothing of the first one."""
    open_journal("urn:web", *PLACE).note_start(START)
    others = [("urn:api", *PLACE), *[("urn:web", *PLACE[:i], "other", *PLACE[i + 1 :]) for i in range(3)]]
    for owner, *place in others:
        assert open_journal(owner, *place).find_start() is None


def test_an_old_or_broken_entry_counts_as_none(home: Path) -> None:
    """And is replaced by the next start."""
    journal = open_journal("urn:web", *PLACE)
    journal.note_start(START)
    (path,) = (home / "ocean-migration").iterdir()
    assert path.parent.stat().st_mode & 0o777 == 0o700
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 25 * 3600))
    assert journal.find_start() is None
    for text in ("", "{", "[]", '"x"', "\udcff"):
        path.write_text(text, encoding="utf-8", errors="surrogateescape")
        assert journal.find_start() is None
    journal.note_start(START)
    assert journal.find_start() == START


def test_a_place_that_cannot_be_used_fails_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a home, or where the home is a file, nothing is kept."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "file"))
    nowhere = open_journal("urn:web", *PLACE)
    for journal in (nowhere, StartJournal(None)):
        journal.note_start(START)
        journal.note_start(None)
        assert journal.find_start() is None
