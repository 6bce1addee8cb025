"""The pipelines of `examples/pull_request`: what they may do and hold, and the scripts that post the comment."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from ocean_migration_pulumi.migration.reconcile.reconcile import DEADLINE
from ocean_migration_pulumi.report.pull_request.comment import marker
from ocean_migration_pulumi.report.pull_request.preview import TYPE
from ocean_migration_pulumi.resource.preview_file import PreviewRecord, append_preview
from tests.report.documents import stored
from tests.test_docs import ROOT, named, page, rows, section

HERE = ROOT / "examples" / "pull_request"
GITHUB = yaml.safe_load((HERE / "github" / "ocean-migration.yml").read_text(encoding="utf-8"))
CONTINUE = yaml.safe_load((HERE / "github" / "ocean-migration-continue.yml").read_text(encoding="utf-8"))
GITLAB = yaml.safe_load((HERE / "gitlab" / ".gitlab-ci.yml").read_text(encoding="utf-8"))
MARKER = marker("production")
CREATED = f"urn:pulumi:dev::cluster::{TYPE}::web"


def steps(job: str) -> list[dict[str, Any]]:
    """Return the steps of a job of the workflow."""
    return list(GITHUB["jobs"][job]["steps"])


def fake_commands(folder: Path, commands: Mapping[str, str]) -> None:
    """Write commands into a folder, each with what it does in a shell."""
    for name, does in commands.items():
        (folder / name).write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
        (folder / name).chmod(0o755)


def run_of(job: str, name: str) -> str:
    """Return the script of a step."""
    (found,) = (step["run"] for step in steps(job) if step["name"] == name)
    return str(found)


def secrets(value: Any) -> set[str]:
    """Return the names of the secrets that a part of the workflow holds."""
    return set(re.findall(r"secrets\.(\w+)", json.dumps(value)))


def test_nothing_is_exposed_to_forks() -> None:
    """Neither the event that runs with secrets, nor a runner for a pull request of somebody else's repository."""
    assert set(GITHUB[True]) == {"pull_request", "push", "workflow_dispatch"}  # YAML takes `on` for a truth value
    assert set(CONTINUE[True]) == {"schedule"}
    guard = GITHUB["jobs"]["preview"]["if"]
    assert "github.event.pull_request.head.repo.full_name == github.repository" in guard
    assert GITHUB["jobs"]["deploy"]["if"] == (
        "github.event_name == 'push' || (github.event_name == 'workflow_dispatch' && github.ref == 'refs/heads/main')"
    )
    assert GITHUB[True]["push"] == {"branches": ["main"]}
    (rule,) = GITLAB["preview"]["rules"]
    assert "$CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_PROJECT_ID" in rule["if"]
    (rule,) = GITLAB["deploy"]["rules"]
    assert "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH" in rule["if"]


def test_actions_are_pinned() -> None:
    """By the whole hash of a commit, with the version beside it; the image by an exact version."""
    text = (HERE / "github" / "ocean-migration.yml").read_text(encoding="utf-8")
    used = re.findall(r"^\s+uses: (.*)$", text, re.MULTILINE)
    assert len(used) == 8
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each) for each in used)
    assert re.search(r":\d+\.\d+\.\d+$", GITLAB["default"]["image"])


def test_permissions_are_the_least() -> None:
    """None by default, and no more than a job needs."""
    assert GITHUB["permissions"] == {}
    assert GITHUB["jobs"]["preview"]["permissions"] == {
        "contents": "read",
        "id-token": "write",
        "pull-requests": "write",
    }
    assert GITHUB["jobs"]["deploy"]["permissions"] == {"actions": "write", "contents": "read", "id-token": "write"}
    assert CONTINUE["permissions"] == {}
    assert CONTINUE["jobs"]["continue"]["permissions"] == {"actions": "write"}
    checkouts = [step for job in GITHUB["jobs"] for step in steps(job) if "actions/checkout" in step.get("uses", "")]
    assert [step["with"] for step in checkouts] == [{"persist-credentials": False}] * 2


def test_the_preview_holds_what_only_reads() -> None:
    """The token that writes is in the protected environment alone."""
    assert secrets(GITHUB["jobs"]["preview"]) == {"SPOTINST_TOKEN_READ_ONLY"}
    assert secrets(GITHUB["jobs"]["deploy"]) == {"SPOTINST_TOKEN"}
    assert secrets({key: value for key, value in GITHUB.items() if key != "jobs"}) == set()
    assert "environment" not in GITHUB["jobs"]["preview"]
    assert GITHUB["jobs"]["deploy"]["environment"] == GITLAB["deploy"]["environment"] == "production"
    assert GITLAB["preview"]["variables"] == {
        "AWS_ROLE_ARN": "$AWS_ROLE_PREVIEW",
        "KUBECONFIG": "$KUBECONFIG_READ_ONLY",
        "SPOTINST_TOKEN": "$SPOTINST_TOKEN_READ_ONLY",
    }
    roles = [step["with"].get("role-to-assume") for job in GITHUB["jobs"] for step in steps(job) if "with" in step]
    assert [role for role in roles if role] == ["${{ vars.AWS_ROLE_PREVIEW }}", "${{ vars.AWS_ROLE_DEPLOY }}"]


def test_no_expression_stands_in_a_script() -> None:
    """What others choose reaches a shell as a variable."""
    scripts = [step["run"] for job in GITHUB["jobs"] for step in steps(job) if "run" in step]
    assert len(scripts) == 13
    assert not any("${{" in script for script in scripts)


def test_nothing_of_the_pull_request_is_taken_over() -> None:
    """No artifact and no cache passes from the preview to the deployment."""
    for text in (json.dumps(GITHUB), json.dumps(GITLAB)):
        assert not re.search(r"artifact|cache|workflow_run|\"needs\"", text)


def test_each_preview_and_update_has_access_to_kubernetes() -> None:
    """By ``KUBECONFIG``: the provider does not read the file in the home directory."""
    needed = [
        step
        for job in ("preview", "deploy")
        for step in steps(job)
        if re.search(r"pulumi (preview|refresh|up)", step.get("run", ""))
    ]
    assert len(needed) == 4
    assert {step["env"].get("KUBECONFIG") for step in needed} == {"${{ github.workspace }}/kubeconfig"}
    jobs = [job for job in GITLAB.values() if isinstance(job, dict) and "pulumi " in json.dumps(job.get("script", ""))]
    assert len(jobs) >= 2
    assert all(job["variables"].get("KUBECONFIG") for job in jobs)


def test_a_started_run_is_not_cancelled() -> None:
    """One after the other, for each stack."""
    assert [job["concurrency"]["cancel-in-progress"] for job in GITHUB["jobs"].values()] == [False, False]
    number, stack = "${{ github.event.pull_request.number }}", GITHUB["env"]["PULUMI_STACK"]
    assert GITHUB["jobs"]["preview"]["concurrency"]["group"] == f"ocean-migration-preview-{number}"
    assert GITHUB["jobs"]["deploy"]["concurrency"]["group"] == f"ocean-migration-{stack}"
    assert [GITLAB[name]["interruptible"] for name in ("preview", "deploy")] == [False, False]
    assert GITLAB["deploy"]["resource_group"] == GITLAB["variables"]["PULUMI_STACK"]


def test_a_job_lasts_longer_than_the_wait() -> None:
    """And its AWS session longer than the job, for the state is saved at the end."""
    minutes = GITHUB["jobs"]["deploy"]["timeout-minutes"]
    assert minutes * 60 > DEADLINE
    for script in (run_of("deploy", "Set the deadline of the run"), GITLAB["deploy"]["script"][0]):
        (deadline,) = re.findall(r"(\d+) minutes", script)
        assert int(deadline) < minutes
    assert steps("deploy")[0]["name"] == "Set the deadline of the run"
    assert GITLAB["deploy"]["timeout"] == f"{minutes} minutes"
    (duration,) = (
        step["with"]["role-duration-seconds"] for step in steps("deploy") if "Assume the role" in step["name"]
    )
    assert duration > minutes * 60


def test_only_what_was_approved_is_deployed() -> None:
    """It is previewed again and compared, and only then run."""
    names = [step["name"] for step in steps("deploy")]
    assert names[-6:] == [
        "Record what became of running migrations",
        "Preview again and require the approved plan",
        "Stop the schedule until the changed plan is approved",
        "Start the schedule",
        "Deploy",
        "Stop the schedule unless a migration is pending",
    ]
    assert "--require-approved" in run_of("deploy", names[-5])
    assert run_of("deploy", "Deploy").startswith("pulumi up ")
    _, _, refresh, preview, compare, start, deploy, _ = GITLAB["deploy"]["script"]
    assert refresh in run_of("deploy", names[-6])
    assert start == "schedule true"
    assert "pulumi preview" in preview
    assert "--require-approved" in compare
    assert deploy.startswith("pulumi up ")
    assert "pulumi up" not in json.dumps([GITHUB["jobs"]["preview"], GITLAB["preview"]])


def test_changed_plan_stops_the_schedule(tmp_path: Path) -> None:
    """And nothing is run; any other failure leaves the schedule as it is."""
    guard = next(step["if"] for step in steps("deploy") if step["name"].startswith("Stop the schedule until"))
    assert guard == "failure() && steps.plan.outputs.status == '4'"
    _, define, _, _, compare, start, deploy, stop = GITLAB["deploy"]["script"]
    calls = tmp_path / "calls"
    fake_commands(
        tmp_path,
        {
            "curl": 'for each; do case "$each" in active=*) echo "$each" >> calls;; esac; done',
            "ocean-migration": 'case "$1" in comment) exit "$STATUS";; pending) exit "$PENDING";; esac',
            "pulumi": 'case "$1" in up) echo up >> calls; exit "$UP";; esac',
        },
    )
    for status, up, pending, fails, done in (
        ("0", "0", "0", False, "true up false"),
        ("0", "0", "7", False, "true up"),
        ("0", "0", "2", True, "true up"),
        ("0", "255", "0", True, "true up"),
        ("4", "0", "0", True, "false"),
        ("1", "0", "0", True, ""),
    ):
        calls.write_text("", encoding="utf-8")
        environment = {
            **os.environ,
            "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
            "PULUMI_STACK": "production",
            "STATUS": status,
            "UP": up,
            "PENDING": pending,
        }
        script = "\n".join([define, compare, start, deploy, stop])
        run = subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env=environment, timeout=60, check=False)
        assert bool(run.returncode) == fails
        assert calls.read_text(encoding="utf-8").replace("active=", "").split() == done.split()


def test_every_preview_writes_its_details_for_the_comment() -> None:
    """To a file with an absolute name: the provider runs in the program's directory."""
    _, _, _, preview, compare, *_ = GITLAB["deploy"]["script"]
    scripts = {
        "github preview": run_of("preview", "Preview") + run_of("preview", "Write the comment"),
        "github deploy": run_of("deploy", "Preview again and require the approved plan"),
        "gitlab preview": GITLAB["preview"]["script"][0],
        "gitlab deploy": preview + compare,
    }
    for name, script in scripts.items():
        assert 'OCEAN_MIGRATION_PREVIEW_FILE="$PWD/preview.jsonl"' in script, name
        assert "ocean-migration comment preview.json --preview-file preview.jsonl" in script, name


def test_the_readme_names_every_secret_and_variable() -> None:
    """Those of both pipelines, and no other."""
    text = "examples/pull_request/README.md"
    told = named([row[1] for row in rows(section(text, "GitHub"))])
    used = set(re.findall(r"(?:secrets|vars)\.(\w+)", json.dumps(GITHUB)))
    assert told == used
    told = named([row[0] for row in rows(section(text, "GitLab"))])
    used = set(re.findall(r"\$(?!CI_)([A-Z_]{2,})\b", json.dumps(GITLAB))) - {
        "AWS_TOKEN",
        "MARKER",
        "PULUMI_STACK",
        "PWD",
    }
    assert used < told
    assert told - used == {"SPOTINST_TOKEN", "AWS_REGION", "PULUMI_BACKEND_URL", "SPOTINST_ACCOUNT"}
    for target in re.findall(r"\]\(([^)]+)\)", page(text)):
        assert (HERE / target).exists(), target


def test_github_stops_the_schedule_once_nothing_is_pending(tmp_path: Path) -> None:
    """A pending migration keeps it, and an export that cannot be read fails the job."""
    script = run_of("deploy", "Stop the schedule unless a migration is pending")
    calls = tmp_path / "calls"
    fake_commands(
        tmp_path,
        {
            "gh": 'echo "$2" >> calls',
            "ocean-migration": 'exit "$PENDING"',
            "pulumi": "exit 0",
        },
    )
    for pending, status, done in (("0", 0, "disable\n"), ("7", 0, ""), ("2", 2, "")):
        calls.write_text("", encoding="utf-8")
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "PENDING": pending, "PULUMI_STACK": "production"}
        run = subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env=environment, timeout=60, check=False)
        assert (run.returncode, calls.read_text(encoding="utf-8")) == (status, done)


GH = '''#!{python}
"""`gh api`, as far as the workflow needs it, on the comments in a file."""
import json, os, subprocess, sys
method, fields, arguments, filter_, target = "GET", {{}}, iter(sys.argv[2:]), None, None
for argument in arguments:
    if argument == "--method":
        method = next(arguments)
    elif argument == "--field":
        name, _, value = next(arguments).partition("=")
        fields[name] = open(value[1:]).read() if value.startswith("@") else value
    elif argument == "--jq":
        filter_ = next(arguments)
    elif not argument.startswith("--"):
        target = argument
assert sys.argv[1] == "api" and os.environ["GH_TOKEN"]
path = os.environ["COMMENTS"]
comments = json.load(open(path))
if os.environ.get("BROKEN"):
    sys.exit("HTTP 502")
if method == "GET":
    assert target == "repos/octo/cluster/issues/7/comments?per_page=100" and "--paginate" in sys.argv
    subprocess.run(["jq", "--raw-output", filter_], input=json.dumps(comments), text=True, check=True)
elif method == "POST":
    assert target == "repos/octo/cluster/issues/7/comments"
    ours = {{"id": len(comments) + 1, "user": {{"login": "github-actions[bot]"}}, "body": fields["body"]}}
    json.dump([*comments, ours], open(path, "w"))
else:
    (found,) = [each for each in comments if target == "repos/octo/cluster/issues/comments/%d" % each["id"]]
    found["body"] = fields["body"]
    json.dump(comments, open(path, "w"))
'''


@pytest.mark.skipif(shutil.which("jq") is None, reason="no `jq` on the PATH")
def test_github_has_one_comment_which_is_updated(tmp_path: Path) -> None:
    """The first run posts it, the next ones update it; what others wrote is left alone, and so is a broken API."""
    script = run_of("preview", "Post or update the comment")
    stub = tmp_path / "gh"
    stub.write_text(GH.format(python=sys.executable), encoding="utf-8")
    stub.chmod(0o755)
    comments = tmp_path / "comments.json"
    foreign = [
        {"id": 1, "user": {"login": "octo"}, "body": f"{MARKER}\nof somebody else"},
        {"id": 2, "user": {"login": "github-actions[bot]"}, "body": f"{marker('staging')}\nof another stack"},
    ]
    comments.write_text(json.dumps(foreign), encoding="utf-8")
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "COMMENTS": str(comments),
        "GH_TOKEN": "of a test",
        "GITHUB_REPOSITORY": "octo/cluster",
        "NUMBER": "7",
        "PULUMI_STACK": "production",
    }

    def post(body: str, **more: str) -> int:
        (tmp_path / "comment.md").write_text(body, encoding="utf-8")
        done = subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env={**environment, **more}, timeout=60)
        return done.returncode

    assert post(f"{MARKER}\nfirst") == 0
    assert post(f"{MARKER}\nsecond\n@octo 'quoted' \"text\"") == 0
    ours = {"id": 3, "user": {"login": "github-actions[bot]"}, "body": f"{MARKER}\nsecond\n@octo 'quoted' \"text\""}
    assert json.loads(comments.read_text(encoding="utf-8")) == [*foreign, ours]
    assert post(f"{MARKER}\nthird", BROKEN="1") != 0
    assert json.loads(comments.read_text(encoding="utf-8")) == [*foreign, ours]


class GitLabNotes(BaseHTTPRequestHandler):
    """GitLab's notes of one merge request, two on a page."""

    notes: list[dict[str, Any]]
    broken = False

    def do_GET(self) -> None:
        """Return who asks, or a page of notes."""
        url = urlsplit(self.path)
        if url.path == "/api/v4/user":
            self._answer({"id": 42})
            return
        page_number = int(parse_qs(url.query)["page"][0])
        shown = self.notes[2 * page_number - 2 : 2 * page_number]
        self._answer(shown, str(page_number + 1) if len(self.notes) > 2 * page_number else "")

    def do_POST(self) -> None:
        """Add a note."""
        self.notes.append({"id": len(self.notes) + 1, "author": {"id": 42}, "body": self._body()})
        self._answer({})

    def do_PUT(self) -> None:
        """Change a note."""
        (note,) = (each for each in self.notes if self.path.endswith(f"/notes/{each['id']}"))
        note["body"] = self._body()
        self._answer({})

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def _body(self) -> str:
        assert self.path.startswith("/api/v4/projects/5/merge_requests/7/notes")
        return parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode(), strict_parsing=True)["body"][0]

    def _answer(self, document: Any, next_page: str = "") -> None:
        refused = self.broken or self.headers["PRIVATE-TOKEN"] != "of a test"
        self.send_response(502 if refused else 200)
        self.send_header("X-Next-Page", next_page)
        self.end_headers()
        self.wfile.write(json.dumps(document).encode())


@contextmanager
def gitlab(notes: list[dict[str, Any]]) -> Iterator[tuple[str, type[GitLabNotes]]]:
    """Serve the notes; the address of the API, and the handler."""
    handler = type("Handler", (GitLabNotes,), {"notes": notes})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api/v4", handler
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="no `curl` on the PATH")
def test_gitlab_has_one_comment_which_is_updated(tmp_path: Path) -> None:
    """It is found on a later page, too; what others wrote is left alone, and so is a broken API."""
    _, script, _ = GITLAB["preview"]["script"]
    foreign = [{"id": n, "author": {"id": n}, "body": f"{MARKER}\nof somebody else"} for n in (1, 2, 3)]
    notes: list[dict[str, Any]] = [dict(each) for each in foreign]
    with gitlab(notes) as (url, handler):
        environment = {
            **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "CI_API_V4_URL": url,
            "CI_PROJECT_ID": "5",
            "CI_MERGE_REQUEST_IID": "7",
            "COMMENT_TOKEN": "of a test",
            "PULUMI_STACK": "production",
        }

        def post(body: str) -> int:
            (tmp_path / "comment.md").write_text(body, encoding="utf-8")
            command = ["bash", "-e", "-o", "pipefail", "-c", script]
            return subprocess.run(
                command, cwd=tmp_path, env=environment, timeout=60, stderr=subprocess.DEVNULL
            ).returncode

        assert post(f"{MARKER}\nfirst") == 0
        assert post(f"{MARKER}\nsecond & <é> + %20\n") == 0
        ours = {"id": 4, "author": {"id": 42}, "body": f"{MARKER}\nsecond & <é> + %20\n"}
        assert notes == [*foreign, ours]
        handler.broken = True
        assert post(f"{MARKER}\nthird") != 0
        assert notes == [*foreign, ours]


def test_the_preview_step_hands_on_its_status(tmp_path: Path) -> None:
    """And the details: a failed preview is told in the comment, and the job fails after it was posted."""
    (created,) = stored("create").parse().migrations
    append_preview(tmp_path / "records.jsonl", PreviewRecord(urn=CREATED, planned_nodes=created.planned))
    scripts = [run_of("preview", name) for name in ("Preview", "Write the comment")]
    fake_commands(
        tmp_path,
        {
            "aws": "exit 0",
            "pulumi": 'cat "$PREVIEW"; cp records.jsonl "$OCEAN_MIGRATION_PREVIEW_FILE"; exit 255',
            "ocean-migration": f'exec "{sys.executable}" -m ocean_migration_pulumi "$@"',
        },
    )
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "EKS_CLUSTER": "cluster",
        "PULUMI_STACK": "production",
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "COMMIT": "0123abc",
        "STATUS": "255",
    }
    for preview, verdict in {
        "preview-create.json": "**Preview failed with 1 error.**",
        "state-0.1.json": "**Unknown: there is no preview.**",
    }.items():
        environment["PREVIEW"] = str(ROOT / "tests" / "data" / preview)
        for script in scripts:
            subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env=environment, check=True, timeout=60)
        assert (tmp_path / "output").read_text(encoding="utf-8").splitlines()[-1] == "status=255"
        assert (tmp_path / "comment.md").read_text(encoding="utf-8").splitlines()[:2] == [MARKER, verdict]
        assert "Details are missing" not in (tmp_path / "comment.md").read_text(encoding="utf-8")
    assert run_of("preview", "Fail if the preview failed") == 'exit "$STATUS"'


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("github-workflows", "github/ocean-migration.yml"),
        ("github-workflows", "github/ocean-migration-continue.yml"),
        ("gitlab-ci", "gitlab/.gitlab-ci.yml"),
    ],
)
def test_the_pipelines_are_what_their_platform_takes(schema: str, file: str) -> None:
    """By the schema of each."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(HERE / file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
