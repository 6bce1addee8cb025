"""What AWS tells of where Ocean's nodes will run; needs boto3, the optional extra ``aws``."""

from __future__ import annotations

from .reader import AwsReader

__all__ = ["AwsReader"]
