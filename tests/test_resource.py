"""The resource in a program: what it refuses, and what it takes from the stack's config."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from ocean_migration_pulumi.simulator import Simulator
from ocean_migration_pulumi.testing import OfflineStack

PROGRAM = """
import os
import pulumi
from ocean_migration_pulumi import NodeSelectorArgs, OceanWorkloadMigration

web = OceanWorkloadMigration(
    "web", ocean_id=os.environ["OCEAN_ID"], nodes=NodeSelectorArgs(asg_names=["web"]), wait_for="started"
)
pulumi.export("migration", web.migration_id)
pulumi.export("stopped", web.stopped_at)
"""


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """Run a simulator in which nothing moves by itself."""
    with Simulator(nodes=6) as simulator:
        simulator.control.clock(manual=True)
        yield simulator


def stack(
    sim: Simulator, tmp_path: Path, config: Mapping[str, str] = MappingProxyType({}), *, secret: bool = True
) -> OfflineStack:
    """Return a stack of the program, with the token among its secrets unless the config has it."""
    program = tmp_path / "program"
    program.mkdir()
    (program / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (program / "__main__.py").write_text(PROGRAM)
    environment = {**sim.environment, "OCEAN_MIGRATION_POLL_INTERVAL": "0.05", "HOME": str(tmp_path)}
    del environment["SPOTINST_TOKEN"]
    return OfflineStack(
        program,
        tmp_path / "state.json",
        config=config,
        secrets={"ocean-migration:token": sim.token} if secret else {},
        environment=environment,
    )


@pytest.mark.parametrize("key", ["ocean-migration:token", "spotinst:token"])
def test_token_in_clear_is_refused_before_anything_is_asked(sim: Simulator, tmp_path: Path, key: str) -> None:
    """The message says how to set it, and does not repeat it."""
    result = stack(sim, tmp_path, {key: sim.token}, secret=False).preview()
    assert not result.succeeded
    said = "\n".join([str(result.error), *(line.message for line in result.diagnostics)])
    assert f"the stack's config {key} is in plain text" in said
    assert f"pulumi config set --secret {key}" in said
    assert sim.token not in said
    assert sim.control.requests() == []


def test_up_starts_with_a_secret_token_and_the_state_does_not_show_it(sim: Simulator, tmp_path: Path) -> None:
    """Outputs that have no value yet are there for the program as None."""
    made = stack(sim, tmp_path)
    result = made.up()
    assert result.succeeded, result.error
    assert result.outputs["migration"] == sim.control.migrations(sim.ocean_id)[0]["id"]
    assert result.outputs.get("stopped") is None
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in kept} >= {"state.json"}
    assert not [path for path in kept if sim.token in path.read_text(errors="replace")]


def test_approved_plan_is_taken_from_the_config_by_the_name_of_the_resource(sim: Simulator, tmp_path: Path) -> None:
    """Any other plan is a warning in the preview, and refused by the run."""
    made = stack(sim, tmp_path, {"ocean-migration:approvedPlan": '{"web": "feedbeeffeedbeef", "api": "1234"}'})
    preview = made.preview()
    assert preview.succeeded
    assert any("is not the approved plan feedbeeffeedbeef" in line.message for line in preview.diagnostics)
    run = made.up()
    assert not run.succeeded
    assert sim.control.requests(method="POST") == []


@pytest.mark.parametrize(("name", "hint"), [("wbe", "did you mean `web`?"), ("api", "migrations: web")])
def test_approved_plan_of_no_resource_is_reported(sim: Simulator, tmp_path: Path, name: str, hint: str) -> None:
    """A misspelled name approves nothing, and is no approval of another resource."""
    made = stack(sim, tmp_path, {"ocean-migration:approvedPlan": f'{{"{name}": "1234"}}'})
    preview = made.preview()
    said = [line.message for line in preview.diagnostics if "approves nothing" in line.message]
    assert said == [
        f"`ocean-migration:approvedPlan.{name}` approves nothing so far: "
        f"the program declares no migration `{name}` outside of `apply`; {hint}"
    ]
    assert made.up().succeeded


def test_approved_plans_of_all_resources_are_used(sim: Simulator, tmp_path: Path) -> None:
    """Nothing is reported of them."""
    preview = stack(sim, tmp_path, {"ocean-migration:approvedPlan": '{"web": "feedbeeffeedbeef"}'}).preview()
    assert not any("approves nothing" in line.message for line in preview.diagnostics)


def test_approved_plan_that_is_no_object_is_refused(sim: Simulator, tmp_path: Path) -> None:
    """The setting is named."""
    result = stack(sim, tmp_path, {"ocean-migration:approvedPlan": '["feedbeef"]'}).preview()
    assert not result.succeeded
    said = "\n".join([str(result.error), *(line.message for line in result.diagnostics)])
    assert "ocean-migration:approvedPlan must be an object of digests by resource name" in said
