"""Type the quick start of the README into an empty folder: on OfflineStack, and with the `pulumi` command."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("unmeasured")

ROOT = Path(__file__).parents[1]
STAND_IN = f"""#!/bin/sh
# The commands of the quick start, as OfflineStack runs them; the config is kept in a file.
case "$1 $2" in
    "stack init") exit 0 ;;
    "config set") echo "$3=$4" >> config.txt; exit 0 ;;
esac
config=$(cat config.txt)
exec "{sys.executable}" -m ocean_migration_pulumi.testing "$1" --program . --state state.json --config "$config"
"""


def steps() -> list[str]:
    """Return the blocks of the quick start: install, write, start the simulator, run, clean up."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    text = text.split("<!-- quick start -->", 1)[1].split("<!-- end of quick start -->", 1)[0]
    # Blocks are not indented: a here-document that is copied from the raw file would not find its end.
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 5
    return blocks


def typed(blocks: list[str], folder: Path, path: str) -> subprocess.CompletedProcess[str]:
    """Type the blocks into one shell; the first command that fails ends it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "SPOTINST_"))}
    return subprocess.run(
        ["bash", "-e", "-c", "\n".join(blocks)],
        cwd=folder,
        env={**environment, "PATH": path, "HOME": str(folder), "PULUMI_SKIP_UPDATE_CHECK": "true"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def assert_migrated(done: subprocess.CompletedProcess[str]) -> None:
    """Check the preview, the migration, the second `up` without work, and that nothing goes wrong."""
    output = done.stdout
    assert done.returncode == 0, output + done.stderr
    preview, _, rest = output.partition("migration owm-")
    assert "6 nodes stay running (cordoned)" in preview
    assert "finished after" in rest
    assert "Nothing to do" in rest.partition("finished after")[2]


@pytest.fixture
def installed() -> str:
    """Return a PATH that begins with the commands of this environment."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def test_on_offline_stack(tmp_path: Path, installed: str) -> None:
    """Every block but the installation, with a stand-in for `pulumi`."""
    commands = tmp_path / "commands"
    commands.mkdir()
    stand_in = commands / "pulumi"
    stand_in.write_text(STAND_IN, encoding="utf-8")
    stand_in.chmod(stand_in.stat().st_mode | stat.S_IXUSR)
    folder = tmp_path / "empty"
    folder.mkdir()
    assert_migrated(typed(steps()[1:], folder, os.pathsep.join([str(commands), installed])))


@pytest.mark.skipif(shutil.which("pulumi") is None, reason="no `pulumi` on the PATH")
def test_with_pulumi(tmp_path: Path, installed: str) -> None:
    """Every block but the installation."""
    assert_migrated(typed(steps()[1:], tmp_path, installed))


@pytest.mark.slow
def test_the_installation(tmp_path: Path) -> None:
    """The first block makes an environment in which the program of the second one can be imported."""
    install = steps()[0].replace("CLONE=/path/to/the/clone", f"CLONE={ROOT}")
    assert str(ROOT) in install
    checks = ["ocean-migration --version", 'python -c "import ocean_migration_pulumi.simulator"']
    done = typed([install, *checks], tmp_path, os.environ["PATH"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ocean-migration, version" in done.stdout


def test_the_readme_is_short() -> None:
    """It has at most 150 lines: everything else is in the documentation."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
