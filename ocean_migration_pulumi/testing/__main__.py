"""The command `python -m ocean_migration_pulumi.testing`, which can be interrupted and killed like `pulumi`."""

from __future__ import annotations

import importlib
import json
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from ocean_migration_pulumi.testing.offline.engine.display import Display
from ocean_migration_pulumi.testing.offline.engine.events import EventLog, Observer, Result
from ocean_migration_pulumi.testing.offline.engine.stack import OfflineStack
from ocean_migration_pulumi.testing.offline.state.storage import StateError

_COMMANDS = ("preview", "up", "refresh", "destroy", "cancel", "export", "import", "state-delete")


@click.command()
@click.argument("command", type=click.Choice(_COMMANDS), metavar="COMMAND")
@click.argument("urn", required=False)
@click.option(
    "--program", type=click.Path(exists=True, path_type=Path), metavar="PATH", required=True, help="Directory or file."
)
@click.option("--state", type=click.Path(path_type=Path), required=True, help="The state file.")
@click.option(
    "--project", metavar="NAME", help="The project's name; by default from Pulumi.yaml, else the directory's."
)
@click.option("--stack", metavar="NAME", default="dev", show_default=True, help="The stack's name.")
@click.option("--config", multiple=True, metavar="KEY=VALUE", help="Configuration, `namespace:key` or `key`.")
@click.option("--secret", multiple=True, metavar="KEY=VALUE", help="Secret configuration, like --config.")
@click.option("--mocks", metavar="MODULE:CLASS", help="Class of the mocks of other packages.")
@click.option(
    "--parallel", type=click.IntRange(min=1), metavar="N", default=16, show_default=True, help="Parallel steps."
)
@click.option("--refresh", is_flag=True, help="up: refresh first.")
@click.option("--clear-pending-creates", is_flag=True, help="refresh: remove pending creations from the state.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON instead of lines.")
@click.option("--event-log", type=click.Path(path_type=Path), help="Write the events to this file, as lines of JSON.")
def main(command: str, urn: str | None, **options: Any) -> None:
    """Run a Pulumi program without the `pulumi` command: a test double of its engine.

    COMMAND is preview, up, refresh, destroy, state-delete, cancel, export or import.

    `state-delete` needs the URN of a resource. `export` writes to standard output, `import` reads standard input.
    The first Ctrl-C lets running steps end and saves their state, the second one stops at once. The exit status
    is 1 when the update failed or was interrupted.
    """
    observers: list[Observer] = []
    if not options["as_json"]:
        observers.append(Display(_print, preview=command == "preview"))
    if options["event_log"]:
        observers.append(EventLog(options["event_log"]))
    stack = OfflineStack(
        options["program"],
        options["state"],
        project=options["project"],
        stack=options["stack"],
        config=_parse_pairs(options["config"]),
        secrets=_parse_pairs(options["secret"]),
        mocks=_load_mocks(options["mocks"]),
        observers=observers,
        parallel=options["parallel"],
    )
    with ExitStack() as restored:
        # Like the engine, treat SIGTERM as Ctrl-C.
        for number in (signal.SIGINT, signal.SIGTERM):
            restored.callback(signal.signal, number, signal.signal(number, lambda *_: stack.interrupt()))
        try:
            result = _run(stack, command, urn, options)
        except StateError as exc:
            raise click.ClickException(str(exc)) from None
    if result is None:
        return
    if options["as_json"]:
        click.echo(json.dumps(result.to_json(), indent=2))
    sys.exit(0 if result.succeeded else 1)


def _run(stack: OfflineStack, command: str, urn: str | None, options: dict[str, Any]) -> Result | None:
    if command == "export":
        click.echo(json.dumps(stack.export(), indent=4))
    elif command == "import":
        stack.import_state(json.load(sys.stdin))
    elif command == "state-delete":
        if urn is None:
            msg = "state-delete needs the URN of a resource"
            raise click.UsageError(msg)
        stack.remove_from_state(urn)
    elif command == "up":
        return stack.up(refresh=options["refresh"])
    elif command == "refresh":
        return stack.refresh(clear_pending_creates=options["clear_pending_creates"])
    else:
        result: Result = {
            "preview": stack.preview, "destroy": stack.destroy, "cancel": stack.cancel,
        }[command]()  # fmt: skip
        return result
    return None


def _print(line: str) -> None:
    click.echo(line)


def _parse_pairs(pairs: tuple[str, ...]) -> dict[str, str]:
    config: dict[str, str] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator:
            # The argument may be a secret, so the message does not repeat it.
            msg = "configuration must be KEY=VALUE"
            raise click.UsageError(msg)
        config[key] = value
    return config


def _load_mocks(name: str | None) -> Any:
    if name is None:
        return None
    module, _, attribute = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    return getattr(importlib.import_module(module), attribute)()


if __name__ == "__main__":
    main()
