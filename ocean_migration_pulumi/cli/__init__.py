"""The ``ocean-migration`` command: sees, explains and steers any migration, with Pulumi or without it."""

from __future__ import annotations

from .group import main

__all__ = ["main"]
