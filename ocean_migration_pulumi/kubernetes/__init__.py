"""The reader of a cluster's Kubernetes API, which never writes to it; reading needs the extra ``kubernetes``."""

from __future__ import annotations

from ocean_migration_pulumi.kubernetes.connection.access import KubernetesAccess, find_access, find_runner
from ocean_migration_pulumi.kubernetes.reader import KubernetesReader

__all__ = ["KubernetesAccess", "KubernetesReader", "find_access", "find_runner"]
