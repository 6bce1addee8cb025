"""CPU of the client for discovery, selection and plan: against the service's own SDK, and against the limit."""

from __future__ import annotations

from dataclasses import asdict

from benchmarks.canned import serving
from benchmarks.children import measured
from benchmarks.table import Row


def measure(short: bool) -> list[Row]:
    """Let one process ask in each way, in turns; of each way the best counts."""
    nodes, times = (2_000, 7) if short else (10_000, 15)
    with serving(nodes) as service:
        given = {"service": asdict(service), "ways": ["plan", "peer", "bare", "check"], "times": times}
        taken = {way: min(seconds) for way, seconds in measured("benchmarks.client_side", given).items()}
    milliseconds = {way: f"{seconds * 1000:.1f} ms" for way, seconds in taken.items()}
    what = f"CPU of discovery, selection and plan of {nodes:,} nodes"
    whole = f"CPU of a whole preview of {nodes:,} nodes, six calls and all that it says,"
    return [
        Row(
            what=f"{what}, against spotinst-sdk2's discovery alone",
            measured=taken["plan"] / taken["peer"],
            bound=0.7 if short else 0.6,
            unit="times",
            note=f"{milliseconds['plan']} and {milliseconds['peer']}",
        ),
        Row(
            what=f"{what}, against a bare httpx GET and json.loads",
            measured=taken["plan"] / taken["bare"],
            bound=5.5 if short else 4,
            unit="times",
            note=f"{milliseconds['plan']} and {milliseconds['bare']}",
            why="beside the JSON each node is read, chosen, sorted, written as a line and digested, in plain Python",
        ),
        Row(
            what=f"{whole} against spotinst-sdk2's discovery alone",
            measured=taken["check"] / taken["peer"],
            unit="times",
            note=milliseconds["check"],
        ),
    ]
