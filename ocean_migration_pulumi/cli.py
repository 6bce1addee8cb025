"""The ``ocean-migration`` command."""

from __future__ import annotations

from importlib.util import find_spec

import click

from ocean_migration_pulumi.report.command import command as _comment


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ocean-migration", prog_name="ocean-migration")
def main() -> None:
    """Migrate Kubernetes workloads into Spot Ocean."""


def _simulator() -> click.Command:
    missing = [name for name in ("starlette", "trustme", "uvicorn") if find_spec(name) is None]
    if not missing:
        from ocean_migration_pulumi.simulator.command import command

        return command

    @click.command("simulator", help="Run Spot's API on this machine (needs the extra `simulator`).")
    def unavailable() -> None:
        msg = f'{" and ".join(missing)} not installed: pip install "ocean-migration[simulator]"'
        raise click.ClickException(msg)

    return unavailable


main.add_command(_comment)
main.add_command(_simulator())
