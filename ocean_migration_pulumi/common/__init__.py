"""Shared by all other folders: text, times, cancellation, single flight, retries."""
