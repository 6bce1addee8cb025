"""The command `python -m ocean_migration_pulumi.testing`."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ocean_migration_pulumi.testing import __all__ as exported
from ocean_migration_pulumi.testing.__main__ import main
from tests.testing.offline.probe import HEAD


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a program of one probe."""
    monkeypatch.setenv("PROBE_DIR", str(tmp_path))
    directory = tmp_path / "program"
    directory.mkdir()
    (directory / "__main__.py").write_text(
        HEAD + "pulumi.export('made', Probe('a', size=pulumi.Config().require_int('size')).made)\n", encoding="utf-8"
    )
    return directory


def call(program: Path, *arguments: str, text: str | None = None) -> Result:
    """Call the command in this process."""
    command, *rest = arguments
    options = ["--program", str(program), "--state", str(program.parent / "state.json")]
    return CliRunner().invoke(main, [command, *rest, *options], input=text)


def test_the_help_breaks_no_word_and_names_no_type_of_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the usual terminal; the commands stand below the usage."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = CliRunner().invoke(main, ["--help"]).output.splitlines()
    assert lines[0].endswith(" [OPTIONS] COMMAND [URN]")
    listed = " ".join(map(str.strip, lines))
    assert "COMMAND is preview, up, refresh, destroy, state-delete, cancel, export or import." in listed
    assert not re.search(r"\b(INTEGER|FLOAT|TEXT|RANGE)\b", listed)


def test_commands(program: Path) -> None:
    """Each command works, prints lines or JSON, and exits with 0 or 1."""
    up = call(program, "up", "--config", "size=1", "--parallel", "2")
    assert up.exit_code == 0, up.output
    assert "+ 2 created" in up.output
    as_json = call(program, "preview", "--config", "size=2", "--json")
    assert as_json.exit_code == 0
    assert json.loads(as_json.output)["summary"] == {"same": 1, "update": 1}
    missing = call(program, "up")
    assert missing.exit_code == 1
    assert "size" in missing.output
    assert call(program, "up", "--refresh", "--config", "size=1").exit_code == 0
    assert call(program, "refresh", "--clear-pending-creates").exit_code == 0
    exported_state = call(program, "export")
    urn = json.loads(exported_state.output)["deployment"]["resources"][-1]["urn"]
    assert call(program, "state-delete", urn).exit_code == 0
    refused = call(program, "state-delete", urn)
    assert refused.exit_code == 1
    assert "no such resource" in refused.output
    assert call(program, "import", text=exported_state.output).exit_code == 0
    assert call(program, "cancel").exit_code == 0
    assert call(program, "destroy").exit_code == 0
    assert "resources" not in json.loads(call(program, "export").output)["deployment"]


def test_bad_arguments(program: Path) -> None:
    """What is missing is told, and a value that may be a secret is not repeated."""
    urn = call(program, "state-delete")
    assert urn.exit_code == 2
    assert "needs the URN" in urn.output
    pair = call(program, "up", "--secret", "canary")
    assert pair.exit_code == 2
    assert "KEY=VALUE" in pair.output
    assert "canary" not in pair.output


def test_mocks_are_loaded_by_name(program: Path) -> None:
    """`--mocks module:Class` names what stands for other packages."""
    (program / "__main__.py").write_text(
        "import pulumi\npulumi.CustomResource('other:index:Thing', 't', {'x': 1})\n", encoding="utf-8"
    )
    assert call(program, "up").exit_code == 1
    assert call(program, "up", "--mocks", "ocean_migration_pulumi.testing:ResourceMocks").exit_code == 0


def test_public_names_are_loaded_when_they_are_used() -> None:
    """Every public name can be imported, and no other."""
    import ocean_migration_pulumi.testing as package

    assert sorted(exported) == exported
    for name in exported:
        assert getattr(package, name).__name__ == {"Diagnostic": "EngineDiagnostic"}.get(name, name)
    with pytest.raises(AttributeError, match="nothing"):
        _ = package.nothing
    assert "ocean_migration_pulumi.testing" in sys.modules
