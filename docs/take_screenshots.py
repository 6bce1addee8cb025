"""Take the screenshots of the documentation in a real browser: `python docs/take_screenshots.py [FOLDER]`.

Shows the comment on a pull request, as GitHub renders it, and the HTML report of a simulated migration, each light and
dark. Needs Chromium on the PATH and the dependency group `screenshots`. A test does not compare the pictures: fonts and
browsers differ.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from playwright.sync_api import sync_playwright

from ocean_migration_pulumi.simulator import Simulator
from ocean_migration_pulumi.testing import OfflineStack

ROOT: Final = Path(__file__).parents[1]
IMAGES: Final = ROOT / "docs" / "images"
COMMENT: Final = ROOT / "tests" / "pins" / "data" / "situations" / "blockers.comment.md"
"""What `ocean-migration comment` printed for a preview with blockers; a test keeps it up to date."""

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTH: Final = 900
HEIGHTS: Final = {"comment": 1000, "report": 1100}
"""The part of each page that a screenshot shows, in CSS pixels from its top."""

_STYLE: Final = """
:root { color-scheme: light dark; --text: #1f2328; --back: #fff; --line: #d1d9e0; --code: #eff1f3; --box: #f6f8fa }
@media (prefers-color-scheme: dark) {
  :root { --text: #f0f6fc; --back: #0d1117; --line: #3d444d; --code: #262c36; --box: #151b23 }
}
body { margin: 24px; color: var(--text); background: var(--back) }
body { font: 14px/1.5 system-ui, "Liberation Sans", sans-serif }
main { border: 1px solid var(--line); border-radius: 6px }
header { padding: 8px 16px; background: var(--box); border-bottom: 1px solid var(--line); border-radius: 6px 6px 0 0 }
article { padding: 16px }
h3 { font-size: 1.25em; margin: 24px 0 16px }
code { background: var(--code); padding: .2em .4em; border-radius: 6px; font: 85% "Liberation Mono", monospace }
pre { background: var(--box); padding: 16px; border-radius: 6px; overflow: auto }
pre code { background: none; padding: 0 }
table { border-collapse: collapse } th, td { border: 1px solid var(--line); padding: 6px 13px; text-align: left }
li { overflow-wrap: anywhere }
"""


def render_comment() -> str:
    """Return the comment as a page, with the parts of Markdown that GitHub knows."""
    markdown = re.sub(r"^<!-- \d+\. preview -->\n", "", COMMENT.read_text(encoding="utf-8"))
    body = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)
    body = body.replace("<li>[ ] ", '<li><input type="checkbox" disabled> ')
    body = body.replace("<li>[x] ", '<li><input type="checkbox" disabled checked> ')
    header = "<b>github-actions</b> bot commented"
    page = f"<main><header>{header}</header><article>{body}</article></main>"
    return f'<!doctype html><meta charset="utf-8"><style>{_STYLE}</style>{page}'


def render_report(folder: Path) -> str:
    """Run a migration that leaves pods behind on a simulator, and return its report."""
    with Simulator(scenario="stand-alone-pods", speed=600) as simulator:
        kubeconfig = folder / "kube.yaml"
        kubeconfig.write_text(simulator.kubeconfig(), encoding="utf-8")
        environment = {
            **simulator.environment,
            "KUBECONFIG": str(kubeconfig),
            "OCEAN_MIGRATION_POLL_INTERVAL": "0.1",
        }
        config = {"oceanId": simulator.ocean_id}
        stack = OfflineStack(ROOT / "examples" / "basic", folder / "state.json", config=config, environment=environment)
        stack.up()
        exported = folder / "stack.json"
        exported.write_text(json.dumps(stack.export()), encoding="utf-8")
        arguments = ["report", "--cluster", simulator.ocean_id, "--stack", str(exported), "-o", "html"]
        command = [sys.executable, "-m", "ocean_migration_pulumi", *arguments]
        # The command is this package's own.
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout  # noqa: S603


def main(folder: Path = IMAGES) -> None:
    """Take all screenshots."""
    browser_path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser_path is None:
        sys.exit(f"no browser on the PATH: install one of {', '.join(BROWSERS)}")
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        pages = {"comment": render_comment(), "report": render_report(Path(temporary))}
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        for name, html in pages.items():
            for scheme in ("light", "dark"):
                page = browser.new_page(
                    viewport={"width": WIDTH, "height": HEIGHTS[name]}, color_scheme=scheme, reduced_motion="reduce"
                )
                page.set_content(html)
                page.screenshot(path=folder / f"{name}-{scheme}.png")
                page.close()
        browser.close()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
