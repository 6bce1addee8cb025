"""Migrate Kubernetes workloads into Spot Ocean as code."""
