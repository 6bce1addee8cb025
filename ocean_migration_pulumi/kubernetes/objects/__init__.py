"""Kubernetes' JSON as plain data."""
