"""What the tests of Kubernetes share."""

from __future__ import annotations

import os
from importlib import import_module

import pytest


@pytest.fixture(autouse=True, scope="session")
def imported() -> None:
    """Import what the first question would import, so that no deadline of a test pays for it."""
    import_module("ocean_migration_pulumi.kubernetes.connection.tls_client")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run without the proxies and certificates of whoever runs the tests."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("SSL_CERT"):
            monkeypatch.delenv(name)
