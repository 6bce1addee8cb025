"""The plan of a resource, and its pre-flight checks."""
