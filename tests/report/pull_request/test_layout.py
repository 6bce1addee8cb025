"""Texts that stay below a length."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.migration.spec.diagnostic import Code
from ocean_migration_pulumi.report.markdown import width
from ocean_migration_pulumi.report.pull_request.comment import LIMITS
from ocean_migration_pulumi.report.pull_request.layout import Part, Section, Weight, fit_parts
from tests.report.documents import case, comment, info, migration, planned, ready, unmatched, warning
from tests.report.rendered import assert_harmless, structure
from tests.support.properties import documents
from tests.support.timing import SOON

STEADY = documents()
_TITLE = re.compile(r"^### <code>(.*?)</code>", re.MULTILINE)
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
def test_a_text_is_never_too_wide_and_its_rows_are_whole(parts: list[list[Part]], limit: int) -> None:
    """Whatever its parts are; what is left out is counted, and the last line says that something was."""
    fixed = Part(rows=("first",))
    sections = [Section(parts=tuple(each), urgency=len(each)) for each in parts]
    made = fit_parts([fixed], sections, [fixed], limit)
    assert width(made) <= limit
    assert made.splitlines()[0] == "first"
    whole = fit_parts([fixed], sections, [fixed], 10**6)
    assert made.splitlines()[-1] == "first" if made == whole else made.splitlines()[-1].startswith("Shortened: ")
    allowed = {row for section in sections for part in section.parts for row in part.rows} | set(whole.splitlines())
    for row in made.splitlines():
        assert row in allowed or row.startswith(("and ", "Shortened: ")) or "not listed" in row, row


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
    made = fit_parts([], [Section(parts=(heavy, light))], [], 400)
    assert made.count("heavy") == 10
    kept = made.count("light")
    assert 0 < kept < 100
    assert f"and {100 - kept} more nodes" in made


def test_parts_of_one_weight_share_the_room() -> None:
    """A short one stays whole, and what it leaves is for the long one."""
    short = Part(rows=("short",) * 3, weight=Weight.LIST)
    long = Part(rows=("long",) * 500, weight=Weight.LIST)
    made = fit_parts([], [Section(parts=(long,)), Section(parts=(short,))], [], 500)
    assert made.count("short") == 3
    assert 450 < len(made) <= 500


def test_sections_that_do_not_fit_are_counted() -> None:
    """The least urgent ones first, of those the last; the others keep their order."""
    sections = [
        Section(parts=(Part(rows=(f"section {number} " + "x" * 100,)),), urgency=number == 98) for number in range(100)
    ]
    made = fit_parts([], sections, [], 1000)
    assert made.startswith("section 0 ")
    *_, last, counted, _ = made.split("\n\n")
    assert last.startswith("section 98 ")
    assert made.count("section") + int(counted.removeprefix("and ").split()[0]) == 100


def test_a_part_without_room_shows_its_short_form() -> None:
    """Instead of a count of its rows."""
    part = Part(rows=("x" * 500,), short="**Not approved.**", weight=Weight.APPROVAL)
    assert fit_parts([], [Section(parts=(part,))], [], 200).startswith("**Not approved.**\n\nShortened: ")


def _shown_names(made: str) -> list[str]:
    """Return the migrations that have a section, in its order."""
    return _TITLE.findall(made)


@pytest.mark.parametrize("waves", [40, 120])
def test_many_waves_keep_their_blockers_longest(waves: int) -> None:
    """How to approve, tables and lists go first; waves are sorted by their numbers."""
    budget = {"pods": 2, "nodes": ["ip-10-0-0-7"], "healthy": 2, "required": 2, "never": True, "trial": None}
    budget |= {"problem": "", "processed": True}
    blockers = [
        warning(Code.PDB_BLOCKS, subject=f"shop/ledger-{number}", **budget, forced=False) for number in range(3)
    ]
    remarks = [info(Code.NODES_OUTSIDE_PLAN, "nodes " * 40) for _ in range(4)]
    names = [f"wave-{number}" for number in range(1, waves + 1)]
    migrations = [migration(name, planned(100, first=1 + 100 * n), *blockers, *remarks) for n, name in enumerate(names)]
    made = comment(case(*reversed(migrations)))
    assert width(made) <= LIMITS["github"]
    assert_harmless(made)
    assert _shown_names(made) == names
    shown = made.count("allows 0 disruptions")
    assert shown == 3 * waves if waves == 40 else shown >= waves
    assert made.count("**Not approved.**") == waves
    assert shown == 3 * waves or "approvedPlan" not in made, "how to approve goes before blockers"
    assert "and 1 more line" not in made, "remarks go before blockers"


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
    assert "more migrations." in made
    shown = [int(name.removeprefix("web-")) for name in _shown_names(made)]
    assert shown == list(range(0, 2 * len(shown), 2)), "those that fail are kept before those that are ready"
