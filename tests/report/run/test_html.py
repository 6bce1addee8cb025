"""A run as a page: whole, for every reader, and with nothing from elsewhere."""

from __future__ import annotations

import re

import pytest

from ocean_migration_pulumi.api.models.migration import MigrationStatus
from ocean_migration_pulumi.migration.views.run_report import RunReport
from ocean_migration_pulumi.report.run import facts, html
from ocean_migration_pulumi.report.run.charts import draw_course
from ocean_migration_pulumi.report.run.html_elements import Html, element, quoted
from ocean_migration_pulumi.report.run.style import STYLE
from tests.report import run_reports
from tests.report.pages import Page
from tests.report.run_reports import BEGUN, moment, run_report

STORIES = [run_reports.failed(), run_reports.with_leftovers(), run_reports.large(300), run_report()]
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


@pytest.mark.parametrize("told", STORIES, ids=["failed", "leftovers", "many", "plain"])
def test_a_page_needs_nothing_from_elsewhere(told: RunReport) -> None:
    """No script, no link, no address; and its policy lets no browser fetch any."""
    text = html.render_html(told)
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "a", "form", "base"} & {tag for tag, _ in page.elements}
    assert not re.search(r"https?:|//|url\(|@import|@font-face", text.replace("<!DOCTYPE html>", ""))
    policies = [each["content"] for each in page.all("meta") if each.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]


@pytest.mark.parametrize("told", STORIES, ids=["failed", "leftovers", "many", "plain"])
def test_a_page_is_for_every_reader(told: RunReport) -> None:
    """A language, one title, headings in their order, tables with headings, drawings with names."""
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
    names = {each["id"] for tag in ("title", "desc") for each in page.all(tag) if "id" in each}
    for drawing in page.all("svg"):
        assert drawing["role"] == "img"
        assert set(str(drawing["aria-labelledby"]).split()) <= names
    assert len(names) == 2 * len(page.all("svg")) > 0


def test_a_failed_run_says_so_first() -> None:
    """Verdict, reason, remedy, and what holds the pods."""
    text = Page(html.render_html(run_reports.failed())).text
    order = ["Failed: Ocean could not start", "Duration12m40s", "Reason", "What happened", "payments/ledger-0", "Log"]
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)


def test_states_nodes_and_pods_are_drawn_on_one_axis() -> None:
    """A lane for each state, a line for nodes and one for pods; what was drawn stands beside it."""
    page = Page(draw_course(run_reports.failed()))
    assert [each["class"] for each in page.all("svg")] == [
        *4 * ["usual"],
        "held",
        "bad",
        "held",
        "done steps",
        "pods steps",
    ]
    assert len(page.all("rect")) == 12
    starting = page.all("rect")[0]
    assert (starting["x"], starting["width"]) == ("0", "82.89")
    lines = [str(each["d"]) for each in page.all("path") if each["class"] == "line"]
    assert lines[0].startswith("M0 100H82.89V100")
    assert lines[0].endswith("V50H1000")
    assert "8 of 16" in page.text
    assert [each["style"] for each in page.all("span") if "style" in each] == [
        "left:0.00%",
        "left:39.47%",
        "left:78.95%",
        "left:100.00%",
    ]


def test_nothing_is_drawn_without_a_time() -> None:
    """Of a migration whose begin nobody knows, and of one that has just begun."""
    assert draw_course(run_report(MigrationStatus(id="owm-1", state="X"))) == ""
    assert draw_course(run_report(seconds=0)) == ""


def test_a_short_visit_is_still_to_be_seen() -> None:
    """At the very end, too."""
    told = run_report(moments=[moment(0, "STARTING"), moment(99_999, "ERROR")], seconds=100_000)
    last = Page(draw_course(told)).all("rect")[-1]
    assert float(str(last["width"])) == 2
    assert float(str(last["x"])) == 998


def test_very_many_looks_are_thinned() -> None:
    """A line has no more points than a screen; the last one is kept."""
    status = MigrationStatus(id="owm-1", state="X", created_at=BEGUN.isoformat())
    looks = [moment(number, "DRAIN_NODES", number, total=5000) for number in range(5000)]
    drawn = draw_course(run_report(status, moments=looks, seconds=5000))
    assert len(drawn) < 60_000
    assert "0 of 5000" not in drawn


def test_a_run_of_a_month_has_marks_on_its_axis() -> None:
    """However long it is."""
    assert Page(draw_course(run_report(seconds=30 * 86_400.0))).text.count("h00m") >= 6


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
    """WCAG's ratio for text of any size, on the page and on its panels; for what is drawn, that for graphics."""
    light, dark, _ = (dict(TOKEN.findall(block)) for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL))
    for colours in (light, dark):
        for text in ("ink", "quiet", "usual", "good", "held", "bad"):
            assert contrast(colours[text], colours["page"]) >= 4.5, text
            assert contrast(colours[text], colours["panel"]) >= 4.5, text
        for drawn in ("usual", "good", "held", "bad"):
            assert contrast(colours[drawn], colours["grid"]) >= 3, drawn


def test_elements_hold_text_unless_it_is_html() -> None:
    """In attributes, too; and what is absent is left out."""
    made = element("p", "<b>", Html("<i></i>"), class_='"x"', aria_label=None, tabindex=0)
    assert made == '<p class="&quot;x&quot;" tabindex="0">&lt;b&gt;<i></i></p>'
    assert quoted("run `a < b` now") == "run <code>a &lt; b</code> now"
