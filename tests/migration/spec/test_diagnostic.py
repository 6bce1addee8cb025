"""The lines of a preview are told apart again by whoever reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus
from ocean_migration_pulumi.migration.planning.findings_text import format_check
from ocean_migration_pulumi.migration.spec import diagnostic
from ocean_migration_pulumi.migration.spec.diagnostic import Kind, Note

texts = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=40).map(str.strip)
words = texts.filter(bool)
names = st.from_regex(r"[A-Za-z][A-Za-z ]{0,20}[a-z]", fullmatch=True)


@given(st.sampled_from([CheckStatus.FAIL, CheckStatus.WARN, CheckStatus.UNKNOWN]), names, words)
def test_prerequisite_reads_back_with_its_name(verdict: CheckStatus, name: str, text: str) -> None:
    """Whatever was seen."""
    kinds = {CheckStatus.FAIL: Kind.FAILED, CheckStatus.WARN: Kind.DOUBTED, CheckStatus.UNKNOWN: Kind.UNKNOWN}
    line = format_check(CheckResult(name, verdict, text))
    assert diagnostic.parse("warning", line) == [Note(kinds[verdict], text, name)]


@given(st.dictionaries(names, words.filter(lambda text: ";" not in text), min_size=1, max_size=5))
def test_what_is_met_reads_back_one_by_one(seen: dict[str, str]) -> None:
    """They stand in one line, and are a list again."""
    assert diagnostic.parse("info", diagnostic.met(seen)) == [Note(Kind.MET, text, name) for name, text in seen.items()]


@given(words)
def test_single_lines_read_back(text: str) -> None:
    """Each by its head; the severity alone does not tell."""
    assert diagnostic.parse("warning", diagnostic.blocker(text)) == [Note(Kind.BLOCKER, text)]
    assert diagnostic.parse("info", diagnostic.batches(text)) == [Note(Kind.BATCHES, text)]
    assert diagnostic.parse("INFO", diagnostic.pods(text)) == [Note(Kind.PODS, text)]


def test_source_of_a_group_keeps_its_lines() -> None:
    """It is to be pasted."""
    (note,) = diagnostic.parse("info", diagnostic.group("2 nodes of gpu", "call(\n    1,\n)"))
    assert note == Note(Kind.GROUP, "2 nodes of gpu, ready to paste:\ncall(\n    1,\n)")


@pytest.mark.parametrize(
    ("severity", "message", "kind"),
    [
        ("info", "plan 0123abcd: 2 nodes", Kind.PLAN),
        ("info#err", "plan 0123abcd: 2 nodes", Kind.PLAN),
        ("info", "plan of something: 2 nodes", Kind.REMARK),
        ("info", "to web (ols-1): 2 nodes", Kind.DESTINATION),
        ("info", "to any Virtual Node Group (Default): 2 nodes", Kind.DESTINATION),
        ("info", "to 2 other Virtual Node Groups: 4 nodes", Kind.DESTINATION),
        ("info", "to be or not to be", Kind.REMARK),
        ("warning", "plan 0123abcd: 2 nodes", Kind.WARNING),
        ("warning", "prerequisite forgotten, name: text", Kind.WARNING),
        ("warning", "no node matches; nothing will be migrated", Kind.WARNING),
    ],
)
def test_everything_else_is_told_by_its_severity(severity: str, message: str, kind: Kind) -> None:
    """A warning is never taken for good news."""
    assert [note.kind for note in diagnostic.parse(severity, message)] == [kind]
