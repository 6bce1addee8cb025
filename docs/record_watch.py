"""Record `ocean-migration watch` for the README: `python docs/record_watch.py [FILE]` writes docs/images/watch.svg.

A simulated migration runs by a clock that is moved by hand, and the dashboard is drawn at some of its moments. The
frames are rich's own drawings, put into one file that shows them one after the other. Whoever asks for less motion, or
reads it with something that moves nothing, sees the last one. The same package always writes the same file.
"""

from __future__ import annotations

import io
import re
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.models.migration import MigrationStatus
from ocean_migration_pulumi.api.settings import Settings
from ocean_migration_pulumi.cli.dashboard.dashboard import Dashboard
from ocean_migration_pulumi.common.times import parse_time
from ocean_migration_pulumi.migration.views.live_view import LiveView
from ocean_migration_pulumi.simulator import Simulator

FILE: Final = Path(__file__).parent / "images" / "watch.svg"

WIDTH: Final = 92
HEIGHT: Final = 34
NODES: Final = 16

STEP: Final = 15
"""Simulated seconds between two polls."""

MOMENTS: Final = (0, 150, 210, 270, 450, 600, 720, 900, 1080, 1260)
"""The polls, in simulated seconds, that are shown; the end is, too."""

_SECONDS: Final = 2.0
_LAST_SECONDS: Final = 6.0
_TITLE: Final = "ocean-migration watch --cluster demo"
_FONT: Final = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"
_CUT: Final = "<!-- cut -->"
_PARTS: Final = _CUT.join(
    f"{{{name}}}"
    for name in (
        *("styles", "chrome", "backgrounds", "matrix"),
        *("width", "height", "terminal_x", "terminal_y", "char_height", "line_height"),
    )
)
_CLIP: Final = re.compile(r' clip-path="url\(#[^)]*\)"')


@dataclass(frozen=True, slots=True)
class Drawing:
    """The parts of one of rich's drawings."""

    styles: str
    chrome: str
    backgrounds: str
    matrix: str
    width: str
    height: str
    left: str
    top: str
    char_height: str
    line_height: str

    @classmethod
    def of(cls, live_view: LiveView, name: str) -> Drawing:
        """Draw a picture; names in the drawing begin with that of the frame."""
        console = Console(
            record=True, file=io.StringIO(), width=WIDTH, height=HEIGHT, force_terminal=True, color_system="truecolor"
        )
        console.print(Dashboard(live_view=live_view, cluster_name="demo", hint=_hint(live_view.status)), end="")
        blank = HEIGHT - len(console.export_text(clear=False).splitlines())
        console.print(Text("\n" * blank), end="")
        drawn = console.export_svg(title=_TITLE, code_format=_PARTS, unique_id=name)
        return cls(*(_CLIP.sub("", part) for part in drawn.split(_CUT)))


def pictures() -> list[LiveView]:
    """Run a migration with a stand-alone pod and a PodDisruptionBudget in its way, and return what is to be shown."""
    with Simulator(nodes=NODES, scenario="blocking-pdb") as simulator:
        control, ocean_id = simulator.control, simulator.ocean_id
        control.clock(manual=True)
        with OceanClient(Settings.load(None, simulator.environment)) as client:
            nodes = sorted(node.instance_id for node in client.discover(ocean_id))
            control.add_pod(ocean_id, nodes[0], name="debug", namespace="tools", controller=None)
            migration_id = client.create_migration(
                ocean_id,
                nodes,
                batch_size_percentage=25,
                should_terminate_drained_nodes=True,
                should_evict_stand_alone_pods=False,
                force_pod_eviction_on_pdb_failure=True,
            )
            shown: list[LiveView] = []
            live_view: LiveView | None = None
            seconds = 0
            while live_view is None or not live_view.status.is_terminal:
                if live_view is not None:
                    control.advance(STEP)
                    seconds += STEP
                status = client.get_migration(ocean_id, migration_id)
                live_view = _picture(status, seconds, live_view, client)
                if seconds in MOMENTS or status.is_terminal:
                    shown.append(live_view)
            return shown


def recording() -> str:
    """Return the recording as SVG."""
    drawings = [Drawing.of(live_view, f"f{number}") for number, live_view in enumerate(pictures())]
    first, total = drawings[0], _SECONDS * (len(drawings) - 1) + _LAST_SECONDS
    styles, frames = [], []
    for number, drawing in enumerate(drawings):
        since, until = 100 * _SECONDS * number / total, 100 * _SECONDS * (number + 1) / total
        is_last = number == len(drawings) - 1
        keys = [f"{since:.3f}% {{ visibility: visible }}"]
        keys += [] if number == 0 else ["0% { visibility: hidden }"]
        keys += [] if is_last else [f"{until:.3f}% {{ visibility: hidden }}"]
        styles.append(drawing.styles)
        styles.append(f"@keyframes k{number} {{ {' '.join(keys)} }}")
        styles.append(f"#k{number} {{ animation: k{number} {total:g}s step-end infinite }}")
        frame = f'<g class="frame{" last" if is_last else ""}" id="k{number}">{drawing.backgrounds}{drawing.matrix}</g>'
        frames.append(frame)
    text = f"""<svg viewBox="0 0 {first.width} {first.height}" xmlns="http://www.w3.org/2000/svg" role="img" \
aria-label="A recording of a simulated migration: {_TITLE}">
<style>
.frame text {{ font-family: {_FONT}; font-size: {first.char_height}px; white-space: pre }}
.f0-title {{ font: bold 18px system-ui, sans-serif }}
.frame {{ visibility: hidden }}
.frame.last {{ visibility: visible }}
{chr(10).join(styles)}
@media (prefers-reduced-motion: reduce) {{ .frame {{ animation: none !important }} }}
</style>
{first.chrome}
<g transform="translate({first.left}, {first.top})">
{chr(10).join(frames)}
</g>
</svg>
"""
    return "\n".join(line.strip() for line in text.splitlines() if line.strip()) + "\n"


def main(file: Path = FILE) -> None:
    """Write the recording."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(recording(), encoding="utf-8", newline="\n")


def _picture(status: MigrationStatus, seconds: int, before: LiveView | None, client: OceanClient) -> LiveView:
    created = parse_time(status.created_at)
    if created is None:
        msg = "the simulator does not say when the migration was created"
        raise ValueError(msg)
    at = created + timedelta(seconds=seconds)
    return LiveView.from_status(status, at=at, before=before, ocean_nodes=client.list_nodes(status.ocean_id))


def _hint(status: MigrationStatus) -> str:
    stop = f"Quit: Ctrl-C. Stop: ocean-migration stop {status.id} --cluster {status.ocean_id}"
    return "" if status.is_terminal else stop


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
