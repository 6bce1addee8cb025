"""The HTTP client of one API server: trusted authorities, client certificate, proxy, reasons of failure."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import certifi
import httpx

from ocean_migration_pulumi.common.proxies import find_proxy, read_proxy
from ocean_migration_pulumi.common.text import sanitize
from ocean_migration_pulumi.errors import SettingsError
from ocean_migration_pulumi.kubernetes.connection.errors import UnreachableError
from ocean_migration_pulumi.kubernetes.connection.kubeconfig import NO_COMPRESSION, KubeContext

_REASONS: Final[Mapping[type[BaseException], str]] = {
    ssl.SSLError: "TLS failed",
    ConnectionRefusedError: "connection refused",
    ConnectionResetError: "the connection was reset",
    socket.gaierror: "the name of its server cannot be resolved",
}


def open_client(target: KubeContext, certificate: tuple[str, str] | None = None) -> httpx.Client:
    """Return a client for the API server of a target; it sends no credentials but a client certificate.

    Args:
        target: Server and credentials.
        certificate: Client certificate of a credential plugin and its key, PEM; None: those of the target, if any.

    Raises:
        UnreachableError: A certificate, a key or a proxy cannot be used.
    """
    encoding = "identity" if target.cluster.get(NO_COMPRESSION) else "gzip"
    server, own_proxy = target.cluster["server"], target.cluster.get("proxy-url")
    try:
        # Like kubectl: the environment's proxy counts when the kubeconfig has none.
        proxy = read_proxy("proxy-url", own_proxy) if own_proxy else find_proxy(server)
    except SettingsError as error:
        raise UnreachableError(str(error)) from None
    what = "the certificates of the kubeconfig"
    try:
        context = _tls_context(target, certificate)
        if proxy is not None:
            what = proxy.setting
        return httpx.Client(
            base_url=server,
            headers={"Accept": "application/json", "Accept-Encoding": encoding},
            verify=context,
            proxy=None if proxy is None else proxy.url,
            trust_env=False,
        )
    except (OSError, ValueError, httpx.InvalidURL) as exc:
        # What exactly is wrong may quote a key, or the password of a proxy.
        kind = type(exc).__name__
    # Raised out here, or the error would keep the one above as its context, and its frames hold the key.
    raise UnreachableError(f"{what}: cannot be used ({kind})")


def describe_failure(error: BaseException) -> str:
    """Return why the API server cannot be reached; the errors' own texts may quote a token or a key."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"Kubernetes cannot be reached: its certificate is not trusted ({sanitize(cause.verify_message)})"
        for kind, reason in _REASONS.items():
            if isinstance(cause, kind):
                return f"Kubernetes cannot be reached: {reason}"
        cause = cause.__cause__ or cause.__context__
    return f"Kubernetes cannot be reached ({type(error).__name__})"


class _TlsContext(ssl.SSLContext):
    """A context that asks for ``server_name`` (None: the host of the URL) and expects a certificate for it.

    The ``sni_hostname`` of httpx does the same, but not inside of a proxy's tunnel.
    """

    server_name: str | None = None

    def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:
        return super().wrap_socket(*args, **self._named(options))

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        return super().wrap_bio(*args, **self._named(options))

    def _named(self, options: dict[str, Any]) -> dict[str, Any]:
        return {**options, "server_hostname": self.server_name} if self.server_name else options


def _tls_context(target: KubeContext, certificate: tuple[str, str] | None) -> ssl.SSLContext:
    """Return a context that verifies the API server's certificate and has the user's own."""
    cluster, user = target.cluster, target.user
    context = _TlsContext(ssl.PROTOCOL_TLS_CLIENT)
    context.server_name = cluster.get("tls-server-name")
    # Data precedes a file, as with kubectl.
    if "certificate-authority-data" in cluster:
        context.load_verify_locations(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    elif "certificate-authority" in cluster:
        context.load_verify_locations(cluster["certificate-authority"])
    elif cluster["server"].startswith("https:"):
        # The authorities of this machine, or those that the variables name.
        context.load_default_certs()
        if not os.environ.get("SSL_CERT_FILE") and not os.environ.get("SSL_CERT_DIR"):
            context.load_verify_locations(certifi.where())
    pair = certificate or (_own(user, "client-certificate"), _own(user, "client-key"))
    if all(pair):
        with _readable(pair[0]) as chain, _readable(pair[1]) as key:
            # With an empty password OpenSSL does not ask for one on the terminal.
            context.load_cert_chain(chain, key, password="")
    return context


def _own(user: Mapping[str, Any], name: str) -> str | bytes | Path | None:
    """Return the user's own certificate or key: its content, or the file that has it."""
    if f"{name}-data" in user:
        return base64.b64decode(user[f"{name}-data"])
    return Path(user[name]) if name in user else None


@contextmanager
def _readable(source: str | bytes | Path | None) -> Iterator[str]:
    """Yield a path from which a file or PEM can be read once: OpenSSL takes nothing else, and a key reaches no disk.

    For PEM it is the reading end of a pipe. A thread writes, as a pipe does not hold everything at once.
    """
    if isinstance(source, Path):
        yield str(source)
        return
    content = source.encode() if isinstance(source, str) else source or b""
    reader, writer = os.pipe()

    def write() -> None:
        with suppress(BrokenPipeError), open(writer, "wb") as pipe:
            pipe.write(content)

    thread = threading.Thread(target=write, name="ocean-migration-certificate", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        os.close(writer)
        os.close(reader)
        raise
    try:
        yield f"/dev/fd/{reader}"
    finally:
        os.close(reader)
        thread.join()
