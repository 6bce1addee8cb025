"""The ``ocean-migration`` command."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.error
import urllib.request
from importlib.metadata import version

import pytest
from click.testing import CliRunner

from ocean_migration_pulumi import cli


def test_help_names_the_commands() -> None:
    """By either flag."""
    for flag in ("-h", "--help"):
        result = CliRunner().invoke(cli.main, [flag])
        assert result.exit_code == 0
        assert "simulator" in result.output


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
            opener.open(f"{url}/ocean/aws/k8s/cluster", timeout=10)
        caught.value.close()
        assert caught.value.code == 401
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
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
    assert result.stderr == f'Error: {package} not installed: pip install "ocean-migration[simulator]"\n'
