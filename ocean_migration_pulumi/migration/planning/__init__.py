"""The plan of a resource, its pre-flight checks, and the text of diagnostics."""
