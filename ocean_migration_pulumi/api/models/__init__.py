"""Spot's JSON as frozen dataclasses."""
