"""Text of others as Markdown."""

from __future__ import annotations

import pytest

from ocean_migration_pulumi.report.markdown import code, fence, prose, width


def test_usual_names_stay_readable_in_the_source() -> None:
    """Instance ids and names of nodes hold nothing that would have to be written otherwise."""
    assert code("ip-10-0-0-7.us-west-2.compute.internal") == "<code>ip-10-0-0-7.us-west-2.compute.internal</code>"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", "a&#124;b"),
        ("<b>", "&#60;b&#62;"),
        ("@octo", "&#64;\u200bocto"),
        ("see #12", "see &#35;\u200b12"),
        ("www.b.cc", "www&#46;b.cc"),
        ("https://b.cc", "https&#58;\u200b//b.cc"),
        ("- a", "&#45; a"),
        ("1. a", "1&#46; a"),
        ("1) a", "1&#41; a"),
        ("/close", "&#47;close"),
        ("at 100%", "at 100&#37;"),
        ("a\n\nb\x00c", "a b c"),
        ("", "&#45;"),
        ("\u202e", "&#45;"),
        ("ip-10-0-0-7", "ip-10-0-0-7"),
        ("GH-12", "GH-\u200b12"),
    ],
)
def test_prose_is_what_it_says(text: str, shown: str) -> None:
    """Signs that mean something are entities, and no sign is followed at once by what it would refer to."""
    assert prose(text) == shown


def test_long_texts_are_cut() -> None:
    """With a sign that says so."""
    assert code("a" * 121) == f"<code>{'a' * 119}…</code>"
    assert code("a" * 120) == f"<code>{'a' * 120}</code>"
    assert prose("a" * 601) == "a" * 599 + "…"


def test_no_run_of_backquotes_ends_a_block() -> None:
    """Its fence is longer than any of them."""
    assert fence("a\n````\nb", "python") == "`````python\na\n````\nb\n`````"


def test_no_line_of_a_block_is_a_command() -> None:
    """GitLab reads lines that begin with a slash."""
    assert fence("/close\r\nb", "text") == "```text\n /close\nb\n```"


def test_width_counts_as_the_strictest_platform() -> None:
    """A character beyond the basic plane is two."""
    assert (width("abc"), width("é"), width("😀")) == (3, 1, 2)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Run `kubectl get pods -A` again", "Run <code>kubectl get pods -A</code> again"),
        ("`pulumi up` waits", "<code>pulumi up</code> waits"),
        ("a lone ` sign", "a lone &#96; sign"),
        ("none `` here", "none &#96;&#96; here"),
        ("`<b>@all`", "<code>&#60;b&#62;&#64;\u200ball</code>"),
        ("shop/`x`[y](z)", "shop/<code>x</code>&#91;\u200by&#93;(z)"),
    ],
)
def test_what_stands_between_backquotes_is_code(text: str, shown: str) -> None:
    """Whoever wrote the backquotes: code makes no link, tag or mention."""
    assert prose(text) == shown
