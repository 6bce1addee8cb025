"""What AWS tells of where Ocean's nodes will run; needs boto3, the optional extra ``aws``."""

from __future__ import annotations

from ocean_migration_pulumi.aws.reader import AwsReader

__all__ = ["AwsReader"]
