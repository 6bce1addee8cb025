"""What was read of a cluster, and what the resources of one process share and claim of it."""
