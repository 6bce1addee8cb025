"""Reading what `pulumi preview --json` printed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Severity
from ocean_migration_pulumi.report.pull_request.preview import (
    ENGINE_MESSAGE,
    HIDDEN,
    TYPE,
    UNKNOWN,
    PreviewOperation,
    parse_preview,
)
from tests.report.documents import document, info, message, planned, record, step, stored, summary, urn


def test_a_new_resource() -> None:
    """Its inputs, and the lines of its check, are those that the engine printed."""
    (migration,) = parse_preview(stored("create").text).migrations
    assert (migration.name, migration.stack, migration.operation) == ("web", "dev", PreviewOperation.CREATE)
    assert migration.inputs["nodes"] == {"asg_names": ["web"]}
    assert migration.planned is not None
    assert len(migration.planned) == 6
    assert not migration.is_recorded
    assert [each.severity for each in migration.diagnostics] == [Severity.INFO] * 3 + [Severity.WARNING]
    assert {each.code for each in migration.diagnostics} == {ENGINE_MESSAGE}
    assert migration.is_run


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("joined", PreviewOperation.UPDATE),
        ("replace", PreviewOperation.REPLACE),
        ("delete", PreviewOperation.DELETE),
        ("no-change", PreviewOperation.SAME),
        ("bad-input", PreviewOperation.UNKNOWN),
    ],
)
def test_what_would_be_done(name: str, operation: PreviewOperation) -> None:
    """Of real previews; one without a change has no step, and one that failed may have none."""
    migrations = {migration.name: migration for migration in parse_preview(stored(name).text).migrations}
    assert migrations["web"].operation is operation


def test_what_is_of_before() -> None:
    """An update has the inputs of before and what the last run left."""
    (migration,) = parse_preview(stored("joined").text).migrations
    assert migration.planned is not None
    assert len(migration.planned) == 7
    assert len(migration.old_planned) == 6
    assert migration.old_outputs["migration_id"].startswith("owm-")


def test_a_replacement_says_why() -> None:
    """And each reason once, although the steps of a replacement repeat them."""
    (migration,) = parse_preview(stored("replace").text).migrations
    assert migration.replace_reasons == ("ocean_id", "account_id")
    steps = [step("web", {}, op=op, before={}) for op in ("create-replacement", "replace", "delete-replaced")]
    for each in steps:
        each["replaceReasons"] = ["ocean_id"]
    (migration,) = parse_preview(document(steps)).migrations
    assert (migration.operation, migration.replace_reasons) == (PreviewOperation.REPLACE, ("ocean_id",))


def test_a_refresh_is_no_change() -> None:
    """The command lists what it looked at, too."""
    (migration,) = parse_preview(
        document([step("web", {}, op="refresh", before={}), step("web", {}, op="same")])
    ).migrations
    assert migration.operation is PreviewOperation.SAME


def test_a_resource_that_is_retained() -> None:
    """Its delete leaves the migration alone."""
    assert [parse_preview(stored(name).text).migrations[0].is_retained for name in ("retained", "delete")] == [
        True,
        False,
    ]


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
    preview = parse_preview(stored("bad-input").text)
    assert preview.has_failed
    assert preview.migrations[0].errors[0].startswith("pulumi-python:dynamic/ocean-migration")
    preview = parse_preview(stored("program-failure").text)
    assert preview.has_failed
    assert preview.errors[0][0] == ""
    assert preview.errors[0][1].endswith("RuntimeError: boom")


def test_a_status_is_an_error_where_none_is_told() -> None:
    """A policy can make a preview fail without a word in its JSON."""
    assert not parse_preview(stored("create").text, status=0).has_failed
    assert (
        parse_preview(stored("create").text, status=255)
        .errors[0][1]
        .startswith("`pulumi preview` exited with status 255")
    )
    assert len(parse_preview(stored("program-failure").text, status=1).errors) == 1


def test_messages_that_repeat_are_one() -> None:
    """A replacement is checked twice."""
    (migration,) = parse_preview(document([step("web", {})], [message("web", "a", "warning")] * 2)).migrations
    assert len(migration.diagnostics) == 1


def test_severities_as_the_command_prints_them() -> None:
    """Of `info#err`, too; the prefix is taken away once."""
    messages = [message("web", "a", "info#err"), message("web", "warning: b", "warning"), message("web", "c", "error")]
    (migration,) = parse_preview(document([step("web", {})], messages)).migrations
    assert [(each.severity, each.text) for each in migration.diagnostics] == [
        (Severity.INFO, "a"),
        (Severity.WARNING, "warning: b"),
    ]
    assert migration.errors == ("c",)


def test_a_record_is_found_by_its_urn() -> None:
    """It replaces the messages that it holds; others, as those of a diff, stay."""
    nodes = planned(2)
    suggestion = info(Code.VNG_SUGGESTION, nodes=1, asg_names=[], source="two\nlines")
    found = record("web", nodes, summary(nodes), suggestion)
    messages = [message("web", suggestion.text), message("web", "unfinished")]
    text = document([step("web", {"planned_nodes": nodes}), step("api", {"planned_nodes": nodes})], messages)
    api, web = parse_preview(text, {urn("web"): found}).migrations
    assert (api.is_recorded, api.diagnostics) == (False, ())
    assert [each.code for each in web.select(Code.PLAN_SUMMARY, Code.BATCHES)] == [Code.PLAN_SUMMARY]
    assert web.is_recorded
    assert web.diagnostics[:2] == found.diagnostics
    assert [(each.code, each.text) for each in web.diagnostics[2:]] == [(ENGINE_MESSAGE, "unfinished")]


@pytest.mark.parametrize(
    ("previewed", "recorded", "is_used"),
    [
        (planned(2), planned(2), True),
        (planned(2), planned(3), False),
        (planned(2), None, False),
        (None, None, True),
        (None, planned(2), False),
        (UNKNOWN, planned(2), False),
        (HIDDEN, planned(2), True),
    ],
)
def test_a_record_of_another_preview_is_not_used(previewed: Any, recorded: Any, is_used: bool) -> None:
    """A file that was not removed holds older plans."""
    text = document([step("web", {"planned_nodes": previewed})])
    found = record("web", recorded, info(Code.BATCHES))
    (migration,) = parse_preview(text, {urn("web"): found}).migrations
    assert migration.is_recorded is is_used
    assert migration.diagnostics == (found.diagnostics if is_used else ())


def test_a_record_of_another_stack_is_not_shown() -> None:
    """Only what the preview mentions is."""
    found = record("web", planned(2), info(Code.BATCHES))
    assert parse_preview(document([]), {urn("web"): found}).migrations == ()
    (migration,) = parse_preview(document([], [message("web", "text")]), {urn("web"): found}).migrations
    assert (migration.operation, migration.is_recorded) == (PreviewOperation.SAME, True)


@pytest.mark.parametrize(
    "facts", ["{0}", "warning: a new version\n{0}", "{0}\nDone\n", "{{\n}}\n{0}", "{{x\n{0}", "\r\n{0}"]
)
def test_what_stands_around_does_not_matter(facts: str) -> None:
    """Wrappers print before and after it, other JSON included."""
    assert parse_preview(facts.format(stored("create").text)) == parse_preview(stored("create").text)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "no", "{", '{"a": 1}', '[{"steps": []}]', "{" * 100_000, '{"a":' * 100_000]
)
def test_anything_else_is_no_preview(text: str) -> None:
    """And the error says so."""
    with pytest.raises(InputError, match=r"preview: not the output of `pulumi preview --json`"):
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
