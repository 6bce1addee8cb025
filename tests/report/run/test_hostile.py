"""Names and messages of others in the report of a run: whatever they hold, they are text and nothing else."""

from __future__ import annotations

import json
import re
import unicodedata
from functools import cache

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ocean_migration_pulumi.api.models.migration import LogEntry, MigrationInstance, MigrationStatus, PodDetail
from ocean_migration_pulumi.common.times import format_time
from ocean_migration_pulumi.migration.diagnosis.diagnosis import Diagnosis, Outcome
from ocean_migration_pulumi.migration.diagnosis.stuck_pods import Blocker, StuckPod
from ocean_migration_pulumi.migration.views.run_report import RunHealth, RunReport
from ocean_migration_pulumi.report.run import html, json_document, markdown_document
from tests.report.pages import Page
from tests.report.rendered import parse, structure, texts
from tests.report.run_reports import STARTED, at, moment, run_report
from tests.report.test_hostile_names import HOSTILE

OURS = re.compile(r"<details><summary>(?:The \d+ changes? as a table|\d+ lines? of the log)</summary>|</details>")
REFERENCE = re.compile(r"@\w|[#!~%$&^][\w\"'({]|[A-Za-z][\w+.-]*://|\w@\w|:[A-Za-z_+-][\w+-]*:|\[\w+:")


def told(text: str) -> RunReport:
    """Return a run that holds a text wherever somebody else chooses what stands there."""
    old = MigrationInstance(
        instance_id=text, node_name=text, asg_name=text, state=text, running_pods=1, pods=(PodDetail(name=text),)
    )
    new = MigrationInstance(instance_id=text, node_name=text, state=text, running_pods=0)
    status = MigrationStatus(
        id=text,
        state=text,
        old_instances=(old,),
        new_instances=(new,),
        unscheduled_pods=(text,),
        created_at=format_time(STARTED),
        should_terminate_drained_nodes=True,
    )
    explanation = Diagnosis(
        outcome=Outcome.FAILED,
        headline=text,
        reason=text,
        evidence=(text,),
        remedy=text,
        stuck=(StuckPod(pod=text, node=text, blocker=Blocker.NOT_EVICTED, fields={"kind": text}),),
        notes=(text,),
    )
    entry = dict.fromkeys(("workload", "reason", "pod", "detail"), text)
    return run_report(
        status,
        moments=[moment(5, text), moment(30, "DRAIN_NODES")],
        explanation=explanation,
        ocean_id=text,
        cluster_name=text,
        log=(LogEntry(message=text, severity=text, created_at=text), LogEntry(message=text)),
        virtual_node_groups={text: text},
        generated_at=at(90),
        health=RunHealth.from_outputs(
            {"workload_health": {"migration_id": text, "state": text, "reason": text, "not_ready": [entry]}},
            {"id": text, "stop_cause": {"cause": text, "workloads": [text]}},
        ),
    )


@cache
def plain_page() -> Page:
    """Return the page with a harmless name."""
    return Page(html.render_html(told("x")))


@cache
def plain_structure() -> list[str]:
    """Return the blocks of the Markdown with a harmless name."""
    return structure(markdown_document.render_markdown(told("x")))


@given(HOSTILE)
@example("</code><script>alert(1)</script>")
@example('" onmouseover="alert(1)')
@example("--><!DOCTYPE x [<![CDATA[<?php ?>")
@example("`<script>alert(1)</script>`")
def test_a_name_changes_nothing_of_the_page(text: str) -> None:
    """The elements and attributes are those of the same page with a harmless name, and nothing unseen is left.

    Only a pair of backquotes in a sentence is shown: as code, which has no attributes.
    """
    assume(text.strip())
    page, plain = Page(html.render_html(told(text))), plain_page()
    elements, expected = ([each for each in one.elements if each != ("code", {})] for one in (page, plain))
    assert [(tag, *attributes) for tag, attributes in elements] == [(tag, *attributes) for tag, attributes in expected]
    assert page.others == []
    for (_, attributes), (_, others) in zip(elements, expected, strict=True):
        assert {k: v for k, v in attributes.items() if k != "aria-label"} == {
            k: v for k, v in others.items() if k != "aria-label"
        }
    assert not [char for char in page.text if unicodedata.category(char) in {"Cc", "Cf", "Cs"} and char != "\n"]
    page.text.encode()


@given(HOSTILE)
@example("```")
@example("|a|b|")
def test_a_name_changes_nothing_of_the_markdown(text: str) -> None:
    """The blocks are those of the same report with a harmless name; no reference comes of it."""
    assume(text.strip())
    made = markdown_document.render_markdown(told(text))
    assert structure(made) == plain_structure()
    for token in parse(made):
        if token.type == "html_block":
            assert all(OURS.fullmatch(line) for line in token.content.splitlines() if line), token.content
        for child in token.children or ():
            assert child.type not in {"link_open", "image"}
            assert child.type != "html_inline" or child.content in {"<code>", "</code>"}, child
    for shown in texts(made):
        assert REFERENCE.search(shown) is None, shown
    made.encode()


@pytest.mark.parametrize("text", ["\x1b[2J", "\u202e", "\ud800", "\x9b31m"])
def test_json_holds_nothing_that_a_terminal_obeys(text: str) -> None:
    """It is escaped, and comes back as it was."""
    written = json.dumps(json_document.report_to_json(told(text)), indent=2)
    assert written.isascii()
    assert written.replace("\n", "").isprintable()
    assert json.loads(written)["migration"]["id"] == text


@given(st.text(alphabet="`~", min_size=1, max_size=12))
def test_no_line_of_the_log_ends_its_block(ticks: str) -> None:
    """However many backquotes it has."""
    made = markdown_document.render_markdown(
        run_report(log=(LogEntry(message=f"{ticks} <b>", created_at=format_time(at(1))),))
    )
    (block,) = [token for token in parse(made) if token.type == "fence" and token.info == "text"]
    assert block.content == f"2024-05-01 12:00:01 - {ticks} <b>\n"
