"""What could not be evaluated, because a source did not answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from enum import StrEnum

from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic
from ocean_migration_pulumi.migration.spec.gap import Gap


class Topic(StrEnum):
    """What an answer was needed for."""

    NODE_NAMES = "node-names"
    PODS = "pods"
    PODS_NOT_READ = "pods-not-read"
    """Of a list that is incomplete."""
    PODS_LEFT = "pods-left"
    BUDGETS = "budgets"
    DAEMON_SETS = "daemon-sets"
    VOLUMES = "volumes"
    VOLUME_ZONES = "volume-zones"
    SUBNET_ZONES = "subnet-zones"
    INSTANCE_SIZES = "instance-sizes"


def report_gaps(gaps: Mapping[Topic, Gap]) -> list[Diagnostic]:
    """Return a diagnostic for each reason, with everything that it leaves open."""
    topics: dict[Gap, list[str]] = defaultdict(list)
    for topic, gap in gaps.items():
        topics[gap].append(str(topic))
    return [Diagnostic.warning(Code.NOT_EVALUATED, topics=named, gap=gap.to_json()) for gap, named in topics.items()]
