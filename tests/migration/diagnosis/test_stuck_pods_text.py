"""Every blocker of a pod has one text; the golden file shows what they say."""

from __future__ import annotations

from pathlib import Path

from ocean_migration_pulumi.cli.options import OPTIONS
from ocean_migration_pulumi.migration.diagnosis.stuck_pods import Blocker, StuckPod
from ocean_migration_pulumi.migration.diagnosis.stuck_pods_text import describe_blocker
from ocean_migration_pulumi.migration.spec.vocabulary import INPUTS
from tests.migration.planning.text.test_findings_text import compare_with_golden

GOLDEN = Path(__file__).parent / "stuck_pods.golden.txt"

STUCK_PODS = [
    StuckPod(pod="shop/cart", node="ip-1", blocker=blocker, fields=fields)
    for blocker, fields in (
        (Blocker.BUDGET, {"budget": "shop/cart", "healthy": 3, "required": 3}),
        (Blocker.BROKEN_BUDGET, {"budget": "shop/cart", "problem": "found no controllers"}),
        (Blocker.BUDGETS, {"budgets": ["shop/all", "shop/{cart}"]}),
        (Blocker.STANDALONE, {}),
        (Blocker.ORPHAN, {}),
        (Blocker.FINALIZERS, {"finalizers": ["example.com/lock"]}),
        (Blocker.TERMINATING, {}),
        (Blocker.NONE, {}),
        (Blocker.PENDING, {}),
        (Blocker.NOT_EVICTED, {"kind": ""}),
        (Blocker.NOT_EVICTED, {"kind": "JOB"}),
    )
]


def test_every_blocker_has_its_golden_text() -> None:
    """Commands name options in the remedies."""
    lines = []
    for stuck_pod in STUCK_PODS:
        for vocabulary in (INPUTS, OPTIONS):
            line = f"{stuck_pod.blocker}: {' | '.join(describe_blocker(stuck_pod, vocabulary))}"
            if line not in lines:
                lines.append(line)
    compare_with_golden(GOLDEN, lines)
    assert {stuck_pod.blocker for stuck_pod in STUCK_PODS} == set(Blocker)


def test_names_of_others_stay_on_one_line() -> None:
    """Finalizers and kinds are the choice of others."""
    odd = StuckPod(pod="a", node="b", blocker=Blocker.FINALIZERS, fields={"finalizers": ["x\ny"]})
    assert "\n" not in describe_blocker(odd, INPUTS).why
