"""The comment on a pull request: a preview as Markdown, the verdict first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ocean_migration_pulumi.common.text import count_with_verb
from ocean_migration_pulumi.report.markdown import code, fence, item, prose
from ocean_migration_pulumi.report.pull_request.layout import Part, Weight, fit_parts
from ocean_migration_pulumi.report.pull_request.preview import ParsedPreview, PreviewOperation
from ocean_migration_pulumi.report.pull_request.sections import build_section
from ocean_migration_pulumi.report.pull_request.verdict import Assessment, format_verdict

LIMITS: Final[Mapping[str, int]] = {"github": 65_000, "gitlab": 950_000}
"""Maximum width of a comment by platform, below what each accepts: 65,536 and 1,000,000 characters."""

_OTHERS: Final[Mapping[str, str]] = {
    PreviewOperation.CREATE: "to create",
    PreviewOperation.REPLACE: "to replace",
    PreviewOperation.UPDATE: "to update",
    PreviewOperation.DELETE: "to delete",
}
_ERROR_LINES: Final = 25  # the end of a traceback is what matters


def marker(name: str) -> str:
    """Return the hidden first line, by which a pipeline finds its comment."""
    return f"<!-- ocean-migration:comment:{name} -->"


def render_comment(
    preview: ParsedPreview,
    assessments: Sequence[Assessment],
    *,
    name: str,
    title: str | None = None,
    limit: int,
) -> str:
    """Return the comment as Markdown that ends with a line break.

    Args:
        preview: The whole preview.
        assessments: The assessment of each migration.
        name: Name in the marker.
        title: A line below the verdict, such as the stack or the commit; None for none.
        limit: Maximum width, at least 10,000.
    """
    head = [Part(rows=(f"{marker(name)}\n**{format_verdict(preview, assessments)}**",))]
    if title:
        head.append(Part(rows=(prose(title),)))
    head += _errors(preview)
    # Of a resource that the preview did not get to there is nothing to show but its error.
    sections = [build_section(each) for each in assessments if each.migration.operation is not PreviewOperation.UNKNOWN]
    return fit_parts(head, sections, [_others(preview)], limit - 1) + "\n"


def render_missing_preview(problem: str, *, name: str, title: str | None = None) -> str:
    """Return the comment that replaces an older one when there is no preview.

    Args:
        problem: What is wrong with the input.
        name: Name in the marker.
        title: A line below the verdict; None for none.
    """
    lines = [f"{marker(name)}\n**Unknown: there is no preview.**", *([prose(title)] if title else [])]
    lines.append(f"{prose(f'Error: {problem}')}. See the log of the job.")
    return "\n\n".join(lines) + "\n"


def _errors(preview: ParsedPreview) -> list[Part]:
    errors = [*preview.errors, *((each.name, message) for each in preview.migrations for message in each.errors)]
    rows = tuple(_error(name, message) for name, message in errors)
    head = "**Errors**\n\n"
    return [Part(rows=rows, head=head, weight=Weight.ERROR, noun="error", most=20, between="\n\n")] if rows else []


def _error(name: str, message: str) -> str:
    prefix = f"{code(name)}: " if name else ""
    lines = [line[:200] for line in message.splitlines()]
    if len(lines) < 2:
        return item(prefix + prose(message))
    return f"{item(f'{prefix}{prose(lines[-1])}')}\n\n{fence(chr(10).join(lines[-_ERROR_LINES:]), 'text')}"


def _others(preview: ParsedPreview) -> Part:
    counts = {words: preview.others[operation] for operation, words in _OTHERS.items() if operation in preview.others}
    if not counts:
        return Part(rows=("No other resources of the stack change.",))
    listed = ", ".join(f"{count} {words}" for words, count in counts.items())
    return Part(rows=(f"{count_with_verb(sum(counts.values()), 'other resource', 'change')}: {listed}.",))
