"""A certificate authority of this simulator's own, for clients whose base URL is fixed."""

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
"""What is never asked through the proxy: the simulator itself, and all that programs talk to on their own machine."""


class Authority:
    """Made at the first use; its key is never stored: only clients that are told so trust it.

    ``active`` tells whether anything is intercepted at all.
    """

    def __init__(self) -> None:
        self.active = False
        self._folder: Path | None = None

    @property
    def file(self) -> Path:
        """The file with the certificate to trust, in a folder that nobody else can write to."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="ocean-migration-simulator-"))
            (self._folder / "ca.pem").write_bytes(self.pem)
        return self._folder / "ca.pem"

    def remove_file(self) -> None:
        """Remove the file, if there is one."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    @cached_property
    def _authority(self) -> trustme.CA:
        import trustme

        return trustme.CA()

    @property
    def pem(self) -> bytes:
        """The certificate to trust."""
        return self._authority.cert_pem.bytes()

    @cached_property
    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(INTERCEPTED_HOST).configure_cert(context)
        return context

    def context(self) -> ssl.SSLContext | None:
        """Return what a TLS server needs to be taken for the real host, None when nothing is intercepted."""
        return self._context if self.active else None
