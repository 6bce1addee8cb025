"""What a preview found, by code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic

CHECKS = frozenset({Code.CHECK_FAILED, Code.CHECK_WARNING, Code.CHECK_UNKNOWN})


class HasDiagnostics(Protocol):
    """A preview, a forecast or an error."""

    @property
    def diagnostics(self) -> Iterable[Diagnostic]:
        """What was found."""


def with_code(found: HasDiagnostics, code: Code) -> list[Diagnostic]:
    """Return the diagnostics with a code."""
    return [diagnostic for diagnostic in found.diagnostics if diagnostic.code is code]


def fields_of(found: HasDiagnostics, code: Code) -> list[dict[str, Any]]:
    """Return the fields of the diagnostics with a code."""
    return [dict(diagnostic.fields) for diagnostic in with_code(found, code)]


def codes_of(found: HasDiagnostics) -> set[str]:
    """Return the codes of all diagnostics."""
    return {str(diagnostic.code) for diagnostic in found.diagnostics}


def findings_of(found: HasDiagnostics) -> dict[str, Code | str]:
    """Return what the checks that did not pass have found, with the code of each."""
    return {
        diagnostic.fields["finding"]: diagnostic.code for diagnostic in found.diagnostics if diagnostic.code in CHECKS
    }
