"""Quantities, such as ``250m`` and ``1.5Gi``, and the resource requests of pods."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import Any, Final

from ocean_migration_pulumi.kubernetes.objects.decoding import UnexpectedFormError, read_part
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import Resources

_NANO: Final = 10**9
_MILLI: Final = 10**6
_MIB: Final = _NANO * 2**20

# The lengths keep an exponent of many digits from becoming a number that fills the memory.
_QUANTITY: Final = re.compile(
    r"(?P<number>[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40}))"
    r"(?:[eE](?P<exponent>[+-]?\d{1,2})|(?P<suffix>n|u|m|k|[MGTPE]i?|Ki)?)",
    re.ASCII,
)
_SUFFIXES: Final[Mapping[str, Fraction]] = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "": Fraction(1),
    "k": Fraction(1000),
    **{suffix: Fraction(1000**power) for power, suffix in enumerate("MGTPE", 2)},
    **{f"{suffix}i": Fraction(1024**power) for power, suffix in enumerate("KMGTPE", 1)},
}

_CPU: Final = "cpu"
_MEMORY: Final = "memory"
_GPU: Final = "/gpu"
_KNOWN: Final = frozenset({_CPU, _MEMORY, _GPU})
_UNITS: Final[Mapping[str, int]] = {_CPU: _MILLI, _MEMORY: _MIB}
_Amounts = dict[str, int]


@lru_cache(maxsize=4096)
def parse_quantity(written: str) -> int:
    """Return a quantity in billionths, the finest that Kubernetes knows, rounded up.

    Raises:
        UnexpectedFormError: The text is not a quantity.
    """
    match = _QUANTITY.fullmatch(written)
    if match is None:
        raise UnexpectedFormError
    factor = Fraction(10) ** int(match["exponent"]) if match["exponent"] else _SUFFIXES[match["suffix"] or ""]
    return ceil(Fraction(match["number"]) * factor * _NANO)


def read_allocatable(status: Mapping[str, Any]) -> Resources | None:
    """Return what a node with this ``status`` has to give, rounded down; None when it does not tell."""
    amounts = _amounts(read_part(status, "allocatable"))
    if not amounts:
        return None
    return _to_resources({name: amount // _UNITS.get(name, _NANO) for name, amount in amounts.items()})


def sum_requests(spec: Any) -> Resources:
    """Return the requests that the scheduler counts for a pod with this ``spec``, as it is decoded, rounded up.

    All containers run at once, beside the sidecars (init containers that restart always). The other init containers run
    before, one after the other, each beside the sidecars that were started earlier.
    """
    running = _sum(_asked(container) for container in spec.containers or ())
    sidecars: _Amounts = {}
    starting: _Amounts = {}
    for container in spec.initContainers or ():
        asked = _asked(container)
        if container.restartPolicy == "Always":
            sidecars = _sum((sidecars, asked))
            asked = sidecars
        else:
            asked = _sum((sidecars, asked))
        starting = _largest(starting, asked)
    total = _largest(_sum((running, sidecars)), starting)
    # The requests of the pod as a whole replace those of its containers.
    total |= _asked(spec)
    total = _sum((total, _amounts(spec.overhead or {})))
    found = _to_resources({name: -(-amount // _UNITS.get(name, _NANO)) for name, amount in total.items() if amount})
    claims = len(spec.resourceClaims or ())
    return replace(found, others=(*found.others, ("resourceClaims", claims))) if claims else found


def _to_resources(amounts: Mapping[str, int]) -> Resources:
    return Resources(
        milli_cpu=amounts.get(_CPU, 0),
        memory_mib=amounts.get(_MEMORY, 0),
        gpu=amounts.get(_GPU, 0),
        others=tuple(sorted((name, amount) for name, amount in amounts.items() if name not in _KNOWN)),
    )


def _asked(part: Any) -> _Amounts:
    """Return what a container, or a pod as a whole, asks for."""
    return _amounts((part.resources.requests if part.resources else None) or {})


def _amounts(data: Mapping[str, Any]) -> _Amounts:
    """Return each resource, the GPUs of all makers together."""
    amounts: _Amounts = {}
    for name, written in data.items():
        kind = _GPU if name.endswith(_GPU) else name
        if not isinstance(written, str):
            raise UnexpectedFormError
        amounts[kind] = amounts.get(kind, 0) + parse_quantity(written)
    return amounts


def _sum(several: Iterable[_Amounts]) -> _Amounts:
    total: _Amounts = {}
    for amounts in several:
        for kind, amount in amounts.items():
            total[kind] = total.get(kind, 0) + amount
    return total


def _largest(one: _Amounts, other: _Amounts) -> _Amounts:
    return {kind: max(one.get(kind, 0), other.get(kind, 0)) for kind in one.keys() | other.keys()}
