"""The ``ocean-migration`` command."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from importlib.metadata import version

import pytest
from click.testing import CliRunner

from ocean_migration_pulumi import cli, errors
from ocean_migration_pulumi.cli.app import COMMANDS, MAINTAINER_COMMANDS
from ocean_migration_pulumi.cli.context_options import interruptible
from ocean_migration_pulumi.cli.exit_codes import exit_code
from ocean_migration_pulumi.common.installation import install_command
from tests.cli.conftest import Terminal
from tests.support.timing import PATIENCE

ALL_COMMANDS = {**COMMANDS, **MAINTAINER_COMMANDS}


def test_help_names_the_commands() -> None:
    """By either flag."""
    for flag in ("-h", "--help"):
        result = CliRunner().invoke(cli.main, [flag])
        assert result.exit_code == 0
        for name, text in ALL_COMMANDS.items():
            assert f"  {name} " in result.output
            assert text in " ".join(result.output.split())
        assert result.output.index("\nFor maintainers:\n  api-check ") > result.output.index("  completion ")


@pytest.mark.parametrize("name", ALL_COMMANDS)
def test_the_help_of_each_command_shows_an_example(name: str) -> None:
    """That begins with the command itself."""
    result = CliRunner().invoke(cli.main, [name, "--help"])
    assert result.exit_code == 0
    example = result.output.partition("Example:\n")[2]
    assert f"ocean-migration {name}" in example


@pytest.mark.parametrize("name", ALL_COMMANDS)
def test_the_help_names_no_type_of_the_parser(name: str) -> None:
    """Each value has a name that says what it is, and choices are written as the examples write them."""
    output = CliRunner().invoke(cli.main, [name, "--help"]).output
    assert not re.search(r" (INTEGER|FLOAT|TEXT|PATH|FILENAME|BOOLEAN)\b| RANGE\b", output)
    if name == "logs":
        assert "--severity ALL|INFO|DEBUG|WARN|ERROR" in output


WITHOUT_SERVICE = {"comment", "pending", "simulator", "completion"}
"""The commands that ask no service for anything."""


@pytest.mark.parametrize("name", [name for name in ALL_COMMANDS if name not in WITHOUT_SERVICE])
def test_every_command_takes_the_same_options(name: str) -> None:
    """Which cluster, which account, which profile, which service, and where to record."""
    output = CliRunner().invoke(cli.main, [name, "--help"]).output
    for option in ("--cluster", "--account", "--profile", "--base-url", "--record"):
        assert f"  {option} " in output


def test_the_exit_status_of_each_error() -> None:
    """As Pulumi documents them for its own command."""
    expected = {
        errors.InputError("nodes", "is required"): 2,
        errors.MissingTokenError("no token"): 2,
        errors.AuthenticationError("refused", status=401): 3,
        errors.PermissionDeniedError("denied", status=403): 1,
        errors.NoAnswerError("silence"): 1,
        errors.MigrationFailedError("failed"): 4,
        errors.PrerequisiteError("not met"): 4,
        errors.ClusterBusyError("busy"): 4,
        errors.InterruptedWaitError("interrupted"): 8,
        errors.DeadlineError("late"): 9,
        errors.StalledError("still"): 9,
        errors.UnheardError("silence"): 9,
    }
    assert {error: exit_code(error) for error in expected} == expected


def test_nothing_heavy_is_loaded_for_the_help() -> None:
    """A shell that completes asks often."""
    code = (
        "import sys\nfrom ocean_migration_pulumi.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n"
        "    pass\nprint([name for name in ('httpx', 'pulumi', 'rich', 'starlette', 'grpc') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.stdout.splitlines()[-1] == "[]"


def test_the_first_signal_ends_what_waits_and_the_second_the_program() -> None:
    """However often somebody presses Ctrl-C, the handlers of before come back."""
    ended = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    with interruptible(ended):
        signal.raise_signal(signal.SIGINT)
        assert ended.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_command_that_ignores_a_closed_terminal_waits_on() -> None:
    """As nohup wants it; without it, a closed terminal ends what waits."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        ended = threading.Event()
        with interruptible(ended):
            signal.raise_signal(signal.SIGHUP)
            assert not ended.is_set()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        with interruptible(ended):
            signal.raise_signal(signal.SIGHUP)
            assert ended.is_set()
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def complete(words: str) -> list[str]:
    """Return what bash is told for a line of which the last word is incomplete."""
    variables = {
        "_OCEAN_MIGRATION_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    result = CliRunner().invoke(
        cli.main, [], env=variables, prog_name="ocean-migration", complete_var="_OCEAN_MIGRATION_COMPLETE"
    )
    return [line.partition(",")[2] for line in result.stdout.splitlines() if line]


def test_completion_of_commands_and_options() -> None:
    """Without asking anybody."""
    assert complete("ocean-migration ca") == ["candidates"]
    assert "--detailed-exitcode" in complete("ocean-migration plan --d")


def test_completion_of_clusters_and_migrations(terminal: Terminal) -> None:
    """By id and name; of the cluster that is named, and with nothing but GETs."""
    terminal.sim.control.hold(terminal.ocean_id)
    node = terminal.sim.control.nodes(terminal.ocean_id)[0]["instance_id"]
    migration = terminal.sim.control.start_foreign_migration(terminal.ocean_id, [node])
    assert complete("ocean-migration status --cluster d") == ["demo"]
    assert complete(f"ocean-migration status --cluster {terminal.ocean_id[:4]}") == [terminal.ocean_id]
    assert complete("ocean-migration status --cluster demo owm-") == [migration]
    assert {entry["method"] for entry in terminal.sim.control.requests()} == {"GET"}


def test_completion_without_a_service_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell shows nothing, and no error."""
    monkeypatch.setenv("SPOTINST_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("SPOTINST_TOKEN", "none")
    assert complete("ocean-migration status --cluster o-") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(shell: str) -> None:
    """For each shell one that calls this command."""
    result = CliRunner().invoke(cli.main, ["completion", shell])
    assert result.exit_code == 0
    assert f"_OCEAN_MIGRATION_COMPLETE={shell}_complete" in result.output


def test_version_is_that_of_the_distribution() -> None:
    """In one line that a script can read."""
    assert (
        CliRunner().invoke(cli.main, ["--version"]).output == f"ocean-migration, version {version('ocean-migration')}\n"
    )


def test_unknown_command_is_a_mistake_of_the_user() -> None:
    """Exit status 2, as of any command."""
    result = CliRunner().invoke(cli.main, ["migrate"])
    assert result.exit_code == 2
    assert "No such command" in result.output


def test_simulator_runs_as_a_module_until_it_is_asked_to_end() -> None:
    """Its first line is the address of a service that answers."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ocean_migration_pulumi", "simulator", "--nodes", "3"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with pytest.raises(urllib.error.HTTPError) as caught:
            opener.open(f"{url}/ocean/aws/k8s/cluster", timeout=PATIENCE)
        caught.value.close()
        assert caught.value.code == 401
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("package", ["starlette", "uvicorn", "trustme"])
def test_simulator_without_its_extra_says_what_to_install(package: str) -> None:
    """The command is there, and tells how to get it working."""
    code = (
        f"import sys; sys.modules[{package!r}] = None\nfrom ocean_migration_pulumi.cli import main\nmain(['simulator'])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    command = install_command("simulator")
    assert result.stderr == f"Error: `simulator` requires {package}, not installed: run `{command}`\n"
