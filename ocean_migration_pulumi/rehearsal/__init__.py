"""A planned migration tried out in the simulator: the cluster as it is, described with GETs only, and what follows."""

from __future__ import annotations

from .describing import Described, describe
from .prediction import INVENTED, PREDICTION, LeftNode, LeftPod, Rehearsal
from .running import rehearse

__all__ = [
    "INVENTED",
    "PREDICTION",
    "Described",
    "LeftNode",
    "LeftPod",
    "Rehearsal",
    "describe",
    "rehearse",
]
