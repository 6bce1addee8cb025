"""The command ``ocean-migration comment``."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import BinaryIO, Final

import click

from ocean_migration_pulumi.errors import InputError

NOT_A_PREVIEW: Final = 2
"""The exit status for input that is no preview."""

NOT_APPROVED: Final = 4
"""The exit status when ``--require-approved`` finds something that was not approved."""

_MARKER: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/]|-(?!-))*")

_EPILOG: Final = """\b
Example:
  pulumi preview --json > preview.json
  ocean-migration comment preview.json --title "production" > comment.md

\b
Exit status:
  0  the comment was printed
  2  the input is no preview; the comment says so
  4  with --require-approved: a migration would start without an approved plan,
     or the preview failed
"""


def _marker(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if len(value) > 100 or _MARKER.fullmatch(value) is None:
        msg = "give at most 100 letters, digits, dots, underscores, slashes and single hyphens"
        raise click.BadParameter(msg, context, parameter)
    return value


@click.command("comment", epilog=_EPILOG)
@click.argument("file", type=click.File("rb"), default="-")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    default=None,
    help="Write to this file and not to stdout.",
)
@click.option("--title", default=None, help="A line below the verdict: which stack, which commit.")
@click.option(
    "--marker",
    default="default",
    show_default=True,
    metavar="NAME",
    callback=_marker,
    help="Tells the comments of several stacks in one pull request apart.",
)
@click.option(
    "--format",
    "platform",
    type=click.Choice(["github", "gitlab"]),
    default="github",
    show_default=True,
    help="Whose limit the length keeps below.",
)
@click.option(
    "--preview-status",
    type=int,
    default=0,
    metavar="STATUS",
    help="The exit status of `pulumi preview`: not all that makes it fail is in its JSON.",
)
@click.option("--require-approved", is_flag=True, help="Exit with 4 unless all that would start was approved.")
def command(
    file: BinaryIO,
    output: Path | None,
    title: str | None,
    marker: str,
    platform: str,
    preview_status: int,
    require_approved: bool,
) -> None:
    """Turn a preview into the comment on a pull request.

    Reads what `pulumi preview --json` printed from FILE or stdin, and prints Markdown. Needs no token and no network.
    The first line is hidden and always the same, so that the comment can be found and updated in place.
    """
    from ocean_migration_pulumi.report.pull_request.comment import LIMITS, render, unreadable
    from ocean_migration_pulumi.report.pull_request.preview import parse_preview
    from ocean_migration_pulumi.report.pull_request.verdict import is_approved_whole, judge_migration

    status = 0
    try:
        preview = parse_preview(file.read().decode("utf-8-sig", "replace"), status=preview_status)
    except InputError as error:
        click.echo(f"Error: {error}", err=True)
        text, status = unreadable(error.message, name=marker, title=title), NOT_A_PREVIEW
    else:
        judgements = [judge_migration(migration) for migration in preview.migrations]
        text = render(preview, judgements, name=marker, title=title, limit=LIMITS[platform])
        if require_approved and not is_approved_whole(preview, judgements):
            click.echo("Error: not all that would start was approved; the comment says what", err=True)
            status = NOT_APPROVED
    try:
        if output is None:
            click.echo(text.encode(), nl=False)
        else:
            output.write_bytes(text.encode())
    except OSError as error:
        msg = f"cannot write {output or 'to stdout'}: {error.strerror}"
        raise click.ClickException(msg) from None
    sys.exit(status)
