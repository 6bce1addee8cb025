"""A certificate authority of this simulator's own, for clients whose base URL is fixed."""

from __future__ import annotations

import ssl
from functools import cached_property
from typing import TYPE_CHECKING

from .front import INTERCEPTED_HOST

if TYPE_CHECKING:
    import trustme


class Authority:
    """Made at the first use and never stored: only clients that are told so trust it."""

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

    def context(self) -> ssl.SSLContext:
        """Return what a TLS server needs to be taken for the real host."""
        return self._context
