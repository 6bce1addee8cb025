"""Import configurations from existing groups of nodes."""
