"""Spot's API, without HTTP."""
