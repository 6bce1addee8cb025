"""The credentials file that Spot's SDKs share."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from ocean_migration_pulumi.api.credentials import Credentials, read_credentials
from ocean_migration_pulumi.errors import SettingsError

CANARY = "canary-7f3a"
INI = "[default]\ntoken   = foo\naccount = act-123abcd\n[dev]\ntoken   = foo2\naccount = act-9999\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the default credentials file is looked for."""
    path = tmp_path / ".spotinst" / "credentials"
    path.parent.mkdir()
    return path


@pytest.mark.parametrize("variable", ["SPOTINST_SHARED_CREDENTIALS_FILE", "SPOTINST_CREDENTIALS_FILE"])
def test_both_variables_name_the_file(variable: str, tmp_path: Path) -> None:
    """Each SDK has its own variable for the file."""
    path = tmp_path / "elsewhere"
    path.write_text(INI)
    assert read_credentials({variable: str(path)}, None) == Credentials(
        source=f"{path} [default]", token="foo", account_id="act-123abcd"
    )


@pytest.mark.parametrize("variable", ["SPOTINST_PROFILE", "SPOTINST_CREDENTIALS_PROFILE"])
def test_both_variables_name_the_profile(variable: str, file: Path) -> None:
    """Each SDK has its own variable for the profile."""
    file.write_text(INI)
    found = read_credentials({variable: "dev"}, file.parent.parent)
    assert found == Credentials(source=f"{file} [dev]", token="foo2", account_id="act-9999")


@pytest.mark.parametrize(
    ("text", "token", "account"),
    [
        ('{"token": "foo", "account": "act-1"}', "foo", "act-1"),
        ('\n {"token": "foo"}', "foo", None),
        ('{"default": {"token": "foo", "account": "act-1"}}', "foo", "act-1"),
        ('{"token": 7}', None, None),
        ("\ufeff[default]\ntoken=foo", "foo", None),
        ("[default]\ntoken = \"foo\"\naccount = 'act-1'", "foo", "act-1"),
        ("[default]\ntoken = %(foo)s%", "%(foo)s%", None),
        ("[default]\ntoken = a\ntoken = b", "b", None),
        ("[default]\ntoken =\n", None, None),
        ("[DEFAULT]\naccount = act-0\n[default]\ntoken = foo", "foo", None),
        ("token = foo\naccount = act-1\n", "foo", "act-1"),
        ("token: foo\naccount: act-1", "foo", "act-1"),
        ("---\n# of me\ntoken: 'foo'  # secret\naccount: \"act-1\"\n", "foo", "act-1"),
        ("default:\n  token: foo\n  account: act-1\ndev:\n  token: bar\n", "foo", "act-1"),
        ("dev:\n  token: bar\ntoken: foo\n", "foo", None),
    ],
)
def test_forms(text: str, token: str | None, account: str | None, file: Path) -> None:
    """INI as documented, with or without a section, the JSON that each of the SDKs takes, and YAML."""
    file.write_text(text)
    assert read_credentials({}, file.parent.parent) == Credentials(
        source=f"{file} [default]", token=token, account_id=account
    )


def test_profile_is_not_completed(file: Path) -> None:
    """A profile without an account does not get somebody else's."""
    file.write_text("[default]\ntoken=foo\naccount=act-1\n[dev]\ntoken=foo2\n")
    assert read_credentials({"SPOTINST_PROFILE": "dev"}, file.parent.parent) == Credentials(
        source=f"{file} [dev]", token="foo2"
    )


@pytest.mark.parametrize("text", ["", "[other]\ntoken=foo"])
def test_default_profile_may_be_missing(text: str, file: Path) -> None:
    """Nobody asked for the default profile, so that it need not be there."""
    file.write_text(text)
    assert read_credentials({}, file.parent.parent) is None


def test_default_file_may_be_missing(tmp_path: Path) -> None:
    """Nobody asked for the default file, so that it need not be there."""
    assert read_credentials({}, tmp_path) is None
    assert read_credentials({}, None) is None


def test_profile_of_yaml(file: Path) -> None:
    """It is a key with keys below it."""
    file.write_text("default:\n  token: foo\ndev:\n  token: bar\n  account: act-2\n")
    found = read_credentials({"SPOTINST_PROFILE": "dev"}, file.parent.parent)
    assert found == Credentials(source=f"{file} [dev]", token="bar", account_id="act-2")


@pytest.mark.parametrize("text", [INI, '{"token": "foo"}', "token: foo", "dev:\n  token: foo"])
def test_named_profile_must_be_there(text: str, file: Path) -> None:
    """A profile that was asked for is not silently replaced."""
    file.write_text(text)
    with pytest.raises(SettingsError, match=r"SPOTINST_PROFILE: .* has no profile 'prod'"):
        read_credentials({"SPOTINST_PROFILE": "prod"}, file.parent.parent)


def test_named_file_must_be_there(tmp_path: Path) -> None:
    """A file that was asked for, itself or by a profile, is not silently left out."""
    missing = {"SPOTINST_CREDENTIALS_FILE": str(tmp_path / "missing")}
    with pytest.raises(SettingsError, match="SPOTINST_CREDENTIALS_FILE: the credentials file"):
        read_credentials(missing, tmp_path)
    with pytest.raises(SettingsError, match="SPOTINST_PROFILE: the credentials file"):
        read_credentials({"SPOTINST_PROFILE": "dev"}, tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        f"token {CANARY}".encode(),
        f"[default\n{CANARY}".encode(),
        f'{{"token": "{CANARY}",}}'.encode(),
        CANARY.encode() + b"\xff",
        b"{" + b'"a":{' * 100000,
    ],
)
def test_bad_file_is_not_quoted(content: bytes, file: Path) -> None:
    """A file that cannot be read is named, and nothing of it is shown, not even in a traceback."""
    file.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        read_credentials({}, file.parent.parent)
    assert str(file) in str(caught.value)
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_directory_is_no_file(file: Path) -> None:
    """What the operating system says is said."""
    file.mkdir()
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        read_credentials({}, file.parent.parent)


def test_repr_has_no_token(file: Path) -> None:
    """The token is not shown."""
    file.write_text(f"[default]\ntoken = {CANARY}")
    assert CANARY not in repr(read_credentials({}, file.parent.parent))
