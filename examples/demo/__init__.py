"""A migration from preview to destroy, on a simulator."""
