"""Fail an RPC so that the engine saves the state and prints the reason without a traceback."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, NoReturn

from pulumi.dynamic import CheckFailure

from ocean_migration_pulumi.errors import InputError, add_code
from ocean_migration_pulumi.host.stack import running_context, running_request

_UNKNOWN = 2  # the gRPC status code that the host answers a failure with; the details must name the same
_PROVIDER = "__provider"


def check_failures(problems: Iterable[InputError]) -> list[CheckFailure]:
    """Return the failures of a check, without a property: the engine would print the value of a part as ``{<nil>}``."""
    return [CheckFailure("", add_code(str(problem), problem)) for problem in problems]


class RpcFailure(Exception):
    """Carries a reason through the host to the engine; raised by ``fail`` only, and not to be caught."""


def fail(
    message: str,
    *,
    id: str | None = None,
    properties: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
) -> NoReturn:
    """End the running Create or Update, or any other RPC, as failed for the reason ``message``.

    With an ``id`` the engine records the resource with ``properties`` as its outputs and runs ``update`` next time;
    without one it records nothing. ``inputs`` is for the engine's records only and may be None. Call it on the thread
    that the host called. Where the host cannot be looked into, the message names the id and goes to the engine in the
    host's own way, with a traceback.

    Raises:
        RpcFailure: Always.
    """
    try:
        _answer(message, id, properties or {}, inputs)
    except Exception as error:  # noqa: BLE001  # whatever went wrong, the reason must get out
        reason = " ".join(message.split())
        if id is not None:
            reason = f"{reason} (resource {id} is not saved: {type(error).__name__}: {error})"
        raise RpcFailure(reason) from None
    raise RpcFailure(message) from None


def _answer(message: str, id: str | None, properties: Mapping[str, Any], inputs: Mapping[str, Any] | None) -> None:
    """Put the status into the RPC's trailing metadata, where the engine looks before it looks at the host's text."""
    from pulumi.runtime.proto import provider_pb2, status_pb2

    request, context = running_request(), running_context()
    if request is None or context is None:
        msg = "the provider host of this Pulumi version is not the expected one"
        raise LookupError(msg)
    status = status_pb2.Status(code=_UNKNOWN, message=message)
    if id is not None:
        status.details.add().Pack(
            provider_pb2.ErrorResourceInitFailed(
                id=id,
                reasons=[message],
                properties=_struct(properties, request),
                inputs=None if inputs is None else _struct(inputs, request),
            )
        )
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    with suppress(Exception):  # the engine reads the status first
        _replace_text(context, message)


def _struct(values: Mapping[str, Any], request: Any) -> Any:
    """Serialize ``values`` as the host serializes a result, with the provider that the engine sent."""
    from pulumi.runtime import rpc

    loop = asyncio.new_event_loop()
    try:
        struct = loop.run_until_complete(rpc.serialize_properties(dict(values), {}))
    finally:
        loop.close()
    for source in ("news", "properties", "olds"):
        sent = getattr(request, source, None)
        if sent is not None and _PROVIDER in sent.fields:
            struct.fields[_PROVIDER].CopyFrom(sent.fields[_PROVIDER])
            break
    return struct


def _replace_text(context: Any, message: str) -> None:
    """Let the host's ``context.abort(code, traceback)`` say ``message`` instead, for whoever reads only the text."""
    abort = context.abort

    def abort_with_message(code: Any, _: str) -> None:
        abort(code, message)

    context.abort = abort_with_message
