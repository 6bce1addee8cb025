"""A dynamic provider that does nothing: what Pulumi's own host takes to start."""

from __future__ import annotations

from pulumi.dynamic import ResourceProvider


class EmptyProvider(ResourceProvider):
    """Accepts every input, by the base class's own `check`."""

    serialize_as_secret_always = False
