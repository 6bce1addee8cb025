"""The state of an offline stack."""
