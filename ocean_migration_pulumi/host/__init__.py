"""Access to what Pulumi's dynamic provider host does not pass to a provider.

The host (``python -m pulumi.dynamic``) passes a provider nothing but properties. What the engine sent beside them still
exists on the stack of the worker thread that runs the RPC, and this package fetches it from there: by the types of the
values, not by the names of functions or variables. Whatever is not where it is expected is done without: the provider
still does the right thing, only less nicely.
"""

from __future__ import annotations

from ocean_migration_pulumi.host.call import EngineCall, current_call
from ocean_migration_pulumi.host.failure import RpcFailure, check_failures, fail
from ocean_migration_pulumi.host.program import hide_interrupt_traceback, one_line_constructor, one_line_errors
from ocean_migration_pulumi.host.setup import prepare
from ocean_migration_pulumi.host.values import contains_unknown, is_unknown, unknown

__all__ = [
    "EngineCall",
    "RpcFailure",
    "check_failures",
    "contains_unknown",
    "current_call",
    "fail",
    "hide_interrupt_traceback",
    "is_unknown",
    "one_line_constructor",
    "one_line_errors",
    "prepare",
    "unknown",
]
