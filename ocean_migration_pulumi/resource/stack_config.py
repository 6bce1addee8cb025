"""Reads the stack config in a program."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final
from weakref import WeakKeyDictionary

import pulumi
from pulumi.runtime import config as runtime_config

from ocean_migration_pulumi import host
from ocean_migration_pulumi.common.text import list_some, nearest_name
from ocean_migration_pulumi.errors import SettingsError
from ocean_migration_pulumi.resource.session import CONFIG_KEYS

_NAMESPACE: Final = "ocean-migration"
_APPROVED_PLAN: Final = f"{_NAMESPACE}:approvedPlan"
_PREFIX: Final = f"{_NAMESPACE}:"
_KNOWN: Final = frozenset(
    {"approvedPlan", *(key.removeprefix(_PREFIX) for key in CONFIG_KEYS if key.startswith(_PREFIX))}
)


_DECLARED: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, set[str]]] = WeakKeyDictionary()
"""The names of the migrations that the program of each loop has declared."""


def stack_config(keys: Iterable[str]) -> dict[str, str]:
    """Return the values of the full keys (``ocean-migration:account``) that are set, for ``Settings.load``.

    Raises:
        SettingsError: A token is not a secret, or a key is not known.

    """
    check_stack_config()
    found = {key: _get(key) for key in keys}
    return {key: value for key, value in found.items() if value is not None}


@host.one_line_errors
def check_stack_config() -> None:
    """Check the stack config of the program: no key of ours is misspelled, and every token is a secret.

    Raises:
        SettingsError: A token is not a secret, or a key is not known.

    """
    host.hide_interrupt_traceback()
    for key in runtime_config.CONFIG.get():
        _refuse_unknown_key(key)
    for key in ("ocean-migration:token", "spotinst:token"):
        if _get(key) is not None and not pulumi.runtime.is_config_secret(key):
            msg = f"the stack's config {key} is in plain text: set it again with `pulumi config set --secret {key}`"
            raise SettingsError(msg)


@host.one_line_errors
def approved_plan_for(resource_name: str) -> str | None:
    """Return the plan digest that the stack config approves for a resource; None when it approves none.

    Once the program's code has run, a warning names what the stack config approves and no migration is so far.

    Raises:
        SettingsError: ``ocean-migration:approvedPlan`` is not an object of digests by resource name.

    """
    try:
        approved = pulumi.Config(_NAMESPACE).get_object("approvedPlan")
    except pulumi.ConfigTypeError:
        approved = _get(_APPROVED_PLAN)
    if approved is None:
        return None
    if not isinstance(approved, dict):
        msg = f"{_APPROVED_PLAN} must be an object of digests by resource name, not {approved!r}"
        raise SettingsError(msg)
    _note_declared(resource_name, approved)
    digest = approved.get(resource_name)
    return None if digest is None else str(digest)


def _note_declared(resource_name: str, approved: Mapping[str, object]) -> None:
    """Note a migration of the program, whose approvals are compared with all of them when its code has run."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return  # no program runs: a test makes the resource
    if loop not in _DECLARED:
        _DECLARED[loop] = set()
        # The loop comes to it when the program waits for the first time, as a rule after its last statement.
        loop.call_soon(_report_unused_approvals, approved, _DECLARED[loop])
    _DECLARED[loop].add(resource_name)


def _report_unused_approvals(approved: Mapping[str, object], declared: set[str]) -> None:
    for name in sorted(approved.keys() - declared):
        nearest = nearest_name(name, declared)
        hint = f"did you mean `{nearest}`?" if nearest else f"migrations: {list_some(sorted(declared))}"
        # What an `apply` declares is registered later, and in some previews never.
        nothing = f"`{_APPROVED_PLAN}.{name}` approves nothing so far"
        pulumi.log.warn(f"{nothing}: the program declares no migration `{name}` outside of `apply`; {hint}")


def _refuse_unknown_key(key: str) -> None:
    """Refuse a key of our namespace that is not known; a project of that name has keys of its own, unless close."""
    namespace, _, name = key.partition(":")
    if namespace != _NAMESPACE or name in _KNOWN:
        return
    if "deadline" in name.lower():
        msg = f"the stack's config `{key}` would be stale: set OCEAN_MIGRATION_DEADLINE in the environment of each run"
        raise SettingsError(msg)
    nearest = nearest_name(name, _KNOWN)
    if not nearest and pulumi.get_project() == _NAMESPACE:
        return
    hint = f"did you mean `{_NAMESPACE}:{nearest}`?" if nearest else f"known keys: {', '.join(sorted(_KNOWN))}"
    msg = f"unknown key `{key}` in the stack's config; {hint}"
    raise SettingsError(msg)


def _get(key: str) -> str | None:
    namespace, name = key.split(":")
    return pulumi.Config(namespace).get(name)
