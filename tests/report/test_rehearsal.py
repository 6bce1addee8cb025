"""A rehearsal in the comment on a pull request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ocean_migration_pulumi import cli
from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.rehearsal import INVENTED, PREDICTION
from ocean_migration_pulumi.report.comment import LIMITS, render
from ocean_migration_pulumi.report.layout import Part
from ocean_migration_pulumi.report.preview import read as read_preview
from ocean_migration_pulumi.report.rehearsal import markdown, read, section, unreadable
from ocean_migration_pulumi.report.verdict import judge
from tests.report.documents import stored
from tests.report.rendered import parse

WHY = "a PodDisruptionBudget does not let it go, and force_pod_eviction_on_pdb_failure is not set"


def step(after: int, state: str, done: int, pods: int, unscheduled: int = 0) -> dict[str, Any]:
    """Return a moment of a timeline."""
    return {
        "after_seconds": after,
        "state": state,
        "nodes_done": done,
        "nodes": 3,
        "pods_left": pods,
        "unscheduled": unscheduled,
        "manual": 0,
    }


def data(**more: Any) -> dict[str, Any]:
    """Return what ``rehearse --json`` prints."""
    return {
        "prediction": True,
        "warning": PREDICTION,
        "invented": list(INVENTED),
        "ocean_id": "o-1",
        "cluster_name": "shop",
        "headline": "the migration of 3 nodes finishes; 2 of them done; 1 pod stays on 1 node",
        "batches": 2,
        "batch_size": 2,
        "duration": "1h05m",
        "failure": None,
        "timeline": [
            step(0, "STARTING", 0, 12),
            step(30, "DRAIN_NODES", 0, 9, 3),
            step(60, "DRAIN_NODES", 1, 6, 1),
            step(3900, "FINISHED", 2, 1),
        ],
        "left": [
            {"instance_id": "i-1", "node_name": "one", "drained": True, "pods": [{"name": "shop/ledger", "why": WHY}]},
            {"instance_id": "i-2", "node_name": "two", "drained": False, "pods": [{"name": "shop/a", "why": "late"}]},
        ],
        "unscheduled_pods": ["shop/b", "shop/c"],
        "waiting_pods": ["shop/c"],
        "notes": ["nothing is known of pods"],
        **more,
    }


def test_words_of_a_rehearsal() -> None:
    """Marked, the outcome first; the states with their last counts can be folded."""
    text = markdown(data())
    lines = text.splitlines()
    assert lines[0] == (
        "### Rehearsal on <code>shop</code>: the migration of 3 nodes finishes; 2 of them done; 1 pod stays on 1 node"
    )
    assert lines[2].startswith("**A prediction&#58; a simulator's guess. Its step times are invented;")
    assert lines[4] == "Predicted: 2 batches of up to 2 nodes, 1h05m in all."
    assert "- nothing is known of pods" in lines
    assert f"- <code>shop/ledger</code> on <code>one</code>: {WHY.replace('_', '&#95;')}" in lines
    assert "- 1 node not drained before the end: two" in lines
    assert "- <code>shop/b</code> finds no node" in lines
    assert "- <code>shop/c</code> finds no node, and has none today" in lines
    assert [line for line in lines if line.startswith("| 0:") or line.startswith("| 1:")] == [
        "| 0:00:00 | STARTING | 0/3 | 12 | 0 | 0 |",
        "| 0:00:30 | DRAIN&#95;NODES | 1/3 | 6 | 1 | 0 |",
        "| 1:05:00 | FINISHED | 2/3 | 1 | 0 | 0 |",
    ]
    assert "<details><summary>The predicted order of things</summary>" in lines
    assert lines[-1] == "</details>"


def test_failure_tells_what_to_do() -> None:
    """With the remedy of the reason."""
    failure = {"message": "x", "reason": "schedule", "remedy": "Look for unready pods"}
    assert "What to do: Look for unready pods." in markdown(data(failure=failure))


def test_names_of_others_are_only_names() -> None:
    """No tag, link, image, mention or table comes of them."""
    evil = "<img src=x onerror=1> [a](http://x) ![b](y) @octo | `x` <!-- --> </details>\n# head"
    hostile = data(
        cluster_name=evil,
        headline=evil,
        warning=evil,
        duration=evil,
        notes=[evil],
        invented=[evil],
        unscheduled_pods=[evil],
        failure={"remedy": evil},
        left=[
            {"node_name": evil, "drained": True, "pods": [{"name": evil, "why": evil}]},
            {"node_name": evil, "drained": False, "pods": [{}]},
        ],
        timeline=[step(0, evil, 0, 0)],
    )
    usual = data(
        notes=["x"],
        invented=["x"],
        unscheduled_pods=["x"],
        failure={"remedy": "x"},
        left=[
            {"node_name": "x", "drained": True, "pods": [{"name": "x", "why": "x"}]},
            {"node_name": "x", "drained": False, "pods": [{}]},
        ],
        timeline=[step(0, "x", 0, 0)],
    )
    tokens = [[token.type for token in parse(markdown(each))] for each in (hostile, usual)]
    assert tokens[0] == tokens[1]
    inline = [child for token in parse(markdown(hostile)) for child in token.children or ()]
    assert {child.content for child in inline if child.type == "html_inline"} <= {"<code>", "</code>"}
    assert not any(child.type in {"link_open", "image"} for child in inline)
    assert "@octo" not in markdown(hostile)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"prediction": false}', '{"prediction": "true"}', "{"])
def test_what_is_no_rehearsal_is_refused(text: str) -> None:
    """A report of a real run must not be shown as a prediction, nor the other way round."""
    with pytest.raises(InputError, match="is not what `ocean-migration rehearse --json` prints"):
        read(text)


@pytest.mark.parametrize("junk", [None, 3, "x", [], [3], {"a": 1}, True])
def test_parts_of_another_form_are_left_out(junk: Any) -> None:
    """What somebody changed by hand is no reason to fail."""
    whole = data()
    for name in whole:
        assert markdown({**whole, name: junk}).startswith("### Rehearsal on ")


def test_long_rehearsal_is_cut_by_rows() -> None:
    """The comment stays below its limit, and the rows that are left out are counted."""
    pods = [{"name": f"shop/pod-{number}", "why": WHY} for number in range(5000)]
    long = data(left=[{"instance_id": "i-1", "node_name": "one", "drained": True, "pods": pods}])
    long["timeline"] = [step(number, f"STATE{number}", 0, 0) for number in range(5000)]
    preview = read_preview(stored("create"), status=0)
    judgements = [judge(migration) for migration in preview.migrations]
    text = render(preview, judgements, name="x", limit=LIMITS["github"], predicted=section(long))
    assert len(text) <= LIMITS["github"]
    assert "and 4902 more pods" in text
    assert "and 4900 more steps" in text
    assert text.count("<details>") == text.count("</details>")


def comment(*arguments: str) -> tuple[int, str, str]:
    """Run ``comment`` with a preview; return status, stdout and stderr."""
    result = CliRunner().invoke(cli.main, ["comment", *arguments], input=stored("create"))
    return result.exit_code, result.stdout, result.stderr


def test_comment_tells_rehearsals(tmp_path: Path) -> None:
    """Each file in its order, after the plan and before the rest of the stack; without one nothing changes."""
    files = []
    for name in ("first", "second"):
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps(data(cluster_name=name)), encoding="utf-8")
    status, text, errors = comment("--rehearsal", str(files[0]), "--rehearsal", str(files[1]))
    assert (status, errors) == (0, "")
    places = [text.index(part) for part in ("of the plan</summary>", "<code>first</code>", "<code>second</code>")]
    assert places == sorted(places)
    plain = comment()[1]
    assert "Rehearsal" not in plain
    assert text.splitlines()[-1] == plain.splitlines()[-1]


def test_rehearsal_that_cannot_be_read_leaves_the_comment(tmp_path: Path) -> None:
    """The comment and stderr say so."""
    other = tmp_path / "other.json"
    other.write_text("{}", encoding="utf-8")
    for path, why in ((other, "is not what"), (tmp_path / "none.json", "none.json cannot be read")):
        status, text, errors = comment("--rehearsal", str(path))
        assert status == 0
        assert "**Rehearsal: not known.**" in text
        assert why in errors
        assert str(tmp_path) not in text


def test_unreadable_is_one_part() -> None:
    """Which is never cut."""
    [part] = unreadable("x")
    assert part == Part(rows=("**Rehearsal: not known.** x.",))
