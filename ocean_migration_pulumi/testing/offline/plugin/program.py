"""Runs a Pulumi program in a process of its own, like the Python language host of the engine."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import runpy
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pulumi
from pulumi.runtime import Settings, configure, get_config_env, get_config_secret_keys_env, run_in_stack, set_all_config

REPORTED = 32
"""The exit status of a program that has already reported its failure to the engine."""

INTERRUPTED = 130
"""The exit status of a program that was interrupted because the update ended first."""

_POLL_SECONDS = 0.2
"""Seconds between two checks whether the engine still runs."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a program, and connect it to the monitor and engine at the addresses in the arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m ocean_migration_pulumi.testing.offline.plugin.program", description=__doc__
    )
    for name in ("project", "stack", "organization", "monitor", "engine", "root"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--engine-pid", type=int, required=True)
    parser.add_argument("--parallel", type=int, required=True)
    parser.add_argument("--preview", action="store_true")
    parser.add_argument("program", type=Path)
    options = parser.parse_args(argv)
    threading.Thread(target=_exit_with_engine, args=(options.engine_pid,), daemon=True).start()

    set_all_config(get_config_env(), get_config_secret_keys_env())
    configure(
        Settings(
            project=options.project,
            stack=options.stack,
            organization=options.organization,
            monitor=options.monitor,
            engine=options.engine,
            root_directory=options.root,
            parallel=options.parallel,
            dry_run=options.preview,
        )
    )
    sys.argv = [str(options.program)]
    if options.program.is_file():
        sys.path.insert(0, str(options.program.parent))
    return _run(options.program, options.parallel)


def _exit_with_engine(engine: int) -> None:
    """Exit when the engine was killed: the program would wait for it for ever."""
    parent = os.getppid()
    # Tests fork the program from a process that is not the engine.
    while os.getppid() == parent and (parent == engine or _is_running(engine)):
        time.sleep(_POLL_SECONDS)
    os._exit(INTERRUPTED)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _run(program: Path, parallel: int) -> int:
    # A program that ends early leaves futures unresolved on purpose, and asyncio would log each one.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    executor = ThreadPoolExecutor(max_workers=max(parallel, 1) * 4)
    loop.set_default_executor(executor)
    try:
        loop.run_until_complete(run_in_stack(lambda: _execute(program)))
    except pulumi.RunError as exc:
        pulumi.log.error(str(exc))
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as exc:  # noqa: BLE001 - whatever the user's program raises is reported
        pulumi.log.error("Program failed with an unhandled exception:\n" + _format_program_traceback(exc))
        return REPORTED
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
        loop.close()
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _execute(program: Path) -> None:
    runpy.run_path(str(program), run_name="__main__")


def _format_program_traceback(error: Exception) -> str:
    """Format the traceback from the first frame of the program on."""
    own = {__file__, runpy.__file__, "<frozen runpy>", run_in_stack.__code__.co_filename, asyncio.base_events.__file__}
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None and trace.tb_frame.f_code.co_filename in own:
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace))


if __name__ == "__main__":
    sys.exit(main())
