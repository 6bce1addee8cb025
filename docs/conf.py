"""Configure Sphinx: `make docs` builds the documentation site of this folder."""

from __future__ import annotations

import inspect
import os
import re
import textwrap
import tomllib
from pathlib import Path
from typing import Any, Final

DOCS: Final = Path(__file__).parent
ROOT: Final = DOCS.parent
SHOWN: Final = {
    DOCS / "changelog.md": ROOT / "CHANGELOG.md",
    **{page: ROOT / "examples" / page.stem / "README.md" for page in (DOCS / "examples").glob("*.md")},
}
"""The file of the repository that a page shows."""
PAGES: Final = {file: page for page, file in SHOWN.items()}

_PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = _PROJECT["name"]
release = version = _PROJECT["version"]
author = copyright = "the authors of ocean-migration"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click"]

# Options and commands are quoted as they are typed.
smartquotes = False

myst_enable_extensions = ["colon_fence", "deflist", "tasklist"]
myst_heading_anchors = 4

autoclass_content = "both"  # the docstring of a constructor has the inputs
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
napoleon_google_docstring = True
napoleon_numpy_docstring = False

# A signature also shows names without a page here: those of other packages, whose documentation would need a network,
# those that users never import, and forms of a class as a dictionary.
nitpick_ignore_regex = [
    ("py:.*", r"(pulumi|click|httpx|pytest|collections\.abc|typing|datetime|pathlib|os)\..*"),
    (
        "py:.*",
        r"(Any|Callable|Input|Iterable|Iterator|Mapping|Output|Path|ResourceOptions|Sequence|datetime|dict\[str)",
    ),
    ("py:.*", r"ocean_migration_pulumi\.[a-z_.]+\.\w+"),
    ("py:.*", r"\w+ArgsDict"),
    ("py:exc", r"\w+(Error|Failure)"),
]

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_title = f"{project} {release}"
html_show_copyright = False
html_show_sphinx = False


def show_files_of_the_repository(app: Any, name: str, source: list[str]) -> None:
    """Show some files of the repository as pages of the site, and lead the links to them there.

    Links in Markdown lead from file to file, for readers of the repository. Sphinx only knows its own folder.

    Args:
        app: Sphinx's application.
        name: The page without its suffix, such as `examples/waves`.
        source: The text of the page, as the only element.
    """
    here = DOCS / f"{name}.md"
    file = SHOWN.get(here, here)

    def lead(link: re.Match[str]) -> str:
        path, mark, heading = link[1].partition("#")
        if not path or "://" in path:
            return link[0]
        linked = (file.parent / path).resolve()
        return f"]({os.path.relpath(PAGES.get(linked, linked), here.parent)}{mark}{heading})"

    text = file.read_text(encoding="utf-8") if here in SHOWN else source[0]
    source[0] = re.sub(r"\]\(([^)\s]+)\)", lead, text)


def quote_epilog(app: Any, context: Any, lines: list[str]) -> None:
    """Show the examples and exit statuses of a command as they stand in its help.

    Args:
        app: Sphinx's application.
        context: Click's context of the command.
        lines: The lines that replace the epilog.
    """
    epilog = re.sub(r"\n{3,}", "\n\n", inspect.cleandoc((context.command.epilog or "").replace("\b", "")))
    lines[:] = [".. code-block:: text", "", *textwrap.indent(epilog, "   ").splitlines()] if epilog else []


def quote_wildcards(app: Any, context: Any, lines: list[str]) -> None:
    """Keep the wildcards in the help of options: reStructuredText takes a `*` for the begin of emphasis.

    Args:
        app: Sphinx's application.
        context: Click's context of the command.
        lines: The lines of all options, changed in place.
    """
    lines[:] = [line.replace("*", r"\*") for line in lines]


def keep_colons(app: Any, what: str, name: str, member: Any, options: Any, lines: list[str]) -> None:
    """Keep napoleon from reading the first words of an attribute's docstring, up to a colon, as its type.

    Args:
        app: Sphinx's application.
        what: The kind of the documented member.
        name: Its name.
        member: The member.
        options: Options of the directive.
        lines: The docstring, changed in place.
    """
    if what in {"attribute", "property"}:
        lines[:0] = ["..", ""]  # an empty comment: the first line must not have a colon


def setup(app: Any) -> None:
    """Connect the functions above to Sphinx."""
    app.connect("autodoc-process-docstring", keep_colons, priority=400)  # before napoleon, which has 500
    app.connect("source-read", show_files_of_the_repository)
    app.connect("sphinx-click-process-epilog", quote_epilog)
    app.connect("sphinx-click-process-options", quote_wildcards)
