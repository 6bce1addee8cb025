"""The comment on a pull request: one preview as Markdown, the verdict first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ocean_migration_pulumi.common.text import count_with_verb
from ocean_migration_pulumi.report.markdown import code, fence, item, prose
from ocean_migration_pulumi.report.pull_request.layout import Part, Weight, fit
from ocean_migration_pulumi.report.pull_request.preview import ParsedPreview, PreviewOperation
from ocean_migration_pulumi.report.pull_request.sections import section
from ocean_migration_pulumi.report.pull_request.verdict import Judgement, sentence

LIMITS: Final[Mapping[str, int]] = {"github": 65_000, "gitlab": 950_000}
"""How many characters a comment may have, below what each platform takes: 65,536 and 1,000,000."""

_WORDS: Final[Mapping[str, str]] = {
    PreviewOperation.CREATE: "to create",
    PreviewOperation.REPLACE: "to replace",
    PreviewOperation.UPDATE: "to update",
    PreviewOperation.DELETE: "to delete",
}
_LINES: Final = 25  # of a traceback: its end says what went wrong


def marker(name: str) -> str:
    """Return the hidden first line, by which the comment is found and updated in place."""
    return f"<!-- ocean-migration:comment:{name} -->"


def render(
    preview: ParsedPreview,
    judgements: Sequence[Judgement],
    *,
    name: str,
    title: str | None = None,
    limit: int,
) -> str:
    """Return the comment, no longer than the limit (at least 10,000 characters); it ends with a line break.

    ``title`` says which stack or commit it is about; None leaves the line out.
    """
    head = [Part(rows=(f"{marker(name)}\n**{sentence(preview, judgements)}**",))]
    if title:
        head.append(Part(rows=(prose(title),)))
    head += _errors(preview)
    seen = [judgement for judgement in judgements if judgement.migration.operation is not PreviewOperation.UNTOLD]
    return fit(head, [section(judgement) for judgement in seen], [_others(preview)], limit - 1) + "\n"


def unreadable(problem: str, *, name: str, title: str | None = None) -> str:
    """Return the comment that stands in the place of an older one when there is no preview to tell of."""
    lines = [f"{marker(name)}\n**Not known: there is no preview.**", *([prose(title)] if title else [])]
    lines.append(f"{prose(problem[0].upper() + problem[1:])}. The log of the job says what went wrong.")
    return "\n\n".join(lines) + "\n"


def _errors(preview: ParsedPreview) -> list[Part]:
    errors = [*preview.errors, *((each.name, message) for each in preview.migrations for message in each.errors)]
    rows = tuple(_error(name, message) for name, message in errors)
    head = "**Why the preview failed**\n\n"
    return [Part(rows=rows, head=head, weight=Weight.ERROR, noun="error", most=20, between="\n\n")] if rows else []


def _error(name: str, message: str) -> str:
    whose = f"{code(name)}: " if name else ""
    lines = [line[:200] for line in message.splitlines()]
    if len(lines) < 2:
        return item(whose + prose(message))
    return f"{item(f'{whose}{prose(lines[-1])}')}\n\n{fence(chr(10).join(lines[-_LINES:]), 'text')}"


def _others(preview: ParsedPreview) -> Part:
    counts = [
        f"{preview.others[operation]} {word}" for operation, word in _WORDS.items() if operation in preview.others
    ]
    if not counts:
        return Part(rows=("Nothing else of the stack changes.",))
    total = sum(preview.others[operation] for operation in _WORDS if operation in preview.others)
    return Part(
        rows=(f"Of the rest of the stack, {count_with_verb(total, 'resource', 'change')}: {', '.join(counts)}.",)
    )
