"""The validated inputs of a resource, and the nodes that they select."""
