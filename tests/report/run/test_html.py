"""A run as a page: whole, for every reader, and with nothing from elsewhere."""

from __future__ import annotations

import re

import pytest

from ocean_migration_pulumi.migration.views.run_report import RunReport
from ocean_migration_pulumi.report.run import facts, html
from ocean_migration_pulumi.report.run.html_elements import Html, element, quoted
from tests.report import run_reports
from tests.report.pages import Page
from tests.report.run_reports import moment, run_report

STORIES = [
    run_reports.failed(),
    run_reports.with_leftovers(),
    run_reports.large(300),
    run_report(),
    run_reports.braked(),
]
TOKEN = re.compile(r"--([a-z]+): (#[0-9a-f]{3,6})")


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour, as WCAG defines it."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    channels = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the ratio of contrast of two colours."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("told", STORIES, ids=["failed", "leftovers", "many", "plain", "braked"])
def test_a_page_needs_nothing_from_elsewhere(told: RunReport) -> None:
    """No script, no link, no address; and its policy lets no browser fetch any."""
    text = html.render_html(told)
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "a", "form", "base"} & {tag for tag, _ in page.elements}
    assert not re.search(r"https?:|//|url\(|@import|@font-face", text.replace("<!DOCTYPE html>", ""))
    policies = [each["content"] for each in page.all("meta") if each.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]


@pytest.mark.parametrize("told", STORIES, ids=["failed", "leftovers", "many", "plain", "braked"])
def test_a_page_is_for_every_reader(told: RunReport) -> None:
    """A language, one title, headings in their order, tables with headings."""
    page = Page(html.render_html(told))
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == len(page.all("main")) == 1
    levels = [tag for tag, _ in page.elements if tag in {"h1", "h2", "h3"}]
    assert levels[0] == "h1"
    assert set(levels[1:]) == {"h2"}
    assert {each["scope"] for each in page.all("th")} == {"col", "row"}
    for box in [each for each in page.all("div") if each.get("class") == "table"]:
        assert (box["role"], box["tabindex"]) == ("region", "0")
        assert box["aria-label"]


def test_a_failed_run_says_so_first() -> None:
    """Verdict, reason, remedy, and what holds the pods."""
    text = Page(html.render_html(run_reports.failed())).text
    order = ["Failed: Ocean could not start", "Duration12m40s", "Reason", "State changes", "payments/ledger-0", "Log"]
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)


def test_what_happened_is_a_table_of_changes() -> None:
    """Open when a reader can take it in; folded, with its number, when there are very many changes."""
    shown = html.render_html(run_reports.failed()).split("State changes", 1)[1].split("</section>", 1)[0]
    assert "<details>" not in shown
    assert "DRAIN_NODES" in shown
    assert "8 of 16" in shown
    moments = [moment(number, "DRAIN_NODES", number, total=2000) for number in range(2000)]
    many = html.render_html(run_report(moments=moments, seconds=2000)).split("State changes", 1)[1]
    assert "<small>1000 of " in many.split("</section>", 1)[0]
    assert "<summary>All 1000 rows</summary>" in many.split("</section>", 1)[0]


def test_what_is_done_is_folded_when_there_are_many() -> None:
    """The first rows are those that need somebody."""
    page = html.render_html(run_reports.large(300))
    shown, folded = page.split("Old nodes", 1)[1].split("<details>", 1)
    assert shown.count('<th scope="row">') == 50
    assert "done</span>" not in shown
    assert "The other 250 rows" in folded
    assert "<details>" not in html.render_html(run_reports.failed()).split("Old nodes", 1)[1].split("New nodes", 1)[0]


def test_without_a_record_it_is_said_how_to_get_one() -> None:
    """As in the other forms, with the command as such."""
    page = html.render_html(run_reports.with_leftovers())
    assert facts.NOT_RECORDED.replace("`", "") in Page(page).text
    assert "<code>ocean-migration watch --record FILE</code>" in page


def test_text_is_readable_in_light_and_dark() -> None:
    """WCAG's ratio for text of any size, on the page and on its panels."""
    style = html.render_html(run_report()).split("<style>", 1)[1].split("</style>", 1)[0]
    light, dark, _ = (dict(TOKEN.findall(block)) for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL))
    for colours in (light, dark):
        for text in ("ink", "quiet", "usual", "good", "held", "bad"):
            assert contrast(colours[text], colours["page"]) >= 4.5, text
            assert contrast(colours[text], colours["panel"]) >= 4.5, text


def test_elements_hold_text_unless_it_is_html() -> None:
    """In attributes, too; and what is absent is left out."""
    made = element("p", "<b>", Html("<i></i>"), class_='"x"', aria_label=None, tabindex=0)
    assert made == '<p class="&quot;x&quot;" tabindex="0">&lt;b&gt;<i></i></p>'
    assert quoted("run `a < b` now") == "run <code>a &lt; b</code> now"
