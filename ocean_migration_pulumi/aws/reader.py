"""AwsReader: reads roles, access entries, zones and instance types, each once for all resources of the process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from functools import partial
from typing import Any, Final

from ocean_migration_pulumi.aws.access import AwsAccess, AwsReadError, gap_for_error
from ocean_migration_pulumi.aws.questions import PARTS
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.single_flight import SingleFlightCache
from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts, AwsQuery, is_same_role
from ocean_migration_pulumi.migration.spec.gap import Gap

KEPT: Final = 600.0
"""Seconds for which an answer is good enough: roles, subnets and instance types hardly change."""

LONGEST: Final = 30.0
"""Seconds that one reading may take at most, whatever the scope allows."""

_SOCKET_SECONDS: Final = 10.0


class AwsReader:
    """Reads from AWS; one per process, thread-safe.

    Only reads, with the credentials that boto3 finds. It needs ``iam:GetInstanceProfile``, ``eks:ListAccessEntries``,
    ``eks:DescribeAccessEntry``, ``eks:DescribeCluster``, ``ec2:DescribeSubnets``, ``ec2:DescribeInstanceTypes``,
    ``ec2:DescribeInstances``, ``servicequotas:GetServiceQuota`` and ``pricing:GetProducts``, each only when something
    of it is asked for.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        # Nothing that AWS or a credential helper does may delay a preview: what hangs is left behind.
        self._cache = SingleFlightCache("AWS", clock, abandon_after=LONGEST)

    def read_facts(self, scope: CancelScope, query: AwsQuery) -> AwsFacts:
        """Return what AWS answers within the scope, in 30 seconds at most; what it does not is a gap.

        Answers are kept for 10 minutes. An instance type that the region does not have is left out: no node of it can
        start there. A pattern such as ``m5.*`` stands for all types that it matches.

        Raises:
            OperationCancelled: The operation was cancelled.
        """
        bounded = scope.at_most(LONGEST)
        access = AwsAccess(query.region, min(_SOCKET_SECONDS, bounded.remaining() or 0.0))
        clusters = (query.eks_cluster or "",)
        names = {
            "roles": query.instance_profiles,
            "access_entries": clusters,
            "zones": query.subnet_ids,
            "machines": query.instance_types,
            "quotas": query.markets,
            "running": query.markets,
            "prices": (query.region, *query.priced_types) if query.priced_types else (),
        }
        found, gaps = self._read_parts(bounded, access, names)
        roles, entries = found["roles"], found["access_entries"]
        entries_known = bool(query.eks_cluster) and "access_entries" not in gaps
        details: dict[str, tuple[str, ...]] = {}
        if principals := sorted(arn for arn in entries if any(is_same_role(arn, role) for role in roles.values())):
            details["entry_types"] = (*clusters, *principals)
        if entries_known and any(not any(is_same_role(arn, role) for arn in entries) for role in roles.values()):
            details["authentication_mode"] = clusters
        more, more_gaps = self._read_parts(bounded, access, details)
        gaps |= more_gaps
        return AwsFacts(
            roles=roles,
            access_entries=frozenset(entries) if entries_known else None,
            entry_types=more.get("entry_types", {}),
            authentication_mode=more.get("authentication_mode", {}).get(clusters[0], ""),
            zones={subnet: zone for subnet, (zone, _, _) in found["zones"].items()},
            free_addresses={subnet: free for subnet, (_, free, _) in found["zones"].items() if free is not None},
            subnet_sizes={subnet: size for subnet, (_, _, size) in found["zones"].items() if size is not None},
            quotas=found["quotas"],
            running=found["running"],
            prices=found["prices"],
            machines=found["machines"],
            gaps=gaps,
        )

    def _read_parts(
        self, scope: CancelScope, access: AwsAccess, names: Mapping[str, tuple[str, ...]]
    ) -> tuple[dict[str, dict[str, Any]], dict[str, Gap]]:
        """Return the objects of each kind, and the gaps; a kind without names is not requested."""
        asks = {
            (part, access.region, wanted): partial(_ask, part, wanted, access)
            for part, given in names.items()
            if (wanted := tuple(dict.fromkeys(name for name in given if name)))
        }
        found: dict[str, dict[str, Any]] = {part: {} for part in names}
        gaps: dict[str, Gap] = {}
        for (part, _, _), outcome in self._cache.get_all(scope, asks, max_age=KEPT).items():
            match outcome:
                case AwsReadError():
                    gaps[part], found[part] = outcome.gap, dict(outcome.found)
                case Exception():
                    gaps[part] = Gap.from_error(outcome)
                case _:
                    found[part] = outcome
        return found, gaps

    def read_instance_states(self, scope: CancelScope, region: str, instance_ids: Sequence[str]) -> dict[str, str]:
        """Return the EC2 state of each instance that EC2 finds now; empty when it does not answer everything.

        Raises:
            OperationCancelled: The operation was cancelled.
        """
        return self._read_now(scope, region, "instances", instance_ids)

    def read_launch_times(self, scope: CancelScope, region: str, asg_names: Sequence[str]) -> dict[str, datetime]:
        """Return when each instance of Auto Scaling Groups was launched that starts or runs now, by instance id.

        Empty when EC2 does not answer everything.

        Raises:
            OperationCancelled: The operation was cancelled.
        """
        return self._read_now(scope, region, "launch_times", asg_names)

    def _read_now(self, scope: CancelScope, region: str, part: str, names: Sequence[str]) -> dict[str, Any]:
        bounded, wanted = scope.at_most(LONGEST), tuple(sorted(set(names)))
        access = AwsAccess(region, min(_SOCKET_SECONDS, bounded.remaining() or 0.0))
        key = (part, region, wanted)
        asks = {key: partial(_ask, part, wanted, access)}
        outcome = self._cache.get_all(bounded, asks, max_age=0.0, fresh=True)[key]
        return {} if isinstance(outcome, Exception) else outcome


def _ask(part: str, names: tuple[str, ...], access: AwsAccess) -> dict[str, Any]:
    request = PARTS[part]
    found: dict[str, Any] = {}
    gaps: list[Gap] = []
    try:
        with closing(access.client(request.service, request.region)) as client:
            for answer in request.ask(client, names):
                if isinstance(answer, Gap):
                    gaps.append(answer)
                else:
                    name, found[name] = answer
    except AwsReadError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever is wrong with AWS is a gap, and nothing else
        gaps = [gap_for_error(error, request.action)]
    if gap := Gap.join(gaps):
        raise AwsReadError(gap, found)
    return found
