"""How messages name inputs: by their names in a program, by options in a command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names by which messages call inputs."""

    options: Mapping[str, str] = field(default_factory=dict)
    """The option of the command that stands for each input; an input without one keeps its name."""

    def name(self, input_name: str) -> str:
        """Return the name of an input, such as ``batch_size_percentage`` or ``--batch-size``."""
        return self.options.get(input_name, input_name)

    def write_setting(self, input_name: str, value: str) -> str:
        """Return an input with a value, such as ``prerequisites="warn"`` or ``--prerequisites warn``."""
        if option := self.options.get(input_name):
            return f"`{option} {value}`"
        return f'{input_name}="{value}"'

    def write_maximum(self, input_name: str, value: int) -> str:
        """Return an input with the largest value that it may have, as the object of "set"."""
        if option := self.options.get(input_name):
            return f"`{option} {value}` or less"
        return f"{input_name} to at most {value}"


INPUTS: Final = Vocabulary()
"""The vocabulary of programs."""
