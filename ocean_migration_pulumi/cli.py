"""The ``ocean-migration`` command."""

from __future__ import annotations

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ocean-migration", prog_name="ocean-migration")
def main() -> None:
    """Migrate Kubernetes workloads into Spot Ocean."""


def _simulator() -> click.Command:
    try:
        from ocean_migration_pulumi.simulator.command import command
    except ImportError as missing:
        if missing.name not in {"starlette", "trustme", "uvicorn"}:
            raise
        name = missing.name

        @click.command("simulator", help="Run Spot's API on this machine (needs the extra `simulator`).")
        def command() -> None:
            msg = f'{name} is not installed: pip install "ocean-migration[simulator]"'
            raise click.ClickException(msg)

    return command


main.add_command(_simulator())
