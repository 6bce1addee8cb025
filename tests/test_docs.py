"""What README and docs state, compared with the code: names, defaults, links, commands, and the programs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from docs.write_inputs import written
from ocean_migration_pulumi import (
    ClusterAutoscalerArgs,
    ControllerArgs,
    GateArgs,
    ImportFromArgs,
    OceanMigration,
    OceanMigrationArgs,
    OceanWorkloadMigration,
    RetireArgs,
    TaintArgs,
    VirtualNodeGroupArgs,
    WaveArgs,
    errors,
)
from ocean_migration_pulumi.migration.checks.check_result import Finding
from ocean_migration_pulumi.migration.spec.approval import REVIEWED
from ocean_migration_pulumi.migration.spec.diagnostic import Code
from ocean_migration_pulumi.resource.session import CONFIG_KEYS
from ocean_migration_pulumi.simulator import Simulator
from ocean_migration_pulumi.testing import OfflineStack
from ocean_migration_pulumi.testing.simulator.control.control_server import Controls
from ocean_migration_pulumi.testing.simulator.server.command import command as simulator_command
from ocean_migration_pulumi.testing.simulator.server.faults import KINDS
from ocean_migration_pulumi.testing.simulator.world.scenarios import SCENARIOS

pytestmark = pytest.mark.usefixtures("unmeasured")

ROOT = Path(__file__).parents[1]
COMPONENT = [
    (OceanMigrationArgs, "Arguments"),
    (ImportFromArgs, "A new cluster"),
    (VirtualNodeGroupArgs, "Virtual Node Groups"),
    (TaintArgs, "Virtual Node Groups"),
    (ControllerArgs, "Controller"),
    (ClusterAutoscalerArgs, "Cluster Autoscaler"),
    (WaveArgs, "Waves"),
    (GateArgs, "Waves"),
    (RetireArgs, "Retire"),
]
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY")),
    *sorted((ROOT / "docs").rglob("*.md")),
]


def page(name: str) -> str:
    """Return the text of a page."""
    return (ROOT / name).read_text(encoding="utf-8")


def section(name: str, heading: str) -> str:
    """Return a section of a page, the smaller ones below it included."""
    (marks,) = re.findall(rf"^(#+) {re.escape(heading)}$", page(name), re.MULTILINE)
    text = page(name).split(f"{marks} {heading}\n", 1)[1]
    return re.split(rf"^#{{1,{len(marks)}}} ", text, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """Return the cells of the tables in a text, heads left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    is_rule = [set(line) <= set("|- ") and "-" in line for line in lines]
    bodies = [line for line, rule, head in zip(lines, is_rule, [*is_rule[1:], False], strict=True) if not rule | head]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in bodies]


def named(cells: list[str]) -> set[str]:
    """Return what stands between backquotes in some cells."""
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def block(name: str, language: str, number: int = 0) -> str:
    """Return a block of code of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page(name), re.MULTILINE | re.DOTALL)[number]


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Serve the default world, fast."""
    with Simulator(speed=600) as simulator:
        yield simulator


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(path: Path) -> None:
    """Files exist, and so do the headings that a link names."""
    for target in re.findall(r"\]\(([^)]+)\)", path.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        linked = (path.parent / file).resolve() if file else path
        assert linked.exists(), target
        headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
        assert not anchor or anchor in {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


def test_docs_and_signatures_follow_the_declarations_of_inputs() -> None:
    """Tables, docstrings and dictionary forms are what `python docs/write_inputs.py` writes."""
    stale = [str(path.relative_to(ROOT)) for path, text in written().items() if path.read_text("utf-8") != text]
    assert stale == [], "run `python docs/write_inputs.py`"
    tables = re.findall(r"<!-- inputs of (\w+) -->\n\| ", "".join(path.read_text("utf-8") for path in PAGES))
    classes = {kind.__name__ for kind, _ in COMPONENT} - {"GateArgs"}
    assert sorted(tables) == sorted({"OceanWorkloadMigration", "OceanMigrationGate", "NodeSelectorArgs", *classes})


def test_every_output_is_in_the_table() -> None:
    """The table has all outputs of the resource and no other."""
    table = rows(section("docs/reference/resource.md", "Outputs"))
    names = [name for row in table for name in re.findall(r"`([^`]+)`", row[0])]
    assert sorted(names) == sorted(OceanWorkloadMigration.__annotations__)


def test_every_schema_is_listed() -> None:
    """The page of the schemas links to each file."""
    linked = re.findall(r"\]\(\.\./schemas/(.*?)\)", page("docs/reference/schemas.md"))
    assert linked == sorted(path.name for path in (ROOT / "docs" / "schemas").iterdir())


def test_every_setting_is_described() -> None:
    """All keys of the stack's config are in the table of the settings."""
    cells = [cell for row in rows(page("docs/reference/settings.md")) for cell in row]
    assert {name for name in named(cells) if ":" in name and "/" not in name} == set(CONFIG_KEYS)


def test_what_an_approval_covers_is_listed() -> None:
    """A reviewer reads there what nobody can change after the approval."""
    assert set(REVIEWED) <= named([section("docs/reference/resource.md", "Plan digest")])


EXPLAIN_THEMSELVES = {
    *(Code.PLAN_SUMMARY, Code.PLAN_KEPT_BY_RUN, Code.DESTINATION, Code.DESTINATIONS_MORE, Code.BATCHES, Code.PODS),
    *(Code.NODES_STAY, Code.CHECKS_PASSED, Code.CHECK_WARNING, Code.CHECK_UNKNOWN, Code.PDB_ALLOWS),
    *(Code.HEALTH_WATCHED, Code.STOP_CHECKS_WATCHED, Code.WORKLOADS_READY),
    *(Finding.CONTROLLER_REPORTS, Finding.KUBERNETES_READ, Finding.CONTROLLER_V2, Finding.NO_OTHER_AUTOSCALER),
    *(Finding.CLUSTER_SERVICES_STAY, Finding.RUNNER_STAYS, Finding.NO_PENDING_PODS, Finding.ROLES_MAPPED),
    *(Finding.NODES_MATCHED, Finding.SCALING_ENABLED, Finding.NO_OTHER_MIGRATION, Finding.AWS_CAPACITY_FREE),
    *(Finding.ATTACHMENTS_FREE, Finding.CAPACITY_FREE),
}
"""Codes of lines that ask for nothing: facts of the plan, and checks that passed."""


def test_troubleshooting_has_a_section_for_each_code() -> None:
    """Codes of errors, and of the diagnostics that an error prints alone, are headings; other codes are real ones."""
    text = page("docs/troubleshooting.md")
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    printed = {kind.docs_code for kind in kinds if issubclass(kind, errors.OceanMigrationError)} | {"unexpected-error"}
    printed |= {Code.WORKLOADS_NOT_READY, Code.BRAKE_STOPPED, Code.BRAKE_HOLDS}
    headings = set(re.findall(r"^### ([a-z-]+)$", text, re.MULTILINE))
    assert printed <= headings
    assert headings - printed <= set(Code)
    lines = named([row[0] for row in rows(section("docs/troubleshooting.md", "Lines of a preview"))])
    assert lines <= {*Code, *Finding}
    assert {*Code, *Finding} - lines - headings == EXPLAIN_THEMSELVES


def test_every_environment_variable_is_described() -> None:
    """Each variable that the package reads is on the page of the settings, or of the command."""
    sources = (path.read_text("utf-8") for path in (ROOT / "ocean_migration_pulumi").rglob("*.py"))
    variables = {name for text in sources for name in re.findall(r"OCEAN_MIGRATION_[A-Z_]+|SPOTINST_[A-Z_]+", text)}
    pages = page("docs/reference/settings.md") + page("docs/reference/cli.md")
    # Set by the scripts that `completion` prints, and on the container of an Ocean Controller.
    others = {"OCEAN_MIGRATION_COMPLETE", "SPOTINST_READONLY_MODE"}
    assert {name for name in variables - others if f"`{name}`" not in pages} == set()


def test_every_part_of_the_simulator_is_described() -> None:
    """Scenarios, faults, verbs and options are those of the code."""
    text = "docs/reference/simulator.md"
    assert named([row[0] for row in rows(section(text, "Scenarios"))]) == set(SCENARIOS)
    assert named([row[0] for row in rows(section(text, "Faults"))]) == set(KINDS)
    verbs = {name for kind in Controls.__mro__[:-1] for name in vars(kind) if not name.startswith("_")}
    assert named([row[1] for row in rows(section(text, "The control API"))]) <= verbs
    assert {verb for verb in verbs if f"`{verb}`" not in page(text)} == set()
    options = {option for parameter in simulator_command.params for option in parameter.opts}
    told = {name.split()[0] for name in named([row[0] for row in rows(section(text, "The simulator"))])}
    assert {name for name in told if name.startswith("--")} == options


def test_the_description_of_a_cluster_can_be_served() -> None:
    """The example of a description has a node for each of its objects, and one of them matches the group."""
    with Simulator(world=json.loads(block("docs/reference/simulator.md", "json"))) as simulator:
        nodes = simulator.control.nodes(simulator.ocean_id)
    assert {node["instance_id"]: len(node["pods"]) for node in nodes} == {"i-1": 6, "i-2": 1}


def test_the_stack_of_the_operator_is_valid() -> None:
    """The manifest has fields of the operator, settings of this package, and a kubeconfig that is mounted."""
    manifest = yaml.safe_load(block("docs/how-to/many-clusters.md", "yaml", 1))
    schema = json.loads((ROOT / "tests" / "data" / "pulumi-stack.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(manifest)
    config, template = manifest["spec"]["config"], manifest["spec"]["workspaceTemplate"]["spec"]["podTemplate"]["spec"]
    assert {key for key in config if ":" in key} <= set(CONFIG_KEYS)
    assert manifest["spec"]["envRefs"].keys() == {"SPOTINST_TOKEN"}
    (mount,) = template["containers"][0]["volumeMounts"]
    assert config["kubeconfig"].startswith(f"{mount['mountPath']}/")
    assert [volume["name"] for volume in template["volumes"]] == [mount["name"]]


def test_every_target_of_make_exists() -> None:
    """Each `make ...` that a page names is a target."""
    targets = set(re.findall(r"^([a-z-]+):", page("Makefile"), re.MULTILINE))
    named_targets = {name for path in PAGES for name in re.findall(r"[`\n]make ([a-z-]+)", path.read_text("utf-8"))}
    assert named_targets <= targets
    assert {"demo", "test", "test-all", "check"} <= named_targets


@pytest.mark.parametrize(
    ("name", "heading", "scenario"),
    [("README.md", "A preview", "blocking-pdb"), ("docs/reference/resource.md", "Lines of the preview", "success")],
)
def test_a_preview_that_is_shown_has_the_lines_of_today(name: str, heading: str, scenario: str, tmp_path: Path) -> None:
    """Each line of the block, as far as it is not shortened, is a diagnostic of the example, in the same order."""
    text = section(name, heading).split("```")[1].strip().partition("\n    + ")[0]
    shown = [line.removeprefix("warning: ").partition("...")[0] for line in re.sub(r"\n +", " ", text).splitlines()]
    messages = preview("basic", scenario, tmp_path)
    assert [message[: len(line)] for message, line in zip(messages, shown, strict=True)] == shown


@pytest.mark.parametrize("example", ["basic", "waves"])
def test_the_preview_of_an_example_has_lines_of_today(example: str, tmp_path: Path) -> None:
    """Each line of the block that is a message, with the digests of the plans."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page(f"examples/{example}/README.md"), re.MULTILINE | re.DOTALL)
    (shown,) = (text for language, text in blocks if not language)
    lines = [line[4:].removesuffix("...") for line in re.findall(r"^    \w.*$", shown, re.MULTILINE)]
    lines = [line for line in lines if not line.startswith(("totals", "waves"))]
    messages = preview(example, "success", tmp_path)
    assert len(lines) > 5
    assert [line for line in lines if not any(message.startswith(line) for message in messages)] == []


def preview(example: str, scenario: str, folder: Path) -> list[str]:
    """Return the messages of the preview of an example on the simulator."""
    with Simulator(scenario=scenario, speed=600) as simulator:
        kubeconfig = folder / "kube.yaml"
        kubeconfig.write_text(simulator.kubeconfig(), encoding="utf-8")
        stack = OfflineStack(
            ROOT / "examples" / example,
            folder / "state.json",
            config={"oceanId": simulator.ocean_id},
            environment={**simulator.environment, "KUBECONFIG": str(kubeconfig)},
        )
        return [each.message for each in stack.preview().diagnostics]


def test_the_test_of_the_testing_page_passes(tmp_path: Path) -> None:
    """A copy of it, beside a copy of the example, is a test that passes."""
    (tmp_path / "program").mkdir()
    (tmp_path / "program" / "__main__.py").write_text(page("examples/basic/__main__.py"), encoding="utf-8")
    (tmp_path / "test_program.py").write_text(block("docs/how-to/testing.md", "python"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "-c", "/dev/null"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_python_of_the_simulator_page_runs() -> None:
    """The block starts a simulator, changes its world and reads its log."""
    done = subprocess.run(
        [sys.executable, "-c", block("docs/reference/simulator.md", "python")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(("kind", "heading"), COMPONENT, ids=[kind.__name__ for kind, _ in COMPONENT])
def test_every_argument_of_the_component_is_described(kind: type[Any], heading: str) -> None:
    """The section about a class of arguments names it, and all its fields."""
    text = re.sub(r"^```.*?^```$", "", section("docs/reference/component.md", heading), flags=re.MULTILINE | re.DOTALL)
    told = named([text])
    assert {kind.__name__, *(field.name for field in fields(kind))} <= told


def test_every_output_of_the_component_is_described() -> None:
    """The table has all outputs and no other."""
    assert named([row[0] for row in rows(section("docs/reference/component.md", "Outputs"))]) == set(
        OceanMigration.__annotations__
    )


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("docs/reference/component.md", [1, 3, 2]),
        ("docs/how-to/waves-and-gates.md", [1, 3, 2]),
        ("docs/get-started/first-migration.md", [1]),
    ],
)
def test_the_program_of_a_page_plans_its_waves(
    name: str, sizes: list[int], simulator: Simulator, tmp_path: Path
) -> None:
    """A copy of it plans the nodes of web, each in one wave."""
    (tmp_path / "program.py").write_text(block(name, "python"), encoding="utf-8")
    stack = OfflineStack(
        tmp_path / "program.py",
        tmp_path / "state.json",
        config={"oceanId": simulator.ocean_id},
        environment=simulator.environment,
    )
    preview = stack.preview()
    assert preview.succeeded, preview.error
    plans = [step.inputs["planned_nodes"] for step in preview.steps if "planned_nodes" in step.inputs]
    assert [len(plan) for plan in plans] == sizes
