"""The command `ocean-migration comment`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ocean_migration_pulumi import cli
from ocean_migration_pulumi.migration.spec.planned_nodes import plan_digest
from tests.report.documents import DATA, comment, document, planned, ready, stored

HEAD = "<!-- ocean-migration:comment:default -->\n"


def run(*arguments: str, given: str | bytes = "") -> Result:
    """Run the command."""
    return CliRunner().invoke(cli.main, ["comment", *arguments], input=given)


def test_from_stdin_to_stdout() -> None:
    """As in a pipe."""
    result = run(given=stored("create"))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == comment(stored("create"))
    assert result.stdout.startswith(f"{HEAD}**Look first: 6 nodes")


def test_from_a_file_to_a_file(tmp_path: Path) -> None:
    """Nothing is printed then."""
    result = run(str(DATA / "preview-create.json"), "--output", str(tmp_path / "comment.md"))
    assert (result.exit_code, result.output) == (0, "")
    assert (tmp_path / "comment.md").read_text(encoding="utf-8") == comment(stored("create"))


def test_marker_and_title() -> None:
    """One marker for each stack; the title is below the verdict."""
    result = run("--marker", "cluster/production", "--title", "commit 0123abc by @octo", given=stored("create"))
    lines = result.stdout.splitlines()
    assert lines[0] == "<!-- ocean-migration:comment:cluster/production -->"
    assert lines[3] == "commit 0123abc by &#64;\u200bocto"


@pytest.mark.parametrize("name", ["", "a b", "-->", "a--b", "a>b", "é", "a\nb", "a" * 101, "-a"])
def test_a_marker_that_could_end_the_comment_is_refused(name: str) -> None:
    """With what is allowed."""
    result = run("--marker", name, given=stored("create"))
    assert result.exit_code == 2
    assert "give at most 100 letters" in result.stderr


@pytest.mark.parametrize("given", ["", "no preview", b"\xff\xfe", "{}"])
def test_what_is_no_preview_is_told_in_the_comment(given: str | bytes) -> None:
    """So that an older one does not go on saying that all is well; the exit status tells it, too."""
    result = run("--title", "commit 0123abc", given=given)
    assert result.exit_code == 2
    assert result.stdout.startswith(f"{HEAD}**Not known: there is no preview.**\n\ncommit 0123abc\n\n")
    assert result.stderr.startswith("Error: preview: it holds none of")


def test_a_mark_of_the_byte_order_does_not_matter() -> None:
    """Some shells write one."""
    assert run(given=b"\xef\xbb\xbf" + stored("create").encode()).exit_code == 0


def test_a_failed_preview_is_told_and_is_no_failure_of_the_command() -> None:
    """It is the preview's own exit status that fails a job; what it says is in the comment."""
    assert run(given=stored("program-failure")).exit_code == 0
    result = run("--preview-status", "1", given=stored("create"))
    assert result.exit_code == 0
    assert "**Will be refused: the preview failed with 1 error.**" in result.stdout


def test_require_approved() -> None:
    """The comment is printed all the same."""
    approved = document(*_parts(approved_plan=plan_digest(planned(16))))
    assert run("--require-approved", given=approved).exit_code == 0
    assert run("--require-approved", given=stored("no-change")).exit_code == 0
    for text in (document(*_parts()), document(*_parts(approved_plan="0123abcd")), stored("program-failure")):
        result = run("--require-approved", given=text)
        assert result.exit_code == 4
        assert result.stdout == comment(text)
        assert result.stderr == "Error: not all that would start was approved; the comment says what\n"
    assert run("--require-approved", "--preview-status", "1", given=approved).exit_code == 4


def test_the_format_decides_on_the_length() -> None:
    """GitLab takes more."""
    made = document(*_parts(planned_nodes=planned(5000)))
    github, gitlab = run(given=made).stdout, run("--format", "gitlab", given=made).stdout
    assert len(github) < 65_536 < len(gitlab) < 1_000_000
    assert run("--format", "mail", given=made).exit_code == 2


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    """One that is not there, and one that cannot be written."""
    assert run(str(tmp_path / "none.json")).exit_code == 2
    result = run("--output", str(tmp_path / "none" / "comment.md"), given=stored("create"))
    assert result.exit_code == 1
    assert "none/comment.md: No such file or directory" in result.stderr


def test_help_names_the_exit_statuses() -> None:
    """What a pipeline is written by."""
    text = run("--help").stdout
    assert all(f"  {number}  " in text for number in (0, 2, 4))


def test_it_needs_neither_pulumi_nor_the_network_nor_a_locale() -> None:
    """It runs where only the package is, whatever the encoding of the terminal."""
    code = (
        "import sys\n"
        "sys.modules |= dict.fromkeys(['pulumi', 'httpx', 'starlette', 'msgspec', 'boto3'])\n"
        "from ocean_migration_pulumi.cli import main\n"
        "main(['comment', '--title', '@octo'])"
    )
    done = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", code],
        input=stored("create").encode(),
        capture_output=True,
        env={"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii", "PATH": ""},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode("utf-8").startswith(HEAD)


def _parts(**inputs: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    made, lines = ready(**inputs)
    return [made], lines
