"""Forecast whether each pod fits a Virtual Node Group: its requirements against what new nodes will be like."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, VirtualNodeGroup
from ocean_migration_pulumi.api.models.migration import DEFAULT_VIRTUAL_NODE_GROUP
from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts
from ocean_migration_pulumi.migration.scheduling.eviction_forecast import node_name
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    ARCHITECTURE_LABEL,
    CLAIMS,
    SYSTEM_LABEL,
    VOLUMES,
    KubernetesSnapshot,
    Owner,
    Pod,
    Requirement,
    Resources,
)
from ocean_migration_pulumi.migration.scheduling.label_matching import all_of, any_of
from ocean_migration_pulumi.migration.scheduling.pod_requirements import (
    PodRequirements,
    RequirementKind,
    UnmetRequirement,
    combine_requirements,
)
from ocean_migration_pulumi.migration.scheduling.unknowns import Topic, report_gaps
from ocean_migration_pulumi.migration.scheduling.vng_profiles import (
    ARCHITECTURE_LABELS,
    TYPE_LABELS,
    DaemonOverhead,
    NodeCapacity,
    VngProfile,
    profile_vngs,
)
from ocean_migration_pulumi.migration.scheduling.workloads import runs_on_each_node
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode

_MOST_LINES: Final = 10
_NO_GROUP: Final = UnmetRequirement(kind=RequirementKind.NO_GROUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementForecast:
    """Whether the pods will fit; every pod is counted once."""

    fitting: int = 0
    """Pods that fit somewhere, as far as is known with the match of their node."""
    elsewhere: int = 0
    """Pods that fit only another Virtual Node Group."""
    homeless: int = 0
    """Pods that fit no Virtual Node Group."""
    unknown: int = 0
    """Pods of which it is not known."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """The blockers, the worst first; then what is in doubt, what changes, and what could not be evaluated."""


@dataclass(slots=True)
class _Sorted:
    """The names of the pods, by what was found."""

    fitting: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    homeless: dict[tuple[UnmetRequirement, ...], list[str]] = field(default_factory=lambda: defaultdict(list))
    unknown: dict[tuple[UnmetRequirement, ...], list[str]] = field(default_factory=lambda: defaultdict(list))
    strange: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def forecast_placement(
    pods: Iterable[Pod],
    nodes: Iterable[PlannedNode],
    kube: KubernetesSnapshot,
    *,
    cluster: Cluster,
    vngs: Mapping[str, VirtualNodeGroup],
    ocean_nodes: Iterable[ClusterNode] = (),
    cloud: AwsFacts | None = None,
) -> PlacementForecast:
    """Judge whether these pods, of these planned nodes, fit a Virtual Node Group of the cluster.

    ``vngs`` are all of the cluster by id, ``ocean_nodes`` those that it runs already: what they are shows what is
    possible, never what is not. ``cloud`` is None when AWS was not asked.
    """
    moving = sorted(pods, key=lambda pod: pod.full_name)
    planned = {node.instance_id: node for node in nodes}
    running = [node for node in ocean_nodes if node.instance_id not in planned]
    labels = {node.name: node.labels for node in kube.nodes.values()}
    daemons = _find_daemons(kube, labels)
    targets = profile_vngs(cluster, vngs, running, cloud, kube.nodes)
    fitter = _Fitter([target.beside(_measure_daemons(target, daemons)) for target in targets])
    homes = {node_name(node, kube): node.virtual_node_group_id for node in planned.values()}
    found = _Sorted()
    for pod in moving:
        on_node = labels.get(pod.node_name, {})
        requirements = PodRequirements.from_pod(pod, kube, on_node.get(SYSTEM_LABEL, ""))
        name = pod.full_name
        home, anywhere = fitter.verdicts(requirements, homes.get(pod.node_name))
        if anywhere is False:
            found.homeless[fitter.reasons(requirements, wanted=False)].append(name)
        elif anywhere is None:
            found.unknown[fitter.reasons(requirements, wanted=None)].append(name)
        else:
            (found.elsewhere if home is False else found.fitting).append(name)
            architecture = on_node.get(ARCHITECTURE_LABEL, "")
            if architecture and fitter.loses(requirements, architecture, homes.get(pod.node_name) if home else None):
                found.strange[architecture].append(name)
    return PlacementForecast(
        fitting=len(found.fitting),
        elsewhere=len(found.elsewhere),
        homeless=sum(map(len, found.homeless.values())),
        unknown=sum(map(len, found.unknown.values())),
        diagnostics=(
            *_by_reasons(found.homeless, Code.PODS_UNPLACEABLE, Code.PODS_UNPLACEABLE_MORE, severity=Severity.WARNING),
            *(
                Diagnostic.warning(Code.PODS_CHANGE_ARCHITECTURE, architecture, pods=names)
                for architecture, names in sorted(found.strange.items())
            ),
            *_by_reasons(
                {reasons: names for reasons, names in found.unknown.items() if _is_tight(reasons)},
                Code.PODS_PLACEMENT_UNKNOWN,
                Code.PODS_PLACEMENT_UNKNOWN_MORE,
                severity=Severity.WARNING,
            ),
            *_unknowns(moving, kube, cloud if found.unknown else None),
            *(Diagnostic.info(Code.PODS_CHANGE_GROUP, pods=names) for names in [found.elsewhere] if names),
            *_by_reasons(
                {reasons: names for reasons, names in found.unknown.items() if not _is_tight(reasons)},
                Code.PODS_PLACEMENT_UNKNOWN,
                Code.PODS_PLACEMENT_UNKNOWN_MORE,
                severity=Severity.INFO,
            ),
        ),
    )


class _Fitter:
    """Judges demands; most pods are like others, so that every answer is kept."""

    def __init__(self, targets: Sequence[VngProfile]) -> None:
        self._targets = targets
        self._spaces: dict[PodRequirements, dict[str, NodeCapacity]] = {}
        self._verdicts: dict[tuple[PodRequirements, str | None], tuple[bool | None, bool | None]] = {}
        self._reasons: dict[tuple[PodRequirements, bool | None], tuple[UnmetRequirement, ...]] = {}
        self._lost: dict[tuple[PodRequirements, str, str | None], bool] = {}

    def verdicts(self, requirements: PodRequirements, match: str | None) -> tuple[bool | None, bool | None]:
        """Tell whether the match of its node takes a pod, and whether any target does.

        Without a match, or with one that is not known, the first is that of any target.
        """
        key = requirements, match
        if key not in self._verdicts:
            homes = self._homes(match)
            home = self._verdict(requirements, homes) if homes else None
            anywhere = True if home else self._verdict(requirements, self._targets)
            self._verdicts[key] = (home if homes else anywhere), anywhere
        return self._verdicts[key]

    def reasons(self, requirements: PodRequirements, *, wanted: bool | None) -> tuple[UnmetRequirement, ...]:
        """Return the demands of which, alone, every target has this verdict (or none a better one)."""
        if not self._targets:
            return (_NO_GROUP,)
        key = requirements, wanted
        if key not in self._reasons:
            singles = list(requirements.single())
            found = tuple(
                self._sharpen(single, reason)
                for single, reason in singles
                if self._verdict(single, self._targets) is wanted
            )
            self._reasons[key] = found or (combine_requirements(self._unmet(singles)),)
        return self._reasons[key]

    def _sharpen(self, single: PodRequirements, reason: UnmetRequirement) -> UnmetRequirement:
        """Return the reason, of requests whether they are only too much for what a node leaves to pods."""
        if reason.kind is RequirementKind.REQUESTS and any(
            target.whole.is_tight(single.requests) for target in self._targets
        ):
            return replace(reason, kind=RequirementKind.TIGHT_REQUESTS)
        return reason

    def _unmet(self, singles: Sequence[tuple[PodRequirements, UnmetRequirement]]) -> list[UnmetRequirement]:
        """Return the demands that some target does not meet; all of them, when only together they are too much."""
        unmet = [
            reason
            for single, reason in singles
            if any(self._verdict(single, [target]) is not True for target in self._targets)
        ]
        plain = {RequirementKind.TOLERATIONS, RequirementKind.SYSTEM}
        return unmet or [reason for _, reason in singles if reason.kind not in plain]

    def loses(self, requirements: PodRequirements, architecture: str, match: str | None) -> bool:
        """Tell whether no node that takes a pod, of its match or of any target, is of this architecture."""
        key = requirements, architecture, match
        if key not in self._lost:
            if requirements.names(ARCHITECTURE_LABELS):
                self._lost[key] = False
            else:
                asked = Requirement(key=ARCHITECTURE_LABEL, values=(architecture,))
                same = replace(requirements, selector=(*requirements.selector, asked))
                self._lost[key] = self._verdict(same, self._homes(match) or self._targets) is False
        return self._lost[key]

    def _homes(self, match: str | None) -> list[VngProfile]:
        if match == DEFAULT_VIRTUAL_NODE_GROUP:
            return [target for target in self._targets if target.is_plain]
        return [target for target in self._targets if target.id == match]

    def _verdict(self, requirements: PodRequirements, targets: Iterable[VngProfile]) -> bool | None:
        requests = requirements.requests
        place = replace(requirements, requests=_ANY.requests)
        spaces = self._spaces.setdefault(place, {})
        found = any_of(
            all_of((self._space(place, spaces, target).takes(requests), target.offers(requests.others)))
            for target in targets
        )
        # Which pods run beside it on a new node is not known.
        return None if found and requirements.pod_affinity else found

    @staticmethod
    def _space(place: PodRequirements, spaces: dict[str, NodeCapacity], target: VngProfile) -> NodeCapacity:
        if target.id not in spaces:
            spaces[target.id] = target.space(place.conditions, place.tolerations)
        return spaces[target.id]


_ANY: Final = PodRequirements()


def _is_tight(reasons: Iterable[UnmetRequirement]) -> bool:
    return any(reason.kind is RequirementKind.TIGHT_REQUESTS for reason in reasons)


def _find_daemons(kube: KubernetesSnapshot, labels: Mapping[str, Mapping[str, str]]) -> list[PodRequirements]:
    """Return what a pod of each DaemonSet demands: that of its pods which asks for most."""
    largest: dict[tuple[str, Owner], Pod] = {}
    for pod in kube.pods:
        if pod.controller is None or not runs_on_each_node(pod.controller) or pod.finished:
            continue
        key = pod.namespace, pod.controller
        if key not in largest or _size(pod) > _size(largest[key]):
            largest[key] = pod
    return [
        PodRequirements.from_daemon(pod, kube, labels.get(pod.node_name, {}).get(SYSTEM_LABEL, ""))
        for pod in largest.values()
    ]


def _size(pod: Pod) -> tuple[int, int]:
    return pod.requests.milli_cpu, pod.requests.memory_mib


def _measure_daemons(target: VngProfile, daemons: Iterable[PodRequirements]) -> DaemonOverhead:
    """Return what DaemonSets ask for on a node of a group."""
    least = most = Resources()
    for daemon in daemons:
        runs = target.space(daemon.conditions, daemon.tolerations).takes(Resources())
        if runs is not False:
            most = _add(most, daemon.requests)
        if runs and not daemon.names(ARCHITECTURE_LABELS | TYPE_LABELS):
            least = _add(least, daemon.requests)
    return DaemonOverhead(least=least, most=most)


def _add(one: Resources, other: Resources) -> Resources:
    return Resources(
        milli_cpu=one.milli_cpu + other.milli_cpu, memory_mib=one.memory_mib + other.memory_mib, gpu=one.gpu
    )


def _by_reasons(
    pods: Mapping[tuple[UnmetRequirement, ...], Sequence[str]], code: Code, more: Code, *, severity: Severity
) -> list[Diagnostic]:
    """Return a diagnostic for each set of reasons, those of the most pods first."""
    ordered = sorted(
        (([reason.to_json() for reason in reasons], list(names)) for reasons, names in pods.items()),
        key=lambda item: (-len(item[1]), json.dumps(item[0])),
    )
    diagnostics = [
        Diagnostic(code=code, severity=severity, fields={"pods": names, "reasons": reasons})
        for reasons, names in ordered[:_MOST_LINES]
    ]
    if others := ordered[_MOST_LINES:]:
        names = sorted(name for _, group in others for name in group)
        diagnostics.append(Diagnostic(code=more, severity=severity, fields={"pods": names, "reasons": len(others)}))
    return diagnostics


def _unknowns(pods: Iterable[Pod], kube: KubernetesSnapshot, cloud: AwsFacts | None) -> list[Diagnostic]:
    """Return what could not be evaluated; what AWS did not tell counts only where it left something open."""
    gaps = {}
    if any(pod.claims for pod in pods):
        for name, topic in ((CLAIMS, Topic.VOLUMES), (VOLUMES, Topic.VOLUME_ZONES)):
            if name in kube.gaps:
                gaps[topic] = kube.gaps[name]
    if cloud is not None:
        for name, topic in (("zones", Topic.SUBNET_ZONES), ("machines", Topic.INSTANCE_SIZES)):
            if name in cloud.gaps:
                gaps[topic] = cloud.gaps[name]
    return report_gaps(gaps)
