"""A choice among values, for options of commands; kept out of ``text.py`` because programs do not need click."""

from __future__ import annotations

from typing import Any

import click

from ocean_migration_pulumi.common.text import nearest_name


class NearestChoice(click.Choice[str]):
    """A choice that suggests the nearest value for one that does not exist, or lists all."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """Return the message for a value that is not among the choices."""
        choices = {choice.lower(): choice for choice in self.choices}
        nearest = nearest_name(str(value).lower(), choices)
        if nearest is None:
            return super().get_invalid_choice_message(value, ctx)
        return f"{value!r} does not exist; did you mean {choices[nearest]!r}?"
