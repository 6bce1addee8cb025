"""AWS credentials and clients, and the gaps that their errors leave."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import Any, Final

from ocean_migration_pulumi.common.installation import install_command
from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode

_METADATA_SECONDS: Final = 1
_CODE: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_THROTTLED: Final = frozenset(
    {"RequestLimitExceeded", "RequestThrottled", "Throttling", "ThrottlingException", "TooManyRequestsException"}
)
_REFUSED_CREDENTIALS: Final = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)


class AwsReadError(Exception):
    """AWS could not be asked, or did not answer everything."""

    def __init__(self, gap: Gap, found: Mapping[str, Any] | None = None) -> None:
        """Describe what is missing.

        Args:
            gap: Why, and what to do about it.
            found: The part of the answer that is known; None when nothing is.
        """
        super().__init__(str(gap.code))
        self.gap = gap
        self.found = found or {}


class AwsAccess:
    """The clients of one reading; its own session, so that no credentials of an earlier reading stick."""

    def __init__(self, region: str, seconds: float) -> None:
        """Connect to nothing yet.

        Args:
            region: AWS region.
            seconds: Bounds each connection, and each pause in a response.
        """
        self.region = region
        self.seconds = seconds
        self._lock = threading.Lock()
        self._session: Any = None
        self._gap: Gap | None = None

    def client(self, service: str, region: str = "") -> Any:
        """Return the client of a service, in another region than the session's if need be.

        Raises:
            AwsReadError: There are no credentials.
        """
        with self._lock:
            if self._session is None and self._gap is None:
                try:
                    self._session = _session(self.region)
                except AwsReadError as error:
                    self._gap = error.gap
            if self._gap is not None:
                raise AwsReadError(self._gap)
            from botocore.config import Config  # type: ignore[import-untyped]  # botocore has no types of its own

            config = Config(
                connect_timeout=self.seconds,
                read_timeout=self.seconds,
                retries={"mode": "standard", "total_max_attempts": 2},
                user_agent_extra="ocean-migration",
            )
            return self._session.client(service, region_name=region or self.region, config=config)


def _session(region: str) -> Any:
    """Return a session that has credentials."""
    if not region:
        raise AwsReadError(Gap(GapCode.NO_REGION))
    try:
        import boto3.session  # type: ignore[import-untyped]  # boto3 has no types of its own
        import botocore.session  # type: ignore[import-untyped]  # likewise
    except ImportError as exc:
        raise AwsReadError(Gap(GapCode.NO_BOTO3, {"command": install_command("aws")})) from exc
    try:
        inner = botocore.session.Session()
        inner.set_config_variable("region", region)
        # Outside of EC2 the metadata service, which has an instance's credentials, does not answer at all.
        inner.set_config_variable("metadata_service_timeout", _METADATA_SECONDS)
        inner.set_config_variable("metadata_service_num_attempts", 1)
        # A prompt for an MFA code would appear in the middle of Pulumi's display.
        inner.get_component("credential_provider").get_provider("assume-role")._prompter = _refuse_to_prompt
        credentials = inner.get_credentials()
        if credentials is not None:
            credentials.get_frozen_credentials()  # those of a role are fetched only now, and may be refused
        session = boto3.session.Session(botocore_session=inner)
    except Exception as exc:
        # The message may hold what a credential helper printed.
        fields = {"error": _code(exc) or type(exc).__name__}
        raise AwsReadError(Gap(GapCode.AWS_CREDENTIALS_UNUSABLE, fields)) from exc
    if credentials is None:
        raise AwsReadError(Gap(GapCode.NO_AWS_CREDENTIALS))
    return session


def _refuse_to_prompt(prompt: str) -> str:
    raise PermissionError("the AWS profile requires an MFA code, which cannot be entered here")


def gap_for_error(error: Exception, action: str) -> Gap:
    """Return the gap that an error of botocore leaves.

    The message of the error is not repeated: it may be of any length, and have what was sent.

    Args:
        error: The error.
        action: The IAM action that the call needs.
    """
    from botocore import exceptions

    code = _code(error)
    if code is not None:
        if code in _DENIED:
            return Gap(GapCode.AWS_DENIED, {"action": action})
        if code in _THROTTLED:
            return Gap(GapCode.AWS_THROTTLED, {"action": action, "error": code})
        if code in _REFUSED_CREDENTIALS:
            return Gap(GapCode.AWS_CREDENTIALS_REFUSED, {"error": code})
        return Gap(GapCode.AWS_UNANSWERED, {"action": action, "error": code})
    is_unreachable = isinstance(error, (exceptions.ConnectionError, exceptions.HTTPClientError))
    kind = GapCode.AWS_UNREACHABLE if is_unreachable else GapCode.AWS_UNUSABLE
    return Gap(kind, {"action": action, "error": type(error).__name__})


def _code(error: Exception) -> str | None:
    """Return AWS's error code of a ClientError of botocore; None of any other error."""
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        return None
    code = str(response.get("Error", {}).get("Code", ""))
    return code if _CODE.fullmatch(code) else "no code"
