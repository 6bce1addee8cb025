"""The reader of AWS: instance profiles, access entries, subnets, instance types; reading needs the extra ``aws``."""

from __future__ import annotations

from ocean_migration_pulumi.aws.reader import AwsReader

__all__ = ["AwsReader"]
