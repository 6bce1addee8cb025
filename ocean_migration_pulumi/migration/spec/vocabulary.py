"""How messages name inputs: by their names in a program, by options in a command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_SIMPLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_QUOTABLE: Final = re.compile(r"[A-Za-z0-9 _.:/@+=,-]+")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names by which messages call inputs."""

    options: Mapping[str, str] = field(default_factory=dict)
    """The option of the command that stands for each input; an input without one keeps its name."""
    resource: str = ""
    """The name of the resource that messages are about; empty for a command, and where it is not known."""

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

    def write_approval(self, digest: str, *, replaces: bool = False) -> str:
        """Return what to do to approve a plan, as an imperative.

        Args:
            digest: The digest of the plan.
            replaces: Whether another plan is approved. If the program does that, the config has no effect.
        """
        if option := self.options.get("approved_plan"):
            return f"pass `{option} {digest}`"
        if command := write_approval_command(self.resource, digest):
            return f"run `{command}`" + (", or change approved_plan if the program sets it," if replaces else "")
        return f"set approved_plan to `{digest}`"


def write_approval_command(name: str, digest: str) -> str | None:
    """Return the command that approves a plan; None for a name that needs quoting in a shell or in the path.

    Args:
        name: The name of the resource.
        digest: The digest of the plan.
    """
    if _SIMPLE.fullmatch(name):
        path = f"ocean-migration:approvedPlan.{name}"
    elif _QUOTABLE.fullmatch(name):
        path = f'ocean-migration:approvedPlan["{name}"]'
    else:
        return None
    quoted = shlex.quote(path)
    return f"pulumi config set --path {quoted if quoted != path else repr(path)} {digest}"


INPUTS: Final = Vocabulary()
"""The vocabulary of programs."""
