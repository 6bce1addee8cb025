"""The text of diagnostics and checks: one template for each code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ocean_migration_pulumi.common.text import count_noun
from ocean_migration_pulumi.migration.checks.check_result import CheckResult
from ocean_migration_pulumi.migration.planning.text import (
    budgets_text,
    downtime_text,
    health_text,
    outcomes_text,
    plan_text,
    pods_text,
)
from ocean_migration_pulumi.migration.planning.text.checks_text import CheckText, describe_finding
from ocean_migration_pulumi.migration.planning.text.gaps_text import expand_gap
from ocean_migration_pulumi.migration.planning.text.templates import Fields, NamingTemplate, Template, clean
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic
from ocean_migration_pulumi.migration.spec.vocabulary import INPUTS, Vocabulary

_HEADS: Final[Mapping[str, str]] = {
    Code.CHECK_FAILED: "Check failed",
    Code.CHECK_WARNING: "Check warning",
    Code.CHECK_UNKNOWN: "Not checked",
}


def render(diagnostic: Diagnostic, vocabulary: Vocabulary = INPUTS) -> str:
    """Return the text of a diagnostic, without the head that tells its kind.

    What only a newer version can render comes back as that version wrote it.
    """
    try:
        subject, fields = clean(diagnostic.subject), expand_gap(clean(diagnostic.fields), vocabulary)
        if naming := _NAMING_TEMPLATES.get(diagnostic.code):
            return naming(subject, fields, vocabulary)
        if template := _TEMPLATES.get(diagnostic.code):
            if isinstance(template, str):
                return template.format_map({"subject": subject, **fields})
            return template(subject, fields)
        return diagnostic.text or str(diagnostic.code)
    except (KeyError, TypeError, ValueError):
        if diagnostic.text:
            return diagnostic.text
        raise


def render_line(diagnostic: Diagnostic, vocabulary: Vocabulary = INPUTS) -> str:
    """Return the text of a diagnostic as a line of its own: blockers, downtime and checks say what they are."""
    text = render(diagnostic, vocabulary)
    if diagnostic.is_blocker:
        return f"Blocked: {text}"
    if diagnostic.code == Code.DOWNTIME:
        return f"Downtime: {text}"
    head = _HEADS.get(diagnostic.code)
    return text if head is None else f"{head} ({clean(diagnostic.subject)}): {text}"


def render_check(check_result: CheckResult, vocabulary: Vocabulary = INPUTS) -> CheckText:
    """Return what a check found, and what to do about it."""
    return describe_finding(check_result.finding, expand_gap(clean(check_result.fields), vocabulary), vocabulary)


def render_cause(diagnostic: Diagnostic, vocabulary: Vocabulary = INPUTS) -> str:
    """Return why there is no plan, of an ``UNPLANNED`` diagnostic, as a part of a sentence."""
    return plan_text.describe_cause(expand_gap(clean(diagnostic.fields), vocabulary), vocabulary)


def _check(_: str, fields: Fields, vocabulary: Vocabulary) -> str:
    return describe_finding(fields["finding"], fields, vocabulary).line


_TEMPLATES: Final[Mapping[str, Template]] = {
    **plan_text.TEMPLATES,
    **pods_text.TEMPLATES,
    **budgets_text.TEMPLATES,
    **downtime_text.TEMPLATES,
    **outcomes_text.TEMPLATES,
    **health_text.TEMPLATES,
    Code.CHECKS_PASSED: lambda _, fields: f"{count_noun(len(fields['names']), 'check')} passed",
    Code.PREVIEW_FILE_NOT_WRITTEN: "Cannot write the file that OCEAN_MIGRATION_PREVIEW_FILE names: {reason}",
}

_NAMING_TEMPLATES: Final[Mapping[str, NamingTemplate]] = {
    **plan_text.NAMING_TEMPLATES,
    **pods_text.NAMING_TEMPLATES,
    **budgets_text.NAMING_TEMPLATES,
    **downtime_text.NAMING_TEMPLATES,
    **outcomes_text.NAMING_TEMPLATES,
    Code.CHECK_FAILED: _check,
    Code.CHECK_WARNING: _check,
    Code.CHECK_UNKNOWN: _check,
}
