"""`doctor`: all prerequisites and fits of a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Terminal


def test_without_kubernetes(terminal: Terminal) -> None:
    """What is not known is said; nothing refuses."""
    data = terminal.json("doctor")
    verdicts = {each["name"]: each["verdict"] for each in data["prerequisites"]}
    assert verdicts == {
        "connection": "pass",
        "Kubernetes": "unknown",
        "Virtual Node Groups": "pass",
        "scaling": "pass",
        "idle cluster": "pass",
        "capacity": "pass",
    }
    lines = terminal.run("doctor").stdout.splitlines()
    assert lines[0].split() == ["CHECK", "STATUS", "FOUND", "WHAT", "TO", "DO"]
    assert lines[-1] == "5 candidate nodes"
    assert {entry["method"] for entry in terminal.sim.control.requests()} == {"GET"}


def test_unknown_checks_fail_only_where_all_are_required(terminal: Terminal, tmp_path: Path) -> None:
    """Before a production run; a hint names the option, except where nothing is unknown."""
    lenient = terminal.run("doctor")
    strict = terminal.run("doctor", "--require-all")
    assert (lenient.exit_code, strict.exit_code) == (0, 4)
    assert lenient.stderr == "1 check is unknown. Use --require-all to fail on unknown checks.\n"
    assert strict.stderr == ""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(terminal.sim.kubeconfig(identity="preview"))
    known = terminal.run("doctor", "--require-all", "--kubeconfig", str(kubeconfig))
    assert (known.exit_code, known.stderr) == (0, "")


def test_drained_nodes_that_stay_are_named_with_their_time(terminal: Terminal, tmp_path: Path) -> None:
    """In `doctor`, which looks at all nodes, and in the plan of those that were migrated."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(terminal.sim.kubeconfig(identity="preview"))
    access = ("--kubeconfig", str(kubeconfig))
    assert terminal.run("start", "--all-nodes", "--yes", "--wait").exit_code == 0
    since = terminal.json("status")["completed_at"]
    expected = f"5 drained nodes stay running (cordoned) since {since} and keep costing money"
    assert expected in terminal.json("doctor", *access)["remarks"]
    assert expected in terminal.json("plan", "--all-nodes", *access)["info"]
    assert f"5 drained nodes were not terminated (drained {since})" in terminal.run("doctor").stdout


@pytest.mark.parametrize("scenario", ["dead-controller"])
def test_what_is_not_met_has_an_exit_status(terminal: Terminal) -> None:
    """For scripts."""
    data = terminal.json("doctor", status=4)
    assert [each["name"] for each in data["prerequisites"] if each["verdict"] == "fail"] == ["connection"]


@pytest.mark.parametrize("scenario", ["kubernetes-trouble"])
def test_with_kubernetes_the_pods_are_known(terminal: Terminal, tmp_path: Path) -> None:
    """What holds them, what becomes of them, and whether they fit; only reads."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(terminal.sim.kubeconfig(identity="preview"))
    data = terminal.json("doctor", "--kubeconfig", str(kubeconfig), status=4)
    assert data["pods"]
    assert any("PodDisruptionBudget" in text for text in data["blockers"])
    assert {entry["method"] for entry in terminal.sim.control.requests(api="all")} == {"GET"}


@pytest.mark.parametrize("scenario", ["success"])
def test_a_suggestion_can_be_pasted(terminal: Terminal, tmp_path: Path) -> None:
    """Its source keeps its lines, as in `plan`."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(terminal.sim.kubeconfig(identity="preview"))
    result = terminal.run("doctor", "--kubeconfig", str(kubeconfig))
    assert "\nkind: PodDisruptionBudget\n" in result.stdout, result.stdout
