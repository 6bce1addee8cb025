"""Reading what `pulumi preview --json` printed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.spec.diagnostic import Kind
from ocean_migration_pulumi.report.pull_request.preview import TYPE, PreviewOperation, parse_preview
from tests.report.documents import document, line, planned, step, stored, urn


def test_a_new_resource() -> None:
    """Its inputs, and the lines of its check, are those that the engine printed."""
    (migration,) = parse_preview(stored("create")).migrations
    assert (migration.name, migration.stack, migration.operation) == ("web", "dev", PreviewOperation.CREATE)
    assert migration.inputs["nodes"] == {"asg_names": ["web"]}
    assert migration.planned is not None
    assert len(migration.planned) == 6
    assert [note.kind for note in migration.notes] == [Kind.PLAN, Kind.DESTINATION, Kind.REMARK, Kind.WARNING]
    assert migration.of(Kind.WARNING)[0].text.startswith("not checked without access to Kubernetes")
    assert migration.starts


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("joined", PreviewOperation.UPDATE),
        ("replace", PreviewOperation.REPLACE),
        ("delete", PreviewOperation.DELETE),
        ("no-change", PreviewOperation.SAME),
        ("bad-input", PreviewOperation.UNTOLD),
    ],
)
def test_what_would_be_done(name: str, operation: PreviewOperation) -> None:
    """Of real previews; one without a change has no step, and one that failed may have none."""
    migrations = {migration.name: migration for migration in parse_preview(stored(name)).migrations}
    assert migrations["web"].operation is operation


def test_what_is_of_before() -> None:
    """An update has the inputs of before and what the last run left."""
    (migration,) = parse_preview(stored("joined")).migrations
    assert migration.planned is not None
    assert len(migration.planned) == 7
    assert len(migration.recorded) == 6
    assert migration.outputs["migration_id"].startswith("owm-")


def test_a_replacement_says_why() -> None:
    """And each reason once, although the steps of a replacement repeat them."""
    (migration,) = parse_preview(stored("replace")).migrations
    assert migration.reasons == ("ocean_id", "account_id")
    steps = [step("web", {}, op=op, before={}) for op in ("create-replacement", "replace", "delete-replaced")]
    for each in steps:
        each["replaceReasons"] = ["ocean_id"]
    (migration,) = parse_preview(document(steps)).migrations
    assert (migration.operation, migration.reasons) == (PreviewOperation.REPLACE, ("ocean_id",))


def test_a_refresh_is_no_change() -> None:
    """The command lists what it looked at, too."""
    (migration,) = parse_preview(
        document([step("web", {}, op="refresh", before={}), step("web", {}, op="same")])
    ).migrations
    assert migration.operation is PreviewOperation.SAME


def test_a_resource_that_is_retained() -> None:
    """Its delete leaves the migration alone."""
    assert [parse_preview(stored(name)).migrations[0].retained for name in ("retained", "delete")] == [True, False]


def test_a_plan_that_is_not_there() -> None:
    """Unknown, hidden and left out are all none; an empty plan is one."""
    given: list[Any] = ["04da6b54-80e4-46f7-96ec-b56ff0331ba9", "[secret]", None, {}]
    assert [
        parse_preview(document([step("web", {"planned_nodes": each})])).migrations[0].planned for each in given
    ] == [
        None,
        None,
        None,
        {},
    ]


def test_the_rest_of_the_stack_is_counted() -> None:
    """Without the stack itself, the providers, what does not change, and the single steps of a replacement."""
    steps = [
        {"op": op, "urn": f"urn:pulumi:dev::cluster::{type_}::x"}
        for op, type_ in [
            ("create", "pulumi:pulumi:Stack"),
            ("create", "pulumi:providers:aws"),
            ("create", "aws:s3/bucket:Bucket"),
            ("create", "my:component:C$aws:s3/bucket:Bucket"),
            ("same", "aws:s3/bucket:Bucket"),
            ("replace", "aws:s3/bucket:Bucket"),
            ("create-replacement", "aws:s3/bucket:Bucket"),
            ("delete-replaced", "aws:s3/bucket:Bucket"),
            ("refresh", "aws:s3/bucket:Bucket"),
            ("of the future", "aws:s3/bucket:Bucket"),
        ]
    ]
    assert parse_preview(document(steps)).others == {"create": 2, "replace": 1}


def test_a_migration_in_a_component() -> None:
    """The type of its parent stands before its own; a name may hold what separates the parts."""
    of_component = f"urn:pulumi:dev::cluster::my:component:C${TYPE}::web::a"
    made = {"op": "create", "urn": of_component, "newState": {"inputs": {"planned_nodes": planned(1)}}}
    (migration,) = parse_preview(document([made])).migrations
    assert (migration.name, migration.operation) == ("web::a", PreviewOperation.CREATE)


def test_errors_are_of_a_migration_or_of_the_rest() -> None:
    """Both make the preview a failed one."""
    preview = parse_preview(stored("bad-input"))
    assert preview.failed
    assert preview.migrations[0].errors[0].startswith("pulumi-python:dynamic/ocean-migration")
    preview = parse_preview(stored("program-failure"))
    assert preview.failed
    assert preview.errors[0][0] == ""
    assert preview.errors[0][1].endswith("RuntimeError: boom")


def test_a_status_is_an_error_where_none_is_told() -> None:
    """A policy can make a preview fail without a word in its JSON."""
    assert not parse_preview(stored("create"), status=0).failed
    assert (
        parse_preview(stored("create"), status=255)
        .errors[0][1]
        .startswith("`pulumi preview` ended with exit status 255")
    )
    assert len(parse_preview(stored("program-failure"), status=1).errors) == 1


def test_lines_that_repeat_are_one() -> None:
    """A replacement is checked twice."""
    (migration,) = parse_preview(document([step("web", {})], [line("web", "a", "warning")] * 2)).migrations
    assert len(migration.notes) == 1


def test_severities_as_the_command_prints_them() -> None:
    """Of `info#err`, too; the prefix is taken away once."""
    lines = [line("web", "a", "info#err"), line("web", "warning: b", "warning"), line("web", "c", "error")]
    (migration,) = parse_preview(document([step("web", {})], lines)).migrations
    assert [(note.kind, note.text) for note in migration.notes] == [
        (Kind.REMARK, "a"),
        (Kind.WARNING, "warning: b"),
    ]
    assert migration.errors == ("c",)


@pytest.mark.parametrize(
    "facts", ["{0}", "warning: a new version\n{0}", "{0}\nDone\n", "{{\n}}\n{0}", "{{x\n{0}", "\r\n{0}"]
)
def test_what_stands_around_does_not_matter(facts: str) -> None:
    """Wrappers print before and after it, other JSON included."""
    assert parse_preview(facts.format(stored("create"))) == parse_preview(stored("create"))


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "no", "{", '{"a": 1}', '[{"steps": []}]', "{" * 100_000, '{"a":' * 100_000]
)
def test_anything_else_is_no_preview(text: str) -> None:
    """And the error says so."""
    with pytest.raises(InputError, match=r"preview: it holds none of `pulumi preview --json`"):
        parse_preview(text)


def test_a_stream_of_events_is_no_preview() -> None:
    """A variable makes the command print one."""
    with pytest.raises(InputError, match="unset PULUMI_ENABLE_STREAMING_JSON_PREVIEW"):
        parse_preview('{"sequence":0,"preludeEvent":{"config":{}}}\n{"sequence":1,"cancelEvent":{}}\n')


@pytest.mark.parametrize("value", [None, 1, "x", [1], {"a": 1}])
def test_values_of_other_types_are_nothing(value: object) -> None:
    """Whatever the command may print one day, there is a preview."""
    odd = {"op": "create", "urn": urn("web"), "newState": value, "oldState": value, "replaceReasons": value}
    preview = parse_preview(json.dumps({"steps": [odd, value], "diagnostics": value, "changeSummary": value}))
    assert [migration.name for migration in preview.migrations] == ["web"]
    assert parse_preview(json.dumps({"steps": value, "diagnostics": [value]})).migrations == ()
