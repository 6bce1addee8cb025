"""The credentials file of Spot's SDKs."""

from __future__ import annotations

import configparser
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ocean_migration_pulumi.errors import SettingsError

FILE_VARIABLES = ("SPOTINST_SHARED_CREDENTIALS_FILE", "SPOTINST_CREDENTIALS_FILE")
"""Variables with the path of the file: that of spotinst-sdk2, then that of spotinst-sdk-go."""

PROFILE_VARIABLES = ("SPOTINST_PROFILE", "SPOTINST_CREDENTIALS_PROFILE")
"""Variables with the name of the profile, in the same order."""

_NO_SECTION = "\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """One profile of the credentials file."""

    source: str
    """Path and profile, as messages show them."""
    token: str | None = field(default=None, repr=False)
    """Token. None if the profile has none."""
    account_id: str | None = None
    """Account id. None if the profile has none."""


def read_credentials(environ: Mapping[str, str], home: Path | None, option: str | None = None) -> Credentials | None:
    """Read the selected profile of the credentials file.

    The file is INI (as Spot documents), JSON or simple YAML. A file without profiles is the profile ``default``. The
    default path is ``.spotinst/credentials`` in ``home``, and the default profile ``default``. A missing value is not
    taken from another profile, so that a token is never used with the account of another user.

    Args:
        environ: The environment, which may set the path and the profile.
        home: Home directory. None if it is unknown.
        option: Profile that the option ``--profile`` of a command selects. None means the one of ``environ``.

    Returns:
        The profile. None if no path is set and the default file does not have the profile.

    Raises:
        SettingsError: A file or profile that is set does not exist, or the file cannot be read. The message names
            the setting and quotes no line of the file.
    """
    file_variable = next((name for name in FILE_VARIABLES if environ.get(name)), None)
    profile_variable = next((name for name in PROFILE_VARIABLES if environ.get(name)), None)
    profile = environ[profile_variable] if profile_variable else "default"
    if option is not None:
        profile_variable, profile = "--profile", option
    if file_variable:
        path = Path(environ[file_variable])
    elif home:
        path = home / ".spotinst" / "credentials"
    else:
        return None
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if not file_variable and not profile_variable:
            return None
        raise SettingsError(
            f"{file_variable or profile_variable}: the credentials file {path} does not exist"
        ) from None
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        raise SettingsError(f"{file_variable or 'credentials file'}: {path} cannot be read: {reason}") from None
    found = _profile(text, profile, path)
    if found is None:
        if profile_variable:
            raise SettingsError(f"{profile_variable}: {path} has no profile {profile!r}")
        return None
    return Credentials(source=f"{path} [{profile}]", token=_value(found, "token"), account_id=_value(found, "account"))


def _profile(text: str, profile: str, path: Path) -> Mapping[str, object] | None:
    if text.lstrip().startswith("{"):
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            # A parser's message quotes what it could not read, which may be the token.
            raise SettingsError(f"credentials file: {path} is not valid JSON") from None
        nested = data.get(profile)
        if isinstance(nested, dict):
            return nested
        return data if profile == "default" else None
    found = _sections(text.removeprefix("---"))
    if found is None:
        raise SettingsError(f"credentials file: {path} is neither INI, JSON nor simple YAML")
    return found.get(profile)


def _sections(text: str) -> Mapping[str, Mapping[str, object]] | None:
    """Return the values of each profile. None if the format is unknown.

    Flat YAML parses as INI without a section; a profile in YAML parses as a key with a value of several lines.
    """
    parser = configparser.ConfigParser(default_section=_NO_SECTION, interpolation=None, strict=False)
    try:
        parser.read_string(text)
        return {name: parser[name] for name in parser.sections()}
    except configparser.MissingSectionHeaderError:
        pass
    except configparser.Error:
        return None
    bare = configparser.ConfigParser(
        default_section=_NO_SECTION, interpolation=None, strict=False, inline_comment_prefixes=("#",)
    )
    try:
        bare.read_string(f"[default]\n{text}")
    except configparser.Error:
        return None
    nested = {key: found for key, value in bare["default"].items() if "\n" in value and (found := _sections(value))}
    return {"default": bare["default"], **{key: found["default"] for key, found in nested.items()}}


def _value(profile: Mapping[str, object], key: str) -> str | None:
    value = profile.get(key)
    return value.strip().strip("\"'") or None if isinstance(value, str) else None
