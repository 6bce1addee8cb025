"""Programs to read, copy and run."""
