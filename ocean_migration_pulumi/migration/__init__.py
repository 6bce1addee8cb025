"""Plan and drive migrations; imports neither HTTP nor Pulumi."""
