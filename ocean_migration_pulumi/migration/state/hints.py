"""How messages name what goes on with a migration: the Pulumi engine's command, or one of ours."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """Parts of sentences, each naming the command that the reader has at hand."""

    again: str = "run `pulumi up` again"
    waits: str = "`pulumi up` waits for it again"
    rest: str = "`pulumi up` goes on with the rest"
    looks: str = "`pulumi up` looks for it before it starts any other"
