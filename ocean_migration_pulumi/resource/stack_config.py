"""The stack's config as a program sees it."""

from __future__ import annotations

from collections.abc import Iterable

import pulumi

from ocean_migration_pulumi.errors import SettingsError


def stack_config(keys: Iterable[str]) -> dict[str, str]:
    """Return those of the full keys (``ocean-migration:account``) that are set, for ``Settings.load``.

    Raises SettingsError when a token is in clear.
    """
    refuse_plain_token()
    found = {key: _get(key) for key in keys}
    return {key: value for key, value in found.items() if value is not None}


def refuse_plain_token() -> None:
    """Raise SettingsError when the stack's config holds a token that is not a secret."""
    for key in ("ocean-migration:token", "spotinst:token"):
        if _get(key) is not None and not pulumi.runtime.is_config_secret(key):
            msg = f"the stack's config {key} is in clear: set it again with `pulumi config set --secret {key}`"
            raise SettingsError(msg)


def approved_plan_for(resource_name: str) -> str | None:
    """Return the digest that the stack's config approves for a migration; None when it has none.

    Raises SettingsError when ``ocean-migration:approvedPlan`` is no object of digests by resource name.
    """
    approved = pulumi.Config("ocean-migration").get_object("approvedPlan")
    if approved is None:
        return None
    if not isinstance(approved, dict):
        msg = f"ocean-migration:approvedPlan: {approved!r} is not allowed; give an object of digests by resource name"
        raise SettingsError(msg)
    digest = approved.get(resource_name)
    return None if digest is None else str(digest)


def _get(key: str) -> str | None:
    namespace, name = key.split(":")
    return pulumi.Config(namespace).get(name)
