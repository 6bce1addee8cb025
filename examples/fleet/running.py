"""Deploys many clusters, several at a time: a failure of one is an outcome like any other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Event

Deploy = Callable[[str, Mapping[str, str]], Mapping[str, int]]
"""Deploys the cluster of this name and config, and returns its numbers of nodes; raises when that fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a cluster: ``result`` is ``succeeded``, ``failed``, ``interrupted`` or ``not started``."""

    cluster: str
    result: str
    seconds: float = 0.0
    totals: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the cluster is where it shall be."""
        return self.result == "succeeded"


def run(
    clusters: Mapping[str, Mapping[str, str]],
    deploy: Deploy,
    interrupt: Callable[[], None],
    *,
    parallel: int,
    ended: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Deploy all clusters, at most ``parallel`` at a time, and return their outcomes in the order of the clusters.

    A Ctrl-C (KeyboardInterrupt in this thread) calls ``interrupt``, once, which has to end what runs; no other cluster
    is started then, and what runs is waited for.
    """
    stopped = Event()

    def one(cluster: str, config: Mapping[str, str]) -> Outcome:
        if stopped.is_set():
            return Outcome(cluster=cluster, result="not started")
        began = time.monotonic()
        try:
            totals = deploy(cluster, config)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other clusters go on
            result = "interrupted" if stopped.is_set() else "failed"
            reason = str(error) or type(error).__name__
            return Outcome(cluster=cluster, result=result, seconds=time.monotonic() - began, reason=reason)
        return Outcome(cluster=cluster, result="succeeded", seconds=time.monotonic() - began, totals=totals)

    with ThreadPoolExecutor(parallel) as pool:
        futures = [pool.submit(one, cluster, config) for cluster, config in clusters.items()]
        pending: set[Future[Outcome]] = set(futures)
        while pending:
            try:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    ended(future.result())
            except KeyboardInterrupt:
                if not stopped.is_set():
                    stopped.set()
                    interrupt()
    return [future.result() for future in futures]
