"""Settings: base URL, token, account, poll interval and record, and which source each comes from."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ocean_migration_pulumi.api.credentials import Credentials, read_credentials
from ocean_migration_pulumi.common.loopback import is_loopback
from ocean_migration_pulumi.common.times import parse_time
from ocean_migration_pulumi.errors import MissingAccountError, MissingTokenError, SettingsError

DEFAULT_BASE_URL = "https://api.spotinst.io"
DEFAULT_POLL_INTERVAL = 15.0
MINIMUM_POLL_INTERVAL = 0.05

NOT_SET = "not set"
"""The source, in ``Settings.sources``, of a setting that no source names."""

NO_CREDENTIALS = (
    "no Spot token: set SPOTINST_TOKEN, run `pulumi config set --secret ocean-migration:token`, or write the file "
    "~/.spotinst/credentials"
)
"""Why nothing can be read without a token, and how to set one."""

NO_ACCOUNT = "no Spot account: set account_id, SPOTINST_ACCOUNT, or the stack's config ocean-migration:account"
"""Why nothing can be written without an account, and how to set one."""

_CONFIG = "stack config "
_TOKEN_NAMES = (_CONFIG + "ocean-migration:token", _CONFIG + "spotinst:token", "SPOTINST_TOKEN")
_ACCOUNT_NAMES = ("--account", _CONFIG + "ocean-migration:account", _CONFIG + "spotinst:account", "SPOTINST_ACCOUNT")
_BASE_URL_NAMES = ("--base-url", _CONFIG + "ocean-migration:baseUrl", "SPOTINST_BASE_URL")
_POLL_INTERVAL_NAMES = (_CONFIG + "ocean-migration:pollInterval", "OCEAN_MIGRATION_POLL_INTERVAL")
_RECORD_NAMES = ("--record", _CONFIG + "ocean-migration:record", "OCEAN_MIGRATION_RECORD")
_OFFLINE_PREVIEW_NAMES = (_CONFIG + "ocean-migration:offlinePreview", "OCEAN_MIGRATION_OFFLINE_PREVIEW")
_REQUIRE_APPROVAL_NAMES = (_CONFIG + "ocean-migration:requireApproval", "OCEAN_MIGRATION_REQUIRE_APPROVAL")

_RUN_ENDS = "OCEAN_MIGRATION_DEADLINE"
_ZONED = re.compile(r"(?:Z|[+-]\d\d:?\d\d)$", re.IGNORECASE)
"""A variable alone: in the stack's config a time would outlive its run."""

_VISIBLE = re.compile(r"[!-~]+")
_ACCOUNT = re.compile(r"act-[!-~]+")
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")


class Token(str):
    """A token whose ``repr`` does not show it, in no dataclass and in no dump of a function's variables."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'[token]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSource:
    """A token and where it was found."""

    name: str
    """The source, as messages name it."""
    token: str = field(repr=False)
    """The token."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "token", Token(self.token))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to reach the service.

    Raises:
        SettingsError: A value cannot be used. The message has neither a token nor a password.
    """

    base_url: str = DEFAULT_BASE_URL
    """URL of the API."""
    token: str | None = field(default=None, repr=False)
    """Token; None when no source names one: then every call fails."""
    account_id: str | None = None
    """Account; None when no source names one: then every write fails."""
    poll_interval: float = DEFAULT_POLL_INTERVAL
    """Seconds between two polls of a status."""
    record: Path | None = None
    """File that every exchange is appended to; None records nothing."""
    require_approval: bool = False
    """Whether nothing starts without an approved plan."""
    offline_preview: bool = False
    """Whether a preview without a token or account goes on without a plan, as that of a fork has to."""
    run_ends: datetime | None = None
    """When the whole run ends; None means that it may go on."""
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Where ``base_url``, ``token``, ``account``, ``poll_interval`` and ``record`` come from."""
    alternatives: tuple[TokenSource, ...] = ()
    """Tokens of other sources, tried in their order when the service refuses ``token``."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", _base_url(self.base_url, "base_url"))
        if self.token is not None:
            object.__setattr__(self, "token", _token(self.token, "token"))
        if self.account_id is not None:
            _account(self.account_id, "account_id")
        _poll_interval(self.poll_interval, "poll_interval")
        for alternative in self.alternatives:
            _token(alternative.token, alternative.name)

    def require_credentials(self) -> None:
        """Raise the error that says how to set what is missing of token and account.

        Raises:
            MissingTokenError: No source names a token.
            MissingAccountError: No source names an account.
        """
        if self.token is None:
            raise MissingTokenError(NO_CREDENTIALS)
        if self.account_id is None:
            raise MissingAccountError(NO_ACCOUNT)

    @classmethod
    def load(
        cls,
        config: Mapping[str, str] | None,
        environ: Mapping[str, str],
        *,
        account_id: str | None = None,
        options: Mapping[str, str | None] | None = None,
        home: Path | None = None,
    ) -> Settings:
        """Find each setting in the first source that has a value for it; an empty value counts as absent.

        ========  ==================================================================================================
        token     stack config ``ocean-migration:token``, ``spotinst:token``; ``SPOTINST_TOKEN``; credentials file
        account   ``account_id``; stack config ``ocean-migration:account``, ``spotinst:account``;
                  ``SPOTINST_ACCOUNT``; credentials file
        base URL  stack config ``ocean-migration:baseUrl``; ``SPOTINST_BASE_URL``; ``https://api.spotinst.io``
        poll      stack config ``ocean-migration:pollInterval``; ``OCEAN_MIGRATION_POLL_INTERVAL``; 15 seconds
        record    stack config ``ocean-migration:record``; ``OCEAN_MIGRATION_RECORD``; ``~`` is the home directory
        approval  stack config ``ocean-migration:requireApproval`` or ``OCEAN_MIGRATION_REQUIRE_APPROVAL`` is ``true``
        run ends  ``OCEAN_MIGRATION_DEADLINE``
        offline   stack config ``ocean-migration:offlinePreview`` or ``OCEAN_MIGRATION_OFFLINE_PREVIEW`` is ``true``
        ========  ==================================================================================================

        Token and account are found independently of each other. The credentials file is the one that
        ``SPOTINST_SHARED_CREDENTIALS_FILE`` or ``SPOTINST_CREDENTIALS_FILE`` names, else ``~/.spotinst/credentials``;
        the profile is ``SPOTINST_PROFILE``, ``SPOTINST_CREDENTIALS_PROFILE`` or ``default``. A file that cannot be read
        matters only while the token is not named elsewhere.

        Args:
            config: Stack config by full key, such as ``ocean-migration:token``.
            environ: The environment.
            account_id: The account that an input names; None: none does.
            options: A command's ``--account``, ``--base-url`` and ``--record``, which precede all but ``account_id``.
            home: The home directory; None: that of ``environ``.

        Raises:
            SettingsError: A value, or the credentials file, cannot be used. The message names the setting.
        """
        named = {_CONFIG + key: value for key, value in (config or {}).items()}
        named |= {name: value for name, value in environ.items() if not name.startswith("--")}
        named |= {name: value for name, value in (options or {}).items() if value is not None}
        tokens = list(_found(named, _TOKEN_NAMES))
        accounts = [("account_id", account_id)] if account_id else []
        accounts += _found(named, _ACCOUNT_NAMES)
        home = home or _home(environ)
        file = _credentials(environ, home, needed=not tokens)
        if file and file.token:
            tokens.append((file.source, file.token))
        if file and file.account_id:
            accounts.append((file.source, file.account_id))

        known: dict[str, tuple[Iterable[tuple[str, str]], Callable[[str, str], Any]]] = {
            "base_url": (_found(named, _BASE_URL_NAMES), _base_url),
            "poll_interval": (_found(named, _POLL_INTERVAL_NAMES), _poll_interval),
            "token": (tokens, _token),
            "account_id": (accounts, _account),
            "record": (_found(named, _RECORD_NAMES), lambda value, name: _expanded(value, home)),
        }
        values: dict[str, Any] = {}
        sources = dict.fromkeys(("base_url", "poll_interval"), "default")
        for setting, (found, read) in known.items():
            key = setting.removesuffix("_id")
            sources.setdefault(key, NOT_SET)
            for name, value in list(found)[:1]:
                values[setting], sources[key] = read(value, name), name
        return cls(
            **values,
            # One source cannot take back what another one requires.
            require_approval=any([_is_true(value, name) for name, value in _found(named, _REQUIRE_APPROVAL_NAMES)]),
            run_ends=_read_run_end(environ),
            offline_preview=any([_is_true(value, name) for name, value in _found(named, _OFFLINE_PREVIEW_NAMES)]),
            sources=sources,
            alternatives=tuple(_alternatives(tokens)),
        )


def _found(named: Mapping[str, str], names: Iterable[str]) -> Iterable[tuple[str, str]]:
    for name in names:
        value = named.get(name, "").strip()
        if value:
            yield name, value


def _alternatives(tokens: Iterable[tuple[str, str]]) -> Iterable[TokenSource]:
    """Return the usable tokens after the first, each once; one that may never be needed is no reason to fail."""
    seen: set[str] = set()
    for position, (name, token) in enumerate(tokens):
        if position and token not in seen and _VISIBLE.fullmatch(token):
            yield TokenSource(name=name, token=token)
        seen.add(token)


def _home(environ: Mapping[str, str]) -> Path | None:
    directory = environ.get("HOME") or environ.get("USERPROFILE")
    return Path(directory) if directory else None


def _expanded(value: str, home: Path | None) -> Path:
    """Return a path; a leading ``~`` stands for the home directory, if there is one."""
    first, *rest = Path(value).parts
    return home.joinpath(*rest) if first == "~" and home else Path(value)


def _credentials(environ: Mapping[str, str], home: Path | None, *, needed: bool) -> Credentials | None:
    try:
        return read_credentials(environ, home)
    except SettingsError:
        if needed:
            raise
        return None


def _base_url(value: str, name: str) -> str:
    """Return the URL without a slash at its end; errors never quote it, as it may have a password."""
    problem = None
    try:
        url = urlsplit(value)
        problem = _url_problem(value, url)
    except ValueError:
        problem = "is not a URL"
    if problem:
        raise SettingsError(f"{name}: the base URL {problem}")
    return value.rstrip("/")


def _url_problem(value: str, url: SplitResult) -> str | None:
    _ = url.port  # raises ValueError when it is not a port
    if not _VISIBLE.fullmatch(value) or "\\" in value:
        return "holds characters that a URL may not hold"
    if "@" in url.netloc:
        return "must not hold credentials"
    if url.query or url.fragment or value[-1] in "?#":
        return "must hold neither a query nor a fragment"
    if url.scheme not in {"https", "http"}:
        return "must begin with https://"
    host = url.netloc.rpartition(":")[0] if url.port is not None else url.netloc.rstrip(":")
    if not _HOST.fullmatch(host):
        return "names no host"
    if url.scheme == "http" and not is_loopback(value):
        return "must begin with https:// (plain http is for this machine only)"
    return None


def _token(value: str, name: str) -> Token:
    if not _VISIBLE.fullmatch(value):
        raise SettingsError(f"{name}: the token is empty or holds spaces or characters other than printable ASCII")
    return Token(value)


def _account(value: str, name: str) -> str:
    if not _ACCOUNT.fullmatch(value):
        raise SettingsError(f"{name}: {value!r} is not a Spot account id such as act-123abcd")
    return value


def _is_true(value: str, name: str) -> bool:
    if value.lower() not in {"true", "false"}:
        msg = f"{name}: {value!r} is neither true nor false"
        raise SettingsError(msg)
    return value.lower() == "true"


def _read_run_end(environ: Mapping[str, str]) -> datetime | None:
    value = environ.get(_RUN_ENDS, "").strip()
    found = parse_time(value)
    # A time of the service without a zone is in UTC, but that of a machine is most often not.
    if value and (found is None or not _ZONED.search(value)):
        raise SettingsError(f"{_RUN_ENDS}: {value!r} is not a time with its zone, such as 2026-01-31T14:00:00Z")
    return found


def _poll_interval(value: str | float, name: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not MINIMUM_POLL_INTERVAL <= seconds < math.inf:
        raise SettingsError(f"{name}: {value!r} is not a number of seconds of at least {MINIMUM_POLL_INTERVAL}")
    return seconds
