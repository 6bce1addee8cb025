"""Sender: sends a call with the right token, within the rate limits, again where that is safe."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from ocean_migration_pulumi.api import responses
from ocean_migration_pulumi.api.rate_limits import REFUSED, RateLimits, seconds_until_reset
from ocean_migration_pulumi.api.recording.redaction import (
    SHORTEST_SECRET,
    TOKEN,
    ExchangeObservation,
    ExchangeObserver,
    Redaction,
    token_forms,
)
from ocean_migration_pulumi.api.responses import UNDECODABLE, ApiCall, ApiResponse
from ocean_migration_pulumi.api.settings import NO_CREDENTIALS, Settings, TokenSource
from ocean_migration_pulumi.api.transport import Transport, UnansweredError
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.retry import RetryableError, RetryPolicy, retry_after, run_with_retries
from ocean_migration_pulumi.errors import (
    AnswerLostError,
    AuthenticationError,
    MissingTokenError,
    OceanMigrationError,
    OperationCancelled,
    RateLimitError,
)

FAILED = RetryPolicy(attempts=5, initial_wait=0.5, longest_wait=8.0)
"""For requests whose response is missing, not JSON, or 5xx."""

# The rate-limit window already waits before it admits the next attempt.
_REFUSED = replace(REFUSED, initial_wait=0.0)
_RETRIED_STATUSES = frozenset({500, 502, 503, 504})
_LONGEST_RETRY_AFTER = 60.0
_SMALLEST_DIFFERENCE = timedelta(seconds=2)
_LARGEST_STEP = timedelta(minutes=1)

_RATE_LIMITS = RateLimits()


class Sender:
    """Sends calls and returns the JSON of their responses; thread-safe."""

    def __init__(self, settings: Settings, observers: Sequence[ExchangeObserver] = ()) -> None:
        """Prepare the connections.

        Args:
            settings: Base URL, tokens and account.
            observers: Called with every exchange, also with those that are repeated.
        """
        self._base_url = settings.base_url
        self._transport = Transport(settings.base_url)
        self._tokens = settings.alternatives
        if settings.token:
            name = settings.sources.get("token", "settings")
            self._tokens = (TokenSource(name=name, token=settings.token), *settings.alternatives)
        self._preferred = 0
        self._ahead: timedelta | None = None
        self._doubted: timedelta | None = None
        tokens = [source.token for source in self._tokens]
        accounts = [settings.account_id] if settings.account_id else []
        self.observation = ExchangeObservation(observers, Redaction(tokens, accounts, settings.base_url))

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def server_now(self) -> datetime:
        """Return the local time, corrected by the ``Date`` of the service's last response.

        A ``Date`` that is more than a minute ahead of the ones before counts when the next response confirms it: one
        server whose clock is wrong must not make an hour of a second.
        """
        return datetime.now(UTC) + (self._ahead or timedelta())

    def send(self, call: ApiCall, scope: CancelScope) -> Any:
        """Send a call, again where that is safe, and return the JSON of its response.

        A GET or PUT, or a POST that only reads, is repeated when the response is missing, not JSON, or 5xx; any other
        POST only when it provably had no effect: its body was not sent, or the status is 429 or 401.

        Raises:
            OceanMigrationError: The error of the last attempt.
        """
        if not self._tokens:
            raise MissingTokenError(NO_CREDENTIALS)
        return run_with_retries(lambda: self._attempt(call, scope), scope)

    def _attempt(self, call: ApiCall, scope: CancelScope) -> Any:
        answer = self._authenticated(call, scope)
        data = responses.decode_body(answer)
        if answer.status == 200 and data is not UNDECODABLE:
            return data
        if answer.status == 429:
            msg = f"{call}: too many requests; wait, or run fewer programs for this organization"
            reset = seconds_until_reset(answer.headers)
            raise RetryableError(RateLimitError(msg, reset=reset, request_id=responses.request_id(data)), _REFUSED)
        error = (
            responses.unusable_answer(call, "not JSON")
            if answer.status == 200
            else responses.error_of_response(call, answer, data)
        )
        if call.creates and not _is_refusal(answer.status):
            raise answer_lost(error) from error
        if answer.status == 200 or answer.status in _RETRIED_STATUSES:
            wanted = min(retry_after(answer.headers) or 0.0, _LONGEST_RETRY_AFTER)
            raise RetryableError(error, FAILED, retry_after=wanted)
        raise error

    def _authenticated(self, call: ApiCall, scope: CancelScope) -> ApiResponse:
        """Send with the token that worked last; when it is refused, with each of the others."""
        first = self._preferred
        for step in range(len(self._tokens)):
            chosen = (first + step) % len(self._tokens)
            token = self._tokens[chosen].token
            answer = self._admitted(call, scope, token)
            if answer.status == 401:
                continue
            self._preferred = chosen
            return answer if answer.status == 200 else _without_token(answer, token)
        names = " and ".join(source.name for source in self._tokens)
        msg = f"Spot refuses the token (from {names}): create a new one in the Spot console"
        if any(source.is_in_stack for source in self._tokens):
            msg += "; `pulumi refresh` and `pulumi destroy` use the config of the last `up` without `--run-program`"
        raise AuthenticationError(msg, status=401, request_id=responses.request_id(responses.decode_body(answer)))

    def _admitted(self, call: ApiCall, scope: CancelScope, token: str) -> ApiResponse:
        window = _RATE_LIMITS.window(self._base_url, call.query.get("accountId"), call.method, call.route)
        window.admit(scope, str(call))
        answer = None
        began = time.monotonic()
        try:
            if call.writes:
                scope.before_write()
            answer = self._transport.exchange(call, token, scope)
        except UnansweredError as missing:
            if missing.started:
                self.observation.report(call, missing.error, self._service_time(), began)
            if call.creates and missing.sent:
                raise answer_lost(missing.error) from missing.error
            if missing.transient:
                raise RetryableError(missing.error, FAILED) from missing.__cause__
            raise missing.error from missing.__cause__
        finally:
            if answer is None:
                window.release()
            else:
                window.settle(answer.headers, scope.clock(), refused=answer.status == 429)
        self._learn_time(answer)
        self.observation.report(call, answer, self._service_time(), began)
        return answer

    def _learn_time(self, answer: ApiResponse) -> None:
        try:
            served = parsedate_to_datetime(answer.headers.get("date", ""))
        except ValueError:
            return
        if served.tzinfo is None:
            return
        ahead = served - datetime.now(UTC)
        doubted, self._doubted = self._doubted, None
        if self._ahead is not None and ahead - self._ahead > _LARGEST_STEP and (doubted is None or ahead < doubted):
            self._doubted = ahead - _SMALLEST_DIFFERENCE
        else:
            self._ahead = ahead

    def _service_time(self) -> datetime:
        """Return the service's time; the local time where both clocks agree, as a ``Date`` has whole seconds."""
        return datetime.now(UTC) if abs(self._ahead or timedelta()) < _SMALLEST_DIFFERENCE else self.server_now()


def answer_lost(error: OceanMigrationError | OperationCancelled) -> AnswerLostError:
    """Return the error for a write that may have had its effect."""
    return AnswerLostError(f"the response to a write was lost, so the write may have taken effect: {error}")


def _without_token(answer: ApiResponse, token: str) -> ApiResponse:
    """Return a response without the token, which a proxy may have written into it.

    A token as short as a word belongs to a simulator, and could be part of any text.
    """
    if len(token) < SHORTEST_SECRET:
        return answer
    body, headers = answer.body, answer.headers
    for form in token_forms(token):
        body = body.replace(form.encode(), TOKEN.encode())
        headers = {name: value.replace(form, TOKEN) for name, value in headers.items()}
    return replace(answer, body=body, headers=headers)


def _is_refusal(status: int) -> bool:
    """Tell whether a status says that nothing was done; with 408 a proxy may have passed the request on."""
    return 400 <= status < 500 and status != 408
