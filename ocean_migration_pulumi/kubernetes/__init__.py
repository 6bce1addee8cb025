"""What only the Kubernetes cluster knows, read from its API server; needs the extra ``kubernetes`` once it is asked."""

from __future__ import annotations

from .access import Access, find
from .reader import KubernetesReader

__all__ = ["Access", "KubernetesReader", "find"]
