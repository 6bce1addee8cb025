"""Texts that stay below a length."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.migration.spec.diagnostic import Code
from ocean_migration_pulumi.report.markdown import width
from ocean_migration_pulumi.report.pull_request.comment import LIMITS
from ocean_migration_pulumi.report.pull_request.layout import Part, Weight, fit_parts
from tests.report.documents import case, comment, migration, planned, ready, unmatched, warning
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
    made = fit_parts([fixed], sections, [fixed], limit)
    assert width(made) <= limit
    assert made.splitlines()[0] == made.splitlines()[-1] == "first"
    whole = fit_parts([fixed], sections, [fixed], 10**6)
    allowed = {row for section in sections for part in section for row in part.rows} | set(whole.splitlines())
    for row in made.splitlines():
        assert row in allowed or row.startswith("and ") or "not listed" in row, row


@STEADY
@given(PARTS, st.integers(0, 40), st.integers(0, 2000))
def test_as_many_rows_are_kept_as_fit(part: Part, kept: int, room: int) -> None:
    """And one more would not."""
    kept = min(kept, len(part.rows))
    assert part.width(part.count_fitting(part.width(kept))) <= max(part.width(kept), part.min_width)
    fitting = part.count_fitting(room)
    if part.min_width <= room:
        assert part.width(fitting) <= room
        # The count of the rows left out may lose a digit, or go.
        assert all(part.width(more) > room - 10 for more in range(fitting + 1, part.full))


def test_the_lightest_part_is_cut_first() -> None:
    """And only as far as it has to be."""
    light = Part(rows=("light",) * 100, weight=Weight.LIST, noun="node")
    heavy = Part(rows=("heavy",) * 10, weight=Weight.BLOCKER)
    made = fit_parts([], [[heavy, light]], [], 400)
    assert made.count("heavy") == 10
    kept = made.count("light")
    assert 0 < kept < 100
    assert f"and {100 - kept} more nodes" in made


def test_parts_of_one_weight_share_the_room() -> None:
    """A short one stays whole, and what it leaves is for the long one."""
    short = Part(rows=("short",) * 3, weight=Weight.LIST)
    long = Part(rows=("long",) * 500, weight=Weight.LIST)
    made = fit_parts([], [[long], [short]], [], 500)
    assert made.count("short") == 3
    assert 450 < len(made) <= 500


def test_sections_that_do_not_fit_are_counted() -> None:
    """From the last one on."""
    made = fit_parts([], [[Part(rows=(f"section {number} " + "x" * 100,))] for number in range(100)], [], 1000)
    assert made.startswith("section 0 ")
    assert made.endswith("more migrations: the text would be too long.")
    assert made.count("section") + int(made.split("and ")[1].split()[0]) == 100


def test_a_limit_that_nothing_fits_into_is_a_mistake() -> None:
    """Of whoever calls."""
    with pytest.raises(ValueError, match="10 characters are too few"):
        fit_parts([Part(rows=("x" * 20,))], [], [], 10)


@pytest.mark.slow
@pytest.mark.parametrize("platform", LIMITS)
def test_ten_thousand_nodes_fit_and_take_no_time(platform: str) -> None:
    """With names as long as they may be, and with many blockers; the bound is generous, for machines that are busy."""
    nodes = {
        instance_id: entry.replace(".ec2.internal", "-" + "n" * 180)
        for instance_id, entry in planned(10_000, "asg-" + "a" * 240, "group-" + "g" * 200).items()
    }
    blockers = [warning(Code.PDB_BLOCKS, f"pod {number} {'p' * 500}") for number in range(1000)]
    text = case(migration("web", nodes, *blockers))
    started = time.process_time()
    made = comment(text, platform=platform)
    assert time.process_time() - started < SOON
    assert width(made) <= LIMITS[platform]
    assert_harmless(made)
    assert "and 950 more blockers" in made
    assert "more nodes\n\n</details>" in made
    few = case(migration("web", planned(2), warning(Code.PDB_BLOCKS)))
    kinds = ("tr", "td", "list_item", "inline", "paragraph", "tbody")
    assert [each for each in structure(made) if not each.startswith(kinds)] == [
        each for each in structure(comment(few)) if not each.startswith(kinds)
    ]


def test_a_thousand_migrations_fit() -> None:
    """Those that do not are counted, and the verdict is on all of them."""
    made = comment(case(*(ready(f"web-{n}") if n % 2 else unmatched(f"web-{n}") for n in range(1000))))
    assert width(made) <= LIMITS["github"]
    assert_harmless(made)
    assert made.splitlines()[1].endswith(" and 497 more.**")
    assert "more migrations: the text would be too long." in made
