"""Spot's REST API; knows nothing of Pulumi."""
