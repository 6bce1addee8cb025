"""The commands that messages tell the reader to run: the Pulumi engine's, or those of ``ocean-migration``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """Parts of sentences, each naming a command."""

    again: str = "run `pulumi up` again"
    """How to try again."""
    waits: str = "`pulumi up` waits for it again"
    """What waits for a migration that goes on."""
    rest: str = "`pulumi up` migrates the remaining nodes"
    """What migrates the remaining nodes."""
    looks: str = "`pulumi up` looks for it before it starts any other"
    """What finds a migration whose start was not answered."""
