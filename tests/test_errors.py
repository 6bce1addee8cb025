"""The tree of errors."""

from __future__ import annotations

import re

import pytest

from ocean_migration_pulumi import errors
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity


def classes() -> dict[str, type[Exception]]:
    """Return every class of the module by name."""
    found = {name: value for name, value in vars(errors).items() if isinstance(value, type)}
    return {name: value for name, value in found.items() if issubclass(value, Exception)}


def test_tree_drawn_in_docstring_equals_classes() -> None:
    """The docstring draws each class below its base, and no other."""
    drawn: dict[str, str | None] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"    ((?:[│ ]   )*)((?:├── |└── )?)([A-Z]\w+)\b", line)
        if match:
            depth = len(match[1]) // 4 + bool(match[2])
            path[depth:] = [match[3]]
            drawn[match[3]] = path[depth - 1] if depth else None
    actual = {name: None if kind.__base__ is Exception else kind.__base__.__name__ for name, kind in classes().items()}
    assert drawn == actual


def test_two_roots() -> None:
    """Whoever catches the root of the errors catches all of them, and no cancellation."""
    cancellations = {kind for kind in classes().values() if issubclass(kind, errors.OperationCancelled)}
    assert {kind for kind in classes().values() if not issubclass(kind, errors.OceanMigrationError)} == cancellations
    assert {errors.InterruptedWaitError, errors.EngineGoneError} < cancellations
    assert not any(issubclass(kind, errors.OceanMigrationError) for kind in cancellations)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (errors.InputError("limit", "'0' is not a count"), "limit: '0' is not a count"),
        (errors.ApiError("no", status=400), "no (HTTP 400)"),
        (errors.ApiError("no", status=400, code="C", request_id="r"), "no (HTTP 400, C, request r)"),
        (errors.RateLimitError("slow down", reset=3.0, request_id="r"), "slow down (HTTP 429, request r)"),
        (errors.RequestRejectedError("bad", status=400, code="V", field="body:x"), "bad (HTTP 400, V)"),
    ],
)
def test_text_is_one_line_with_marks(error: Exception, text: str) -> None:
    """An API error ends in what Spot's support asks for."""
    assert str(error) == text


def test_marks_are_kept() -> None:
    """A caller can decide on the parts without reading the text."""
    error = errors.RequestRejectedError("bad", status=400, code="V", request_id="r", field="body:x")
    assert (error.message, error.status, error.code, error.request_id, error.field) == ("bad", 400, "V", "r", "body:x")
    assert errors.RateLimitError("slow", reset=3.0).reset == 3.0
    assert errors.InputError("limit", "bad").property_name == "limit"


def test_line_ends_in_the_code_of_its_section() -> None:
    """The code is that of the kind of error, or of the only diagnostic behind it; a cancellation has none."""
    diagnostic = Diagnostic(code=Code.MIGRATION_LOST, severity=Severity.ERROR, subject="owm-1")
    assert errors.add_code("no", errors.StalledError("no")) == "no [stalled]"
    assert errors.add_code("no", errors.MigrationError("no", (diagnostic,))) == "no [migration-lost]"
    assert errors.add_code("no", errors.PrerequisiteError("no", (diagnostic, diagnostic))) == "no [check-failed]"
    assert errors.add_code("no", ValueError("no")) == "no [unexpected-error]"
    assert errors.add_code("interrupted", errors.InterruptedWaitError("interrupted")) == "interrupted"


def test_every_code_names_one_kind_of_error() -> None:
    """No two classes share a code, but for one that says more of the same."""
    kinds = [kind for kind in classes().values() if issubclass(kind, errors.OceanMigrationError)]
    codes = [kind.docs_code for kind in kinds if kind is not errors.UnknownFieldError]
    assert len(codes) == len(set(codes))
