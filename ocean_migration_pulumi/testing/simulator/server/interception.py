"""The certificate authority of a simulator, for clients with a fixed base URL."""

from __future__ import annotations

import shutil
import ssl
import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ocean_migration_pulumi.testing.simulator.server.tcp_frontend import INTERCEPTED_HOST

if TYPE_CHECKING:
    import trustme


NO_PROXY = "127.0.0.1,localhost"
"""The hosts that clients reach without the proxy: the simulator itself, and other servers on loopback."""


class CertificateAuthority:
    """A certificate authority that is created at its first use, and whose key is never stored."""

    def __init__(self) -> None:
        self.active = False
        """Whether the simulator intercepts connections."""
        self._folder: Path | None = None

    @property
    def file(self) -> Path:
        """The file with the certificate, in a folder that only this user can write to."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="ocean-migration-simulator-"))
            (self._folder / "ca.pem").write_bytes(self.pem)
        return self._folder / "ca.pem"

    def remove_file(self) -> None:
        """Remove the file, if it exists."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    @cached_property
    def _authority(self) -> trustme.CA:
        import trustme

        return trustme.CA()

    @property
    def pem(self) -> bytes:
        """The certificate in PEM format."""
        return self._authority.cert_pem.bytes()

    @cached_property
    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(INTERCEPTED_HOST).configure_cert(context)
        return context

    def get_context(self) -> ssl.SSLContext | None:
        """Return the TLS context of the intercepted host, None while the simulator does not intercept."""
        return self._context if self.active else None
