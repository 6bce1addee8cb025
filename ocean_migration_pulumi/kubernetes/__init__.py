"""What only the Kubernetes cluster knows, read from its API server; needs the extra ``kubernetes`` once it is asked."""

from __future__ import annotations

from ocean_migration_pulumi.kubernetes.connection.access import KubernetesAccess, find_access
from ocean_migration_pulumi.kubernetes.reader import KubernetesReader

__all__ = ["KubernetesAccess", "KubernetesReader", "find_access"]
