"""Typed messages of a preview or a run: a code, a severity, a subject and data; text is made of them at the edge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self


class Severity(StrEnum):
    """How much a diagnostic matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    """`pulumi up` will refuse to start. A preview shows it as a warning: an error would end the preview."""


class Code(StrEnum):
    """What a diagnostic is about; the string under each member names the ``subject`` and the ``fields``.

    Lists of nodes hold instance ids, lists of pods ``namespace/name``. ``?`` marks a field that may be None.
    """

    PLAN_SUMMARY = "plan-summary"
    """``digest``, counts of the plan: ``nodes``, ``moved``? (in the plan as migrated earlier), ``migrated``?
    (drained by a migration of the last 24 hours), ``waiting`` (still to migrate), ``active`` (being migrated),
    ``pods``? and ``batches`` of the waiting nodes, ``batch_size``."""
    PLAN_EMPTY = "plan-empty"
    """No node matches; no fields."""
    PLAN_NOT_APPROVED = "plan-not-approved"
    """``digest`` of the plan, ``approved``? digest, ``nodes``, ``changes`` since the approval: each with the ``name``
    of an input, and the values ``approved``? and ``now``?; empty when they are not known."""
    APPROVAL_OUTDATED = "approval-outdated"
    """The ``approved`` digest is too short, or that of version 0.1. ``digest`` of the plan."""
    PLAN_KEPT_BY_RUN = "plan-kept-by-run"
    """The run that created the resource made the plan; no fields."""
    UNPLANNED = "unplanned"
    """There is no new plan. ``cause`` (a value of ``UnplannedCause``), ``detail`` (an error of Spot or the id of
    the cluster, may be empty), ``gap``? (why labels are unknown), ``effect`` (a value of ``UnplannedEffect``)."""
    DESTINATION = "destination"
    """Subject: the id of a Virtual Node Group, or ``Default``. ``name``, counts ``nodes`` and ``pods``?,
    ``known`` (whether the group's settings are known), ``spot_percentage``?, ``fallback_to_on_demand``?."""
    DESTINATIONS_MORE = "destinations-more"
    """Counts: ``groups`` that have no line of their own, and their ``nodes``."""
    BATCHES = "batches"
    """``count`` of batches, ``size`` of each and of the ``last`` one, ``pods``? (a list, by batch)."""
    PODS = "pods"
    """Counts of pods: ``evicted``, ``held``, ``forced``, ``kept``, ``deleted``, ``leaving``, ``finished``,
    ``daemon_set_pods``, ``static_pods``, ``losing_data``, ``losing_work``; ``knows_budgets``, and
    ``knows_all_pods`` (whether the list of pods is complete)."""
    DOWNTIME = "downtime"
    """Subject: the workload when there is one. ``workloads`` without a ready replica while a batch is drained, in the
    worst case: each with ``kind``, ``name`` (``namespace/name``), ``ready`` replicas in the cluster, ``planned`` (those
    on planned nodes), ``evicted_at_once`` (the most that a batch may evict), ``nodes`` (their names), ``budgets``,
    ``surges`` (whether a rollout starts new replicas first), ``batch_size_percentage``? (the largest that leaves a
    replica). ``knows_budgets``, ``forced`` (whether budgets are overridden)."""
    REPLICAS_DROP = "replicas-drop"
    """As ``DOWNTIME``: ``workloads`` that may lose at least half of their ready replicas at once."""
    PDB_SUGGESTION = "pdb-suggestion"
    """``workloads`` without a PodDisruptionBudget (kind and name), ``source`` (YAML of one for each)."""
    WORK_INTERRUPTED = "work-interrupted"
    """Subject: a kind of work, such as ``Job``. ``pods`` that do it and are evicted."""
    PATTERN_UNMATCHED = "pattern-unmatched"
    """Subject: a pattern of the selector, of several, or a part of its exclude, that matches nothing. ``field``, and
    the ``nearest``? match."""
    NODES_STAY = "nodes-stay"
    """``nodes``: how many stay running, cordoned, after the migration. Where AWS tells prices, also ``priced``: of how
    many the price is known, and ``usd_per_hour`` of those."""
    NODES_DRAINED = "nodes-drained"
    """Drained ``nodes`` that no migration terminated: they stay running, cordoned. ``since``? when the first of them,
    ``seen`` (whether Kubernetes shows that they run). Where the price is known, also ``priced``? (of how many nodes;
    None: not known) and ``usd_per_hour`` of those."""
    NODES_OUTSIDE_PLAN = "nodes-outside-plan"
    """``nodes``: how many candidates are in no earlier plan nor in this one, and stay schedulable. ``waves``?: for each
    later migration that plans some of them, as far as it is known, ``name`` and its number of ``nodes``?: with them it
    is a warning, else a remark."""
    NODES_UNDECIDED = "nodes-undecided"
    """``nodes`` of which the selector cannot be evaluated. Of nodes that have moved, also the ``migrations`` that held
    them, and ``unknown``: the fields of the selector that cannot be evaluated."""
    NODES_NEW = "nodes-new"
    """``nodes`` that match and are not in the plan."""
    NODES_SKIPPED = "nodes-skipped"
    """``nodes`` without a Virtual Node Group that ``unmatched_nodes="skip"`` leaves out."""
    NODES_EXCLUDED = "nodes-excluded"
    """``nodes`` that are excluded by id and stay in the plan."""
    ASG_MAY_REPLACE = "asg-may-replace"
    """``asg_names`` whose terminated nodes are replaced unless their desired capacity is lowered."""
    ASG_REPLACES = "asg-replaces"
    """Subject: an Auto Scaling Group that has replaced terminated nodes; no fields."""
    CHECKS_PASSED = "checks-passed"
    """``names`` of the checks."""
    CHECK_FAILED = "check-failed"
    """Subject: the name of the check. ``finding`` (a value of ``checks.check_result.Finding``) and its fields. An error
    when `pulumi up` will refuse to start, else a warning."""
    CHECK_WARNING = "check-warning"
    """As ``CHECK_FAILED``."""
    CHECK_UNKNOWN = "check-unknown"
    """As ``CHECK_FAILED``: what could not be checked."""
    PDB_BLOCKS = "pdb-blocks"
    """Subject: a PodDisruptionBudget that allows no disruption. ``pods`` (how many it holds), ``nodes`` (their names),
    ``healthy``, ``required``, ``never`` (whether more healthy pods would not help), ``closed`` (whether not even more
    pods would), ``problem`` (why Kubernetes cannot
    compute it, may be empty), ``processed`` (whether its status is of its present generation), ``trial``? (``allowed``?
    of a trial eviction, and the API server's ``message``, or the ``gap`` that says why it could not be asked),
    ``forced`` (whether the pods are killed all the same)."""
    PDBS_OVERLAP = "pdbs-overlap"
    """``budgets`` that select the same pods, which are then never evicted. ``pods``, ``nodes``, ``forced``."""
    PDBS_MORE = "pdbs-more"
    """``budgets`` without a line of their own. ``pods``, ``nodes``, ``forced``."""
    PDB_ALLOWS = "pdb-allows"
    """Subject: a PodDisruptionBudget that allowed a trial eviction; no fields."""
    STANDALONE_PODS_STAY = "standalone-pods-stay"
    """Subject: the pod when there is one. ``pods``, ``nodes`` (their names), ``orphaned`` (their DaemonSet is gone)."""
    STANDALONE_PODS_DELETED = "standalone-pods-deleted"
    """As ``STANDALONE_PODS_STAY``."""
    PODS_TERMINATING = "pods-terminating"
    """Subject: the pod when there is one. ``pods`` that should have ended long ago, ``nodes`` (their names),
    ``seconds`` (of the oldest), ``finalizers`` that they wait for."""
    NODES_NOT_READY = "nodes-not-ready"
    """Subject: the name of the node when there is one. ``nodes`` (their names), how many ``pods`` cannot end there,
    ``seconds``? of the oldest."""
    GRACE_PERIOD_TOO_LONG = "grace-period-too-long"
    """``pods`` whose grace period is longer than the draining timeout; ``seconds`` of the longest, ``timeout``."""
    PODS_PROTECTED = "pods-protected"
    """Subject: an annotation or a label. ``value``, ``pods``."""
    PODS_UNPLACEABLE = "pods-unplaceable"
    """``pods`` that fit no Virtual Node Group, ``reasons``: each with ``kind`` (of
    ``scheduling.pod_requirements.RequirementKind``) and what is asked for."""
    PODS_UNPLACEABLE_MORE = "pods-unplaceable-more"
    """``pods``, ``reasons``: how many others there are."""
    PODS_PLACEMENT_UNKNOWN = "pods-placement-unknown"
    """As ``PODS_UNPLACEABLE``."""
    PODS_PLACEMENT_UNKNOWN_MORE = "pods-placement-unknown-more"
    """As ``PODS_UNPLACEABLE_MORE``."""
    PODS_CHANGE_GROUP = "pods-change-group"
    """``pods`` that fit only another Virtual Node Group than that of their node."""
    PODS_CHANGE_ARCHITECTURE = "pods-change-architecture"
    """Subject: the architecture that no new node has. ``pods``."""
    NOT_EVALUATED = "not-evaluated"
    """``topics`` (values of ``scheduling.unknowns.Topic``), ``gap``."""
    VNG_SUGGESTION = "vng-suggestion"
    """Subject: the name of the suggested Virtual Node Group. Count ``nodes``, ``asg_names``, ``source`` (Python)."""
    STARTS_FROZEN = "starts-frozen"
    """A freeze window is open. ``until``?: when a migration may start, in the time zone of the windows; None: never."""
    MIGRATION_ADOPTED = "migration-adopted"
    """Subject: a migration that the resource has adopted, or will adopt (``pending``). ``nodes``: how many it holds,
    ``ended``, ``whole`` (whether all its nodes are planned: only then `pulumi destroy` stops it)."""
    MIGRATION_DENIED = "migration-denied"
    """Subject: a migration of which one answer said that it does not exist; no fields."""
    MIGRATION_UNRECORDED = "migration-unrecorded"
    """Subject: a running migration that the state of a destroyed resource does not have, newer than all that it has.
    ``nodes``: how many it holds."""
    MIGRATION_LOST = "migration-lost"
    """Subject: a migration that status and list have denied for a minute. ``nodes`` that are not proven to be
    migrated."""
    STOPPED_EARLIER = "stopped-earlier"
    """Subject: a migration that was stopped before this run, by the brake, or by someone else (``by_brake``).
    ``cause``, ``check`` of the brake (each may be empty), how many ``nodes`` remain."""
    FAILED_EARLIER = "failed-earlier"
    """Subject: a migration that failed before this run. ``message`` (why), how many ``nodes`` remain."""
    NODES_HELD = "nodes-held"
    """Subject: a migration that this resource may not take over. The planned ``nodes`` that it holds (empty when
    its nodes are not known), ``waits`` (whether `pulumi up` waits for its end)."""
    NODES_GONE = "nodes-gone"
    """Planned ``nodes`` that no longer exist, and that no migration held."""
    NODES_RETURNED = "nodes-returned"
    """Planned ``nodes`` that counted as gone, and that discovery returns again, with pods."""
    NODES_UNVERIFIED = "nodes-unverified"
    """``nodes`` that count as migrated although their finished migration still counts pods on them."""
    NODES_UNPROVEN = "nodes-unproven"
    """``nodes`` that a migration held, that are not proven to be migrated, and that discovery does not return."""
    NODES_CONTRADICTED = "nodes-contradicted"
    """``nodes`` that remain: their migration is FINISHED, and as many pods run on its nodes as before."""
    NODES_WITH_PODS = "nodes-with-pods"
    """``nodes`` that remain, because Kubernetes shows ``pods`` on them that a migration should have evicted."""
    NODES_MISSING = "nodes-missing"
    """``nodes`` that remain: discovery does not return them, no migration held them, and they are not gone yet."""
    NODES_LEFT = "nodes-left"
    """``nodes`` that remain and that the next run migrates."""
    HEALTH_PLANNED = "health-planned"
    """What the next migration will watch: how many ``workloads``?, ``gap``? (why they are unknown), ``health`` (the
    input, ``off`` where nobody waits for the end), ``settle_seconds``, ``stops_after``: seconds by condition of
    ``stop_when``, empty without one, and ``checks``: for each of its checks ``name``, ``seconds`` and whether it is
    ``watched``."""
    HEALTH_WATCHED = "health-watched"
    """The workloads that are watched: counts ``workloads``, ``pods`` (on the nodes to migrate), ``unhealthy`` (before
    the start, never judged) and ``omitted``, ``stops`` (whether the migration is stopped for them)."""
    STOP_CHECKS_WATCHED = "stop-checks-watched"
    """The checks of ``stop_when`` at the start: the names of those that ``passed``, and of the others (``failing``)
    what was seen; they are watched from when they pass."""
    HEALTH_UNKNOWN = "health-unknown"
    """``gap``: why it is not known whether the workloads are ready."""
    WORKLOADS_READY = "workloads-ready"
    """``workloads``, ``pods`` on Ocean nodes, ``elsewhere`` (pods that run on other old nodes), ``unknown`` and
    ``excused`` (workloads with reasons), ``omitted`` (how many were not watched)."""
    WORKLOADS_NOT_READY = "workloads-not-ready"
    """``workloads``: each with ``workload``, ``ready``, ``required``, ``reason``, ``detail``, ``pod`` (may be empty);
    the number of ``others``; whether all are only ``starting``; whether the next run only ``looks_again``."""
    BRAKE_STOPPED = "brake-stopped"
    """Subject: the migration that was stopped for its workloads. ``cause``, ``workloads`` (their names), or the
    ``check`` that failed, ``pod``, ``detail`` (each may be empty), ``seconds``, ``drained`` (how many nodes stay
    cordoned), ``remaining``."""
    BRAKE_HOLDS = "brake-holds"
    """Subject: a migration that an earlier run has stopped for its workloads. ``cause``, ``check`` (each may be
    empty), ``nodes`` that remain."""
    PREVIEW_FILE_NOT_WRITTEN = "preview-file-not-written"
    """``reason``."""


class UnplannedCause(StrEnum):
    """Why a preview has no new plan."""

    NO_ACCOUNT = "no-account"
    NO_LABELS = "no-labels"
    SPOT_UNAVAILABLE = "spot-unavailable"
    CONTROLLER_NEVER_REPORTED = "controller-never-reported"


class UnplannedEffect(StrEnum):
    """What a preview without a new plan leads to."""

    PLANNED_BY_UP = "planned-by-up"
    OUTPUT_STAYS = "output-stays"
    PLAN_STAYS = "plan-stays"


_BLOCKERS: Final = frozenset(
    {
        Code.PDB_BLOCKS,
        Code.PDBS_OVERLAP,
        Code.PDBS_MORE,
        Code.STANDALONE_PODS_STAY,
        Code.PODS_TERMINATING,
        Code.NODES_NOT_READY,
        Code.GRACE_PERIOD_TOO_LONG,
        Code.PODS_UNPLACEABLE,
        Code.PODS_UNPLACEABLE_MORE,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One typed message of a preview or a run."""

    code: Code | str
    """What it is about; a plain string for a code of a newer version."""
    severity: Severity
    """How much it matters."""
    subject: str = ""
    """What it is about: a check, a node, a pod, a budget or a VNG; empty for the whole plan."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """JSON-plain data: everything that the text shows, names as the cluster has them."""
    text: str = field(default="", compare=False)
    """The rendered line; empty before it is rendered."""

    def __hash__(self) -> int:
        return hash((self.code, self.subject))

    @classmethod
    def info(cls, code: Code, subject: str = "", /, **fields: Any) -> Self:
        """Return a remark."""
        return cls(code=code, severity=Severity.INFO, subject=subject, fields=fields)

    @classmethod
    def warning(cls, code: Code, subject: str = "", /, **fields: Any) -> Self:
        """Return a warning."""
        return cls(code=code, severity=Severity.WARNING, subject=subject, fields=fields)

    @classmethod
    def error(cls, code: Code, subject: str = "", /, **fields: Any) -> Self:
        """Return an error."""
        return cls(code=code, severity=Severity.ERROR, subject=subject, fields=fields)

    @property
    def is_blocker(self) -> bool:
        """Whether something will stop single pods from moving."""
        return self.code in _BLOCKERS and not self.fields.get("forced")

    @property
    def rank(self) -> int:
        """How urgent it is, the most urgent first: blockers, downtime, other warnings, remarks."""
        if self.is_blocker:
            return 0
        if self.code == Code.DOWNTIME:
            return 1
        return 3 if self.severity is Severity.INFO else 2

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-plain data."""
        return {
            "code": str(self.code),
            "severity": str(self.severity),
            "subject": self.subject,
            "fields": dict(self.fields),
            "text": self.text,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read it back; a code of a newer version stays a plain string, an unknown severity is a warning.

        Without a text, the code stands in: whoever shows it has something to show.
        """
        code, severity, fields = str(data.get("code", "")), data.get("severity"), data.get("fields")
        return cls(
            code=next((member for member in Code if member == code), code),
            severity=next((member for member in Severity if member == severity), Severity.WARNING),
            subject=str(data.get("subject", "")),
            fields=fields if isinstance(fields, dict) else {},
            text=str(data.get("text", code)),
        )
