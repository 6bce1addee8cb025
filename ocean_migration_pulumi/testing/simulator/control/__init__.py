"""The control API, by which tests change the simulated world: its client and its verbs."""
