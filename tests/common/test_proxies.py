"""Which proxy a URL is reached through."""

from __future__ import annotations

import os

import pytest

from ocean_migration_pulumi.common import proxies
from ocean_migration_pulumi.common.proxies import find_proxy, read_proxy
from ocean_migration_pulumi.errors import SettingsError

SPOT = "https://api.spotinst.io"
PROXY = "http://proxy.example:3128"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run without the proxies of whoever runs the tests, and with support for SOCKS."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(proxies, "find_spec", lambda name: name)


def found(monkeypatch: pytest.MonkeyPatch, url: str = SPOT, **variables: str) -> tuple[str, str] | None:
    """Return variable and URL of the proxy of an environment."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    proxy = find_proxy(url)
    return None if proxy is None else (proxy.setting, proxy.url)


@pytest.mark.parametrize(
    ("url", "variables", "expected"),
    [
        (SPOT, {}, None),
        (SPOT, {"HTTPS_PROXY": PROXY}, ("HTTPS_PROXY", PROXY)),
        (SPOT, {"HTTP_PROXY": PROXY}, None),
        ("http://cluster.example", {"HTTP_PROXY": PROXY}, ("HTTP_PROXY", PROXY)),
        (SPOT, {"https_proxy": PROXY, "HTTPS_PROXY": "http://other"}, ("https_proxy", PROXY)),
        (SPOT, {"ALL_PROXY": "socks5://a:1", "HTTPS_PROXY": PROXY}, ("HTTPS_PROXY", PROXY)),
        (SPOT, {"ALL_PROXY": "socks4://a:1", "HTTPS_PROXY": PROXY}, ("HTTPS_PROXY", PROXY)),
        (SPOT, {"all_proxy": "socks5h://a:1"}, ("all_proxy", "socks5h://a:1")),
        (SPOT, {"ALL_PROXY": "socks://a:1/"}, ("ALL_PROXY", "socks5://a:1/")),
        (SPOT, {"HTTPS_PROXY": "proxy.example:3128"}, ("HTTPS_PROXY", PROXY)),
        (SPOT, {"HTTPS_PROXY": " HTTP://proxy.example:3128 "}, ("HTTPS_PROXY", PROXY)),
        (SPOT, {"HTTPS_PROXY": ""}, None),
        ("https://127.0.0.1:1", {"HTTPS_PROXY": PROXY}, None),
        ("https://localhost", {"HTTPS_PROXY": PROXY}, None),
        ("https://[::1]:1", {"ALL_PROXY": PROXY}, None),
    ],
)
def test_proxy_of_the_scheme_comes_before_that_of_all(
    url: str, variables: dict[str, str], expected: tuple[str, str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that is not used may hold anything; this machine needs none."""
    assert found(monkeypatch, url, **variables) == expected


@pytest.mark.parametrize(
    ("entry", "url", "excluded"),
    [
        ("*", SPOT, True),
        ("spotinst.io", SPOT, True),
        (".spotinst.io", SPOT, True),
        (".spotinst.io", "https://spotinst.io", True),
        ("*.spotinst.io", SPOT, True),
        ("API.Spotinst.IO", SPOT, True),
        ("spotinst.io.", SPOT, True),
        ("otinst.io", SPOT, False),
        ("example.com", SPOT, False),
        ("https://api.spotinst.io", SPOT, True),
        ("http://api.spotinst.io", SPOT, False),
        ("all://api.spotinst.io", SPOT, True),
        ("api.spotinst.io:443", SPOT, True),
        ("api.spotinst.io:8443", SPOT, False),
        ("api.spotinst.io:8443", "https://api.spotinst.io:8443", True),
        ("10.0.0.0/8", "https://10.1.2.3", True),
        ("10.0.0.0/8", "https://11.1.2.3", False),
        ("10.0.0.1", "https://10.0.0.1", True),
        ("10.0.0.1:6443", "https://10.0.0.1:6443", True),
        ("10.0.0.1:6443", "https://10.0.0.1", False),
        ("10.0.0.9/8", "https://10.1.2.3", True),
        ("10.*", "https://10.1.2.3", True),
        ("10.0.0.0/8", SPOT, False),
        ("fd00::/8", "https://[fd00::1]:443", True),
        ("fd00::/8", "https://[fe80::1]", False),
        ("fd00::/8", SPOT, False),
        ("[fd00::]/8", "https://[fd00::1]", True),
        ("[fd00::1]", "https://[fd00:0::1]", True),
        ("fd00::1", "https://[fd00::1]", True),
        ("[fd00::1]:6443", "https://[fd00::1]:6443", True),
        ("[fd00::1]:6443", "https://[fd00::1]", False),
        ("fd00::/900", SPOT, False),
        ("[", SPOT, False),
        ("[]", SPOT, False),
        ("]:x/", SPOT, False),
        (".", SPOT, False),
        (":443", SPOT, False),
    ],
)
@pytest.mark.parametrize("listed", ["{}", "fd00::/8x,{}", "[x , {} ,", "http://,{}\tother"])
def test_no_proxy(entry: str, url: str, excluded: bool, listed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries that cannot be read lose no others, and stop nothing."""
    proxy = found(monkeypatch, url, HTTPS_PROXY=PROXY, NO_PROXY=listed.format(entry))
    assert (proxy is None) is excluded


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("socks4://canary:canary@a:1", "the scheme of the proxy is not supported"),
        ("gopher://canary@a", "the scheme of the proxy is not supported"),
        ("http://canary:99999999", "not the URL of a proxy"),
        ("http://canary:canary@", "not the URL of a proxy"),
        ("http://[canary", "not the URL of a proxy"),
        ("http://a:0", "not the URL of a proxy"),
        ("http:/canary:3128", "not the URL of a proxy"),
    ],
)
def test_unusable_proxy_is_named_by_its_variable(value: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is repeated: it may hold a password."""
    monkeypatch.setenv("HTTPS_PROXY", value)
    with pytest.raises(SettingsError, match=f"HTTPS_PROXY: {message}") as caught:
        find_proxy(SPOT)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_socks_names_the_extra_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is one of httpx."""
    monkeypatch.setattr(proxies, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r'ALL_PROXY: .*pip install "httpx\[socks\]"'):
        read_proxy("ALL_PROXY", "socks5://a:1")
    assert read_proxy("ALL_PROXY", PROXY).url == PROXY


def test_url_is_in_no_repr() -> None:
    """It may hold a password."""
    assert repr(read_proxy("HTTPS_PROXY", "http://user:canary@a")) == "Proxy(setting='HTTPS_PROXY')"


def test_settings_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of macOS and Windows are in no variable."""
    monkeypatch.setattr(proxies, "getproxies", lambda: {"https": PROXY})
    assert found(monkeypatch) == ("the system's proxy settings", PROXY)
