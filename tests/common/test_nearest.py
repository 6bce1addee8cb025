"""The nearest name, and options that suggest it."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from ocean_migration_pulumi.common.nearest_choice import NearestChoice
from ocean_migration_pulumi.common.text import nearest_name


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ("batch_size", "batch_size_percentage"),
        ("batchSizePercentage", "batch_size_percentage"),
        ("force", "force_pod_eviction"),
        ("pdb", None),
        ("timeout", None),
        ("", None),
        ("__", None),
    ],
)
def test_nearest_name(given: str, nearest: str | None) -> None:
    """The most similar one, else the only one that has all words; nothing is guessed among several."""
    names = ["batch_size_percentage", "force_pod_eviction", "long_settle_timeout_of_it", "long_stall_timeout_of_it"]
    assert nearest_name(given, names) == nearest


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("eror", "'eror' does not exist; did you mean 'ERROR'?"),
        ("INF", "'INF' does not exist; did you mean 'INFO'?"),
        ("x", "'x' is not one of"),
        ("", "'' is not one of"),
    ],
)
def test_choice_suggests_the_nearest(given: str, message: str) -> None:
    """In the spelling of the choices; without a near one, all are listed."""

    @click.command()
    @click.option("--severity", type=NearestChoice(["ALL", "INFO", "ERROR"], case_sensitive=False))
    def command(severity: str) -> None:
        click.echo(severity)

    done = CliRunner().invoke(command, ["--severity", given])
    assert done.exit_code == 2
    assert message in done.output
    assert CliRunner().invoke(command, ["--severity", "info"]).output == "INFO\n"
