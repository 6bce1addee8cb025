"""The wheel: what is in it, what is not, and that it works where the checkout is not."""

from __future__ import annotations

import email
import os
import subprocess
import sys
import zipfile
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "ocean_migration_pulumi"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, without the network."""
    directory = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(directory), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = directory.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    """Return the names of the files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    """Return the wheel's metadata."""
    return email.message_from_string(_text(wheel, "METADATA"))


def test_every_module_and_the_type_marker_are_in(names: set[str]) -> None:
    """All that lies in the package's directory is in the wheel: modules, roles, the style sheet and `py.typed`."""
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / PACKAGE).rglob("*.py")}
    roles = {path.relative_to(ROOT).as_posix() for path in (ROOT / PACKAGE / "kubernetes" / "roles").glob("*.yaml")}
    assert len(package) > 50
    others = {f"{PACKAGE}/py.typed", f"{PACKAGE}/report/run/style.css"}
    assert len(roles) >= 2
    assert {name for name in names if name.startswith(f"{PACKAGE}/")} == package | roles | others


def test_nothing_else_is_in(names: set[str]) -> None:
    """Neither tests nor examples nor settings of the checkout are installed with the package."""
    tops = {name.partition("/")[0] for name in names}
    (dist_info,) = tops - {PACKAGE}
    assert dist_info.endswith(".dist-info")
    inside = {name.removeprefix(f"{dist_info}/") for name in names if name.startswith(dist_info)}
    assert inside == {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}


def test_the_license_is_the_one_that_is_named(wheel: Path, metadata: Message) -> None:
    """The whole text of the Apache License 2.0 comes along."""
    assert metadata["License-Expression"] == "Apache-2.0"
    assert _text(wheel, "licenses/LICENSE") == (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_the_metadata_tells_what_users_choose_by(metadata: Message) -> None:
    """Name, Python, extras and the README are those that the README names."""
    assert metadata["Name"] == "ocean-migration"
    assert metadata["Requires-Python"] == ">=3.11"
    assert set(metadata.get_all("Provides-Extra", [])) == {"aws", "kubernetes", "simulator", "stack", "testing"}
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    assert (ROOT / "README.md").read_text(encoding="utf-8").strip() in str(metadata.get_payload())


def test_the_changelog_knows_the_version(metadata: Message) -> None:
    """The version that is built has an entry, or is the one that is being made."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{metadata['Version']}]" in changelog


def test_the_command_is_installed(wheel: Path) -> None:
    """`ocean-migration` is an entry point."""
    assert f"ocean-migration = {PACKAGE}.cli:main" in _text(wheel, "entry_points.txt")


def test_the_wheel_works_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """Installed elsewhere, the package that answers is the installed one, of the version that was built."""
    target = tmp_path / "installed"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target)]
    subprocess.run([*install, str(wheel)], check=True, timeout=120)
    source = (
        f"import {PACKAGE} as package; "
        "print(package.__file__, package.__version__, package.OceanWorkloadMigration.__name__, sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", source],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    version = wheel.name.split("-")[1]
    expected = [str(target / PACKAGE / "__init__.py"), version, "OceanWorkloadMigration"]
    assert done.stdout.splitlines() == expected, done.stderr


def _text(wheel: Path, name: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (each for each in archive.namelist() if each.endswith(f".dist-info/{name}"))
        return archive.read(path).decode()
