"""Names and messages of others, in every place of a comment: whatever they hold, they are text and nothing else."""

from __future__ import annotations

import json
import tempfile
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ocean_migration_pulumi.migration.spec.approval import plan_digest
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode, restore_reviewed_entries
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.report.pull_request.comment import LIMITS, render_comment, render_missing_preview
from ocean_migration_pulumi.report.pull_request.preview import TYPE, ParsedPreview, PreviewedMigration, PreviewOperation
from ocean_migration_pulumi.report.pull_request.verdict import assess_migration
from ocean_migration_pulumi.resource.preview_file import PreviewRecord, append_preview, read_previews
from tests.report.documents import Case, comment
from tests.report.rendered import assert_harmless, structure
from tests.support.properties import documents

STEADY = documents()
PIECES = (
    "|", "`", "```", "~~~", "\n", "\r\n", "\n\n", "\t", "    ", "# ", "- ", "+ ", "* ", "1. ", "1) ", "> ", "---",
    "===", "<b>", "<img src=x onerror=y>", "</details>", "</code>", "</summary>", "<!--", "-->", "<script>", "&lt;",
    "&#64;", "@octo", "@octo/team", "#12", "!12", "$3", "&4", "~label", "%milestone", "^alert#5", "owner/repo#1",
    "GH-12", "[vulnerability:1]", "[a](http://b.cc)", "![a](b.png)", "[a]: http://b.cc", "http://b.cc", "https://b.cc/@x",
    "www.b.cc", "a@b.cc", "mailto:a@b.cc", ":tada:", "[x] ", "[ ] ", "[^1]", "**", "__", "*", "_", "~~", "\\", "$x$",
    "{+x+}", "[-x-]", "/close", "\u2028", "\u202e", "\u200b", "\x00", "\x1b[31m", "\ud800", "😀", "é", "a", "Z", "0",
    " ",
)  # fmt: skip
FIELDS = {"waiting": 1, "known": True, "spot_percentage": 50, "fallback_to_on_demand": None}
HOSTILE = st.one_of(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join), st.text(min_size=1))


def preview(
    text: str, operation: PreviewOperation = PreviewOperation.UPDATE, *, name: str | None = None, errors: bool = False
) -> Any:
    """Return a preview that holds a text wherever somebody else chooses what stands there."""
    whole = text.encode("utf-8", "replace").decode()  # as it is read
    node = PlannedNode(
        instance_id=whole,
        node_name=whole,
        asg_name=whole,
        virtual_node_group_id="ols-1",
        virtual_node_group_name=whole,
    )
    planned = {whole: node.entry}
    before = {"i-1": "node asg -> group (ols-1)"}
    codes = [each for each in Code if each is not Code.PLAN_NOT_APPROVED]
    diagnostics = tuple(
        Diagnostic(
            code=each,
            severity=severity,
            subject="ols-1" if each is Code.DESTINATION else text,
            fields=FIELDS | {"source": f"x\n{text}", "name": text},
            text=text,
        )
        for each, severity in [*zip(codes, cycle(Severity)), *(("of-the-future", severity) for severity in Severity)]
    )
    approved = plan_digest(restore_reviewed_entries(planned, before), MigrationSpec()) if name is None else text
    migration = PreviewedMigration(
        name=text if name is None else name,
        stack=text,
        operation=operation,
        inputs={"planned_nodes": planned, "approved_plan": approved, "soak_time": text},
        old_inputs={"planned_nodes": before, "soak_time": "0s"},
        old_outputs={"migration_id": text, "status": text},
        replace_reasons=(text,),
        is_recorded=True,
        diagnostics=diagnostics,
        errors=(text,) if errors else (),
    )
    return ParsedPreview(migrations=(migration,), errors=((text, text),) if errors else ())


def written(made: ParsedPreview, title: str) -> str:
    """Return the comment on a preview."""
    assessments = [assess_migration(migration) for migration in made.migrations]
    return render_comment(made, assessments, name="default", title=title, limit=LIMITS["github"])


@STEADY
@given(
    HOSTILE, st.sampled_from([each for each in PreviewOperation if each is not PreviewOperation.UNKNOWN]), st.booleans()
)
def test_a_name_changes_nothing_of_the_structure(text: str, operation: PreviewOperation, html: bool) -> None:
    """The blocks are those of the same comment with a harmless name, with HTML and without."""
    assume(text.strip())
    made = written(preview(text, operation), text)
    assert_harmless(made)
    assert structure(made, html=html) == structure(written(preview("x", operation), "x"), html=html)


@STEADY
@given(HOSTILE)
def test_an_approval_of_others_changes_nothing_of_the_structure(text: str) -> None:
    """The digest that was approved is what somebody set."""
    assume(text.strip())
    made = written(preview(text, name="web"), text)
    assert_harmless(made)
    assert structure(made) == structure(written(preview("x", name="web"), "x"))


@STEADY
@given(HOSTILE)
def test_an_error_changes_nothing_of_the_structure(text: str) -> None:
    """A message of several lines is a block of code, which none of them ends."""
    assume(text.strip())
    made = written(preview(text, errors=True), text)
    assert_harmless(made)
    plain = "x" if len(text.splitlines()) < 2 else "x\nx"
    assert structure(made) == structure(written(preview(plain, errors=True), plain))


@STEADY
@given(
    HOSTILE, st.sampled_from(["info", "warning", "error", "info#err"]), st.sampled_from(["create", "update", "same"])
)
def test_whatever_a_document_holds_the_comment_is_harmless(text: str, severity: str, operation: str) -> None:
    """Texts of others in a whole document, in forms that our own lines do not have, too."""
    urn = f"urn:pulumi:{text}::cluster::{TYPE}::{text}"
    inputs = {
        "planned_nodes": {text: text, "i-1": f"node {text} -> {text} (ols-1)"},
        "approved_plan": text,
        text: text,
        "nodes": {text: [text]},
    }
    document = {
        "steps": [
            {"op": operation, "urn": urn, "newState": {"inputs": inputs}, "oldState": {"inputs": {text: 1}}},
            {"op": text, "urn": text},
        ],
        "diagnostics": [{"urn": urn, "severity": severity, "message": text}],
    }
    assert_harmless(comment(Case(json.dumps(document)), title=text))


@STEADY
@given(HOSTILE, st.sampled_from(Code), st.sampled_from(Severity))
def test_whatever_a_preview_file_holds_the_comment_is_harmless(text: str, name: Code, severity: Severity) -> None:
    """Also after it was written and read back."""
    whole = text.encode("utf-8", "replace").decode()
    urn = f"urn:pulumi:dev::cluster::{TYPE}::web"
    diagnostic = Diagnostic(code=name, severity=severity, subject=whole, fields={"source": whole}, text=whole)
    record = PreviewRecord(urn=urn, planned_nodes={whole: whole}, diagnostics=(diagnostic,))
    document = {"steps": [{"op": "create", "urn": urn, "newState": {"inputs": {"planned_nodes": {whole: whole}}}}]}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "preview.jsonl"
        append_preview(file, record)
        made = comment(Case(json.dumps(document), read_previews(file)))
    assert_harmless(made)
    assert "Details are missing" not in made


@STEADY
@given(st.sampled_from([*Code, "of-the-future"]), st.sampled_from([None, 1, "x", [1], {"nodes": 1, "known": True}]))
def test_a_diagnostic_of_another_form_is_shown_by_its_code(name: str, fields: object) -> None:
    """Without its fields and its text, it is neither lost nor an exception."""
    urn = f"urn:pulumi:dev::cluster::{TYPE}::web"
    line = {"urn": urn, "diagnostics": [{"code": name, "severity": "warning", "fields": fields}]}
    document = {"steps": [{"op": "create", "urn": urn, "newState": {"inputs": {}}}]}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "preview.jsonl"
        file.write_text(json.dumps(line), encoding="utf-8")
        made = Case(json.dumps(document), read_previews(file))
    assert_harmless(comment(made))
    assert made.assess().migration.diagnostics[0].text == name


@STEADY
@given(HOSTILE)
def test_the_comment_without_a_preview_is_harmless(text: str) -> None:
    """A title is all that comes from elsewhere."""
    assert_harmless(render_missing_preview("no preview", name="default", title=text))


@pytest.mark.parametrize("name", ["web", "web::a", 'a"b', "a'b", "a b", "$(date)", "a\nb", "é", "-web"])
def test_the_command_that_approves_is_one_line_of_plain_text(name: str) -> None:
    """A name that a shell or the path in the config could read otherwise is approved by the input."""
    made = written(preview("x", name=name), "x")
    commands = [line for line in made.splitlines() if line.startswith("pulumi config set")]
    quotable = {"web": "'ocean-migration:approvedPlan.web'", "a b": "'ocean-migration:approvedPlan[\"a b\"]'"}
    quotable |= {each: f"'ocean-migration:approvedPlan[\"{each}\"]'" for each in ("web::a", "-web")}
    assert [command.rpartition(" ")[0] for command in commands] == [
        f"pulumi config set --path {quotable[each]}" for each in [name] if each in quotable
    ]
    assert ("set the input" in made) is (name not in quotable)
