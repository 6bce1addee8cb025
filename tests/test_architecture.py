"""Compare docs/explanation/architecture.md with the code: picture, folders, and the functions of each flow."""

from __future__ import annotations

import ast
import os
import re
import sys
import threading
import tomllib
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, Final

import pulumi.dynamic
import pytest

from ocean_migration_pulumi import OceanWorkloadMigration, host
from ocean_migration_pulumi.host.call import EngineCall
from ocean_migration_pulumi.host.failure import RpcFailure
from ocean_migration_pulumi.provider import OceanWorkloadMigrationProvider
from ocean_migration_pulumi.resource.session import SESSION
from ocean_migration_pulumi.simulator import Simulator

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = ROOT / "ocean_migration_pulumi"
MAX_HOPS: Final = 8
FLOWS: Final = ("A node id", "The token", "A pod", "One poll", "A failure reason")
"""How the headings of the flows begin."""

Called = set[tuple[str, str]]
"""Functions as path below the package and qualified name."""


@cache
def read_page() -> str:
    """Return the text of the page."""
    return (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")


def read_section(heading: str) -> str:
    """Return the section whose heading begins with a text."""
    (section,) = re.findall(rf"^#+ {re.escape(heading)}.*?\n(.*?)(?=^##|\Z)", read_page(), re.MULTILINE | re.DOTALL)
    return str(section)


def read_section_of_flows() -> str:
    """Return everything below the heading of the flows."""
    return read_page().split("\n## Five flows\n", 1)[1]


def find_names(text: str) -> list[tuple[str, str]]:
    """Return path and qualified name of all modules that a text names; the name is empty for a module alone."""
    return re.findall(r"`([\w/]+\.py)(?::([\w.]+))?`", text)


@cache
def find_definitions(path: str) -> dict[str, type[ast.AST]]:
    """Return the functions, classes and methods of a module by their qualified names."""
    found: dict[str, type[ast.AST]] = {}

    def collect(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                found[prefix + node.name] = type(node)
            if isinstance(node, ast.ClassDef):
                collect(node.body, f"{prefix}{node.name}.")

    collect(ast.parse((PACKAGE / path).read_text(encoding="utf-8")).body, "")
    return found


def read_layers(container: str) -> list[str]:
    """Return the layers that pyproject.toml demands of a package."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (layers,) = (each["layers"] for each in contracts if container in each.get("containers", ()))
    return list(layers)


def test_the_picture_shows_the_contracts() -> None:
    """The rows of the picture are the layers of pyproject.toml, in the same order."""
    rows = re.findall(r"^│ (│ )?(\w.*?)  ", read_section("The picture"), re.MULTILINE)
    assert [name for inner, name in rows if not inner] == read_layers("ocean_migration_pulumi")
    assert [name for inner, name in rows if inner] == read_layers("ocean_migration_pulumi.migration")


def test_every_folder_has_a_row() -> None:
    """The table names each folder of the package, and no other."""
    folders = {
        f"{path.relative_to(PACKAGE).as_posix()}/"
        for path in PACKAGE.rglob("*")
        if path.is_dir() and path.name != "__pycache__"
    }
    table = read_section("Where do I find")
    assert set(re.findall(r"^\| `([\w/]+/)` \|", table, re.MULTILINE)) == folders


def test_every_name_exists() -> None:
    """Each module, and each function or class of it, is in the package."""
    names = find_names(read_page())
    assert len(names) > len(FLOWS) * MAX_HOPS
    assert {path for path, _ in names if not (PACKAGE / path).is_file()} == set()
    assert [f"{path}:{name}" for path, name in names if name and name not in find_definitions(path)] == []


def test_there_are_five_short_flows() -> None:
    """No flow has more than eight hops, and each hop names a function or class."""
    headings = re.findall(r"^### (.*)$", read_section_of_flows(), re.MULTILINE)
    assert len(headings) == len(FLOWS)
    for heading in headings:
        hops = re.split(r"^\d\. ", read_section(heading), flags=re.MULTILINE)[1:]
        assert 0 < len(hops) <= MAX_HOPS, heading
        assert [hop for hop in hops if not any(name for _, name in find_names(hop))] == []


class QuietEngine:
    """Takes the lines and the live rows of a call."""

    def say(self, severity: str, message: str, urn: str) -> None:
        """Drop a line."""

    def start_status(self, message: str, urn: str) -> Future[None]:
        """Return a status that was sent."""
        sent: Future[None] = Future()
        sent.set_result(None)
        return sent


@contextmanager
def note_calls(called: Called) -> Iterator[None]:
    """Note which functions of the package this thread calls, and those that it starts."""
    folder = f"{PACKAGE}/"

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(folder):
            called.add((code.co_filename[len(folder) :], code.co_qualname))

    before = sys.getprofile()
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(before)
        threading.setprofile(None)


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> Called:
    """Return the functions that a program and its provider call: preview, a failing create, and an update."""
    folder = tmp_path_factory.mktemp("architecture")
    found: Called = set()
    with (
        pytest.MonkeyPatch.context() as patch,
        Simulator(nodes=4, scenario="failure-schedule", speed=6000) as simulator,
    ):
        for name in [name for name in os.environ if name.startswith(("SPOTINST_", "OCEAN_MIGRATION_"))]:
            patch.delenv(name)
        patch.setenv("HOME", str(folder))
        patch.setattr(pulumi.dynamic.Resource, "__init__", lambda *args: None)
        patch.setattr(host, "current_call", lambda: EngineCall(engine=QuietEngine()))
        environment = simulator.environment
        config = {
            "ocean-migration:token": environment["SPOTINST_TOKEN"],
            "ocean-migration:account": environment["SPOTINST_ACCOUNT"],
            "ocean-migration:baseUrl": environment["SPOTINST_BASE_URL"],
            "ocean-migration:pollInterval": "0.05",
            "ocean-migration:record": str(folder / "record.jsonl"),
        }
        inputs = {
            "ocean_id": simulator.ocean_id,
            "nodes": {"asg_names": ["web"]},
            "kubeconfig": simulator.kubeconfig(),
        }
        try:
            with note_calls(found):
                play_program(inputs, config)
        finally:
            SESSION.close()
            SESSION.configure(lambda key: None)
        assert simulator.control.requests(effective=True)
    return found


def play_program(inputs: dict[str, Any], config: dict[str, Any]) -> None:
    """Do what a program and the engine do in a preview, a first `up` that fails, and a second one."""
    OceanWorkloadMigration("web", inputs["ocean_id"], inputs["nodes"])
    provider = OceanWorkloadMigrationProvider()
    provider.configure(pulumi.dynamic.ConfigureRequest(pulumi.dynamic.Config(config, "shop")))
    checked = provider.check({}, inputs)
    assert not checked.failures
    with pytest.raises(RpcFailure, match="failed"):
        provider.create(checked.inputs)
    outs = provider.update("web", {}, checked.inputs).outs
    assert outs is not None
    assert outs["migration_id"]


@pytest.mark.parametrize("flow", FLOWS)
def test_every_function_of_a_flow_is_called(flow: str, called: Called) -> None:
    """What a flow names is called in a preview, a failed create and an update."""
    named = {(path, name) for path, name in find_names(read_section(flow)) if name}
    functions = {(path, name) for path, name in named if find_definitions(path)[name] is ast.FunctionDef}
    assert len(functions) > MAX_HOPS // 2
    assert functions - called == set()
