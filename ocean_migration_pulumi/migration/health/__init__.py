"""Whether workloads are as ready as before a migration, and when a migration has to be stopped for them."""
