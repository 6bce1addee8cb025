"""What a template of a diagnostic's text is, and what it gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ocean_migration_pulumi.common.text import sanitize
from ocean_migration_pulumi.migration.spec.vocabulary import Vocabulary

Fields = Mapping[str, Any]
"""The fields of a diagnostic, printable."""

Template = str | Callable[[str, Fields], str]
"""The text of a code from its subject and fields; a string is a format that names them."""

NamingTemplate = Callable[[str, Fields, Vocabulary], str]
"""A template whose text names inputs or options."""

SOURCE: Final = "source"
"""The field with source to paste, which keeps its line breaks."""

MOST_NODES: Final = 3
"""How many nodes, or owners of nodes, a text names; it counts the others."""


def fill(template: str | Callable[[Fields], str], fields: Fields) -> str:
    """Return the text of a template that has no subject."""
    return template.format_map(fields) if isinstance(template, str) else template(fields)


def clean(value: Any) -> Any:
    """Return data with every name printable: they are the choice of others."""
    if isinstance(value, str):
        return sanitize(value) if value else ""
    if isinstance(value, Mapping):
        return {key: each if key == SOURCE else clean(each) for key, each in value.items()}
    return [clean(each) for each in value] if isinstance(value, list) else value
