"""Which pods are evicted, and where they can be scheduled."""
