"""A diagnostic is plain data that comes back as it was."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3), max_leaves=5
)
diagnostics = st.builds(
    Diagnostic,
    code=st.sampled_from(Code) | st.text(min_size=1),
    severity=st.sampled_from(Severity),
    subject=st.text(),
    fields=st.dictionaries(st.text(), values, max_size=4),
    text=st.text(),
)


@given(diagnostics)
def test_diagnostic_survives_json(diagnostic: Diagnostic) -> None:
    """Whatever the names hold, with the text that it was rendered to."""
    found = Diagnostic.from_json(json.loads(json.dumps(diagnostic.to_json())))
    assert found == diagnostic
    assert hash(found) == hash(diagnostic)
    assert found.text == diagnostic.text


@pytest.mark.parametrize("data", [{}, {"fields": [1], "severity": 7}])
def test_damaged_record_is_a_warning_of_no_known_code(data: dict[str, object]) -> None:
    """It is never taken for good news."""
    found = Diagnostic.from_json(data)
    assert (found.severity, found.fields, found.is_blocker) == (Severity.WARNING, {}, False)


def test_what_is_forced_blocks_nothing() -> None:
    """A budget that is overridden kills pods; it does not hold them."""
    held = Diagnostic(code=Code.PDB_BLOCKS, severity=Severity.WARNING, fields={"forced": False})
    forced = Diagnostic(code=Code.PDB_BLOCKS, severity=Severity.WARNING, fields={"forced": True})
    assert held.is_blocker
    assert not forced.is_blocker
