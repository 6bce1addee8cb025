"""The proxy for a URL: one reading of the environment for Spot and for Kubernetes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies

from ocean_migration_pulumi.common.loopback import is_loopback
from ocean_migration_pulumi.errors import SettingsError

PROXY_SCHEMES: Final = ("http", "https", "socks5", "socks5h")
"""The schemes of proxies that can be used."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_EXCLUSION: Final = re.compile(
    r"(?:(?P<scheme>\w+)://)?(?:\[(?P<address>[^]]*)\]|(?P<host>[^:]+|[0-9a-fA-F:.]+(?:/\d+)?))"
    r"(?P<mask>/\d+)?(?::(?P<port>\d+))?/?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy and the setting that names it; its ``repr`` has no URL, which may hold a password."""

    setting: str
    """Environment variable or input."""
    url: str = field(repr=False)
    """URL with a scheme of ``PROXY_SCHEMES``."""


def find_proxy(url: str) -> Proxy | None:
    """Return the proxy of the environment for a URL: ``HTTPS_PROXY`` or ``HTTP_PROXY``, else ``ALL_PROXY``.

    Lower-case names precede. On macOS and Windows the settings of the system count when no variable is set. This
    machine is never reached through a proxy, nor is what ``NO_PROXY`` has: names with their subdomains, wildcards,
    addresses and CIDR blocks, each with or without a port. Its entries that cannot be read are ignored.

    Raises:
        SettingsError: The proxy cannot be used. The message names the variable, and never the URL.
    """
    parts, proxies = urlsplit(url), getproxies()
    if is_loopback(url) or any(_excludes(entry, parts) for entry in re.split(r"[,\s]+", proxies.get("no", ""))):
        return None
    for name in (parts.scheme, "all"):
        if value := proxies.get(name, "").strip():
            variables = (variable for variable in _spellings(f"{name}_proxy") if os.environ.get(variable))
            return read_proxy(next(variables, "the system's proxy settings"), value)
    return None


def read_proxy(setting: str, value: str) -> Proxy:
    """Read the URL of a proxy; without a scheme it is http, and ``socks`` is SOCKS 5.

    Raises:
        SettingsError: The proxy cannot be used. The message names the setting, and never the URL.
    """
    scheme, separator, rest = value.partition("://")
    scheme = scheme.lower() if separator else "http"
    scheme = "socks5" if scheme == "socks" else scheme
    url = f"{scheme}://{rest if separator else value}"
    if scheme not in PROXY_SCHEMES:
        known = ", ".join(f"{each}://" for each in PROXY_SCHEMES)
        raise SettingsError(f"{setting}: the scheme of the proxy is not supported; use {known}")
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0 and not parts.netloc.endswith(":")
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(f"{setting}: not the URL of a proxy such as http://proxy.example.com:3128")
    if scheme.startswith("socks") and find_spec("socksio") is None:
        raise SettingsError(f'{setting}: a SOCKS proxy needs an extra of httpx: pip install "httpx[socks]"')
    return Proxy(setting=setting, url=url)


def _spellings(name: str) -> Iterator[str]:
    yield name
    yield name.upper()


def _excludes(entry: str, parts: SplitResult) -> bool:
    """Tell whether an entry of ``NO_PROXY`` covers a URL."""
    match = _EXCLUSION.fullmatch(entry)
    host = (parts.hostname or "").rstrip(".")
    if match is None or match["scheme"] not in {None, "all", parts.scheme}:
        return False
    if match["port"] and int(match["port"]) != (parts.port or _DEFAULT_PORTS.get(parts.scheme)):
        return False
    pattern = f"{match['address'] or match['host'] or ''}{match['mask'] or ''}"
    with suppress(ValueError):
        network = ip_network(pattern, strict=False)
        with suppress(ValueError):
            return ip_address(host) in network
        return False
    name = pattern.lower().strip(".").removeprefix("*.")
    return bool(name) and (host == name or host.endswith(f".{name}") or fnmatchcase(host, name))
