"""The simulator behind ``ocean_migration_pulumi.simulator``: Spot's Ocean API and Kubernetes on loopback."""
