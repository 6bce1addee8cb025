"""Account and token of Spot for the resources that the component makes: those of the migrations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import pulumi
import pulumi_spotinst as spotinst
from pulumi import Input, Output

from ocean_migration_pulumi.api.credentials import FILE_VARIABLES, PROFILE_VARIABLES, Credentials, read_credentials
from ocean_migration_pulumi.api.settings import Settings
from ocean_migration_pulumi.errors import InputError, SettingsError
from ocean_migration_pulumi.host import one_line_errors
from ocean_migration_pulumi.migration.spec.input_readers import read_account
from ocean_migration_pulumi.resource.session import CONFIG_KEYS
from ocean_migration_pulumi.resource.stack_config import stack_config

OCEAN: Final = "spotinst:aws/ocean:Ocean"
"""A type by which Pulumi finds the provider that a program passes."""

_COMPLETED: Final = "MergeCredentialsChain=true"
"""Lets the plugin take the token from the environment when only the account is given, which it refuses by default."""

_TOKEN_KEYS: Final = ("ocean-migration:token", "spotinst:token")
_PLUGIN_VARIABLES: Final = (FILE_VARIABLES[-1], PROFILE_VARIABLES[-1])
"""The plugin knows one of the variables that may name the credentials file, and one of those for its profile."""


@dataclass(frozen=True, kw_only=True)
class SpotAccess:
    """How the migrations of a component reach Spot, for its other resources."""

    account_id: Input[str | None]
    """The account: the input, or that of the settings. None when no source names one."""
    settings: Settings
    """The settings of the migrations."""
    is_token_configured: bool
    """Whether the stack's config has the token."""
    environ: Mapping[str, str] = field(repr=False)
    """The environment, which the plugin reads, too."""

    @classmethod
    def load(cls, account_id: Input[str] | None, environ: Mapping[str, str]) -> Self:
        """Load the settings as the migrations do.

        Args:
            account_id: The input ``account_id`` of the component; None when it is not given.
            environ: The environment.

        Raises:
            SettingsError: A setting cannot be used.
        """
        config = stack_config(CONFIG_KEYS)
        settings = Settings.load(config, environ, account_id=account_id if isinstance(account_id, str) else None)

        @one_line_errors
        def choose(known: str | None) -> str | None:
            return settings.account_id if known is None else read_account("account_id", known)

        return cls(
            account_id=Output.from_input(account_id).apply(choose) if account_id is not None else settings.account_id,
            settings=settings,
            is_token_configured=any(config.get(key, "").strip() for key in _TOKEN_KEYS),
            environ=environ,
        )

    def make_provider(self, name: str, parent: pulumi.Resource) -> spotinst.Provider:
        """Declare the provider of the Spot resources of a component.

        The token is in the state, encrypted, only if the stack's config has it: the plugin reads no config but its own.
        """
        return spotinst.Provider(
            name,
            account=self.account_id,
            token=Output.secret(self.settings.token) if self.is_token_configured else None,
            feature_flags=_COMPLETED,
            opts=pulumi.ResourceOptions(parent=parent),
        )

    async def check(self, passed: pulumi.ProviderResource | None) -> None:
        """Check that the Spot resources get the account and token of the migrations.

        Args:
            passed: The provider that the program passes. None means that ``make_provider`` declares one.

        Raises:
            RunError: They would get others.
        """
        if passed is None:
            self._check_token()
            return
        given: tuple[Any, Any] = getattr(passed, "account", None), getattr(passed, "token", None)
        ours, theirs, token = await Output.all(self.account_id, *given).future() or (None, None, None)
        if theirs is None and token is None:
            found = self._read_plugin_credentials()
            theirs = self.environ.get("SPOTINST_ACCOUNT") or (None if found is None else found.account_id)
        _compare_accounts(ours, theirs)

    @one_line_errors
    def _check_token(self) -> None:
        """Refuse a token of the credentials file that the plugin does not find there."""
        if self.settings.token is None or self.is_token_configured or self.environ.get("SPOTINST_TOKEN"):
            return
        found = self._read_plugin_credentials()
        if found is None or found.token != self.settings.token:
            problem = f"token: the spotinst provider does not read {self.settings.sources['token']}"
            raise SettingsError(f"{problem}; name file and profile with {' and '.join(_PLUGIN_VARIABLES)}")

    def _read_plugin_credentials(self) -> Credentials | None:
        """Return the profile of the credentials file that the plugin uses; None when it finds none."""
        home = self.environ.get("HOME") or self.environ.get("USERPROFILE")
        named = {name: self.environ[name] for name in _PLUGIN_VARIABLES if name in self.environ}
        try:
            return read_credentials(named, Path(home) if home else None)
        except SettingsError:
            return None


@one_line_errors
def _compare_accounts(ours: str | None, theirs: str | None) -> None:
    if ours and theirs and ours != theirs:
        problem = f"is {ours}, but the spotinst provider of the component has account {theirs}"
        raise InputError("account_id", problem, predicate=True)
