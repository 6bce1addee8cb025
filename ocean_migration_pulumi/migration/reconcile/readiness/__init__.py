"""Whether the workloads of a migration run: watched while it runs, waited for afterwards, and soaked."""
