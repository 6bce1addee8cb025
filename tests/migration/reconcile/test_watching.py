"""What a look says in the outputs."""

from __future__ import annotations

from ocean_migration_pulumi.migration.reconcile.readiness.watching import MOST_SHOWN, report_not_ready, report_output
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import WorkloadId
from ocean_migration_pulumi.migration.spec.diagnostic import Severity
from ocean_migration_pulumi.migration.state.migration_record import MigrationRecord
from tests.migration.health.support import assess, baseline, old, pulling


def test_outputs_list_fifty_workloads_and_count_the_others() -> None:
    """A state has to stay small."""
    names = [WorkloadId("Deployment", "shop", f"app-{number:03}") for number in range(MOST_SHOWN + 10)]
    before = baseline(*[old(f"o-{each.name}", workload=each) for each in names])
    report = assess(before, *[pulling(f"n-{each.name}", workload=each) for each in names])
    output = report_output(MigrationRecord(id="owm-1"), report, "not ready", final=False)
    assert len(output["not_ready"]) == MOST_SHOWN
    assert output["workloads"] == {"below": MOST_SHOWN + 10}
    found = report_not_ready(report, Severity.ERROR, looks_again=True)
    assert (len(found.fields["workloads"]), found.fields["others"]) == (MOST_SHOWN, 10)
