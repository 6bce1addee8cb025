"""Replays of recorded API traffic."""
