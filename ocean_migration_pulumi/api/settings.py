"""Settings of the client (base URL, token, account, poll interval, record), each with its source."""

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
"""Source of a setting that is not set, in ``Settings.sources``."""

NO_CREDENTIALS = (
    "no Spot token: set SPOTINST_TOKEN, run `pulumi config set --secret ocean-migration:token`, or write the file "
    "~/.spotinst/credentials"
)
"""Error for a missing token: every request needs one."""

NO_ACCOUNT = "no Spot account: set account_id, SPOTINST_ACCOUNT, or the stack's config ocean-migration:account"
"""Error for a missing account: every write needs one."""

_CONFIG = "stack config "
_TOKEN_NAMES = (_CONFIG + "ocean-migration:token", _CONFIG + "spotinst:token", "SPOTINST_TOKEN")
_ACCOUNT_NAMES = ("--account", _CONFIG + "ocean-migration:account", _CONFIG + "spotinst:account", "SPOTINST_ACCOUNT")
_BASE_URL_NAMES = ("--base-url", _CONFIG + "ocean-migration:baseUrl", "SPOTINST_BASE_URL")
_POLL_INTERVAL_NAMES = (_CONFIG + "ocean-migration:pollInterval", "OCEAN_MIGRATION_POLL_INTERVAL")
_RECORD_NAMES = ("--record", _CONFIG + "ocean-migration:record", "OCEAN_MIGRATION_RECORD")
_OFFLINE_PREVIEW_NAMES = (_CONFIG + "ocean-migration:offlinePreview", "OCEAN_MIGRATION_OFFLINE_PREVIEW")
_REQUIRE_APPROVAL_NAMES = (_CONFIG + "ocean-migration:requireApproval", "OCEAN_MIGRATION_REQUIRE_APPROVAL")

_RUN_ENDS = "OCEAN_MIGRATION_DEADLINE"
"""Only a variable: a time in the stack's config would be stale in the next run."""
_ZONED = re.compile(r"(?:Z|[+-]\d\d:?\d\d)$", re.IGNORECASE)

_VISIBLE = re.compile(r"[!-~]+")
_ACCOUNT = re.compile(r"act-[!-~]+")
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")


class Token(str):
    """A token that its ``repr`` hides, also in dataclasses and in dumps of local variables."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'[token]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSource:
    """A token and its source."""

    name: str
    """Source of the token, as messages name it."""
    token: str = field(repr=False)
    """The token."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "token", Token(self.token))

    @property
    def is_in_stack(self) -> bool:
        """Whether the token is in the stack's config, of which Pulumi keeps a copy for ``refresh`` and ``destroy``."""
        return self.name.startswith(_CONFIG)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Validated settings.

    Raises:
        SettingsError: A value is invalid. The message contains neither a token nor a password.
    """

    base_url: str = DEFAULT_BASE_URL
    """Base URL of Spot's API."""
    token: str | None = field(default=None, repr=False)
    """Token. None if no source has one; then every call fails."""
    account_id: str | None = None
    """Account id. None if no source has one; then every write fails."""
    poll_interval: float = DEFAULT_POLL_INTERVAL
    """Seconds between two polls of a migration."""
    record: Path | None = None
    """File to which every exchange is appended. None records nothing."""
    require_approval: bool = False
    """Whether a start requires an approved plan."""
    offline_preview: bool = False
    """Whether a preview without a token or account continues without a plan, for pull requests of forks."""
    run_ends: datetime | None = None
    """When the whole run must end. None means no limit."""
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Source of ``base_url``, ``token``, ``account``, ``poll_interval`` and ``record``, by name."""
    alternatives: tuple[TokenSource, ...] = ()
    """Tokens of other sources, tried in this order if Spot refuses ``token``."""

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
        """Raise an error if the token or the account is missing.

        Raises:
            MissingTokenError: No source has a token.
            MissingAccountError: No source has an account.
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
        """Load each setting from the first source that has a value. An empty value counts as no value.

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

        Token and account may come from different sources. The credentials file is
        ``SPOTINST_SHARED_CREDENTIALS_FILE`` or ``SPOTINST_CREDENTIALS_FILE``, else ``~/.spotinst/credentials``. The
        profile is ``SPOTINST_PROFILE``, ``SPOTINST_CREDENTIALS_PROFILE`` or ``default``. A file that cannot be read is
        an error only if no other source has a token.

        Args:
            config: The stack's config by full key, such as ``ocean-migration:token``.
            environ: The environment.
            account_id: Value of the input ``account_id``. None if it is not set.
            options: Options ``--account``, ``--base-url``, ``--record`` and ``--profile`` of a command. Only
                ``account_id`` takes precedence.
            home: Home directory. None means the one of ``environ``.

        Raises:
            SettingsError: A value or the credentials file is invalid. The message names the setting.
        """
        named = {_CONFIG + key: value for key, value in (config or {}).items()}
        named |= {name: value for name, value in environ.items() if not name.startswith("--")}
        named |= {name: value for name, value in (options or {}).items() if value is not None}
        tokens = list(_found(named, _TOKEN_NAMES))
        accounts = [("account_id", account_id)] if account_id else []
        accounts += _found(named, _ACCOUNT_NAMES)
        home = home or _home(environ)
        file = _credentials(environ, home, (options or {}).get("--profile"), needed=not tokens)
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
    """Return the valid tokens after the first, each once. Invalid ones are skipped: they may never be needed."""
    seen: set[str] = set()
    for position, (name, token) in enumerate(tokens):
        if position and token not in seen and _VISIBLE.fullmatch(token):
            yield TokenSource(name=name, token=token)
        seen.add(token)


def _home(environ: Mapping[str, str]) -> Path | None:
    directory = environ.get("HOME") or environ.get("USERPROFILE")
    return Path(directory) if directory else None


def _expanded(value: str, home: Path | None) -> Path:
    """Expand a leading ``~`` of a path, if the home directory is known."""
    first, *rest = Path(value).parts or (".",)
    return home.joinpath(*rest) if first == "~" and home else Path(value)


def _credentials(
    environ: Mapping[str, str], home: Path | None, profile: str | None, *, needed: bool
) -> Credentials | None:
    try:
        return read_credentials(environ, home, profile)
    except SettingsError:
        if needed:
            raise
        return None


def _base_url(value: str, name: str) -> str:
    """Validate a URL and remove a trailing slash. Errors never quote the URL: it may contain a password."""
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
        return "contains characters that are not allowed in a URL"
    if "@" in url.netloc:
        return "must not contain credentials"
    if url.query or url.fragment or value[-1] in "?#":
        return "must contain neither a query nor a fragment"
    if url.scheme not in {"https", "http"}:
        return "must begin with https://"
    host = url.netloc.rpartition(":")[0] if url.port is not None else url.netloc.rstrip(":")
    if not _HOST.fullmatch(host):
        return "has no host"
    if url.scheme == "http" and not is_loopback(value):
        return "must begin with https:// (http is allowed for this machine only)"
    return None


def _token(value: str, name: str) -> Token:
    if not _VISIBLE.fullmatch(value):
        raise SettingsError(f"{name}: the token is empty, or contains spaces or characters other than printable ASCII")
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
