"""The names that programs import, and how they are called: more may come, none may go or change."""

from __future__ import annotations

import inspect
from dataclasses import MISSING, fields, is_dataclass
from importlib import import_module
from typing import Any

import pytest

from tests.pins.goldens import golden

MODULES = {
    "ocean_migration_pulumi": None,
    "ocean_migration_pulumi.gate": ["OceanMigrationGate", "OceanMigrationGateProvider"],
    "ocean_migration_pulumi.provider": ["OceanWorkloadMigration", "OceanWorkloadMigrationProvider"],
    "ocean_migration_pulumi.simulator": None,
    "ocean_migration_pulumi.testing": None,
}
"""The modules that programs import from, each with its public names where it does not list them itself."""

_NOT_PINNED = {"describe"}
"""Methods by which the package itself fills in its results; class methods that make them of its own data are others."""

_GOLDEN = "public-names.json"


def described_module(name: str) -> dict[str, Any]:
    """Return what each public name of a module is."""
    module = import_module(name)
    return {each: described(getattr(module, each)) for each in MODULES[name] or module.__all__}


def described(found: Any) -> dict[str, Any]:
    """Return what a program sees of a class or function."""
    if not isinstance(found, type):
        return {"kind": "function", "parameters": parameters(found)}
    keys = getattr(found, "__required_keys__", None)
    if keys is not None:
        return {"kind": "dictionary", "keys": sorted(found.__annotations__), "required": sorted(keys)}
    members = {}
    for name, member in inspect.getmembers_static(found):
        if name.startswith("_") or owner(found, name).__module__.partition(".")[0] != "ocean_migration_pulumi":
            continue
        if isinstance(member, classmethod) or name in _NOT_PINNED:
            continue
        plain = getattr(found, name)
        if isinstance(member, property):
            members[name] = {"kind": "property"}
        elif callable(plain):
            members[name] = {"kind": "method", "parameters": parameters(plain)}
    attributes = {name for each in found.__mro__ for name in vars(each).get("__annotations__", {}) if ours(each)}
    return {
        "kind": "class",
        "is_exception": issubclass(found, BaseException),
        "parameters": parameters(found),
        "members": members,
        "attributes": sorted(name for name in attributes if not name.startswith("_")),
    }


def owner(found: type, name: str) -> type:
    """Return the class that a member comes from."""
    return next(each for each in found.__mro__ if name in vars(each))


def ours(found: type) -> bool:
    """Tell whether a class is of this package."""
    return found.__module__.partition(".")[0] == "ocean_migration_pulumi"


def parameters(found: Any) -> list[list[str]]:
    """Return name, kind and default of each parameter."""
    factories = {}
    if is_dataclass(found):
        factories = {each.name for each in fields(found) if each.default_factory is not MISSING}
    if isinstance(found, type) and issubclass(found, BaseException) and found.__init__ is Exception.__init__:
        return [["args", "var_positional", "required"]]
    return [
        [each.name, each.kind.name.lower(), "made anew" if each.name in factories else default(each)]
        for each in inspect.signature(found).parameters.values()
    ]


def default(parameter: inspect.Parameter) -> str:
    """Return the default of a parameter as source."""
    return "required" if parameter.default is parameter.empty else repr(parameter.default)


@pytest.mark.parametrize("module", MODULES)
def test_public_names_are_there_and_are_called_as_ever(module: str) -> None:
    """A class or function keeps its parameters in their order; a class may have more members than it had."""
    found = described_module(module)
    for name, had in golden(_GOLDEN, lambda: {each: described_module(each) for each in MODULES})[module].items():
        assert name in found, name
        have = found[name]
        assert have["kind"] == had["kind"], name
        assert {*had.get("attributes", ())} <= {*have.get("attributes", ())}, name
        assert {*had.get("keys", ())} <= {*have.get("keys", ())}, name
        assert have.get("required") == had.get("required"), name
        assert_called_as_before(name, had.get("parameters"), have.get("parameters"))
        for member, was in had.get("members", {}).items():
            assert member in have["members"], f"{name}.{member}"
            assert have["members"][member]["kind"] == was["kind"], f"{name}.{member}"
            assert_called_as_before(
                f"{name}.{member}", was.get("parameters"), have["members"][member].get("parameters")
            )


def assert_called_as_before(name: str, had: list[list[str]] | None, have: list[list[str]] | None) -> None:
    """Assert that every call that was right is right, and means the same: what is added has a default."""
    if had is None or have is None:
        assert had == have, name
        return
    assert [each for each in have if each in had] == had, name
    added = [each for each in have if each not in had]
    assert not [each for each in added if each[2] == "required" and not each[1].startswith("var_")], name
    positional = [each for each in have if each[1] == "positional_or_keyword"]
    assert positional[: sum(each[1] == "positional_or_keyword" for each in had)] == [
        each for each in had if each[1] == "positional_or_keyword"
    ], name
