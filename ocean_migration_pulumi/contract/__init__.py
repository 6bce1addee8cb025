"""What an account's own answers say of everything that Spot's documents leave open, or promise."""

from __future__ import annotations

from .answered import Answered, Verdict
from .judging import judge
from .probing import probe

__all__ = ["Answered", "Verdict", "judge", "probe"]
