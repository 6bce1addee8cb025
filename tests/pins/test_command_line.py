"""The command line that scripts rely on: commands, options and exit statuses; more may come, none may go."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner

from tests.pins.command import main
from tests.pins.goldens import golden

_GOLDEN = "command-line.json"
_SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
_GROUP = "ocean-migration"

_EXIT_STATUS = re.compile(r"^ +(\d+)  \S", re.MULTILINE)

_NOT_PINNED = {
    "rehearse": None,
    "comment": {"--rehearsal"},
    "doctor": {"--contract"},
}
"""What nobody is to rely on: a whole command, or some of its options."""

_LISTS = frozenset(
    {
        "candidates",
        "clusters",
        "config",
        "doctor",
        "explain",
        "history",
        "logs",
        "nodes",
        "plan",
        "start",
        "status",
        "stop",
    }
)
"""Commands of which only the formats of a terminal and JSON are to be relied on."""


def described() -> dict[str, Any]:
    """Return the options, arguments and documented exit statuses of each command."""
    context = click.Context(main(), info_name=_GROUP)
    found = {_GROUP: described_command(main())}
    for name in main().list_commands(context):
        command = main().get_command(context, name)
        assert command is not None
        if _NOT_PINNED.get(name, ()) is not None:
            found[name] = described_command(command, _NOT_PINNED.get(name) or ())
            if name in _LISTS:
                for option in ("-o", "--output"):
                    found[name]["options"].pop(option, None)
    return found


def described_command(command: click.Command, left_out: Any = ()) -> dict[str, Any]:
    """Return what a script may say to a command, and what it may make of its end."""
    options = {
        spelling: described_option(parameter)
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for spelling in (*parameter.opts, *parameter.secondary_opts)
        if spelling not in left_out
    }
    help_ = CliRunner().invoke(command, ["--help"])
    assert help_.exit_code == 0
    statuses = help_.stdout.partition("Exit status:")[2]
    return {
        "options": options,
        "arguments": [
            {"required": each.required, "several": each.nargs != 1}
            for each in command.params
            if isinstance(each, click.Argument)
        ],
        "exit_statuses": sorted({int(number) for number in _EXIT_STATUS.findall(statuses)}),
    }


def described_option(option: click.Option) -> dict[str, Any]:
    """Return whether an option takes a value, which, and whether it may be repeated."""
    choices = option.type.choices if isinstance(option.type, click.Choice) else ()
    return {
        "flag": option.is_flag,
        "repeated": option.multiple,
        "required": option.required,
        "choices": sorted(map(str, choices)),
    }


def test_commands_take_what_they_took() -> None:
    """Commands, options and choices may be added."""
    found = described()
    for name, had in golden(_GOLDEN, described).items():
        assert name in found, name
        have = found[name]
        assert {*had["exit_statuses"]} <= {*have["exit_statuses"]}, name
        assert have["arguments"][: len(had["arguments"])] == had["arguments"], name
        assert not any(each["required"] for each in have["arguments"][len(had["arguments"]) :]), name
        added = have["options"].keys() - had["options"].keys()
        assert not any(have["options"][each]["required"] for each in added), name
        for spelling, option in had["options"].items():
            assert spelling in have["options"], f"{name} {spelling}"
            now = have["options"][spelling]
            assert {*option.pop("choices")} <= {*now.pop("choices")}, f"{name} {spelling}"
            assert now == option, f"{name} {spelling}"


def test_what_is_printed_as_json_has_a_schema() -> None:
    """Under the name of the command; that each holds is tested with the commands."""
    schemas = {path.stem for path in _SCHEMAS.glob("*.json")}
    assert {name for name, had in golden(_GOLDEN, described).items() if "--json" in had["options"]} <= schemas
    assert "notification" in schemas
