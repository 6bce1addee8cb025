"""The command ``ocean-migration comment``."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import BinaryIO, Final

import click

from ocean_migration_pulumi.cli.output import OutputFile
from ocean_migration_pulumi.errors import InputError, add_code

UNREADABLE: Final = 2
"""Exit status for input that is not a preview, and for a preview file that cannot be read."""

NOT_JUDGED: Final = 1
"""Exit status of ``--require-approved`` when the preview does not tell whether everything is approved."""

NOT_APPROVED: Final = 4
"""Exit status of ``--require-approved`` when something is not approved."""

_MARKER: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/]|-(?!-))*")

_EPILOG: Final = """\b
Example:
  export OCEAN_MIGRATION_PREVIEW_FILE="$PWD/preview.jsonl"
  pulumi preview --json > preview.json
  ocean-migration comment preview.json --title "production" > comment.md

\b
Exit status:
  0  the comment was written
  1  with --require-approved: the preview failed, or a plan is not known
  2  the input is not a preview, or a preview file cannot be read
  4  with --require-approved: a migration would start whose plan is not approved
"""


def _marker(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if len(value) > 100 or _MARKER.fullmatch(value) is None:
        msg = "use 1 to 100 letters, digits, dots, underscores, slashes, and single hyphens"
        raise click.BadParameter(msg, context, parameter)
    return value


@click.command("comment", epilog=_EPILOG)
@click.argument("file", type=click.File("rb"), default="-")
@click.option(
    "--preview-file",
    "preview_files",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    multiple=True,
    envvar="OCEAN_MIGRATION_PREVIEW_FILE",
    show_envvar=True,
    help="File with the details of the preview; may be repeated. Without it, the comment shows the plain messages.",
)
@click.option(
    "--output",
    type=OutputFile(),
    metavar="FILE",
    help="Write to this file instead of stdout.",
)
@click.option(
    "--title", metavar="TITLE", default=None, help="A line below the verdict, such as the stack or the commit."
)
@click.option(
    "--marker",
    default="default",
    show_default=True,
    metavar="NAME",
    callback=_marker,
    help="Name in the hidden first line: use one per stack.",
)
@click.option(
    "-o",
    "--format",
    "platform",
    type=click.Choice(["github", "gitlab"]),
    default="github",
    show_default=True,
    help="Keep the comment below the maximum length of this platform.",
)
@click.option(
    "--preview-status",
    type=int,
    default=0,
    metavar="STATUS",
    show_default=True,
    help="Exit status of `pulumi preview`: some failures are not in its JSON.",
)
@click.option(
    "--require-approved", is_flag=True, help="Exit with 4 or 1 unless everything that would start is approved."
)
def command(
    file: BinaryIO,
    preview_files: tuple[Path, ...],
    output: Path | None,
    title: str | None,
    marker: str,
    platform: str,
    preview_status: int,
    require_approved: bool,
) -> None:
    """Render a preview as a comment for a pull request.

    Reads the output of `pulumi preview --json` from FILE or stdin and prints Markdown. Needs no token and no network.
    The first line is hidden and always the same, so that a pipeline can find the comment and update it.
    """
    from ocean_migration_pulumi.report.pull_request.comment import LIMITS, render_comment, render_missing_preview
    from ocean_migration_pulumi.report.pull_request.preview import parse_preview
    from ocean_migration_pulumi.report.pull_request.verdict import assess_migration, is_judged, is_refused
    from ocean_migration_pulumi.resource.preview_file import PreviewRecord, read_previews

    status = 0
    records: dict[str, PreviewRecord] = {}
    for path in preview_files:
        try:
            # Nobody wrote the file if the preview failed early, or has no migration.
            records |= read_previews(path) if path.exists() else {}
        except InputError as error:
            click.echo(f"Error: {add_code(str(error), error)}", err=True)
            status = UNREADABLE
    try:
        preview = parse_preview(file.read().decode("utf-8-sig", "replace"), records, status=preview_status)
    except InputError as error:
        click.echo(f"Error: {add_code(str(error), error)}", err=True)
        text, status = render_missing_preview(str(error), name=marker, title=title), UNREADABLE
    else:
        assessments = [assess_migration(migration) for migration in preview.migrations]
        text = render_comment(preview, assessments, name=marker, title=title, limit=LIMITS[platform])
        if require_approved and is_refused(assessments):
            click.echo("Error: not everything that would start is approved; see the comment", err=True)
            status = NOT_APPROVED
        elif require_approved and not is_judged(preview, assessments):
            click.echo("Error: the preview failed, or a plan is not known yet; see the comment", err=True)
            status = status or NOT_JUDGED
    if output is None:
        click.echo(text.encode(), nl=False)
        sys.exit(status)
    try:
        output.write_bytes(text.encode())
    except OSError as error:
        raise click.ClickException(f"cannot write {output}: {error.strerror}") from None
    sys.exit(status)
