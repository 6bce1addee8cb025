"""The gaps that errors and responses of the API server leave."""

from __future__ import annotations

import re
from typing import Final

from ocean_migration_pulumi.errors import DeadlineError, KubernetesError
from ocean_migration_pulumi.kubernetes.connection.errors import (
    IncompleteListError,
    RefusedError,
    SilentServerError,
    UnreachableError,
)
from ocean_migration_pulumi.kubernetes.resources import rbac_rule, rbac_verb
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import AWS_AUTH, EVICTIONS
from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode

UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
NOT_FOUND: Final = 404

KUBERNETES: Final = "Kubernetes"
"""Name of who is asked, in messages."""
_MISSING_RIGHT: Final = re.compile(r'(?:^|: )User "(?P<user>[^"]*)" cannot \w+ ')


def gap_for_error(resource: str, error: Exception, verb: str | None = None) -> Gap:
    """Return the gap that an error leaves.

    Args:
        resource: What was read.
        error: Why it could not be.
        verb: The RBAC verb of the request; None: that of a snapshot.
    """
    match error:
        case IncompleteListError(found=found, remaining=remaining):
            total = None if remaining is None else len(found) + remaining
            return Gap(GapCode.LIST_INCOMPLETE, {"resource": resource, "read": len(found), "total": total})
        case DeadlineError() | SilentServerError():
            return Gap(GapCode.NOT_IN_TIME)
        case UnreachableError():
            return Gap.from_error(error, error.remedy)
        case RefusedError(status=status, said=said):
            return gap_for_status(resource, status, verb, said=said)
        case KubernetesError():
            return Gap.from_error(error)
    # The message may quote data of the cluster.
    return Gap(GapCode.UNREADABLE, {"resource": resource, "error": type(error).__name__})


def gap_for_status(resource: str, status: int, verb: str | None = None, *, said: str = "") -> Gap:
    """Return the gap that a response with this status leaves.

    Args:
        resource: What was read.
        status: HTTP status.
        verb: The RBAC verb of the request; None: that of a snapshot.
        said: The API server's own message; empty when something else answered.
    """
    verb = verb or rbac_verb(resource)
    what = f"{resource} kube-system/aws-auth" if resource == AWS_AUTH else resource
    asked = {"verb": verb, "object": what, "status": status}
    if status == UNAUTHORIZED:
        return Gap(GapCode.CREDENTIALS_REFUSED, {"status": status})
    # Admission policies and webhooks answer with the same status, and no rule of RBAC changes what they refuse.
    if status == FORBIDDEN and (missing := _MISSING_RIGHT.search(said)):
        return Gap(GapCode.FORBIDDEN, {**asked, "user": missing["user"], "rule": rbac_rule(resource, verb)})
    is_quoted = status == FORBIDDEN or resource == EVICTIONS
    return Gap(GapCode.REFUSED, {**asked, "said": said if is_quoted else ""})


def gap_for_unusable(resource: str, unusable: int) -> Gap:
    """Return the gap that unreadable objects of a list leave."""
    return Gap(GapCode.UNUSABLE_OBJECTS, {"count": unusable, "resource": resource})


def ends_all(error: Exception) -> bool:
    """Tell whether every other request would fail with this error, too."""
    if isinstance(error, RefusedError):
        return error.status == UNAUTHORIZED
    return isinstance(error, DeadlineError | UnreachableError)
