"""Spot's Ocean API on loopback: the server behind ``ocean_migration_pulumi.simulator``."""
