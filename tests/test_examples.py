"""The examples: each runs on OfflineStack against a simulator, and on a `pulumi` command where there is one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime import Mocks

from ocean_migration_pulumi.simulator import Simulator
from ocean_migration_pulumi.testing import OfflineStack
from tests.component.whole_stack import WholeStackMocks
from tests.support.examples import (
    CALM,
    EKS,
    EXAMPLES,
    FULL,
    NAMES,
    PLUGINS,
    ROOT,
    STAND_IN,
    WEB_AND_API,
    Cli,
    EksMocks,
    config_of,
    planned,
    readme,
    rows,
    said,
    shown,
    stack_plan,
    succeeded,
    unchanged,
)

pytestmark = pytest.mark.usefixtures("unmeasured")


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """Run a fast simulator with one cluster."""
    with Simulator(nodes=6, speed=600) as simulator:
        simulator.control.heartbeat(simulator.ocean_id, age_seconds=-30 * 86_400)
        yield simulator


Stage = Callable[..., OfflineStack]


@pytest.fixture
def stage(sim: Simulator, tmp_path: Path) -> Stage:
    """Return a function that makes the stack of a program."""

    def make(
        program: Path, config: Mapping[str, str], *, mocks: Mocks | None = None, name: str = "dev"
    ) -> OfflineStack:
        return OfflineStack(
            program,
            tmp_path / f"{name}.json",
            stack=name,
            config=config,
            mocks=mocks,
            environment={
                **sim.environment,
                "OCEAN_MIGRATION_POLL_INTERVAL": "0.05",
                "HOME": str(tmp_path),
                "AWS_EC2_METADATA_DISABLED": "true",
                "PYTHONPATH": str(STAND_IN),
            },
        )

    return make


@pytest.mark.parametrize("name", NAMES)
def test_each_is_short_and_says_what_it_takes(name: str) -> None:
    """A program has less than 60 lines, and its README names each key of its config."""
    program = (EXAMPLES / name / "__main__.py").read_text(encoding="utf-8")
    assert len(program.splitlines()) < 60
    keys = re.findall(r"config\.\w+\(\"(\w+)\"\)", program)
    assert [key for key in keys if f"`{key}`" not in readme(name)] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_link_of_a_readme_leads_somewhere(name: str) -> None:
    """Files exist."""
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", readme(name))
    assert [link for link in links if "://" not in link and not (EXAMPLES / name / link).exists()] == []


def test_basic_migrates_once(sim: Simulator, stage: Stage) -> None:
    """Preview, up, up again, destroy."""
    stack = stage(EXAMPLES / "basic", {"oceanId": sim.ocean_id})
    preview = succeeded(stack.preview())
    assert planned(preview) == {"workers": 3}
    assert shown(readme("basic")) == rows(preview)
    assert succeeded(stack.up()).outputs["migrated"] == sorted(stack_plan(stack, "workers"))
    assert unchanged(stack)
    succeeded(stack.destroy())
    assert len(sim.control.requests(effective=True)) == 1


def test_waves_are_canary_half_rest(sim: Simulator, stage: Stage) -> None:
    """Each waits for the gate before it, and all nodes are in one of them."""
    stack = stage(EXAMPLES / "waves", {"oceanId": sim.ocean_id, **CALM})
    preview = succeeded(stack.preview())
    assert planned(preview) == {"shop-canary": 1, "shop-half": 1, "shop-rest": 1}
    assert shown(readme("waves")) == rows(preview)
    totals = succeeded(stack.up()).outputs["totals"]
    assert totals == {"planned": 3, "migrated": 3, "remaining": 0, "manual": 0, "drained": 3}
    assert len(sim.control.migrations(sim.ocean_id)) == 3
    assert unchanged(stack)
    succeeded(stack.destroy())


def test_a_health_check_that_fails_keeps_the_canary_alone(sim: Simulator, stage: Stage, tmp_path: Path) -> None:
    """The URL is a gate: while it does not answer as it should, no other wave starts."""
    config = {"oceanId": sim.ocean_id, **CALM, "healthUrl": f"{sim.url}/no/such/page"}
    # The gate's own patience is 15 minutes.
    text = (EXAMPLES / "waves" / "__main__.py").read_text(encoding="utf-8")
    (tmp_path / "impatient.py").write_text(
        text.replace("GateArgs(\n", 'GateArgs(\n    timeout="1s",\n'), encoding="utf-8"
    )
    failed = stage(tmp_path / "impatient.py", config).up()
    assert "no/such/page" in said(failed)
    assert len(sim.control.migrations(sim.ocean_id)) == 1


def test_full_stack_in_one_stack(sim: Simulator, stage: Stage) -> None:
    """From nothing to migrated, and then to be told how the old groups end."""
    mocks = WholeStackMocks(sim, nodes=WEB_AND_API)
    stack = stage(EXAMPLES / "full_stack", FULL, mocks=mocks)
    preview = succeeded(stack.preview())
    assert shown(readme("full_stack")) == rows(preview)
    outputs = succeeded(stack.up()).outputs
    assert outputs["totals"] == {"planned": 6, "migrated": 6, "remaining": 0, "manual": 0, "drained": 6}
    assert set(outputs["virtualNodeGroups"]) == {"web", "general"}
    assert [line.partition(": ")[2].split()[:2] for line in outputs["retire"]] == [["aws", "autoscaling"]] * 2
    assert [line in readme("full_stack") for line in outputs["retire"]] == [True, True]
    assert all(line in readme("full_stack") for line in outputs["imported"])
    assert unchanged(stack)
    # What carries the workloads is protected.
    assert "protected" in said(stack.destroy())
    assert not [name for kind, name in mocks.sent if kind == "delete"]


def test_a_role_that_nodes_of_ocean_have_is_not_retired(sim: Simulator, stage: Stage) -> None:
    """With the profile of the old nodes the example says so, and changes nothing."""
    old = {**FULL, "instanceProfile": "arn:aws:iam::123456789012:instance-profile/ocean-node"}
    stack = stage(EXAMPLES / "full_stack", old, mocks=WholeStackMocks(sim, nodes=WEB_AND_API))
    done = succeeded(stack.up())
    assert all("not possible, its role" in line for line in done.outputs["retire"])
    assert "Traceback" not in said(done)


def steps() -> list[str]:
    """Return the programs of the steps of from_pulumi_eks: the first one of its README, and what its diffs make."""
    (program,) = re.findall(r"^```python\n(.*?)^```$", readme("from_pulumi_eks"), re.MULTILINE | re.DOTALL)
    programs = [program]
    for diff in re.findall(r"^```diff\n(.*?)^```$", readme("from_pulumi_eks"), re.MULTILINE | re.DOTALL):
        for hunk in re.split(r"^@@.*\n", diff, flags=re.MULTILINE)[1:]:
            lines = [line or " " for line in hunk.splitlines()]
            before = "".join(f"{line[1:]}\n" for line in lines if line[0] in " -")
            after = "".join(f"{line[1:]}\n" for line in lines if line[0] in " +")
            assert program.count(before) == 1, hunk
            program = program.replace(before, after)
        programs.append(program)
    return programs


def test_the_steps_lead_to_the_program() -> None:
    """The diffs of the README apply one after another, and the last but one makes the program that is there."""
    assert len(steps()) == 5
    assert steps()[3] == (EXAMPLES / "from_pulumi_eks" / "__main__.py").read_text(encoding="utf-8")


@pytest.mark.slow
def test_from_pulumi_eks_step_by_step(sim: Simulator, stage: Stage, tmp_path: Path) -> None:
    """Each step is an update that does what its README says, and the one after it changes nothing."""
    program = tmp_path / "program" / "__main__.py"
    program.parent.mkdir()
    shutil.copy(EXAMPLES / "from_pulumi_eks" / "Pulumi.yaml", program.parent)
    mocks = EksMocks(sim)
    stack = stage(program.parent, EKS, mocks=mocks)
    made = []
    for text in steps():
        program.write_text(text, encoding="utf-8")
        made.append(rows(succeeded(stack.preview())))
        outputs = succeeded(stack.up()).outputs
        assert outputs.get("totals", {"migrated": 4})["migrated"] == 4
        assert unchanged(stack)
    cluster, ocean, waves, retire, removed = made
    assert cluster >= {"Cluster shop", "ManagedNodeGroup web", "ManagedNodeGroup api"}
    assert ocean >= {"Ocean shop", "OceanLaunchSpec shop-web", "OceanLaunchSpec shop-api", "Release shop-controller"}
    assert {name for name in waves if "Workload" in name} == {
        f"OceanWorkloadMigration shop-{wave}" for wave in ("canary", "half", "rest")
    }
    assert retire == removed == set()
    assert {name for kind, name in mocks.sent if kind == "delete"} == {"web", "api"}
    assert all(
        "ols-" in goes for name in ("canary", "half", "rest") for goes in stack_plan(stack, f"shop-{name}").values()
    )


def test_from_pulumi_eks_before_there_is_a_cluster(sim: Simulator, stage: Stage) -> None:
    """All at once: the name of the EKS cluster is not known, and so is nothing that comes of it."""
    preview = succeeded(stage(EXAMPLES / "from_pulumi_eks", EKS, mocks=EksMocks(sim)).preview())
    assert rows(preview) >= {
        "Cluster shop",
        "Ocean shop",
        "OceanLaunchSpec shop-web",
        "OceanWorkloadMigration shop-rest",
    }
    (ocean,) = (step for step in preview.steps if step.type.endswith(":Ocean"))
    assert ocean.inputs["controllerId"] == ocean.inputs["subnetIds"] == "[unknown]"
    assert not sim.control.requests(method="POST")


def test_from_pulumi_eks_with_the_real_package() -> None:
    """Its components are made by its plugin, which OfflineStack has not: so under the mocks of Pulumi's own SDK."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.eks_program", str(EXAMPLES / "from_pulumi_eks"), json.dumps(EKS)],
        cwd=ROOT,
        env={**os.environ, "SPOTINST_TOKEN": "token-of-a-test", "SPOTINST_ACCOUNT": "act-1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    registered = set(json.loads(done.stdout))
    assert registered >= {"eks:index:Cluster shop", "eks:index:ManagedNodeGroup web", "spotinst:aws/ocean:Ocean shop"}


@pytest.fixture
def clusters(sim: Simulator) -> dict[str, str]:
    """Return three clusters; the second one cannot start enough instances, once."""
    found = {"shop-ap": sim.ocean_id}
    for name in ("shop-eu", "shop-us"):
        found[name] = sim.control.add_cluster(6, name=name)["id"]
        sim.control.heartbeat(found[name], age_seconds=-30 * 86_400)
    sim.control.arm_failure(found["shop-eu"], "instances")
    return found


def test_many_clusters_and_one_that_fails(sim: Simulator, stage: Stage, clusters: dict[str, str]) -> None:
    """The others come to their end, and the next update goes on with the one that failed."""
    stack = stage(EXAMPLES / "many_clusters", {"clusters": config_of(clusters)})
    preview = succeeded(stack.preview())
    assert planned(preview) == dict.fromkeys(clusters, 3)
    assert shown(readme("many_clusters")) == rows(preview)
    failed = stack.up()
    assert "not start enough new instances" in said(failed)
    states = {name: sim.control.migrations(ocean_id)[0]["state"] for name, ocean_id in clusters.items()}
    assert states == {"shop-ap": "FINISHED", "shop-eu": "FINISHED_ERROR", "shop-us": "FINISHED"}
    outputs = succeeded(stack.up()).outputs
    assert {name: len(outputs[name]["migrated"]) for name in clusters} == dict.fromkeys(clusters, 3)
    assert unchanged(stack)


def test_basic_on_the_real_engine(sim: Simulator, tmp_path: Path) -> None:
    """Preview, up, up again, destroy, with `pulumi`."""
    pulumi = Cli(sim, tmp_path, "basic", {"oceanId": sim.ocean_id})
    assert shown(pulumi("preview")) == shown(readme("basic"))
    pulumi("up", "--yes", "--skip-preview")
    assert "2 unchanged" in pulumi("up", "--yes", "--skip-preview")
    pulumi("destroy", "--yes", "--skip-preview")


@pytest.mark.slow
def test_waves_on_the_real_engine(sim: Simulator, tmp_path: Path) -> None:
    """Preview, up, up again, destroy, with `pulumi`."""
    pulumi = Cli(sim, tmp_path, "waves", {"oceanId": sim.ocean_id, **CALM})
    assert shown(pulumi("preview")) == shown(readme("waves"))
    pulumi("up", "--yes", "--skip-preview")
    assert len(sim.control.migrations(sim.ocean_id)) == 3
    assert "7 unchanged" in pulumi("up", "--yes", "--skip-preview")
    pulumi("destroy", "--yes", "--skip-preview")


@pytest.mark.slow
def test_many_clusters_on_the_real_engine(sim: Simulator, tmp_path: Path, clusters: dict[str, str]) -> None:
    """Two at a time; the one that fails stops none, not even one that has not started yet."""
    pulumi = Cli(sim, tmp_path, "many_clusters", {"clusters": config_of(clusters)})
    pulumi("up", "--yes", "--skip-preview", "--parallel", "2", "--continue-on-error", fails=True)
    states = {name: sim.control.migrations(ocean_id)[0]["state"] for name, ocean_id in clusters.items()}
    assert states == {"shop-ap": "FINISHED", "shop-eu": "FINISHED_ERROR", "shop-us": "FINISHED"}
    spans = [(each["created_at"], each["completed_at"]) for id_ in clusters.values() for each in _all(sim, id_)]
    assert max(sum(start <= moment < end for start, end in spans) for moment, _ in spans) <= 2
    pulumi("up", "--yes", "--skip-preview")


def _all(sim: Simulator, ocean_id: str) -> list[dict[str, Any]]:
    found = sim.control.migrations(ocean_id)
    return [{**each, "completed_at": each["completed_at"] or each["errored_at"]} for each in found]


@pytest.mark.parametrize(("name", "config"), [("full_stack", FULL), ("from_pulumi_eks", EKS)])
def test_the_others_with_the_real_providers(
    sim: Simulator, tmp_path: Path, name: str, config: Mapping[str, str]
) -> None:
    """A preview with the plugins and an AWS account that has what the example reads: only then is it tried."""
    wanted = {*PLUGINS, *(["eks"] if name == "from_pulumi_eks" else [])}
    pulumi = Cli(sim, tmp_path, name, {**config, **json.loads(os.environ.get("EXAMPLES_CONFIG", "{}"))})
    missing = sorted(wanted - pulumi.plugins())
    if missing:
        pytest.skip(f"no plugin of {', '.join(missing)} is installed")
    if "EXAMPLES_CONFIG" not in os.environ:
        pytest.skip("EXAMPLES_CONFIG does not name an EKS cluster of an AWS account, as JSON, for real providers")
    assert "OceanMigration" in pulumi("preview")
