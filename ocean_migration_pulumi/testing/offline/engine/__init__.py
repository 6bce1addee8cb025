"""The engine: plans an update and carries it out, like the real engine."""
