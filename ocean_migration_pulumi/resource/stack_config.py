"""Reads the stack config in a program."""

from __future__ import annotations

from collections.abc import Iterable

import pulumi

from ocean_migration_pulumi.errors import SettingsError


def stack_config(keys: Iterable[str]) -> dict[str, str]:
    """Return the values of the full keys (``ocean-migration:account``) that are set, for ``Settings.load``.

    Raises:
        SettingsError: A token is not a secret.

    """
    refuse_plain_token()
    found = {key: _get(key) for key in keys}
    return {key: value for key, value in found.items() if value is not None}


def refuse_plain_token() -> None:
    """Raise SettingsError when the stack config has a token that is not a secret."""
    for key in ("ocean-migration:token", "spotinst:token"):
        if _get(key) is not None and not pulumi.runtime.is_config_secret(key):
            msg = f"the stack's config {key} is in clear: set it again with `pulumi config set --secret {key}`"
            raise SettingsError(msg)


def approved_plan_for(resource_name: str) -> str | None:
    """Return the plan digest that the stack config approves for a resource; None when it approves none.

    Raises:
        SettingsError: ``ocean-migration:approvedPlan`` is not an object of digests by resource name.

    """
    approved = pulumi.Config("ocean-migration").get_object("approvedPlan")
    if approved is None:
        return None
    if not isinstance(approved, dict):
        msg = f"ocean-migration:approvedPlan must be an object of digests by resource name, not {approved!r}"
        raise SettingsError(msg)
    digest = approved.get(resource_name)
    return None if digest is None else str(digest)


def _get(key: str) -> str | None:
    namespace, name = key.split(":")
    return pulumi.Config(namespace).get(name)
