"""The service's JSON as frozen dataclasses."""
