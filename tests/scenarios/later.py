"""A resource of another kind whose outputs are known only after an update, for the programs of scenarios."""

from __future__ import annotations

from typing import Any

from pulumi import Input, Output
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider


class LaterProvider(ResourceProvider):
    """Knows its value when it is created, and when the value changes: not before."""

    def diff(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Replace for another value."""
        return DiffResult(changes=olds["given"] != news["given"], replaces=["given"])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Return what was given."""
        return CreateResult("later", {**props, "value": props["given"]})


class Later(Resource):
    """`value` is `given`, but unknown in the preview that creates or replaces it."""

    given: Output[str]
    value: Output[str]

    def __init__(self, name: str, given: Input[str]) -> None:
        super().__init__(LaterProvider(), name, {"given": given, "value": None})
