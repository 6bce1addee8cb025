"""`clusters`, `candidates`, `nodes`, `status` and `config`: what there is, as a table and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Terminal

COMMANDS = ("clusters", "candidates", "nodes", "status", "config")
HOSTILE = "<b>x</b>|`\x1b[31m\n=1+1"


@pytest.fixture
def migration_id(terminal: Terminal) -> str:
    """Start a migration that is held where it is."""
    terminal.sim.control.hold(terminal.ocean_id)
    nodes = [node["instance_id"] for node in terminal.sim.control.nodes(terminal.ocean_id)]
    return terminal.sim.control.start_foreign_migration(terminal.ocean_id, nodes)


@pytest.mark.parametrize("command", COMMANDS)
def test_json_is_what_its_schema_says(terminal: Terminal, migration_id: str, command: str) -> None:
    """Every key is described."""
    assert terminal.json(command)


def test_formats(terminal: Terminal) -> None:
    """JSON by either option; there is no other format."""
    assert terminal.run("nodes", "-o", "json").stdout == terminal.run("nodes", "--json").stdout
    assert terminal.run("nodes", "-o", "table").stdout == terminal.run("nodes").stdout
    refused = terminal.run("nodes", "-o", "csv")
    assert refused.exit_code == 2
    assert "'csv' is not one of 'table', 'json'" in refused.stderr


def test_clusters(terminal: Terminal) -> None:
    """By name, in a pipe: aligned, and nothing else."""
    terminal.sim.control.add_cluster(nodes=1, name="alpha")
    result = terminal.plain("clusters")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["ID", "NAME", "REGION", "CONTROLLER", "ID", "AUTOSCALER", "MAXIMUM"]
    assert [line[1] for line in lines[1:]] == ["alpha", "demo"]


def test_candidates_tell_where_each_node_would_go(terminal: Terminal) -> None:
    """The same as the resource plans."""
    found = terminal.json("candidates")
    assert len(found["nodes"]) == 5
    lines = terminal.run("candidates").stdout.splitlines()[1:]
    assert [line.split()[0] for line in lines] == [node["instance_id"] for node in found["nodes"]]
    assert [line.split()[-3] for line in lines] == [node["virtual_node_group_name"] or "any" for node in found["nodes"]]


def test_names_of_others_stay_names(terminal: Terminal) -> None:
    """None becomes a line or a colour."""
    terminal.sim.control.add_node(terminal.ocean_id, HOSTILE)
    plain = terminal.run("candidates").stdout
    assert len(plain.splitlines()) == 7
    assert "\x1b" not in plain
    assert "<b>x</b>|` [31m =1+1" in plain


def test_nodes_of_ocean(terminal: Terminal) -> None:
    """None before a migration; said in words for people, an empty list for programs."""
    assert terminal.run("nodes").stdout == f"No Ocean nodes in {terminal.ocean_id}\n"
    assert terminal.json("nodes")["nodes"] == []


def test_status_of_the_one_that_runs(terminal: Terminal, migration_id: str) -> None:
    """It needs no id."""
    lines = terminal.run("status").stdout.splitlines()
    assert lines[0].startswith(f"migration {migration_id} of {terminal.ocean_id}: 0/5 nodes, 31 pods left, STARTING ")
    assert lines[2] == "terminate drained nodes: no, evict standalone pods: no"
    assert len(lines) == 10
    assert terminal.json("status", migration_id)["progress"]["nodes"] == 5


def test_status_of_a_migration_that_is_none(terminal: Terminal) -> None:
    """Whether there is none at all, or none of this name."""
    nothing = terminal.run("status")
    assert nothing.exit_code == 6
    assert nothing.stderr == f"Error: no migration on {terminal.ocean_id} [unknown-name]\n"
    unknown = terminal.run("status", "owm-0")
    assert unknown.exit_code == 6
    assert unknown.stderr == f"Error: MIGRATION: no migration 'owm-0' on {terminal.ocean_id} [unknown-name]\n"


def test_unknown_names_suggest_the_nearest(terminal: Terminal, migration_id: str) -> None:
    """Clusters and migrations that do not exist have one exit status, in every command."""
    near = f"{migration_id[:-1]}x"
    for command in ("status", "watch", "wait", "stop", "explain", "report"):
        result = terminal.run(command, near)
        assert result.exit_code == 6
        assert f"no migration '{near}'" in result.stderr
        assert f"did you mean `{migration_id}`?" in result.stderr
    for given, said in (("deno", "did you mean `demo`?"), (f"{terminal.ocean_id[:-1]}x", "did you mean `o-")):
        for command in ("candidates", "clusters", "status", "logs"):
            result = terminal.plain(command, "--cluster", given)
            assert (result.exit_code, said in result.stderr) == (6, True), result.stderr


def test_clusters_can_be_filtered(terminal: Terminal) -> None:
    """By id or by name."""
    terminal.sim.control.add_cluster(nodes=1, name="other")
    for given in ("demo", terminal.ocean_id):
        (found,) = json.loads(terminal.plain("clusters", "--cluster", given, "--json").stdout)["clusters"]
        assert found["id"] == terminal.ocean_id
    assert len(json.loads(terminal.plain("clusters", "--json").stdout)["clusters"]) == 2


def test_result_can_be_written_to_a_file(terminal: Terminal, tmp_path: Path) -> None:
    """In any format; a format in its place is refused, as older versions took one there."""
    file = tmp_path / "nodes.json"
    assert terminal.run("candidates", "--json", "--output", str(file)).stdout == ""
    assert json.loads(file.read_text("utf-8")) == terminal.json("candidates")
    table = tmp_path / "plan.txt"
    assert terminal.run("plan", "--all-nodes", "--output", str(table)).stdout == ""
    assert table.read_text("utf-8") == terminal.run("plan", "--all-nodes").stdout
    refused = terminal.run("candidates", "--output", "json")
    assert (refused.exit_code, "Use `-o json` for the format." in refused.stderr) == (2, True)
    missing = terminal.run("candidates", "--output", str(tmp_path / "none" / "nodes.txt"))
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert f"'--output': Folder '{tmp_path / 'none'}' does not exist." in missing.stderr


def test_config_shows_where_each_setting_comes_from(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """And never a token."""
    monkeypatch.setenv("SPOTINST_TOKEN", "canary-token-0123456789")
    result = terminal.run("config")
    assert "canary" not in result.output
    assert ["token", "[set]", "SPOTINST_TOKEN"] in [line.split() for line in result.stdout.splitlines()]


def test_a_profile_is_not_overruled_by_the_environment(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Who names one means it."""
    file = tmp_path / "credentials"
    file.write_text("[other]\ntoken = canary-of-the-file\naccount = act-other\n")
    monkeypatch.setenv("SPOTINST_CREDENTIALS_FILE", str(file))
    found = {row["setting"]: row for row in terminal.json("config", "--profile", "other")}
    assert found["account"]["value"] == "act-other"
    assert "credentials" in found["token"]["from"]


def test_the_cluster_by_unique_name(terminal: Terminal) -> None:
    """And what there is, when it is not clear which one is meant."""
    assert terminal.plain("candidates", "--cluster", "demo").exit_code == 0
    only = terminal.plain("candidates")
    assert only.exit_code == 0
    assert only.stderr == f"Cluster: demo ({terminal.ocean_id}), the only one in the account\n"
    other = terminal.sim.control.add_cluster(nodes=1, name="demo")["id"]
    twice = terminal.plain("candidates", "--cluster", "demo")
    assert twice.exit_code == 2
    assert (
        f"Error: --cluster: several clusters are named 'demo': {terminal.ocean_id}, {other}; use the id" in twice.stderr
    )
    unnamed = terminal.plain("candidates")
    assert (unnamed.exit_code, "--cluster is required" in unnamed.stderr) == (2, True)
    unknown = terminal.plain("candidates", "--cluster", "shop")
    assert f"no cluster 'shop'; the account has demo ({terminal.ocean_id})" in unknown.stderr


def test_a_refused_token_has_an_exit_status_of_its_own(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, without the token."""
    monkeypatch.setenv("SPOTINST_TOKEN", "canary-refused")
    result = terminal.run("candidates")
    assert result.exit_code == 3
    assert result.stderr.startswith("Error: Spot refuses the token (from SPOTINST_TOKEN")
    assert "canary" not in result.stderr


def test_an_address_that_is_none_is_a_mistake_of_the_user(terminal: Terminal) -> None:
    """It names the option."""
    result = terminal.run("candidates", "--base-url", "http://example.com")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: --base-url: the base URL must begin with https://")


def test_options_go_before_everything_else(terminal: Terminal, tmp_path: Any) -> None:
    """And are named as where a setting comes from."""
    options = ("--account", "act-mine", "--base-url", "http://127.0.0.1:9", "--record", str(tmp_path / "record"))
    found = {row["setting"]: row for row in terminal.json("config", *options)}
    assert [found[name]["from"] for name in ("account", "base URL", "record")] == [
        "--account",
        "--base-url",
        "--record",
    ]


def test_a_record_of_what_a_command_asked(terminal: Terminal, tmp_path: Any) -> None:
    """Without the token; one that cannot be written is refused before anything is asked."""
    record = tmp_path / "record.jsonl"
    assert terminal.run("candidates", "--record", str(record)).exit_code == 0
    assert len(record.read_text().splitlines()) == 3
    assert terminal.sim.token not in record.read_text()
    refused = terminal.run("candidates", "--record", str(tmp_path / "none" / "record"))
    assert refused.exit_code == 2
    assert refused.stderr.startswith("Error: --record: ")
