"""Find values on the call stack of the thread that runs an RPC."""

from __future__ import annotations

import sys
import weakref
from typing import Any


def nearest(*kinds: type[Any]) -> Any:
    """Return the nearest local variable of the callers that is one of ``kinds``; None when there is none.

    Weak references are looked through. Nothing of the values but their type is touched, so that no property or proxy
    of a stranger's object runs.
    """
    frame = sys._getframe(1)
    while frame is not None:
        for value in tuple(frame.f_locals.values()):
            found = value() if type(value) is weakref.ref else value
            if issubclass(type(found), kinds):
                return found
        frame = frame.f_back  # type: ignore[assignment]  # None ends the walk
    return None


def running_request() -> Any:
    """Return the request of the RPC that runs on this thread; None when the host cannot be looked into."""
    from pulumi.runtime.proto import provider_pb2 as proto

    return nearest(
        proto.CheckRequest,
        proto.DiffRequest,
        proto.CreateRequest,
        proto.UpdateRequest,
        proto.DeleteRequest,
        proto.ReadRequest,
    )


def running_context() -> Any:
    """Return the ``grpc.ServicerContext`` of the RPC that runs on this thread; None as above."""
    import grpc

    return nearest(grpc.ServicerContext)
