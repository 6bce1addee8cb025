"""The command `ocean-migration comment`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ocean_migration_pulumi import cli
from ocean_migration_pulumi.migration.spec.approval import plan_digest
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.resource.preview_file import VARIABLE, append_preview
from tests.report.documents import DATA, Case, case, comment, migration, planned, ready, record, step, stored, summary

HEAD = "<!-- ocean-migration:comment:default -->\n"


CREATED = stored("create").text


def run(*arguments: str, given: str | bytes = "", **environment: str) -> Result:
    """Run the command, without a preview file unless ``environment`` names one."""
    settings = {VARIABLE: None, **environment}
    return CliRunner(env=settings).invoke(cli.main, ["comment", *arguments], input=given)


def written(made: Case, path: Path) -> str:
    """Write the records of a preview to a file, and return its name."""
    for each in made.records.values():
        append_preview(path, each)
    return str(path)


def test_from_stdin_to_stdout() -> None:
    """As in a pipe."""
    result = run(given=CREATED)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == comment(stored("create"))
    assert result.stdout.startswith(f"{HEAD}**Unknown: <code>web</code> (no details).**\n")


def test_from_a_file_to_a_file(tmp_path: Path) -> None:
    """Nothing is printed then."""
    result = run(str(DATA / "preview-create.json"), "--output", str(tmp_path / "comment.md"))
    assert (result.exit_code, result.output) == (0, "")
    assert (tmp_path / "comment.md").read_text(encoding="utf-8") == comment(stored("create"))


def test_marker_and_title() -> None:
    """One marker for each stack; the title is below the verdict."""
    result = run("--marker", "cluster/production", "--title", "commit 0123abc by @octo", given=CREATED)
    lines = result.stdout.splitlines()
    assert lines[0] == "<!-- ocean-migration:comment:cluster/production -->"
    assert lines[3] == "commit 0123abc by &#64;\u200bocto"


@pytest.mark.parametrize("name", ["", "a b", "-->", "a--b", "a>b", "é", "a\nb", "a" * 101, "-a"])
def test_a_marker_that_could_end_the_comment_is_refused(name: str) -> None:
    """With what is allowed."""
    result = run("--marker", name, given=CREATED)
    assert result.exit_code == 2
    assert "use 1 to 100 letters" in result.stderr


@pytest.mark.parametrize("given", ["", "no preview", b"\xff\xfe", "{}"])
def test_what_is_no_preview_is_told_in_the_comment(given: str | bytes) -> None:
    """So that an older one does not go on saying that all is well; the exit status tells it, too."""
    result = run("--title", "commit 0123abc", given=given)
    assert result.exit_code == 2
    assert result.stdout.startswith(f"{HEAD}**Unknown: there is no preview.**\n\ncommit 0123abc\n\n")
    assert result.stderr == "Error: preview: not the output of `pulumi preview --json` [invalid-input]\n"


def test_a_mark_of_the_byte_order_does_not_matter() -> None:
    """Some shells write one."""
    assert run(given=b"\xef\xbb\xbf" + CREATED.encode()).exit_code == 0


def test_a_failed_preview_is_told_and_is_no_failure_of_the_command() -> None:
    """It is the preview's own exit status that fails a job; what it says is in the comment."""
    assert run(given=stored("program-failure").text).exit_code == 0
    result = run("--preview-status", "1", given=CREATED)
    assert result.exit_code == 0
    assert "**Preview failed with 1 error.**" in result.stdout


def test_the_preview_file_has_the_details(tmp_path: Path) -> None:
    """By the option, or by the variable that the provider has it from."""
    made = case(ready())
    file = written(made, tmp_path / "preview.jsonl")
    assert "**Ready: 16 nodes" in comment(made)
    assert run("--preview-file", file, given=made.text).stdout == comment(made)
    assert run(given=made.text, **{VARIABLE: file}).stdout == comment(made)
    assert "Details are missing" in run(given=made.text).stdout


def test_several_preview_files(tmp_path: Path) -> None:
    """Of several programs of one stack, or of a run that was repeated; one that nobody wrote is none."""
    made = case(ready("api"), ready("web"))
    files = [str(tmp_path / "none.jsonl")]
    for number, each in enumerate(made.records.values()):
        append_preview(tmp_path / f"{number}.jsonl", each)
        files.append(str(tmp_path / f"{number}.jsonl"))
    given = [argument for file in files for argument in ("--preview-file", file)]
    assert run(*given, given=made.text).stdout == comment(made)
    assert run(given=made.text, **{VARIABLE: os.pathsep.join(files)}).stdout == comment(made)
    assert "Details are missing" in run("--preview-file", files[0], given=made.text).stdout


def test_a_preview_file_that_cannot_be_read(tmp_path: Path) -> None:
    """The comment has no details, and the exit status tells it."""
    (tmp_path / "preview.jsonl").write_text("no JSON", encoding="utf-8")
    made = case(ready())
    result = run("--preview-file", str(tmp_path / "preview.jsonl"), given=made.text)
    assert (result.exit_code, result.stdout) == (2, comment(Case(made.text)))
    assert result.stderr.startswith("Error: preview file: line 1 of ")


def test_require_approved(tmp_path: Path) -> None:
    """The comment is printed all the same, and the preview file changes nothing of an approval."""
    approved = case(ready(approved_plan=plan_digest(planned(16), MigrationSpec())))
    file = written(approved, tmp_path / "preview.jsonl")
    assert run("--require-approved", "--preview-file", file, given=approved.text).exit_code == 0
    assert run("--require-approved", given=approved.text).exit_code == 0
    assert run("--require-approved", given=stored("no-change").text).exit_code == 0
    refused = "Error: not everything that would start is approved; see the comment\n"
    for made in (case(ready()), case(ready(approved_plan="0123abcd")), stored("program-failure"), stored("joined")):
        result = run("--require-approved", given=made.text)
        assert (result.exit_code, result.stderr) == (4, refused)
        assert result.stdout == comment(Case(made.text))


def test_require_approved_without_a_known_plan() -> None:
    """A failed preview and an outage are no changed plan: a pipeline may try again."""
    approved = case(ready(approved_plan=plan_digest(planned(16), MigrationSpec())))
    unplanned = case((step("web", {}), record("web", None)))
    refused = "Error: the preview failed, or a plan is not known yet; see the comment\n"
    result = run("--require-approved", given=unplanned.text)
    assert (result.exit_code, result.stderr) == (1, refused)
    assert run("--require-approved", "--preview-status", "1", given=approved.text).exit_code == 1
    assert run("--require-approved", "--preview-status", "1", given=case(ready()).text).exit_code == 4


def test_require_approved_of_an_update_that_starts_nothing(tmp_path: Path) -> None:
    """Only the preview file knows that all nodes of its plan have been migrated."""
    nodes = {"planned_nodes": planned(2)}
    made = step("web", nodes, op="update", before=nodes), record("web", planned(2), summary(planned(2), waiting=0))
    file = written(case(made), tmp_path / "preview.jsonl")
    assert run("--require-approved", "--preview-file", file, given=case(made).text).exit_code == 0
    assert run("--require-approved", given=case(made).text).exit_code == 4


def test_the_format_decides_on_the_length() -> None:
    """GitLab takes more."""
    made = case(migration("web", planned(5000))).text
    github, gitlab = run(given=made).stdout, run("--format", "gitlab", given=made).stdout
    assert len(github) < 65_536 < len(gitlab) < 1_000_000
    assert run("--format", "mail", given=made).exit_code == 2


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    """One that is not there, and one that cannot be written."""
    assert run(str(tmp_path / "none.json")).exit_code == 2
    result = run("--output", str(tmp_path / "none" / "comment.md"), given=CREATED)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"Folder '{tmp_path / 'none'}' does not exist." in result.stderr


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
        input=CREATED.encode(),
        capture_output=True,
        env={"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii", "PATH": ""},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode("utf-8").startswith(HEAD)
