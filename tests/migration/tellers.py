"""Listeners that remember what a run has said."""

from __future__ import annotations


class RecordingTeller:
    """Keeps every line, by its kind."""

    def __init__(self) -> None:
        self.statuses: list[str] = []
        self.infos: list[str] = []
        self.warnings: list[str] = []

    def status(self, message: str) -> None:
        """Keep a live line."""
        self.statuses.append(message)

    def info(self, message: str) -> None:
        """Keep a line that stays."""
        self.infos.append(message)

    def warning(self, message: str) -> None:
        """Keep a warning."""
        self.warnings.append(message)
