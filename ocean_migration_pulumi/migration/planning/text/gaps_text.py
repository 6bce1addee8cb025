"""The text of gaps: why something is not known, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from ocean_migration_pulumi.common.text import count_noun, list_some
from ocean_migration_pulumi.migration.planning.text.templates import Fields, clean
from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode
from ocean_migration_pulumi.migration.spec.spec import KUBECONFIG
from ocean_migration_pulumi.migration.spec.vocabulary import INPUTS, Vocabulary

_AWS_CREDENTIALS: Final = "provide AWS credentials with read access, such as AWS_PROFILE or the role of the job"
_PROFILE: Final = "instance profile {profile}"


class GapText(NamedTuple):
    """The text of a gap, both as parts of sentences."""

    reason: str
    """Why something is not known."""
    remedy: str = ""
    """What to do about it; empty when the reason says enough."""

    @property
    def line(self) -> str:
        """Both in one line."""
        return "; ".join(filter(None, self))


def describe_gap(gap: Gap, vocabulary: Vocabulary = INPUTS) -> GapText:
    """Return the text of a gap."""
    return describe_gap_json(gap.to_json(), vocabulary)


def describe_gap_json(data: Mapping[str, Any], vocabulary: Vocabulary = INPUTS) -> GapText:
    """Return the text of a gap as it is in the fields of a diagnostic."""
    code, fields = GapCode(data["code"]), clean(data)
    if code is GapCode.NO_ACCESS:
        return GapText(f"no access to Kubernetes, set {vocabulary.name(KUBECONFIG)} or KUBECONFIG")
    template = _TEMPLATES[code]
    if isinstance(template, GapText):
        return GapText(*(part.format_map(fields) for part in template))
    return template(fields)


def expand_gap(fields: Fields, vocabulary: Vocabulary) -> Fields:
    """Return the fields of a diagnostic with ``reason`` and ``remedy`` for its ``gap``; both are empty without one."""
    if "gap" not in fields:
        return fields
    text = describe_gap_json(fields["gap"], vocabulary) if fields["gap"] else GapText("")
    return {**fields, "reason": text.reason, "remedy": text.remedy}


def _failed(fields: Fields) -> GapText:
    return GapText(fields["message"], fields["remedy"])


def _list_incomplete(fields: Fields) -> GapText:
    of = "" if fields["total"] is None else f" of {fields['total']:,}"
    return GapText(f"{fields['read']:,}{of} {fields['resource']} read, then the time was up")


def _forbidden(fields: Fields) -> GapText:
    return GapText(
        f"{fields['user'] or 'an anonymous user'} may not {fields['verb']} {fields['object']} ({fields['status']})",
        f"add to its role: {fields['rule']}",
    )


def _refused(fields: Fields) -> GapText:
    said = f": {fields['said']}" if fields["said"] else ""
    return GapText(
        f"Kubernetes responded with {fields['status']} when asked to {fields['verb']} {fields['object']}{said}"
    )


def _several(fields: Fields) -> GapText:
    texts = [describe_gap_json(each) for each in fields["gaps"]]
    reasons = dict.fromkeys(text.reason for text in texts)
    remedies = dict.fromkeys(text.remedy for text in texts if text.remedy)
    return GapText(list_some(reasons), list_some(remedies))


_TEMPLATES: Final[Mapping[GapCode, GapText | Callable[[Fields], GapText]]] = {
    GapCode.KUBECONFIG_PENDING: GapText("the kubeconfig is not known yet"),
    GapCode.RECORDED: GapText("a record has no data from Kubernetes"),
    GapCode.OTHER_CLUSTER: GapText(
        "{access} belongs to another cluster: none of its nodes is a candidate or an Ocean node"
    ),
    GapCode.FAILED: _failed,
    GapCode.NO_NODES: lambda fields: GapText(f"Kubernetes has no node for {list_some(fields['instance_ids'])}"),
    GapCode.NO_BASELINE: GapText("the run that started the migration recorded no baseline"),
    GapCode.UNRECOGNIZED_CLUSTER: GapText(
        "unknown whether the kubeconfig belongs to this cluster: none of its nodes has an instance id that Ocean lists"
    ),
    GapCode.NOT_IN_TIME: GapText("Kubernetes did not respond in time"),
    GapCode.LIST_INCOMPLETE: _list_incomplete,
    GapCode.UNREADABLE: GapText("{resource} could not be read ({error})"),
    GapCode.UNUSABLE_OBJECTS: lambda fields: GapText(
        f"{count_noun(fields['count'], 'malformed object')} in the list of {fields['resource']}"
    ),
    GapCode.CREDENTIALS_REFUSED: GapText(
        "Kubernetes refuses the credentials ({status})",
        "renew the credentials, or give their identity access to the cluster",
    ),
    GapCode.FORBIDDEN: _forbidden,
    GapCode.REFUSED: _refused,
    GapCode.NO_REGION: GapText("the region of the cluster is unknown"),
    GapCode.NO_BOTO3: GapText("boto3 is not installed", "run `{command}`"),
    GapCode.NO_AWS_CREDENTIALS: GapText("there are no AWS credentials", _AWS_CREDENTIALS),
    GapCode.AWS_CREDENTIALS_UNUSABLE: GapText("the AWS credentials cannot be used ({error})", _AWS_CREDENTIALS),
    GapCode.AWS_CREDENTIALS_REFUSED: GapText("AWS refuses the credentials ({error})", "renew the AWS credentials"),
    GapCode.AWS_DENIED: GapText("AWS denies {action}", "allow {action}"),
    GapCode.AWS_THROTTLED: GapText("AWS throttles {action} ({error})", "try again in a minute"),
    GapCode.AWS_UNANSWERED: GapText("AWS does not respond to {action} ({error})"),
    GapCode.AWS_UNREACHABLE: GapText("AWS cannot be reached for {action} ({error})"),
    GapCode.AWS_UNUSABLE: GapText("AWS returns no usable response to {action} ({error})"),
    GapCode.NO_INSTANCE_PROFILE: GapText(f"{_PROFILE} does not exist", "set one that exists in the Virtual Node Group"),
    GapCode.INSTANCE_PROFILE_OF_OTHER_ACCOUNT: GapText(
        f"{_PROFILE} does not belong to the account of the AWS credentials", "use AWS credentials of that account"
    ),
    GapCode.INSTANCE_PROFILE_WITHOUT_ROLE: GapText(f"{_PROFILE} has no role", "add one"),
    GapCode.NO_EKS_CLUSTER: GapText(
        "EKS cluster {cluster} does not exist in {region}", "use AWS credentials of the cluster's account"
    ),
    GapCode.NO_SUBNETS: lambda fields: GapText(
        f"no such subnet: {list_some(fields['subnets'])}",
        "correct the subnets in Spot, or use AWS credentials of their account",
    ),
    GapCode.SEVERAL: _several,
}
