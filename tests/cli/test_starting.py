"""`plan`, `start` and `stop`: the same as the resource, for people and scripts without Pulumi."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from ocean_migration_pulumi.cli.commands.migrate import start
from ocean_migration_pulumi.migration.reconcile.context import ReconcileContext
from ocean_migration_pulumi.migration.spec.approval import plan_digest
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from tests.cli.conftest import Terminal


def test_plan_is_what_the_preview_says(terminal: Terminal) -> None:
    """With the digest of the resource, and no write."""
    data = terminal.json("plan", "--asg-name", "web")
    assert data["plan_digest"] == plan_digest(data["planned_nodes"], MigrationSpec())
    assert data["refusal"] is None
    lines = terminal.run("plan", "--asg-name", "web").stdout.splitlines()
    assert lines[0] == f"Plan {data['plan_digest'][:8]}: 3 nodes, 19 pods"
    assert f"Plan digest: {data['plan_digest']}" in lines
    (outside,) = [line for line in lines if line.startswith("2 other nodes stay schedulable: evicted pods may land")]
    assert [line for line in lines if line.startswith("Not checked (Kubernetes): No access to Kubernetes: ")]
    assert outside in data["info"]
    assert data["warnings"] == []
    assert {each["name"]: each["verdict"] for each in data["prerequisites"]}["Kubernetes"] == "unknown"
    assert {entry["method"] for entry in terminal.sim.control.requests()} == {"GET"}


def test_every_field_of_the_selector_is_an_option(terminal: Terminal) -> None:
    """By the names of the resource's inputs."""
    nodes = terminal.json("candidates")["nodes"]
    first = nodes[0]
    for option, value in (
        ("--instance-id", first["instance_id"]),
        ("--node-name", first["node_name"]),
    ):
        assert list(terminal.json("plan", option, value)["planned_nodes"]) == [first["instance_id"]]
    assert len(terminal.json("plan", "--all-nodes", "--limit", "40%")["nodes"]) == 2
    assert len(terminal.json("plan", "--all-nodes", "--exclude", "asg_names=web*")["nodes"]) == 2
    assert len(terminal.json("plan", "--virtual-node-group", "Default")["nodes"]) == 1
    assert " any (Default) " in terminal.run("plan", "--virtual-node-group", "Default").stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ("--all-nodes", "--limit", "none"),
            'Error: --limit must be a number of nodes such as "5", or "1%" to "100%" of them, not \'none\'',
        ),
        (
            ("--all-nodes", "--batch-size-percentage", "51"),
            "Error: --batch-size must be a whole percentage from 1 to 50, not 51",
        ),
        (("--all-nodes", "--exclude", "web"), "Error: --exclude must be FIELD=VALUE, not 'web'"),
        (
            ("--all-nodes", "--exclude", "asg_name=web"),
            "Error: --exclude asg_name: unknown field; did you mean `asg_na",
        ),
        (
            ("--all-nodes", "--exclude", "limit=1"),
            "Error: --exclude limit: unknown field; valid fields: instance_",
        ),
        (
            ("--all-nodes", "--batch-size-percentage", "0"),
            "Error: --batch-size must be a whole",
        ),
        (
            ("--all-nodes", "--approved-plan", ""),
            "Error: --approved-plan must be a plan digest, 16 hexadecimal digits or more, not empty",
        ),
        (("--label-selector", ""), "Error: --label-selector must not be empty"),
        (("--asg-name", ""), "Error: --asg-name must not be empty"),
        (("--instance-id", "i-0"), "Error: --instance-id: 'i-0' cannot be migrated"),
    ],
)
def test_bad_input_is_one_line_before_anything_is_started(
    terminal: Terminal, options: tuple[str, ...], said: str
) -> None:
    """It names the input, the value and what is allowed."""
    for command in ("plan", "start"):
        result = terminal.run(command, *options)
        assert result.exit_code == 2
        assert result.stderr.startswith(said)
        assert result.stderr.count("\n") == 1
    assert terminal.sim.control.requests(method="POST") == []


@pytest.mark.parametrize("options", [(), ("--limit", "2"), ("--exclude", "asg_names=web")])
def test_nodes_must_be_selected(terminal: Terminal, options: tuple[str, ...]) -> None:
    """To migrate everything must be asked for."""
    result = terminal.run("plan", *options)
    assert result.exit_code == 2
    assert result.stderr.endswith(
        "Error: No nodes selected. Use --instance-id, --node-name, --asg-name, --eks-node-group, "
        "--virtual-node-group, --label-selector or --all-nodes.\n"
    )


def test_detailed_exit_status(terminal: Terminal) -> None:
    """Nothing to do, something to do, and something in the way."""
    assert terminal.run("plan", "--all-nodes").exit_code == 0
    assert terminal.run("plan", "--all-nodes", "--detailed-exitcode").exit_code == 7
    refused = terminal.run("plan", "--all-nodes", "--detailed-exitcode", "--approved-plan", "0" * 16)
    assert refused.exit_code == 4


@pytest.mark.parametrize("scenario", ["unmatched-nodes"])
def test_what_a_plan_needs_can_be_pasted(terminal: Terminal) -> None:
    """The source of a Virtual Node Group keeps its lines."""
    lines = terminal.run("plan", "--all-nodes").stdout.splitlines()
    assert "pulumi_spotinst.aws.OceanLaunchSpec(" in lines
    assert terminal.json("plan", "--all-nodes", "--detailed-exitcode", status=4)["refusal"] == (
        "checks failed: Virtual Node Groups"
    )


def test_start_needs_yes_without_a_terminal(terminal: Terminal) -> None:
    """A script that forgets it starts nothing."""
    result = terminal.run("start", "--all-nodes")
    assert result.exit_code == 2
    assert result.stderr.endswith("Error: Cannot prompt: not a terminal. Pass --yes to confirm.\n")
    assert terminal.sim.control.requests(method="POST") == []


@pytest.mark.parametrize(("answer", "status", "started"), [("y\n", 0, 1), ("n\n", 8, 0), ("\n", 8, 0), ("", 8, 0)])
def test_start_asks(
    terminal: Terminal, as_terminal: Callable[[], None], answer: str, status: int, started: int
) -> None:
    """The plan comes first; only a yes is one."""
    as_terminal()
    result = terminal.run("start", "--all-nodes", "--should-terminate-drained-nodes", given=answer)
    assert result.exit_code == status
    assert result.stdout.startswith("Plan ")
    assert f"Start the migration of 5 nodes of demo ({terminal.ocean_id}): ip-10-0-0-2." in result.stderr
    assert ", which terminates drained nodes? [y/N]" in result.stderr
    assert len(terminal.sim.control.requests(method="POST")) == started


def test_everything_is_checked_before_somebody_is_asked(
    terminal: Terminal, as_terminal: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is asked knows what was found; a check of a moment ago is not made again."""
    as_terminal()
    done: list[str] = []
    check = start.ensure_startable

    def checked(context: ReconcileContext, work: list[str]) -> None:
        done.append("checked")
        check(context, work)

    def confirmed(_: str) -> bool:
        done.append("asked")
        return len(done) > 2

    monkeypatch.setattr(start, "ensure_startable", checked)
    monkeypatch.setattr(start, "confirmed", confirmed)
    assert terminal.run("start", "--asg-name", "web").exit_code == 8
    assert done == ["checked", "asked"]
    assert terminal.run("start", "--asg-name", "web").exit_code == 0
    assert done == ["checked", "asked", "checked", "asked"]


def test_start_tells_the_id(terminal: Terminal) -> None:
    """And how to see it; the flags are those that were asked for, and all false by default."""
    terminal.sim.control.hold(terminal.ocean_id)
    result = terminal.run("start", "--asg-name", "web", "--yes", "--batch-size-percentage", "50")
    assert result.exit_code == 0
    migration_id = terminal.sim.control.migrations(terminal.ocean_id)[0]["id"]
    assert result.stdout.splitlines()[-1] == (
        f"Migration {migration_id} started. Watch it: "
        f"ocean-migration watch {migration_id} --cluster {terminal.ocean_id}"
    )
    sent = terminal.sim.control.requests(method="POST")[0]["body"]["migration"]
    assert len(sent.pop("instanceIds")) == 3
    assert sent == {
        "batchSizePercentage": 50,
        "forcePodEvictionOnPdbFailure": False,
        "shouldEvictStandAlonePods": False,
        "shouldTerminateDrainedNodes": False,
    }


def test_start_refuses_a_second_migration(terminal: Terminal, as_terminal: Callable[[], None]) -> None:
    """And offers the one that runs."""
    terminal.sim.control.hold(terminal.ocean_id)
    first = terminal.json("start", "--asg-name", "web", "--yes")["migration_id"]
    result = terminal.run("start", "--all-nodes", "--yes")
    assert result.exit_code == 4
    assert result.stderr == (
        f"Error: migration {first} is already running on {terminal.ocean_id} (0 of 3 nodes done); wait for its end "
        f"(`ocean-migration watch {first} --cluster {terminal.ocean_id}`) or stop it "
        f"(`ocean-migration stop {first} --cluster {terminal.ocean_id}`) [cluster-busy]\n"
    )
    as_terminal()
    declined = terminal.run("start", "--all-nodes", given="n\n")
    assert declined.exit_code == 4
    assert "Watch it? [Y/n]" in declined.stderr
    terminal.sim.control.hold(terminal.ocean_id, False)
    watched = terminal.run("start", "--all-nodes", given="y\n")
    assert watched.exit_code == 0
    assert len(terminal.sim.control.requests(method="POST")) == 1


def test_plan_says_what_the_command_does_about_another_migration(terminal: Terminal) -> None:
    """It speaks of `start`, not of `pulumi up` and its inputs."""
    control = terminal.sim.control
    control.hold(terminal.ocean_id)
    held = next(each["instance_id"] for each in control.nodes(terminal.ocean_id) if each["asg_name"] == "web")
    control.start_foreign_migration(terminal.ocean_id, [held])
    output = terminal.run("plan", "--asg-name", "web").stdout
    (line,) = [each for each in output.splitlines() if "`start` refuses another one until it ends" in each]
    assert "owm-" in line
    assert "when_busy" not in output
    assert "pulumi" not in output


@pytest.mark.parametrize("how", ["--wait", "--watch"])
def test_start_and_see_it_through(terminal: Terminal, how: str) -> None:
    """The exit status is that of the migration."""
    result = terminal.run("start", "--asg-name", "web", "--yes", how)
    assert result.exit_code == 0, result.output
    assert terminal.json("status")["status"] == "FINISHED"
    migrated = terminal.run("plan", "--asg-name", "web").stdout
    assert migrated.count(f" unknown (migrated by {terminal.json('status')['id']})") == 3


def test_nothing_to_start(terminal: Terminal) -> None:
    """An error while no node ever matched, with the nearest match; none once all have been migrated."""
    for command in ("plan", "start"):
        result = terminal.run(command, "--asg-name", "wbe*")
        assert result.exit_code == 2
        assert result.stderr.startswith("Error: --asg-name: no node matches; did you mean `web*` instead of `wbe*`?")
    assert terminal.run("start", "--asg-name", "web", "--yes", "--wait").exit_code == 0
    result = terminal.run("start", "--asg-name", "web", "--yes")
    assert result.exit_code == 0
    assert result.stderr.endswith("Nothing to migrate\n")


@pytest.mark.parametrize("scenario", ["dead-controller"])
def test_a_prerequisite_that_is_not_met_refuses_the_start(terminal: Terminal) -> None:
    """Before it asks; unless it is told to go on."""
    result = terminal.run("start", "--all-nodes", "--yes")
    assert result.exit_code == 4
    assert result.stderr == "Error: nothing was started: checks failed: connection [check-failed]\n"
    assert terminal.run("start", "--all-nodes", "--yes", "--prerequisites", "warn").exit_code == 0


def test_an_approved_plan_binds(terminal: Terminal) -> None:
    """Any other one is refused."""
    digest = terminal.json("plan", "--asg-name", "web")["plan_digest"]
    refused = terminal.run("start", "--all-nodes", "--yes", "--approved-plan", digest)
    assert refused.exit_code == 4
    assert f"is not the approved plan {digest}" in refused.stderr
    assert terminal.run("start", "--asg-name", "web", "--yes", "--approved-plan", digest).exit_code == 0


@pytest.mark.parametrize("digest", ["xyz", "d92f6f1", "g" * 16, "d92f6f13" * 9])
def test_name_that_is_no_digest_is_bad_input(terminal: Terminal, digest: str) -> None:
    """Before anything is asked."""
    for command in ("plan", "start"):
        result = terminal.run(command, "--all-nodes", "--approved-plan", digest)
        assert result.exit_code == 2
        assert result.stderr.startswith("Error: --approved-plan must be a plan digest, 16 hexadecimal digits or more, ")
    assert not terminal.sim.control.requests()


def test_a_plan_that_is_not_approved_says_so_after_some_nodes_have_moved(terminal: Terminal) -> None:
    """A command has no record of where moved nodes went: nothing but the plan of today can be approved."""
    assert terminal.run("start", "--asg-name", "web", "--yes", "--wait").exit_code == 0
    data = terminal.json("plan", "--all-nodes", "--approved-plan", "0" * 16)
    assert data["refusal"] is not None
    for command in (("plan", "--detailed-exitcode"), ("start", "--yes")):
        result = terminal.run(*command, "--all-nodes", "--approved-plan", "0" * 16)
        assert result.exit_code == 4
        assert f"Warning: Plan {data['plan_digest']} (" in result.stdout
        assert f"is not the approved plan {'0' * 16}" in result.stdout
    assert result.stderr.endswith("[plan-not-approved]\n")
    approved = terminal.run("plan", "--all-nodes", "--approved-plan", data["plan_digest"], "--detailed-exitcode")
    assert (approved.exit_code, "not the approved" in approved.output) == (7, False)


def test_a_required_approval_binds(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing starts without the digest."""
    monkeypatch.setenv("OCEAN_MIGRATION_REQUIRE_APPROVAL", "true")
    digest = terminal.json("plan", "--asg-name", "web")["plan_digest"]
    refused = terminal.run("start", "--asg-name", "web", "--yes")
    assert refused.exit_code == 4
    assert f"plan {digest} is not approved: review it and pass its digest to --approved-plan" in refused.stderr
    assert terminal.run("start", "--asg-name", "web", "--yes", "--approved-plan", digest[:16]).exit_code == 0


def test_stop(terminal: Terminal) -> None:
    """Waits for the end; what it terminates must be asked for."""
    terminal.json("start", "--asg-name", "web", "--yes")
    result = terminal.run("stop")
    assert result.exit_code == 0
    migration = terminal.sim.control.migrations(terminal.ocean_id)[0]
    assert result.stdout.startswith(f"Migration {migration['id']}: STOPPED, ")
    assert terminal.sim.control.requests(method="PUT")[0]["body"] == {
        "migration": {"state": "STOPPED", "shouldTerminateDrainedNodes": False}
    }
    again = terminal.run("stop", migration["id"])
    assert again.exit_code == 0
    assert again.stderr == f"Migration {migration['id']} has already ended\n"
    none = terminal.run("stop")
    assert none.exit_code == 6
    assert "no running migration" in none.stderr


def test_stop_without_waiting_and_with_termination(terminal: Terminal) -> None:
    """One PUT, and what it says."""
    terminal.sim.control.hold(terminal.ocean_id)
    terminal.json("start", "--asg-name", "web", "--yes")
    data = terminal.json("stop", "--no-wait", "--terminate-drained")
    assert data["status"] == "STOPPING"
    puts = terminal.sim.control.requests(method="PUT")
    assert [put["body"]["migration"]["shouldTerminateDrainedNodes"] for put in puts] == [True]


@pytest.mark.parametrize("command", ["plan", "start", "stop", "doctor"])
def test_an_account_is_needed(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """The service would take the oldest one without a word."""
    monkeypatch.delenv("SPOTINST_ACCOUNT")
    result = terminal.run(command, *(["--all-nodes"] if command in {"plan", "start"} else []))
    assert result.exit_code == 2
    assert "no Spot account: use --account" in result.stderr


def test_a_start_that_is_repeated_after_a_kill_finds_the_first_one(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although the list lags: it neither starts a second migration nor says that there is nothing to migrate."""
    control = terminal.sim.control
    killed = control.start_foreign_migration(
        terminal.ocean_id,
        [node["instance_id"] for node in control.nodes(terminal.ocean_id) if node["asg_name"] == "web"],
    )
    control.quirk("list_lag", "86400s")
    control.clock(speed=5)
    monkeypatch.setenv("OCEAN_MIGRATION_POLL_INTERVAL", "0.1")
    late = threading.Timer(1.0, lambda: control.quirk("list_lag", "0s"))
    late.start()
    try:
        found = terminal.run("start", "--asg-name", "web", "--yes")
    finally:
        late.join()
    assert found.exit_code == 4, found.output
    assert f"migration {killed} is already running" in found.stderr
    assert control.requests(method="POST") == []
