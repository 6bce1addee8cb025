"""The program and its commands, each of which is imported when it is used."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import click

from ocean_migration_pulumi.cli.console import require_output
from ocean_migration_pulumi.cli.exit_codes import CANCELLED, exit_code
from ocean_migration_pulumi.cli.output import say
from ocean_migration_pulumi.common.installation import install_command
from ocean_migration_pulumi.common.text import nearest_name, one_line
from ocean_migration_pulumi.errors import NoAnswerError, OceanMigrationError, OperationCancelled, ServiceError, add_code

COMMANDS: Final[Mapping[str, str]] = {
    "clusters": "List the Ocean clusters of the account.",
    "candidates": "List the nodes that can be migrated.",
    "plan": "Show what a migration would do.",
    "start": "Start a migration.",
    "status": "Show the status of a migration.",
    "watch": "Show a live dashboard of a migration.",
    "wait": "Wait for a migration to end.",
    "stop": "Stop a migration.",
    "explain": "Explain why a migration failed or stalled.",
    "report": "Report on a migration.",
    "pending": "List the migrations of a stack that are not done.",
    "history": "List the migrations of a cluster.",
    "nodes": "List the nodes that Ocean runs.",
    "logs": "Show the log of a cluster.",
    "doctor": "Run all pre-flight checks of a cluster.",
    "comment": "Render a preview as a pull request comment.",
    "simulator": "Serve a simulated Spot API on this machine.",
    "config": "Show the settings and their sources.",
    "completion": "Print the shell completion script.",
}
"""What each command does, in the order of the help."""

MAINTAINER_COMMANDS: Final[Mapping[str, str]] = {
    "api-check": "Compare Spot's API with its documentation.",
}
"""The commands that only maintainers of this package need; the help lists them last."""

_FOLDERS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("plan", "start", "watch", "wait", "stop"), "cli.commands.migrate"),
    **dict.fromkeys(("comment", "doctor", "config", "completion", "api-check"), "cli.commands.setup"),
}
"""Where the module of a command is, if not in ``cli.commands.inspect``; it has the command's name."""

_EXTRA: Final = ("starlette", "trustme", "uvicorn")
_WHOLE_HYPHEN: Final = "\N{NON-BREAKING HYPHEN}"
_OUTAGES: Final = (NoAnswerError, ServiceError)

_EPILOG: Final = """\b
Example:
  export SPOTINST_TOKEN=... SPOTINST_ACCOUNT=act-123abcd
  ocean-migration plan --cluster shop --asg-name 'web*'
  ocean-migration start --cluster shop --asg-name 'web*' --watch

\b
Exit status:
  0  success
  1  error
  2  invalid usage or settings
  3  token refused
  4  migration failed, was stopped, or cannot start
  6  cluster or migration does not exist
  7  `plan --detailed-exitcode`: nodes to migrate; `pending`: a migration is not done
  8  interrupted or declined
  9  timed out or stalled
  141  the reader of stdout has gone, such as `head`
"""


class NearestChoice(click.Choice[str]):
    """A choice that suggests the nearest value for one that does not exist, or lists all."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """Return the message for a value that is not among the choices."""
        choices = {choice.lower(): choice for choice in self.choices}
        nearest = nearest_name(str(value).lower(), choices)
        if nearest is None:
            return f"{value!r} is not one of {', '.join(map(repr, self.choices))}."
        return f"{value!r} does not exist; did you mean {choices[nearest]!r}?"

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        """Return the message for a choice that was not given, in one line."""
        return f"Choose from: {', '.join(self.choices)}."


class _HelpFormatter(click.HelpFormatter):
    """A formatter that breaks no option, such as ``--terminate-drained``, at its hyphens."""

    def write_text(self, text: str) -> None:
        """Write a paragraph."""
        with self._whole_hyphens():
            super().write_text(text.replace("-", _WHOLE_HYPHEN))

    def write_dl(self, rows: Iterable[tuple[str, str]], *args: Any, **more: Any) -> None:
        """Write options or commands with their meaning."""
        with self._whole_hyphens():
            super().write_dl([(name, text.replace("-", _WHOLE_HYPHEN)) for name, text in rows], *args, **more)

    @contextmanager
    def _whole_hyphens(self) -> Iterator[None]:
        """Turn what is written with hyphens that allow no break into plain ones."""
        start = len(self.buffer)
        yield
        self.buffer[start:] = [part.replace(_WHOLE_HYPHEN, "-") for part in self.buffer[start:]]


class _Context(click.Context):
    formatter_class = _HelpFormatter


class Commands(click.Group):
    """A group that loads its commands late, and turns errors into one line and an exit status."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the help."""
        return [*COMMANDS, *MAINTAINER_COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command; None for an unknown name."""
        if cmd_name not in COMMANDS and cmd_name not in MAINTAINER_COMMANDS:
            return None
        module = f"{_FOLDERS.get(cmd_name, 'cli.commands.inspect')}.{cmd_name.replace('-', '_')}"
        if cmd_name == "simulator":
            if missing := [name for name in _EXTRA if find_spec(name) is None]:
                return _unavailable(cmd_name, missing)
            module = "testing.simulator.server.command"
        found: click.Command = import_module(f"ocean_migration_pulumi.{module}").command
        found.context_class = _Context
        for parameter in found.params:
            if isinstance(parameter.type, click.Choice):
                parameter.type = NearestChoice(parameter.type.choices, parameter.type.case_sensitive)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name; suggest the nearest one for a name that does not exist."""
        names = self.list_commands(ctx)
        name = args[0]
        if name not in names and not name.startswith("-") and not ctx.resilient_parsing:
            nearest = nearest_name(name, names)
            hint = f"Did you mean '{nearest}'?" if nearest else f"Commands: {', '.join(names)}."
            ctx.fail(f"No such command '{name}'. {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading them."""
        for heading, commands in (("Commands", COMMANDS), ("For maintainers", MAINTAINER_COMMANDS)):
            with formatter.section(heading):
                formatter.write_dl(list(commands.items()))

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the program: an output that cannot be written ends it in one line, that of help and completion too."""
        with require_output():
            return super().main(*args, **extra)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the arguments, among which `--help` prints."""
        with require_output():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an error of ours, and Ctrl-C, end it in one line."""
        with require_output():
            return self._invoke(ctx)

    def _invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (OceanMigrationError, OperationCancelled) as error:
            again = "; try again" if isinstance(error, _OUTAGES) else ""
            say(f"Error: {add_code(one_line(str(error)) + again, error)}")
            sys.exit(exit_code(error))
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            sys.exit(CANCELLED)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=_EPILOG)
@click.version_option(package_name="ocean-migration", prog_name="ocean-migration")
def main() -> None:
    """Migrate Kubernetes workloads into Spot Ocean.

    Works with every migration of a cluster, whether a Pulumi program, this command or the Spot console started it.
    Token and account come from SPOTINST_TOKEN and SPOTINST_ACCOUNT, or from the credentials file.
    """


def _unavailable(name: str, missing: list[str]) -> click.Command:
    @click.command(name, help=f"{COMMANDS[name]} Requires the extra `simulator`.")
    def unavailable() -> None:
        packages = ", ".join(missing)
        msg = f"`{name}` requires {packages}, not installed: run `{install_command('simulator')}`"
        raise click.ClickException(msg)

    return unavailable
