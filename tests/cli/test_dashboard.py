"""The dashboard on terminals of all sizes, and the recording of it in the README."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from docs import record_watch
from ocean_migration_pulumi.api.models.cluster import ClusterNode
from ocean_migration_pulumi.api.models.migration import MigrationInstance
from ocean_migration_pulumi.cli.dashboard.dashboard import Dashboard
from ocean_migration_pulumi.cli.dashboard.onlookers import ScreenDisplay
from ocean_migration_pulumi.migration.diagnosis.readiness import WorkloadReadiness
from ocean_migration_pulumi.migration.views.live_view import LiveView
from tests.migration.builders import instance, left_over, status

CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"
DOMAIN = "us-west-2.compute.internal"


def old(number: int, pods: int | None = 6, **more: Any) -> MigrationInstance:
    """Return an old node with a name as AWS gives it."""
    return instance(f"i-{number:04}", pods=pods, node_name=f"ip-10-0-{number // 250}-{number % 250}.{DOMAIN}", **more)


def live_view(*, nodes: int = 6, state: str = "DRAIN_NODES", minutes: float = 6, **more: Any) -> LiveView:
    """Return a migration on its way: one node is done, one drains, one needs manual work."""
    first = LiveView.from_status(status(*map(old, range(nodes)), state="STARTING"), at=CREATED)
    manual = replace(left_over("i-0002", "debug"), node_name=f"ip-10-0-0-2.{DOMAIN}")
    seen = status(
        old(0, pods=0),
        old(1, pods=2),
        manual,
        *map(old, range(3, nodes)),
        state=state,
        ocean_id="o-1",
        new_instances=(old(9001, pods=4), old(9002, pods=None)),
        **more,
    )
    ocean = [ClusterNode(instance_id="i-9001", virtual_node_group_name="web", life_cycle="Spot")]
    return LiveView.from_status(seen, at=CREATED + timedelta(minutes=minutes), before=first, ocean_nodes=ocean)


def drawn(seen: LiveView, width: int = 80, height: int = 24, *, encoding: str = "utf-8", **more: Any) -> list[str]:
    """Draw a picture as it stands on a terminal without colours, and check that it fits."""
    written = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict", newline="\n")
    console = Console(file=written, width=width, height=height, color_system=None)
    console.print(Dashboard(live_view=seen, **more), end="")
    written.seek(0)
    lines = written.read().splitlines()
    assert len(lines) < max(height, 2)
    assert all(cell_len(line) <= width for line in lines), lines
    return lines


def test_eighty_columns_have_room_for_everything() -> None:
    """The whole screen, word by word."""
    assert drawn(live_view(), cluster_name="demo", hint="Ctrl-C leaves it running") == [
        "Migration owm-1  demo (o-1)                                                6m00s",
        "Running: draining old nodes (batch 1)  DRAIN_NODES",
        "█████████▓▓▓▓▓▓▓▓▓▒▒▒▒▒▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░░░░░░░   17%  1 of 6 old nodes",
        "0.2 nodes/min (last 6m), about 24m left",
        "",
        "New nodes              2    Unscheduled pods       0    Completed              1",
        "Pods on new nodes      4    Not started            3    Terminated             0",
        "Pods on old nodes     21    Draining               1    Manual migration       1",
        "",
        "Old node     Stage                Pods left  ASG  Manual pods",
        "ip-10-0-0-2  ! needs manual work          1  web  debug",
        "ip-10-0-0-1  ↓ draining                   2  web",
        "ip-10-0-0-3  · waiting                    6  web",
        "ip-10-0-0-4  · waiting                    6  web",
        "ip-10-0-0-5  · waiting                    6  web",
        "ip-10-0-0-0  ✓ done                       0  web",
        "",
        "New node      State         Pods  Virtual Node Group  Age      Market",
        "ip-10-0-36-1  RUNNING          4  web                 0s       Spot",
        "ip-10-0-36-2  RUNNING          -                      0s",
        "",
        "Ctrl-C leaves it running",
    ]


def test_pods_that_are_not_ready_stand_at_the_foot() -> None:
    """At most three reasons, after the count."""
    reasons = tuple(f"1 pod not ready on Ocean nodes (image): shop/cart-{number}" for number in range(4))
    readiness = WorkloadReadiness(summary="31 of 35 desired pods ready", failing=reasons)
    lines = drawn(replace(live_view(), readiness=readiness), hint="Ctrl-C")
    assert lines[-5:] == ["31 of 35 desired pods ready", *reasons[:3], "Ctrl-C"]


def test_a_thousand_nodes_are_cut_to_the_height() -> None:
    """The interesting ones are shown, the others counted."""
    lines = drawn(live_view(nodes=1000))
    at = next(place for place, line in enumerate(lines) if line.startswith("Old node"))
    assert ["needs manual work" in lines[at + 1], "draining" in lines[at + 2], "waiting" in lines[at + 3]] == [True] * 3
    assert any(line.startswith("and ") and line.endswith(" waiting, 1 done") for line in lines)
    assert any(line.startswith("New node") for line in lines)


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 160])
@pytest.mark.parametrize("height", [1, 5, 10, 24, 60])
def test_no_size_breaks_a_line(width: int, height: int) -> None:
    """Below 80 columns there are fewer of them."""
    lines = drawn(
        live_view(nodes=40, unscheduled_pods=("p-1",)),
        width,
        height,
        cluster_name="demo",
        hint="Ctrl-C",
        note="no answer",
    )
    assert lines[0].startswith("Migration owm-1")


def test_wide_terminals_show_whole_names() -> None:
    """Narrow ones do without the domain that all have, unless two names would look the same."""
    assert any(f"ip-10-0-0-1.{DOMAIN}" in line for line in drawn(live_view(), 140))
    twins = status(old(1), instance("i-x", pods=6, node_name="ip-10-0-0-1.eu-west-1.compute.internal"))
    assert any("ip-10-0-0-1.eu-west-1" in line for line in drawn(LiveView.from_status(twins, at=CREATED), 90))


def test_a_terminal_that_knows_only_ascii_gets_only_ascii() -> None:
    """Names of others, too."""
    lines = drawn(live_view(nodes=40), encoding="ascii", cluster_name="größer")
    assert all(line.isascii() for line in lines)
    assert "gr??er" in lines[0]
    assert lines[2].startswith("#")


def test_what_others_chose_cannot_steer_the_terminal() -> None:
    """Neither by a control character nor by rich's markup."""
    evil = status(
        instance("i-1", node_name="\x1b[31m[red]a\r\nb", asg_name="\x9b2J", state="\x1b]0;x\x07"),
        unscheduled_pods=("\x1b[0m",),
        new_instances=(instance("i-2", state="\x1b", node_name="\u202eabc"),),
    )
    lines = drawn(LiveView.from_status(evil, at=CREATED), 120, cluster_name="\x1b[2J", note="\x1b[1m")
    assert all(line.isprintable() for line in lines)
    assert any("[31m[red]a b" in line for line in lines)


def test_a_still_migration_is_said_to_stand_still() -> None:
    """Instead of the trend; and an ended one has neither."""
    first = live_view()
    later = replace(first, at=first.at + timedelta(minutes=12))
    assert "No change for 12m30s" in drawn(later, later=timedelta(seconds=30))
    assert "Trend: unknown" in drawn(LiveView.from_status(status("i-1"), at=CREATED))
    ended = drawn(live_view(state="FINISHED", completed_at="2026-01-02T04:04:05.000Z"), later=timedelta(hours=1))
    assert ended[0].endswith("1h00m")
    assert not any("Trend" in line or "nodes/min" in line for line in ended)


def test_nodes_that_nobody_tells_of_are_counted_as_such() -> None:
    """They are neither waiting nor done."""
    lines = drawn(LiveView.from_status(status(instance("i-1", pods=None, state="odd")), at=CREATED))
    assert any("Unknown  " in line for line in lines)
    assert any("? unknown" in line and line.endswith("odd") for line in lines)


@given(st.integers(1, 200), st.integers(1, 60), st.integers(3, 50), st.sampled_from(["utf-8", "ascii"]))
def test_any_terminal_is_filled_without_breaking(width: int, height: int, nodes: int, encoding: str) -> None:
    """No line is too long, and there are never too many."""
    assert drawn(live_view(nodes=nodes), width, height, encoding=encoding)


def test_the_screen_is_given_back_with_the_last_picture_on_it() -> None:
    """While it runs it is on the other screen, so that what stood there before is kept."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=80, height=24, color_system=None)
    clock = iter(range(1000))
    with ScreenDisplay(
        console, cluster_name="demo", hint="Ctrl-C leaves it running", clock=lambda: next(clock)
    ) as screen:
        screen.warning("no response for 3s")
        screen.show(live_view())
        screen.status("DRAIN_NODES 1/6 nodes")
        screen.polled()
        screen.status("no response for 9s")
    running, _, after = written.getvalue().partition("\x1b[?1049l")
    assert running.startswith("\x1b[?1049h")
    assert "no response for 3s" in running
    assert "no response for 9s" in running
    assert "Ctrl-C leaves it running" in running
    assert "Migration owm-1  demo" in after
    assert "Ctrl-C" not in after


def frames(recorded: str) -> list[list[str]]:
    """Return what each frame of a recording says; how it is drawn is up to rich's version."""
    groups = ElementTree.fromstring(recorded).iter(f"{SVG}g")  # noqa: S314 - our own file
    return [
        [text.text or "" for text in group.iter(f"{SVG}text")] for group in groups if "frame" in group.get("class", "")
    ]


def test_the_recording_is_what_the_script_makes_today() -> None:
    """It moves nothing for those who ask for that, and needs nothing from elsewhere."""
    recorded = record_watch.FILE.read_text(encoding="utf-8")
    assert frames(recorded) == frames(record_watch.recording()), "run: python docs/record_watch.py"
    assert len(frames(recorded)) == len(record_watch.MOMENTS) + 1
    assert "prefers-reduced-motion" in recorded
    assert "url(" not in recorded
    assert recorded.count("http") == 1


def test_the_recording_is_written_where_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory is made."""
    monkeypatch.setattr(record_watch, "recording", lambda: "<svg/>")
    record_watch.main(tmp_path / "images" / "watch.svg")
    assert (tmp_path / "images" / "watch.svg").read_text(encoding="utf-8") == "<svg/>"
