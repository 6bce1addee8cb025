"""The ``ocean-migration`` command: shows, explains and controls any migration, with Pulumi or without it."""

from __future__ import annotations

from ocean_migration_pulumi.cli.app import main

__all__ = ["main"]
