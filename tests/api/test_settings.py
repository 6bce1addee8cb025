"""Where base URL, token, account and poll interval come from."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ocean_migration_pulumi.api.settings import NOT_SET, Settings, TokenSource
from ocean_migration_pulumi.errors import SettingsError

CANARY = "canary-7f3a"


def write(path: Path, text: str) -> Path:
    """Write a file and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home directory with a credentials file of one profile."""
    write(tmp_path / ".spotinst" / "credentials", "[default]\ntoken = file-token\naccount = act-file\n")
    return tmp_path


def test_defaults(tmp_path: Path) -> None:
    """Without any source there is the public service, no token and no account."""
    settings = Settings.load(None, {}, home=tmp_path)
    assert settings == Settings()
    assert (settings.base_url, settings.token, settings.account_id) == ("https://api.spotinst.io", None, None)
    assert settings.poll_interval == 15
    assert settings.sources == {
        "base_url": "default",
        "token": NOT_SET,
        "account": NOT_SET,
        "poll_interval": "default",
        "record": NOT_SET,
    }


LADDER = [
    ("ocean-migration", {"ocean-migration:token": "t1", "ocean-migration:account": "act-1"}, {}),
    ("spotinst", {"spotinst:token": "t1", "spotinst:account": "act-1"}, {}),
    ("SPOTINST", {}, {"SPOTINST_TOKEN": "t1", "SPOTINST_ACCOUNT": "act-1"}),
]


@pytest.mark.parametrize("rung", range(len(LADDER)))
def test_precedence(rung: int, home: Path) -> None:
    """Of all sources that name token and account, the first of the ladder wins."""
    config: dict[str, str] = {}
    environ: dict[str, str] = {}
    for name, values, variables in LADDER[rung:]:
        config |= {key: f"{value}-{name}" for key, value in values.items()}
        environ |= {key: f"{value}-{name}" for key, value in variables.items()}
    settings = Settings.load(config, environ, home=home)
    name = LADDER[rung][0]
    assert (settings.token, settings.account_id) == (f"t1-{name}", f"act-1-{name}")
    assert settings.sources["token"].removeprefix("stack config ").startswith(name)
    assert settings.sources["account"].removeprefix("stack config ").startswith(name)


def test_argument_beats_every_source(home: Path) -> None:
    """The account that a program names is the account."""
    settings = Settings.load({"ocean-migration:account": "act-1"}, {}, account_id="act-arg", home=home)
    assert settings.account_id == "act-arg"
    assert settings.sources["account"] == "account_id"


def test_file_is_last(home: Path) -> None:
    """The credentials file says what nothing else says."""
    settings = Settings.load({}, {}, home=home)
    assert (settings.token, settings.account_id) == ("file-token", "act-file")
    assert settings.sources["token"] == f"{home}/.spotinst/credentials [default]"


def test_token_and_account_are_independent(home: Path) -> None:
    """A token of the environment goes with the account of the file, and the other way round."""
    settings = Settings.load({}, {"SPOTINST_TOKEN": "env-token"}, home=home)
    assert (settings.token, settings.account_id) == ("env-token", "act-file")
    settings = Settings.load({}, {"SPOTINST_ACCOUNT": "act-env"}, home=home)
    assert (settings.token, settings.account_id) == ("file-token", "act-env")


def test_home_of_the_environment(home: Path) -> None:
    """Without a home directory of its own the caller's environment names it."""
    assert Settings.load({}, {"HOME": str(home)}).token == "file-token"
    assert Settings.load({}, {}).token is None


def test_empty_values_name_nothing(home: Path) -> None:
    """A variable that is set but empty is not set."""
    config = {"ocean-migration:token": "", "spotinst:account": " "}
    environ = {
        "SPOTINST_TOKEN": "",
        "SPOTINST_ACCOUNT": "",
        "SPOTINST_BASE_URL": "",
        "OCEAN_MIGRATION_POLL_INTERVAL": "",
    }
    settings = Settings.load(config, environ, home=home)
    assert (settings.token, settings.account_id) == ("file-token", "act-file")
    assert settings.sources["base_url"] == settings.sources["poll_interval"] == "default"


def test_alternatives_are_the_other_tokens_once_each(home: Path) -> None:
    """After a rotated token the other sources are there in their order, without repetition and without junk."""
    config = {"ocean-migration:token": "old", "spotinst:token": "junk token"}
    settings = Settings.load(config, {"SPOTINST_TOKEN": "new"}, home=home)
    assert settings.alternatives == (
        TokenSource(name="SPOTINST_TOKEN", token="new"),
        TokenSource(name=f"{home}/.spotinst/credentials [default]", token="file-token"),
    )
    assert Settings.load({"ocean-migration:token": "new"}, {"SPOTINST_TOKEN": "new"}).alternatives == ()


def test_base_url_and_poll_interval() -> None:
    """Stack config comes before the environment here, too."""
    environ = {"SPOTINST_BASE_URL": "http://127.0.0.1:8080/", "OCEAN_MIGRATION_POLL_INTERVAL": "0.05"}
    settings = Settings.load(None, environ)
    assert (settings.base_url, settings.poll_interval) == ("http://127.0.0.1:8080", 0.05)
    assert settings.sources["base_url"] == "SPOTINST_BASE_URL"
    config = {"ocean-migration:baseUrl": "https://spot.example/api", "ocean-migration:pollInterval": "30"}
    settings = Settings.load(config, environ)
    assert (settings.base_url, settings.poll_interval) == ("https://spot.example/api", 30)
    assert settings.sources["poll_interval"] == "stack config ocean-migration:pollInterval"


@pytest.mark.parametrize("value", ["0", "0.049", "-1", "nan", "inf", "15s", "fast"])
def test_bad_poll_interval(value: str) -> None:
    """The message names the setting and what it may be."""
    with pytest.raises(SettingsError, match=r"OCEAN_MIGRATION_POLL_INTERVAL: .* seconds of at least 0\.05"):
        Settings.load(None, {"OCEAN_MIGRATION_POLL_INTERVAL": value})


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1",
        "http://127.1.2.3:80",
        "http://localhost:8080",
        "http://LOCALHOST",
        "http://[::1]:8080",
        "https://spot.example:8443/prefix",
    ],
)
def test_good_base_url(url: str) -> None:
    """Plain http is for this machine, https for everything."""
    assert Settings(base_url=url + "/").base_url == url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://spot.example", "must begin with https://"),
        ("http://127.0.0.1.spot.example", "must begin with https://"),
        ("ftp://spot.example", "must begin with https://"),
        ("spot.example", "must begin with https://"),
        (f"https://user:{CANARY}@spot.example", "must not contain credentials"),
        (f"https://{CANARY}@spot.example", "must not contain credentials"),
        (f"https://spot.example?token={CANARY}", "neither a query nor a fragment"),
        ("https://spot.example?", "neither a query nor a fragment"),
        (f"https://spot.example#{CANARY}", "neither a query nor a fragment"),
        ("https://", "has no host"),
        ("https://:443", "has no host"),
        ("https://spot.example:port", "is not a URL"),
        ("https://[::1", "is not a URL"),
        ("https://spot example", "characters"),
        ("http://127.0.0.1\\.spot.example", "characters"),
        ("https://spöt.example", "characters"),
    ],
)
def test_bad_base_url(url: str, reason: str) -> None:
    """A base URL that could send the token elsewhere is refused, without showing what it holds."""
    with pytest.raises(SettingsError) as caught:
        Settings.load({"ocean-migration:baseUrl": url}, {})
    assert str(caught.value).startswith("stack config ocean-migration:baseUrl: the base URL ")
    assert reason in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("token", [f"{CANARY} x", f"{CANARY}\nX-Evil: 1", f"{CANARY}é", f"{CANARY}\x00"])
def test_bad_token_is_not_shown(token: str) -> None:
    """A token that cannot be a header is refused by the name of its setting."""
    with pytest.raises(SettingsError) as caught:
        Settings.load(None, {"SPOTINST_TOKEN": token})
    assert str(caught.value).startswith("SPOTINST_TOKEN: ")
    assert CANARY not in str(caught.value)


def test_bad_account_is_named() -> None:
    """An account with spaces is none, nor is the number of an AWS account."""
    for bad in ("act 1", "act-1 2", "act-", "123456789012"):
        with pytest.raises(SettingsError, match=f"SPOTINST_ACCOUNT: '{bad}' is not a Spot account id"):
            Settings.load(None, {"SPOTINST_ACCOUNT": bad})


def test_constructor_is_as_strict() -> None:
    """Whoever builds settings without loading them gets the same checks."""
    for bad in ({"base_url": "http://spot.example"}, {"token": "a b"}, {"account_id": ""}, {"poll_interval": 0.0}):
        with pytest.raises(SettingsError, match=next(iter(bad))):
            Settings(**bad)  # type: ignore[arg-type]  # one argument at a time
    with pytest.raises(SettingsError, match="elsewhere"):
        Settings(alternatives=(TokenSource(name="elsewhere", token="a b"),))


def test_repr_has_no_token() -> None:
    """Neither the token nor the others are shown."""
    settings = Settings.load({"ocean-migration:token": CANARY}, {"SPOTINST_TOKEN": f"{CANARY}-2"})
    assert settings.alternatives
    assert CANARY not in repr(settings)


def test_settings_are_a_key() -> None:
    """Equal settings share a client, wherever they came from."""
    one = Settings.load({"ocean-migration:token": "t"}, {})
    other = Settings.load({}, {"SPOTINST_TOKEN": "t"})
    assert one == other
    assert hash(one) == hash(other)


def test_bad_file_matters_only_when_needed(tmp_path: Path) -> None:
    """A credentials file that cannot be read is no reason to fail while the token is named elsewhere."""
    write(tmp_path / ".spotinst" / "credentials", "token without a section")
    for given in ({"SPOTINST_TOKEN": "t", "SPOTINST_ACCOUNT": "act-1"}, {"SPOTINST_TOKEN": "t"}):
        settings = Settings.load({}, given, home=tmp_path)
        assert (settings.token, settings.account_id) == ("t", given.get("SPOTINST_ACCOUNT"))
    with pytest.raises(SettingsError, match="is neither INI, JSON nor simple YAML"):
        Settings.load({}, {"SPOTINST_ACCOUNT": "act-1"}, home=tmp_path)


def test_the_record_comes_from_the_config_or_the_environment(home: Path) -> None:
    """Stack config first; ``~`` is the home directory, and an empty value names nothing."""
    config = {"ocean-migration:record": "~/records/run.jsonl"}
    environ = {"OCEAN_MIGRATION_RECORD": "run.jsonl"}
    settings = Settings.load(config, environ, home=home)
    assert settings.record == home / "records" / "run.jsonl"
    assert settings.sources["record"] == "stack config ocean-migration:record"
    settings = Settings.load({"ocean-migration:record": " "}, environ, home=home)
    assert (settings.record, settings.sources["record"]) == (Path("run.jsonl"), "OCEAN_MIGRATION_RECORD")
    assert Settings.load(config, {}).record == Path("~/records/run.jsonl")
    assert Settings.load({"ocean-migration:record": "~"}, {}, home=home).record == home


@pytest.mark.parametrize(
    ("config", "variable", "required"),
    [(None, None, False), ("true", None, True), (None, "TRUE", True), ("true", "false", True), ("false", "true", True)],
)
def test_an_approval_is_required_as_soon_as_one_source_requires_it(
    config: str | None, variable: str | None, required: bool
) -> None:
    """Neither takes back what the other one says."""
    stack = {} if config is None else {"ocean-migration:requireApproval": config}
    environ = {} if variable is None else {"OCEAN_MIGRATION_REQUIRE_APPROVAL": variable}
    assert Settings.load(stack, environ).require_approval is required


def test_a_required_approval_is_true_or_false() -> None:
    """A slip must not mean that none is required."""
    with pytest.raises(SettingsError, match="OCEAN_MIGRATION_REQUIRE_APPROVAL: 'yes' is neither true nor false"):
        Settings.load({}, {"OCEAN_MIGRATION_REQUIRE_APPROVAL": "yes"})


@pytest.mark.parametrize(
    ("value", "end"),
    [
        ("", None),
        ("2026-11-30T12:00:00Z", datetime(2026, 11, 30, 12, tzinfo=UTC)),
        ("2026-11-30T12:00:00+02:00", datetime(2026, 11, 30, 10, tzinfo=UTC)),
        ("2020-01-01T00:00:00-0130", datetime(2020, 1, 1, 1, 30, tzinfo=UTC)),
    ],
)
def test_end_of_the_run(value: str, end: datetime | None) -> None:
    """A time that has passed is one, too: nothing starts then."""
    assert Settings.load({}, {"OCEAN_MIGRATION_DEADLINE": value}).run_ends == end


@pytest.mark.parametrize("value", ["2026-11-30T12:00:00", "2026-11-30", "1769868000", "tomorrow", "+70 minutes"])
def test_end_of_the_run_without_a_zone_is_refused(value: str) -> None:
    """A machine prints its local time by default, and the run would end hours early or late."""
    with pytest.raises(SettingsError, match=r"^OCEAN_MIGRATION_DEADLINE: .* is not a time with its zone, such as 2026"):
        Settings.load({}, {"OCEAN_MIGRATION_DEADLINE": value})
