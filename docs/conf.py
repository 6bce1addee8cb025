"""Configure Sphinx: `make docs` builds the documentation site of this folder."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]

_PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = _PROJECT["name"]
release = version = _PROJECT["version"]
author = copyright = "the authors of ocean-migration"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"{project} {release}"
html_show_copyright = False
html_show_sphinx = False


def show_examples(app: Any, name: str, source: list[str]) -> None:
    """Show the READMEs of examples as pages of the site, and lead the links to them there.

    Links in Markdown files lead from file to file, for readers of the repository. Sphinx only knows its own folder.

    Args:
        app: Sphinx's application.
        name: The page without its suffix, such as `examples/waves`.
        source: The text of the page, as the only element.
    """
    to_examples = "" if name.startswith("examples/") else "../" * name.count("/") + "examples/"
    text = source[0]
    if name.startswith("examples/"):
        folder = ROOT / name
        text = (folder / "README.md").read_text(encoding="utf-8").replace("](../../docs/", "](../")
        text = re.sub(r"\]\(\.\./(\w+)/README\.md", r"](../../examples/\1/README.md", text)
        text = re.sub(r"\]\((?=[\w/.-]+\))(?!\.\./)", f"](../../{name}/", text)
    source[0] = re.sub(r"\]\((?:\.\./)+examples/(\w+)/README\.md", rf"]({to_examples}\1.md", text)


def setup(app: Any) -> None:
    """Connect the functions above to Sphinx."""
    app.connect("source-read", show_examples)
