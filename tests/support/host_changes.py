"""What a later version of Pulumi or gRPC may change in the provider host, as changes for `PluginProcess`."""

from __future__ import annotations

from typing import TypedDict


class Change(TypedDict, total=False):
    """Arguments of `PluginProcess`."""

    change: tuple[tuple[str, str], ...]
    before: str


# Every method of the provider runs in a thread of its own: nothing of the host is on its stack.
OTHER_THREAD: Change = {
    "before": """
def _elsewhere(function, *arguments):
    import concurrent.futures
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *arguments).result()
""",
    "change": tuple(
        (f"provider.{method}(", f"_elsewhere(provider.{method}, ")
        for method in ("configure", "check", "diff", "create", "update", "delete", "read")
    ),
}

# The servicer's Cancel is a closure: its code cannot be exchanged.
CANCEL_IS_A_CLOSURE: Change = {
    "change": (
        (
            "    def Cancel(self, request, context):\n        return empty_pb2.Empty()\n",
            "    Cancel = (lambda answer: lambda self, request, context: answer())(empty_pb2.Empty)\n",
        ),
    ),
}

# gRPC knows no pool of a single method.
ONE_POOL_FOR_ALL: Change = {
    "before": "import grpc._server\ngrpc._server._select_thread_pool_for_behavior = lambda behavior, pool: pool\n",
}

# The RPCs run on threads that do not come from a ThreadPoolExecutor.
OTHER_POOL: Change = {
    "before": """
import concurrent.futures, queue, threading

class FourThreads(concurrent.futures.Executor):
    def __init__(self):
        self._work = queue.SimpleQueue()
        for _ in range(4):
            threading.Thread(target=self._run, daemon=True).start()

    def submit(self, function, /, *arguments):
        future = concurrent.futures.Future()
        self._work.put((future, function, arguments))
        return future

    def _run(self):
        while True:
            future, function, arguments = self._work.get()
            future.set_result(function(*arguments))
""",
    "change": (("futures.ThreadPoolExecutor(max_workers=4)", "FourThreads()"),),
}


def context_without(method: str) -> Change:
    """Return the change that lets ``method`` of the RPC's context fail."""
    return {
        "before": f"""
import grpc._server
def _gone(*_):
    raise NotImplementedError({method!r})
grpc._server._Context.{method} = _gone
"""
    }


def both(one: Change, other: Change) -> Change:
    """Return both changes at once."""
    return {
        "before": one.get("before", "") + other.get("before", ""),
        "change": one.get("change", ()) + other.get("change", ()),
    }
