"""The control API: what tests do to the simulated world."""
