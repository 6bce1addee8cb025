"""The house rules of the source tree: small folders, one name per thing, tests that mirror the package."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = ROOT / "ocean_migration_pulumi"
MAX_MODULES: Final = 12
VAGUE_NAMES: Final = frozenset({"judge", "look", "of", "read", "seen", "take", "told"})
"""Names that do not say what a function does; a public function has a verb and an object."""

PROVIDER_PROTOCOL: Final = frozenset({"provider.py", "testing/offline"})
"""Where `read` is the name of an operation in Pulumi's own provider protocol."""

TEST_ONLY_FOLDERS: Final = frozenset(
    {"benchmarks", "chaos", "data", "faults", "hostile", "limits", "pins", "scenarios", "secrets", "support"}
)
"""Folders of tests that cut across the package: they test a promise, not a folder."""


@cache
def parsed_modules() -> dict[str, ast.Module]:
    """Parse every module of the package, by its path below the package."""
    return {
        path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def find_public_functions(module: ast.Module) -> Iterator[ast.FunctionDef]:
    """Yield the public functions of a module, and the public methods of its public classes."""
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from (each for each in node.body if isinstance(each, ast.FunctionDef) and each.name[0] != "_")


def test_no_folder_has_more_than_twelve_modules() -> None:
    """A reader can hold a folder of twelve modules in mind."""
    folders = {path.parent for path in PACKAGE.rglob("*.py")} - {PACKAGE}
    counts = {folder.name: len([path for path in folder.glob("*.py") if path.stem[:2] != "__"]) for folder in folders}
    assert {name: count for name, count in counts.items() if count > MAX_MODULES} == {}


def test_no_two_public_classes_share_a_name() -> None:
    """A name that is read anywhere means one thing."""
    homes = defaultdict(list)
    for path, module in parsed_modules().items():
        for node in ast.walk(module):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(path)
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}


def test_public_functions_say_what_they_do() -> None:
    """A bare verb without an object is a riddle."""
    vague = [
        f"{path}: {function.name}"
        for path, module in parsed_modules().items()
        for function in find_public_functions(module)
        if function.name in VAGUE_NAMES and not (function.name == "read" and path.startswith(tuple(PROVIDER_PROTOCOL)))
    ]
    assert vague == []


def test_tests_mirror_the_package() -> None:
    """The tests of a folder are found under the same path."""
    tests = ROOT / "tests"
    folders = {
        path.parent.relative_to(tests)
        for path in tests.rglob("test_*.py")
        if path.parent != tests and path.relative_to(tests).parts[0] not in TEST_ONLY_FOLDERS
    }
    assert {folder.as_posix() for folder in folders if not (PACKAGE / folder).is_dir()} == set()
