"""How results look on a terminal, and what is said on the way."""

from __future__ import annotations

import io
import re
import sys

import pytest

from ocean_migration_pulumi.cli.console import Console
from ocean_migration_pulumi.cli.output import Output, Source, Table, fit_terminal

HOSTILE = "[bold]web[/bold]\x1b[31m\nnext"
TABLE = Table(
    title="Nodes",
    columns=("node", "pods"),
    rows=((HOSTILE, 6), (None, None)),
    numbers=frozenset({"pods"}),
    empty="none",
)


class Screen(io.StringIO):
    """A stream that passes for a terminal."""

    def isatty(self) -> bool:
        """Tell that it is one."""
        return True


def screens(monkeypatch: pytest.MonkeyPatch) -> tuple[Screen, Screen]:
    """Put terminals in the place of stdout and stderr, as long as the test lasts."""
    out, err = Screen(), Screen()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    return out, err


def test_a_table_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its title; names are neither markup nor colours, and none is two lines."""
    monkeypatch.setenv("NO_COLOR", "1")
    out, _ = screens(monkeypatch)
    Output("table").show(TABLE, None)
    drawn = out.getvalue()
    assert "\x1b[31m" not in drawn
    drawn = re.sub(r"\x1b\[\d*m", "", drawn)
    lines = [line.split() for line in drawn.splitlines() if line.strip()]
    assert lines[0] == ["Nodes"]
    assert ["[bold]web[/bold]", "[31m", "next", "6"] in lines
    assert ["-", "-"] in lines


CHECKS = Table(
    title="Checks",
    columns=("check", "status", "found", "what to do"),
    rows=(("Virtual Node Groups", "passed", "Every planned node matches a Virtual Node Group of the cluster", "-"),),
)
NAME = "ip-10-0-0-10.us-west-2.compute.internal"


@pytest.mark.parametrize("columns", range(60, 121, 5))
def test_no_word_of_a_table_is_broken(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """Sentences are wrapped between words, and no line is wider than the terminal."""
    monkeypatch.setenv("NO_COLOR", "1")
    out, _ = screens(monkeypatch)
    monkeypatch.setenv("COLUMNS", str(columns))
    Output("table").show(CHECKS, None)
    drawn = re.sub(r"\x1b\[[\d;]*m", "", out.getvalue())
    assert max(map(len, drawn.splitlines())) <= columns
    assert {word for row in CHECKS.rows for text in row for word in str(text).split()} <= set(drawn.split())


def test_a_name_without_room_gets_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row becomes lines, so that the name can still be copied."""
    monkeypatch.setenv("NO_COLOR", "1")
    out, _ = screens(monkeypatch)
    monkeypatch.setenv("COLUMNS", "40")
    Output("table").show(Table(title="Nodes", columns=("node", "pods"), rows=((NAME, 6),)), None)
    lines = re.sub(r"\x1b\[[\d;]*m", "", out.getvalue()).splitlines()
    assert lines[:2] == ["Nodes", ""]
    assert f"node: {NAME}" in lines
    assert "pods: 6" in lines
    out.truncate(0)
    Output("table").show(Table(title="", columns=("node", "pods"), rows=((NAME, 6),)), None)
    untitled = re.sub(r"\x1b\[[\d;]*m", "", out.getvalue()).lstrip("\0").splitlines()
    assert untitled == lines[1:]


def test_the_nodes_of_a_status_fit_the_usual_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one line each: 80 columns hold the names that AWS gives to nodes."""
    out, _ = screens(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    row = ("i-29a9b76cb50d5ca0f", "ip-10-0-0-2.us-west-2.compute.internal", "web", "DRAINED", 6)
    Output("table").show(Table(title="Old", columns=("instance", "node", "ASG", "state", "pods"), rows=(row,)), None)
    lines = re.sub(r"\x1b\[[\d;]*m", "", out.getvalue()).splitlines()
    assert [line.split() for line in lines if line.startswith("i-")] == [list(map(str, row))]
    assert max(map(len, lines)) <= 80


def test_an_empty_table_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is said in words."""
    out, _ = screens(monkeypatch)
    Output("table").show(Table(title="Nodes", columns=("node",), rows=(), empty="there is none"), None)
    assert out.getvalue() == "there is none\n"


def test_an_empty_table_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """Is said in the same words."""
    Output("table").show(Table(title="Nodes", columns=("node",), rows=(), empty="there is none"), None)
    assert capsys.readouterr().out == "there is none\n"


def test_the_live_line_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """To what stays; it is cut at the width, and never two lines."""
    _, err = screens(monkeypatch)
    speaker = Console()
    speaker.status("x" * 200 + "\n")
    live = err.getvalue()
    assert live == "\r\x1b[K" + "x" * 79
    speaker.info("done")
    speaker.end()
    assert err.getvalue() == f"{live}\r\x1b[Kdone\n"


def test_no_live_line_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """Only what stays."""
    speaker = Console()
    speaker.status("live")
    speaker.warning("look")
    assert capsys.readouterr().err == "warning: look\n"


def test_prose_is_broken_between_words_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names and commands stay in one piece, the margin is kept, and files and pipes get one line."""
    monkeypatch.setenv("COLUMNS", "40")
    line = "  6 nodes remain: ip-10-0-0-2.us-west-2.compute.internal and others. Run `kubectl get nodes --all` to see"

    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = fit_terminal(line, Screen()).splitlines()
    assert shown == [
        "  6 nodes remain:",
        "  ip-10-0-0-2.us-west-2.compute.internal",
        "  and others. Run",
        "  `kubectl get nodes --all` to see",
    ]
    assert fit_terminal(line, io.StringIO()) == line
    assert fit_terminal("short", Screen()) == "short"


def test_source_to_paste_is_never_broken(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A YAML line that is longer than the terminal stays one line."""
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    yaml = 'spec: {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "report"}}}'
    Output("table").lines(["one two three four five six", Source(yaml)])
    assert capsys.readouterr().out == f"one two three four\nfive six\n{yaml}\n"
