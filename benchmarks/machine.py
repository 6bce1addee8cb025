"""On what was measured: a number without its machine says little."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

_LIBRARIES = ("ocean-migration", "pulumi", "httpx", "grpcio", "spotinst-sdk2")
_CPUINFO = Path("/proc/cpuinfo")


def described() -> str:
    """Return the machine, the versions and the day, as a Markdown list."""
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    lines = [
        f"{os.cpu_count()} cores, {_processor()}, {platform.system()}",
        f"{platform.python_implementation()} {platform.python_version()}; {libraries}",
        f"measured on {datetime.now(UTC):%Y-%m-%d}",
    ]
    return "".join(f"- {line}\n" for line in lines)


def _processor() -> str:
    """Return the model of the processor, as far as the system tells."""
    if _CPUINFO.is_file():
        for line in _CPUINFO.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return " ".join(value.split())
    return platform.processor() or platform.machine()
