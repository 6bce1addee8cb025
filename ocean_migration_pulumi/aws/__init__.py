"""Reads what AWS knows of the places where Ocean starts nodes; a read needs the extra ``aws``."""

from __future__ import annotations

from ocean_migration_pulumi.aws.reader import AwsReader

__all__ = ["AwsReader"]
