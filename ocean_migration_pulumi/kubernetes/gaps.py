"""Gaps in what is known of a cluster: the reason, and the remedy."""

from __future__ import annotations

import re
from typing import Final

from ocean_migration_pulumi.common.text import count_noun
from ocean_migration_pulumi.errors import DeadlineError, KubernetesError
from ocean_migration_pulumi.kubernetes.connection.errors import IncompleteListError, RefusedError, UnreachableError
from ocean_migration_pulumi.kubernetes.resources import rbac_rule, rbac_verb
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import AWS_AUTH, EVICTIONS, Gap

UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
NOT_FOUND: Final = 404

KUBERNETES: Final = "Kubernetes"
"""Name of who is asked, in messages."""
NOT_IN_TIME: Final = f"{KUBERNETES} did not answer in time"
_MISSING_RIGHT: Final = re.compile(r'(?:^|: )User "(?P<user>[^"]*)" cannot \w+ ')
_SIGN_IN: Final = "renew the credentials, or give their identity access to the cluster"


def gap_for_error(resource: str, error: Exception, verb: str | None = None) -> Gap:
    """Return the gap that an error leaves.

    Args:
        resource: What was read.
        error: Why it could not be.
        verb: The RBAC verb of the request; None: that of a snapshot.
    """
    match error:
        case IncompleteListError(found=found, remaining=remaining):
            of = "" if remaining is None else f" of {len(found) + remaining:,}"
            return Gap(reason=f"{len(found):,}{of} {resource} read, then the time was up")
        case DeadlineError():
            return Gap(reason=NOT_IN_TIME)
        case UnreachableError():
            return Gap(reason=str(error), remedy=error.remedy)
        case RefusedError(status=status, said=said):
            return gap_for_status(resource, status, verb, said=said)
        case KubernetesError():
            return Gap(reason=str(error))
    # The message may quote data of the cluster.
    return Gap(reason=f"{resource} could not be read ({type(error).__name__})")


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
    if status == UNAUTHORIZED:
        return Gap(reason=f"Kubernetes refuses the credentials ({status})", remedy=_SIGN_IN)
    # Admission policies and webhooks answer with the same status, and no rule of RBAC changes what they refuse.
    if status == FORBIDDEN and (missing := _MISSING_RIGHT.search(said)):
        remedy = f"add to its role: {rbac_rule(resource, verb)}"
        return Gap(reason=f"{missing['user'] or 'an anonymous user'} may not {verb} {what} ({status})", remedy=remedy)
    quoted = f": {said}" if said and (status == FORBIDDEN or resource == EVICTIONS) else ""
    return Gap(reason=f"Kubernetes answered {status} when asked to {verb} {what}{quoted}")


def gap_for_unusable(resource: str, unusable: int) -> Gap:
    """Return the gap that unreadable objects of a list leave."""
    return Gap(reason=f"{count_noun(unusable, 'object')} of unexpected form among the {resource}")


def ends_all(error: Exception) -> bool:
    """Tell whether every other request would fail with this error, too."""
    if isinstance(error, RefusedError):
        return error.status == UNAUTHORIZED
    return isinstance(error, DeadlineError | UnreachableError)
