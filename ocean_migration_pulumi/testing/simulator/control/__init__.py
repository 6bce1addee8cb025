"""The control API, with which tests change the simulated world: its client and its verbs."""
