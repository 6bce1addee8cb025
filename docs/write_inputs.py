"""Write what follows from the declarations of inputs: `python docs/write_inputs.py`.

An input is declared once: in a spec (`MigrationSpec`, `GateSpec`, `NodeSelector`), or as a field of a class of
arguments. From that follow

- the section `Args` of the constructors of the resources,
- the docstrings of the fields of `NodeSelectorArgs`,
- the dictionary form of each class of arguments (`WaveArgsDict` of `WaveArgs`),
- the tables in docs/, between `<!-- inputs of X -->` and `<!-- end -->`.

A test fails when a file is not what this program would write.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import ocean_migration_pulumi
from ocean_migration_pulumi.migration.gate.spec import GateSpec
from ocean_migration_pulumi.migration.spec.node_selector import NodeSelector
from ocean_migration_pulumi.migration.spec.options import InputDeclaration, declared_inputs
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = ROOT / "ocean_migration_pulumi"
CONSTRUCTORS: Final = {
    PACKAGE / "provider.py": "OceanWorkloadMigration",
    PACKAGE / "gate.py": "OceanMigrationGate",
}
ARGUMENTS: Final = (
    PACKAGE / "inputs.py",
    PACKAGE / "component" / "args.py",
    PACKAGE / "component" / "kubernetes_args.py",
)
SPECS: Final[Mapping[str, type[Any]]] = {
    "OceanWorkloadMigration": MigrationSpec,
    "OceanMigrationGate": GateSpec,
    "NodeSelectorArgs": NodeSelector,
}
"""The spec that declares the inputs of a resource, or the fields of a class of arguments."""

_ARGS: Final = re.compile(r"(?<=\n)            ocean_id:.*?(?=            opts: )", re.DOTALL)
_TABLE: Final = re.compile(r"(<!-- inputs of (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def declarations(kind: str) -> dict[str, InputDeclaration]:
    """Return the declared inputs that programs can give; none for a class of arguments that declares its own fields."""
    declared = declared_inputs(SPECS[kind]) if kind in SPECS else {}
    return {name: each for name, each in declared.items() if not each.internal}


def meaning(declaration: InputDeclaration) -> str:
    """Return what an input does, and what happens without a value."""
    return f"{declaration.doc} None means {declaration.none_means}." if declaration.none_means else declaration.doc


def default(value: Any) -> str:
    """Return a default as Python code with double quotes; empty for what is no text, number or flag."""
    if isinstance(value, str):
        return f'"{value}"'
    return str(value) if isinstance(value, (bool, int)) else ""


def describe(declaration: InputDeclaration) -> str:
    """Return the meaning of an input with its default."""
    shown = default(declaration.default)
    return meaning(declaration) + (f" Default: ``{shown}``." if shown else "")


def fill(text: str, indent: int, hanging: int) -> list[str]:
    """Return a paragraph as lines of a docstring."""
    wrapper = textwrap.TextWrapper(
        120, initial_indent=" " * indent, subsequent_indent=" " * hanging, break_on_hyphens=False
    )
    return wrapper.wrap(text)


def constructor_docs(source: str, kind: str) -> str:
    """Return the source of a resource with the declared inputs in the docstring of its constructor."""
    lines = [line for name, each in declarations(kind).items() for line in fill(f"{name}: {describe(each)}", 12, 16)]
    return _ARGS.sub(lambda _: "\n".join(lines) + "\n", source, count=1)


def fields_of(node: ast.ClassDef) -> Iterator[tuple[str, ast.AnnAssign, ast.Expr | None]]:
    """Return the fields of a class, each with its docstring; None for one without."""
    for each, after in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(each, ast.AnnAssign):
            yield ast.unparse(each.target), each, after if isinstance(after, ast.Expr) else None


def classes_of(source: str) -> dict[str, ast.ClassDef]:
    """Return the classes in a source by name."""
    return {node.name: node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}


def argument_docs(source: str) -> str:
    """Return the source of classes of arguments with declared docstrings, and with complete dictionary forms."""
    lines, classes = source.splitlines(), classes_of(source)
    edits: list[tuple[int, int, list[str]]] = []
    for name, node in classes.items():
        declared = declarations(name)
        for field, found, doc in fields_of(node):
            if field in declared:
                first = found.end_lineno or 0
                last = doc.end_lineno or 0 if doc else first
                edits.append((first, last, fill(f'"""{describe(declared[field])}"""', 4, 4)))
        if form := classes.get(f"{name}Dict"):
            keys = [
                f"    {field}: {ast.unparse(found.annotation).removesuffix(' | None')}"
                for field, found, _ in fields_of(node)
            ]
            edits.append((form.body[0].end_lineno or 0, form.end_lineno or 0, ["", *keys]))
    for first, last, text in sorted(edits, reverse=True):
        lines[first:last] = text
    return "\n".join(lines) + "\n"


def cell(text: str) -> str:
    """Return reStructuredText as a cell of a Markdown table."""
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")


def code(text: str) -> str:
    """Return text as Markdown's inline code; nothing remains nothing."""
    return f"`{text}`" if text else ""


def type_of(declaration: InputDeclaration) -> str:
    """Return the type of an input as documentation names it."""
    return "secret " * declaration.secret + (declaration.type.label or declaration.type.annotation)


def table(kind: str) -> str:
    """Return the table of the inputs of a resource, or of the fields of a class of arguments."""
    if kind in SPECS:
        inputs = [
            (code(name), type_of(each), code(default(each.default)), cell(meaning(each)))
            for name, each in declarations(kind).items()
        ]
        return markdown(("input", "type", "default", "meaning"), inputs)
    (node,) = (
        found
        for path in ARGUMENTS
        for name, found in classes_of(path.read_text(encoding="utf-8")).items()
        if name == kind
    )
    fields, defaults = list(fields_of(node)), getattr(ocean_migration_pulumi, kind).__dataclass_fields__
    own = [
        (code(name), code(default(defaults[name].default)), cell(ast.literal_eval(doc.value)))
        for name, _, doc in fields
        if doc
    ]
    if names := ", ".join(code(name) for name, _, doc in fields if doc is None):
        own.append((names, "", "As the [inputs of the resource](resource.md#inputs), with the same defaults."))
    return markdown(("field", "default", "meaning"), own)


def markdown(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = ["|".join(("", *(f" {each} " if each else " " for each in line), "")) for line in (head, *rows)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]]) + "\n"


def written() -> dict[Path, str]:
    """Return every file that depends on the declarations, as it should be."""
    files = {path: constructor_docs(path.read_text(encoding="utf-8"), kind) for path, kind in CONSTRUCTORS.items()}
    files |= {path: argument_docs(path.read_text(encoding="utf-8")) for path in ARGUMENTS}
    for path in sorted((ROOT / "docs").rglob("*.md")):
        page = path.read_text(encoding="utf-8")
        if _TABLE.search(page):
            files[path] = _TABLE.sub(lambda match: match[1] + table(match[2]) + match[3], page)
    return files


if __name__ == "__main__":
    for file, text in written().items():
        file.write_text(text, encoding="utf-8")
