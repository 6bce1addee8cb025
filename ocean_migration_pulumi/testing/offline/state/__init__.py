"""The state of an offline stack: resources, property values and the state file."""
