"""Configurations taken from what runs already."""
