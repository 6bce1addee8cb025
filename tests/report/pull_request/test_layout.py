"""Texts that stay below a length."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.migration.spec import diagnostic
from ocean_migration_pulumi.report.markdown import width
from ocean_migration_pulumi.report.pull_request.comment import LIMITS
from ocean_migration_pulumi.report.pull_request.layout import Part, Weight, fit
from tests.report.documents import comment, document, line, plan_line, planned, ready, step, unmatched
from tests.report.rendered import assert_harmless, structure
from tests.support.properties import documents
from tests.support.timing import SOON

STEADY = documents()
PARTS = st.builds(
    Part,
    rows=st.lists(st.text("ab😀", min_size=1, max_size=60), min_size=1, max_size=30).map(tuple),
    head=st.sampled_from(["", "**Head**\n\n"]),
    tail=st.sampled_from(["", "\n\n</details>"]),
    between=st.sampled_from(["\n", "\n\n"]),
    most=st.sampled_from([None, 3]),
    weight=st.sampled_from([weight for weight in Weight if weight is not Weight.FIXED]),
)


@STEADY
@given(st.lists(st.lists(PARTS, max_size=5), max_size=5), st.integers(500, 4000))
def test_a_text_is_never_too_wide_and_its_rows_are_whole(sections: list[list[Part]], limit: int) -> None:
    """Whatever its parts are; what is left out is counted."""
    fixed = Part(rows=("first",))
    made = fit([fixed], sections, [fixed], limit)
    assert width(made) <= limit
    assert made.splitlines()[0] == made.splitlines()[-1] == "first"
    whole = fit([fixed], sections, [fixed], 10**6)
    allowed = {row for section in sections for part in section for row in part.rows} | set(whole.splitlines())
    for row in made.splitlines():
        assert row in allowed or row.startswith("and ") or "not listed" in row, row


@STEADY
@given(PARTS, st.integers(0, 40))
def test_the_size_of_a_part_is_that_of_its_text(part: Part, kept: int) -> None:
    """It is known without making the text."""
    kept = min(kept, len(part.rows))
    assert part.size(kept) == width(part.text(kept))
    assert part.size(part.fitting(part.size(kept))) <= max(part.size(kept), part.least)


def test_the_lightest_part_is_cut_first() -> None:
    """And only as far as it has to be."""
    light = Part(rows=("light",) * 100, weight=Weight.LIST, noun="node")
    heavy = Part(rows=("heavy",) * 10, weight=Weight.BLOCKER)
    made = fit([], [[heavy, light]], [], 400)
    assert made.count("heavy") == 10
    kept = made.count("light")
    assert 0 < kept < 100
    assert f"and {100 - kept} more nodes" in made


def test_parts_of_one_weight_share_the_room() -> None:
    """A short one stays whole, and what it leaves is for the long one."""
    short = Part(rows=("short",) * 3, weight=Weight.LIST)
    long = Part(rows=("long",) * 500, weight=Weight.LIST)
    made = fit([], [[long], [short]], [], 500)
    assert made.count("short") == 3
    assert 450 < len(made) <= 500


def test_sections_that_do_not_fit_are_counted() -> None:
    """From the last one on."""
    made = fit([], [[Part(rows=(f"section {number} " + "x" * 100,))] for number in range(100)], [], 1000)
    assert made.startswith("section 0 ")
    assert made.endswith("more migrations: the text would be too long.")
    assert made.count("section") + int(made.split("and ")[1].split()[0]) == 100


def test_a_limit_that_nothing_fits_into_is_a_mistake() -> None:
    """Of whoever calls."""
    with pytest.raises(ValueError, match="10 characters are too few"):
        fit([Part(rows=("x" * 20,))], [], [], 10)


@pytest.mark.slow
@pytest.mark.parametrize("platform", LIMITS)
def test_ten_thousand_nodes_fit_and_take_no_time(platform: str) -> None:
    """With names as long as they may be, and with many blockers; the bound is generous, for machines that are busy."""
    nodes = {
        instance_id: entry.replace(".ec2.internal", "-" + "n" * 180)
        for instance_id, entry in planned(10_000, "asg-" + "a" * 240, "group-" + "g" * 200).items()
    }
    lines = [line("web", plan_line(nodes, "60000 pods, 5 batches of 2000 nodes"))]
    lines += [line("web", diagnostic.blocker(f"pod {number} {'p' * 500}"), "warning") for number in range(1000)]
    text = document([step("web", {"planned_nodes": nodes})], lines)
    started = time.process_time()
    made = comment(text, platform=platform)
    assert time.process_time() - started < SOON
    assert width(made) <= LIMITS[platform]
    assert_harmless(made)
    assert "and 950 more blockers" in made
    assert "more nodes\n\n</details>" in made
    two = planned(2)
    lines = [line("web", plan_line(two, "1 batch of 2 nodes")), line("web", diagnostic.blocker("x"), "warning")]
    few = document([step("web", {"planned_nodes": two})], lines)
    kinds = ("tr", "td", "list_item", "inline", "paragraph", "tbody")
    assert [each for each in structure(made) if not each.startswith(kinds)] == [
        each for each in structure(comment(few)) if not each.startswith(kinds)
    ]


def test_a_thousand_migrations_fit() -> None:
    """Those that do not are counted, and the verdict is on all of them."""
    made_of = [ready(f"web-{number}") if number % 2 else unmatched(f"web-{number}") for number in range(1000)]
    text = document([made for made, _ in made_of], [each for _, lines in made_of for each in lines])
    made = comment(text)
    assert width(made) <= LIMITS["github"]
    assert_harmless(made)
    assert made.splitlines()[1].endswith("; and 497 more.**")
    assert "more migrations: the text would be too long." in made
