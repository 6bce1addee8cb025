"""Gaps: why something is not known, as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self


class GapCode(StrEnum):
    """Why something is not known; the string under each member names the ``fields``, ``?`` those that may be None."""

    NO_ACCESS = "no-access"
    """Nothing names an access to Kubernetes; no fields."""
    KUBECONFIG_PENDING = "kubeconfig-pending"
    """The kubeconfig is known only later; no fields."""
    RECORDED = "recorded"
    """A record of the service has no data from Kubernetes; no fields."""
    OTHER_CLUSTER = "other-cluster"
    """None of the nodes is a candidate or an Ocean node. ``access``: where the access comes from."""
    UNRECOGNIZED_CLUSTER = "unrecognized-cluster"
    """There is no node to recognize the cluster by; no fields."""
    FAILED = "failed"
    """An error without a code of its own. ``message`` and ``remedy`` (may be empty)."""
    NO_NODES = "no-nodes"
    """Kubernetes has no node for ``instance_ids``."""
    NO_BASELINE = "no-baseline"
    """Nobody saw the workloads before the migration; no fields."""

    NOT_IN_TIME = "not-in-time"
    """Kubernetes did not respond in time; no fields."""
    LIST_INCOMPLETE = "list-incomplete"
    """``resource``, how many objects were ``read``, and the ``total``?."""
    UNREADABLE = "unreadable"
    """``resource``, and the class of the ``error``: its message may quote data of the cluster."""
    UNUSABLE_OBJECTS = "unusable-objects"
    """``count`` of objects of an unexpected form in the list of a ``resource``."""
    CREDENTIALS_REFUSED = "credentials-refused"
    """HTTP ``status`` of the API server."""
    FORBIDDEN = "forbidden"
    """The ``user`` (may be empty) may not ``verb`` the ``object``: HTTP ``status``, the ``rule`` that allows it."""
    REFUSED = "refused"
    """HTTP ``status`` of a request to ``verb`` an ``object``; what the API server ``said`` (may be empty)."""

    NO_REGION = "no-region"
    """The region of the cluster is not known; no fields."""
    NO_BOTO3 = "no-boto3"
    """``command`` that installs it."""
    NO_AWS_CREDENTIALS = "no-aws-credentials"
    """No fields."""
    AWS_CREDENTIALS_UNUSABLE = "aws-credentials-unusable"
    """``error``: a code of AWS, or the class of an exception."""
    AWS_CREDENTIALS_REFUSED = "aws-credentials-refused"
    """``error``: a code of AWS."""
    AWS_DENIED = "aws-denied"
    """``action`` of IAM."""
    AWS_THROTTLED = "aws-throttled"
    """``action`` of IAM, and the ``error``."""
    AWS_UNANSWERED = "aws-unanswered"
    """``action`` of IAM, and the ``error``: a code of AWS."""
    AWS_UNREACHABLE = "aws-unreachable"
    """``action`` of IAM, and the class of the ``error``."""
    AWS_UNUSABLE = "aws-unusable"
    """The answer is none that AWS documents. ``action`` of IAM, and the class of the ``error``."""
    NO_INSTANCE_PROFILE = "no-instance-profile"
    """``profile`` by name."""
    INSTANCE_PROFILE_OF_OTHER_ACCOUNT = "instance-profile-of-other-account"
    """The ``profile`` does not belong to the account of the AWS credentials."""
    INSTANCE_PROFILE_WITHOUT_ROLE = "instance-profile-without-role"
    """``profile`` by name."""
    NO_EKS_CLUSTER = "no-eks-cluster"
    """``cluster`` and ``region``."""
    NO_SUBNETS = "no-subnets"
    """``subnets`` by id."""

    SEVERAL = "several"
    """``gaps``, as ``Gap.to_json`` returns them."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that a source did not tell, and why."""

    code: GapCode
    """Why."""
    fields: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What the text names, as JSON-plain data; names as their source has them."""

    @classmethod
    def from_error(cls, error: Exception, remedy: str = "") -> Self:
        """Return the gap that an error of this package leaves: its message is made for users."""
        return cls(GapCode.FAILED, {"message": str(error) or type(error).__name__, "remedy": remedy})

    @classmethod
    def join(cls, gaps: Iterable[Self]) -> Self | None:
        """Return several gaps as one; None without any."""
        several = list(gaps)
        if len(several) > 1:
            return cls(GapCode.SEVERAL, {"gaps": [gap.to_json() for gap in several]})
        return several[0] if several else None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-plain data."""
        return {"code": str(self.code), **self.fields}
