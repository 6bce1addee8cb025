"""``ocean-migration completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from ocean_migration_pulumi.cli.output import examples


@click.command(
    "completion",
    epilog=examples(
        "ocean-migration completion bash > ~/.local/share/bash-completion/completions/ocean-migration",
        'ocean-migration completion zsh > "${fpath[1]}/_ocean-migration"',
        "ocean-migration completion fish > ~/.config/fish/completions/ocean-migration.fish",
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the script with which a shell completes commands, options, and ids of clusters and migrations.

    To complete ids, the script asks Spot for at most two seconds, with the token and account of the environment.
    """
    found = get_completion_class(shell)
    if found is None:
        raise click.ClickException(f"unknown shell {shell}")
    program = found(context.find_root().command, {}, "ocean-migration", "_OCEAN_MIGRATION_COMPLETE")
    # Not `.source()`: for bash it runs the bash of this machine, and the script may be for another one.
    click.echo(program.source_template % program.source_vars())
